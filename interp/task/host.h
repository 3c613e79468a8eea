/* host.h: what the files of task/ know of each other: coroutines, what they wait for, and the functions behind ctx.
 *
 * Lua leaves C functions by longjmp. So what a host function needs lives in the arena of its op, which belongs to the coroutine and goes
 * when the next op comes or the coroutine ends, however that happens. */
#ifndef TASK_HOST_H
#define TASK_HOST_H

#include "task/task.h"

#include "lua/lval.h"

#include <lauxlib.h>
#include <lua.h>

struct co;
struct op;

/* ---- co.c: coroutines and the one thing that each may wait for ---- */

struct op_kind {
    void (*start)(struct op *op);             /* called once the coroutine has yielded; ends in op_finished, from the loop */
    void (*cancel)(struct op *op);            /* op_finished comes from the loop; NULL: it comes anyway */
    int (*push)(lua_State *L, struct op *op); /* pushes the results in the coroutine; may raise */
    void (*free)(struct op *op);              /* what is not in the arena; may be NULL */
};

enum { max_op_fds = 4 };

struct op {
    const struct op_kind *kind;
    struct co *co;
    struct arena *arena;
    const char *label;  /* for people: "node1 POST /swarm/leave"; NULL: not worth telling */
    bool changing;      /* it asks for a change */
    bool touched;       /* set before op_finished: what was asked for may have happened */
    bool waiting;
    int fds[max_op_fds]; /* plus 1; closed with it: what rights_file.c has opened */
};

struct co {
    struct task *task;
    lua_State *L;
    int ref;            /* of the thread in the registry */
    struct op *op;      /* or NULL */
    struct op *group;   /* the ctx.all that it belongs to, or NULL: the task's own */
    struct co *next, *prev;
    int depth;          /* of ctx.all in ctx.all: each is a few frames of C */
    bool ended, failed;
    bool told;          /* failed by ctx.fail: message and unknown are the script's own words */
    bool unknown;
    const char *message;
};

/* The coroutine that L is; raises where there is none, which is when ctx was kept and is used later. */
struct co *co_of(lua_State *L);
/* A coroutine whose function is on top of L (popped), with nargs arguments above it. Raises. */
struct co *co_new(lua_State *L, struct task *t, struct op *group, int nargs);
void co_free(struct co *co);
void co_resume(struct co *co);
/* Ends the task in the script's own words. Raises. */
int co_fail(lua_State *L, const char *message, bool unknown);
int co_pass_on(lua_State *L); /* the same with co's message as it is, which is no word of the script */
/* Raises unless the task may change things. */
void co_may_change(lua_State *L, const char *name);

/* size bytes that begin with a struct op. */
void *op_new(lua_State *L, const struct op_kind *kind, size_t size);
int op_wait(lua_State *L, struct op *op); /* return op_wait(L, op) at the end of a host function */
void op_finished(struct op *op);
void op_free(struct op *op);

/* ---- task.c ---- */

struct task {
    struct task_spec spec;
    struct arena *arena;
    struct co *root;
    struct co *all;
    int ncoroutines;
    uint64_t start, deadline; /* timers */
    bool ending;              /* nothing is resumed any more */
    bool timed_out, cancelled;
    const char *touched;      /* label of the first changing call that may have had an effect */
    const char *waited;       /* label of what was waited for when the end came */
    int64_t started;
};

void task_root_ended(struct task *t); /* from the loop; t is gone afterwards */

/* ---- host_args.c: arguments; all raise ---- */

struct text {
    const char *s;
    size_t len;
    bool secret;
};

/* A string or a secret, copied to a. */
struct text arg_text(lua_State *L, int idx, struct arena *a, const char *what);
/* Data without anything unknown or unobserved in it. */
const struct val *arg_val(lua_State *L, int idx, struct arena *a, const char *what);
/* Whether a value is a secret or holds one, flagged or by its bytes: it must not be seen by others on a machine. NULL: no. */
bool arg_tells(const struct val *v);
/* A body: a string as it is, a table as JSON. nil: s is NULL. Secrets are opened. */
struct text arg_body(lua_State *L, int idx, struct arena *a, const char *what);
/* A table of options with no key but these; nil is an empty one. */
void arg_options(lua_State *L, int idx, const char *what, const char *const *names, size_t n);
/* The option `timeout` in ms; seconds, positive. */
int64_t arg_timeout(lua_State *L, int idx, const char *what, int64_t fallback_ms);
/* The name of a node of the inventory. */
const char *arg_node(lua_State *L, int idx, struct arena *a, const char *what);
/* "; did you mean 'x'?" or "", pushed. */
const char *push_near(lua_State *L, const char *word, const char *const *names, size_t n);

/* ---- host_answer.c: answers of engines and of HTTP ---- */

struct answer {
    struct http_result r; /* texts copied */
};

/* Copies the result into op's arena, and says what it means for the world. */
void answer_take(struct answer *ans, struct op *op, const struct http_result *r);
int answer_push(lua_State *L, const struct answer *ans, struct op *op);

/* ---- the functions ---- */

int host_docker(lua_State *L);
int host_engine_get(lua_State *L);
int host_engine_post(lua_State *L);
int host_engine_delete(lua_State *L);
int host_engine_attach(lua_State *L);
int host_http(lua_State *L);
int host_login(lua_State *L);
int host_exec(lua_State *L);
int host_read(lua_State *L);
int host_list(lua_State *L);
int host_disk(lua_State *L);
int host_stat(lua_State *L);
int host_text(lua_State *L);
int host_sha256(lua_State *L);
int host_archive(lua_State *L);
int host_write(lua_State *L);
int host_rename(lua_State *L);
int host_remove(lua_State *L);
int host_mkdir(lua_State *L);
int host_sleep(lua_State *L);
int host_now(lua_State *L);
int host_log(lua_State *L);
int host_secret(lua_State *L);
int host_progress(lua_State *L);
int host_all(lua_State *L);
int host_fail(lua_State *L);

/* Of a ctx.all: one of its coroutines has ended. */
void all_one_ended(struct op *group);

/* ---- ctx.c ---- */

/* Pushes the ctx of a task. Raises. */
void ctx_push(lua_State *L, struct task *t);
/* Pushes the methods of an engine as a table. */
void ctx_push_methods(lua_State *L);

#endif
