#include "lua/lval.h"

#include "lua/box_priv.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { max_depth = 64, max_nodes = 1000000 };

void lval_mark_list(lua_State *L, int idx) {
    idx = lua_absindex(L, idx);
    lua_rawgeti(L, LUA_REGISTRYINDEX, box_of(L)->lists);
    lua_setmetatable(L, idx);
}

bool lval_is_list(lua_State *L, int idx) {
    return box_has_mt(L, idx, box_of(L)->mt_list) || lua_rawlen(L, idx) > 0;
}

/* --- val → Lua --- */

static void push(lua_State *L, const struct val *v, int depth) {
    luaL_checkstack(L, 5, "a value is nested too deeply");
    if (v && v->secret && v->kind != VAL_LIST && v->kind != VAL_MAP && v->kind != VAL_NULL) {
        secret_push(L, v);
        return;
    }
    switch (v ? v->kind : VAL_NULL) {
    case VAL_NULL:
        lua_pushnil(L);
        return;
    case VAL_BOOL:
        lua_pushboolean(L, v->boolean);
        return;
    case VAL_INT:
        lua_pushinteger(L, v->integer);
        return;
    case VAL_DOUBLE:
        lua_pushnumber(L, v->number);
        return;
    case VAL_STRING:
        lua_pushlstring(L, v->string.s, v->string.len);
        return;
    case VAL_LIST:
        lua_createtable(L, (int)v->list.n, 0);
        for (size_t i = 0; i < v->list.n; i++) {
            push(L, v->list.items[i], depth + 1);
            if (lua_isnil(L, -1)) { /* a hole would end the list: what stands there tells so when it is read */
                char text[48];
                snprintf(text, sizeof text, "null at [%zu] of a list", i + 1);
                lua_pop(L, 1);
                opaque_push(L, true, text);
            }
            lua_rawseti(L, -2, (lua_Integer)i + 1);
        }
        lval_mark_list(L, -1);
        return;
    case VAL_MAP:
        break;
    }
    const char *text = val_unknown_provider(v);
    if (text || (text = val_unobserved_why(v))) {
        opaque_push(L, val_unobserved_why(v) != NULL, text);
        return;
    }
    lua_createtable(L, 0, (int)v->map.n);
    for (size_t i = 0; i < v->map.n; i++) {
        lua_pushstring(L, v->map.pairs[i].key);
        push(L, v->map.pairs[i].val, depth + 1);
        lua_rawset(L, -3);
    }
}

void lval_push(struct lua_State *L, const struct val *v) {
    push(L, v, 0);
}

/* --- Lua → val --- */

struct reader {
    lua_State *L;
    struct arena *a;
    struct err *err;
    const char *what;
    size_t nodes;
    const char *path[max_depth + 2]; /* for messages */
};

static bool refuse(struct reader *r, int depth, const char *message) {
    struct buf b = BUF_INIT;
    for (int i = 0; i < depth && i < 12; i++)
        buf_printf(&b, "%s%s", r->path[i][0] == '[' ? "" : ".", r->path[i]);
    err_add(r->err, mark_none(), "not-data", "%s%s %s", r->what, b.data, message);
    buf_done(&b);
    return false;
}

static bool read_value(struct reader *r, int idx, int depth, const struct val **ret);

static bool read_list(struct reader *r, int idx, size_t n, int depth, const struct val **ret) {
    struct val *list = val_list_new(r->a);
    for (size_t i = 1; i <= n; i++) {
        const struct val *v = NULL;
        r->path[depth] = "[]";
        lua_rawgeti(r->L, idx, (lua_Integer)i);
        if (lua_isnil(r->L, -1)) {
            lua_pop(r->L, 1);
            return refuse(r, depth, arena_printf(r->a, "is a list with a hole at [%zu]", i));
        }
        if (!read_value(r, lua_gettop(r->L), depth + 1, &v)) {
            lua_pop(r->L, 1);
            return false;
        }
        lua_pop(r->L, 1);
        val_list_add(r->a, list, v);
    }
    *ret = list;
    return true;
}

static int by_key(const void *a, const void *b) {
    return strcmp(((const struct val_pair *)a)->key, ((const struct val_pair *)b)->key);
}

