#include "task/host.h"

#include <string.h>

static const int64_t default_timeout_ms = 30 * 1000;

struct call {
    struct op op;
    struct engine_call spec;
    struct engine_request *request;
    struct answer answer;
};

static void on_answer(void *ud, const struct http_result *r) {
    struct call *c = ud;
    c->request = NULL;
    answer_take(&c->answer, &c->op, r);
    op_finished(&c->op);
}

static void call_start(struct op *op) {
    struct call *c = (struct call *)op;
    c->spec.done = on_answer;
    c->spec.ud = c;
    c->request = engines_call(op->co->task->spec.world->engines, &c->spec);
}

static void call_cancel(struct op *op) {
    engines_cancel(((struct call *)op)->request);
}

static int call_push(lua_State *L, struct op *op) {
    return answer_push(L, &((struct call *)op)->answer, op);
}

static const struct op_kind call_kind = {.start = call_start, .cancel = call_cancel, .push = call_push};

/* The body and the options stand at the given indices; body 0: there is none. */
static int call_engine(lua_State *L, const char *name, const char *method, int body, int options) {
    static const char *const accepted[] = {"timeout"};
    if (lua_type(L, 1) != LUA_TUSERDATA || !luaL_testudata(L, 1, "quorate.engine"))
        return luaL_error(L, "%s is called with a colon, on what ctx.docker(node) gives", name);
    const bool changing = strcmp(method, "GET") != 0;
    if (changing)
        co_may_change(L, name);
    struct call *c = op_new(L, &call_kind, sizeof *c);
    struct arena *a = c->op.arena;
    lua_settop(L, options);
    lua_getiuservalue(L, 1, 1);
    c->spec.node = arena_strdup(a, lua_tostring(L, -1));
    const struct text path = arg_text(L, 2, a, "the path");
    if (path.s[0] != '/' || strpbrk(path.s, " \r\n\t"))
        return luaL_error(L, "%s: the path must begin with '/' and have no white space: '%s'", name, path.secret ? "***" : path.s);
    c->spec.method = method;
    c->spec.path = path.s;
    c->spec.body = body ? arg_body(L, body, a, "the body").s : NULL;
    arg_options(L, options, name, accepted, 1);
    c->spec.timeout_ms = arg_timeout(L, options, name, default_timeout_ms);
    c->op.changing = changing;
    c->op.label = arena_printf(a, "%s %s %s", c->spec.node, method, path.secret ? "***" : path.s);
    return op_wait(L, &c->op);
}

int host_engine_get(lua_State *L) {
    return call_engine(L, "engine:get", "GET", 0, 3);
}

int host_engine_post(lua_State *L) {
    return call_engine(L, "engine:post", "POST", 3, 4);
}

int host_engine_delete(lua_State *L) {
    return call_engine(L, "engine:delete", "DELETE", 0, 3);
}

static int no_method(lua_State *L) {
    static const char *const names[] = {"get", "post", "delete", "attach"};
    const char *name = luaL_tolstring(L, 2, NULL);
    return luaL_error(L, "an engine has no '%s'%s (it has: get, post, delete, attach)", name, push_near(L, name, names, 4));
}

static void push_metatable(lua_State *L) {
    if (luaL_getmetatable(L, "quorate.engine") == LUA_TTABLE)
        return;
    lua_pop(L, 1);
    lua_newtable(L);
    ctx_push_methods(L);
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, no_method);
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, -2);
    lua_setfield(L, -2, "__index");
    lua_pushvalue(L, -1);
    lua_setfield(L, LUA_REGISTRYINDEX, "quorate.engine");
}

int host_docker(lua_State *L) {
    static const struct op_kind at_once = {0};
    struct op *op = op_new(L, &at_once, sizeof *op);
    const char *node = arg_node(L, 1, op->arena, "ctx.docker");
    lua_newuserdatauv(L, 0, 1);
    lua_pushstring(L, node);
    lua_setiuservalue(L, -2, 1);
    push_metatable(L);
    lua_setmetatable(L, -2);
    op_free(op);
    return 1;
}
