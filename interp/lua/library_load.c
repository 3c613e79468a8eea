#include "lua/library_priv.h"

#include "lua/lval.h"
#include "lua/scan.h"

#include <string.h>

/* From a file to a definition. Runs on whichever Lua thread asks: a definition is loaded when its name is first used, which may be in the
 * middle of an expression. */

struct load {
    struct library *lib;
    struct entry *e;
    const struct source *src;
    struct err *err;
    struct def *def;
    bool ok;
};

/* The instructions of our own files need not be counted where that costs much; those of others are. */
static const struct source *read_file(struct library *lib, const char *file, struct err *err) {
    const struct source *src = files_read((struct files *)lib->files, file, err);
    if (!src)
        return NULL;
    if (!files_is_embedded(lib->files, file))
        box_foreign(lib->box);
    char hex[65];
    sha256_hex(src->text, src->len, hex);
    map_put(lib->loaded, file, arena_strdup(lib->arena, hex));
    box_source(lib->box, src);
    return src;
}

/* Pushes the compiled file with its environment. Raises. */
static void compile(lua_State *L, const struct source *src, const char *family) {
    lua_pushfstring(L, "@%s", src->name);
    if (luaL_loadbufferx(L, src->text, src->len, lua_tostring(L, -1), "t") != LUA_OK)
        lua_error(L);
    env_push(L, family);
    lua_setupvalue(L, -2, 1);
    lua_remove(L, -2);
}

/* --- one declaration, on top of the stack: {kind =, [1] = table} wrapped by the constructor --- */

static struct mark key_mark(struct load *ld, const char *key) {
    return scan_key_mark(ld->src, &key, 1);
}

