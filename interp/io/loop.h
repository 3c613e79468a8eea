/* loop.h: one thread, one loop: timers, work on other threads, signals, file descriptors.
 *
 * Timers follow the clock that the loop was made with. With a virtual clock the loop never waits for time: when nothing else is under
 * way, the clock jumps to the next timer. Callbacks run only inside loop_once; they may start and stop anything. */
#ifndef IO_LOOP_H
#define IO_LOOP_H

#include "base/clock.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct loop;

struct loop *loop_new(struct clock *clock); /* not owned */
void loop_free(struct loop *l);             /* everything still under way is closed without callbacks */
struct clock *loop_clock(struct loop *l);
int64_t loop_now(struct loop *l);           /* clock's mono_ms */
bool loop_is_virtual(const struct loop *l);

/* Waits for at least one callback and runs those that are due. false if nothing is under way (no timer, work, process, transfer), so
 * that it would wait for ever. Signals alone do not count as under way. */
bool loop_once(struct loop *l);
/* Makes a loop_once that is waiting return, from any callback or thread. */
void loop_wake(struct loop *l);

typedef void loop_fn(void *ud);
/* After ms (0: in the next turn). The id is never 0 and never used again; stopping one that has fired is fine. */
uint64_t loop_timer(struct loop *l, int64_t ms, loop_fn *fn, void *ud);
void loop_timer_stop(struct loop *l, uint64_t id);

/* Runs work(ud) on another thread, then done(ud) in the loop. */
void loop_work(struct loop *l, loop_fn *work, loop_fn *done, void *ud);

typedef void loop_signal_fn(void *ud, int signo);
void loop_signal(struct loop *l, int signo, loop_signal_fn *fn, void *ud); /* until loop_free */

/* Watches a file descriptor until it is told to stop; it counts as under way. events: bits of what to wait for, or what has come. */
enum loop_events { LOOP_READ = 1, LOOP_WRITE = 2 };
struct loop_fd;
typedef void loop_fd_fn(void *ud, unsigned events);
struct loop_fd *loop_fd_watch(struct loop *l, int fd, unsigned events, loop_fd_fn *fn, void *ud);
void loop_fd_change(struct loop_fd *f, unsigned events);
void loop_fd_stop(struct loop_fd *f); /* NULL is fine; the descriptor stays open, and may be closed right away */

/* A child process: fn comes once when it has exited, and leaves it to be reaped. Until then it counts as under way. */
struct loop_child {
    pid_t pid;
    loop_fn *fn;
    void *ud;
    bool exited; /* the rest is the loop's */
    struct loop_child *next, *prev;
};
void loop_child_watch(struct loop *l, struct loop_child *c);
void loop_child_stop(struct loop *l, struct loop_child *c); /* only while fn has not come */

/* What cannot outlive the loop joins it: loop_free calls gone for each that has not left. */
struct loop_guest {
    loop_fn *gone;
    void *ud;
    struct loop_guest *next, *prev;
};
void loop_join(struct loop *l, struct loop_guest *g);
void loop_leave(struct loop *l, struct loop_guest *g);

/* Marks something as under way that the loop cannot see itself. Balanced. */
void loop_hold(struct loop *l);
void loop_release(struct loop *l);

#endif
