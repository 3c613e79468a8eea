#include "base/redact_scan.h"

#include "base/arena.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* ---- the automaton ---- */

static uint32_t child_of(const struct redact_trie *t, uint32_t node, unsigned char byte) {
    if (!node)
        return t->first[byte];
    uint32_t c = t->nodes[node].child;
    while (c && t->nodes[c].byte != byte)
        c = t->nodes[c].sibling;
    return c;
}

static uint32_t child_new(struct redact_trie *t, uint32_t node, unsigned char byte) {
    assert(t->n < t->cap);
    const uint32_t c = (uint32_t)t->n++;
    t->nodes[c] = (struct redact_node){.byte = byte, .depth = t->nodes[node].depth + 1, .sibling = t->nodes[node].child};
    t->nodes[node].child = c;
    if (!node)
        t->first[byte] = c;
    return c;
}

void redact_trie_add(struct redact_trie *t, const char *pattern, size_t len, unsigned edges) {
    uint32_t at = 0;
    for (size_t i = 0; i < len; i++) {
        const unsigned char byte = (unsigned char)pattern[i];
        const uint32_t next = child_of(t, at, byte);
        at = next ? next : child_new(t, at, byte);
    }
    t->nodes[at].ends = true;
    t->nodes[at].edges |= (unsigned char)edges;
}

static uint32_t step(const struct redact_trie *t, uint32_t at, unsigned char byte) {
    for (;;) {
        const uint32_t next = child_of(t, at, byte);
        if (next || !at)
            return next;
        at = t->nodes[at].fail;
    }
}

/* By depth, since a link leads to a node less deep. */
void redact_trie_link(struct redact_trie *t) {
    uint32_t *queue = mem_alloc((t->n + 1) * sizeof *queue);
    size_t head = 0, tail = 0;
    for (uint32_t c = t->nodes[0].child; c; c = t->nodes[c].sibling)
        queue[tail++] = c;
    while (head < tail) {
        const uint32_t at = queue[head++];
        struct redact_node *n = &t->nodes[at];
        n->term = n->ends ? at : t->nodes[n->fail].term;
        for (uint32_t c = n->child; c; c = t->nodes[c].sibling) {
            t->nodes[c].fail = step(t, n->fail, t->nodes[c].byte);
            queue[tail++] = c;
        }
    }
    explicit_bzero(queue, t->n * sizeof *queue);
    free(queue);
}

/* ---- finding ---- */

bool redact_in_base64(char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/' || c == '-' || c == '_';
}

static void span_add(struct redact_spans *s, size_t from, size_t to, size_t base) {
    while (s->n > base && s->v[s->n - 1].to >= from) { /* those of one scan come by their ends */
        if (s->v[s->n - 1].from < from)
            from = s->v[s->n - 1].from;
        if (s->v[s->n - 1].to > to)
            to = s->v[s->n - 1].to;
        s->n--;
    }
    if (s->n == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 16;
        s->v = mem_realloc(s->v, s->cap * sizeof *s->v);
    }
    s->v[s->n++] = (struct redact_span){from, to};
}

static void found(const struct redact_view *w, size_t from, size_t to, unsigned edges, struct redact_spans *spans, size_t base) {
    if (edges & REDACT_LEFT && from && redact_in_base64(w->text[from - 1]))
        from--;
    if (edges & REDACT_RIGHT) {
        if (to < w->len && redact_in_base64(w->text[to]))
            to++;
        for (int i = 0; i < 2 && to < w->len && w->text[to] == '='; i++)
            to++;
    }
    while (w->pos && to < w->len && w->pos[to] == w->pos[to - 1]) /* never through an escape */
        to++;
    span_add(spans, w->pos ? w->pos[from] : from, w->pos ? w->pos[to] : to, base);
}

size_t redact_scan(const struct redact_trie *t, const struct redact_view *w, struct redact_spans *spans) {
    const size_t base = spans->n;
    uint32_t at = 0;
    for (size_t i = 0; i < w->len; i++) {
        at = step(t, at, (unsigned char)w->text[i]);
        const uint32_t term = t->nodes[at].term;
        if (term)
            found(w, i + 1 - t->nodes[term].depth, i + 1, t->nodes[term].edges, spans, base);
    }
    return t->nodes[at].depth;
}

/* ---- escapes ---- */

