#include "lua/expr.h"

#include "lua/box_priv.h"
#include "lua/scan.h"
#include "value/json.h"

#include <stdio.h>
#include <string.h>

/* Templates: values in which strings may hold ${{ … }}. */

struct part {
    const struct val *text; /* or */
    struct expr *expr;
};

struct tmpl {
    const struct val *src;
    bool is_const;
    struct part *parts; /* of a string with ${{ … }} */
    size_t nparts;
    struct tmpl **items; /* of a list or map that is not const, in its order */
    size_t nitems;
};

/* --- parsing --- */

enum { max_depth = 64 };

/* The end of the expression that starts at `from`: the place of its `}}`, or 0. Strings and tables of Lua are passed over. */
static size_t expr_end(const char *text, size_t len, size_t from) {
    size_t pos = from, depth = 0;
    for (;;) {
        struct tok t = scan_next(text, len, &pos);
        if (t.kind == TOK_END)
            return 0;
        if (tok_is(text, &t, "{"))
            depth++;
        else if (tok_is(text, &t, "}")) {
            if (depth)
                depth--;
            else if (t.at + 1 < len && text[t.at + 1] == '}')
                return t.at;
            else
                return 0;
        } else if (t.kind == TOK_BAD && t.at + t.len == len && t.len > 1)
            return 0;
    }
}

static void add_part(struct arena *a, struct tmpl *t, struct part p) {
    struct part *parts = arena_array(a, struct part, t->nparts + 1);
    if (t->nparts)
        memcpy(parts, t->parts, t->nparts * sizeof *parts);
    parts[t->nparts++] = p;
    t->parts = parts;
}

static bool parse_string(struct box *box, struct arena *a, const struct val *v, struct tmpl *t, struct err *err) {
    const char *s = v->string.s;
    size_t len = v->string.len, from = 0;
    bool ok = true;
    for (const char *p = strstr(s, "${{"); p; p = strstr(s + from, "${{")) {
        size_t open = (size_t)(p - s), start = open + 3, end = expr_end(s, len, start);
        if (!end) {
            struct diag *d = err_add(err, scan_mark(v->mark, s, open, 3), "template-open", "this ${{ has no }}");
            diag_hint(err, d, "# after a space starts a comment in YAML; quote the whole string");
            return false;
        }
        if (open > from)
            add_part(a, t, (struct part){.text = val_strn(a, s + from, open - from)});
        while (start < end && strchr(" \t\n", s[start]))
            start++;
        size_t stop = end;
        while (stop > start && strchr(" \t\n", s[stop - 1]))
            stop--;
        struct expr *e = NULL;
        struct mark at = scan_mark(v->mark, s, start, stop - start);
        ok = expr_parse(box, a, arena_strndup(a, s + start, stop - start), at, &e, err) && ok;
        add_part(a, t, (struct part){.expr = e});
        from = end + 2;
    }
    if (from && from < len)
        add_part(a, t, (struct part){.text = val_strn(a, s + from, len - from)});
    t->is_const = from == 0;
    return ok;
}

static bool parse(struct box *box, struct arena *a, const struct val *v, int depth, struct tmpl **ret, struct err *err) {
    struct tmpl *t = arena_new_of(a, struct tmpl);
    bool ok = true;
    t->src = v ? v : val_null();
    t->is_const = true;
    *ret = t;
    if (val_is(v, VAL_STRING))
        return parse_string(box, a, v, t, err);
    if (!v || (v->kind != VAL_LIST && v->kind != VAL_MAP))
        return true;
    if (depth > max_depth) {
        err_add(err, v->mark, "too-deep", "nested deeper than %d levels", max_depth);
        return false;
    }
    t->nitems = val_len(v);
    t->items = arena_array(a, struct tmpl *, t->nitems);
    for (size_t i = 0; i < t->nitems; i++) {
        ok = parse(box, a, v->kind == VAL_LIST ? v->list.items[i] : v->map.pairs[i].val, depth + 1, &t->items[i], err) && ok;
        t->is_const = t->is_const && t->items[i]->is_const;
    }
    return ok;
}

bool tmpl_parse(struct box *box, struct arena *a, const struct val *v, struct tmpl **ret, struct err *err) {
    struct tmpl *t;
    if (!parse(box, a, v, 0, &t, err))
        return false;
    *ret = t;
    return true;
}

bool tmpl_is_const(const struct tmpl *t) {
    return t->is_const;
}

const struct val *tmpl_source(const struct tmpl *t) {
    return t->src;
}

const struct tmpl *tmpl_at(const struct tmpl *t, const char *key) {
    if (!t || !val_is(t->src, VAL_MAP) || t->nitems != val_len(t->src))
        return NULL;
    for (size_t i = 0; i < t->nitems; i++)
        if (!strcmp(t->src->map.pairs[i].key, key))
            return t->items[i];
    return NULL;
}

void tmpl_each(const struct tmpl *t, void (*fn)(void *ud, const struct expr *e), void *ud) {
    if (t->is_const)
        return;
    for (size_t i = 0; i < t->nparts; i++)
        if (t->parts[i].expr)
            fn(ud, t->parts[i].expr);
    for (size_t i = 0; i < t->nitems; i++)
        tmpl_each(t->items[i], fn, ud);
}

