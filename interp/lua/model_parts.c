#include "lua/model_priv.h"

#include "lua/lval.h"

#include <assert.h>
#include <string.h>

/* Parts of a state: shared between models, copied when an effect looks at them, hashed once. */

/* --- branches --- */

static bool was_copied(const struct box *b, const void *part) {
    for (size_t i = 0; i < b->nbranch_copied; i++)
        if (b->branch_copied[i] == part)
            return true;
    return false;
}

/* Adds the parts that are not there yet (and were not removed), as copies or as they are, to the state at idx, which is then a table like any other. */
static void take_parts(lua_State *L, int idx, const struct model *from, bool copies) {
    luaL_checkstack(L, 8, NULL);
    model_push_on(L, from);
    const int source = lua_gettop(L);
    for (lua_pushnil(L); lua_next(L, source);) {
        lua_pushvalue(L, -2);
        if (lua_rawget(L, idx) == LUA_TNIL && !was_copied(from->box, lua_topointer(L, -2))) {
            lua_pop(L, 1);
            lua_pushvalue(L, -2);
            lua_insert(L, -2); /* key key value */
            if (copies && lua_istable(L, -1)) {
                walk_clone(L, -1, false);
                lua_replace(L, -2);
            }
            lua_rawset(L, idx);
        } else
            lua_pop(L, 2);
    }
    lua_pop(L, 1);
    lua_pushnil(L);
    lua_setmetatable(L, idx);
}

/* Whether the table at idx is the branch that a function is just applied to, and still has parts to come. */
static bool is_branch(lua_State *L, int idx) {
    const struct box *b = box_of(L);
    return b->branch && lua_topointer(L, idx) == b->branch_table && box_has_mt(L, idx, b->mt_branch);
}

void branch_whole(lua_State *L, int idx) {
    if (!is_branch(L, idx))
        return;
    struct box *b = box_of(L);
    b->trusted++; /* ours; box_pcall sets it back after an error */
    take_parts(L, lua_absindex(L, idx), b->branch, true);
    b->trusted--;
}

static int branch_index(lua_State *L) {
    struct box *b = box_of(L);
    lua_settop(L, 2);
    if (!is_branch(L, 1))
        return 0;
    model_push_on(L, b->branch);
    lua_pushvalue(L, 2);
    if (lua_rawget(L, 3) != LUA_TTABLE)
        return 1;
    if (was_copied(b, lua_topointer(L, -1)))
        return 0; /* and removed */
    if (b->nbranch_copied == sizeof b->branch_copied / sizeof *b->branch_copied) {
        branch_whole(L, 1);
        lua_pushvalue(L, 2);
        lua_rawget(L, 1);
        return 1;
    }
    b->branch_copied[b->nbranch_copied++] = lua_topointer(L, -1);
    b->trusted++;
    walk_clone(L, -1, false);
    b->trusted--;
    lua_pushvalue(L, 2);
    lua_pushvalue(L, -2);
    lua_rawset(L, 1);
    return 1;
}

static int branch_newindex(lua_State *L) {
    branch_whole(L, 1);
    lua_settop(L, 3);
    lua_rawset(L, 1);
    return 0;
}

void branch_push(lua_State *L, struct model *m) {
    struct box *b = m->box;
    lua_newtable(L);
    b->branch = m->from;
    b->nbranch_copied = 0;
    b->branch_table = lua_topointer(L, -1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, b->branches);
    lua_setmetatable(L, -2);
}

void branch_done(lua_State *L, int idx, struct model *m) {
    if (is_branch(L, idx))
        take_parts(L, idx, m->from, false);
    lua_pushvalue(L, idx);
    m->ref = luaL_ref(L, LUA_REGISTRYINDEX);
}

struct model *model_branch(const struct model *m) {
    struct model *n = mem_alloc(sizeof *n);
    assert(m->ref);
    box_tidy(m->box);
    n->box = m->box;
    n->from = m;
    return n;
}

struct with {
    struct model *to;
    const struct model *from;
    const char *part;
    const struct val *v;
};

static int do_with(lua_State *L) {
    const struct with *j = lua_touserdata(L, 1);
    lua_newtable(L);
    const int to = lua_gettop(L);
    model_push_on(L, j->from);
    for (lua_pushnil(L); lua_next(L, to + 1);) {
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_rawset(L, to);
    }
    lua_settop(L, to);
    lua_pushstring(L, j->part);
    lval_push(L, j->v);
    lua_rawset(L, to);
    j->to->ref = luaL_ref(L, LUA_REGISTRYINDEX);
    return 0;
}

struct model *model_with(const struct model *m, const char *part, const struct val *v) {
    struct model *n = mem_alloc(sizeof *n);
    assert(m->ref);
    box_tidy(m->box);
    n->box = m->box;
    struct with j = {.to = n, .from = m, .part = part, .v = v};
    model_trusted(m->box, do_with, &j);
    return n;
}

/* --- hashes --- */

static struct key part_key(const void *table) {
    struct key k = key_of("part");
    key_add_ptr(&k, table);
    return k;
}

struct hashing {
    struct model *m;
    const struct table *known;
    struct walk_hash sum;
};

static const struct walk_hash *of_part(const struct walk_parts *p, const void *table) {
    for (size_t i = 0; i < p->n; i++)
        if (p->of[i].table == table)
            return &p->of[i].hash;
    return NULL;
}

