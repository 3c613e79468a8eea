/* plan_print.h: a plan for people and for programs. */
#ifndef UI_PLAN_PRINT_H
#define UI_PLAN_PRINT_H

#include "plan/plan.h"
#include "ui/style.h"

void plan_print_text(const struct plan *p, const struct site *site, struct style style, bool verbose, struct buf *out);
/* {"type":"plan", …} with its lines, checks and predicted state. */
const struct val *plan_val(struct arena *a, const struct plan *p, const struct site *site);

struct explored;
/* What exploration found. */
void plan_explored_print(const struct explored *e, struct style style, bool verbose, struct buf *out);
const struct val *plan_explored_val(struct arena *a, const struct explored *e);

#endif
