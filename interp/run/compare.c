#include "run/compare.h"

#include "lua/box.h"
#include "plan/plan.h"
#include "plan/shape.h"

#include <stdlib.h>
#include <string.h>

enum { max_depth = 32, told = 4, told_value = 60 }; /* keys; differences; bytes */

/* ---- where two states differ ---- */

struct way { /* to the place that is looked at */
    struct arena *a;
    struct changes *to;
    const char *keys[max_depth];
    size_t n, appears;
};

static bool known(const struct val *v) {
    return !v || (!plan_has_unknown(v) && !val_unobserved_why(v));
}

/* An empty Lua table says nothing about being a list or a map. */
static bool both_empty(const struct val *a, const struct val *b) {
    return a && b && a->kind >= VAL_LIST && b->kind >= VAL_LIST && !val_len(a) && !val_len(b);
}

static bool same(const struct val *a, const struct val *b) {
    return both_empty(a, b) || val_equal(a, b);
}

static void add(struct way *w, const struct val *after) {
    struct changes *c = w->to;
    if (c->n == c->cap) {
        const size_t cap = c->cap ? c->cap * 2 : 16;
        struct change *list = arena_array(w->a, struct change, cap);
        if (c->n)
            memcpy(list, c->list, c->n * sizeof *list);
        c->list = list;
        c->cap = cap;
    }
    struct change *n = &c->list[c->n++];
    *n = (struct change){.keys = arena_array(w->a, const char *, w->n), .nkeys = w->n, .appears = w->appears, .predicted = after};
    for (size_t i = 0; i < w->n; i++)
        n->keys[i] = arena_strdup(w->a, w->keys[i]);
}

static void walk(struct way *w, const struct val *schema, const struct val *before, const struct val *after);

static void walk_key(struct way *w, const struct val *schema, const char *key, const struct val *before, const struct val *after) {
    w->keys[w->n++] = key;
    walk(w, schema ? shape_below(schema, key) : NULL, before, after);
    w->n--;
}

static void walk(struct way *w, const struct val *schema, const struct val *before, const struct val *after) {
    if (val_get_bool(schema, "evidence", false) || val_get_bool(schema, "moves", false) || same(before, after))
        return;
    const bool emptied = after && after->kind >= VAL_LIST && !val_len(after) && val_is(before, VAL_MAP); /* what was in it vanishes */
    const bool map = emptied || (val_is(after, VAL_MAP) && val_len(after) && !val_unobserved_why(after) && !val_unknown_provider(after));
    if (!map || w->n == max_depth) {
        /* of what vanishes it is enough that it was there */
        if (after ? known(before) && known(after) : !val_unobserved_why(before))
            add(w, after);
        return;
    }
    if (before && val_unobserved_why(before))
        return;
    const size_t appears = w->appears;
    if (!val_is(before, VAL_MAP)) {
        w->appears = appears ? appears : w->n;
        before = NULL;
    }
    for (size_t i = 0; i < val_len(after); i++)
        walk_key(w, schema, after->map.pairs[i].key, val_get(before, after->map.pairs[i].key), after->map.pairs[i].val);
    for (size_t i = 0; i < val_len(before); i++)
        if (!val_get(after, before->map.pairs[i].key))
            walk_key(w, schema, before->map.pairs[i].key, before->map.pairs[i].val, NULL);
    w->appears = appears;
}

void compare_changes(struct arena *a, const char *part, const struct val *schema, const struct val *before, const struct val *after, struct changes *c) {
    struct way w = {.a = a, .to = c, .keys = {part}, .n = 1};
    walk(&w, schema, before, after);
}

/* ---- symbols ---- */

static bool occurs(const struct val *v, const char *s) {
    if (!v)
        return false;
    if (v->kind == VAL_STRING)
        return !strcmp(v->string.s, s);
    for (size_t i = 0; v->kind == VAL_MAP && i < v->map.n; i++)
        if (!strcmp(v->map.pairs[i].key, s) || occurs(v->map.pairs[i].val, s))
            return true;
    for (size_t i = 0; v->kind == VAL_LIST && i < v->list.n; i++)
        if (occurs(v->list.items[i], s))
            return true;
    return false;
}

/* The value with the symbol's real name in its place. */
static const struct val *replaced(struct arena *a, const struct val *v, const char *symbol, const struct val *real) {
    if (v->kind == VAL_STRING)
        return strcmp(v->string.s, symbol) ? v : real;
    if (!occurs(v, symbol))
        return v;
    struct val *to = v->kind == VAL_LIST ? val_list_new(a) : val_map_new(a);
    for (size_t i = 0; v->kind == VAL_LIST && i < v->list.n; i++)
        val_list_add(a, to, replaced(a, v->list.items[i], symbol, real));
    for (size_t i = 0; v->kind == VAL_MAP && i < v->map.n; i++) {
        const char *key = v->map.pairs[i].key;
        val_map_set(a, to, strcmp(key, symbol) ? key : val_cstr(real), replaced(a, v->map.pairs[i].val, symbol, real));
    }
    return to;
}

static bool has_symbol(const struct change *c, const char *symbol) {
    for (size_t i = 0; i < c->nkeys; i++)
        if (!strcmp(c->keys[i], symbol))
            return true;
    return occurs(c->predicted, symbol);
}

