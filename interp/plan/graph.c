#include "plan/load.h"

#include <string.h>

/* Steps that stand in one list: only they can need one another. */
struct list {
    struct step **steps;
    size_t n;
    struct map *by_id;
};

/* ---- what a step waits for ---- */

static void unknown_need(struct loading *ld, const struct list *l, const struct step *st, const struct val *need) {
    const char **names = arena_array(ld->arena, const char *, l->n + 1);
    size_t n = 0;
    for (size_t i = 0; i < l->n; i++)
        if (l->steps[i] != st)
            names[n++] = l->steps[i]->id;
    const char *id = val_cstr(need);
    struct diag *d = err_add(ld->err, need->mark, "unknown-step", "'%s' needs the step '%s', which is not in the same list", st->id, id ? id : "?");
    diag_accepted(ld->err, d, id ? id : "", names, n);
}

static void read_need(struct loading *ld, const struct list *l, struct step *st, const struct val *need) {
    const char *id = val_cstr(need);
    struct step *s = id ? map_get(l->by_id, id) : NULL;
    bool broken = false;
    if (id && !s)
        (void)step_find(ld, st->parent, id, &broken);
    if (broken)
        return;
    if (!s || s == st) {
        unknown_need(ld, l, st, need);
        return;
    }
    for (size_t i = 0; i < st->nneeds; i++)
        if (st->needs[i] == s)
            return;
    st->needs[st->nneeds++] = s;
}

static void read_needs(struct loading *ld, const struct list *l, struct step *st, const struct val *v) {
    st->needs = arena_array(ld->arena, struct step *, val_len(v) + 1);
    if (val_is(v, VAL_STRING))
        read_need(ld, l, st, v);
    for (size_t i = 0; i < val_len(v); i++)
        read_need(ld, l, st, val_at(v, i));
}

static void need_previous(struct loading *ld, struct step *st, struct step *previous) {
    st->needs = arena_array(ld->arena, struct step *, 1);
    st->needs[st->nneeds++] = previous;
}

static void find_users(struct loading *ld, const struct list *l) {
    for (size_t i = 0; i < l->n; i++)
        for (size_t k = 0; k < l->steps[i]->nneeds; k++)
            l->steps[i]->needs[k]->nusers++;
    for (size_t i = 0; i < l->n; i++) {
        l->steps[i]->users = arena_array(ld->arena, struct step *, l->steps[i]->nusers + 1);
        l->steps[i]->nusers = 0;
    }
    for (size_t i = 0; i < l->n; i++)
        for (size_t k = 0; k < l->steps[i]->nneeds; k++) {
            struct step *need = l->steps[i]->needs[k];
            need->users[need->nusers++] = l->steps[i];
        }
}

/* ---- cycles: what is left when everything that waits for nothing is taken away, again and again ---- */

/* left: by index of a step, how many of its needs are still there. One that is left needs one that is left. */
static struct step *needed_and_left(const struct step *st, const size_t *left) {
    for (size_t i = 0; i < st->nneeds; i++)
        if (left[st->needs[i]->index])
            return st->needs[i];
    return NULL;
}

static void tell_cycle(struct loading *ld, struct step *start, const size_t *left) {
    const uint32_t stamp = ++ld->stamp;
    struct step *st = start;
    while (ld->seen[st->index] != stamp) {
        ld->seen[st->index] = stamp;
        st = needed_and_left(st, left);
    }
    const struct step *first = st;
    struct buf b = BUF_INIT;
    do {
        buf_printf(&b, "%s -> ", st->id);
        st = needed_and_left(st, left);
    } while (st != first);
    buf_adds(&b, first->id);
    err_add(ld->err, first->mark, "cycle", "the steps wait for one another: %s", b.data);
    buf_done(&b);
}

static void find_cycle(struct loading *ld, const struct list *l, size_t *left) {
    struct step **free = arena_array(ld->arena, struct step *, l->n + 1);
    size_t n = 0;
    for (size_t i = 0; i < l->n; i++) {
        left[l->steps[i]->index] = l->steps[i]->nneeds;
        if (!l->steps[i]->nneeds)
            free[n++] = l->steps[i];
    }
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < free[i]->nusers; k++)
            if (!--left[free[i]->users[k]->index])
                free[n++] = free[i]->users[k];
    for (size_t i = 0; n < l->n && i < l->n; i++)
        if (left[l->steps[i]->index]) {
            tell_cycle(ld, l->steps[i], left);
            return;
        }
}

/* ---- every list ---- */

/* Alternatives have an order of their own: each is begun only after the one before it has failed. */
static void no_needs(struct loading *ld, struct step *st, const struct val *needs) {
    st->needs = arena_array(ld->arena, struct step *, 1);
    if (needs)
        err_add(ld->err, needs->mark, "needs-of-alternative", "'%s' is an alternative of first_of, which are tried in their order; it can have no 'needs'", st->id);
}

static void list_load(struct loading *ld, struct step **steps, size_t n, bool alternatives, size_t *left) {
    struct list l = {.steps = steps, .n = n, .by_id = map_new(ld->arena)};
    for (size_t i = n; i--;) /* of two with the same id, which was told, the first */
        map_put(l.by_id, steps[i]->id, steps[i]);
    for (size_t i = 0; i < n; i++) {
        struct step *st = steps[i];
        const struct val *needs = val_get(st->doc, "needs");
        if (alternatives)
            no_needs(ld, st, needs);
        else if (needs)
            read_needs(ld, &l, st, needs);
        else if (i)
            need_previous(ld, st, steps[i - 1]);
        list_load(ld, st->children, st->nchildren, st->kind == STEP_FIRST_OF, left);
        list_load(ld, st->rescue, st->nrescue, false, left);
        list_load(ld, st->undo, st->nundo, false, left);
    }
    find_users(ld, &l);
    find_cycle(ld, &l, left);
}

void graph_load(struct loading *ld) {
    ld->seen = arena_array(ld->arena, uint32_t, ld->rb->nall + 1);
    ld->stack = arena_array(ld->arena, const struct step *, ld->rb->nall + 1);
    list_load(ld, ld->rb->root->children, ld->rb->root->nchildren, false, arena_array(ld->arena, size_t, ld->rb->nall + 1));
}
