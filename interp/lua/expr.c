#include "lua/expr.h"

#include "lua/box_priv.h"
#include "lua/lval.h"
#include "lua/scan.h"

#include <ctype.h>
#include <string.h>

/* --- parsing --- */

static const char lead[] = "return ";

/* Feeds the compiler byte by byte: how far it has read when it gives up tells the column, which its messages do not. */
struct feed {
    const char *text;
    size_t len, pos;
    bool led;
};

static const char *feed(lua_State *L, void *ud, size_t *size) {
    (void)L;
    struct feed *f = ud;
    if (!f->led) {
        f->led = true;
        *size = sizeof lead - 1;
        return lead;
    }
    *size = f->pos < f->len;
    return *size ? f->text + f->pos++ : NULL;
}

struct parse {
    struct expr *e;
    const struct tok *toks;
    struct err *err;
    bool ok;
};

/* "expression:1: unexpected symbol near '%'" without the place */
static const char *bare(const char *message) {
    const char *p = strchr(message, ':');
    if (p && isdigit((unsigned char)p[1])) {
        p++;
        while (isdigit((unsigned char)*p))
            p++;
        if (p[0] == ':' && p[1] == ' ')
            return p + 2;
    }
    return message;
}

static void syntax_error(struct parse *p, const char *message, size_t read) {
    const struct expr *e = p->e;
    const struct tok *t = p->toks, *at = t;
    bool at_end = strstr(message, "near <eof>") != NULL;
    /* the compiler has read one byte past the token that it does not accept, unless the text ended */
    for (; t->kind != TOK_END; t++)
        if (at_end || t->at + (read < strlen(e->text) ? 1 : 0) < read)
            at = t;
    size_t off = at_end ? at->at + at->len : at->at;
    if (at_end && off && off >= strlen(e->text))
        off = at->at;
    struct diag *d = err_add(p->err, scan_mark(e->mark, e->text, off, at->len ? at->len : 1), "expr-syntax", "%s", bare(message));
    if (at_end)
        diag_hint(p->err, d, "the expression ends too early");
}

static int check_syntax(lua_State *L) {
    struct parse *p = lua_touserdata(L, 1);
    struct feed f = {.text = p->e->text, .len = strlen(p->e->text)};
    p->ok = lua_load(L, feed, &f, "=expression", "t") == LUA_OK;
    if (!p->ok)
        syntax_error(p, lua_tostring(L, -1), f.pos);
    return 0;
}

bool expr_parse(struct box *box, struct arena *a, const char *text, struct mark at, struct expr **ret, struct err *err) {
    size_t n, bad = err->nerrors;
    struct expr *e = arena_new_of(a, struct expr);
    e->text = arena_strdup(a, text);
    e->mark = at;
    struct tok *toks = scan_all(a, text, strlen(text), &n);
    if (!n) {
        diag_hint(err, err_add(err, at, "expr-syntax", "an expression is missing"), "such as state.swarm.quorum.held");
        return false;
    }
    if (scan_hints(e, toks, err))
        return false;
    struct parse p = {.e = e, .toks = toks, .err = err};
    if (box_run(box, box->L, check_syntax, &p, a, NULL, err) != CALL_OK || !p.ok)
        return false;
    /* `1; 2`, which Lua takes as `return 1;` and nothing more */
    if (tok_is(text, &toks[n - 1], ";"))
        err_add(err, scan_mark(at, text, toks[n - 1].at, 1), "expr-syntax", "one expression, without ';'");
    scan_refs(a, e, toks);
    if (err->nerrors > bad)
        return false;
    *ret = e;
    return true;
}

/* --- evaluating --- */

struct eval {
    struct box *box;
    struct expr *e;
    struct arena *a;
    struct err *err;
    const struct val *ret;
};