static void take_outcomes(struct load *ld, lua_State *L) {
    struct def *d = ld->def;
    int t = lua_gettop(L);
    if (!lua_istable(L, t)) {
        err_add(ld->err, key_mark(ld, "outcomes"), "wrong-type", "'outcomes' must be a map from names to functions, and is a %s", luaL_typename(L, t));
        ld->ok = false;
        return;
    }
    order_keys(L, t);
    int keys = lua_gettop(L);
    size_t n = lua_rawlen(L, keys);
    d->outcomes = arena_array(ld->lib->arena, struct def_outcome, n);
    for (size_t i = 1; i <= n; i++) {
        lua_rawgeti(L, keys, (lua_Integer)i);
        lua_pushvalue(L, -1);
        lua_rawget(L, t);
        const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "[]";
        const char *path[] = {"outcomes", name};
        if (!lua_isfunction(L, -1) || lua_type(L, -2) != LUA_TSTRING || !strcmp(name, "ok")) {
            err_add(ld->err, scan_key_mark(ld->src, path, 2), "wrong-type",
                    !strcmp(name, "ok") ? "the outcome '%s' is what `effect` describes" : "the outcome '%s' must be a function", name);
            ld->ok = false;
            lua_pop(L, 2);
            continue;
        }
        d->outcomes[d->noutcomes].name = arena_strdup(ld->lib->arena, name);
        d->outcomes[d->noutcomes++].ref = luaL_ref(L, LUA_REGISTRYINDEX);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

static int known_fn(const char *key) {
    for (int fn = 0; fn < FN_COUNT; fn++)
        if (!strcmp(def_fn_key((enum def_fn)fn), key))
            return fn;
    return -1;
}

/* One key of the declaration; the value is on top. Functions stand in the checked map as a word, so that the one table knows all keys. */
static void take_key(struct load *ld, lua_State *L, const char *key, struct val *data, struct val *checked) {
    struct arena *a = ld->lib->arena;
    struct def *d = ld->def;
    const struct val *v = NULL;
    int fn = known_fn(key);
    if (!strcmp(key, "outcomes") && d->kind == DEF_ACTION) {
        take_outcomes(ld, L);
        val_map_set(a, checked, key, val_map_new(a));
        return;
    }
    if (fn >= 0 && def_fn_allowed(d->kind, (enum def_fn)fn)) {
        val_map_set(a, checked, key, val_str(a, "function"));
        if (lua_isfunction(L, -1)) {
            lua_pushvalue(L, -1);
            d->fn[fn] = luaL_ref(L, LUA_REGISTRYINDEX);
            return;
        }
        err_add(ld->err, key_mark(ld, key), "wrong-type", "'%s' must be a function, and is a %s", key, view_type(L, -1));
        ld->ok = false;
        return;
    }
    if (lua_isfunction(L, -1)) { /* of another kind, or misspelt: the table says what is accepted */
        for (const struct field *f = def_fields(d->kind); f->key; f++)
            if (!strcmp(f->key, key)) {
                err_add(ld->err, key_mark(ld, key), "wrong-type", "'%s' must be data, and is a function", key);
                ld->ok = false;
            }
        val_map_set(a, checked, key, val_str(a, "function"));
        return;
    }
    struct err *quiet = err_new(a);
    if (!lval_to(L, lua_gettop(L), a, key, &v, quiet)) {
        err_add(ld->err, key_mark(ld, key), "wrong-type", "%s", quiet->first->message);
        ld->ok = false;
        v = val_str(a, "");
        val_map_set(a, checked, key, v);
        return;
    }
    val_map_set(a, data, key, v);
    val_map_set(a, checked, key, v);
}

static void take(struct load *ld, lua_State *L) {
    struct arena *a = ld->lib->arena;
    struct def *d = ld->def;
    struct val *data = val_map_new(a), *checked = val_map_new(a);
    int t = lua_gettop(L);
    order_keys(L, t);
    int keys = lua_gettop(L);
    size_t n = lua_rawlen(L, keys);
    for (size_t i = 1; i <= n; i++) {
        lua_rawgeti(L, keys, (lua_Integer)i);
        lua_pushvalue(L, -1);
        lua_rawget(L, t);
        if (lua_type(L, -2) == LUA_TSTRING)
            take_key(ld, L, lua_tostring(L, -2), data, checked);
        else if (d->kind == DEF_FUNC && lua_isinteger(L, -2) && lua_tointeger(L, -2) == 1 && lua_isfunction(L, -1))
            take_key(ld, L, "call", data, checked);
        else {
            err_add(ld->err, mark_whole(ld->src), "unknown-key", "a declaration of a%s %s has names as keys, and here is one that is a %s",
                    d->kind == DEF_ACTION || d->kind == DEF_EVENT ? "n" : "", def_kind_name(d->kind), view_type(L, -2));
            ld->ok = false;
        }
        lua_settop(L, keys);
    }
    d->decl = data;
    ld->ok = decl_check(a, d->kind, checked, ld->src, ld->err) && ld->ok;
    if (d->kind == DEF_RULE && !d->fn[FN_NEVER] && !d->fn[FN_FINALLY]) {
        err_add(ld->err, mark_whole(ld->src), "missing-key", "a rule needs 'never' or 'finally'");
        ld->ok = false;
    }
    if (d->kind == DEF_ACTION && !d->fn[FN_RUN] && !val_get(checked, "run") && !val_get_bool(data, "planned", false)) {
        err_add(ld->err, mark_whole(ld->src), "missing-key", "an action needs 'run', or 'planned = true' if it cannot act yet");
        ld->ok = false;
    }
}

static int load_file(lua_State *L) {
    struct load *ld = lua_touserdata(L, 1);
    struct box *b = box_of(L);
    compile(L, ld->src, ld->e->family);
    lua_call(L, 0, 1);
    if (lua_type(L, -1) != LUA_TUSERDATA || !box_has_mt(L, -1, b->mt_def)) {
        err_add(ld->err, mark_whole(ld->src), "no-definition", "the file must return action {…}, probe {…}, rule {…}, event {…}, capability {…} or func {…}");
        return 0;
    }
    ld->def->kind = (enum def_kind) * (int *)lua_touserdata(L, -1);
    lua_getiuservalue(L, -1, 1);
    ld->ok = true;
    take(ld, L);
    return 0;
}

/* Tells the errors of a broken file again, so that each place that names it is refused for a stated reason. */
static void tell_again(const struct err *why, struct err *err) {
    for (const struct diag *d = why ? why->first : NULL; d; d = d->next) {
        struct diag *copy = err_add(err, d->mark, d->code, "%s", d->message);
        if (d->hint)
            diag_hint(err, copy, "%s", d->hint);
        for (size_t i = 0; i < d->nnotes; i++)
            diag_note(err, copy, "%s", d->notes[i]);
    }
}

const struct def *library_load(struct library *lib, lua_State *L, const char *name, struct err *err) {
    struct entry *e = library_entry(lib, name);
    if (!e)
        return NULL;
    if (e->state == ENTRY_READY)
        return e->def;
    if (e->state == ENTRY_LOADING) {
        err_add(err, mark_none(), "circular-definition", "'%s' needs itself while it is being loaded", name);
        return NULL;
    }
    if (e->state == ENTRY_BROKEN) {
        tell_again(e->why, err);
        return NULL;
    }
    struct arena *a = lib->arena;
    struct load ld = {.lib = lib, .e = e, .err = err_new(a)};
    e->state = ENTRY_LOADING;
    ld.src = read_file(lib, e->file, ld.err);
    if (ld.src) {
        ld.def = arena_new_of(a, struct def);
        *ld.def = (struct def){.name = e->name, .family = e->family, .src = ld.src, .file = e->file + strlen("stdlib/"),
                                .own = files_is_own(lib->files, e->file)};
        struct call_signal sig = {0};
        enum call_result r = box_run(lib->box, L, load_file, &ld, a, &sig, ld.err);
        if (r == CALL_UNKNOWN || r == CALL_UNOBSERVED)
            err_add(ld.err, mark_whole(ld.src), "lua-error", "the file reads a value that is not known: %s", sig.text);
        ld.ok = ld.ok && r == CALL_OK;
    } else if (!ld.err->nerrors)
        err_add(ld.err, mark_none(), "no-file", "%s: there is no such file", e->file);
    e->state = ld.ok ? ENTRY_READY : ENTRY_BROKEN;
    e->def = ld.ok ? ld.def : NULL;
    e->why = ld.ok ? NULL : ld.err;
    tell_again(e->why, err);
    return e->def;
}

const struct def *library_find(struct library *lib, lua_State *L, const char *name) {
    struct entry *e = library_entry(lib, name);
    if (!e)
        return NULL;
    struct scratch *x = scratch_push(L);
    const struct def *d = library_load(lib, L, name, x->err);
    if (!d) {
        struct diag *f = x->err->first;
        if (f && f->mark.src)
            luaL_error(L, "%s cannot be loaded: %s:%d: %s", name, f->mark.src->name, (int)f->mark.line, f->message);
        luaL_error(L, "%s cannot be loaded: %s", name, f ? f->message : "");
    }
    scratch_done(x);
    lua_pop(L, 1);
    return d;
}

bool library_push_lib(struct library *lib, lua_State *L, const char *family) {
    struct family *f = library_family(lib, family);
    if (!f || !f->lib)
        return false;
    if (!f->ref) {
        if (f->loading) /* stays set when loading was left by an error */
            luaL_error(L, "%s could not be loaded, or needs itself while it is being loaded", f->lib);
        if (files_is_own(lib->files, f->lib) && files_hides(lib->files, f->lib)) /* shipped actions would hand it a ctx that may do everything */
            luaL_error(L, "%s: the helpers of a shipped family cannot be replaced by a file of the site's own; give the file another family [right-not-granted]", f->lib);
        struct scratch *x = scratch_push(L);
        const struct source *src = read_file(lib, f->lib, x->err);
        if (!src)
            luaL_error(L, "%s: %s", f->lib, x->err->first ? x->err->first->message : "there is no such file");
        scratch_done(x);
        lua_pop(L, 1);
        f->loading = true;
        compile(L, src, family);
        lua_call(L, 0, 1);
        if (!lua_istable(L, -1))
            luaL_error(L, "%s must return a table, and returned a %s", f->lib, view_type(L, -1));
        f->loading = false;
        f->ref = luaL_ref(L, LUA_REGISTRYINDEX);
    }
    lua_rawgeti(L, LUA_REGISTRYINDEX, f->ref);
    lval_push_view(L, -1);
    lua_replace(L, -2);
    return true;
}
