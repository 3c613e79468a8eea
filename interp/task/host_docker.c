#include "task/rights.h"

#include <string.h>

static const int64_t default_timeout_ms = 30 * 1000, file_timeout_ms = 3600 * 1000;

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

/* The path of a file on the operator's machine among the options, or NULL. */
static const char *file_option(lua_State *L, struct arena *a, int options, const char *key, const char *name) {
    if (!key || !lua_istable(L, options))
        return NULL;
    lua_getfield(L, options, key);
    const char *path = NULL;
    if (!lua_isnil(L, -1)) {
        const char *what = lua_pushfstring(L, "%s: %s", name, key);
        path = arg_text(L, lua_gettop(L) - 1, a, what).s;
        if (!*path)
            luaL_error(L, "%s is an empty path", what);
    }
    lua_settop(L, options);
    return path;
}

/* The body and the options stand at the given indices; body 0: there is none. file: the option that names a file, for the body that is sent or, of
 * GET, for that of the answer; or NULL. */
static int call_engine(lua_State *L, const char *name, const char *method, int body, int options, const char *file) {
    const char *const accepted[] = {"timeout", file};
    if (lua_type(L, 1) != LUA_TUSERDATA || !luaL_testudata(L, 1, "quorate.engine"))
        return luaL_error(L, "%s is called with a colon, on what ctx.docker(node) gives", name);
    const bool changing = strcmp(method, "GET") != 0;
    if (changing)
        co_may_change(L, name);
    right_need(L, name, changing ? "docker.write" : "docker.read");
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
    if (body && lua_istable(L, body) && !strncmp(path.s, "/containers/create", 18)) { /* Cmd is argv on that machine */
        const struct val *v = arg_val(L, body, a, "the body");
        if (arg_tells(val_get(v, "Cmd")) || arg_tells(val_get(v, "Entrypoint")))
            return luaL_error(L, "%s: the container's argv holds a secret, and everybody on the machine could read it there; hand it over by Env or stdin", name);
    }
    c->spec.body = body ? arg_body(L, body, a, "the body").s : NULL;
    lua_settop(L, options);
    arg_options(L, options, name, accepted, file ? 2 : 1);
    const char *file_path = file_option(L, a, options, file, name);
    if (file_path && !changing) {
        co_may_change(L, lua_pushfstring(L, "%s with '%s'", name, file));
        c->spec.to_file = file_path;
    } else if (file_path && c->spec.body) {
        return luaL_error(L, "%s: '%s' is the body, so the body beside it must be nil", name, file);
    } else {
        c->spec.body_file = file_path;
    }
    c->spec.timeout_ms = arg_timeout(L, options, name, file_path ? file_timeout_ms : default_timeout_ms);
    c->op.changing = changing;
    c->op.label = arena_printf(a, "%s %s %s", c->spec.node, method, path.secret ? "***" : path.s);
    return op_wait(L, &c->op);
}

int host_engine_get(lua_State *L) {
    return call_engine(L, "engine:get", "GET", 0, 3, "to");
}

int host_engine_post(lua_State *L) {
    return call_engine(L, "engine:post", "POST", 3, 4, "file");
}

int host_engine_delete(lua_State *L) {
    return call_engine(L, "engine:delete", "DELETE", 0, 3, NULL);
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
