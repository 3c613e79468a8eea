/* task.h: Lua functions that talk to the world: the run function of a probe or an action, as a coroutine on the loop.
 *
 * A coroutine has at most one pending operation: {timer or request, cleanup}. It is resumed only from the loop. `ctx` is built from
 * tables of host functions, one file a family; a probe's ctx has only those that read.
 *
 *   ctx.docker(node)              → engine; engine:get(path[, opts]) engine:post(path, body[, opts]) engine:delete(path[, opts])
 *                                   opts {timeout = seconds}; → answer {ok = 2xx, status, body = parsed JSON or text, message = engine's or
 *                                   transport's words, failure = nil|"timeout"|"connect"|"resolve"|"tls"|…, date, sent, elapsed}
 *   ctx.http{method, url, headers, body, timeout, ca, insecure} → answer likewise; probes: GET only
 *   ctx.exec{argv, on, stdin, stdin_file, stdout, env, timeout} → {ok, status, stdout, stderr, message, failure}   (actions only)
 *                                   stdin_file, stdout: files of the operator's machine, of any size, as streams; stdout is emptied first and synced at
 *                                   the end, and gives {bytes, sha256} in place of the text
 *   ctx.read(node, path[, max])   → text | nil, why        where the node's files can be reached (locally or by ssh); read-only
 *   ctx.list(node, path)          → list of names | nil, why
 *   ctx.disk(node, path)          → {total, free} bytes | nil, why
 *   ctx.sleep(seconds)  ctx.now() → ms since 1970
 *   ctx.log(text)  ctx.progress(text)
 *   ctx.secret(text)              → the text as a secret, known to base/redact.h | nil, why
 *   ctx.all{k = function() … end, …} → {k = result, …}: all at once, each its own coroutine; a failure of one fails all after all ended
 *   ctx.fail(message[, {unknown = true}])  ends the task; unknown: what was asked for may have happened
 *   ctx.nodes                     → {name = {name, address, labels, shell = "local"|"ssh"|nil}}  the inventory
 *   ctx.site, ctx.run             → what the scope has: names, attested members, run id; of an act also run.step and run.attempt
 *   unobserved(why)               → the marker for a fact that could not be learnt
 */
#ifndef TASK_TASK_H
#define TASK_TASK_H

#include "io/engines.h"
#include "io/http.h"
#include "io/locker.h"
#include "io/loop.h"
#include "lua/library.h"

/* What tasks of one process share. Not owned. */
struct task_world {
    struct loop *loop;
    struct http *http;
    struct engines *engines;
    struct box *box;
    const struct val *nodes; /* ctx.nodes */
    const struct val *site;
    const struct val *run;
    const struct val *hooks; /* hook file → its rights, as the site grants them; NULL: none */
    const char *site_dir;    /* what the folders of rights are relative to; NULL: the working directory */
    const struct locker *lock; /* nothing changing is asked for once it is lost; NULL: none is needed */
};

enum task_rights { TASK_READ, TASK_CHANGE };
enum task_outcome { TASK_OK, TASK_FAILED, TASK_UNKNOWN };

struct task_result {
    enum task_outcome outcome;
    const struct val *value;   /* what run returned, as a val in the task's arena: valid inside done only */
    const char *message;       /* of a failure: one or more lines */
    bool timed_out, cancelled;
};

struct task_spec {
    const struct task_world *world;
    const struct def *def;
    enum def_fn fn;             /* FN_RUN, or FN_FOLLOW of an action */
    const struct val *with;
    enum task_rights rights;
    const struct val *hooks; /* the runbook's: a list of {file, allow}; NULL: none */
    const char *step;   /* of an act: its path, as ctx.run.step; or NULL. Copied */
    int attempt;        /* of an act, from 1, as ctx.run.attempt */
    int64_t timeout_ms; /* 0: none. After it the pending operation is cancelled; the outcome of an action is then unknown, unless no changing call was sent */
    void (*log)(void *ud, const char *line);
    void (*progress)(void *ud, const char *text);
    void (*done)(void *ud, const struct task_result *r); /* once, from the loop */
    void *ud;
};

struct task;
struct task *task_start(const struct task_spec *spec);
void task_cancel(struct task *t); /* done comes, with cancelled */

/* What ctx and an engine offer, for the documentation; NULL past the end. */
struct task_help {
    const char *name, *args, *text; /* "ctx.sleep" "(seconds)" "waits" */
    enum task_rights rights;        /* TASK_CHANGE: not in probes */
};
const struct task_help *task_help(size_t i);

#endif