/* --- evaluating --- */

struct fill {
    struct box *box;
    const struct scope *scope;
    bool keep_unknown;
    struct arena *a;
    struct call_signal *sig;
    struct err *err;
};

static void add_text(struct buf *b, const struct val *v) {
    char num[40];
    switch (v->kind) {
    case VAL_STRING:
        buf_add(b, v->string.s, v->string.len);
        break;
    case VAL_DOUBLE: /* as Lua writes it */
        snprintf(num, sizeof num, "%.14g", v->number);
        buf_adds(b, num);
        if (!strpbrk(num, ".eEni"))
            buf_adds(b, ".0");
        break;
    default:
        json_print(v, JSON_COMPACT | JSON_SHOW_SECRETS, b); /* the whole becomes secret if v is */
    }
}

static bool has_secret(const struct val *v) {
    if (v->secret)
        return true;
    for (size_t i = 0; i < val_len(v); i++)
        if (has_secret(v->kind == VAL_LIST ? v->list.items[i] : v->map.pairs[i].val))
            return true;
    return false;
}

/* What is not known somewhere inside a value that is to become text. */
static const char *unknown_in(const struct val *v, bool *unobserved) {
    const char *text = val_unknown_provider(v);
    *unobserved = false;
    if (!text && (text = val_unobserved_why(v)))
        *unobserved = true;
    for (size_t i = 0; !text && i < val_len(v); i++)
        text = unknown_in(v->kind == VAL_LIST ? v->list.items[i] : v->map.pairs[i].val, unobserved);
    return text;
}

static enum call_result eval_part(const struct fill *f, const struct part *p, const struct val **ret) {
    struct call_signal sig = {0};
    if (p->text) {
        *ret = p->text;
        return CALL_OK;
    }
    enum call_result r = expr_eval(f->box, p->expr, f->scope, f->a, ret, &sig, f->err);
    if (f->sig && r != CALL_OK && r != CALL_ERROR)
        *f->sig = sig;
    if (r == CALL_UNKNOWN && f->keep_unknown)
        *ret = val_unknown(f->a, sig.text);
    return r;
}

static enum call_result eval_string(const struct fill *f, const struct tmpl *t, const struct val **ret) {
    const struct val *v = NULL;
    struct buf b = BUF_INIT;
    bool secret = t->src->secret;
    enum call_result r = CALL_OK;
    for (size_t i = 0; i < t->nparts && r == CALL_OK; i++) {
        r = eval_part(f, &t->parts[i], &v);
        if (r != CALL_OK || t->nparts == 1)
            break;
        bool unobserved;
        const char *text = unknown_in(v, &unobserved);
        if (text) {
            if (f->sig)
                f->sig->text = text;
            v = unobserved ? val_unobserved(f->a, text) : val_unknown(f->a, text);
            r = unobserved ? CALL_UNOBSERVED : CALL_UNKNOWN;
        } else if (val_is_null(v)) {
            diag_hint(f->err, err_add(f->err, t->parts[i].expr->mark, "template-nil", "this yields nil, which is no text"), "(…) or \"\"");
            r = CALL_ERROR;
        } else {
            add_text(&b, v);
            secret = secret || has_secret(v);
        }
    }
    if (r == CALL_UNKNOWN && f->keep_unknown) {
        *ret = val_marked(f->a, v, t->src->mark);
        r = CALL_OK;
    } else if (r == CALL_OK) {
        if (t->nparts != 1)
            v = val_strn(f->a, b.data, b.len);
        *ret = val_marked(f->a, secret ? val_secret(f->a, v) : v, t->src->mark);
    }
    buf_done(&b);
    return r;
}

static enum call_result eval(const struct fill *f, const struct tmpl *t, const struct val **ret) {
    if (t->is_const) {
        *ret = t->src;
        return CALL_OK;
    }
    if (t->nparts)
        return eval_string(f, t, ret);
    bool list = t->src->kind == VAL_LIST;
    struct val *out = list ? val_list_new(f->a) : val_map_new(f->a);
    enum call_result all = CALL_OK;
    for (size_t i = 0; i < t->nitems; i++) {
        const struct val *v = NULL;
        enum call_result r = eval(f, t->items[i], &v);
        if (r != CALL_OK) { /* go on, so that several errors are told at once; an error outweighs a signal */
            all = all == CALL_OK || r == CALL_ERROR ? r : all;
            continue;
        }
        if (list)
            val_list_add(f->a, out, v);
        else
            val_map_set_marked(f->a, out, t->src->map.pairs[i].key, t->src->map.pairs[i].mark, v);
    }
    if (all == CALL_OK)
        *ret = val_marked(f->a, out, t->src->mark);
    return all;
}

enum call_result tmpl_eval(struct box *box, const struct tmpl *t, const struct scope *s, bool keep_unknown, struct arena *a,
                           const struct val **ret, struct call_signal *sig, struct err *err) {
    struct fill f = {.box = box, .scope = s, .keep_unknown = keep_unknown, .a = a, .sig = sig, .err = err};
    return eval(&f, t, ret);
}
