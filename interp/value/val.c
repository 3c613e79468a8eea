#include "value/val.h"

#include "base/map.h"
#include "base/redact.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { indexed_from = 12 }; /* pairs from which a map gets an index */

/* ---- makers ---- */

const struct val *val_null(void) {
    static const struct val null = {.kind = VAL_NULL};
    return &null;
}

static struct val *make(struct arena *a, enum val_kind kind) {
    struct val *v = arena_new_of(a, struct val);
    v->kind = kind;
    return v;
}

const struct val *val_bool(struct arena *a, bool b) {
    struct val *v = make(a, VAL_BOOL);
    v->boolean = b;
    return v;
}

const struct val *val_int(struct arena *a, int64_t i) {
    struct val *v = make(a, VAL_INT);
    v->integer = i;
    return v;
}

const struct val *val_double(struct arena *a, double d) {
    struct val *v = make(a, VAL_DOUBLE);
    v->number = d;
    return v;
}

const struct val *val_strn(struct arena *a, const char *s, size_t len) {
    struct val *v = make(a, VAL_STRING);
    v->string.s = arena_strndup(a, s, len);
    v->string.len = len;
    return v;
}

const struct val *val_str(struct arena *a, const char *s) {
    return val_strn(a, s, strlen(s));
}

const struct val *val_printf(struct arena *a, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    struct val *v = make(a, VAL_STRING);
    v->string.s = arena_vprintf(a, fmt, ap);
    v->string.len = strlen(v->string.s);
    va_end(ap);
    return v;
}

static void make_secret(struct val *v) {
    v->secret = true;
    for (size_t i = 0; v->kind == VAL_LIST && i < v->list.n; i++)
        make_secret((struct val *)(uintptr_t)v->list.items[i]);
    for (size_t i = 0; v->kind == VAL_MAP && i < v->map.n; i++)
        make_secret((struct val *)(uintptr_t)v->map.pairs[i].val);
}

const struct val *val_secret(struct arena *a, const struct val *v) {
    arena_wipe(a);
    struct val *s = (struct val *)(uintptr_t)val_copy(a, v); /* the copy is ours */
    make_secret(s);
    return s;
}

const struct val *val_marked(struct arena *a, const struct val *v, struct mark m) {
    struct val *s = arena_new_of(a, struct val);
    *s = *v;
    s->mark = m;
    return s;
}

/* ---- builders ---- */

struct val *val_list_new(struct arena *a) {
    return make(a, VAL_LIST);
}

/* Arrays double: there is room exactly while n is not a power of two (and never below 4). */
static bool full(size_t n) {
    return n == 0 || (n >= 4 && (n & (n - 1)) == 0);
}

static size_t bigger(size_t n) {
    return n ? n * 2 : 4;
}

void val_list_add(struct arena *a, struct val *list, const struct val *v) {
    const size_t n = list->list.n;
    if (full(n)) {
        const struct val **items = arena_array(a, const struct val *, bigger(n));
        if (n)
            memcpy(items, list->list.items, n * sizeof *items);
        list->list.items = items;
    }
    list->list.items[list->list.n++] = v ? v : val_null();
}

struct val *val_map_new(struct arena *a) {
    return make(a, VAL_MAP);
}

static struct val_pair *pair_of(const struct val *map, const char *key) {
    if (map->map.index) { /* position + 1, so that pairs may move */
        const uintptr_t at = (uintptr_t)map_get(map->map.index, key);
        return at ? &map->map.pairs[at - 1] : NULL;
    }
    for (size_t i = 0; i < map->map.n; i++)
        if (!strcmp(map->map.pairs[i].key, key))
            return &map->map.pairs[i];
    return NULL;
}

void val_map_set_marked(struct arena *a, struct val *map, const char *key, struct mark keymark, const struct val *v) {
    struct val_pair *p = pair_of(map, key);
    if (!v)
        v = val_null();
    if (p) {
        p->val = v;
        p->mark = keymark;
        return;
    }
    const size_t n = map->map.n;
    if (full(n)) {
        struct val_pair *pairs = arena_array(a, struct val_pair, bigger(n));
        if (n)
            memcpy(pairs, map->map.pairs, n * sizeof *pairs);
        map->map.pairs = pairs;
    }
    map->map.pairs[map->map.n++] = (struct val_pair){.key = arena_strdup(a, key), .mark = keymark, .val = v};
    if (map->map.n == indexed_from) {
        struct map *index = map_new(a);
        for (size_t i = 0; i < map->map.n; i++)
            map_put(index, map->map.pairs[i].key, (void *)(uintptr_t)(i + 1));
        map->map.index = index;
    } else if (map->map.index) {
        map_put((struct map *)(uintptr_t)map->map.index, key, (void *)(uintptr_t)map->map.n);
    }
}

void val_map_set(struct arena *a, struct val *map, const char *key, const struct val *v) {
    val_map_set_marked(a, map, key, mark_none(), v);
}

