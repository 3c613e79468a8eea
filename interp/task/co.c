#include "task/host.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Lua instructions between two waits: about half a second. */
static const int64_t max_instructions = 50 * 1000 * 1000;
enum { max_callers = 3, max_depth = 16, max_coroutines = 20000 };

static const char fail_tag; /* its address as an error value: co->message says what */

/* ---- what a coroutine waits for ---- */

void op_free(struct op *op) {
    struct arena *a = op->arena;
    op->co->op = NULL;
    if (op->kind->free)
        op->kind->free(op);
    for (size_t i = 0; i < max_op_fds && op->fds[i]; i++)
        close(op->fds[i] - 1);
    arena_free(a);
}

void *op_new(lua_State *L, const struct op_kind *kind, size_t size) {
    struct co *co = co_of(L);
    if (co->op) { /* of a host function that has raised: the coroutine is about to end, or will not come here */
        assert(!co->op->waiting);
        op_free(co->op);
    }
    struct arena *a = arena_new();
    struct op *op = arena_alloc(a, size);
    op->kind = kind;
    op->co = co;
    op->arena = a;
    co->op = op;
    return op;
}

static int op_continue(lua_State *L, int status, lua_KContext k) {
    (void)status;
    struct op *op = (struct op *)k;
    luaL_checkstack(L, 10, NULL);
    const int n = op->kind->push(L, op);
    op_free(op);
    return n;
}

int op_wait(lua_State *L, struct op *op) {
    const struct task *t = op->co->task;
    const char *lost = op->changing && t->spec.world->lock ? locker_lost(t->spec.world->lock) : NULL;
    if (lost) /* the one gate that every changing request goes through; what was asked for before it may have happened */
        return co_fail(L, arena_printf(t->arena, "%s was not asked for: %s", op->label ? op->label : "a change", lost), t->touched != NULL);
    if (!lua_isyieldable(L))
        return luaL_error(L, "ctx cannot be waited for here: not inside a function that a sort or a search calls");
    return lua_yieldk(L, 0, (lua_KContext)op, op_continue);
}

static void co_ended(struct co *co);

void op_finished(struct op *op) {
    struct co *co = op->co;
    struct task *t = co->task;
    assert(op->waiting);
    op->waiting = false;
    if (op->changing && op->touched && !t->touched)
        t->touched = arena_strdup(t->arena, op->label);
    if (t->ending)
        co_ended(co);
    else
        co_resume(co);
}

/* ---- the life of a coroutine ---- */

struct co *co_of(lua_State *L) {
    lua_rawgetp(L, LUA_REGISTRYINDEX, L);
    struct co *co = lua_touserdata(L, -1);
    lua_pop(L, 1);
    if (!co)
        luaL_error(L, "ctx can only be used while the run function it was given to is running");
    return co;
}

struct co *co_new(lua_State *L, struct task *t, struct op *group, int nargs) {
    const int depth = group ? group->co->depth + 1 : 0;
    if (depth > max_depth)
        luaL_error(L, "ctx.all: more than %d calls of it inside one another", (int)max_depth);
    if (t->ncoroutines >= max_coroutines)
        luaL_error(L, "ctx.all: more than %d functions at once in one task", (int)max_coroutines);
    struct co *co = mem_alloc(sizeof *co);
    t->ncoroutines++;
    *co = (struct co){.task = t, .depth = depth, .ref = LUA_NOREF, .group = group, .next = t->all};
    if (t->all)
        t->all->prev = co;
    t->all = co;
    co->L = lua_newthread(L);
    co->ref = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_pushlightuserdata(L, co);
    lua_rawsetp(L, LUA_REGISTRYINDEX, co->L);
    luaL_checkstack(co->L, nargs + 1, NULL);
    lua_xmove(L, co->L, nargs + 1);
    return co;
}

void co_free(struct co *co) {
    struct task *t = co->task;
    lua_State *L = box_lua(t->spec.world->box);
    if (co->op)
        op_free(co->op);
    t->ncoroutines--;
    *(co->prev ? &co->prev->next : &t->all) = co->next;
    if (co->next)
        co->next->prev = co->prev;
    if (co->L) {
        lua_pushnil(L);
        lua_rawsetp(L, LUA_REGISTRYINDEX, co->L);
        luaL_unref(L, LUA_REGISTRYINDEX, co->ref);
    }
    free(co);
}

static void co_ended(struct co *co) {
    co->ended = true;
    if (co->group)
        all_one_ended(co->group);
    else
        task_root_ended(co->task);
}

