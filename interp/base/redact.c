#define _GNU_SOURCE /* mlock2 */
#include "base/redact.h"

#include "base/redact_scan.h"
#include "base/utf8.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { max_secrets = 4096, line_min = 8, window = 16 }; /* an escape that is not complete is shorter than the window */

struct secret {
    uint32_t at, len;
    bool is_line; /* of another one: only as it is, or in escapes */
};

static struct {
    char *bytes; /* REDACT_ALL of them */
    size_t used;
    struct secret *list;
    size_t n;
    struct redact_trie trie;
    size_t trie_size; /* bytes of its nodes' memory; 0: it is to be built */
    size_t longest;
    bool spaces;      /* one has a space, which is + in a form's data */
} all;

/* ---- memory that is not swapped out, nor dumped ---- */

static void *locked_new(size_t size) {
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        mem_die("out of memory");
    (void)mlock2(p, size, MLOCK_ONFAULT); /* what is over the limit of the user is not locked */
    (void)madvise(p, size, MADV_DONTDUMP);
    return p;
}

static void locked_free(void *p, size_t size) {
    if (!p)
        return;
    explicit_bzero(p, size);
    munmap(p, size);
}

/* ---- the forms ---- */

static void add(const char *form, size_t len, unsigned edges) {
    redact_trie_add(&all.trie, form, len, edges);
    if (len > all.longest)
        all.longest = len;
}

static void add_hex(const char *s, size_t len, char *room) {
    static const char *const digits[] = {"0123456789abcdef", "0123456789ABCDEF"};
    for (int k = 0; k < 2; k++) {
        for (size_t i = 0; i < len; i++) {
            room[2 * i] = digits[k][(unsigned char)s[i] >> 4];
            room[2 * i + 1] = digits[k][(unsigned char)s[i] & 15];
        }
        add(room, 2 * len, 0);
    }
}

