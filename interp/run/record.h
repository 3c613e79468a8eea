/* record.h: what the first record of a run holds of plan and runbook, so that the run can be taken up by another process. */
#ifndef RUN_RECORD_H
#define RUN_RECORD_H

#include "run/run.h"

/* Lines of which the plan knew what would be done: {path: {will, with, why, arrival}}. Values that were unknown, or are secret, are left out. */
const struct val *planned_record(struct arena *a, const struct plan *p);
/* The lines again, as far as they were recorded. */
struct plan_line *planned_lines(struct arena *a, const struct val *record, size_t *ret_n);

/* Digests of all steps of a runbook, and of its sub-runbooks: {"swarm/rebalance:drain": SHA-256 of what the file says}. */
const struct val *steps_record(struct arena *a, const struct runbook *rb);
/* Whether what a run has begun already is in the runbook as it was then. false: names a step that is not. */
bool steps_same(struct arena *a, const struct val *record, const struct run *r, const char **ret_which);

#endif
