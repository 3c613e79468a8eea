#include "lua/library_priv.h"

#include "lua/lval.h"

#include <string.h>

/* Environments. A file of the library sees the safe globals, the constructors, `lib` and the families; an expression sees the safe globals,
 * the names of its scope and the families. An environment is an empty table whose __index looks all of that up, so nothing can be
 * changed in it. */

/* --- constructors --- */

static int construct(lua_State *L) {
    int kind = (int)lua_tointeger(L, lua_upvalueindex(1));
    lua_settop(L, 1);
    if (kind == DEF_FUNC && lua_isfunction(L, 1)) { /* func(function … end) */
        lua_createtable(L, 0, 1);
        lua_insert(L, 1);
        lua_setfield(L, 1, "call");
    }
    if (!lua_istable(L, 1))
        return luaL_error(L, "%s: expected a table, got %s", def_kind_name((enum def_kind)kind), view_type(L, 1));
    int *p = lua_newuserdatauv(L, sizeof *p, 1);
    *p = kind;
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, 1);
    luaL_setmetatable(L, "quorate.def");
    return 1;
}

/* library "docker": what the lib.lua of another family returns. */
static int library_of(lua_State *L) {
    const struct box *b = box_of(L);
    const char *family = luaL_checkstring(L, 1);
    if (b->lib && library_push_lib(b->lib, L, family))
        return 1;
    return luaL_error(L, b->lib && library_family(b->lib, family) ? "the family '%s' has no lib.lua" : "there is no family '%s'", family);
}

/* --- families --- */

/* swarm.quorum() in an expression: asked of the state of the current scope, or of the one that is given. */
static int call_capability(lua_State *L) {
    const struct def *d = lua_touserdata(L, lua_upvalueindex(1));
    struct box *b = box_of(L);
    if (lua_isnoneornil(L, 1)) {
        if (!b->model)
            return luaL_error(L, "%s: there is no state here; give it one, as in %s(state)", d->name, d->name);
        lua_settop(L, 0);
        model_push_on(L, b->model);
    }
    lua_settop(L, 1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, d->fn[FN_HOLDS]);
    lval_push_view(L, 1);
    lua_call(L, 1, 1);
    opaque_raise(L, -1);
    if (!lua_isboolean(L, -1))
        return luaL_error(L, "%s: holds must return true or false, and returned a %s", d->name, view_type(L, -1));
    return 1;
}

static int no_member(lua_State *L, struct library *lib, const char *family, const char *name) {
    const char *const *names;
    size_t n = library_names(lib, family, &names);
    const char *near = nearest_name(name, names, n);
    return near ? luaL_error(L, "unknown name '%s'; did you mean '%s'?", name, near) : luaL_error(L, "unknown name '%s'", name);
}

/* user values of a family: its name, what was looked up already */
static int family_index(lua_State *L) {
    struct library *lib = box_of(L)->lib;
    const char *member = luaL_checkstring(L, 2);
    lua_settop(L, 2);
    lua_getiuservalue(L, 1, 2); /* 3 */
    lua_pushvalue(L, 2);
    if (lua_rawget(L, 3) != LUA_TNIL)
        return 1;
    lua_getiuservalue(L, 1, 1);
    const char *family = lua_tostring(L, -1);
    const char *name = lua_pushfstring(L, "%s.%s", family, member);
    const struct def *d = library_find(lib, L, name);
    if (!d)
        return no_member(L, lib, family, name);
    if (d->kind == DEF_FUNC)
        lua_rawgeti(L, LUA_REGISTRYINDEX, d->fn[FN_CALL]);
    else if (d->kind == DEF_CAPABILITY) {
        lua_pushlightuserdata(L, (void *)d);
        lua_pushcclosure(L, call_capability, 1);
    } else
        return luaL_error(L, "'%s' is %s %s, which cannot be called here", name, d->kind == DEF_ACTION || d->kind == DEF_EVENT ? "an" : "a",
                          def_kind_name(d->kind));
    lua_pushvalue(L, 2);
    lua_pushvalue(L, -2);
    lua_rawset(L, 3);
    return 1;
}

