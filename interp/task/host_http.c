#include "task/host.h"

#include "lua/lval.h"
#include "value/json.h"

#include <string.h>

/* ---- shared with the Docker calls ---- */

int64_t host_seconds(lua_State *L, int idx, const char *key, int64_t fallback_ms) {
    if (!lua_istable(L, idx))
        return fallback_ms;
    lua_getfield(L, idx, key);
    const lua_Number n = lua_isnil(L, -1) ? -1 : luaL_checknumber(L, -1);
    lua_pop(L, 1);
    return n > 0 ? (int64_t)(n * 1000) : fallback_ms;
}

const char *host_body(lua_State *L, struct task *t, int idx, bool *ret_json) {
    *ret_json = false;
    if (lua_isnoneornil(L, idx))
        return NULL;
    struct err *errs = err_new(t->arena);
    const struct val *v;
    if (!lval_to(L, idx, t->arena, "the body", &v, errs))
        luaL_error(L, "%s", errs->first->message);
    if (v->kind == VAL_STRING)
        return v->string.s;
    struct buf b = BUF_INIT;
    json_print(v, JSON_SHOW_SECRETS, &b);
    const char *s = arena_strndup(t->arena, b.data, b.len);
    buf_done(&b);
    *ret_json = true;
    return s;
}

static void push_body(struct task *t, const struct http_result *r) {
    lua_State *co = t->co;
    const struct val *v = NULL;
    const char first = r->len ? r->body[0] : 0;
    if ((first == '{' || first == '[' || first == '"' || first == 'n') && json_parse(t->arena, "answer", r->body, r->len, &v, err_new(t->arena)))
        lval_push(co, v);
    else
        lua_pushlstring(co, r->body ? r->body : "", r->len);
}

/* Docker says {"message": "…"}. */
static void push_message(struct task *t, const struct http_result *r) {
    lua_State *co = t->co;
    if (r->failure != HTTP_OK) {
        lua_pushstring(co, r->message && *r->message ? r->message : http_failure_name(r->failure));
        return;
    }
    lua_getfield(co, -1, "body");
    if (lua_istable(co, -1)) {
        lua_getfield(co, -1, "message");
        lua_remove(co, -2);
        if (lua_type(co, -1) == LUA_TSTRING)
            return;
    } else if (lua_type(co, -1) == LUA_TSTRING && lua_rawlen(co, -1) && lua_rawlen(co, -1) < 1000) {
        return;
    }
    lua_pop(co, 1);
    lua_pushfstring(co, "HTTP status %d", (int)r->status);
}

void host_push_answer(struct task *t, const struct http_result *r) {
    lua_State *co = t->co;
    lua_createtable(co, 0, 9);
    lua_pushboolean(co, r->failure == HTTP_OK && r->status >= 200 && r->status < 300);
    lua_setfield(co, -2, "ok");
    lua_pushinteger(co, r->status);
    lua_setfield(co, -2, "status");
    push_body(t, r);
    lua_setfield(co, -2, "body");
    push_message(t, r);
    lua_setfield(co, -2, "message");
    if (r->failure != HTTP_OK) {
        lua_pushstring(co, http_failure_name(r->failure));
        lua_setfield(co, -2, "failure");
    }
    if (r->date) {
        lua_pushstring(co, r->date);
        lua_setfield(co, -2, "date");
    }
    lua_pushboolean(co, r->sent);
    lua_setfield(co, -2, "sent");
    lua_pushnumber(co, (lua_Number)r->elapsed_ms / 1000);
    lua_setfield(co, -2, "elapsed");
}

/* ---- ctx.http ---- */

struct exchange {
    struct task *task;
    struct http_request *request;
    bool changes;
};

static void answered(void *ud, const struct http_result *r) {
    struct exchange *x = ud;
    struct task *t = x->task;
    if (x->changes && (r->failure == HTTP_OK || !r->sent))
        t->root->changing = false;
    host_push_answer(t, r);
    task_resume(t, 1);
}

static void cancel_exchange(struct task *t) {
    struct exchange *x = t->op;
    t->cancel = NULL;
    http_cancel(x->request);
}

static const char *text_field(lua_State *L, struct task *t, const char *key) {
    lua_getfield(L, 1, key);
    const char *s = lua_isnil(L, -1) ? NULL : arena_strdup(t->arena, luaL_checkstring(L, -1));
    lua_pop(L, 1);
    return s;
}

static const char *const *header_lines(lua_State *L, struct task *t, bool json) {
    const char **lines = arena_array(t->arena, const char *, 66);
    size_t n = 0;
    if (json)
        lines[n++] = "Content-Type: application/json";
    lua_getfield(L, 1, "headers");
    if (lua_istable(L, -1))
        for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
            struct err *errs = err_new(t->arena);
            const struct val *v;
            if (lua_type(L, -2) != LUA_TSTRING || !lval_to(L, -1, t->arena, "a header", &v, errs) || !val_cstr(v) || n >= 64)
                luaL_error(L, "headers are a table from names to texts");
            if (strpbrk(lua_tostring(L, -2), "\r\n:") || strpbrk(val_cstr(v), "\r\n"))
                luaL_error(L, "a header must not have line ends in it");
            lines[n++] = arena_printf(t->arena, "%s: %s", lua_tostring(L, -2), val_cstr(v));
        }
    lua_pop(L, 1);
    return lines;
}

static int host_http_call(lua_State *L) {
    struct task *t = host_current(L);
    luaL_checktype(L, 1, LUA_TTABLE);
    struct http_spec spec = {.method = text_field(L, t, "method"), .url = text_field(L, t, "url"), .ca = text_field(L, t, "ca"),
                             .timeout_ms = host_seconds(L, 1, "timeout", 0)};
    if (!spec.method)
        spec.method = "GET";
    if (!spec.url || (strncmp(spec.url, "http://", 7) && strncmp(spec.url, "https://", 8)))
        return luaL_error(L, "ctx.http needs a url that begins with http:// or https://");
    const bool reads = !strcmp(spec.method, "GET") || !strcmp(spec.method, "HEAD");
    if (!reads && t->spec.rights == TASK_READ)
        return luaL_error(L, "%s %s changes the world, and a probe can only read", spec.method, spec.url);
    lua_getfield(L, 1, "insecure");
    spec.insecure = lua_toboolean(L, -1);
    lua_getfield(L, 1, "body");
    bool json;
    spec.body = host_body(L, t, lua_gettop(L), &json);
    spec.len = spec.body ? strlen(spec.body) : 0;
    spec.headers = header_lines(L, t, json);
    struct exchange *x = arena_new_of(t->arena, struct exchange);
    *x = (struct exchange){.task = t, .changes = !reads};
    spec.done = answered;
    spec.ud = x;
    if (!reads)
        t->root->changing = true;
    x->request = http_start(t->spec.world->http, &spec);
    return host_wait(L, t, x, cancel_exchange);
}

const struct host_function host_http[] = {
    {"http", "{method, url, headers, body, timeout, ca, insecure}", "→ {ok, status, body, message, failure, date, sent, elapsed}; probes: GET and HEAD only",
     host_http_call, false},
    {0},
};
