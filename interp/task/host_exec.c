#include "task/host.h"

#include "io/process.h"
#include "lua/lval.h"

#include <string.h>

struct command {
    struct task *task;
    struct process *process;
};

static const char *const *words(lua_State *L, struct task *t, const char *key) {
    lua_getfield(L, 1, key);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        return NULL;
    }
    struct err *errs = err_new(t->arena);
    const struct val *v;
    if (!lval_to(L, -1, t->arena, key, &v, errs) || (v->kind != VAL_LIST && v->kind != VAL_MAP))
        luaL_error(L, "ctx.exec: %s is not a table of texts", key);
    const char **out = arena_array(t->arena, const char *, val_len(v) + 1);
    for (size_t i = 0; i < val_len(v); i++) {
        const struct val *w = v->kind == VAL_LIST ? v->list.items[i] : v->map.pairs[i].val;
        struct buf b = BUF_INIT;
        if (w->kind == VAL_STRING)
            buf_add(&b, w->string.s, w->string.len);
        else
            val_show(w, &b, 0);
        const bool secret = w->secret && v->kind == VAL_LIST;
        out[i] = v->kind == VAL_LIST ? arena_strdup(t->arena, b.data) : arena_printf(t->arena, "%s=%s", v->map.pairs[i].key, b.data);
        buf_done(&b);
        if (secret)
            luaL_error(L, "ctx.exec: a secret must not stand among the arguments, where everybody sees it: use env or stdin");
    }
    lua_pop(L, 1);
    return out;
}

static void ended(void *ud, const struct process_result *r) {
    struct command *c = ud;
    struct task *t = c->task;
    lua_State *co = t->co;
    const bool known = !r->timed_out && !r->cancelled;
    if (known)
        t->root->changing = false;
    lua_createtable(co, 0, 6);
    lua_pushboolean(co, !r->error && known && !r->exit_status && !r->signal);
    lua_setfield(co, -2, "ok");
    lua_pushinteger(co, r->exit_status);
    lua_setfield(co, -2, "status");
    lua_pushlstring(co, r->out.data, r->out.len);
    lua_setfield(co, -2, "stdout");
    lua_pushlstring(co, r->err.data, r->err.len);
    lua_setfield(co, -2, "stderr");
    const char *message = r->error ? r->error : r->timed_out ? "it did not end in time" : r->err.len ? r->err.data : "";
    lua_pushstring(co, message);
    lua_setfield(co, -2, "message");
    if (r->error || !known) {
        lua_pushstring(co, r->error ? "start" : r->timed_out ? "timeout" : "cancelled");
        lua_setfield(co, -2, "failure");
    }
    task_resume(t, 1);
}

static void cancel_command(struct task *t) {
    struct command *c = t->op;
    t->cancel = NULL;
    process_cancel(c->process);
}

static int host_exec_call(lua_State *L) {
    struct task *t = host_current(L);
    luaL_checktype(L, 1, LUA_TTABLE);
    const char *const *argv = words(L, t, "argv");
    if (!argv || !argv[0])
        return luaL_error(L, "ctx.exec needs argv = {program, …}");
    lua_getfield(L, 1, "on");
    const char *on = lua_tostring(L, -1);
    if (on && !engines_has(t->spec.world->engines, on))
        return luaL_error(L, "the site has no node '%s'", on);
    if (on && !(argv = engines_argv(t->spec.world->engines, on, argv, t->arena)))
        return luaL_error(L, "no shell reaches '%s': the site gives it neither unix:// nor ssh://", on);
    lua_getfield(L, 1, "stdin");
    bool json;
    const char *input = host_body(L, t, lua_gettop(L), &json);
    struct command *c = arena_new_of(t->arena, struct command);
    c->task = t;
    const struct process_spec spec = {.argv = argv, .env = words(L, t, "env"), .input = input, .input_len = input ? strlen(input) : 0,
                                      .timeout_ms = host_seconds(L, 1, "timeout", 60 * 1000), .done = ended, .ud = c};
    t->root->changing = true;
    c->process = process_start(t->spec.world->loop, &spec);
    return host_wait(L, t, c, cancel_command);
}

const struct host_function host_exec[] = {
    {"exec", "{argv, on, stdin, env, timeout}", "runs a program here or on a node; → {ok, status, stdout, stderr, message, failure}", host_exec_call, true},
    {0},
};
