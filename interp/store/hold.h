/* hold.h: runs of a journal in a file that are held by a process of this machine: for each a file beside the journal, locked as long as the
 * holder lives (the kernel drops it with the process), with who that is in it. */
#ifndef STORE_HOLD_H
#define STORE_HOLD_H

#include "base/err.h"
#include "store/owner.h"

struct holds;

/* Below the folder, which is made when the first run is taken. */
struct holds *holds_new(struct arena *a, const char *folder);
/* *ret_by: who holds it, if somebody else does; then it is for the caller to tell. */
bool hold_take(struct holds *h, const char *run_id, const struct store_owner **ret_by, struct err *err);
void hold_drop(struct holds *h, const char *run_id);
void holds_drop_all(struct holds *h);
/* NULL if nobody does. */
const struct store_owner *hold_by(struct holds *h, const char *run_id, struct arena *a);

#endif