const struct val *val_map_with(struct arena *a, const struct val *map, const char *key, const struct val *v) {
    struct val *m = val_map_new(a);
    if (map) {
        m->mark = map->mark;
        m->secret = map->secret;
    }
    for (size_t i = 0; map && map->kind == VAL_MAP && i < map->map.n; i++)
        val_map_set_marked(a, m, map->map.pairs[i].key, map->map.pairs[i].mark, map->map.pairs[i].val);
    val_map_set(a, m, key, m->secret && v ? val_secret(a, v) : v); /* all below a secret is secret */
    return m;
}

const struct val *val_copy(struct arena *a, const struct val *v) {
    struct val *c = make(a, v->kind);
    switch (v->kind) {
    case VAL_STRING:
        c->string.s = arena_strndup(a, v->string.s, v->string.len);
        c->string.len = v->string.len;
        break;
    case VAL_LIST:
        for (size_t i = 0; i < v->list.n; i++)
            val_list_add(a, c, val_copy(a, v->list.items[i]));
        break;
    case VAL_MAP:
        for (size_t i = 0; i < v->map.n; i++)
            val_map_set_marked(a, c, v->map.pairs[i].key, v->map.pairs[i].mark, val_copy(a, v->map.pairs[i].val));
        break;
    case VAL_NULL:
    case VAL_BOOL:
    case VAL_INT:
    case VAL_DOUBLE:
        *c = *v;
        break;
    }
    c->mark = v->mark;
    c->secret = v->secret;
    return c;
}

/* ---- readers ---- */

const struct val_pair *val_pair(const struct val *map, const char *key) {
    return map && map->kind == VAL_MAP ? pair_of(map, key) : NULL;
}

const struct val *val_get(const struct val *map, const char *key) {
    const struct val_pair *p = val_pair(map, key);
    return p ? p->val : NULL;
}

const struct val *val_at(const struct val *list, size_t i) {
    return list && list->kind == VAL_LIST && i < list->list.n ? list->list.items[i] : NULL;
}

size_t val_len(const struct val *v) {
    return !v ? 0 : v->kind == VAL_LIST ? v->list.n : v->kind == VAL_MAP ? v->map.n : 0;
}

const char *val_cstr(const struct val *v) {
    return v && v->kind == VAL_STRING ? v->string.s : NULL;
}

const char *val_get_str(const struct val *map, const char *key, const char *fallback) {
    const char *s = val_cstr(val_get(map, key));
    return s ? s : fallback;
}

int64_t val_get_int(const struct val *map, const char *key, int64_t fallback) {
    const struct val *v = val_get(map, key);
    return v && v->kind == VAL_INT ? v->integer : fallback;
}

bool val_get_bool(const struct val *map, const char *key, bool fallback) {
    const struct val *v = val_get(map, key);
    return v && v->kind == VAL_BOOL ? v->boolean : fallback;
}

bool val_is(const struct val *v, enum val_kind kind) {
    return v ? v->kind == kind : kind == VAL_NULL;
}

bool val_is_null(const struct val *v) {
    return !v || v->kind == VAL_NULL;
}

const char *val_kind_name(enum val_kind k) {
    static const char *const names[] = {"null", "a boolean", "an integer", "a number", "a string", "a list", "a map"};
    return names[k];
}

/* ---- equality and digest ---- */

static bool is_number(const struct val *v) {
    return v->kind == VAL_INT || v->kind == VAL_DOUBLE;
}

/* The integer that a number is, exactly. */
static bool as_integer(const struct val *v, int64_t *ret) {
    if (v->kind == VAL_INT) {
        *ret = v->integer;
        return true;
    }
    if (v->number != floor(v->number) || v->number < -0x1p63 || v->number >= 0x1p63)
        return false;
    *ret = (int64_t)v->number;
    return true;
}

static bool number_equal(const struct val *a, const struct val *b) {
    int64_t x = 0, y = 0;
    const bool ix = as_integer(a, &x), iy = as_integer(b, &y);
    if (ix || iy)
        return ix && iy && x == y;
    return a->number == b->number || (isnan(a->number) && isnan(b->number));
}

bool val_equal(const struct val *a, const struct val *b) {
    if (a == b)
        return true;
    if (!a || !b)
        return val_is_null(a) && val_is_null(b);
    if (is_number(a) && is_number(b))
        return number_equal(a, b);
    if (a->kind != b->kind)
        return false;
    switch (a->kind) {
    case VAL_NULL:
        return true;
    case VAL_BOOL:
        return a->boolean == b->boolean;
    case VAL_STRING:
        return a->string.len == b->string.len && !memcmp(a->string.s, b->string.s, a->string.len);
    case VAL_LIST:
        for (size_t i = 0; a->list.n == b->list.n && i < a->list.n; i++)
            if (!val_equal(a->list.items[i], b->list.items[i]))
                return false;
        return a->list.n == b->list.n;
    case VAL_MAP:
        for (size_t i = 0; a->map.n == b->map.n && i < a->map.n; i++) {
            const struct val_pair *p = pair_of(b, a->map.pairs[i].key);
            if (!p || !val_equal(a->map.pairs[i].val, p->val))
                return false;
        }
        return a->map.n == b->map.n;
    case VAL_INT:
    case VAL_DOUBLE:
        break;
    }
    return false;
}

