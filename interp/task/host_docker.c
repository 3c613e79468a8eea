#include "task/host.h"

#include <string.h>

struct call {
    struct task *task;
    struct engine_request *request;
    bool changes;
};

static void answered(void *ud, const struct http_result *r) {
    struct call *c = ud;
    struct task *t = c->task;
    if (c->changes && (r->failure == HTTP_OK || !r->sent))
        t->root->changing = false; /* it is known what became of it */
    host_push_answer(t, r);
    task_resume(t, 1);
}

static void cancel_call(struct task *t) {
    struct call *c = t->op;
    t->cancel = NULL;
    engines_cancel(c->request);
}

/* upvalues: task, node, method. engine:get(path[, opts]), engine:post(path, body[, opts]), engine:delete(path[, opts]) */
static int engine_call(lua_State *L) {
    struct task *t = host_current(L);
    const char *method = lua_tostring(L, lua_upvalueindex(3));
    const char *path = luaL_checkstring(L, 2);
    const bool post = !strcmp(method, "POST"), reads = !strcmp(method, "GET");
    const int opts = post ? 4 : 3;
    luaL_argcheck(L, *path == '/', 2, "a path begins with /");
    if (!reads && t->spec.rights == TASK_READ)
        return luaL_error(L, "%s %s changes the world, and a probe can only read", method, path);
    bool json;
    const char *body = post ? host_body(L, t, 3, &json) : NULL;
    struct call *c = arena_new_of(t->arena, struct call);
    *c = (struct call){.task = t, .changes = !reads};
    const struct engine_call call = {.node = lua_tostring(L, lua_upvalueindex(2)), .method = method, .path = path, .body = body,
                                     .timeout_ms = host_seconds(L, opts, "timeout", 0), .done = answered, .ud = c};
    if (!reads)
        t->root->changing = true;
    c->request = engines_call(t->spec.world->engines, &call);
    return host_wait(L, t, c, cancel_call);
}

static int docker(lua_State *L) {
    struct task *t = host_task(L);
    const char *node = luaL_checkstring(L, 1);
    if (!engines_has(t->spec.world->engines, node))
        return luaL_error(L, "the site has no node '%s'", node);
    static const char *const methods[][2] = {{"get", "GET"}, {"post", "POST"}, {"delete", "DELETE"}};
    lua_createtable(L, 0, 3);
    for (size_t i = 0; i < 3; i++) {
        lua_pushlightuserdata(L, t);
        lua_pushvalue(L, 1);
        lua_pushstring(L, methods[i][1]);
        lua_pushcclosure(L, engine_call, 3);
        lua_setfield(L, -2, methods[i][0]);
    }
    return 1;
}

const struct host_function host_docker[] = {
    {"docker", "node", "→ the node's engine: engine:get(path[, opts]) engine:post(path, body[, opts]) engine:delete(path[, opts]); opts {timeout = seconds}; "
                       "→ {ok, status, body, message, failure, date, sent, elapsed}", docker, false},
    {0},
};