/* Maps come out sorted: Lua's own order is different in every process. */
static bool read_map(struct reader *r, int idx, size_t n, int depth, const struct val **ret) {
    struct val_pair *pairs = arena_array(r->a, struct val_pair, n);
    size_t k = 0;
    for (lua_pushnil(r->L); lua_next(r->L, idx); lua_pop(r->L, 1)) {
        size_t len;
        const char *key;
        if (lua_type(r->L, -2) == LUA_TSTRING)
            key = lua_tolstring(r->L, -2, &len);
        else {
            key = arena_printf(r->a, "(unknown: %s)", opaque_text(r->L, -2, NULL));
            len = strlen(key);
        }
        if (strlen(key) != len) {
            lua_pop(r->L, 2);
            return refuse(r, depth, "has a key with a NUL byte in it");
        }
        pairs[k].key = arena_strdup(r->a, key);
        r->path[depth] = pairs[k].key;
        if (!read_value(r, lua_gettop(r->L), depth + 1, &pairs[k].val)) {
            lua_pop(r->L, 2);
            return false;
        }
        k++;
    }
    qsort(pairs, k, sizeof *pairs, by_key);
    struct val *map = val_map_new(r->a);
    for (size_t i = 0; i < k; i++)
        val_map_set(r->a, map, pairs[i].key, pairs[i].val);
    *ret = map;
    return true;
}

static bool read_table(struct reader *r, int idx, int depth, const struct val **ret) {
    if (depth >= max_depth)
        return refuse(r, depth, "is nested deeper than 64 levels, or contains itself");
    size_t n = 0, strings = 0;
    lua_Integer top = 0;
    branch_whole(r->L, idx);
    for (lua_pushnil(r->L); lua_next(r->L, idx); lua_pop(r->L, 1)) {
        n++;
        if (lua_isinteger(r->L, -2) && lua_tointeger(r->L, -2) >= 1) {
            if (lua_tointeger(r->L, -2) > top)
                top = lua_tointeger(r->L, -2);
        } else if (lua_type(r->L, -2) == LUA_TSTRING || opaque_text(r->L, -2, NULL))
            strings++;
        else {
            const char *type = luaL_typename(r->L, -2);
            lua_pop(r->L, 2);
            return refuse(r, depth, arena_printf(r->a, "has a key that is a %s", type));
        }
    }
    bool marked = box_has_mt(r->L, idx, box_of(r->L)->mt_list);
    if (strings && (strings < n || marked))
        return refuse(r, depth, "has both names and numbers as keys");
    if (strings || (!n && !marked))
        return read_map(r, idx, n, depth, ret);
    if ((size_t)top != n)
        return refuse(r, depth, "is a list with holes");
    return read_list(r, idx, n, depth, ret);
}

static bool read_value(struct reader *r, int idx, int depth, const struct val **ret) {
    lua_State *L = r->L;
    if (++r->nodes > max_nodes)
        return refuse(r, 0, "has more than 1,000,000 values");
    if (!lua_checkstack(L, 6))
        return refuse(r, depth, "is nested too deeply");
    bool unobserved;
    const char *text;
    switch (lua_type(L, idx)) {
    case LUA_TNIL:
        *ret = val_null();
        return true;
    case LUA_TBOOLEAN:
        *ret = val_bool(r->a, lua_toboolean(L, idx));
        return true;
    case LUA_TNUMBER:
        *ret = lua_isinteger(L, idx) ? val_int(r->a, lua_tointeger(L, idx)) : val_double(r->a, lua_tonumber(L, idx));
        return true;
    case LUA_TSTRING: {
        size_t len;
        const char *s = lua_tolstring(L, idx, &len);
        *ret = val_strn(r->a, s, len);
        return true;
    }
    case LUA_TTABLE:
        return read_table(r, idx, depth, ret);
    case LUA_TUSERDATA:
        if (view_raw(L, idx)) {
            bool ok = read_table(r, lua_gettop(L), depth, ret);
            lua_pop(L, 1);
            return ok;
        }
        if ((text = opaque_text(L, idx, &unobserved))) {
            *ret = unobserved ? val_unobserved(r->a, text) : val_unknown(r->a, text);
            return true;
        }
        {
            const struct val *secret = secret_val(L, idx, r->a);
            if (secret) {
                *ret = secret;
                return true;
            }
        }
        return refuse(r, depth, "is a thing of the host, not data");
    default:
        return refuse(r, depth, arena_printf(r->a, "is a %s, not data", luaL_typename(L, idx)));
    }
}

bool lval_to(struct lua_State *L, int idx, struct arena *a, const char *what, const struct val **ret, struct err *err) {
    struct reader r = {.L = L, .a = a, .err = err, .what = what};
    int top = lua_gettop(L);
    bool ok = read_value(&r, lua_absindex(L, idx), 0, ret);
    assert(lua_gettop(L) == top);
    return ok;
}
