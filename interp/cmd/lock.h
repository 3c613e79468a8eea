/* lock.h: what the commands that take, give back and break the lock on the engines share. */
#ifndef CMD_LOCK_H
#define CMD_LOCK_H

#include "cmd/cmd.h"

/* ---- waiting on the loop ---- */

struct lock_waiting {
    struct locker *lock;
    bool over, interrupted;
    bool asking; /* a person, who is not waited for after an interrupt */
    bool yes;
    const char *how;
};
void lock_over(void *ud); /* of a struct lock_waiting; a locker_fn */
void lock_wait(struct ctx *c, struct lock_waiting *w);

/* ---- lock.c ---- */

/* The nodes that have an engine; ended by NULL. */
const char *const *lock_inventory(struct ctx *c);
struct locker *lock_new(struct ctx *c, const char *const *nodes, const char *run_id, bool resume);

/* ---- lock_show.c: words for people; what holders and engines say is foreign ---- */

void lock_say(const struct buf *b); /* on standard error */
void lock_visible(struct buf *b, const char *s);
void lock_add_name(struct buf *b, const char *name, bool first);
const char *lock_own_host(struct arena *a);
/* Each holder once, with the nodes that name it. */
void lock_show_holders(struct ctx *c, const struct lock_answer *answers, size_t n, struct buf *b);
void lock_show_silent(const struct lock_answer *answers, size_t n, struct buf *b);
/* What can be done about the first holder. */
void lock_show_way(const struct lock_answer *answers, size_t n, struct buf *b);
enum lock_process { LOCK_PROCESS_ELSEWHERE, LOCK_PROCESS_GONE, LOCK_PROCESS_ALIVE };
/* What has become of the holder's process, as far as it is on this machine. */
enum lock_process lock_process(const struct lock_holder *h);

#endif
