#include "lua/model.h"

#include "lua/library_priv.h"
#include "lua/lval.h"
#include "lua/model_priv.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* --- making --- */

struct job { /* what a protected function is handed */
    struct model *to;
    const struct model *from, *before;
    const struct def *def;
    int ref; /* of the function */
    enum def_fn fn;
    const char *part, *path, *by, *ends;
    const struct val *v, *const *args;
    size_t nargs;
    struct arena *a;
    struct err *err;
    struct mark at;
    const struct val *ret, *second;
    bool ok;
};

void model_push_on(lua_State *L, const struct model *m) {
    luaL_checkstack(L, 2, NULL);
    lua_rawgeti(L, LUA_REGISTRYINDEX, m->ref ? m->ref : m->from->ref);
}

void model_trusted(struct box *b, lua_CFunction fn, void *ud) {
    if (!lua_checkstack(b->L, 8))
        mem_die("out of memory");
    const int base = lua_gettop(b->L);
    b->trusted++;
    lua_pushcfunction(b->L, fn);
    lua_pushlightuserdata(b->L, ud);
    if (lua_pcall(b->L, 1, 0, 0) != LUA_OK)
        mem_die(lua_tostring(b->L, -1) ? lua_tostring(b->L, -1) : "a state is broken");
    b->trusted--;
    lua_settop(b->L, base);
}

static int do_new(lua_State *L) {
    struct job *j = lua_touserdata(L, 1);
    if (j->from) {
        model_push_on(L, j->from);
        size_t used = j->to->box->used;
        walk_clone(L, -1, false);
        if (j->to->box->used > used)
            j->to->bytes = j->to->box->used - used;
    } else
        lua_newtable(L);
    j->to->ref = luaL_ref(L, LUA_REGISTRYINDEX);
    return 0;
}

static struct model *make(struct box *box, const struct model *from) {
    struct model *m = mem_alloc(sizeof *m);
    box_tidy(box);
    m->box = box;
    struct job j = {.to = m, .from = from};
    model_trusted(box, do_new, &j);
    box->models += m->bytes;
    return m;
}

struct model *model_new(struct box *box) {
    return make(box, NULL);
}

struct model *model_clone(const struct model *m) {
    return make(m->box, m);
}

void model_free(struct model *m) {
    if (!m)
        return;
    if (m->ref)
        luaL_unref(m->box->L, LUA_REGISTRYINDEX, m->ref);
    m->box->models -= m->bytes;
    free(m);
}

void model_push(const struct model *m) {
    model_push_on(m->box->L, m);
}

/* --- parts --- */

static int do_set(lua_State *L) {
    struct job *j = lua_touserdata(L, 1);
    model_push_on(L, j->to);
    lua_pushstring(L, j->part);
    lval_push(L, j->v);
    lua_rawset(L, -3);
    return 0;
}

void model_set(struct model *m, const char *part, const struct val *v) {
    struct job j = {.to = m, .part = part, .v = v};
    assert(m->ref);
    m->plain = m->fresh = false;
    model_trusted(m->box, do_set, &j);
}

static int do_get(lua_State *L) {
    struct job *j = lua_touserdata(L, 1);
    model_push_on(L, j->from);
    lua_pushstring(L, j->part);
    if (lua_rawget(L, -2) == LUA_TNIL)
        j->ok = true;
    else
        j->ok = !j->a || lval_to(L, -1, j->a, arena_printf(j->a, "state.%s", j->part), &j->ret, j->err);
    j->second = lua_isnil(L, -1) ? NULL : val_null(); /* there is something */
    return 0;
}

bool model_has(const struct model *m, const char *part) {
    struct job j = {.from = m, .part = part};
    model_trusted(m->box, do_get, &j);
    return j.second != NULL;
}

bool model_get(const struct model *m, const char *part, struct arena *a, const struct val **ret, struct err *err) {
    struct job j = {.from = m, .part = part, .a = a, .err = err};
    model_trusted(m->box, do_get, &j);
    if (j.ok)
        *ret = j.ret;
    return j.ok;
}

