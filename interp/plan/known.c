#include "plan/walk_priv.h"

#include <string.h>

static enum known part_known(const struct walk *w, const char *part) {
    const enum known *k = map_get(w->parts, part);
    return k ? *k : KNOWN_PROBED;
}

void part_taint(struct walk *w, const char *part, enum known k) {
    enum known *slot = map_get(w->parts, part);
    if (!slot) {
        slot = arena_new_of(w->arena, enum known);
        *slot = KNOWN_PROBED;
        map_put(w->parts, part, slot);
    }
    if (k > *slot)
        *slot = k;
}

const struct result *result_of(const struct frame *f, const char *id) {
    for (; f; f = f->parent) {
        const struct result *r = map_get(f->results, id);
        if (r)
            return r;
    }
    return NULL;
}

enum known known_worst(enum known a, enum known b) {
    return a > b ? a : b;
}

struct known_see {
    const struct walk *w;
    const struct frame *f;
    enum known known;
};

static void known_see(void *ud, const struct expr *e) {
    struct known_see *s = ud;
    for (size_t i = 0; i < e->nrefs; i++) {
        const struct expr_ref *r = &e->refs[i];
        const char *root = r->names[0], *name = r->n > 1 ? r->names[1] : NULL;
        enum known k = KNOWN_PROVED;
        if (!strcmp(root, "state"))
            k = name ? part_known(s->w, name) : KNOWN_PREDICTED;
        else if (!strcmp(root, "inputs") && name)
            k = s->f->bind && bind_from_state(s->f->bind, name) ? KNOWN_PROBED : KNOWN_PROVED;
        else if (!strcmp(root, "item") || !strcmp(root, "index"))
            k = s->f->item_known;
        else if (!strcmp(root, "steps") && name) {
            const struct result *res = result_of(s->f, name);
            k = res ? res->known : KNOWN_UNKNOWN;
        }
        const struct val *needs = capability_needs(s->w->ld, r);
        for (size_t n = 0; n < val_len(needs); n++)
            k = known_worst(k, part_known(s->w, val_cstr(val_at(needs, n))));
        if (k > s->known)
            s->known = k;
    }
}

enum known known_expr(const struct walk *w, const struct frame *f, const struct expr *e) {
    struct known_see s = {.w = w, .f = f, .known = KNOWN_PROVED};
    if (e)
        known_see(&s, e);
    return s.known;
}

enum known known_tmpl(const struct walk *w, const struct frame *f, const struct tmpl *t) {
    struct known_see s = {.w = w, .f = f, .known = KNOWN_PROVED};
    if (t)
        tmpl_each(t, known_see, &s);
    return s.known;
}

enum known walk_known(struct walk *w, const struct check *c, const struct bind *bind) {
    if (c->capability) {
        enum known k = KNOWN_PROVED;
        const struct val *needs = val_get(c->capability->decl, "needs");
        for (size_t i = 0; i < val_len(needs); i++)
            k = known_worst(k, part_known(w, val_cstr(val_at(needs, i))));
        return k;
    }
    struct frame f = {.bind = bind, .results = map_new(w->arena)};
    return known_expr(w, &f, c->expr);
}

