#include "task/host.h"

static int host_log_line(lua_State *L) {
    struct task *t = host_current(L);
    const char *s = luaL_checkstring(L, 1);
    if (t->spec.log)
        t->spec.log(t->spec.ud, s);
    return 0;
}

static int host_progress(lua_State *L) {
    struct task *t = host_current(L);
    const char *s = luaL_checkstring(L, 1);
    if (t->spec.progress)
        t->spec.progress(t->spec.ud, s);
    else if (t->spec.log)
        t->spec.log(t->spec.ud, s);
    return 0;
}

static int host_fail(lua_State *L) {
    struct task *t = host_current(L);
    luaL_checkstring(L, 1);
    t->failed_by_choice = true;
    if (lua_istable(L, 2)) {
        lua_getfield(L, 2, "unknown");
        t->may_have_happened = lua_toboolean(L, -1);
    }
    lua_settop(L, 1);
    return lua_error(L);
}

const struct host_function host_log[] = {
    {"log", "text", "a line for the journal", host_log_line, false},
    {"progress", "text", "what is going on", host_progress, false},
    {"fail", "message[, {unknown = true}]", "ends the task; unknown: what was asked for may have happened", host_fail, false},
    {0},
};