/* --- one path --- */

static bool step_into(lua_State *L, struct job *j, const char *name, const char *path) {
    if (!lua_istable(L, -1)) {
        err_add(j->err, j->at, "unknown-path", "state.%s cannot be set: '%s' is no map", j->path, path);
        return false;
    }
    lua_pushstring(L, name);
    if (lua_rawget(L, -2) == LUA_TNIL) {
        struct diag *d = err_add(j->err, j->at, "unknown-path", "state.%s cannot be set: there is no '%s'", j->path, path);
        order_keys(L, -2);
        size_t n = lua_rawlen(L, -1), k = 0;
        const char **names = arena_array(j->err->arena, const char *, n);
        for (size_t i = 1; i <= n; i++, lua_pop(L, 1))
            if (lua_rawgeti(L, -1, (lua_Integer)i) == LUA_TSTRING)
                names[k++] = arena_strdup(j->err->arena, lua_tostring(L, -1));
        diag_accepted(j->err, d, name, names, k);
        return false;
    }
    return true;
}

static int do_set_path(lua_State *L) {
    struct job *j = lua_touserdata(L, 1);
    struct arena *a = j->err->arena;
    model_push_on(L, j->to);
    const char *p = j->path, *dot;
    while ((dot = strchr(p, '.'))) {
        const char *name = arena_strndup(a, p, (size_t)(dot - p));
        if (!step_into(L, j, name, arena_strndup(a, j->path, (size_t)(dot - j->path))))
            return 0;
        lua_remove(L, -2);
        p = dot + 1;
    }
    if (!lua_istable(L, -1)) {
        err_add(j->err, j->at, "unknown-path", "state.%s cannot be set: what it is in is no map", j->path);
        return 0;
    }
    lua_pushstring(L, p);
    lval_push(L, j->v);
    lua_rawset(L, -3);
    model_push_on(L, j->to);
    j->to->parts.n = 0;
    walk_check(L, -1, "the state", &j->to->parts);
    j->to->fresh = true;
    j->ok = true;
    return 0;
}

bool model_set_path(struct model *m, const char *path, const struct val *v, struct mark at, struct err *err) {
    struct job j = {.to = m, .path = path, .v = v, .at = at, .err = err};
    m->plain = m->fresh = false;
    return box_run(m->box, m->box->L, do_set_path, &j, err->arena, NULL, err) == CALL_OK && j.ok;
}

/* --- calls --- */

static enum call_result call(struct box *b, const struct model *m, lua_CFunction fn, struct job *j, struct arena *a, struct call_signal *sig,
                             struct err *err) {
    const struct model *outer = b->model;
    size_t before = err->nerrors;
    const struct diag *since = err->last;
    b->model = m;
    box_count(b, false);
    enum call_result r = box_run(b, b->L, fn, j, a, sig, err);
    box_count(b, true);
    b->branch = NULL;
    b->model = outer;
    if (err->nerrors > before && since != err->last)
        err_while(err, since, "while calling %s %s", j->def->name, j->part ? j->part : def_fn_key(j->fn));
    return err->nerrors > before ? CALL_ERROR : r;
}

/* Whether the function on top takes a third argument. */
static bool takes_before(lua_State *L) {
    lua_Debug ar;
    lua_pushvalue(L, -1);
    lua_getinfo(L, ">u", &ar);
    return ar.nparams > 2 || ar.isvararg;
}

/* The function on top is called with the state that it may change, `with`, and the state as it was. */
static void apply(lua_State *L, struct job *j) {
    const bool branch = !j->to->ref, before = takes_before(L);
    int n = 2;
    if (branch)
        branch_push(L, j->to);
    else
        model_push_on(L, j->to);
    const int state = lua_gettop(L);
    if (j->v)
        lval_push(L, j->v);
    else
        lua_newtable(L);
    if (before) {
        n++;
        model_push_on(L, branch ? j->to->from : j->to);
        if (!branch)
            walk_clone(L, -1, false);
        if (!branch)
            lua_remove(L, -2);
    }
    lua_pushvalue(L, state);
    lua_insert(L, state - 1); /* it stays below the call */
    lua_call(L, n, 1);
}

