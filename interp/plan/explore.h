/* explore.h: every way in which a bound plan can go: explicit-state model checking.
 *
 * A state is what the steps have come to together with what the cluster is like and how many events of its own it has had. From each, every outcome
 * of every step that can go on is taken, in every order that `needs` allows, and every event of the library, up to a number of them. States
 * that were seen are not gone through again. The search is breadth first, so what it finds is found on the shortest way.
 *
 * What a step may read and when is that of a run: `if` and `for_each` when its turn comes, `with` when it starts. What only a run will know
 * is taken both ways; an unknown list has 0, 1 and 2 items (the plan is then bounded). Attestations are taken as given from the act on
 * that asks for them: state.attested has them, for the events. */
#ifndef PLAN_EXPLORE_H
#define PLAN_EXPLORE_H

#include "plan/plan.h"

struct explore_limits {
    int events;        /* of the cluster's own on one way; default 1, -1 for none */
    size_t max_states; /* default 200,000 */
    int64_t max_ms;    /* of processor time; 0: none */
};

/* A change that a rule forbids, and the shortest way to it. */
struct explore_breach {
    const struct def *rule;
    const char *message;       /* of the rule */
    const char *const *path;   /* what happens, in order, in the runbook's own step names; the last one is the change */
    size_t npath;
    size_t length;             /* of it, in transitions: an act that nothing could come between is one, else it begins and ends */
    const char *step;          /* of the last one: the step's path, or the event's name */
    const char *before, *after; /* the cluster as a line of text */
    bool finally;              /* a `finally` rule, broken where the undisturbed way ends */
    bool accepted;             /* by name, so the plan is not refused for it */
};

/* A way in which a step can end that is not "ok", and what then. */
struct explore_fail {
    const char *step, *how;   /* path; what happens, for people: "fails", "lands on the minority side" */
    const char *outcome;      /* "failed", "lost", or as declared */
    const char *picture;      /* the cluster afterwards, or NULL */
    const struct model *after; /* owned by the exploration, see explored_free */
    const char *const *runbooks; /* that apply then; filled by explore_advise */
    size_t nrunbooks;
};

struct explored {
    size_t states, clusters; /* that were seen: in all; of the cluster alone */
    size_t ends;             /* in which nothing is left to do */
    int events;
    bool safe;               /* no rule is broken but accepted ones, as far as was looked */
    bool bounded;            /* an unknown list was tried with 0, 1 and 2 items */
    const char *limit;       /* the limit that was hit ("200000 states"), or NULL */
    const struct explore_breach *breaches; /* the shortest for each rule */
    size_t nbreaches;
    struct explore_fail *fails;
    size_t nfails;
    const char *const *left_out; /* steps that are planned on arrival, or whose effect only the run can tell */
    size_t nleft_out;
    struct cluster_set *own; /* what `after` lies in */
};

struct explore_spec {
    struct loader *ld;
    const struct runbook *rb;
    const struct bind *bind;      /* done */
    const struct model *state;    /* observed; not changed */
    const struct val *site, *run; /* run.attested */
    struct explore_limits limits; /* zeros: defaults */
    const char *const *accepted;  /* names of rules, ended by NULL; or NULL */
};

/* false only if an expression, an effect, a rule or an event raised an error, told in err; a broken rule is a result. */
bool explore(struct arena *a, const struct explore_spec *spec, struct explored **ret, struct err *err);
/* Names, for each failure, the runbooks that apply on the state that it leaves. */
void explore_advise(struct arena *a, struct explored *e, struct loader *ld, const struct val *site, const struct val *run);
/* Frees the states that fails point to. NULL is fine. */
void explored_free(struct explored *e);

#endif
