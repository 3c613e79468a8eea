#include "lua/scan.h"

#include <string.h>

/* References and hints, from tokens alone. */

struct local {
    struct tok name;
    int block;
};

struct refs {
    struct arena *a;
    struct expr *e;
    const struct tok *t;
    struct local *locals;
    size_t nlocals, cap, capref;
    int block;
};

static bool is(const struct refs *r, size_t i, const char *word) {
    return tok_is(r->e->text, &r->t[i], word);
}

static void add_local(struct refs *r, struct tok name, int block) {
    if (r->nlocals == r->cap) {
        r->cap = r->cap ? r->cap * 2 : 8;
        struct local *more = arena_array(r->a, struct local, r->cap);
        if (r->nlocals)
            memcpy(more, r->locals, r->nlocals * sizeof *more);
        r->locals = more;
    }
    r->locals[r->nlocals++] = (struct local){.name = name, .block = block};
}

static bool is_local(const struct refs *r, const struct tok *t) {
    for (size_t i = r->nlocals; i-- > 0;)
        if (r->locals[i].name.len == t->len && !memcmp(r->e->text + r->locals[i].name.at, r->e->text + t->at, t->len))
            return true;
    return false;
}

static void open_block(struct refs *r) {
    r->block++;
}

static void close_block(struct refs *r) {
    while (r->nlocals && r->locals[r->nlocals - 1].block >= r->block && r->block)
        r->nlocals--;
    if (r->block)
        r->block--;
}

/* Declarations and blocks; returns the index of the last token taken. */
static size_t keyword(struct refs *r, size_t i) {
    if (is(r, i, "function")) {
        size_t k = i + 1;
        while (r->t[k].kind == TOK_NAME || is(r, k, ".") || is(r, k, ":"))
            k++;
        open_block(r);
        if (!is(r, k, "("))
            return i;
        while (r->t[k].kind != TOK_END && !is(r, k, ")")) {
            if (r->t[k].kind == TOK_NAME)
                add_local(r, r->t[k], r->block);
            k++;
        }
        return r->t[k].kind == TOK_END ? k - 1 : k;
    }
    if (is(r, i, "local") || is(r, i, "for")) {
        bool loop = is(r, i, "for");
        size_t k = i + 1;
        if (is(r, k, "function") && r->t[k + 1].kind == TOK_NAME) {
            add_local(r, r->t[k + 1], r->block);
            return k - 1;
        }
        while (r->t[k].kind == TOK_NAME) {
            add_local(r, r->t[k], loop ? r->block + 1 : r->block); /* a loop's are of the block that its `do` opens */
            if (!is(r, k + 1, ","))
                return k;
            k += 2;
        }
        return k - 1;
    }
    if (is(r, i, "do") || is(r, i, "repeat") || is(r, i, "if"))
        open_block(r);
    else if (is(r, i, "end") || is(r, i, "until"))
        close_block(r);
    return i;
}

static void add_ref(struct refs *r, struct expr_ref ref) {
    struct expr *e = r->e;
    if (e->nrefs == r->capref) {
        r->capref = r->capref ? r->capref * 2 : 4;
        struct expr_ref *more = arena_array(r->a, struct expr_ref, r->capref);
        if (e->nrefs)
            memcpy(more, e->refs, e->nrefs * sizeof *more);
        e->refs = more;
    }
    e->refs[e->nrefs++] = ref;
}

/* ["name"] as a link of a chain: the quoted bytes, if they are plain. */
static bool quoted_link(const struct refs *r, size_t i, struct tok *ret) {
    if (!is(r, i, "[") || r->t[i + 1].kind != TOK_STRING || !is(r, i + 2, "]"))
        return false;
    struct tok t = r->t[i + 1];
    const char *s = r->e->text + t.at;
    if (*s == '[' || t.len < 3 || memchr(s, '\\', t.len))
        return false;
    *ret = (struct tok){.kind = TOK_NAME, .at = t.at + 1, .len = t.len - 2};
    return true;
}

/* A chain a.b.c that starts at token i; returns the index of its last token. */
static size_t chain(struct refs *r, size_t i) {
    enum { longest = 32 };
    struct tok links[longest];
    size_t n = 0, last = i;
    links[n++] = r->t[i];
    struct tok link;
    for (;;) {
        if (n < longest && is(r, last + 1, ".") && r->t[last + 2].kind == TOK_NAME) {
            links[n++] = r->t[last + 2];
            last += 2;
        } else if (n < longest && r->t[last + 1].kind != TOK_END && quoted_link(r, last + 1, &link)) {
            links[n++] = link;
            last += 3;
        } else
            break;
    }
    struct expr *e = r->e;
    struct expr_ref ref = {.names = arena_array(r->a, const char *, n), .marks = arena_array(r->a, struct mark, n), .n = n};
    for (size_t k = 0; k < n; k++) {
        ref.names[k] = arena_strndup(r->a, e->text + links[k].at, links[k].len);
        ref.marks[k] = scan_mark(e->mark, e->text, links[k].at, links[k].len);
    }
    ref.mark = scan_mark(e->mark, e->text, links[0].at, r->t[last].at + r->t[last].len - links[0].at);
    ref.call = is(r, last + 1, "(") || is(r, last + 1, "{") || r->t[last + 1].kind == TOK_STRING;
    ref.dynamic = is(r, last + 1, "[");
    add_ref(r, ref);
    return last;
}