int co_fail(lua_State *L, const char *message, bool unknown) {
    struct co *co = co_of(L);
    co->message = arena_strdup(co->task->arena, message);
    co->unknown = unknown;
    co->told = true;
    return co_pass_on(L);
}

int co_pass_on(lua_State *L) {
    lua_pushlightuserdata(L, (void *)(uintptr_t)&fail_tag);
    return lua_error(L);
}

void co_may_change(lua_State *L, const char *name) {
    if (co_of(L)->task->spec.rights == TASK_READ)
        luaL_error(L, "%s changes the world, and a probe may only read", name);
}

/* ---- errors of Lua in words ---- */

struct description {
    struct arena *arena;
    const char *text;
};

/* Called protected: making a text of a value takes memory. */
static int describe(lua_State *L) {
    struct description *d = lua_touserdata(L, 1);
    if (lua_istable(L, 2) && lua_getfield(L, 2, "message") != LUA_TSTRING)
        lua_rawgeti(L, 2, 1);
    if (lua_istable(L, 2) && lua_type(L, -1) != LUA_TSTRING)
        lua_pushliteral(L, "an error that is not a text");
    d->text = arena_strdup(d->arena, luaL_tolstring(L, -1, NULL));
    return 0;
}

static bool is_script(lua_State *L, lua_Debug *ar) {
    return lua_getinfo(L, "Sl", ar) && ar->currentline > 0 && strcmp(ar->source, "=quorate") != 0;
}

/* "stdlib/swarm/leave.lua:12: " at the start of a message: its length, or 0. */
static size_t place_length(const char *s) {
    const char *line_end = s + strcspn(s, "\n");
    for (const char *p = s; (p = strchr(p, ':')) && p < line_end; p++) {
        const size_t digits = strspn(p + 1, "0123456789");
        if (digits && !strncmp(p + 1 + digits, ": ", 2))
            return (size_t)(p - s) + digits + 3;
    }
    return 0;
}

static void co_fault(struct co *co, int rc) {
    struct arena *a = co->task->arena;
    struct box *box = co->task->spec.world->box;
    lua_State *L = co->L, *main = box_lua(box);
    co->failed = true;
    if (lua_touserdata(L, -1) == &fail_tag && lua_islightuserdata(L, -1))
        return;
    const char *limit = box_limit_hit(box);
    struct description d = {.arena = a, .text = "out of memory"};
    if (limit && !strcmp(limit, "instruction-limit")) {
        d.text = arena_printf(a, "ended after %lld Lua instructions without waiting for anything [instruction-limit]", (long long)max_instructions);
    } else if (rc == LUA_ERRMEM) {
        d.text = "ended: it took more memory than scripts may [memory-limit]";
    } else {
        lua_pushcfunction(main, describe);
        lua_pushlightuserdata(main, &d);
        lua_xmove(L, main, 1);
        if (lua_pcall(main, 2, 0, 0) != LUA_OK)
            lua_pop(main, 1);
    }
    const char *text = d.text;
    size_t place = place_length(text);
    if (place && !strncmp(text, "quorate:", 8)) { /* the place of a helper says nothing */
        text += place;
        place = 0;
    }
    struct buf b = BUF_INIT;
    lua_Debug ar;
    int callers = 0;
    for (int level = 0; callers <= max_callers && lua_getstack(L, level, &ar); level++) {
        if (!is_script(L, &ar))
            continue;
        if (callers++)
            buf_printf(&b, "\ncalled at %s:%d", ar.short_src, ar.currentline);
        else if (place)
            buf_adds(&b, text);
        else
            buf_printf(&b, "%s:%d: %s", ar.short_src, ar.currentline, text);
    }
    co->message = arena_strdup(a, callers ? b.data : text);
    buf_done(&b);
}

void co_resume(struct co *co) {
    struct box *box = co->task->spec.world->box;
    assert(!co->ended);
    if (co->task->ending) {
        co_ended(co);
        return;
    }
    int n = 0;
    box_arm(box, co->L, max_instructions);
    const int nargs = lua_status(co->L) == LUA_OK ? lua_gettop(co->L) - 1 : 0;
    const int rc = lua_resume(co->L, box_lua(box), nargs, &n);
    if (rc == LUA_YIELD) {
        assert(co->op && !n);
        if (!co->task->ending) { /* whoever was told something by the script may have cancelled it */
            co->op->waiting = true;
            co->op->kind->start(co->op);
            return;
        }
        co_ended(co);
        return;
    }
    if (rc == LUA_OK)
        lua_settop(co->L, 1);
    else
        co_fault(co, rc);
    co_ended(co);
}
