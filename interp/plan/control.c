#include "plan/control.h"

#include <string.h>

struct xlist *control_list(struct arena *a, struct xitem *owner, struct step *const *steps, size_t n, bool first_of) {
    struct xlist *l = arena_alloc(a, sizeof *l + n * sizeof *l->fans);
    l->owner = owner;
    l->steps = steps;
    l->n = n;
    l->first_of = first_of;
    for (size_t i = 0; i < n; i++)
        l->fans[i].waits = first_of ? 0 : (uint32_t)steps[i]->nneeds;
    return l;
}

/* ---- copies ---- */

static struct xlist *copy_list(struct arena *a, const struct xlist *from, struct xitem *owner);

static struct xopen *copy_open(struct arena *a, const struct xopen *from, struct xlist *list) {
    struct xopen *o = arena_new_of(a, struct xopen);
    *o = *from;
    o->list = list;
    o->items = arena_array(a, struct xitem *, from->nitems + 1);
    if (from->vals) {
        o->vals = arena_array(a, const struct val *, from->nitems + 1);
        memcpy(o->vals, from->vals, from->nitems * sizeof *o->vals);
    }
    for (size_t i = 0; i < from->nitems; i++) {
        if (!from->items[i])
            continue;
        struct xitem *it = arena_new_of(a, struct xitem);
        *it = *from->items[i];
        it->of = o;
        if (it->inside)
            it->inside = copy_list(a, it->inside, it);
        o->items[i] = it;
    }
    return o;
}

static struct xlist *copy_list(struct arena *a, const struct xlist *from, struct xitem *owner) {
    const size_t size = sizeof *from + from->n * sizeof *from->fans;
    struct xlist *l = arena_alloc(a, size);
    memcpy(l, from, size);
    l->owner = owner;
    for (size_t i = 0; i < l->n; i++)
        if (l->fans[i].open)
            l->fans[i].open = copy_open(a, l->fans[i].open, l);
    return l;
}

struct xlist *control_copy(struct arena *a, const struct xlist *l) {
    return copy_list(a, l, NULL);
}

/* ---- keys ---- */

static void open_key(struct key *k, const struct xopen *o) {
    key_add_ptr(k, o->list_val);
    key_add(k, o->nitems << 32 | o->begun);
    for (size_t i = 0; i < X_ENDS; i++)
        key_add(k, o->ends[i]);
    key_add_ptr(k, o->winner);
    for (size_t i = 0; i < o->nitems; i++) {
        if (o->vals)
            key_add_ptr(k, o->vals[i]);
        const struct xitem *it = o->items[i];
        if (!it)
            continue;
        key_add(k, (uint64_t)i << 40 | (uint64_t)it->status << 32 | (uint64_t)it->rescuing << 31 | (uint64_t)it->attempt);
        key_add_ptr(k, it->item);
        key_add_ptr(k, it->with);
        key_add_ptr(k, it->outputs);
        key_add_ptr(k, it->inputs);
        key_add_ptr(k, it->begun);
        if (it->inside)
            control_key(k, it->inside);
    }
}

void control_key(struct key *k, const struct xlist *l) {
    key_add(k, (uint64_t)l->n << 32 | (uint64_t)l->bad << 3 | (uint64_t)l->unknown << 2 | (uint64_t)l->refused << 1 | (uint64_t)l->any_ok);
    key_add(k, l->alt);
    for (size_t i = 0; i < l->n; i++) {
        const struct xfan *f = &l->fans[i];
        /* how one ended is in `val`, in its users' need_failed and in the list, as far as anything depends on it */
        key_add(k, (uint64_t)f->status << 40 | (uint64_t)f->need_failed << 39 | f->waits);
        key_add_ptr(k, f->val);
        if (f->open)
            open_key(k, f->open);
    }
}
