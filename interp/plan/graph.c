#include "plan/load.h"

#include <string.h>

/* ---- what a step waits for ---- */

struct list {
    struct step **steps;
    size_t n;
};

static struct step *sibling(const struct list *l, const char *id) {
    for (size_t i = 0; i < l->n; i++)
        if (!strcmp(l->steps[i]->id, id))
            return l->steps[i];
    return NULL;
}

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

static void add_need(struct loading *ld, struct step *st, struct step *need) {
    for (size_t i = 0; i < st->nneeds; i++)
        if (st->needs[i] == need)
            return;
    struct step **needs = arena_array(ld->arena, struct step *, st->nneeds + 1);
    if (st->nneeds)
        memcpy(needs, st->needs, st->nneeds * sizeof *needs);
    needs[st->nneeds++] = need;
    st->needs = needs;
}

static void read_needs(struct loading *ld, const struct list *l, struct step *st, const struct val *v) {
    if (val_is(v, VAL_STRING)) {
        struct step *s = sibling(l, val_cstr(v));
        if (s && s != st)
            add_need(ld, st, s);
        else
            unknown_need(ld, l, st, v);
        return;
    }
    for (size_t i = 0; i < val_len(v); i++) {
        const struct val *need = val_at(v, i);
        struct step *s = val_cstr(need) ? sibling(l, val_cstr(need)) : NULL;
        if (s && s != st)
            add_need(ld, st, s);
        else
            unknown_need(ld, l, st, need);
    }
}

/* docs: the list as written; steps that could not be read are missing in l, so they are matched by their marks. */
static const struct val *doc_at(const struct val *docs, const struct step *st) {
    for (size_t i = 0; i < val_len(docs); i++) {
        const struct val *v = val_at(docs, i);
        if (val_is(v, VAL_MAP) && v->map.n && v->map.pairs[0].mark.line == st->mark.line && v->map.pairs[0].mark.col == st->mark.col)
            return v;
    }
    return NULL;
}

static void find_users(struct loading *ld, const struct list *l) {
    for (size_t i = 0; i < l->n; i++)
        for (size_t k = 0; k < l->steps[i]->nneeds; k++) {
            struct step *need = l->steps[i]->needs[k];
            struct step **users = arena_array(ld->arena, struct step *, need->nusers + 1);
            if (need->nusers)
                memcpy(users, need->users, need->nusers * sizeof *users);
            users[need->nusers++] = l->steps[i];
            need->users = users;
        }
}

/* ---- cycles: by taking away what waits for nothing, as often as it goes ---- */

static void tell_cycle(struct loading *ld, struct step *start, const struct map *left) {
    struct buf b = BUF_INIT;
    struct map *seen = map_new(ld->arena);
    struct step *st = start;
    while (!map_get(seen, st->id)) { /* every step that is left needs one that is left */
        map_put(seen, st->id, st);
        for (size_t i = 0; i < st->nneeds; i++)
            if (map_get(left, st->needs[i]->id) == st->needs[i]) {
                st = st->needs[i];
                break;
            }
    }
    const struct step *first = st;
    do {
        buf_printf(&b, "%s -> ", st->id);
        for (size_t i = 0; i < st->nneeds; i++)
            if (map_get(left, st->needs[i]->id) == st->needs[i]) {
                st = st->needs[i];
                break;
            }
    } while (st != first);
    buf_adds(&b, first->id);
    err_add(ld->err, first->mark, "cycle", "the steps wait for one another: %s", b.data);
    buf_done(&b);
}

static void find_cycle(struct loading *ld, const struct list *l) {
    struct map *left = map_new(ld->arena);
    size_t n = l->n;
    for (size_t i = 0; i < l->n; i++)
        map_put(left, l->steps[i]->id, l->steps[i]);
    for (bool again = true; again && n;) {
        again = false;
        for (size_t i = 0; i < l->n; i++) {
            struct step *st = l->steps[i];
            bool waits = map_get(left, st->id) != st;
            for (size_t k = 0; !waits && k < st->nneeds; k++)
                waits = map_get(left, st->needs[k]->id) == st->needs[k];
            if (waits)
                continue;
            map_put(left, st->id, ld); /* gone */
            n--;
            again = true;
        }
    }
    for (size_t i = 0; n && i < l->n; i++)
        if (map_get(left, l->steps[i]->id) == l->steps[i]) {
            tell_cycle(ld, l->steps[i], left);
            return;
        }
}

static void list_load(struct loading *ld, const struct list *l, const struct val *docs) {
    for (size_t i = 0; i < l->n; i++) {
        struct step *st = l->steps[i];
        const struct val *doc = doc_at(docs, st), *needs = val_get(doc, "needs");
        if (needs)
            read_needs(ld, l, st, needs);
        else if (i)
            add_need(ld, st, l->steps[i - 1]);
        list_load(ld, &(struct list){st->children, st->nchildren}, val_get(doc, st->kind == STEP_FIRST_OF ? "first_of" : "steps"));
        list_load(ld, &(struct list){st->rescue, st->nrescue}, val_get(doc, "rescue"));
        list_load(ld, &(struct list){st->undo, st->nundo}, val_get(doc, "undo"));
    }
    find_users(ld, l);
    find_cycle(ld, l);
}

void graph_load(struct loading *ld) {
    list_load(ld, &(struct list){ld->rb->root->children, ld->rb->root->nchildren}, val_get(ld->rb->doc, "steps"));
}