void scan_refs(struct arena *a, struct expr *e, const struct tok *toks) {
    struct refs r = {.a = a, .e = e, .t = toks};
    char open[256]; /* brackets around, to tell keys of tables from names */
    size_t depth = 0;
    for (size_t i = 0; toks[i].kind != TOK_END; i++) {
        if (toks[i].kind == TOK_KEYWORD) {
            i = keyword(&r, i);
            continue;
        }
        if (toks[i].kind == TOK_OP && toks[i].len == 1) {
            char c = e->text[toks[i].at];
            if (strchr("({[", c) && depth < sizeof open)
                open[depth++] = c;
            else if (strchr(")}]", c) && depth)
                depth--;
        }
        if (toks[i].kind != TOK_NAME)
            continue;
        if (i && (is(&r, i - 1, ".") || is(&r, i - 1, ":") || is(&r, i - 1, "goto") || is(&r, i - 1, "::")))
            continue;
        if (depth && open[depth - 1] == '{' && is(&r, i + 1, "=") && (is(&r, i - 1, "{") || is(&r, i - 1, ",") || is(&r, i - 1, ";")))
            continue;
        if (!is_local(&r, &toks[i]))
            i = chain(&r, i);
    }
}

/* --- hints --- */

static struct diag *wrong(const struct expr *e, const struct tok *t, size_t len, struct err *err) {
    return err_add(err, scan_mark(e->mark, e->text, t->at, len), "expr-syntax", "'%.*s' is not Lua", (int)len, e->text + t->at);
}

bool scan_hints(const struct expr *e, const struct tok *t, struct err *err) {
    static const struct {
        const char *first, *second, *hint; /* two tokens side by side, or one */
    } pairs[] = {
        {"!", "=", "Lua says ~="},     {"!", "==", "Lua says ~="},  {"!", NULL, "Lua says not"},  {"&", "&", "Lua says and"},
        {"|", "|", "Lua says or"},     {"+", "=", NULL},            {"-", "=", NULL},             {"*", "=", NULL},
        {"..", "=", NULL},             {"==", "=", "Lua says =="},  {"?", NULL, "Lua says `condition and a or b`"},
        {"<>", NULL, "Lua says ~="},   {"<", ">", "Lua says ~="},
    };
    static const struct {
        const char *word, *hint;
    } names[] = {{"null", "Lua says nil"}, {"None", "Lua says nil"}, {"True", "Lua says true"}, {"False", "Lua says false"},
                 {"NULL", "Lua says nil"}, {"undefined", "Lua says nil"}, {"AND", "Lua says and"}, {"OR", "Lua says or"}, {"NOT", "Lua says not"}};
    size_t before = err->nerrors;
    int functions = 0;
    char open[256];
    size_t depth = 0;
    for (size_t i = 0; t[i].kind != TOK_END; i++) {
        if (t[i].kind == TOK_KEYWORD && tok_is(e->text, &t[i], "function"))
            functions++;
        char c = t[i].len == 1 ? e->text[t[i].at] : 0;
        if (t[i].kind == TOK_OP && c && strchr("({[", c) && depth < sizeof open)
            open[depth++] = c;
        else if (t[i].kind == TOK_OP && c && strchr(")}]", c) && depth)
            depth--;
        bool member = i && (tok_is(e->text, &t[i - 1], ".") || tok_is(e->text, &t[i - 1], ":"));
        for (size_t k = 0; t[i].kind == TOK_NAME && !member && k < sizeof names / sizeof *names; k++)
            if (tok_is(e->text, &t[i], names[k].word))
                diag_hint(err, wrong(e, &t[i], t[i].len, err), "%s", names[k].hint);
        bool hit = false;
        for (size_t k = 0; (t[i].kind == TOK_OP || t[i].kind == TOK_BAD) && !hit && k < sizeof pairs / sizeof *pairs; k++) {
            bool adjacent = t[i + 1].kind != TOK_END && t[i + 1].at == t[i].at + t[i].len;
            if (!tok_is(e->text, &t[i], pairs[k].first) || (pairs[k].second && !(adjacent && tok_is(e->text, &t[i + 1], pairs[k].second))))
                continue;
            hit = true;
            diag_hint(err, wrong(e, &t[i], t[i].len + (pairs[k].second ? t[i + 1].len : 0), err), "%s",
                      pairs[k].hint ? pairs[k].hint : "an expression only computes; it cannot change anything");
            i += pairs[k].second != NULL;
        }
        if (!hit && t[i].kind == TOK_OP && tok_is(e->text, &t[i], "=") && !functions && !(depth && open[depth - 1] == '{'))
            diag_hint(err, wrong(e, &t[i], 1, err), "to compare, Lua says ==");
    }
    return err->nerrors > before;
}
