/* load.h: what the files that read a runbook share: runbook.c (the whole), step.c, input.c, graph.c (order), refs.c (references). */
#ifndef PLAN_LOAD_H
#define PLAN_LOAD_H

#include "base/map.h"
#include "plan/fields.h"

/* A runbook that is being read. */
struct loading {
    struct loader *ld;
    struct arena *arena;
    struct runbook *rb;
    struct err *err;
    const struct loading *outer;   /* of the runbook whose step needs this one */
    const char *name;              /* as asked for */
};

/* Letters, digits and _, beginning with a letter or _. */
bool name_fits(const char *s);

/* ---- input.c ---- */
bool input_load(struct loading *ld, const struct val_pair *p, struct input *ret);

/* ---- step.c ---- */
/* Reads a list of steps below parent (NULL: none); *ret has NULL for those that could not be read. */
void steps_load(struct loading *ld, const struct val *list, struct step *parent, struct step ***ret, size_t *ret_n);

/* ---- graph.c ---- */
/* needs, users, indices; cycles are refused. */
void graph_load(struct loading *ld);

/* ---- refs.c ---- */
/* Every reference of every expression. */
void refs_check(struct loading *ld);

/* ---- runbook.c ---- */
bool runbook_load_in(struct loader *l, const char *name, struct mark at, const struct loading *outer, const struct runbook **ret, struct err *err);

#endif
