#include "lua/box_priv.h"

#include <string.h>

/* Unknown and unobserved values, and secrets, as userdata. The first two are interned by their text, so that the same fact is the same
 * value everywhere and can be a key. */

struct opaque {
    bool unobserved;
    char text[];
};

struct secret {
    struct val val; /* of a scalar; a string points to text */
    char text[];
};

/* --- as val --- */

static const char key_unknown[] = "$unknown", key_unobserved[] = "$unobserved";

static const struct val *single(struct arena *a, const char *key, const char *text) {
    struct val *m = val_map_new(a);
    val_map_set(a, m, key, val_str(a, text));
    return m;
}

static const char *single_text(const struct val *v, const char *key) {
    return v && v->kind == VAL_MAP && v->map.n == 1 && !strcmp(v->map.pairs[0].key, key) ? val_cstr(v->map.pairs[0].val) : NULL;
}

const struct val *val_unknown(struct arena *a, const char *provider) {
    return single(a, key_unknown, provider);
}

const struct val *val_unobserved(struct arena *a, const char *why) {
    return single(a, key_unobserved, why);
}

const char *val_unknown_provider(const struct val *v) {
    return single_text(v, key_unknown);
}

const char *val_unobserved_why(const struct val *v) {
    return single_text(v, key_unobserved);
}

/* --- unknown and unobserved --- */

void opaque_push(lua_State *L, bool unobserved, const char *text) {
    struct box *b = box_of(L);
    luaL_checkstack(L, 6, NULL);
    lua_rawgeti(L, LUA_REGISTRYINDEX, b->intern);
    lua_pushfstring(L, "%s%s", unobserved ? "o" : "u", text);
    lua_pushvalue(L, -1);
    lua_rawget(L, -3);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        size_t size = strlen(text) + 1;
        struct opaque *o = lua_newuserdatauv(L, sizeof *o + size, 0);
        o->unobserved = unobserved;
        memcpy(o->text, text, size);
        luaL_setmetatable(L, "quorate.opaque");
        lua_pushvalue(L, -2);
        lua_pushvalue(L, -2);
        lua_rawset(L, -5);
    }
    lua_replace(L, -3);
    lua_pop(L, 1);
}

const char *opaque_text(lua_State *L, int idx, bool *ret_unobserved) {
    if (lua_type(L, idx) != LUA_TUSERDATA || !box_has_mt(L, idx, box_of(L)->mt_opaque))
        return NULL;
    const struct opaque *o = lua_touserdata(L, idx);
    if (ret_unobserved)
        *ret_unobserved = o->unobserved;
    return o->text;
}

void opaque_raise(lua_State *L, int idx) {
    if (!opaque_text(L, idx, NULL))
        return;
    lua_pushvalue(L, idx);
    lua_error(L);
}

/* Any operation but == and being passed on is a reading. */
static int opaque_operate(lua_State *L) {
    for (int i = 1; i <= lua_gettop(L); i++)
        opaque_raise(L, i);
    return luaL_error(L, "this value is not known");
}

static int opaque_tostring(lua_State *L) {
    const struct opaque *o = lua_touserdata(L, 1);
    lua_pushfstring(L, "(%s: %s)", o->unobserved ? "not observed" : "unknown", o->text);
    return 1;
}

/* --- secrets --- */

void secret_push(lua_State *L, const struct val *v) {
    luaL_checkstack(L, 3, NULL);
    size_t len = v->kind == VAL_STRING ? v->string.len : 0;
    struct secret *s = lua_newuserdatauv(L, sizeof *s + len + 1, 0);
    s->val = *v;
    s->val.mark = mark_none();
    s->val.secret = true;
    if (v->kind == VAL_STRING) {
        memcpy(s->text, v->string.s, len);
        s->val.string.s = s->text;
    }
    s->text[len] = '\0';
    luaL_setmetatable(L, "quorate.secret");
}

static const struct secret *to_secret(lua_State *L, int idx) {
    return lua_type(L, idx) == LUA_TUSERDATA && box_has_mt(L, idx, box_of(L)->mt_secret) ? lua_touserdata(L, idx) : NULL;
}

