/* lock.h: who holds the lock of a cluster, and what follows from what the engines say about it. Pure: nothing here asks anybody.
 *
 * The lock is a volume named quorate-lock on the engines themselves, since nothing else may be alive. Its labels name the holder. Creating a
 * volume that exists returns the existing one with its labels, in one piece: whoever reads their own labels in the answer has it.
 * It is held by whom a majority of the inventory says so, not a majority of those that answer: two majorities share an engine, so there is
 * never a second holder. It does not expire: an engine that cannot be reached still holds what it held. */
#ifndef IO_LOCK_H
#define IO_LOCK_H

#include "base/buf.h"
#include "value/val.h"

#define LOCK_VOLUME "quorate-lock"

/* What the labels say. Texts of another holder are foreign: shown with buf_add_visible only. */
struct lock_holder {
    const char *run, *user, *host; /* run "": the volume has none of our labels */
    const char *token;             /* random, of this taking: tells it from an earlier one of the same run */
    int64_t pid, since, fence;     /* since: ms since 1970 by the holder's clock */
};

enum lock_seen {
    LOCK_SILENT, /* it does not answer, or cannot keep a volume */
    LOCK_FREE,
    LOCK_OURS,
    LOCK_OTHERS,
};

struct lock_answer {
    const char *node;
    enum lock_seen seen;
    struct lock_holder holder; /* of LOCK_OURS and LOCK_OTHERS */
    const char *why;           /* of LOCK_SILENT: in the engine's or the transport's words */
};

enum lock_verdict {
    LOCK_HELD,     /* by us, on a majority, and nobody else was seen */
    LOCK_MINORITY, /* nobody else was seen, but too few engines answer: another cannot be excluded */
    LOCK_WAIT,     /* another has begun at the same time and is to step back: keep what we have, and look again */
    LOCK_REFUSED,  /* another holds it, or goes before us: give back what we have */
};

size_t lock_majority(size_t inventory);
/* What to do after a round in which the lock was asked for on each engine that answers. us: our run id. Of two that begin at the same time, the one
 * with a majority goes first; if neither has one, the lower run id. */
enum lock_verdict lock_judge(const struct lock_answer *answers, size_t n, const char *us);
/* Whether a lock that was held is lost for certain. With a majority: fewer engines than a majority still have it, where those that are silent
 * have what they had (so they are LOCK_OURS here). With a minority, which somebody approved: it is gone from an engine that had it, or another was seen. */
bool lock_lost(const struct lock_answer *answers, const bool *had, size_t n, bool minority);
/* Greater than every number seen, and than those of locks that are gone, as far as clocks can be trusted: the wall clock in ms where that is greater. */
int64_t lock_fence(const struct lock_answer *answers, size_t n, int64_t wall_ms);

/* {"Name": …, "Labels": …}: what a volume is asked for with. */
void lock_request(const struct lock_holder *h, struct buf *out);
/* The holder in an engine's answer (a volume). false: that is no volume. */
bool lock_read(struct arena *a, const char *json, size_t len, struct lock_holder *ret);
/* "run X of USER on HOST (process N), since TIME"; safe to show. */
void lock_describe(const struct lock_holder *h, struct buf *out);

#endif
