#include "lua/box_priv.h"

#include "lua/lval.h"

#include <lualib.h>
#include <string.h>

/* What scripts see by name. Lua's libraries are opened one by one, and only what is listed here is taken over. */

static int f_type(lua_State *L) {
    luaL_checkany(L, 1);
    lua_pushstring(L, view_type(L, 1));
    return 1;
}

static int f_tostring(lua_State *L) {
    luaL_checkany(L, 1);
    opaque_raise(L, 1);
    switch (lua_type(L, 1)) {
    case LUA_TTABLE:
    case LUA_TFUNCTION:
        lua_pushstring(L, luaL_typename(L, 1)); /* without the address, which differs from run to run */
        return 1;
    default:
        luaL_tolstring(L, 1, NULL);
        return 1;
    }
}

/* seen(t, key): the value, or nil and why it could not be observed. For code that chooses by what there is to see; reading such a fact
 * otherwise ends the expression. What only the run will know still does. */
static int f_seen(lua_State *L) {
    bool unobserved;
    lua_settop(L, 2);
    if (!view_raw(L, 1)) {
        luaL_checktype(L, 1, LUA_TTABLE);
        branch_whole(L, 1);
        lua_pushvalue(L, 1);
    }
    lua_pushvalue(L, 2);
    lua_rawget(L, -2);
    const char *why = opaque_text(L, -1, &unobserved);
    if (why && unobserved) {
        lua_pushnil(L);
        lua_pushstring(L, why);
        return 2;
    }
    view_read(L);
    return 1;
}

static int f_unobserved(lua_State *L) {
    opaque_push(L, true, luaL_optstring(L, 1, "no reason given"));
    return 1;
}

/* --- random numbers that are the same in every run: the seed is set anew for every call from outside --- */

static uint64_t next_random(struct box *b) {
    uint64_t x = b->rng ? b->rng : 1;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    b->rng = x;
    return x * 0x2545f4914f6cdd1du;
}

static int f_random(lua_State *L) {
    uint64_t r = next_random(box_of(L));
    if (lua_gettop(L) == 0) {
        lua_pushnumber(L, (lua_Number)(r >> 11) * 0x1p-53);
        return 1;
    }
    lua_Integer lo = lua_gettop(L) > 1 ? luaL_checkinteger(L, 1) : 1, hi = luaL_checkinteger(L, lua_gettop(L) > 1 ? 2 : 1);
    if (lo > hi)
        return luaL_error(L, "interval is empty");
    uint64_t span = (uint64_t)hi - (uint64_t)lo + 1;
    lua_pushinteger(L, (lua_Integer)((uint64_t)lo + (span ? r % span : r)));
    return 1;
}

/* table.move and table.concat of Lua trust the range that they are given; ranges without values would keep them busy forever. */
static int f_table_move(lua_State *L) {
    lua_Integer from = luaL_checkinteger(L, 2), to = luaL_checkinteger(L, 3);
    if (to >= from && (lua_Unsigned)to - (lua_Unsigned)from > 1000000)
        return luaL_error(L, "too many values to move");
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, 1);
    return 1;
}

/* --- read-only libraries --- */

static int refuse_set(lua_State *L) {
    return luaL_error(L, "the libraries cannot be changed");
}

/* Replaces the table on top by an empty one that looks into it. */
static void freeze(lua_State *L) {
    lua_newtable(L);
    lua_createtable(L, 0, 3);
    lua_pushvalue(L, -3);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, refuse_set);
    lua_setfield(L, -2, "__newindex");
    lua_setmetatable(L, -2);
    lua_replace(L, -2);
}

static void take(lua_State *L, int from, int to, const char *const *names) {
    for (; *names; names++) {
        lua_getfield(L, from, *names);
        lua_setfield(L, to, *names);
    }
}

static void remove_fields(lua_State *L, const char *const *names) {
    for (; *names; names++) {
        lua_pushnil(L);
        lua_setfield(L, -2, *names);
    }
}

void box_open_libs(struct box *b, lua_State *L) {
    static const char *const base[] = {"assert", "error", "ipairs", "select", "tonumber", NULL};
    static const char *const no_math[] = {"randomseed", NULL};
    static const luaL_Reg own[] = {{"type", f_type}, {"tostring", f_tostring}, {"unobserved", f_unobserved}, {"seen", f_seen}, {0}};
    lua_rawgeti(L, LUA_REGISTRYINDEX, b->globals);
    int g = lua_gettop(L);

    lua_pushcfunction(L, luaopen_base);
    lua_call(L, 0, 1);
    take(L, lua_gettop(L), g, base);
    for (lua_pushnil(L); lua_next(L, -2);) { /* nothing is reachable through the state's own table of globals */
        lua_pop(L, 1);
        lua_pushvalue(L, -1);
        lua_pushnil(L);
        lua_rawset(L, -4);
    }
    lua_pop(L, 1);
    lua_pushvalue(L, g);
    luaL_setfuncs(L, own, 0);
    lua_pop(L, 1);

    lua_pushcfunction(L, luaopen_string); /* sets the metatable of strings to this table */
    lua_call(L, 0, 1);
    box_open_strings(L, g);
    freeze(L);
    lua_setfield(L, g, "string");

    lua_pushcfunction(L, luaopen_table);
    lua_call(L, 0, 1);
    lua_getfield(L, -1, "move");
    lua_pushcclosure(L, f_table_move, 1);
    lua_setfield(L, -2, "move");
    freeze(L);
    lua_setfield(L, g, "table");

    lua_pushcfunction(L, luaopen_math);
    lua_call(L, 0, 1);
    remove_fields(L, no_math);
    lua_pushcfunction(L, f_random);
    lua_setfield(L, -2, "random");
    freeze(L);
    lua_setfield(L, g, "math");

    lua_pushcfunction(L, luaopen_utf8);
    lua_call(L, 0, 1);
    freeze(L);
    lua_setfield(L, g, "utf8");

    box_open_order(L, g);
    parts_open(b, L, g);
    box_open_data(L, g);
    lua_getfield(L, g, "json");
    freeze(L);
    lua_setfield(L, g, "json");
    lua_getfield(L, g, "base64");
    freeze(L);
    lua_setfield(L, g, "base64");

    if (luaL_loadbufferx(L, box_prelude, strlen(box_prelude), "=quorate", "t") != LUA_OK)
        lua_error(L);
    lua_pushvalue(L, g);
    lua_setupvalue(L, -2, 1);
    lua_call(L, 0, 0);
    lua_settop(L, g - 1);
}
