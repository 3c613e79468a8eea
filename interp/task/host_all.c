#include "task/host.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { max_kids = 10000 };

struct kid {
    struct co *co;
    const char *key; /* NULL: number */
    lua_Integer number;
};

struct group {
    struct op op;
    struct kid *kids;
    size_t n, left;
};

static void on_all_ended(void *ud) {
    struct group *g = ud;
    op_finished(&g->op);
}

/* The group's own coroutine goes on in the next turn, so that a loop of such groups does not pile up calls. */
static void tell(struct group *g) {
    loop_timer(g->op.co->task->spec.world->loop, 0, on_all_ended, g);
}

void all_one_ended(struct op *group) {
    struct group *g = (struct group *)group;
    assert(g->left);
    if (!--g->left)
        tell(g);
}

static void group_start(struct op *op) {
    struct group *g = (struct group *)op;
    g->left = g->n;
    if (!g->n)
        tell(g);
    for (size_t i = 0; i < g->n; i++) /* ends no earlier than in a later turn, so g stays */
        co_resume(g->kids[i].co);
}

static int group_push(lua_State *L, struct op *op) {
    struct group *g = (struct group *)op;
    const struct co *failed = NULL;
    bool unknown = false;
    for (size_t i = 0; i < g->n; i++) {
        const struct co *co = g->kids[i].co;
        if (co->failed && !failed)
            failed = co;
        unknown |= co->failed && co->unknown;
    }
    if (failed && (failed->told || unknown))
        return co_fail(L, failed->message, unknown);
    if (failed) { /* an error of the script's: it has its place already */
        op->co->message = failed->message;
        return co_pass_on(L);
    }
    lua_createtable(L, 0, (int)g->n);
    for (size_t i = 0; i < g->n; i++) {
        const struct kid *k = &g->kids[i];
        if (k->key)
            lua_pushstring(L, k->key);
        else
            lua_pushinteger(L, k->number);
        lua_xmove(k->co->L, L, 1);
        lua_rawset(L, -3);
    }
    return 1;
}

static void group_free(struct op *op) {
    struct group *g = (struct group *)op;
    for (size_t i = 0; i < g->n; i++)
        co_free(g->kids[i].co);
}

static const struct op_kind group_kind = {.start = group_start, .push = group_push, .free = group_free};

static int by_key(const void *x, const void *y) {
    const struct kid *a = x, *b = y;
    if (!a->key || !b->key)
        return a->key ? 1 : b->key ? -1 : (a->number > b->number) - (a->number < b->number);
    return strcmp(a->key, b->key);
}

/* In sorted order: Lua's own differs from process to process. */
static size_t read_keys(lua_State *L, struct arena *a, struct kid **ret) {
    size_t n = 0;
    for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
        if (!lua_isfunction(L, -1))
            luaL_error(L, "ctx.all takes a table of functions, and '%s' is a %s", lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "[]",
                       luaL_typename(L, -1));
        if (lua_type(L, -2) != LUA_TSTRING && !lua_isinteger(L, -2))
            luaL_error(L, "ctx.all: the keys must be strings or whole numbers");
        n++;
    }
    if (n > max_kids)
        luaL_error(L, "ctx.all: %d functions at once, and at most %d are allowed", (int)n, max_kids);
    struct kid *kids = arena_array(a, struct kid, n + 1);
    size_t k = 0;
    for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1), k++) {
        if (lua_type(L, -2) == LUA_TSTRING)
            kids[k].key = arena_strdup(a, lua_tostring(L, -2));
        else
            kids[k].number = lua_tointeger(L, -2);
    }
    qsort(kids, n, sizeof *kids, by_key);
    *ret = kids;
    return n;
}

int host_all(lua_State *L) {
    lua_settop(L, 1);
    if (!lua_istable(L, 1))
        return luaL_error(L, "ctx.all takes a table of functions, as in ctx.all{ a = function() … end }");
    struct group *g = op_new(L, &group_kind, sizeof *g);
    const size_t n = read_keys(L, g->op.arena, &g->kids);
    for (; g->n < n; g->n++) {
        struct kid *k = &g->kids[g->n];
        if (k->key)
            lua_pushstring(L, k->key);
        else
            lua_pushinteger(L, k->number);
        lua_rawget(L, 1);
        k->co = co_new(L, g->op.co->task, &g->op, 0);
    }
    return op_wait(L, &g->op);
}
