#include "lua/box_priv.h"

#include "lua/lval.h"

#include <string.h>

/* Copying, checking and hashing of whole tables, without a conversion to val. */

/* What scripts may make; and what a state may hold that came from files and probes, with their own limits. */
enum { max_depth = 64, max_nodes = 1000000, deepest = 4000 };

/* --- copy --- */

static bool is_unobserved(lua_State *L, int idx) {
    bool unobserved = false;
    return opaque_text(L, idx, &unobserved) && unobserved;
}

static void clone(lua_State *L, int idx, bool reading, int depth);

/* Replaces the value on top by a copy of it. */
static void clone_value(lua_State *L, bool reading, int depth) {
    switch (lua_type(L, -1)) {
    case LUA_TTABLE:
        clone(L, lua_gettop(L), reading, depth + 1);
        lua_replace(L, -2);
        break;
    case LUA_TUSERDATA:
        if (view_raw(L, -1)) {
            clone(L, lua_gettop(L), true, depth + 1);
            lua_replace(L, -3);
            lua_pop(L, 1);
        } else if (reading && !is_unobserved(L, -1)) /* what could not be observed stays in the copy, as it was; what is unknown is read */
            opaque_raise(L, -1);
        break;
    default:
        break;
    }
}

/* The pairs are first put on the stack, so that the copy is made in the right size: growing a table by one again and again costs more. */
enum { most_pairs = 60 };

static bool clone_few(lua_State *L, int idx, bool reading, int depth) {
    const int to = lua_gettop(L) + 1;
    int n = 0;
    luaL_checkstack(L, 2 * most_pairs + 8, "a table is nested too deeply");
    lua_pushnil(L); /* where the copy comes to stand */
    for (lua_pushnil(L); lua_next(L, idx); n++) {
        if (n == most_pairs) {
            lua_settop(L, to - 1);
            return false;
        }
        if (lua_type(L, -1) >= LUA_TTABLE)
            clone_value(L, reading, depth);
        lua_pushvalue(L, -2);
    }
    lua_createtable(L, 0, n);
    lua_replace(L, to);
    while (n--)
        lua_rawset(L, to);
    return true;
}

static void clone_many(lua_State *L, int idx, bool reading, int depth) {
    lua_createtable(L, (int)lua_rawlen(L, idx), 0);
    const int to = lua_gettop(L);
    for (lua_pushnil(L); lua_next(L, idx);) {
        clone_value(L, reading, depth);
        lua_pushvalue(L, -2);
        lua_insert(L, -2); /* key key value */
        lua_rawset(L, to);
    }
}

static void clone_list(lua_State *L, int idx, bool reading, int depth) {
    const lua_Integer items = (lua_Integer)lua_rawlen(L, idx);
    lua_createtable(L, (int)items, 0);
    const int to = lua_gettop(L);
    for (lua_Integer i = 1; i <= items; i++) {
        if (lua_rawgeti(L, idx, i) >= LUA_TTABLE)
            clone_value(L, reading, depth);
        lua_rawseti(L, to, i);
    }
    lval_mark_list(L, to);
}

static void clone(lua_State *L, int idx, bool reading, int depth) {
    struct box *b = box_of(L);
    if (depth > (b->trusted ? deepest : max_depth))
        luaL_error(L, "a table is nested deeper than %d levels, or contains itself", max_depth);
    luaL_checkstack(L, 6, "a table is nested too deeply");
    branch_whole(L, idx);
    if (box_has_mt(L, idx, b->mt_list))
        clone_list(L, idx, reading, depth);
    else if (lua_rawlen(L, idx) || !clone_few(L, idx, reading, depth))
        clone_many(L, idx, reading, depth);
}

void walk_clone(lua_State *L, int idx, bool reading) {
    clone(L, lua_absindex(L, idx), reading, 0);
}

/* --- hash --- */

/* Lua keeps one copy of each string up to this length, so its address stands for its content for as long as anybody holds it; that is, for
 * as long as there is a state that was hashed with it. */
