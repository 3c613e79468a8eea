/* process.h: child processes. Each gets a process group of its own, stdin from a given text, a file or /dev/null, and both streams read up to
 * a limit; stdout can be a file instead, which the child writes by itself. Ended by a ladder: TERM to the group, after grace_ms KILL. */
#ifndef IO_PROCESS_H
#define IO_PROCESS_H

#include "base/buf.h"
#include "io/loop.h"

struct process;

struct process_result {
    const char *error;   /* could not be started, and why; NULL if it ran */
    int exit_status;     /* -1 if ended by a signal */
    int signal;
    bool timed_out, cancelled;
    struct buf out, err; /* owned by the process until the callback returns; over is set if the limit was hit (the rest was read and dropped) */
};

struct process_spec {
    const char *const *argv;        /* looked up in PATH; ended by NULL */
    const char *const *env;         /* NAME=VALUE added to our own environment; NULL: none */
    const char *cwd;                /* NULL: ours */
    const char *input;              /* for stdin; NULL: /dev/null */
    size_t input_len;
    const char *in_path;            /* a regular file as stdin, in place of input; NULL: none */
    const char *out_path;           /* stdout goes to this file (0600, emptied first; not synced), and is not read; NULL: it is read */
    size_t max_output;              /* bytes kept of each stream; default 1 MiB */
    int64_t timeout_ms;             /* 0: none */
    int64_t grace_ms;               /* between TERM and KILL; default 5000 */
    void (*line)(void *ud, bool is_err, const char *line, size_t len); /* each line as it comes; may be NULL */
    void (*done)(void *ud, const struct process_result *r);            /* once; the process is gone and reaped */
    void *ud;
};

/* All of spec is copied. Never fails: what goes wrong arrives in done (from the loop, never from inside this call). */
struct process *process_start(struct loop *l, const struct process_spec *spec);
/* Starts the ladder; done comes when the process is gone. */
void process_cancel(struct process *p);
/* Ends it and its group at once with KILL, waits for that, and forgets it: done does not come. */
void process_drop(struct process *p);
int process_pid(const struct process *p); /* 0 if it could not be started */

#endif
