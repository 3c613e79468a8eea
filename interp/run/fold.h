/* fold.h: what the files that fold events share: run.c, reopen.c. Private to run/. */
#ifndef RUN_FOLD_H
#define RUN_FOLD_H

#include "run/run.h"

void fold_touch(struct run *r, struct fan *f, struct item *it);
/* Whether a fan that is over keeps those that need it from beginning. */
bool fold_fan_bad(const struct fan *f);
/* Whether what is inside are the alternatives of a first_of. */
bool fold_alternatives(const struct item *it);
/* EV_RESUMED: takes back the ends that are none. */
bool fold_resumed(struct run *r, const struct event *e, struct err *err);

#endif