static int family_newindex(lua_State *L) {
    return luaL_error(L, "the library cannot be changed");
}

static void push_family(lua_State *L, const char *name) {
    struct box *b = box_of(L);
    lua_rawgeti(L, LUA_REGISTRYINDEX, b->families);
    if (lua_getfield(L, -1, name) == LUA_TNIL) {
        lua_pop(L, 1);
        lua_newuserdatauv(L, 0, 2);
        lua_pushstring(L, name);
        lua_setiuservalue(L, -2, 1);
        lua_newtable(L);
        lua_setiuservalue(L, -2, 2);
        luaL_setmetatable(L, "quorate.family");
        lua_pushvalue(L, -1);
        lua_setfield(L, -3, name);
    }
    lua_remove(L, -2);
}

/* --- the names of an expression's scope --- */

static int steps_index(lua_State *L) {
    struct box *b = box_of(L);
    const struct scope *s = b->scope;
    const char *id = luaL_checkstring(L, 2);
    if (!s || !s->step)
        return luaL_error(L, "steps cannot be read here");
    lua_settop(L, 2);
    lua_rawgeti(L, LUA_REGISTRYINDEX, b->scope_names);
    lua_pushfstring(L, "steps.%s", id);
    lua_pushvalue(L, -1);
    if (lua_rawget(L, 3) != LUA_TNIL)
        return 1;
    lua_pop(L, 1);
    const struct val *v = s->step(s->ud, b->scope_arena, id);
    if (!v)
        return luaL_error(L, "there is no step '%s' that has ended before this", id);
    lval_push(L, v);
    view_read(L);
    lua_pushvalue(L, -1);
    lua_insert(L, 4);
    lua_rawset(L, 3);
    return 1;
}

static bool push_scope_name(lua_State *L, const char *name) {
    struct box *b = box_of(L);
    const struct scope *s = b->scope;
    static const char *const names[] = {"state", "inputs", "site", "run", "item", "index", "steps"};
    size_t i = 0;
    while (i < sizeof names / sizeof *names && strcmp(names[i], name) != 0)
        i++;
    if (i == sizeof names / sizeof *names)
        return false;
    if (!s)
        luaL_error(L, "'%s' cannot be read here", name);
    lua_rawgeti(L, LUA_REGISTRYINDEX, b->scope_names);
    if (lua_getfield(L, -1, name) != LUA_TNIL) {
        lua_remove(L, -2);
        return true;
    }
    lua_pop(L, 1);
    const struct val *v[] = {NULL, s->inputs, s->site, s->run, s->item};
    if (i == 0 && s->state) {
        model_push_on(L, s->state);
        view_read(L);
    } else if (i == 5 && s->index > 0)
        lua_pushinteger(L, (lua_Integer)s->index);
    else if (i == 6) {
        lua_newuserdatauv(L, 0, 0);
        luaL_setmetatable(L, "quorate.steps");
    } else if (i >= 1 && i <= 4 && v[i]) {
        lval_push(L, v[i]);
        view_read(L);
    } else
        luaL_error(L, i == 4 || i == 5 ? "there is no '%s' here: only steps with for_each or try_each have one" : "'%s' cannot be read here", name);
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, name);
    lua_remove(L, -2);
    return true;
}

/* --- environments --- */

/* Called by env_index, whose upvalues it looks at. */
static int unknown_name(lua_State *L, const char *name) {
    struct box *b = box_of(L);
    const char *names[160];
    size_t n = 0;
    lua_rawgeti(L, LUA_REGISTRYINDEX, b->globals);
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1))
        if (n < 100)
            names[n++] = lua_tostring(L, -2);
    const char *scope[] = {"state", "inputs", "site", "run", "item", "index", "steps"};
    for (size_t i = 0; b->scope && i < 7; i++)
        names[n++] = scope[i];
    for (int kind = DEF_ACTION; kind <= DEF_FUNC && lua_toboolean(L, lua_upvalueindex(2)); kind++)
        names[n++] = def_kind_name((enum def_kind)kind);
    if (lua_toboolean(L, lua_upvalueindex(2)))
        names[n++] = "library";
    if (b->lib)
        for (struct map_iter it = map_iter(b->lib->families); n < 160 && map_next(&it);)
            names[n++] = it.key;
    const char *near = nearest_name(name, names, n);
    return near ? luaL_error(L, "unknown name '%s'; did you mean '%s'?", name, near) : luaL_error(L, "unknown name '%s'", name);
}

