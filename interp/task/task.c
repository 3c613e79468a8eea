#include "task/host.h"

#include "lua/lval.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const int64_t instructions_between = 50 * 1000 * 1000;

/* ---- ends ---- */

static void task_free(struct task *t) {
    lua_State *L = box_lua(t->spec.world->box);
    luaL_unref(L, LUA_REGISTRYINDEX, t->ref);
    if (t == t->root)
        arena_free(t->arena);
}

static void child_over(struct task *t, bool ok, const char *message);

static void task_over(struct task *t, enum task_outcome outcome, const struct val *value, const char *message) {
    t->over = true;
    if (t->parent) {
        child_over(t, outcome == TASK_OK, message);
        return;
    }
    if (t->deadline)
        loop_timer_stop(t->spec.world->loop, t->deadline);
    const struct task_result r = {.outcome = outcome, .value = value, .message = message, .timed_out = t->timed_out, .cancelled = t->cancelled};
    if (t->spec.done)
        t->spec.done(t->spec.ud, &r);
    task_free(t);
}

/* What a task that did not end by itself leaves behind: unknown if something may have been changed that nobody has answered for. */
static void task_stopped(struct task *t) {
    const struct task *root = t->root;
    const bool unknown = root->spec.rights == TASK_CHANGE && root->changing;
    const char *how = root->timed_out ? "it did not end within its timeout" : "it was cancelled";
    task_over(t, unknown ? TASK_UNKNOWN : TASK_FAILED, NULL, unknown ? arena_printf(t->arena, "%s, and what it asked for may have happened", how) : how);
}

static void task_failed(struct task *t) {
    lua_State *co = t->co;
    const char *hit = box_limit_hit(t->spec.world->box);
    const char *text = lua_type(co, -1) == LUA_TSTRING ? lua_tostring(co, -1) : NULL;
    if (!text && lua_istable(co, -1)) {
        lua_getfield(co, -1, "message");
        text = lua_tostring(co, -1);
    }
    const char *message = arena_strdup(t->arena, text ? text : "it failed");
    if (hit)
        message = arena_printf(t->arena, "%s (%s)", message, hit);
    struct task *root = t->root;
    if (root->cancelled || root->timed_out)
        task_stopped(t);
    else if (t->failed_by_choice)
        task_over(t, t->may_have_happened ? TASK_UNKNOWN : TASK_FAILED, NULL, message);
    else /* a fault of the script in the middle of a change says nothing of the change */
        task_over(t, root->spec.rights == TASK_CHANGE && root->changing ? TASK_UNKNOWN : TASK_FAILED, NULL, message);
}

static void task_returned(struct task *t, int n) {
    lua_State *co = t->co;
    if (t->parent) { /* into the parent's table, as it is */
        lua_rawgeti(co, LUA_REGISTRYINDEX, t->parent->results);
        lua_pushstring(co, t->key);
        if (n)
            lua_pushvalue(co, -n - 2);
        else
            lua_pushboolean(co, 1);
        lua_rawset(co, -3);
        task_over(t, TASK_OK, NULL, NULL);
        return;
    }
    const struct val *v = val_null();
    struct err *errs = err_new(t->arena);
    if (n && !lval_to(co, -n, t->arena, "what it returned", &v, errs)) {
        task_over(t, t->spec.rights == TASK_CHANGE ? TASK_UNKNOWN : TASK_FAILED, NULL, errs->first->message);
        return;
    }
    task_over(t, TASK_OK, v, NULL);
}

/* ---- resuming ---- */

void task_resume(struct task *t, int n) {
    struct box *box = t->spec.world->box;
    int results = 0;
    assert(!t->running && !t->over);
    t->op = NULL;
    t->cancel = NULL;
    if (t->root->cancelled || t->root->timed_out) {
        lua_pop(t->co, n);
        task_stopped(t);
        return;
    }
    t->running = true;
    box_arm(box, t->co, instructions_between);
    const int status = lua_resume(t->co, NULL, n, &results);
    t->running = false;
    if (status == LUA_YIELD) {
        lua_pop(t->co, results);
        assert(t->op || t->children); /* only host functions yield */
    } else if (status == LUA_OK) {
        task_returned(t, results);
    } else {
        task_failed(t);
    }
}

int host_wait(lua_State *L, struct task *t, void *op, void (*cancel)(struct task *t)) {
    t->op = op;
    t->cancel = cancel;
    return lua_yield(L, 0);
}

/* ---- children of a ctx.all ---- */

struct task *task_child(struct task *parent, int fn_idx, const char *key) {
    struct task *t = arena_new_of(parent->arena, struct task);
    *t = (struct task){.spec = parent->spec, .root = parent->root, .parent = parent, .key = arena_strdup(parent->arena, key), .arena = parent->arena,
                       .next_child = parent->first_child};
    lua_State *L = parent->co;
    t->co = lua_newthread(L);
    t->ref = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_pushvalue(L, fn_idx);
    lua_xmove(L, t->co, 1);
    parent->first_child = t;
    parent->children++;
    return t;
}

static void child_over(struct task *t, bool ok, const char *message) {
    struct task *p = t->parent;
    if (!ok && !p->child_error)
        p->child_error = message;
    p->may_have_happened |= t->may_have_happened;
    task_free(t);
    if (--p->children || p->running)
        return; /* the call itself looks, if all ended before it could wait */
    p->first_child = NULL;
    task_resume(p, 0);
}

/* ---- the whole ---- */

static void cancel_pending(struct task *t) {
    for (struct task *c = t->first_child; c; c = c->next_child)
        if (!c->over)
            cancel_pending(c);
    if (t->cancel)
        t->cancel(t);
}

static void on_deadline(void *ud) {
    struct task *t = ud;
    t->deadline = 0;
    t->timed_out = true;
    cancel_pending(t);
}

void task_cancel(struct task *t) {
    t->cancelled = true;
    cancel_pending(t);
}

static void on_start(void *ud) {
    struct task *t = ud;
    task_resume(t, 2);
}

struct task *task_start(const struct task_spec *spec) {
    struct arena *a = arena_new();
    struct task *t = arena_new_of(a, struct task);
    *t = (struct task){.spec = *spec, .arena = a};
    t->root = t;
    lua_State *L = box_lua(spec->world->box);
    t->co = lua_newthread(L);
    t->ref = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_rawgeti(t->co, LUA_REGISTRYINDEX, spec->def->fn[FN_RUN]);
    ctx_push(t);
    lval_push(t->co, spec->with ? spec->with : val_map_new(a));
    if (spec->timeout_ms > 0)
        t->deadline = loop_timer(spec->world->loop, spec->timeout_ms, on_deadline, t);
    loop_timer(spec->world->loop, 0, on_start, t);
    return t;
}
