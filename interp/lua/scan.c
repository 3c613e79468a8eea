#include "lua/scan.h"

#include <ctype.h>
#include <string.h>

static bool name_start(char c) {
    return isalpha((unsigned char)c) || c == '_';
}

static bool name_part(char c) {
    return isalnum((unsigned char)c) || c == '_';
}

/* The length of an opening long bracket "[==[", or 0. */
static size_t long_open(const char *s, size_t len) {
    size_t n = 1;
    while (n < len && s[n] == '=')
        n++;
    return len && s[0] == '[' && n < len && s[n] == '[' ? n + 1 : 0;
}

/* The end of a long string or comment that opened with `open` bytes at s, or 0 if there is none. */
static size_t long_end(const char *s, size_t len, size_t open) {
    for (size_t i = open; i + open <= len; i++) {
        if (s[i] != ']')
            continue;
        size_t n = 1;
        while (n < open - 1 && s[i + n] == '=')
            n++;
        if (n == open - 1 && s[i + n] == ']')
            return i + open;
    }
    return 0;
}

/* Passes white space and comments; false if a comment has no end. */
static bool skip(const char *text, size_t len, size_t *pos) {
    size_t i = *pos;
    for (;;) {
        while (i < len && isspace((unsigned char)text[i]))
            i++;
        if (i + 1 >= len || text[i] != '-' || text[i + 1] != '-')
            break;
        size_t open = long_open(text + i + 2, len - i - 2);
        if (open) {
            size_t end = long_end(text + i + 2, len - i - 2, open);
            *pos = i;
            if (!end)
                return false;
            i += 2 + end;
        } else
            while (i < len && text[i] != '\n')
                i++;
    }
    *pos = i;
    return true;
}

static size_t quoted(const char *s, size_t len) {
    for (size_t i = 1; i < len && s[i] != '\n'; i++) {
        if (s[i] == s[0])
            return i + 1;
        if (s[i] == '\\')
            i++;
    }
    return 0;
}

static size_t number(const char *s, size_t len) {
    bool hex = len > 1 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X');
    size_t i = 0;
    while (i < len && (name_part(s[i]) || (s[i] == '.' && !(i + 1 < len && s[i + 1] == '.')) ||
                       ((s[i] == '+' || s[i] == '-') && i && strchr(hex ? "pP" : "eE", s[i - 1]))))
        i++;
    return i;
}

static bool is_keyword(const char *s, size_t len) {
    static const char *const words[] = {"and",   "break", "do",  "else", "elseif", "end",    "false", "for",  "function", "goto",  "if",
                                        "in",    "local", "nil", "not",  "or",     "repeat", "return", "then", "true",     "until", "while"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strlen(words[i]) == len && !memcmp(words[i], s, len))
            return true;
    return false;
}

static size_t operator_len(const char *s, size_t len) {
    static const char *const ops[] = {"...", "..", "==", "~=", "<=", ">=", "//", "::", "<<", ">>"};
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        size_t n = strlen(ops[i]);
        if (n <= len && !memcmp(s, ops[i], n))
            return n;
    }
    return 1;
}

struct tok scan_next(const char *text, size_t len, size_t *pos) {
    struct tok t = {.kind = TOK_END};
    bool ok = skip(text, len, pos);
    size_t i = *pos, n = 0;
    t.at = (uint32_t)i;
    if (!ok) {
        t.kind = TOK_BAD;
        n = len - i;
    } else if (i < len) {
        const char *s = text + i;
        size_t left = len - i, open;
        if (name_start(*s)) {
            while (n < left && name_part(s[n]))
                n++;
            t.kind = is_keyword(s, n) ? TOK_KEYWORD : TOK_NAME;
        } else if (isdigit((unsigned char)*s) || (*s == '.' && left > 1 && isdigit((unsigned char)s[1]))) {
            t.kind = TOK_NUMBER;
            n = number(s, left);
        } else if (*s == '"' || *s == '\'') {
            n = quoted(s, left);
            t.kind = n ? TOK_STRING : TOK_BAD;
            n = n ? n : left;
        } else if ((open = long_open(s, left))) {
            n = long_end(s, left, open);
            t.kind = n ? TOK_STRING : TOK_BAD;
            n = n ? n : left;
        } else {
            t.kind = strchr("+-*/%^#&~|<>=(){}[];:,.", *s) && *s ? TOK_OP : TOK_BAD;
            n = operator_len(s, left);
        }
    }
    t.len = (uint32_t)n;
    *pos = i + n;
    return t;
}

