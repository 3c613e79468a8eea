/* host.h: what the host functions know of a task. Private to task/.
 *
 * A host function checks its arguments, starts at most one operation, and yields; the operation's callback resumes. Everything it needs
 * meanwhile hangs on the task, because Lua leaves C functions by longjmp. */
#ifndef TASK_HOST_H
#define TASK_HOST_H

#include "task/task.h"

#include <lauxlib.h>
#include <lua.h>

struct task {
    struct task_spec spec;
    struct task *root;        /* of a ctx.all the task that was started; itself otherwise */
    struct task *parent;      /* that waits for this one, or NULL */
    const char *key;          /* under which the parent keeps the result */
    struct arena *arena;
    lua_State *co;
    int ref;                  /* of the coroutine in the registry */
    /* the pending operation */
    void (*cancel)(struct task *t); /* makes the operation end soon; its callback still comes */
    void *op;
    size_t children;          /* of a pending ctx.all */
    struct task *first_child, *next_child;
    int results;              /* registry: the table of a ctx.all */
    const char *child_error;
    /* the end */
    bool running;             /* inside lua_resume */
    bool over, cancelled, timed_out;
    bool failed_by_choice, may_have_happened; /* ctx.fail */
    uint64_t deadline;
    bool changing;            /* of the root: a changing call is under way, or was sent and got no answer */
};

struct host_function {
    const char *name, *args, *text;
    lua_CFunction fn;
    bool changes; /* probes do not have it */
};
/* Each ends with {0}. */
extern const struct host_function host_docker[], host_http[], host_exec[], host_file[], host_time[], host_all[], host_log[];
extern const struct host_function *const host_families[]; /* ends with NULL */

/* ctx.c */
void ctx_push(struct task *t);          /* a new ctx table on t->co */
struct task *host_task(lua_State *L);   /* the task that ctx was made for: the first upvalue of a host function */
/* The one that calls: itself, or one of the children of its ctx.all. */
struct task *host_current(lua_State *L);

/* task.c */
/* Yields from a host function: return host_wait(L, …). */
int host_wait(lua_State *L, struct task *t, void *op, void (*cancel)(struct task *t));
/* Resumes with the n values that push leaves on t->co; from the loop only. */
void task_resume(struct task *t, int n);
struct task *task_child(struct task *parent, int fn_idx, const char *key);

/* host_http.c: pushes the answer table of what came. */
void host_push_answer(struct task *t, const struct http_result *r);
/* The body of a request as text: a string as it is, a table as JSON; secrets are opened. NULL: no body. */
const char *host_body(lua_State *L, struct task *t, int idx, bool *ret_json);
/* Seconds at key of the table at idx, in ms; fallback without. */
int64_t host_seconds(lua_State *L, int idx, const char *key, int64_t fallback_ms);

#endif
