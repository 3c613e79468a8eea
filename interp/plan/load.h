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
    struct map *loaded;            /* by name, of one whole load: a runbook, or `loaded` itself for one that failed and was told */
    struct map *ids;               /* "PARENT:ID" → step, or `ids` itself for one that could not be read */
    uint32_t *seen, stamp;         /* by index of a step: visited in the search that has this stamp */
    const struct step **stack;     /* of such a search; room for all steps */
    bool too_many;                 /* steps: told */
    bool head;                     /* only what tells whether it applies: inputs, state, preconditions */
    bool broken_parts;             /* some part of the state could not be read, so what is missing was told */
};

/* what ("the name of an input") can stand behind a dot in an expression: letters, digits and _, beginning with a letter or _, and no word of Lua. */
void name_check(struct loading *ld, struct mark at, const char *name, const char *what);

/* ---- input.c ---- */
/* Whether a value fits as it stands, without taking text for something else: an action would get the text. */
bool input_fits(struct arena *a, const struct input *in, const struct site *site, const struct val *v, struct err *err);
/* "10GiB" → bytes; false if s is not a size. */
bool input_bytes(const char *s, int64_t *ret);

/* ---- input_decl.c ---- */
bool input_load(struct loading *ld, const struct val_pair *p, struct input *ret);
/* What a definition of the library declares. */
struct input input_declared(const char *name, const struct val *decl);

/* ---- step.c ---- */
/* Reads a list of steps below parent (NULL: none); role ("", "rescue-", "undo-") goes into made-up ids. *ret has NULL for those that could not be read. */
void steps_load(struct loading *ld, const struct val *list, struct step *parent, const char *role, struct step ***ret, size_t *ret_n);

/* The step of that id directly below parent, or NULL. *ret_broken (may be NULL): there is one, and it could not be read. */
struct step *step_find(const struct loading *ld, const struct step *parent, const char *id, bool *ret_broken);

/* ---- step_uses.c ---- */
/* The action, probe or runbook of a step, and its `with`. */
void step_uses_load(struct loading *ld, const struct val *v, struct step *st);

/* ---- graph.c ---- */
/* needs, users, indices; cycles are refused. */
void graph_load(struct loading *ld);

/* ---- refs.c ---- */
/* Every reference of every expression. */
void refs_check(struct loading *ld);

/* Where an expression stands, and so what it may read. */
struct place {
    struct loading *ld;
    const struct step *st;  /* NULL: outside of the steps */
    bool self;              /* it may read the step itself (verify, outputs) */
    bool own_item;          /* the step's own item is in scope */
};

/* ---- refs_steps.c ---- */
void refs_check_steps(const struct place *p, const struct expr_ref *r);
void refs_check_item(const struct place *p, const struct expr_ref *r);
/* What steps.ID means at a place: its own list, then outwards; for `verify` and `outputs` of a group also what is inside. */
const struct step *refs_resolve(const struct place *p, const char *id, bool *ret_broken);

/* ---- runbook.c ---- */
/* The parts of the state that a capability needs, or that an action changes, are probed too: by FAMILY.cluster where the runbook does not say how. */
void parts_add(struct loading *ld, const struct val *names, struct mark at);
bool runbook_load_in(struct loader *l, const char *name, struct mark at, const struct loading *outer, const struct runbook **ret, struct err *err);

#endif