/* What is the same whatever stands around it: `before` bytes come first, and characters that hold bits of neighbours are left out. */
static void add_base64(const char *s, size_t len, char *room) {
    static const char *const alphabets[] = {"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
                                            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"};
    static const size_t shared[] = {0, 2, 3};
    for (int k = 0; k < 2; k++)
        for (size_t before = 0; before < 3; before++) {
            const size_t end = (before + len) * 8 / 6;
            size_t n = 0;
            for (size_t i = shared[before]; i < end; i++) {
                const size_t bit = i * 6 - before * 8, byte = bit / 8;
                const unsigned pair = (unsigned)(unsigned char)s[byte] << 8 | (byte + 1 < len ? (unsigned char)s[byte + 1] : 0);
                room[n++] = alphabets[k][pair >> (10 - bit % 8) & 63];
            }
            add(room, n, REDACT_RIGHT | (before ? REDACT_LEFT : 0));
        }
}

/* With each of a character replaced: how a quote stands inside quotes. */
static void add_replaced(const char *s, size_t len, char what, const char *with, char *room) {
    size_t n = 0;
    for (size_t i = 0; i < len; i++)
        if (s[i] == what) {
            for (const char *w = with; *w; w++)
                room[n++] = *w;
        } else {
            room[n++] = s[i];
        }
    add(room, n, 0);
}

/* With U+FFFD for each byte that is no UTF-8: what a printer of JSON makes of it. */
static void add_valid(const char *s, size_t len, char *room) {
    size_t n = 0;
    for (size_t i = 0; i < len;) {
        uint32_t c;
        const size_t k = utf8_decode(s + i, len - i, &c);
        memcpy(room + n, k ? s + i : "\xef\xbf\xbd", k ? k : 3);
        n += k ? k : 3;
        i += k ? k : 1;
    }
    if (n != len)
        add(room, n, 0);
}

/* Nodes that the forms of one secret can take at most. */
static size_t nodes_for(const struct secret *x) {
    return x->is_line ? x->len : 40 * (size_t)x->len;
}

static void build(void) {
    size_t nodes = 1;
    for (size_t i = 0; i < all.n; i++)
        nodes += nodes_for(&all.list[i]);
    all.trie_size = nodes * sizeof *all.trie.nodes;
    all.trie = (struct redact_trie){.nodes = locked_new(all.trie_size), .n = 1, .cap = nodes};
    char *room = mem_alloc(5 * REDACT_MAX);
    for (size_t i = 0; i < all.n; i++) {
        const char *s = all.bytes + all.list[i].at;
        const size_t len = all.list[i].len;
        add(s, len, 0);
        all.spaces |= memchr(s, ' ', len) != NULL;
        if (all.list[i].is_line)
            continue;
        add_hex(s, len, room);
        add_base64(s, len, room);
        add_valid(s, len, room);
        if (memchr(s, '\'', len)) {
            static const char *const forms[] = {"'\\''", "'\"'\"'", "''"};
            for (size_t k = 0; k < sizeof forms / sizeof *forms; k++)
                add_replaced(s, len, '\'', forms[k], room);
        }
    }
    redact_trie_link(&all.trie);
    explicit_bzero(room, 5 * REDACT_MAX);
    free(room);
}

/* ---- the set ---- */

static bool known(const char *s, size_t len) {
    for (size_t i = 0; i < all.n; i++)
        if (all.list[i].len == len && !memcmp(all.bytes + all.list[i].at, s, len))
            return true;
    return false;
}

static bool keep(const char *s, size_t len, bool is_line) {
    if (known(s, len))
        return true;
    if (all.n == max_secrets || len > REDACT_ALL - all.used)
        return false;
    if (!all.bytes) {
        all.bytes = locked_new(REDACT_ALL);
        all.list = mem_alloc(max_secrets * sizeof *all.list);
    }
    memcpy(all.bytes + all.used, s, len);
    all.list[all.n++] = (struct secret){.at = (uint32_t)all.used, .len = (uint32_t)len, .is_line = is_line};
    all.used += len;
    locked_free(all.trie.nodes, all.trie_size);
    all.trie.nodes = NULL;
    all.trie_size = 0;
    return true;
}

static bool is_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static void trim(const char **s, size_t *len) {
    while (*len && is_space((*s)[*len - 1]))
        --*len;
    for (; *len && is_space(**s); ++*s)
        --*len;
}

static bool keep_lines(const char *s, size_t len) {
    bool ok = true;
    for (const char *end = s + len; ok && s < end;) {
        const char *nl = memchr(s, '\n', (size_t)(end - s)), *line = s;
        size_t n = (size_t)((nl ? nl : end) - s);
        s += n + (nl != NULL);
        trim(&line, &n);
        if (n >= line_min && (n < 5 || memcmp(line, "-----", 5))) /* the fences of a PEM file are no secret */
            ok = keep(line, n, true);
    }
    return ok;
}

bool redact_add(const char *secret, size_t len, const char **ret_why) {
    trim(&secret, &len); /* blanks around it may be lost on the way */
    *ret_why = len < REDACT_MIN   ? "a secret of under 4 bytes cannot be masked without masking half the log"
               : len > REDACT_MAX ? "it is longer than 32 KiB"
                                  : NULL;
    if (!*ret_why && (!keep(secret, len, false) || (memchr(secret, '\n', len) && !keep_lines(secret, len))))
        *ret_why = "there are more secrets than can be masked (4096, and 128 KiB together)";
    return !*ret_why;
}

bool redact_any(void) {
    return all.n > 0;
}

size_t redact_longest(void) {
    if (all.n && !all.trie_size)
        build();
    return all.longest;
}

void redact_wipe(void) {
    locked_free(all.bytes, REDACT_ALL);
    locked_free(all.trie.nodes, all.trie_size);
    free(all.list);
    memset(&all, 0, sizeof all);
}

/* ---- texts ---- */

/* Calls see for the text and for each way to read it; `upto` bytes of it count, by the kind of escape. */
struct reading {
    struct redact_spans spans;
    bool tails;  /* what is wanted is where the tail begins */
    size_t tail;
};

static size_t orig(const struct redact_view *w, size_t i) {
    return w->pos ? w->pos[i] : i;
}

/* An escape at the end may go on in the next piece. */
static size_t whole_escapes(const struct redact_view *w, enum redact_escape e) {
    for (size_t i = w->len > window ? w->len - window : 0; i < w->len; i++)
        if (w->text[i] == redact_escape_char(e) || (e == REDACT_PLUS && w->text[i] == '%'))
            return i;
    return w->len;
}

static void see(struct reading *r, const struct redact_view *w) {
    const size_t depth = redact_scan(&all.trie, w, &r->spans), at = orig(w, w->len - depth);
    if (at < r->tail)
        r->tail = at;
}

static void read_escaped(struct reading *r, const struct redact_view *w, enum redact_escape e, int depth) {
    if (!memchr(w->text, redact_escape_char(e), w->len))
        return;
    struct redact_view from = *w;
    if (r->tails)
        from.len = whole_escapes(w, e);
    char *text = mem_alloc(from.len + 1);
    size_t *pos = mem_alloc((from.len + 1) * sizeof *pos);
    const struct redact_view view = {.text = text, .pos = pos, .len = redact_decode(e, &from, text, pos)};
    see(r, &view);
    if (depth > 1)
        read_escaped(r, &view, e == REDACT_PLUS ? REDACT_PERCENT : e, depth - 1);
    explicit_bzero(text, from.len);
    free(text);
    free(pos);
}

static void read_text(struct reading *r, const char *text, size_t len) {
    if (!all.trie_size)
        build();
    const struct redact_view view = {.text = text, .len = len};
    see(r, &view);
    for (int e = 0; e < REDACT_ESCAPES; e++)
        if (e != REDACT_PLUS || all.spaces)
            read_escaped(r, &view, (enum redact_escape)e, 2);
}

static int by_from(const void *a, const void *b) {
    const struct redact_span *x = a, *y = b;
    return x->from < y->from ? -1 : x->from > y->from;
}

bool redact_found(const char *text, size_t len) {
    struct reading r = {.tail = len};
    if (!all.n || len < REDACT_MIN)
        return false;
    read_text(&r, text, len);
    free(r.spans.v);
    return r.spans.n > 0;
}

void redact_text(const char *text, size_t len, struct buf *out) {
    struct reading r = {.tail = len};
    if (all.n && len >= REDACT_MIN)
        read_text(&r, text, len);
    if (r.spans.n)
        qsort(r.spans.v, r.spans.n, sizeof *r.spans.v, by_from);
    size_t at = 0;
    for (size_t i = 0; i < r.spans.n; i++) {
        const struct redact_span *s = &r.spans.v[i];
        if (i == 0 || s->from > at) { /* a run of them is one */
            buf_add(out, text + at, s->from - at);
            buf_adds(out, "***");
        }
        if (s->to > at)
            at = s->to;
    }
    buf_add(out, text + at, len - at);
    free(r.spans.v);
}

const char *redact_str(struct arena *a, const char *text) {
    const size_t len = strlen(text);
    if (!redact_found(text, len))
        return text;
    struct buf b = BUF_INIT;
    redact_text(text, len, &b);
    const char *s = arena_strndup(a, b.data, b.len);
    buf_done(&b);
    return s;
}

size_t redact_tail(const char *text, size_t len) {
    struct reading r = {.tails = true, .tail = len};
    if (!all.n || !len)
        return 0;
    read_text(&r, text, len);
    size_t at = r.tail;
    if (at && redact_in_base64(text[at - 1]))
        at--; /* it may hold some bits of what follows */
    const size_t most = 6 * all.longest + window, since = len > most ? len - most : 0; /* a run without end is not kept whole */
    for (bool again = true; again;) {
        again = false;
        for (size_t i = 0; i < r.spans.n; i++) { /* one that has ended may reach into the tail, or go on */
            const struct redact_span *s = &r.spans.v[i];
            if (s->from >= at || s->from < since || (s->to <= at && s->to < len))
                continue;
            at = s->from;
            again = true;
        }
    }
    free(r.spans.v);
    return len - at;
}
