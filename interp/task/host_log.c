#include "task/host.h"

#include "base/redact.h"

/* What people are told, and the end in the script's own words. */

static const char *words(lua_State *L) {
    return luaL_tolstring(L, 1, NULL); /* a secret gives *** */
}

int host_log(lua_State *L) {
    const struct task_spec *s = &co_of(L)->task->spec;
    const char *text = words(L);
    if (s->log)
        s->log(s->ud, text);
    return 0;
}

int host_progress(lua_State *L) {
    const struct task_spec *s = &co_of(L)->task->spec;
    const char *text = words(L);
    if (s->progress)
        s->progress(s->ud, text);
    else if (s->log)
        s->log(s->ud, text);
    return 0;
}

/* What a script got as a plain text is one from here on, wherever it is printed. */
int host_secret(lua_State *L) {
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len), *why;
    if (!redact_add(text, len, &why)) {
        lua_pushnil(L);
        lua_pushstring(L, why);
        return 2;
    }
    struct arena *a = arena_new();
    lval_push(L, val_secret(a, val_strn(a, text, len)));
    arena_free(a);
    return 1;
}

int host_fail(lua_State *L) {
    static const char *const accepted[] = {"unknown"};
    bool unknown = false;
    lua_settop(L, 2);
    arg_options(L, 2, "ctx.fail", accepted, 1);
    if (lua_istable(L, 2)) {
        lua_getfield(L, 2, "unknown");
        unknown = lua_toboolean(L, -1);
    }
    return co_fail(L, lua_isnil(L, 1) ? "failed, and the script does not say why" : words(L), unknown);
}
