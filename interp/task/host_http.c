#include "task/host.h"

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

int host_http(lua_State *L) {
    static const char *const accepted[] = {"method", "url", "headers", "body", "timeout", "ca", "insecure"};
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
    r->spec.ca = option(L, a, "ca").s;
    lua_getfield(L, 1, "insecure");
    r->spec.insecure = lua_toboolean(L, -1);
    r->spec.timeout_ms = arg_timeout(L, 1, "ctx.http", default_timeout_ms);
    r->op.label = arena_printf(a, "%s %s", r->spec.method, url.secret ? "***" : url.s);
    return op_wait(L, &r->op);
}