struct hash {
    uint64_t lo, hi;
};

static void mix(struct hash *h, const void *p, size_t len) {
    const unsigned char *s = p;
    for (size_t i = 0; i < len; i++) {
        h->lo = (h->lo ^ s[i]) * UINT64_C(0x100000001b3);
        h->hi = (h->hi ^ (s[i] + (h->lo >> 47))) * UINT64_C(0x9e3779b97f4a7c15);
        h->hi ^= h->hi >> 29;
    }
}

static struct hash hash_of(const struct val *v) {
    struct hash h = {UINT64_C(0xcbf29ce484222325), UINT64_C(0x84222325cbf29ce4)};
    int64_t i;
    const bool whole = is_number(v) && as_integer(v, &i);
    const double nan_number = NAN;
    const unsigned char kind = (unsigned char)(whole ? VAL_INT : v->kind);
    mix(&h, &kind, 1);
    if (whole)
        mix(&h, &i, sizeof i);
    else if (v->kind == VAL_DOUBLE)
        mix(&h, isnan(v->number) ? &nan_number : &v->number, sizeof v->number); /* there are many, all equal */
    else if (v->kind == VAL_BOOL)
        mix(&h, v->boolean ? "1" : "0", 1);
    else if (v->kind == VAL_STRING)
        mix(&h, v->string.s, v->string.len);
    for (size_t k = 0; v->kind == VAL_LIST && k < v->list.n; k++) {
        const struct hash e = hash_of(v->list.items[k]);
        mix(&h, &e, sizeof e);
    }
    struct hash sum = {0, 0}; /* pairs add up, so that their order does not count */
    for (size_t k = 0; v->kind == VAL_MAP && k < v->map.n; k++) {
        struct hash e = hash_of(v->map.pairs[k].val);
        mix(&e, v->map.pairs[k].key, strlen(v->map.pairs[k].key) + 1);
        sum.lo += e.lo;
        sum.hi += e.hi;
    }
    if (v->kind == VAL_MAP)
        mix(&h, &sum, sizeof sum);
    return h;
}

void val_digest(const struct val *v, char ret_hex[33]) {
    const struct hash h = hash_of(v ? v : val_null());
    snprintf(ret_hex, 33, "%016" PRIx64 "%016" PRIx64, h.hi, h.lo);
}

/* ---- for people ---- */

static void show(const struct val *v, struct buf *out, size_t max, bool inside) {
    if (max && out->len > max)
        return;
    if (!v || v->kind == VAL_NULL) {
        buf_adds(out, "null");
        return;
    }
    if (v->secret) {
        buf_adds(out, "***");
        return;
    }
    switch (v->kind) {
    case VAL_NULL:
        break;
    case VAL_BOOL:
        buf_adds(out, v->boolean ? "true" : "false");
        break;
    case VAL_INT:
        buf_printf(out, "%" PRId64, v->integer);
        break;
    case VAL_DOUBLE:
        buf_printf(out, "%.14g", isnan(v->number) ? fabs(v->number) : v->number); /* the sign of NaN differs from processor to processor */
        break;
    case VAL_STRING: {
        const bool quoted = inside && (!v->string.len || v->string.s[strcspn(v->string.s, ",:{}[]\" ")]);
        buf_adds(out, quoted ? "\"" : "");
        redact_text(v->string.s, v->string.len, out); /* here, since what is cut could not be found any more */
        buf_adds(out, quoted ? "\"" : "");
        break;
    }
    case VAL_LIST:
        buf_addc(out, '[');
        for (size_t i = 0; i < v->list.n; i++) {
            buf_adds(out, i ? ", " : "");
            show(v->list.items[i], out, max, true);
        }
        buf_addc(out, ']');
        break;
    case VAL_MAP:
        buf_addc(out, '{');
        for (size_t i = 0; i < v->map.n; i++) {
            buf_printf(out, "%s%s: ", i ? ", " : "", v->map.pairs[i].key);
            show(v->map.pairs[i].val, out, max, true);
        }
        buf_addc(out, '}');
        break;
    }
}

void val_show(const struct val *v, struct buf *out, size_t max) {
    struct buf b = BUF_INIT;
    show(v, &b, max, false);
    if (max && b.len > max) {
        while (max && ((unsigned char)b.data[max] & 0xc0) == 0x80)
            max--; /* never through a character */
        buf_add(out, b.data, max);
        buf_adds(out, "…");
    } else {
        buf_add(out, b.data, b.len);
    }
    buf_done(&b);
}
