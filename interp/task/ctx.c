#include "task/host.h"

#include "lua/lval.h"

const struct host_function *const host_families[] = {host_docker, host_http, host_exec, host_file, host_time, host_all, host_log, NULL};

struct task *host_task(lua_State *L) {
    return lua_touserdata(L, lua_upvalueindex(1));
}

static struct task *with_coroutine(struct task *t, const lua_State *L) {
    if (t->co == L)
        return t;
    for (struct task *c = t->first_child; c; c = c->next_child) {
        struct task *found = c->over ? NULL : with_coroutine(c, L);
        if (found)
            return found;
    }
    return NULL;
}

struct task *host_current(lua_State *L) {
    struct task *t = with_coroutine(host_task(L), L);
    if (!t)
        luaL_error(L, "ctx belongs to a task that is over, or to another one");
    return t;
}

/* In place of a function that a probe does not have. */
static int not_here(lua_State *L) {
    return luaL_error(L, "ctx.%s changes the world, and a probe can only read", lua_tostring(L, lua_upvalueindex(2)));
}

static void push_data(lua_State *L, const struct val *v, const char *key) {
    if (v)
        lval_push(L, v);
    else
        lua_newtable(L);
    lval_push_view(L, -1);
    lua_remove(L, -2);
    lua_setfield(L, -2, key);
}

void ctx_push(struct task *t) {
    lua_State *L = t->co;
    lua_newtable(L);
    for (size_t f = 0; host_families[f]; f++)
        for (const struct host_function *h = host_families[f]; h->name; h++) {
            lua_pushlightuserdata(L, t);
            if (h->changes && t->spec.rights == TASK_READ) {
                lua_pushstring(L, h->name);
                lua_pushcclosure(L, not_here, 2);
            } else {
                lua_pushcclosure(L, h->fn, 1);
            }
            lua_setfield(L, -2, h->name);
        }
    const struct task_world *w = t->spec.world;
    push_data(L, w->nodes, "nodes");
    push_data(L, w->site, "site");
    push_data(L, w->run, "run");
}