/* A capability by its bare name, as in `swarm.quorum and …`, means a call of it; as a function it would always be true. */
static const char *with_calls(struct eval *v) {
    const struct expr *e = v->e;
    struct library *lib = v->box->lib;
    size_t n, from = 0;
    const char *out = lead;
    struct tok *t = scan_all(v->a, e->text, strlen(e->text), &n);
    for (size_t i = 0; lib && i + 2 < n; i++) {
        if (t[i].kind != TOK_NAME || !tok_is(e->text, &t[i + 1], ".") || t[i + 2].kind != TOK_NAME)
            continue;
        if (i && (tok_is(e->text, &t[i - 1], ".") || tok_is(e->text, &t[i - 1], ":")))
            continue;
        const struct tok *next = &t[i + 3];
        size_t end = t[i + 2].at + t[i + 2].len;
        if (next->kind == TOK_STRING || (next->kind != TOK_END && strchr(".:({[", e->text[next->at]) && !tok_is(e->text, next, "..")))
            continue;
        const char *name = arena_printf(v->a, "%.*s.%.*s", (int)t[i].len, e->text + t[i].at, (int)t[i + 2].len, e->text + t[i + 2].at);
        if (!library_has(lib, name))
            continue;
        const struct def *d = library_load(lib, v->box->L, name, err_new(v->a));
        if (!d || d->kind != DEF_CAPABILITY)
            continue;
        out = arena_printf(v->a, "%s%.*s()", out, (int)(end - from), e->text + from);
        from = end;
    }
    return arena_printf(v->a, "%s%s", out, e->text + from);
}

static int evaluate(lua_State *L) {
    struct eval *v = lua_touserdata(L, 1);
    struct box *b = v->box;
    if (!v->e->ref) {
        const char *text = with_calls(v);
        if (luaL_loadbufferx(L, text, strlen(text), "=expression", "t") != LUA_OK)
            return lua_error(L);
        lua_rawgeti(L, LUA_REGISTRYINDEX, b->expr_env);
        lua_setupvalue(L, -2, 1);
        v->e->ref = luaL_ref(L, LUA_REGISTRYINDEX);
    }
    lua_newtable(L);
    lua_rawseti(L, LUA_REGISTRYINDEX, b->scope_names);
    lua_rawgeti(L, LUA_REGISTRYINDEX, v->e->ref);
    lua_call(L, 0, 1);
    opaque_raise(L, -1);
    if (lval_to(L, -1, v->a, "the result", &v->ret, v->err) && !v->ret)
        v->ret = val_null();
    return 0;
}

/* Errors inside a Lua file keep their place and say which expression led there; others get the expression's. */
static void place(struct err *err, struct diag *since, const struct expr *e) {
    for (struct diag *d = since ? since->next : err->first; d; d = d->next) {
        if (!d->mark.src)
            d->mark = e->mark;
        else if (e->mark.src)
            diag_note(err, d, "while evaluating '%s' at %s:%u", e->text, e->mark.src->name, e->mark.line);
    }
}

enum call_result expr_eval(struct box *box, const struct expr *e, const struct scope *s, struct arena *a, const struct val **ret,
                           struct call_signal *sig, struct err *err) {
    struct eval v = {.box = box, .e = (struct expr *)e, .a = a, .err = err}; /* the compiled form is kept in it */
    const struct scope *outer = box->scope;
    const struct model *model = box->model;
    struct arena *arena = box->scope_arena;
    struct diag *since = err->last;
    size_t before = err->nerrors;
    box->scope = s;
    box->scope_arena = a;
    box->model = s ? s->state : NULL;
    enum call_result r = box_run(box, box->L, evaluate, &v, a, sig, err);
    box->scope = outer;
    box->scope_arena = arena;
    box->model = model;
    if (err->nerrors > before) {
        place(err, since, e);
        return CALL_ERROR;
    }
    if (r == CALL_OK)
        *ret = v.ret;
    return r;
}

enum call_result expr_test(struct box *box, const struct expr *e, const struct scope *s, struct arena *a, bool *ret, struct call_signal *sig,
                           struct err *err) {
    const struct val *v = NULL;
    enum call_result r = expr_eval(box, e, s, a, &v, sig, err);
    if (r != CALL_OK)
        return r;
    if (val_is(v, VAL_BOOL)) {
        *ret = v->boolean;
        return CALL_OK;
    }
    struct diag *d = err_add(err, e->mark, "not-boolean", "the expression must yield true or false, and yields %s",
                             val_is_null(v) ? "nil" : val_kind_name(v->kind));
    if (val_is(v, VAL_INT) && v->integer == 0)
        diag_hint(err, d, "0 is true in Lua; compare it, as in … > 0");
    else if (val_is_null(v))
        diag_hint(err, d, "is there such a value? nil can be tested with … ~= nil");
    else
        diag_hint(err, d, "compare it with something");
    return CALL_ERROR;
}