struct tok *scan_all(struct arena *a, const char *text, size_t len, size_t *ret_n) {
    size_t n = 0, cap = 0, pos = 0;
    struct tok *toks = NULL;
    for (;;) {
        if (n == cap) {
            cap = cap ? cap * 2 : 16;
            struct tok *more = arena_array(a, struct tok, cap);
            if (n)
                memcpy(more, toks, n * sizeof *toks);
            toks = more;
        }
        toks[n] = scan_next(text, len, &pos);
        if (toks[n++].kind == TOK_END)
            break;
    }
    if (ret_n)
        *ret_n = n - 1;
    return toks;
}

bool tok_is(const char *text, const struct tok *t, const char *word) {
    return t->kind != TOK_END && t->kind != TOK_STRING && strlen(word) == t->len && !memcmp(text + t->at, word, t->len);
}

/* --- places --- */

struct mark scan_mark(struct mark at, const char *text, size_t off, size_t len) {
    if (!at.src || !at.line)
        return at;
    const char *first = source_line(at.src, at.line), *end = at.src->text + at.src->len;
    if (!first || at.col < 1 || first + at.col - 1 > end)
        return at;
    const char *p = first + at.col - 1;
    size_t total = strlen(text);
    if (p < end && (*p == '"' || *p == '\''))
        p++;
    const char *found = NULL;
    if (!strchr(text, '\n'))
        found = (size_t)(end - p) >= total && !memcmp(p, text, total) ? p + off : NULL;
    else if (p < end && (*p == '|' || *p == '>')) {
        const char *start = text;
        uint32_t k = 1;
        for (const char *q = text; q < text + off; q++)
            if (*q == '\n') {
                start = q + 1;
                k++;
            }
        const char *line = source_line(at.src, at.line + k);
        size_t n = strcspn(start, "\n");
        if (line) {
            size_t room = strcspn(line, "\n"), indent = strspn(line, " ");
            if (room >= indent + n && !memcmp(line + indent, start, n))
                found = line + indent + (size_t)(text + off - start);
            else if (room >= n && !memcmp(line + room - n, start, n))
                found = line + room - n + (size_t)(text + off - start);
        }
    }
    return found && found <= end ? mark_at(at.src, (size_t)(found - at.src->text), len ? len : 1) : at;
}

struct mark scan_key_mark(const struct source *src, const char *const *path, size_t n) {
    enum { deepest = 16 };
    struct tok keys[deepest];
    size_t depth = 0, pos = 0;
    struct tok prev = {.kind = TOK_END}, t = scan_next(src->text, src->len, &pos);
    memset(keys, 0, sizeof keys);
    for (; t.kind != TOK_END; prev = t, t = scan_next(src->text, src->len, &pos)) {
        if (tok_is(src->text, &t, "{")) {
            if (++depth < deepest)
                keys[depth].len = 0;
            continue;
        }
        if (tok_is(src->text, &t, "}") && depth)
            depth--;
        if (!tok_is(src->text, &t, "=") || (prev.kind != TOK_NAME && !tok_is(src->text, &prev, "]")) || depth >= deepest || !depth)
            continue;
        keys[depth] = prev;
        bool same = depth == n;
        for (size_t i = 0; same && i < n; i++)
            same = strlen(path[i]) == keys[i + 1].len && !memcmp(path[i], src->text + keys[i + 1].at, keys[i + 1].len);
        if (same)
            return mark_at(src, prev.at, prev.len);
    }
    return n > 1 ? scan_key_mark(src, path, n - 1) : mark_whole(src);
}
