/* asker.h: who answers the questions of a run. */
#ifndef UI_ASKER_H
#define UI_ASKER_H

#include "run/exec.h"

/* yes: approvals are given without asking (--yes), attestations never are: those are given by name, or on the terminal. Without a terminal on
 * standard input and without --yes the answer is no, "no terminal". approved: steps (paths) that were approved by name; must outlive the asker. */
struct asker *asker_new(struct arena *a, struct loop *l, bool yes, const char *const *approved, size_t n);
/* Reads a line from the terminal without echo; NULL if there is none. For secrets: whoever gets it overwrites and frees it. */
char *asker_secret(const char *prompt);

#endif
