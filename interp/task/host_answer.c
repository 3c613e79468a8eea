#include "task/host.h"

#include "base/redact.h"
#include "value/json.h"

#include <string.h>

static const size_t max_words = 2000; /* bytes of a plain answer that are taken for a message */

void answer_take(struct answer *ans, struct op *op, const struct http_result *r) {
    struct arena *a = op->arena;
    ans->r = *r;
    ans->r.message = arena_strdup(a, r->message ? r->message : "");
    ans->r.body = arena_strndup(a, r->body ? r->body : "", r->len);
    ans->r.date = r->date ? arena_strdup(a, r->date) : NULL;
    ans->r.api_version = NULL;
    /* 4xx is a refusal: the request was not carried out */
    op->touched = r->sent && !(r->failure == HTTP_OK && r->status >= 400 && r->status < 500);
}

/* Docker says {"message": …}, UCP and DTR {"errors": [{"message": …}]}. */
static const char *words_of(struct arena *a, const struct answer *ans, const struct val *body) {
    const struct http_result *r = &ans->r;
    if (r->failure != HTTP_OK)
        return *r->message ? r->message : http_failure_name(r->failure);
    const char *s = val_get_str(body, "message", NULL);
    if (!s)
        s = val_get_str(val_at(val_get(body, "errors"), 0), "message", NULL);
    if (s)
        return s;
    size_t n = r->len < max_words ? r->len : max_words;
    while (n && (r->body[n - 1] == '\n' || r->body[n - 1] == '\r' || r->body[n - 1] == ' '))
        n--;
    return n ? arena_strndup(a, r->body, n) : arena_printf(a, "status %ld without a text", r->status);
}

/* What an engine hands out that nobody else may read: whichever script asked for it, it is known from here on. */
static void know_tokens(lua_State *L, const struct val *body) {
    const struct val *join = val_get(body, "JoinTokens");
    const char *const tokens[] = {val_get_str(join, "Worker", ""), val_get_str(join, "Manager", ""), val_get_str(body, "UnlockKey", "")}, *why;
    for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++)
        if (*tokens[i] && !redact_add(tokens[i], strlen(tokens[i]), &why))
            luaL_error(L, "a token that the engine gave cannot be used: %s", why);
}

int answer_push(lua_State *L, const struct answer *ans, struct op *op) {
    const struct http_result *r = &ans->r;
    struct arena *a = op->arena;
    const bool answered = r->failure == HTTP_OK, ok = answered && r->status >= 200 && r->status < 300;
    const struct val *body = NULL;
    if (!answered || !r->len || !json_parse(a, "answer", r->body, r->len, &body, err_new(a)))
        body = NULL;
    know_tokens(L, body);
    lua_createtable(L, 0, 8);
    lua_pushboolean(L, ok);
    lua_setfield(L, -2, "ok");
    if (answered) {
        lua_pushinteger(L, r->status);
        lua_setfield(L, -2, "status");
    } else {
        lua_pushstring(L, http_failure_name(r->failure));
        lua_setfield(L, -2, "failure");
    }
    if (body)
        lval_push(L, body);
    else
        lua_pushlstring(L, r->body, answered ? r->len : 0);
    lua_setfield(L, -2, "body");
    if (!ok) {
        lua_pushstring(L, words_of(a, ans, body));
        lua_setfield(L, -2, "message");
    }
    if (r->file_bytes) {
        lua_pushinteger(L, (lua_Integer)r->file_bytes);
        lua_setfield(L, -2, "bytes");
    }
    if (r->date) {
        lua_pushstring(L, r->date);
        lua_setfield(L, -2, "date");
    }
    lua_pushboolean(L, answered || r->sent);
    lua_setfield(L, -2, "sent");
    lua_pushnumber(L, (lua_Number)r->elapsed_ms / 1000);
    lua_setfield(L, -2, "elapsed");
    return 1;
}