static int do_apply(lua_State *L) {
    struct job *j = lua_touserdata(L, 1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, j->ref);
    apply(L, j);
    const int state = lua_gettop(L) - 1;
    if (lua_isboolean(L, -1) && !lua_toboolean(L, -1))
        j->ends = "impossible";
    else if (lua_type(L, -1) == LUA_TSTRING && (!strcmp(lua_tostring(L, -1), "ok") || !strcmp(lua_tostring(L, -1), "unknown")))
        j->ends = !strcmp(lua_tostring(L, -1), "ok") ? "ok" : "unknown";
    else if (!lua_isnil(L, -1)) {
        j->ok = lval_to(L, -1, j->a, "what it returned", &j->ret, j->err);
        if (j->ok && !val_is(j->ret, VAL_MAP)) {
            err_add(j->err, mark_whole(j->def->src), "wrong-type", "it must return predicted outputs (a map) or nothing, and returned %s",
                    val_kind_name(j->ret->kind));
            j->ok = false;
        }
    }
    if (j->ends && !strcmp(j->ends, "impossible"))
        return 0; /* nobody will look at what it has done until then */
    j->to->parts.n = 0;
    walk_check(L, state, "the state", &j->to->parts);
    j->to->fresh = true;
    if (!j->to->ref)
        branch_done(L, state, j->to);
    return 0;
}

bool model_apply(struct model *m, const struct def *d, const char *outcome, const struct val *with, struct arena *a,
                 const struct val **ret_outputs, const char **ret_ends, struct err *err) {
    struct job j = {.to = m, .def = d, .v = with, .a = a, .err = err, .fn = FN_EFFECT, .ok = true};
    if (ret_outputs)
        *ret_outputs = NULL;
    if (ret_ends)
        *ret_ends = NULL;
    m->plain = m->fresh = false;
    if (!outcome || !strcmp(outcome, "ok"))
        j.ref = d->fn[FN_EFFECT];
    else {
        size_t i = 0;
        while (i < d->noutcomes && strcmp(d->outcomes[i].name, outcome) != 0)
            i++;
        if (i == d->noutcomes && strcmp(outcome, "failed") != 0) {
            const char **names = arena_array(err->arena, const char *, d->noutcomes + 2);
            for (size_t k = 0; k < d->noutcomes; k++)
                names[k] = d->outcomes[k].name;
            names[d->noutcomes] = "failed";
            names[d->noutcomes + 1] = "ok";
            struct diag *x = err_add(err, mark_none(), "unknown-outcome", "%s has no outcome '%s'", d->name, outcome);
            diag_accepted(err, x, outcome, names, d->noutcomes + 2);
            return false;
        }
        if (i < d->noutcomes) {
            j.ref = d->outcomes[i].ref;
            j.part = arena_printf(a, "outcome %s", outcome);
        }
    }
    if (!j.ref)
        return true; /* nothing is said to change */
    struct call_signal sig = {0};
    switch (call(m->box, m, do_apply, &j, a, &sig, err)) {
    case CALL_OK:
        break;
    case CALL_UNKNOWN:
    case CALL_UNOBSERVED: {
        struct diag *x = err_add(err, mark_whole(d->src), "unpredictable", "%s %s computes with a value that is not known: %s", d->name,
                                 j.part ? j.part : "effect", sig.text);
        diag_note(err, x, "an effect may keep such a value and compare it, and do nothing else with it");
        return false;
    }
    default:
        return false;
    }
    if (ret_outputs)
        *ret_outputs = j.ret;
    if (ret_ends)
        *ret_ends = j.ends;
    return j.ok;
}

/* A read-only look at a val: what a pure function gets. */
static void push_arg(lua_State *L, const struct val *v) {
    lval_push(L, v);
    lval_push_view(L, -1);
    lua_replace(L, -2);
}

