/* coverage.h: which ways through a runbook its tests have gone.
 *
 * A branch is a way in which something of the runbook can go: a condition that is refused, an `if` either way, a list that is empty or not,
 * each outcome of an act, a wait that ends well or runs out. They are made from the runbook alone; runs and plans visit them. Steps of
 * sub-runbooks are for those runbooks' own tests. */
#ifndef RUN_COVERAGE_H
#define RUN_COVERAGE_H

#include "run/inject.h"
#include "run/run.h"

struct branch {
    const char *name;        /* "force: stuck", "precondition: not state.swarm.split": unique */
    bool visited;
    const char *unreachable; /* why no case can visit it, or NULL */
};

struct coverage {
    struct arena *arena;
    const struct runbook *rb;
    struct branch *branches;
    size_t n, cap;
    struct map *by_name;
    size_t first_pre, first_post; /* of the branches of conditions; `requires` first */
};

struct coverage *coverage_new(struct arena *a, const struct runbook *rb);
void coverage_plan(struct coverage *c, const struct plan *p);
/* e was folded into r; l: what was injected into that run, or NULL. */
void coverage_event(struct coverage *c, const struct run *r, const struct event *e, struct injections *l);
/* The branches that count, and those of them that were visited. */
size_t coverage_total(const struct coverage *c);
size_t coverage_visited(const struct coverage *c);
/* "N of M branches visited (P %)"; the percentage is rounded down, so that 100 means all. */
int coverage_percent(const struct coverage *c);
/* No case can visit it, and why. Unknown: an error with the accepted names. */
bool coverage_exclude(struct coverage *c, const char *name, const char *why, struct mark at, struct err *err);

#endif