enum { longest_interned = 40 };

static uint64_t mix(uint64_t h) {
    h ^= h >> 32;
    h *= 0xd6e8feb86659fd93u;
    h ^= h >> 32;
    h *= 0xd6e8feb86659fd93u;
    return h ^ h >> 32;
}

/* Two lanes with different seeds; the tag keeps kinds apart. */
static void hash_bytes(char tag, const void *data, size_t len, uint64_t h[2]) {
    const unsigned char *p = data;
    uint64_t a = 0x243f6a8885a308d3u ^ (unsigned char)tag ^ (uint64_t)len << 8, b = 0x13198a2e03707344u ^ a;
    for (; len >= 8; p += 8, len -= 8) {
        uint64_t w;
        memcpy(&w, p, 8);
        a = mix(a ^ w);
        b = mix(b + w) * 0x9e3779b97f4a7c15u;
    }
    uint64_t w = 0;
    memcpy(&w, p, len);
    h[0] = mix(a ^ w);
    h[1] = mix(mix(b + w) ^ 0xa4093822299f31d0u);
}

static void hash_table(lua_State *L, int idx, int depth, uint64_t h[2], bool *opaque);

static void hash_typed(lua_State *L, int idx, int type, int depth, uint64_t h[2], bool *opaque) {
    switch (type) {
    case LUA_TBOOLEAN: {
        char t = (char)lua_toboolean(L, idx);
        hash_bytes('b', &t, 1, h);
        return;
    }
    case LUA_TNUMBER: {
        int is;
        lua_Integer i = lua_tointegerx(L, idx, &is);
        double d = (double)lua_tonumber(L, idx);
        if (is) { /* 1 and 1.0 are equal */
            h[0] = mix((uint64_t)i ^ 0x082efa98ec4e6c89u);
            h[1] = mix(h[0] + 0x3f84d5b5b5470917u);
        } else
            hash_bytes('d', &d, sizeof d, h);
        return;
    }
    case LUA_TSTRING: {
        size_t len;
        const char *s = lua_tolstring(L, idx, &len);
        if (len <= longest_interned) {
            h[0] = mix((uint64_t)(uintptr_t)s ^ 0x243f6a8885a308d3u);
            h[1] = mix(h[0] + 0xa4093822299f31d0u);
        } else
            hash_bytes('s', s, len, h);
        return;
    }
    case LUA_TTABLE:
        hash_table(L, lua_absindex(L, idx), depth + 1, h, opaque);
        return;
    default: {
        bool unobserved;
        *opaque = true;
        const char *text = opaque_text(L, idx, &unobserved);
        if (text)
            hash_bytes(unobserved ? 'o' : 'u', text, strlen(text), h);
        else
            hash_bytes('x', "", 0, h);
    }
    }
}

static void hash_value(lua_State *L, int idx, int depth, uint64_t h[2], bool *opaque) {
    hash_typed(L, idx, lua_type(L, idx), depth, h, opaque);
}

/* The sum over all entries does not depend on their order. */
static void add_entry(uint64_t sum[2], const uint64_t key[2], const uint64_t value[2]) {
    for (int i = 0; i < 2; i++)
        sum[i] += mix(key[i] * 0x9e3779b97f4a7c15u + mix(value[i] + 0x452821e638d01377u));
}

static void finish_table(const uint64_t sum[2], uint64_t h[2]) {
    h[0] = mix(sum[0] ^ 0xbe5466cf34e90c6cu);
    h[1] = mix(sum[1] ^ 0xc0ac29b7c97c50ddu);
}

static void hash_table(lua_State *L, int idx, int depth, uint64_t h[2], bool *opaque) {
    if (depth > deepest)
        luaL_error(L, "a table is nested deeper than %d levels, or contains itself", deepest);
    luaL_checkstack(L, 4, "a table is nested too deeply");
    uint64_t sum[2] = {1, 2};
    for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1)) {
        uint64_t k[2], v[2];
        hash_value(L, -2, depth, k, opaque);
        hash_value(L, -1, depth, v, opaque);
        add_entry(sum, k, v);
    }
    finish_table(sum, h);
}

