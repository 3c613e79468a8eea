#include "lua/box_priv.h"

#include "base/clock.h"
#include "base/map.h"
#include "lua/pool.h"

#include <assert.h>
#include <lualib.h>
#include <stdlib.h>
#include <string.h>

static const struct box_limits defaults = {.instructions = 10000000, .memory = (size_t)256 << 20};

/* --- limits --- */

/* What C functions do counts no instructions. Making long texts is charged by the byte; whatever else a script finds to keep C busy with
 * is ended by the clock, at a time that no honest call comes near. */
enum { charged_bytes = 64, longest_ms = 30000 };

static void *allocate(void *ud, void *p, size_t old, size_t size) {
    struct box *b = ud;
    if (!p)
        old = 0; /* then it is the kind of object */
    if (size == 0) {
        b->used -= old;
        return p ? pool_realloc(b->pool, p, old, 0) : NULL;
    }
    if (size > old && !b->trusted && b->used + (size - old) > b->max + b->models) {
        b->refused = size; /* Lua collects garbage and asks once more */
        return NULL;
    }
    void *q = pool_realloc(b->pool, p, old, size);
    if (!q)
        return NULL;
    b->used += size - old;
    if (size > old && !b->trusted)
        b->left -= (int64_t)((size - old) / charged_bytes);
    if (size == b->refused)
        b->refused = 0;
    return q;
}

static void on_count(lua_State *L, lua_Debug *ar) {
    (void)ar;
    struct box *b = box_of(L);
    b->left -= hook_step;
    if (b->left > 0 && clock_system()->mono_ms(clock_system()) < b->deadline)
        return;
    b->over = true;
    luaL_checkstack(L, 2, NULL);
    lua_pushliteral(L, "too many instructions");
    lua_error(L);
}

void box_arm(struct box *b, struct lua_State *co, int64_t instructions) {
    lua_sethook(co, on_count, LUA_MASKCOUNT, hook_step);
    b->left = instructions;
    b->deadline = clock_system()->mono_ms(clock_system()) + longest_ms;
    b->over = false;
    b->refused = 0;
}

const char *box_limit_hit(struct box *b) {
    return b->over ? "instruction-limit" : b->refused ? "memory-limit" : NULL;
}

/* --- making and ending --- */

static int open_all(lua_State *L) {
    struct box *b = lua_touserdata(L, 1);
    lua_newtable(L);
    b->globals = luaL_ref(L, LUA_REGISTRYINDEX);
    opaque_open(b, L);
    view_open(b, L);
    box_open_libs(b, L);
    env_open(b, L);
    return 0;
}

static void no_more(void) {
    abort(); /* nothing of a box could be made */
}

struct box *box_new(const struct box_limits *limits) {
    if (!limits)
        limits = &defaults;
    struct box *b = mem_alloc(sizeof *b);
    b->arena = arena_new();
    b->pool = pool_new();
    b->sources = map_new(b->arena);
    b->max = limits->memory ? limits->memory : defaults.memory;
    b->budget = limits->instructions ? limits->instructions : defaults.instructions;
    b->trusted = 1;
    b->L = lua_newstate(allocate, b);
    if (!b->L)
        no_more();
    memcpy(lua_getextraspace(b->L), &b, sizeof(struct box *));
    struct arena *a = arena_new();
    struct err *err = err_new(a);
    struct call_signal sig = {0};
    if (box_run(b, b->L, open_all, b, a, &sig, err) != CALL_OK)
        no_more();
    arena_free(a);
    b->trusted = 0;
    lua_sethook(b->L, on_count, LUA_MASKCOUNT, hook_step);
    return b;
}

void box_free(struct box *b) {
    if (!b)
        return;
    lua_close(b->L);
    pool_free(b->pool);
    arena_free(b->arena);
    free(b);
}

struct lua_State *box_lua(struct box *b) {
    return b->L;
}

struct box *box_of(struct lua_State *L) {
    struct box *b;
    memcpy(&b, lua_getextraspace(L), sizeof(struct box *));
    return b;
}

bool box_has_mt(lua_State *L, int idx, const void *mt) {
    if (!lua_getmetatable(L, idx))
        return false;
    bool same = lua_topointer(L, -1) == mt;
    lua_pop(L, 1);
    return same;
}

int box_new_metatable(lua_State *L, const char *name, const luaL_Reg *methods, const void **ret) {
    luaL_newmetatable(L, name);
    if (methods)
        luaL_setfuncs(L, methods, 0);
    *ret = lua_topointer(L, -1);
    return 1;
}

/* --- while many states are made --- */

void box_count(struct box *b, bool on) {
    if (on)
        lua_sethook(b->L, on_count, LUA_MASKCOUNT, hook_step);
    else if (b->untidy && !b->foreign)
        lua_sethook(b->L, NULL, 0, 0);
}

