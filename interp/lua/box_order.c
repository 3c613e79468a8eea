#include "lua/box_priv.h"

#include "lua/lval.h"

#include <stdlib.h>
#include <string.h>

/* Iteration in sorted order. Lua's own order follows from addresses, so it differs from process to process, and with it every plan. */

struct key {
    int rank; /* numbers, strings, booleans, symbols */
    double number;
    const char *s;
    size_t len;
    lua_Integer at; /* in the unsorted array */
};

static int compare(const void *pa, const void *pb) {
    const struct key *a = pa, *b = pb;
    if (a->rank != b->rank)
        return a->rank < b->rank ? -1 : 1;
    if (a->rank == 0)
        return a->number < b->number ? -1 : a->number > b->number;
    size_t n = a->len < b->len ? a->len : b->len;
    int c = memcmp(a->s, b->s, n);
    return c ? c : a->len < b->len ? -1 : a->len > b->len;
}

static void read_key(lua_State *L, int idx, struct key *k) {
    switch (lua_type(L, idx)) {
    case LUA_TNUMBER:
        k->rank = 0;
        k->number = (double)lua_tonumber(L, idx);
        k->s = "";
        return;
    case LUA_TSTRING:
        k->rank = 1;
        k->s = lua_tolstring(L, idx, &k->len);
        return;
    case LUA_TBOOLEAN:
        k->rank = 2;
        k->s = "";
        k->len = (size_t)lua_toboolean(L, idx);
        return;
    default:
        k->rank = 3;
        k->s = opaque_text(L, idx, NULL);
        if (!k->s)
            luaL_error(L, "keys of type %s have no order, so this table cannot be walked", view_type(L, idx));
        k->len = strlen(k->s);
    }
}

enum { few = 48 };

/* Those of a small table are sorted on the stack. Returns false, with nothing pushed, if there are more than a few. */
static bool order_few(lua_State *L, int idx) {
    struct key keys[few];
    int n = 0;
    luaL_checkstack(L, few + 6, NULL);
    const int base = lua_gettop(L);
    for (lua_pushnil(L); lua_next(L, idx);) {
        if (n == few) {
            lua_settop(L, base);
            return false;
        }
        lua_pop(L, 1);
        struct key k = {.at = base + ++n};
        read_key(L, -1, &k);
        int at = n - 1;
        for (; at > 0 && compare(&k, &keys[at - 1]) < 0; at--)
            keys[at] = keys[at - 1];
        keys[at] = k;
        lua_pushvalue(L, -1); /* one copy stays, the other is where lua_next goes on */
    }
    lua_createtable(L, n, 0);
    for (int i = 0; i < n; i++) {
        lua_pushvalue(L, (int)keys[i].at);
        lua_rawseti(L, -2, i + 1);
    }
    if (n)
        lua_replace(L, base + 1);
    lua_settop(L, base + 1);
    return true;
}

void order_keys(lua_State *L, int idx) {
    idx = lua_absindex(L, idx);
    luaL_checkstack(L, 6, NULL);
    if (order_few(L, idx))
        return;
    lua_Integer n = 0;
    bool sorted = true;
    struct key last = {0};
    lua_newtable(L);
    int raw = lua_gettop(L);
    for (lua_pushnil(L); lua_next(L, idx);) {
        struct key k = {.at = ++n};
        lua_pop(L, 1);
        read_key(L, -1, &k);
        sorted = sorted && (n == 1 || compare(&last, &k) < 0);
        last = k;
        lua_pushvalue(L, -1);
        lua_rawseti(L, raw, n);
    }
    if (sorted)
        return;
    struct key *keys = lua_newuserdatauv(L, sizeof *keys * (size_t)n, 0);
    memset(keys, 0, sizeof *keys * (size_t)n);
    for (lua_Integer i = 0; i < n; i++) {
        lua_rawgeti(L, raw, i + 1);
        keys[i].at = i + 1;
        read_key(L, -1, &keys[i]); /* the array holds the string */
        lua_pop(L, 1);
    }
    qsort(keys, (size_t)n, sizeof *keys, compare);
    lua_createtable(L, (int)n, 0);
    for (lua_Integer i = 0; i < n; i++) {
        lua_rawgeti(L, raw, keys[i].at);
        lua_rawseti(L, -2, i + 1);
    }
    lua_replace(L, raw);
    lua_settop(L, raw);
}

