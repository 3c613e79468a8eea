#include "lua/box_priv.h"

#include <string.h>

/* The string functions, where Lua's own could be kept busy for ever or would tell addresses. Patterns are in box_pattern.c. */

static int f_rep(lua_State *L) {
    size_t len, nsep;
    const char *s = luaL_checklstring(L, 1, &len), *sep = luaL_optlstring(L, 3, "", &nsep);
    lua_Integer n = luaL_checkinteger(L, 2);
    if (n <= 0 || len + nsep == 0) {
        lua_pushliteral(L, "");
        return 1;
    }
    if (n > (lua_Integer)(box_of(L)->max / (len + nsep)))
        return luaL_error(L, "the resulting text is too long");
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    for (lua_Integer i = 0; i < n; i++) {
        luaL_addlstring(&b, s, len);
        if (i + 1 < n)
            luaL_addlstring(&b, sep, nsep);
    }
    luaL_pushresult(&b);
    return 1;
}

/* upvalue 1: Lua's own format; upvalue 2: our tostring. Tables and functions are shown without their address. */
static int f_format(lua_State *L) {
    size_t len;
    const char *fmt = luaL_checklstring(L, 1, &len);
    for (const char *p = fmt; (p = strchr(p, '%')); p++) {
        if (p[1] == '%')
            p++;
        else if (p[1 + strspn(p + 1, "0123456789.-+ #")] == 'p')
            return luaL_error(L, "'%%p' is not supported: addresses differ from run to run");
    }
    for (int i = 2; i <= lua_gettop(L); i++)
        switch (lua_type(L, i)) {
        case LUA_TTABLE:
        case LUA_TFUNCTION:
        case LUA_TUSERDATA:
            lua_pushvalue(L, lua_upvalueindex(2));
            lua_pushvalue(L, i);
            lua_call(L, 1, 1);
            lua_replace(L, i);
            break;
        default:
            break;
        }
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

/* The table of Lua's functions is on top; it is changed in place, so that ("x"):rep means the same. */
void box_open_strings(lua_State *L, int globals) {
    static const char *const removed[] = {"dump", "pack", "unpack", "packsize"};
    int t = lua_gettop(L);
    for (size_t i = 0; i < sizeof removed / sizeof *removed; i++) {
        lua_pushnil(L);
        lua_setfield(L, t, removed[i]);
    }
    box_open_patterns(L);
    lua_pushcfunction(L, f_rep);
    lua_setfield(L, t, "rep");
    lua_getfield(L, t, "format");
    lua_getfield(L, globals, "tostring");
    lua_pushcclosure(L, f_format, 2);
    lua_setfield(L, t, "format");
}
