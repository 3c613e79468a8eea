#include "task/rights.h"

#include "base/redact.h"
#include "value/json.h"

#include <string.h>
#include <strings.h>

static const int64_t default_timeout_ms = 30 * 1000;

struct request {
    struct op op;
    struct http_spec spec;
    struct http_request *request;
    struct answer answer;
};

static void on_answer(void *ud, const struct http_result *result) {
    struct request *r = ud;
    r->request = NULL;
    answer_take(&r->answer, &r->op, result);
    op_finished(&r->op);
}

static void request_start(struct op *op) {
    struct request *r = (struct request *)op;
    r->spec.done = on_answer;
    r->spec.ud = r;
    r->request = http_start(op->co->task->spec.world->http, &r->spec);
}

static void request_cancel(struct op *op) {
    http_cancel(((struct request *)op)->request);
}

static int request_push(lua_State *L, struct op *op) {
    return answer_push(L, &((struct request *)op)->answer, op);
}

static const struct op_kind request_kind = {.start = request_start, .cancel = request_cancel, .push = request_push};

/* The option of that name, as a text; nil: s is NULL. */
static struct text option(lua_State *L, struct arena *a, const char *name) {
    struct text t = {0};
    const char *what = lua_pushfstring(L, "ctx.http: %s", name);
    lua_getfield(L, 1, name);
    if (!lua_isnil(L, -1))
        t = arg_text(L, lua_gettop(L), a, what);
    lua_settop(L, 1);
    return t;
}

static void header_lines(lua_State *L, struct request *r) {
    struct arena *a = r->op.arena;
    lua_getfield(L, 1, "headers");
    const bool given = !lua_isnil(L, -1);
    const struct val *h = given ? arg_val(L, lua_gettop(L), a, "ctx.http: headers") : NULL;
    if (given && h->kind != VAL_MAP)
        luaL_error(L, "ctx.http: headers must be a map from names to texts");
    const size_t n = val_len(h);
    const char **lines = arena_array(a, const char *, n + 2);
    bool typed = false;
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        const struct val_pair *p = &h->map.pairs[i];
        const char *s = val_cstr(p->val);
        if (!s || strpbrk(s, "\r\n") || strpbrk(p->key, ":\r\n "))
            luaL_error(L, "ctx.http: the header '%s' must be a text on one line", p->key);
        lines[k++] = arena_printf(a, "%s: %s", p->key, s);
        typed |= !strcasecmp(p->key, "Content-Type");
    }
    lua_getfield(L, 1, "body");
    if (lua_istable(L, -1) && !typed)
        lines[k++] = "Content-Type: application/json";
    r->spec.headers = lines;
    lua_settop(L, 1);
}

/* Whom to believe, and how long. */
static void trust(lua_State *L, struct request *r, const char *what) {
    r->spec.ca = option(L, r->op.arena, "ca").s;
    lua_getfield(L, 1, "insecure");
    r->spec.insecure = lua_toboolean(L, -1);
    lua_settop(L, 1);
    r->spec.timeout_ms = arg_timeout(L, 1, what, default_timeout_ms);
}