void box_foreign(struct box *b) {
    b->foreign = true;
    box_count(b, true); /* also for what has just called it */
}

bool box_is_foreign(const struct box *b) {
    return b->foreign;
}

static const size_t least_garbage = (size_t)64 << 20;

static void next_tidy(struct box *b) {
    b->tidy_at = b->used + (b->used > least_garbage ? b->used : least_garbage);
}

void box_many_states(struct box *b) {
    if (b->untidy++)
        return;
    lua_gc(b->L, LUA_GCSTOP);
    next_tidy(b);
}

void box_few_states(struct box *b) {
    if (!--b->untidy)
        lua_gc(b->L, LUA_GCRESTART);
}

void box_tidy(struct box *b) {
    if (!b->untidy || b->used < b->tidy_at)
        return;
    lua_gc(b->L, LUA_GCCOLLECT);
    next_tidy(b);
}

/* --- scratch memory of one C function --- */

void scratch_done(struct scratch *s) {
    arena_free(s->arena);
    buf_done(&s->buf);
    s->arena = NULL;
    s->err = NULL;
}

static int scratch_gc(lua_State *L) {
    scratch_done(lua_touserdata(L, 1));
    return 0;
}

struct scratch *scratch_push(lua_State *L) {
    struct scratch *s = lua_newuserdatauv(L, sizeof *s, 0);
    memset(s, 0, sizeof *s);
    buf_init(&s->buf, (size_t)64 << 20);
    if (luaL_newmetatable(L, "quorate.scratch")) {
        lua_pushcfunction(L, scratch_gc);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    s->arena = arena_new();
    s->err = err_new(s->arena);
    return s;
}

/* --- errors with their place --- */

void box_source(struct box *b, const struct source *src) {
    struct source *copy = source_new(b->arena, src->name, src->text, src->len);
    map_put(b->sources, copy->name, copy);
}

struct mark box_line_mark(const struct source *src, int line) {
    const char *p = src->text, *end = src->text + src->len;
    for (int i = 1; i < line && p; i++) {
        p = memchr(p, '\n', (size_t)(end - p));
        p = p ? p + 1 : NULL;
    }
    if (!p || line < 1)
        return mark_whole(src);
    while (p < end && (*p == ' ' || *p == '\t'))
        p++;
    const char *eol = memchr(p, '\n', (size_t)(end - p));
    size_t len = (size_t)((eol ? eol : end) - p);
    return mark_at(src, (size_t)(p - src->text), len ? len : 1);
}

/* The message handler: remembers the stack, which is gone once the error is caught. Takes no memory. */
static int on_error(lua_State *L) {
    struct box *b = box_of(L);
    struct fault *f = &b->fault;
    f->n = 0;
    lua_Debug ar;
    for (int level = 0; f->n < max_frames && lua_getstack(L, level, &ar); level++) {
        if (!lua_getinfo(L, "Sln", &ar) || ar.currentline < 0 || !strcmp(ar.source, "=quorate"))
            continue;
        struct fault_frame *fr = &f->frames[f->n++];
        memcpy(fr->where, ar.short_src, sizeof fr->where);
        snprintf(fr->name, sizeof fr->name, "%s", ar.name ? ar.name : "");
        fr->line = ar.currentline;
    }
    return 1;
}

static const struct source *fault_source(struct box *b, const struct fault_frame *f) {
    const struct source *src = map_get(b->sources, f->where);
    if (src)
        return src;
    /* Lua shortens long names in front: "...ong/path/leave.lua" */
    size_t len = strlen(f->where);
    if (len > 3 && !strncmp(f->where, "...", 3))
        for (struct map_iter it = map_iter(b->sources); map_next(&it);) {
            size_t n = strlen(it.key);
            if (n >= len - 3 && !strcmp(it.key + n - (len - 3), f->where + 3))
                return it.value;
        }
    return NULL;
}

/* The place that a message starts with, "file:line: " (removed from it), or that of the innermost frame. Which frame that is: for telling
 * the callers; -1 for none, as in an error of syntax. */
static struct mark fault_place(struct box *b, const char **message, int *ret_frame) {
    const struct fault *f = &b->fault;
    struct fault_frame said = {.line = 0};
    *ret_frame = f->n ? 0 : -1;
    for (const char *p = *message; (p = strchr(p, ':')) && (size_t)(p - *message) < sizeof said.where; p++) {
        size_t digits = strspn(p + 1, "0123456789");
        if (!digits || digits > 9 || strncmp(p + 1 + digits, ": ", 2) != 0)
            continue;
        memcpy(said.where, *message, (size_t)(p - *message));
        said.line = (int)strtol(p + 1, NULL, 10);
        const struct source *src = fault_source(b, &said);
        if (!src && !(f->n && !strcmp(f->frames[0].where, said.where))) /* an expression's has no source */
            break;
        *message = p + 1 + digits + 2;
        for (int i = 0; i < f->n; i++)
            if (f->frames[i].line == said.line && !strcmp(f->frames[i].where, said.where)) {
                *ret_frame = i;
                break;
            }
        return src ? box_line_mark(src, said.line) : mark_none();
    }
    const struct source *src = f->n ? fault_source(b, &f->frames[0]) : NULL;
    return src ? box_line_mark(src, f->frames[0].line) : mark_none();
}

static void report(struct box *b, const char *code, const char *message, struct err *err) {
    struct fault *f = &b->fault;
    int at;
    struct mark mark = fault_place(b, &message, &at);
    const char *eol = strchr(message, '\n'), *hint = strstr(message, "; did you mean ");
    int len = hint && !eol ? (int)(hint - message) : eol ? (int)(eol - message) : (int)strlen(message);
    struct diag *d = err_add(err, mark, code, "%.*s", len, message);
    if (hint && !eol)
        diag_hint(err, d, "%s", hint + 2);
    while (eol && eol[1]) {
        message = eol + 1;
        eol = strchr(message, '\n');
        diag_note(err, d, "%.*s", eol ? (int)(eol - message) : (int)strlen(message), message);
    }
    for (int i = at + 1; i > 0 && i < f->n; i++) {
        const struct fault_frame *fr = &f->frames[i];
        const char *callee = f->frames[i - 1].name;
        if (fault_source(b, fr))
            diag_note(err, d, "%s%scalled at %s:%d", callee, *callee ? " " : "", fr->where, fr->line);
    }
    f->n = 0;
}

/* The text of an error value that is not a string: error{message = "…"} */
static const char *error_text(lua_State *L, int idx) {
    if (lua_type(L, idx) == LUA_TSTRING || lua_type(L, idx) == LUA_TNUMBER)
        return lua_tostring(L, idx);
    if (lua_istable(L, idx)) {
        lua_pushliteral(L, "message");
        lua_rawget(L, idx);
        if (lua_type(L, -1) != LUA_TSTRING) {
            lua_pop(L, 1);
            lua_rawgeti(L, idx, 1);
        }
        const char *s = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
        lua_pop(L, 1); /* still held by the table */
        if (s)
            return s;
    }
    return "an error that is not a text";
}

static enum call_result failed(struct box *b, lua_State *L, int rc, struct arena *a, struct call_signal *sig, struct err *err) {
    bool unobserved;
    const char *text = rc == LUA_ERRRUN ? opaque_text(L, -1, &unobserved) : NULL;
    if (text && !b->over) {
        if (sig)
            sig->text = arena_strdup(a, text);
        return unobserved ? CALL_UNOBSERVED : CALL_UNKNOWN;
    }
    if (b->over)
        report(b, "instruction-limit", arena_printf(a, "ended after %lld instructions: the limit of one evaluation", (long long)b->budget), err);
    else if (rc == LUA_ERRMEM) {
        b->fault.n = 0;
        report(b, "memory-limit", arena_printf(a, "ended: more than %zu MiB of memory", b->max >> 20), err);
    } else
        report(b, "lua-error", error_text(L, lua_gettop(L)), err);
    return CALL_ERROR;
}

enum call_result box_pcall(struct box *b, lua_State *L, int nargs, int nret, struct arena *a, struct call_signal *sig, struct err *err) {
    int base = lua_gettop(L) - nargs;
    if (!lua_checkstack(L, 8))
        no_more();
    lua_pushcfunction(L, on_error);
    lua_insert(L, base);
    int64_t left = b->left, deadline = b->deadline;
    bool over = b->over, outermost = b->depth == 0;
    const int trusted = b->trusted;
    if (outermost) {
        b->left = b->budget;
        b->deadline = clock_system()->mono_ms(clock_system()) + longest_ms;
        b->over = false;
        b->refused = 0;
        b->rng = 0x9e3779b97f4a7c15u;
    }
    b->depth++;
    int rc = lua_pcall(L, nargs, nret, base);
    b->depth--;
    b->trusted = trusted;
    enum call_result r = CALL_OK;
    if (rc != LUA_OK) {
        r = failed(b, L, rc, a, sig, err);
        lua_pop(L, 1);
    }
    lua_remove(L, base);
    if (outermost) {
        b->left = left;
        b->deadline = deadline;
        b->over = over;
    }
    return r;
}

enum call_result box_call(struct box *b, int nargs, int nret, struct arena *a, struct call_signal *sig, struct err *err) {
    return box_pcall(b, b->L, nargs, nret, a, sig, err);
}

enum call_result box_run(struct box *b, lua_State *L, lua_CFunction fn, void *ud, struct arena *a, struct call_signal *sig, struct err *err) {
    if (!lua_checkstack(L, 8))
        no_more();
    lua_pushcfunction(L, fn);
    lua_pushlightuserdata(L, ud);
    return box_pcall(b, L, 1, 0, a, sig, err);
}