static void replace(struct arena *a, struct changes *c, const char *symbol, const struct val *real) {
    size_t n = 0;
    for (size_t i = 0; i < c->n; i++) {
        struct change *ch = &c->list[i];
        if (has_symbol(ch, symbol)) {
            if (!real)
                continue;
            for (size_t k = 0; k < ch->nkeys; k++)
                if (!strcmp(ch->keys[k], symbol))
                    ch->keys[k] = val_cstr(real);
            if (occurs(ch->predicted, symbol)) {
                ch->predicted = replaced(a, ch->predicted, symbol, real);
                ch->unordered |= ch->predicted->kind == VAL_LIST;
            }
        }
        c->list[n++] = *ch;
    }
    c->n = n;
}

void compare_symbols(struct arena *a, struct changes *c, const struct val *parts, const struct val *predicted, const struct val *outputs) {
    for (size_t i = 0; i < val_len(predicted); i++) {
        const struct val_pair *p = &predicted->map.pairs[i];
        const char *symbol = val_cstr(p->val);
        const struct val *real = val_get(outputs, p->key);
        if (!symbol || !*symbol || (real && val_equal(real, p->val)) || occurs(parts, symbol))
            continue;
        replace(a, c, symbol, val_cstr(real) ? real : NULL);
    }
}

/* ---- against what is observed ---- */

static bool is_among(const struct val *list, const struct val *v, const bool *taken, size_t *ret) {
    for (size_t i = 0; i < val_len(list); i++)
        if (!taken[i] && same(val_at(list, i), v)) {
            *ret = i;
            return true;
        }
    return false;
}

static bool same_items(struct arena *a, const struct val *x, const struct val *y) {
    bool *taken = arena_array(a, bool, val_len(y) + 1);
    size_t at;
    if (!val_is(y, VAL_LIST) || val_len(x) != val_len(y))
        return false;
    memset(taken, 0, val_len(y) * sizeof *taken);
    for (size_t i = 0; i < val_len(x); i++) {
        if (!is_among(y, val_at(x, i), taken, &at))
            return false;
        taken[at] = true;
    }
    return true;
}

static const char *joined(struct arena *a, const char *const *keys, size_t n) {
    struct buf b = BUF_INIT;
    for (size_t i = 0; i < n; i++)
        buf_printf(&b, "%s%s", i ? "." : "", keys[i]);
    const char *s = arena_strdup(a, b.data);
    buf_done(&b);
    return s;
}

static int by_length(const void *x, const void *y) {
    const struct difference *a = x, *b = y;
    return a->nkeys != b->nkeys ? (a->nkeys < b->nkeys ? -1 : 1) : strcmp(a->path, b->path);
}

/* What is observed there; *ret_known: whether that can be told; *ret_depth: so many of the keys are there. */
static const struct val *look(const struct change *c, const struct val *parts, bool *ret_known, size_t *ret_depth) {
    const struct val *v = parts;
    *ret_known = true;
    for (size_t i = 0; i < c->nkeys; i++) {
        v = val_get(v, c->keys[i]);
        if (val_is_null(v))
            v = NULL;
        if (v && (val_unobserved_why(v) || val_unknown_provider(v))) {
            *ret_known = false;
            return NULL;
        }
        if (!v) {
            *ret_depth = i;
            return NULL;
        }
    }
    *ret_depth = c->nkeys;
    *ret_known = known(v);
    return v;
}

void compare_observed(struct arena *a, const struct changes *c, const struct val *parts, struct compared *ret) {
    *ret = (struct compared){.list = arena_array(a, struct difference, c->n + 1)};
    for (size_t i = 0; i < c->n; i++) {
        const struct change *ch = &c->list[i];
        bool observable;
        size_t depth = 0;
        const struct val *now = look(ch, parts, &observable, &depth);
        if (!observable)
            continue;
        if (same(ch->predicted, now) || (ch->unordered && same_items(a, ch->predicted, now))) {
            ret->same++;
            continue;
        }
        /* of a map that did not appear, the map is told, not each thing in it */
        const bool whole = ch->appears && depth < ch->appears;
        const size_t nkeys = whole ? ch->appears : ch->nkeys;
        const char *path = joined(a, ch->keys, nkeys);
        if (!whole || !ret->n || strcmp(ret->list[ret->n - 1].path, path) != 0)
            ret->list[ret->n++] = (struct difference){.path = path, .nkeys = nkeys, .predicted = whole ? val_map_new(a) : ch->predicted, .observed = now};
    }
    qsort(ret->list, ret->n, sizeof *ret->list, by_length);
}

/* What is in a map would be half a page. */
static void show(struct buf *b, const struct difference *d) {
    buf_printf(b, "state.%s: predicted ", d->path);
    if (!d->predicted)
        buf_adds(b, "to vanish");
    else if (d->predicted->kind == VAL_MAP)
        buf_adds(b, "to appear");
    else
        val_show(d->predicted, b, told_value);
    buf_adds(b, ", observed ");
    if (!d->observed)
        buf_adds(b, "nothing");
    else if (d->observed->kind == VAL_MAP)
        buf_adds(b, d->predicted ? "a map" : "that it is still there");
    else
        val_show(d->observed, b, told_value);
}

const char *compare_text(struct arena *a, const struct compared *c) {
    struct buf b = BUF_INIT;
    for (size_t i = 0; i < c->n && i < told; i++) {
        buf_adds(&b, i ? "; " : "");
        show(&b, &c->list[i]);
    }
    if (c->n > told)
        buf_printf(&b, "; and %zu more", c->n - told);
    const char *s = arena_strdup(a, b.data);
    buf_done(&b);
    return s;
}