void walk_hash(lua_State *L, int idx, struct walk_hash *ret) {
    hash_value(L, idx, 0, ret->h, &ret->opaque);
}

void walk_hash_add(lua_State *L, int key, const struct walk_hash *value, struct walk_hash *sum) {
    uint64_t k[2];
    hash_value(L, lua_absindex(L, key), 0, k, &sum->opaque);
    add_entry(sum->h, k, value->h);
    sum->opaque |= value->opaque;
}

/* --- is it data? --- */

struct check {
    const char *what;
    size_t nodes;
    struct walk_hash hash;
    struct walk_parts *parts; /* or NULL */
};

static void check(lua_State *L, int idx, struct check *c, int depth, uint64_t h[2]);

static void check_part(lua_State *L, struct check *c, uint64_t h[2]) {
    const bool opaque = c->hash.opaque;
    c->hash.opaque = false;
    check(L, lua_gettop(L), c, 1, h);
    if (c->parts && c->parts->n < most_parts)
        c->parts->of[c->parts->n++] = (struct part_hash){.table = lua_topointer(L, -1), .hash = {{h[0], h[1]}, c->hash.opaque}};
    c->hash.opaque |= opaque;
}

/* Of a table's value on top, whose key is below it. */
static void check_value(lua_State *L, int idx, int key, struct check *c, int depth, uint64_t h[2]) {
    const int type = lua_type(L, -1);
    switch (type) {
    case LUA_TTABLE:
        if (!depth)
            check_part(L, c, h);
        else
            check(L, lua_gettop(L), c, depth + 1, h);
        return;
    case LUA_TUSERDATA:
        if (view_raw(L, -1)) { /* read-only there, a copy here */
            walk_clone(L, -1, false);
            check(L, lua_gettop(L), c, depth + 1, h);
            lua_pushvalue(L, -4);
            lua_pushvalue(L, -2);
            lua_rawset(L, idx); /* an existing key: the walk may go on */
            lua_pop(L, 2);
            return;
        }
        if (!strcmp(view_type(L, -1), "userdata"))
            luaL_error(L, "%s holds a thing of the host at '%s'", c->what, key == LUA_TSTRING ? lua_tostring(L, -2) : "[]");
        break;
    case LUA_TFUNCTION:
    case LUA_TLIGHTUSERDATA:
    case LUA_TTHREAD:
        luaL_error(L, "%s holds a %s at '%s'", c->what, luaL_typename(L, -1), key == LUA_TSTRING ? lua_tostring(L, -2) : "[]");
        break;
    default:
        break;
    }
    hash_typed(L, -1, type, depth, h, &c->hash.opaque);
}

static void check(lua_State *L, int idx, struct check *c, int depth, uint64_t h[2]) {
    if (depth > max_depth)
        luaL_error(L, "%s is nested deeper than %d levels, or contains itself", c->what, max_depth);
    luaL_checkstack(L, 6, "a table is nested too deeply");
    uint64_t sum[2] = {1, 2}, k[2], v[2];
    for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1)) {
        if (++c->nodes > max_nodes)
            luaL_error(L, "%s has more than %d values", c->what, max_nodes);
        const int key = lua_type(L, -2);
        if (key != LUA_TSTRING && !lua_isinteger(L, -2) && !opaque_text(L, -2, NULL))
            luaL_error(L, "%s has a key that is a %s", c->what, view_type(L, -2));
        check_value(L, idx, key, c, depth, v);
        hash_typed(L, -2, key, depth, k, &c->hash.opaque);
        add_entry(sum, k, v);
    }
    finish_table(sum, h);
}

void walk_check(lua_State *L, int idx, const char *what, struct walk_parts *ret) {
    struct check c = {.what = what, .parts = ret};
    uint64_t h[2];
    check(L, lua_absindex(L, idx), &c, 0, h);
}
