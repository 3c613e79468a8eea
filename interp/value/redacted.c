#include "value/redacted.h"

#include "base/redact.h"

static const struct val *masked(struct arena *a, const struct val *v, const char *s, size_t len) {
    struct buf b = BUF_INIT;
    redact_text(s, len, &b);
    const struct val *m = val_marked(a, val_strn(a, b.data, b.len), v->mark);
    buf_done(&b);
    return m;
}

/* A number is masked as a whole or not at all: its digits mean nothing by themselves. */
static const struct val *scalar(struct arena *a, const struct val *v) {
    if (v->kind == VAL_STRING)
        return redact_found(v->string.s, v->string.len) ? masked(a, v, v->string.s, v->string.len) : v;
    if (v->kind != VAL_INT && v->kind != VAL_DOUBLE)
        return v;
    struct buf digits = BUF_INIT, seen = BUF_INIT;
    val_show(v, &digits, 0);
    redact_text(digits.data, digits.len, &seen);
    const bool whole = seen.len == 3 && seen.data[0] == '*';
    buf_done(&digits);
    buf_done(&seen);
    return whole ? val_marked(a, val_str(a, "***"), v->mark) : v;
}

/* Two keys that became one stay two. */
static const char *key_of(struct arena *a, const struct val *m, const char *key) {
    const char *s = redact_str(a, key);
    if (s == key)
        return key;
    const char *free_one = s;
    for (int i = 2; val_get(m, free_one); i++)
        free_one = arena_printf(a, "%s#%d", s, i);
    return free_one;
}

static const struct val *list(struct arena *a, const struct val *v) {
    size_t i = 0;
    const struct val *first = NULL;
    for (; i < v->list.n && (first = redacted(a, v->list.items[i])) == v->list.items[i]; i++) {
    }
    if (i == v->list.n)
        return v;
    struct val *out = val_list_new(a);
    out->mark = v->mark;
    for (size_t k = 0; k < v->list.n; k++)
        val_list_add(a, out, k < i ? v->list.items[k] : k == i ? first : redacted(a, v->list.items[k]));
    return out;
}

static const struct val *map(struct arena *a, const struct val *v) {
    bool same = true;
    struct val *out = val_map_new(a);
    out->mark = v->mark;
    for (size_t i = 0; i < v->map.n; i++) {
        const struct val_pair *p = &v->map.pairs[i];
        const char *key = key_of(a, out, p->key);
        const struct val *one = redacted(a, p->val);
        same &= key == p->key && one == p->val;
        val_map_set_marked(a, out, key, p->mark, one);
    }
    return same ? v : out;
}

const struct val *redacted(struct arena *a, const struct val *v) {
    if (!v || v->secret || !redact_any())
        return v; /* what is flagged is never printed */
    return v->kind == VAL_LIST ? list(a, v) : v->kind == VAL_MAP ? map(a, v) : scalar(a, v);
}