/* Pushes the table behind argument 1; true if it was a view. */
static bool target(lua_State *L) {
    opaque_raise(L, 1);
    if (view_raw(L, 1))
        return true;
    if (strcmp(view_type(L, 1), "table") != 0)
        luaL_typeerror(L, 1, "table");
    branch_whole(L, 1);
    lua_pushvalue(L, 1);
    return false;
}

/* upvalues: keys, position, table, whether it is a view */
static int step(lua_State *L) {
    lua_Integer i = lua_tointeger(L, lua_upvalueindex(2));
    lua_settop(L, 0);
    for (;;) {
        lua_settop(L, 0);
        if (lua_rawgeti(L, lua_upvalueindex(1), ++i) == LUA_TNIL)
            return 1;
        lua_pushvalue(L, 1);
        if (lua_rawget(L, lua_upvalueindex(3)) != LUA_TNIL)
            break; /* one that was removed on the way is left out */
    }
    lua_pushinteger(L, i);
    lua_replace(L, lua_upvalueindex(2));
    if (lua_toboolean(L, lua_upvalueindex(4)))
        view_read(L);
    return 2;
}

static int f_pairs(lua_State *L) {
    luaL_checkany(L, 1);
    bool view = target(L);
    int table = lua_gettop(L);
    order_keys(L, table);
    lua_pushinteger(L, 0);
    lua_pushvalue(L, table);
    lua_pushboolean(L, view);
    lua_pushcclosure(L, step, 4);
    return 1;
}

/* The smallest key after the given one, looked for anew each time: meant for `next(t) == nil`. */
static int f_next(lua_State *L) {
    lua_settop(L, 2);
    bool view = target(L);
    struct key after = {0}, best = {0};
    bool first = lua_isnil(L, 2), found = false;
    if (!first)
        read_key(L, 2, &after);
    lua_pushnil(L); /* 4: the best key */
    for (lua_pushnil(L); lua_next(L, 3);) {
        struct key k = {0};
        lua_pop(L, 1);
        read_key(L, -1, &k);
        if (!first && compare(&k, &after) <= 0)
            continue;
        if (found && compare(&k, &best) >= 0)
            continue;
        best = k;
        found = true;
        lua_pushvalue(L, -1);
        lua_replace(L, 4);
    }
    lua_settop(L, 4);
    if (!found)
        return 1;
    lua_pushvalue(L, 4);
    lua_rawget(L, 3);
    if (view)
        view_read(L);
    return 2;
}

/* An array of the keys. */
static int f_keys(lua_State *L) {
    luaL_checkany(L, 1);
    target(L);
    order_keys(L, -1);
    lua_newtable(L);
    lua_Integer n = (lua_Integer)lua_rawlen(L, -2);
    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, -2, i);
        lua_rawseti(L, -2, i);
    }
    lval_mark_list(L, -1);
    return 1;
}

static int f_size(lua_State *L) {
    luaL_checkany(L, 1);
    target(L);
    int table = lua_gettop(L);
    lua_Integer n = 0;
    for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1))
        n++;
    lua_pushinteger(L, n);
    return 1;
}

static int f_is_list(lua_State *L) {
    luaL_checkany(L, 1);
    target(L);
    lua_pushboolean(L, lval_is_list(L, lua_gettop(L)));
    return 1;
}

static int f_list(lua_State *L) {
    if (lua_isnoneornil(L, 1)) {
        lua_settop(L, 0);
        lua_newtable(L);
    }
    if (!lua_istable(L, 1)) {
        target(L);
        walk_clone(L, lua_gettop(L), true);
        lua_replace(L, 1);
    }
    lua_settop(L, 1);
    lval_mark_list(L, 1);
    return 1;
}

static int f_copy(lua_State *L) {
    luaL_checkany(L, 1);
    if (strcmp(view_type(L, 1), "table") != 0) {
        opaque_raise(L, 1);
        lua_settop(L, 1);
        return 1;
    }
    bool view = target(L);
    walk_clone(L, lua_gettop(L), view);
    return 1;
}

void box_open_order(lua_State *L, int globals) {
    static const luaL_Reg fns[] = {{"pairs", f_pairs}, {"next", f_next}, {"keys", f_keys}, {"size", f_size},
                                   {"is_list", f_is_list}, {"list", f_list}, {"copy", f_copy}, {0}};
    lua_pushvalue(L, globals);
    luaL_setfuncs(L, fns, 0);
    lua_pop(L, 1);
}