int host_http(lua_State *L) {
    static const char *const accepted[] = {"method", "url", "headers", "body", "timeout", "ca", "insecure", "user", "password", "connect"};
    struct request *r = op_new(L, &request_kind, sizeof *r);
    struct arena *a = r->op.arena;
    lua_settop(L, 1);
    if (!lua_istable(L, 1))
        return luaL_error(L, "ctx.http takes a table, as in ctx.http{ url = \"https://…\" }");
    arg_options(L, 1, "ctx.http", accepted, sizeof accepted / sizeof *accepted);
    const struct text url = option(L, a, "url"), method = option(L, a, "method");
    if (!url.s || (strncmp(url.s, "http://", 7) && strncmp(url.s, "https://", 8)) || strpbrk(url.s, " \r\n\t"))
        return luaL_error(L, "ctx.http: url must begin with http:// or https:// and have no white space");
    r->spec.url = url.s;
    r->spec.method = method.s ? method.s : "GET";
    if (!*r->spec.method || r->spec.method[strspn(r->spec.method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")])
        return luaL_error(L, "ctx.http: method must be a word in capitals, such as GET, and is '%s'", r->spec.method);
    r->op.changing = strcmp(r->spec.method, "GET") && strcmp(r->spec.method, "HEAD");
    if (r->op.changing)
        co_may_change(L, lua_pushfstring(L, "ctx.http with method %s", r->spec.method));
    header_lines(L, r);
    lua_getfield(L, 1, "body");
    const struct text body = arg_body(L, lua_gettop(L), a, "ctx.http: body");
    r->spec.body = body.s;
    r->spec.len = body.len;
    r->spec.connect_to = option(L, a, "connect").s;
    if (r->spec.connect_to && (!strrchr(r->spec.connect_to, ':') || strpbrk(r->spec.connect_to, " \r\n\t/")))
        return luaL_error(L, "ctx.http: connect must be of the form HOST:PORT");
    r->spec.user = option(L, a, "user").s;
    r->spec.password = option(L, a, "password").s;
    trust(L, r, "ctx.http");
    right_need_http(L, "ctx.http", &r->spec);
    r->op.label = arena_printf(a, "%s %s", r->spec.method, url.secret ? "***" : url.s);
    return op_wait(L, &r->op);
}

/* ---- signing in ---- */

/* {ok, token, status, failure, message}; the token is a secret. */
static int login_push(lua_State *L, struct op *op) {
    const struct request *r = (struct request *)op;
    const struct http_result *h = &r->answer.r;
    const struct val *body = NULL;
    const char *token = NULL;
    if (h->failure == HTTP_OK && h->status == 200 && json_parse(op->arena, "answer", h->body, h->len, &body, err_new(op->arena)))
        token = val_get_str(body, "auth_token", NULL);
    answer_push(L, &r->answer, op);
    lua_pushnil(L); /* what it says may be the token */
    lua_setfield(L, -2, "body");
    lua_pushboolean(L, token != NULL);
    lua_setfield(L, -2, "ok");
    const char *why;
    if (token && !redact_add(token, strlen(token), &why))
        return luaL_error(L, "ctx.login: the token cannot be used: %s", why);
    if (token) {
        lval_push(L, val_secret(op->arena, val_str(op->arena, token)));
        lua_setfield(L, -2, "token");
    } else if (h->failure == HTTP_OK && h->status == 200) {
        lua_pushstring(L, "the answer has no auth_token: this is no UCP");
        lua_setfield(L, -2, "message");
    }
    return 1;
}

static const struct op_kind login_kind = {.start = request_start, .cancel = request_cancel, .push = login_push};

/* In probes too: it begins a session of UCP and changes nothing else. */
int host_login(lua_State *L) {
    static const char *const accepted[] = {"url", "username", "password", "timeout", "ca", "insecure"};
    static const char *const headers[] = {"Content-Type: application/json", NULL};
    struct request *r = op_new(L, &login_kind, sizeof *r);
    struct arena *a = r->op.arena;
    lua_settop(L, 1);
    if (!lua_istable(L, 1))
        return luaL_error(L, "ctx.login takes a table, as in ctx.login{ url = \"https://…\", username = …, password = … }");
    arg_options(L, 1, "ctx.login", accepted, sizeof accepted / sizeof *accepted);
    const struct text url = option(L, a, "url"), user = option(L, a, "username"), password = option(L, a, "password");
    if (!url.s || strncmp(url.s, "https://", 8) || strpbrk(url.s, " \r\n\t"))
        return luaL_error(L, "ctx.login: url must begin with https:// and have no white space");
    if (!user.s || !password.s)
        return luaL_error(L, "ctx.login: username and password are wanted");
    struct val *body = val_map_new(a);
    val_map_set(a, body, "username", val_strn(a, user.s, user.len));
    val_map_set(a, body, "password", val_strn(a, password.s, password.len));
    struct buf b = BUF_INIT;
    json_print(body, JSON_COMPACT, &b);
    r->spec = (struct http_spec){.method = "POST", .url = arena_printf(a, "%s/auth/login", url.s), .headers = headers, .body = arena_strndup(a, b.data, b.len),
                                 .len = b.len};
    explicit_bzero(b.data, b.len);
    buf_done(&b);
    trust(L, r, "ctx.login");
    right_need_http(L, "ctx.login", &r->spec);
    r->op.label = arena_printf(a, "POST %s", r->spec.url);
    return op_wait(L, &r->op);
}