/* A view costs an object for each table that is looked into. A state that was hashed can do without: whoever hashed it can tell
 * whether it was changed (model_hash again), and where nothing is unobserved there is no signal to raise. */
static void push_state(lua_State *L, const struct model *m) {
    if (!m) {
        lua_pushnil(L);
        return;
    }
    model_push_on(L, m);
    if (m->plain)
        return;
    lval_push_view(L, -1);
    lua_replace(L, -2);
}

static bool take_result(lua_State *L, int idx, struct job *j, const struct val **ret) {
    return lua_isnil(L, idx) || lval_to(L, idx, j->a, "what it returned", ret, j->err);
}

/* Whether every part that a rule needs is there. */
static bool is_judged(lua_State *L, const struct job *j) {
    const struct val *needs = val_get(j->def->decl, "needs");
    model_push_on(L, j->from);
    bool all = true;
    for (size_t i = 0; i < val_len(needs) && all; i++) {
        const char *part = val_cstr(val_at(needs, i));
        lua_pushstring(L, part ? part : "");
        all = lua_rawget(L, -2) != LUA_TNIL || !part;
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    return all;
}

static int do_call(lua_State *L) {
    struct job *j = lua_touserdata(L, 1);
    if (j->def->kind == DEF_RULE && !is_judged(L, j)) {
        j->ok = true;
        return 0;
    }
    luaL_checkstack(L, (int)j->nargs + 8, NULL);
    lua_rawgeti(L, LUA_REGISTRYINDEX, j->def->fn[j->fn]);
    int n = 0;
    if (j->fn != FN_CALL) {
        push_state(L, j->from);
        n++;
    }
    if (j->fn == FN_NEVER) {
        push_state(L, j->before);
        lua_pushstring(L, j->by);
        n += 2;
    }
    for (size_t i = 0; i < j->nargs; i++, n++)
        push_arg(L, j->args[i]);
    lua_call(L, n, 2);
    j->ok = take_result(L, -2, j, &j->ret) && take_result(L, -1, j, &j->second);
    return 0;
}

enum call_result model_call(const struct model *m, const struct def *d, enum def_fn fn, const struct val *const *args, size_t nargs,
                            struct arena *a, const struct val **ret, const struct val **ret_second, struct call_signal *sig, struct err *err) {
    struct job j = {.from = m, .def = d, .fn = fn, .args = args, .nargs = nargs, .a = a, .err = err};
    assert(m);
    *ret = NULL;
    if (ret_second)
        *ret_second = NULL;
    if (!d->fn[fn])
        return CALL_OK;
    enum call_result r = call(m->box, m, do_call, &j, a, sig, err);
    if (r == CALL_OK) {
        *ret = j.ret;
        if (ret_second)
            *ret_second = j.second;
    }
    return r;
}

bool model_rule(const struct model *m, const struct model *before, const struct def *rule, enum def_fn fn, const char *by, struct arena *a,
                const char **ret_message, struct err *err) {
    struct job j = {.from = m, .before = before, .def = rule, .fn = fn, .by = by, .a = a, .err = err};
    *ret_message = NULL;
    if (!rule->fn[fn])
        return true;
    struct call_signal sig = {0};
    switch (call(m->box, m, do_call, &j, a, &sig, err)) {
    case CALL_OK:
        break;
    case CALL_UNKNOWN:
    case CALL_UNOBSERVED:
        err_warn(err, mark_whole(rule->src), "rule-unjudged", "the rule %s cannot be judged: %s", rule->name, sig.text);
        return true;
    default:
        return false;
    }
    if (val_is(j.ret, VAL_STRING))
        *ret_message = val_cstr(j.ret);
    else if (!val_is_null(j.ret) && !(val_is(j.ret, VAL_BOOL) && !j.ret->boolean)) {
        err_add(err, mark_whole(rule->src), "wrong-type", "the rule %s must return what is wrong (a text) or nothing, and returned %s", rule->name,
                val_kind_name(j.ret->kind));
        return false;
    }
    return true;
}
