/* locker.h: takes, keeps in sight and gives back the lock on the engines of an inventory (see lock.h).
 *
 * Taking: look at all engines; somebody's lock there ends it before anything was changed. Then ask for the volume on each that answered,
 * and judge what came back (lock_judge); of several that began together, at most one goes on. Nothing is taken from another: only
 * the holder, and `unlock` with the run's ID, remove a volume, and only after reading in it whose it is. */
#ifndef IO_LOCKER_H
#define IO_LOCKER_H

#include "io/engines.h"
#include "io/lock.h"

/* How engines are asked; done comes once, later, from the loop. */
struct lock_wire {
    void (*call)(struct lock_wire *w, const struct engine_call *call);
};
struct lock_wire *lock_wire_engines(struct arena *a, struct engines *e);

struct locker_spec {
    struct loop *loop;
    struct lock_wire *wire;
    const char *const *nodes;  /* the inventory: nodes that have an engine, ended by NULL. Not copied */
    struct lock_holder who;    /* us; since, fence and token are filled in */
    bool resume;               /* a lock of the same run is ours to take over */
};

struct locker;
struct locker *locker_new(struct arena *a, const struct locker_spec *spec);

typedef void locker_fn(void *ud);

/* done once it is decided: LOCK_HELD, LOCK_MINORITY (what could be had is kept; ask somebody, or release), or LOCK_REFUSED (nothing is kept). */
void locker_take(struct locker *k, locker_fn *done, void *ud);
enum lock_verdict locker_verdict(const struct locker *k);
/* While it is being taken: gives up as soon as it can; the verdict is LOCK_REFUSED. */
void locker_stop(struct locker *k);
bool locker_stopped(const struct locker *k);

/* What the engines said last, in the inventory's order; where the lock was refused, what it was refused for. */
const struct lock_answer *locker_answers(const struct locker *k, size_t *ret_n);
/* Whether our volume is on that engine, or may be, after all that was done to remove it. */
bool locker_left(const struct locker *k, size_t i);
/* Our labels, from the time when it was first asked for. */
const struct lock_holder *locker_holder(const struct locker *k);

/* From here on the engines are looked at every few seconds. Of a minority, those that were silent are asked for it too when they are back. */
void locker_watch(struct locker *k);
/* told comes once, from the loop, when the lock is lost for certain, also if it is already. NULL: nobody is told. */
void locker_tell(struct locker *k, void (*told)(void *ud, const char *why), void *ud);
/* Whether a lock of the same run was there and was taken over, and whether nobody has asked to be told since: then nothing was done under it, and
 * it is to stay as it was found. */
bool locker_untouched(const struct locker *k);
/* NULL: changing requests may be sent; else why not, for people. */
const char *locker_lost(const struct locker *k);
/* Ends the watch and leaves the lock where it is. */
void locker_keep(struct locker *k);
bool locker_kept(const struct locker *k);
/* Gives back what we have; also ends the watch. See locker_left. */
void locker_release(struct locker *k, locker_fn *done, void *ud);

/* Only looks. */
void locker_look(struct locker *k, locker_fn *done, void *ud);
/* After a look: removes what has that run's ID, and nothing else; what is LOCK_FREE afterwards is gone. */
void locker_break(struct locker *k, const char *run, locker_fn *done, void *ud);

#endif