const struct val *secret_val(lua_State *L, int idx, struct arena *a) {
    const struct secret *s = to_secret(L, idx);
    return s ? val_secret(a, val_copy(a, &s->val)) : NULL;
}

static int secret_tostring(lua_State *L) {
    lua_pushliteral(L, "***");
    return 1;
}

static int secret_eq(lua_State *L) {
    const struct secret *a = to_secret(L, 1), *b = to_secret(L, 2);
    lua_pushboolean(L, a && b && val_equal(&a->val, &b->val));
    return 1;
}

/* The bytes of one operand of `..`; a number of a secret as Lua would write it. Pushes what holds them. */
static const char *part(lua_State *L, int idx, size_t *len) {
    const struct secret *s = to_secret(L, idx);
    if (!s) {
        opaque_raise(L, idx);
        if (!lua_isstring(L, idx))
            luaL_error(L, "attempt to join a secret and a %s", view_type(L, idx));
        lua_pushvalue(L, idx);
        return lua_tolstring(L, -1, len);
    }
    switch (s->val.kind) {
    case VAL_STRING:
        lua_pushvalue(L, idx);
        *len = s->val.string.len;
        return s->text;
    case VAL_INT:
        lua_pushinteger(L, s->val.integer);
        break;
    case VAL_DOUBLE:
        lua_pushnumber(L, s->val.number);
        break;
    default:
        lua_pushstring(L, s->val.kind == VAL_BOOL && s->val.boolean ? "true" : "false");
    }
    return lua_tolstring(L, -1, len);
}

static int secret_concat(lua_State *L) {
    size_t na, nb;
    const char *a = part(L, 1, &na), *b = part(L, 2, &nb);
    struct secret *s = lua_newuserdatauv(L, sizeof *s + na + nb + 1, 0);
    memset(s, 0, sizeof *s);
    memcpy(s->text, a, na);
    memcpy(s->text + na, b, nb);
    s->text[na + nb] = '\0';
    s->val.kind = VAL_STRING;
    s->val.secret = true;
    s->val.string.s = s->text;
    s->val.string.len = na + nb;
    luaL_setmetatable(L, "quorate.secret");
    return 1;
}

static int secret_gc(lua_State *L) {
    struct secret *s = lua_touserdata(L, 1);
    size_t len = lua_rawlen(L, 1);
    explicit_bzero(s->text, len - sizeof *s);
    return 0;
}

static int secret_refuse(lua_State *L) {
    return luaL_error(L, "a secret cannot be looked into: it can only be joined with '..' and handed to the host");
}

void opaque_open(struct box *b, lua_State *L) {
    static const char *const reads[] = {"__index", "__newindex", "__call", "__len", "__concat", "__unm", "__add", "__sub", "__mul", "__div", "__mod",
                                        "__pow", "__idiv", "__band", "__bor", "__bxor", "__shl", "__shr", "__bnot", "__lt", "__le"};
    static const luaL_Reg secret[] = {{"__tostring", secret_tostring}, {"__eq", secret_eq}, {"__concat", secret_concat}, {"__gc", secret_gc}, {0}};
    box_new_metatable(L, "quorate.opaque", NULL, &b->mt_opaque);
    box_new_metatable(L, "quorate.secret", NULL, &b->mt_secret);
    for (size_t i = 0; i < sizeof reads / sizeof *reads; i++) {
        lua_pushcfunction(L, opaque_operate);
        lua_setfield(L, -3, reads[i]);
        lua_pushcfunction(L, secret_refuse);
        lua_setfield(L, -2, reads[i]);
    }
    luaL_setfuncs(L, secret, 0);
    lua_pop(L, 1);
    lua_pushcfunction(L, opaque_tostring);
    lua_setfield(L, -2, "__tostring");
    lua_pop(L, 1);
    lua_newtable(L);
    lua_newtable(L);
    lua_pushliteral(L, "v");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    b->intern = luaL_ref(L, LUA_REGISTRYINDEX);
}