static int hex_of(char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Up to max digits; returns how many there were. */
static size_t digits(const char *s, size_t len, int base, size_t max, uint32_t *ret) {
    size_t n = 0;
    *ret = 0;
    for (; n < len && n < max; n++) {
        const int d = hex_of(s[n]);
        if (d < 0 || d >= base)
            break;
        *ret = *ret * (uint32_t)base + (uint32_t)d;
    }
    return n;
}

/* What an escape stands for, and how long it is; len 0: it is none. */
struct meant {
    size_t len, n;
    char bytes[4];
};

static struct meant meant_byte(size_t len, uint32_t byte) {
    return (struct meant){.len = len, .n = 1, .bytes = {(char)(unsigned char)byte}};
}

static struct meant meant_char(size_t len, uint32_t c) {
    struct meant m = {.len = len};
    if (c < 0x80)
        return meant_byte(len, c);
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    m.n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = m.n; i > 1; i--, c >>= 6)
        m.bytes[i - 1] = (char)(unsigned char)(0x80 | (c & 0x3f));
    m.bytes[0] = (char)(unsigned char)(lead[m.n] | (c & 0x3f));
    return m;
}

static struct meant percent(const char *s, size_t len) {
    uint32_t c;
    return len >= 3 && digits(s + 1, 2, 16, 2, &c) == 2 ? meant_byte(3, c) : (struct meant){0};
}

static struct meant percent_plus(const char *s, size_t len) {
    return *s == '+' ? meant_byte(1, ' ') : percent(s, len);
}

static struct meant unicode(const char *s, size_t len) {
    uint32_t c, low;
    if (digits(s + 2, len - 2, 16, 4, &c) != 4)
        return (struct meant){0};
    const bool pair = c >= 0xd800 && c < 0xdc00 && len >= 12 && s[6] == '\\' && s[7] == 'u' && digits(s + 8, 4, 16, 4, &low) == 4 && low >= 0xdc00 && low < 0xe000;
    return pair ? meant_char(12, 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00)) : meant_char(6, c);
}

/* Those of JSON, C, Go, the shell's $'…' and "…", and of what we make visible; before any other character a backslash quotes it. */
static struct meant backslash(const char *s, size_t len) {
    static const char letters[] = "nrtbfvae", bytes[] = "\n\r\t\b\f\v\a\x1b";
    uint32_t c;
    size_t n;
    if (len < 2)
        return (struct meant){0};
    const char *letter = s[1] ? strchr(letters, s[1]) : NULL;
    if (letter)
        return meant_byte(2, (unsigned char)bytes[letter - letters]);
    if (s[1] == 'x' && (n = digits(s + 2, len - 2, 16, 2, &c)))
        return meant_byte(2 + n, c);
    if (s[1] == 'u')
        return unicode(s, len);
    if (s[1] == 'U' && digits(s + 2, len - 2, 16, 8, &c) == 8 && c < 0x110000)
        return meant_char(10, c);
    if ((n = digits(s + 1, len - 1, 8, 3, &c)) && c < 256)
        return meant_byte(1 + n, c);
    return meant_byte(2, (unsigned char)s[1]);
}

static struct meant entity(const char *s, size_t len) {
    static const struct {
        const char *name;
        char byte;
    } names[] = {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}, {"&nbsp;", ' '}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (len >= strlen(names[i].name) && !memcmp(s, names[i].name, strlen(names[i].name)))
            return meant_byte(strlen(names[i].name), (unsigned char)names[i].byte);
    if (len < 4 || s[1] != '#')
        return (struct meant){0};
    const bool hex = s[2] == 'x' || s[2] == 'X';
    const size_t at = hex ? 3 : 2;
    uint32_t c;
    const size_t n = digits(s + at, len - at, hex ? 16 : 10, 7, &c);
    return n && at + n < len && s[at + n] == ';' && c < 0x110000 ? meant_char(at + n + 1, c) : (struct meant){0};
}

static const struct {
    char begins;
    struct meant (*decode)(const char *s, size_t len); /* s[0] may be an escape's first byte */
} escapes[REDACT_ESCAPES] = {[REDACT_PERCENT] = {'%', percent}, [REDACT_PLUS] = {'+', percent_plus}, [REDACT_BACKSLASH] = {'\\', backslash}, [REDACT_ENTITY] = {'&', entity}};

char redact_escape_char(enum redact_escape e) {
    return escapes[e].begins;
}

size_t redact_decode(enum redact_escape e, const struct redact_view *from, char *text, size_t *pos) {
    size_t n = 0;
    for (size_t i = 0; i < from->len;) {
        const char c = from->text[i];
        struct meant m = {0};
        if (c == escapes[e].begins || (e == REDACT_PLUS && c == '%'))
            m = escapes[e].decode(from->text + i, from->len - i);
        if (!m.len)
            m = meant_byte(1, (unsigned char)c);
        for (size_t k = 0; k < m.n; k++, n++) {
            text[n] = m.bytes[k];
            pos[n] = from->pos ? from->pos[i] : i;
        }
        i += m.len;
    }
    pos[n] = from->pos ? from->pos[from->len] : from->len;
    return n;
}
