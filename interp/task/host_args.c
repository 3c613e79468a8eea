#include "task/host.h"

#include "base/map.h"
#include "base/redact.h"
#include "lua/box.h"
#include "value/json.h"

#include <math.h>
#include <string.h>

struct text arg_text(lua_State *L, int idx, struct arena *a, const char *what) {
    const struct val *v = NULL;
    struct text t = {0};
    if (lua_type(L, idx) == LUA_TSTRING) {
        t.s = lua_tolstring(L, idx, &t.len);
        t.s = arena_strndup(a, t.s, t.len);
    } else if (lua_type(L, idx) == LUA_TUSERDATA && lval_to(L, idx, a, what, &v, err_new(a)) && v->kind == VAL_STRING) {
        t = (struct text){.s = v->string.s, .len = v->string.len, .secret = v->secret};
    } else {
        luaL_error(L, "%s must be a string, and is a %s", what, v ? val_kind_name(v->kind) + 2 : luaL_typename(L, idx));
    }
    if (strlen(t.s) != t.len)
        luaL_error(L, "%s has a NUL byte in it", what);
    return t;
}

/* The text of the first value below v that is not known, or NULL. */
static const char *not_known(const struct val *v) {
    const char *text = val_unobserved_why(v);
    if (!text)
        text = val_unknown_provider(v);
    for (size_t i = 0; !text && i < val_len(v); i++)
        text = not_known(v->kind == VAL_MAP ? v->map.pairs[i].val : v->list.items[i]);
    return text;
}

const struct val *arg_val(lua_State *L, int idx, struct arena *a, const char *what) {
    const struct val *v = NULL;
    struct err *err = err_new(a);
    if (!lval_to(L, idx, a, what, &v, err))
        luaL_error(L, "%s", err->first->message);
    const char *text = not_known(v);
    if (text)
        luaL_error(L, "%s holds a value that was not observed: %s", what, text);
    return v;
}

static bool has_secret(const struct val *v) {
    bool found = v->secret;
    for (size_t i = 0; !found && i < val_len(v); i++)
        found = has_secret(v->kind == VAL_MAP ? v->map.pairs[i].val : v->list.items[i]);
    return found;
}

bool arg_tells(const struct val *v) {
    bool tells = v && (v->secret || (v->kind == VAL_STRING && redact_found(v->string.s, v->string.len)));
    for (size_t i = 0; !tells && i < val_len(v); i++)
        tells = arg_tells(v->kind == VAL_MAP ? v->map.pairs[i].val : v->list.items[i]);
    return tells;
}

struct text arg_body(lua_State *L, int idx, struct arena *a, const char *what) {
    if (lua_isnoneornil(L, idx))
        return (struct text){0};
    const struct val *v = arg_val(L, idx, a, what);
    if (v->kind == VAL_STRING)
        return (struct text){.s = v->string.s, .len = v->string.len, .secret = v->secret};
    struct buf b = BUF_INIT;
    json_print(v, JSON_COMPACT | JSON_SHOW_SECRETS, &b);
    const struct text t = {.s = arena_strndup(a, b.data, b.len), .len = b.len, .secret = has_secret(v)};
    buf_done(&b);
    return t;
}

const char *push_near(lua_State *L, const char *word, const char *const *names, size_t n) {
    const char *near = nearest_name(word, names, n);
    return near ? lua_pushfstring(L, "; did you mean '%s'?", near) : lua_pushliteral(L, "");
}

static const char *push_names(lua_State *L, const char *const *names, size_t n) {
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    for (size_t i = 0; i < n && i < 12; i++) {
        luaL_addstring(&b, i ? ", " : "");
        luaL_addstring(&b, names[i]);
    }
    luaL_addstring(&b, n > 12 ? ", …" : n ? "" : "none");
    luaL_pushresult(&b);
    return lua_tostring(L, -1);
}

void arg_options(lua_State *L, int idx, const char *what, const char *const *names, size_t n) {
    if (lua_isnoneornil(L, idx))
        return;
    if (!lua_istable(L, idx))
        luaL_error(L, "%s must be a table, and is a %s", what, luaL_typename(L, idx));
    for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1)) {
        const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "[]";
        bool known = false;
        for (size_t i = 0; i < n; i++)
            known |= !strcmp(names[i], key);
        if (!known) {
            const char *list = push_names(L, names, n);
            luaL_error(L, "%s: unknown option '%s'%s (accepted: %s)", what, key, push_near(L, key, names, n), list);
        }
    }
}

int64_t arg_timeout(lua_State *L, int idx, const char *what, int64_t fallback_ms) {
    if (lua_isnoneornil(L, idx))
        return fallback_ms;
    lua_getfield(L, idx, "timeout");
    const bool given = !lua_isnil(L, -1);
    const double seconds = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : 0;
    if (given && !(isfinite(seconds) && seconds > 0 && seconds < 1e9))
        luaL_error(L, "%s: timeout must be a number of seconds", what);
    lua_pop(L, 1);
    return given ? (int64_t)(seconds * 1000 + 0.5) + (seconds < 0.001) : fallback_ms;
}

const char *arg_node(lua_State *L, int idx, struct arena *a, const char *what) {
    const struct task_world *w = co_of(L)->task->spec.world;
    const char *name = arg_text(L, idx, a, what).s;
    if (w->engines && engines_has(w->engines, name))
        return name;
    const size_t n = val_is(w->nodes, VAL_MAP) ? val_len(w->nodes) : 0;
    const char **names = arena_array(a, const char *, n + 1);
    for (size_t i = 0; i < n; i++)
        names[i] = w->nodes->map.pairs[i].key;
    const char *list = push_names(L, names, n);
    luaL_error(L, "%s: unknown node '%s'%s (the site has: %s)", what, name, push_near(L, name, names, n), list);
    return NULL;
}
