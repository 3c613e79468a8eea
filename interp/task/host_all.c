#include "task/host.h"

#include "lua/box.h"

static int collect(lua_State *L, struct task *t) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, t->results);
    luaL_unref(L, LUA_REGISTRYINDEX, t->results);
    t->results = LUA_NOREF;
    t->first_child = NULL;
    if (t->child_error) {
        const char *message = t->child_error;
        t->child_error = NULL;
        t->failed_by_choice = true; /* told once, by the child's own words */
        lua_pushstring(L, message);
        return lua_error(L);
    }
    return 1;
}

static int resumed(lua_State *L, int status, lua_KContext k) {
    (void)status;
    return collect(L, (struct task *)k);
}

static int all(lua_State *L) {
    struct task *t = host_current(L);
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    lua_newtable(L);
    t->results = luaL_ref(L, LUA_REGISTRYINDEX);
    t->child_error = NULL;
    t->first_child = NULL;
    t->children = 1; /* ours, until all are started */
    struct task *started[1024];
    size_t n = 0;
    for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
        if (!lua_isfunction(L, -1) || lua_type(L, -2) != LUA_TSTRING || n == sizeof started / sizeof *started)
            return luaL_error(L, "ctx.all wants a table from names to functions");
        started[n++] = task_child(t, lua_gettop(L), lua_tostring(L, -2));
    }
    for (size_t i = 0; i < n; i++)
        task_resume(started[i], 0);
    if (!--t->children)
        return collect(L, t);
    t->op = NULL;
    t->cancel = NULL;
    return lua_yieldk(L, 0, (lua_KContext)t, resumed);
}

const struct host_function host_all[] = {
    {"all", "{k = function, …}", "runs all at once, each as a coroutine of its own; → {k = result, …}; if one fails, it fails after all have ended", all, false},
    {0},
};