/* What a name means wherever it is read from, pushed; false: it is no such name, and nothing is pushed. */
static bool push_lasting_name(lua_State *L, const char *family, bool library, int name) {
    struct box *b = box_of(L);
    const char *text = lua_tostring(L, name);
    lua_rawgeti(L, LUA_REGISTRYINDEX, b->globals);
    lua_pushvalue(L, name);
    if (lua_rawget(L, -2) != LUA_TNIL)
        return true;
    if (library) {
        luaL_getmetatable(L, "quorate.def"); /* it also holds the constructors and `library`, under their names */
        lua_pushvalue(L, name);
        if (lua_rawget(L, -2) != LUA_TNIL)
            return true;
        if (family && !strcmp(text, "lib")) {
            if (b->lib && library_push_lib(b->lib, L, family))
                return true;
            luaL_error(L, "the family '%s' has no lib.lua", family);
        }
    }
    return false;
}

/* upvalues: family of the file or nil; whether it is a file of the library; what was looked up already, in which Lua looks before it calls this */
static int env_index(lua_State *L) {
    struct box *b = box_of(L);
    const bool library = lua_toboolean(L, lua_upvalueindex(2));
    lua_settop(L, 2);
    if (lua_type(L, 2) != LUA_TSTRING)
        return 0;
    const char *name = lua_tostring(L, 2);
    if (!push_lasting_name(L, lua_tostring(L, lua_upvalueindex(1)), library, 2)) {
        if (!library && push_scope_name(L, name))
            return 1;
        if (!b->lib || !library_family(b->lib, name))
            return unknown_name(L, name);
        push_family(L, name);
    }
    lua_pushvalue(L, 2);
    lua_pushvalue(L, -2);
    lua_rawset(L, lua_upvalueindex(3));
    return 1;
}

static int env_newindex(lua_State *L) {
    return luaL_error(L, "'%s' is not a local name: write 'local %s = …'", luaL_tolstring(L, 2, NULL), luaL_tolstring(L, 2, NULL));
}

static void push_env(lua_State *L, const char *family, bool library) {
    lua_newtable(L);
    lua_createtable(L, 0, 2);
    lua_newtable(L); /* what was looked up */
    lua_createtable(L, 0, 1);
    if (family)
        lua_pushstring(L, family);
    else
        lua_pushnil(L);
    lua_pushboolean(L, library);
    lua_pushvalue(L, -4);
    lua_pushcclosure(L, env_index, 3);
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, -2);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, env_newindex);
    lua_setfield(L, -2, "__newindex");
    lua_setmetatable(L, -2);
}

void env_push(lua_State *L, const char *family) {
    luaL_checkstack(L, 8, NULL);
    push_env(L, family, true);
}

void env_open(struct box *b, lua_State *L) {
    static const luaL_Reg family[] = {{"__index", family_index}, {"__newindex", family_newindex}, {0}};
    static const luaL_Reg steps[] = {{"__index", steps_index}, {"__newindex", family_newindex}, {0}};
    const void *unused;
    box_new_metatable(L, "quorate.family", family, &unused);
    box_new_metatable(L, "quorate.steps", steps, &unused);
    box_new_metatable(L, "quorate.def", NULL, &b->mt_def);
    for (int kind = DEF_ACTION; kind <= DEF_FUNC; kind++) {
        lua_pushinteger(L, kind);
        lua_pushcclosure(L, construct, 1);
        lua_setfield(L, -2, def_kind_name((enum def_kind)kind));
    }
    lua_pushcfunction(L, library_of);
    lua_setfield(L, -2, "library");
    lua_pop(L, 3);
    lua_newtable(L);
    b->families = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_newtable(L);
    b->scope_names = luaL_ref(L, LUA_REGISTRYINDEX);
    push_env(L, NULL, false);
    b->expr_env = luaL_ref(L, LUA_REGISTRYINDEX);
}
