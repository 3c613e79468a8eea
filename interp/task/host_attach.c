#include "task/rights.h"

#include "io/attach.h"

#include <string.h>

static const int64_t default_timeout_ms = 3600 * 1000;

struct attaching {
    struct op op;
    struct attach_spec spec;
    struct attach *attach;
    struct answer answer;      /* of a refusal, or what went wrong on the way */
    const char *out, *err;     /* what was kept */
    size_t out_len, err_len;
    uint64_t bytes;
    char sha256[65];
    bool streamed;             /* attached, and the container has closed its streams */
};

/* Lines of a container go to the run's log as they come. */
static void on_line(void *ud, bool is_err, const char *line, size_t len) {
    const struct attaching *at = ud;
    const struct task_spec *spec = &at->op.co->task->spec;
    (void)is_err;
    char text[4097]; /* no line is longer */
    while (len && line[len - 1] == '\r')
        len--;
    if (!spec->log || !len)
        return;
    memcpy(text, line, len);
    text[len] = 0;
    spec->log(spec->ud, text);
}

static void on_done(void *ud, const struct attach_result *r) {
    struct attaching *at = ud;
    struct arena *a = at->op.arena;
    at->attach = NULL;
    const struct http_result as_answer = {.failure = r->failure, .message = r->message, .status = r->status, .body = r->body, .len = r->body_len, .sent = r->started};
    answer_take(&at->answer, &at->op, &as_answer);
    at->streamed = r->failure == HTTP_OK && (r->status == 101 || r->status == 200);
    /* what a container was sent may have had an effect, too */
    at->op.touched = r->started || (at->spec.start && at->streamed) || r->status == 101 || r->status == 200;
    at->out = arena_strndup(a, r->out->data, r->out->len);
    at->out_len = r->out->len;
    at->err = arena_strndup(a, r->err->data, r->err->len);
    at->err_len = r->err->len;
    at->bytes = r->bytes;
    memcpy(at->sha256, r->sha256, sizeof at->sha256);
    op_finished(&at->op);
}

static void attaching_start(struct op *op) {
    struct attaching *at = (struct attaching *)op;
    const struct task_world *w = op->co->task->spec.world;
    at->spec.line = on_line;
    at->spec.done = on_done;
    at->spec.ud = at;
    at->attach = attach_start(w->loop, w->engines, &at->spec);
}

static void attaching_cancel(struct op *op) {
    attach_cancel(((struct attaching *)op)->attach);
}

static int attaching_push(lua_State *L, struct op *op) {
    const struct attaching *at = (struct attaching *)op;
    if (at->streamed) { /* 101 is no 2xx */
        lua_createtable(L, 0, 6);
        lua_pushboolean(L, true);
        lua_setfield(L, -2, "ok");
        lua_pushinteger(L, at->answer.r.status);
        lua_setfield(L, -2, "status");
    } else {
        answer_push(L, &at->answer, op);
    }
    if (!at->spec.output_file) {
        lua_pushlstring(L, at->out, at->out_len);
        lua_setfield(L, -2, "stdout");
    }
    lua_pushlstring(L, at->err, at->err_len);
    lua_setfield(L, -2, "stderr");
    lua_pushinteger(L, (lua_Integer)at->bytes);
    lua_setfield(L, -2, "bytes");
    lua_pushstring(L, at->sha256);
    lua_setfield(L, -2, "sha256");
    return 1;
}

static const struct op_kind attaching_kind = {.start = attaching_start, .cancel = attaching_cancel, .push = attaching_push};

static struct text option(lua_State *L, struct arena *a, const char *name) {
    struct text t = {0};
    const char *what = lua_pushfstring(L, "engine:attach: %s", name);
    lua_getfield(L, 3, name);
    if (!lua_isnil(L, -1))
        t = arg_text(L, lua_gettop(L), a, what);
    lua_settop(L, 3);
    return t;
}

/* A file that is not there is told by what opens it. */
static const char *file_path(lua_State *L, struct op *op, const char *path, enum right_use use) {
    const char *why, *real = right_path(L, "engine:attach", op, path, use, &why);
    if (!real)
        luaL_error(L, "engine:attach: %s", why);
    return real;
}

int host_engine_attach(lua_State *L) {
    static const char *const accepted[] = {"start", "stdin", "stdin_text", "stdout", "timeout"};
    if (lua_type(L, 1) != LUA_TUSERDATA || !luaL_testudata(L, 1, "quorate.engine"))
        return luaL_error(L, "engine:attach is called with a colon, on what ctx.docker(node) gives");
    co_may_change(L, "engine:attach");
    right_need(L, "engine:attach", "docker.write");
    struct attaching *at = op_new(L, &attaching_kind, sizeof *at);
    struct arena *a = at->op.arena;
    lua_settop(L, 3);
    arg_options(L, 3, "engine:attach", accepted, sizeof accepted / sizeof *accepted);
    lua_getiuservalue(L, 1, 1);
    at->spec.node = arena_strdup(a, lua_tostring(L, -1));
    lua_settop(L, 3);
    const struct text id = arg_text(L, 2, a, "the container");
    if (id.secret || !*id.s || id.s[strspn(id.s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-")] || strlen(id.s) > 128)
        return luaL_error(L, "engine:attach: '%s' is neither the ID nor the name of a container", id.secret ? "***" : id.s);
    at->spec.container = id.s;
    if (lua_istable(L, 3)) {
        lua_getfield(L, 3, "start");
        at->spec.start = lua_toboolean(L, -1);
        lua_settop(L, 3);
        const struct text file = option(L, a, "stdin"), input = option(L, a, "stdin_text"), out = option(L, a, "stdout");
        if (file.s && input.s)
            return luaL_error(L, "engine:attach: stdin is a file and stdin_text a text; only one of them can be given");
        at->spec.input_file = file.s ? file_path(L, &at->op, file.s, RIGHT_READ) : NULL;
        at->spec.input = input.s;
        at->spec.input_len = input.len;
        at->spec.output_file = out.s ? file_path(L, &at->op, out.s, RIGHT_WRITE) : NULL;
    }
    at->spec.timeout_ms = arg_timeout(L, 3, "engine:attach", default_timeout_ms);
    at->op.changing = true;
    at->op.label = arena_printf(a, "%s container %s", at->spec.node, id.s);
    return op_wait(L, &at->op);
}
