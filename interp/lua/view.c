#include "lua/box_priv.h"

#include "lua/lval.h"

/* A view is a userdata whose one user value is the table behind it. Views are made as they are walked, so looking at one place of a large
 * state costs nothing for the rest. */

bool view_raw(lua_State *L, int idx) {
    if (lua_type(L, idx) != LUA_TUSERDATA || !box_has_mt(L, idx, box_of(L)->mt_view))
        return false;
    luaL_checkstack(L, 2, NULL);
    lua_getiuservalue(L, idx, 1);
    return true;
}

void lval_push_view(struct lua_State *L, int idx) {
    idx = lua_absindex(L, idx);
    luaL_checkstack(L, 3, NULL);
    if (!lua_istable(L, idx)) {
        lua_pushvalue(L, idx);
        return;
    }
    lua_newuserdatauv(L, 0, 1);
    lua_pushvalue(L, idx);
    lua_setiuservalue(L, -2, 1);
    luaL_setmetatable(L, "quorate.view");
}

void view_read(lua_State *L) {
    switch (lua_type(L, -1)) {
    case LUA_TTABLE:
        lval_push_view(L, -1);
        lua_replace(L, -2);
        break;
    case LUA_TUSERDATA:
        opaque_raise(L, -1);
        break;
    default:
        break;
    }
}

const char *view_type(lua_State *L, int idx) {
    if (lua_type(L, idx) == LUA_TUSERDATA) {
        struct box *b = box_of(L);
        bool unobserved;
        if (box_has_mt(L, idx, b->mt_view))
            return "table";
        if (opaque_text(L, idx, &unobserved))
            return unobserved ? "unobserved" : "unknown";
        if (box_has_mt(L, idx, b->mt_secret))
            return "secret";
    }
    return luaL_typename(L, idx);
}

static int view_index(lua_State *L) {
    lua_settop(L, 2);
    lua_getiuservalue(L, 1, 1);
    opaque_raise(L, 2);
    lua_insert(L, 2);
    lua_rawget(L, 2);
    view_read(L);
    return 1;
}

static int view_newindex(lua_State *L) {
    opaque_raise(L, 2);
    if (lua_type(L, 2) == LUA_TSTRING)
        return luaL_error(L, "'%s' cannot be set: this is read-only here", lua_tostring(L, 2));
    return luaL_error(L, "this is read-only here");
}

static int view_len(lua_State *L) {
    lua_getiuservalue(L, 1, 1);
    lua_pushinteger(L, (lua_Integer)lua_rawlen(L, -1));
    return 1;
}

static int view_eq(lua_State *L) {
    if (!view_raw(L, 1) || !view_raw(L, 2))
        lua_pushboolean(L, 0);
    else
        lua_pushboolean(L, lua_rawequal(L, -1, -2));
    return 1;
}

static int view_tostring(lua_State *L) {
    lua_pushliteral(L, "table");
    return 1;
}

void view_open(struct box *b, lua_State *L) {
    static const luaL_Reg view[] = {{"__index", view_index}, {"__newindex", view_newindex}, {"__len", view_len},
                                    {"__eq", view_eq}, {"__tostring", view_tostring}, {0}};
    box_new_metatable(L, "quorate.view", view, &b->mt_view);
    lua_pop(L, 1);
    box_new_metatable(L, "quorate.list", NULL, &b->mt_list);
    b->lists = luaL_ref(L, LUA_REGISTRYINDEX);
}
