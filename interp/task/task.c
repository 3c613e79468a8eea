#include "task/host.h"

#include <assert.h>
#include <stdlib.h>

/* ---- the end ---- */

struct returned {
    struct task *task;
    struct err *err;
    const struct val *value;
    bool ok;
};

/* Called protected, with the value above the light userdata. */
static int take_value(lua_State *L) {
    struct returned *r = lua_touserdata(L, 1);
    r->ok = lval_to(L, 2, r->task->arena, "what run returned", &r->value, r->err);
    return 0;
}

static bool root_value(struct task *t, const struct val **ret, const char **message) {
    lua_State *L = box_lua(t->spec.world->box);
    struct returned r = {.task = t, .err = err_new(t->arena)};
    lua_pushcfunction(L, take_value);
    lua_pushlightuserdata(L, &r);
    lua_xmove(t->root->L, L, 1);
    if (lua_pcall(L, 2, 0, 0) != LUA_OK)
        lua_pop(L, 1);
    if (r.ok)
        *ret = r.value;
    else
        *message = arena_printf(t->arena, "%s: %s", t->spec.def->name, r.err->first ? r.err->first->message : "what run returned takes too much memory");
    return r.ok;
}

static void end_message(struct task *t, struct task_result *r) {
    struct buf b = BUF_INIT;
    if (t->timed_out) {
        buf_adds(&b, "not done within ");
        duration_print(&b, t->spec.timeout_ms);
    } else {
        buf_adds(&b, "cancelled");
    }
    if (t->waited)
        buf_printf(&b, ", while it waited for: %s", t->waited);
    r->message = arena_strdup(t->arena, b.data);
    buf_done(&b);
}

/* A failure of the script's own words stands. Where it could not speak (it was ended, or has an error in it), what it had asked for may have
 * happened, and then nobody may simply try again. */
static void judge(struct task *t, struct task_result *r) {
    const struct co *root = t->root;
    r->outcome = TASK_FAILED;
    if (!t->ending && root && !root->failed && root_value(t, &r->value, &r->message)) {
        r->outcome = TASK_OK;
        return;
    }
    if (t->ending)
        end_message(t, r);
    else if (!r->message)
        r->message = root->message;
    if (!t->ending && root->told) {
        r->outcome = root->unknown ? TASK_UNKNOWN : TASK_FAILED;
    } else if (t->touched) {
        r->outcome = TASK_UNKNOWN;
        r->message = arena_printf(t->arena, "%s\nwhat it had asked for may have happened: %s", r->message, t->touched);
    }
}

static void task_free(struct task *t) {
    if (t->root)
        co_free(t->root); /* and what it waits for, with the coroutines of that */
    while (t->all)
        co_free(t->all);
    arena_free(t->arena);
    free(t);
}

static void finish(void *ud) {
    struct task *t = ud;
    struct task_result r = {.timed_out = t->timed_out, .cancelled = t->cancelled};
    loop_timer_stop(t->spec.world->loop, t->deadline);
    judge(t, &r);
    t->spec.done(t->spec.ud, &r);
    task_free(t);
}

void task_root_ended(struct task *t) {
    finish(t);
}

/* What is waited for is cancelled; each of those ends its coroutine, and the last one the task. */
static void end(struct task *t) {
    assert(!t->ending);
    t->ending = true;
    for (const struct co *co = t->all; co && !t->waited; co = co->next)
        if (co->op && co->op->waiting && co->op->label)
            t->waited = arena_strdup(t->arena, co->op->label);
    if (t->start) {
        loop_timer_stop(t->spec.world->loop, t->start);
        t->start = 0;
        loop_timer(t->spec.world->loop, 0, finish, t);
        return;
    }
    for (struct co *co = t->all; co; co = co->next)
        if (co->op && co->op->waiting && co->op->kind->cancel)
            co->op->kind->cancel(co->op);
}

static void on_deadline(void *ud) {
    struct task *t = ud;
    t->deadline = 0;
    if (t->ending)
        return;
    t->timed_out = true;
    end(t);
}

void task_cancel(struct task *t) {
    t->cancelled = true;
    if (!t->ending)
        end(t);
}

/* ---- the start ---- */

/* Called protected. */
static int make_root(lua_State *L) {
    struct task *t = lua_touserdata(L, 1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, t->spec.def->fn[t->spec.fn]);
    ctx_push(L, t);
    if (val_is(t->spec.with, VAL_MAP))
        lval_push(L, t->spec.with);
    else
        lua_newtable(L);
    t->root = co_new(L, t, NULL, 2);
    return 0;
}

static void begin(void *ud) {
    struct task *t = ud;
    lua_State *L = box_lua(t->spec.world->box);
    t->start = 0;
    lua_pushcfunction(L, make_root);
    lua_pushlightuserdata(L, t);
    if (lua_pcall(L, 1, 0, 0) == LUA_OK) {
        co_resume(t->root);
        return;
    }
    const struct task_result r = {.outcome = TASK_FAILED, .message = arena_printf(t->arena, "%s could not be started: %s", t->spec.def->name,
                                                                                  lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "out of memory")};
    lua_pop(L, 1);
    loop_timer_stop(t->spec.world->loop, t->deadline);
    t->spec.done(t->spec.ud, &r);
    task_free(t);
}

struct task *task_start(const struct task_spec *spec) {
    assert(spec->done && spec->def->fn[spec->fn]);
    struct task *t = mem_alloc(sizeof *t);
    *t = (struct task){.spec = *spec, .arena = arena_new(), .started = loop_now(spec->world->loop)};
    t->start = loop_timer(spec->world->loop, 0, begin, t);
    if (spec->timeout_ms > 0)
        t->deadline = loop_timer(spec->world->loop, spec->timeout_ms, on_deadline, t);
    return t;
}
