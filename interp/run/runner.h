/* runner.h: how the engine touches a world: a real one (runner_live.c) or one in a file (runner_world.c). */
#ifndef RUN_RUNNER_H
#define RUN_RUNNER_H

#include "plan/runbook.h"
#include "run/event.h"
#include "run/inject.h"
#include "task/task.h"

struct runner;

struct probe_call {
    const struct def *def;
    const char *part;       /* of the state, or NULL for a step that uses a probe */
    const struct val *hooks; /* of the runbook; or NULL */
    const struct val *with;
    /* value is valid only inside; ok = false: message says why it could not be learnt */
    void (*done)(void *ud, bool ok, const struct val *value, const char *message);
    void *ud;
};

struct act_call {
    const struct step *step;
    const struct def *def;      /* NULL for a command */
    const char *path;
    int attempt;
    const struct val *with;     /* for a command: its argv */
    const struct val *effect;   /* of a step that declares effects: path → value, evaluated; NULL without */
    bool follow;                /* it was begun by a process that is gone, and may still be going on: find it, and do not begin it again */
    int64_t timeout_ms;         /* 0: none */
    void (*log)(void *ud, const char *line);
    void (*done)(void *ud, enum outcome outcome, const struct val *outputs, const char *message);
    void *ud;
};

struct runner_ops {
    void (*probe)(struct runner *r, const struct probe_call *call);
    void (*act)(struct runner *r, const struct act_call *call);
    /* An act or a wait begins, before anything else of it; may be NULL. */
    void (*begun)(struct runner *r, const char *path, const struct step *st, int attempt);
    /* A wait_for that does not hold: a rehearsal applies the step's effects, the real world just goes on. May be NULL. */
    void (*waited)(struct runner *r, const char *path, const struct step *st, const struct val *effect);
    void (*cancel)(struct runner *r, const char *path); /* the act of that item; its done comes */
    void (*close)(struct runner *r);
};

struct runner {
    const struct runner_ops *ops;
    struct loop *loop;
    bool real; /* changes the world */
};

struct runner *runner_live(struct arena *a, const struct task_world *world, bool may_change);
/* The world of a file: `state` is its parts; effects change a model of it. */
struct runner *runner_world(struct arena *a, struct loop *loop, struct box *box, const struct val *state);
/* What is to go wrong in it; checked. The members that were attested (a list of names) are in state.attested from the first act on that
 * asks for them, so that no event brings them back. */
void runner_world_inject(struct runner *r, struct injections *injections, const struct val *attested);
/* Sets a path below `state` in it ("swarm.cluster.autolock"); null takes it away. */
bool runner_world_set(struct runner *r, const char *path, const struct val *v, struct mark at, struct err *err);
/* The world as it is now. */
const struct model *runner_world_model(const struct runner *r);
/* Waits on the loop until the probe has answered; for use before a run begins. The value is copied into a. */
bool runner_probe_wait(struct runner *r, struct arena *a, const struct part *part, const struct val *with, const struct val **ret,
                       const char **ret_message);

#endif
