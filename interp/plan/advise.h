/* advise.h: which runbooks apply on a state of the cluster.
 *
 * A runbook applies when its `requires` and all of its preconditions hold, with the inputs that the site and the defaults give. What they read decides
 * about its layer, and layers are mended from below: Swarm, then UCP, then DTR, then whatever else a site has. */
#ifndef PLAN_ADVISE_H
#define PLAN_ADVISE_H

#include "plan/plan.h"

enum advice_kind {
    ADVICE_APPLIES,
    ADVICE_NOT,     /* message: of the first precondition that does not hold */
    ADVICE_UNTOLD,  /* nothing fails that could be evaluated, but something could not; message: what is missing */
    ADVICE_ANYTIME, /* it can be run, and mends nothing: it is routine, or has no precondition */
    ADVICE_BROKEN,  /* it cannot be read; message: its first fault, with the place */
};
const char *advice_kind_name(enum advice_kind k);

struct advice {
    const char *name, *title; /* title may be NULL */
    const char *layer;        /* the highest part of the state that it reads; NULL: none */
    enum advice_kind kind;
    const char *message;      /* NULL if it applies */
    const struct runbook *rb; /* NULL if broken */
};

struct advisor;

/* Loads every runbook that the loader knows, once; those that are broken are kept as such. Lives in the loader's arena. */
struct advisor *advise_load(struct loader *ld);
/* The same for advise_names alone: of those that do not apply no more is read than what tells so. */
struct advisor *advise_load_heads(struct loader *ld);

struct advise_spec {
    const struct model *state;    /* not changed; a runbook that reads a part which is not there cannot be told */
    const struct val *site, *run; /* what expressions see */
    const struct part *parts;     /* how the state was observed, so that another probe's part is not taken for it; NULL: not checked */
    size_t nparts;
};

/* One advice for each runbook, in the order of layers, then of names. Only the list and its messages are taken from the arena, so this may
 * be called for many states. */
const struct advice *advise_on(struct arena *a, const struct advisor *ad, const struct advise_spec *spec, size_t *ret_n);
/* The names of those that apply, in the same order. */
size_t advise_names(struct arena *a, struct advisor *ad, const struct advise_spec *spec, const char *const **ret);

/* Order of layers, as for qsort: swarm < ucp < dtr < others by name; NULL is last. */
int layer_cmp(const char *a, const char *b);

/* For diagnosing: the runbooks themselves. */
size_t advise_runbooks(const struct advisor *ad, const struct runbook *const **ret);

#endif
