/* walk.h: the steps of a runbook, walked as a run would, on a predicted state. Used by plan.c alone; results go into the plan's lines. */
#ifndef PLAN_WALK_H
#define PLAN_WALK_H

#include "plan/plan.h"

struct walk;

/* state is the predicted state, changed as the walk goes. */
struct walk *walk_new(struct arena *a, struct loader *ld, struct model *state, const struct val *site, const struct val *run);
/* Walks all steps of rb with its bound inputs; path: of the step that it belongs to, "" for none. false if an expression or an effect raised an error. */
bool walk_runbook(struct walk *w, const struct runbook *rb, const struct bind *bind, const char *path, struct err *err);
/* How the expressions of a check are known at this point of the walk. */
enum known walk_known(struct walk *w, const struct check *c, const struct bind *bind);
/* The lines so far, and the members that need an attestation. */
size_t walk_lines(const struct walk *w, struct plan_line **ret);
const struct val *walk_attests(const struct walk *w);

#endif