static int do_hash(lua_State *L) {
    struct hashing *j = lua_touserdata(L, 1);
    struct walk_parts parts = {.n = 0};
    model_push_on(L, j->m);
    for (lua_pushnil(L); lua_next(L, 2); lua_pop(L, 1)) {
        const void *at = lua_istable(L, -1) ? lua_topointer(L, -1) : NULL;
        struct walk_hash part = {.opaque = false};
        const struct walk_hash *had = at && j->m->fresh ? of_part(&j->m->parts, at) : NULL;
        if (!had && at && j->known)
            had = table_get(j->known, part_key(at));
        if (had)
            part = *had;
        else
            walk_hash(L, -1, &part);
        if (at && parts.n < most_parts)
            parts.of[parts.n++] = (struct part_hash){.table = at, .hash = part};
        walk_hash_add(L, -2, &part, &j->sum);
    }
    j->m->parts = parts;
    j->m->fresh = false;
    return 0;
}

void model_hash_known(const struct model *m, const struct table *known, uint64_t ret[2]) {
    struct model *own = (struct model *)(uintptr_t)m;
    struct hashing j = {.m = own, .known = known};
    model_trusted(m->box, do_hash, &j);
    own->plain = !j.sum.opaque;
    memcpy(ret, j.sum.h, sizeof j.sum.h);
}

void model_hash(const struct model *m, uint64_t ret[2]) {
    model_hash_known(m, NULL, ret);
}

/* --- what is kept --- */

/* Under a part that is kept: whether it is plain, or what is remembered, by function; [1] tells then whether it is plain. */
static int do_keep(lua_State *L) {
    const struct model *m = lua_touserdata(L, 1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, m->box->kept);
    model_push_on(L, m);
    for (lua_pushnil(L); lua_next(L, 3); lua_pop(L, 1)) {
        if (!lua_istable(L, -1))
            continue;
        lua_pushvalue(L, -1);
        if (lua_rawget(L, 2) == LUA_TNIL) {
            const struct walk_hash *h = of_part(&m->parts, lua_topointer(L, -2));
            lua_pushvalue(L, -2);
            lua_pushboolean(L, h && !h->opaque); /* nothing is remembered yet */
            lua_rawset(L, 2);
        }
        lua_pop(L, 1);
    }
    return 0;
}

void model_keep(struct model *m, struct table *known, struct arena *a) {
    for (size_t i = 0; i < m->parts.n; i++) {
        void **slot = table_slot(known, part_key(m->parts.of[i].table));
        if (*slot)
            continue;
        struct walk_hash *h = arena_new_of(a, struct walk_hash);
        *h = m->parts.of[i].hash;
        *slot = h;
    }
    model_trusted(m->box, do_keep, m);
}

/* Pushes what is remembered of the part at idx (a table, or nil), and tells whether anything may be. A view of a plain part may be replaced by it. */
static bool remembered(lua_State *L, int idx) {
    struct box *b = box_of(L);
    const bool view = view_raw(L, idx);
    if (!view)
        lua_pushvalue(L, idx);
    const int part = lua_gettop(L);
    lua_rawgeti(L, LUA_REGISTRYINDEX, b->kept);
    lua_pushvalue(L, part);
    const int type = lua_isnil(L, part) ? LUA_TNIL : lua_rawget(L, -2);
    bool plain = type == LUA_TBOOLEAN && lua_toboolean(L, -1);
    if (type == LUA_TTABLE) {
        lua_rawgeti(L, -1, 1);
        plain = lua_toboolean(L, -1);
        lua_pop(L, 1);
    } else if (type == LUA_TBOOLEAN) {
        lua_pop(L, 1);
        lua_createtable(L, 1, 2);
        lua_pushboolean(L, plain);
        lua_rawseti(L, -2, 1);
        lua_pushvalue(L, part);
        lua_pushvalue(L, -2);
        lua_rawset(L, -4);
    }
    if (type == LUA_TNIL || (view && !plain)) {
        lua_settop(L, part - 1);
        return false;
    }
    lua_replace(L, part + 1);
    lua_settop(L, part + 1);
    lua_insert(L, part);
    lua_replace(L, idx);
    return true;
}

/* once(part, fn): fn(part), which is looked at again for as long as the part cannot change: in a state that is kept. */
static int f_once(lua_State *L) {
    lua_settop(L, 2);
    luaL_checktype(L, 2, LUA_TFUNCTION);
    const bool keep = remembered(L, 1);
    if (keep) {
        lua_pushvalue(L, 2);
        if (lua_rawget(L, 3) != LUA_TNIL)
            return 1;
    }
    lua_pushvalue(L, 2);
    lua_pushvalue(L, 1);
    lua_call(L, 1, 1);
    if (keep && !lua_isnil(L, -1)) {
        lua_pushvalue(L, 2);
        lua_pushvalue(L, -2);
        lua_rawset(L, 3);
    }
    return 1;
}

void parts_open(struct box *b, lua_State *L, int globals) {
    static const luaL_Reg branch[] = {{"__index", branch_index}, {"__newindex", branch_newindex}, {0}};
    box_new_metatable(L, "quorate.branch", branch, &b->mt_branch);
    b->branches = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "k");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    b->kept = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_pushcfunction(L, f_once);
    lua_setfield(L, globals, "once");
}
