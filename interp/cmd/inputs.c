#include "cmd/cmd.h"

#include "value/file.h"
#include "value/yaml.h"

#include <stdlib.h>
#include <string.h>

static const size_t max_input = 16 << 20; /* bytes of a file with inputs */

static bool read_yaml(struct ctx *c, const char *path, const struct val **ret) {
    const struct source *src;
    return file_read(c->arena, path, NULL, max_input, &src, c->err) && yaml_parse(c->arena, src, NULL, ret, c->err);
}

/* Inputs that were found, and where each was: "site", "inputs:FILE", "argument", "argument:FILE", or a word of the input's own `from`. */
struct found {
    struct val *given, *where;
};

static void take_map(struct ctx *c, const struct found *f, const struct val *from, const char *where) {
    for (size_t i = 0; i < val_len(from) && from->kind == VAL_MAP; i++) {
        val_map_set_marked(c->arena, f->given, from->map.pairs[i].key, from->map.pairs[i].mark, from->map.pairs[i].val);
        val_map_set(c->arena, f->where, from->map.pairs[i].key, val_str(c->arena, where));
    }
}

/* NAME=VALUE; the mark points into the word, so that errors can quote it. */
static bool take_word(struct ctx *c, const struct found *f, const char *word) {
    const char *eq = strchr(word, '=');
    const struct source *src = source_new(c->arena, "--input", word, strlen(word));
    if (!eq || eq == word) {
        struct diag *d = err_add(c->err, mark_at(src, 0, strlen(word)), "usage", "--input wants NAME=VALUE");
        diag_hint(c->err, d, "as in --input managers=3");
        return false;
    }
    const char *name = arena_strndup(c->arena, word, (size_t)(eq - word));
    const struct val *v;
    if (eq[1] == '@') {
        if (!read_yaml(c, eq + 2, &v))
            return false;
    } else {
        struct val *text = (struct val *)(uintptr_t)val_str(c->arena, eq + 1);
        text->mark = mark_at(src, (size_t)(eq + 1 - word), strlen(eq + 1) ? strlen(eq + 1) : 1);
        v = text;
    }
    val_map_set_marked(c->arena, f->given, name, mark_at(src, 0, strlen(name)), v);
    val_map_set(c->arena, f->where, name, eq[1] == '@' ? val_printf(c->arena, "argument:%s", eq + 2) : val_str(c->arena, "argument"));
    return true;
}

/* The value of one source of `from`; *ret stays NULL if it has none, and tried tells. What is no secret is YAML, but for a word of the environment. */
static bool take_source(struct ctx *c, const struct input *in, const char *from, struct val *tried, const struct val **ret) {
    const char *what = arena_printf(c->arena, "the input '%s'", in->name), *s = NULL;
    const bool env = !strncmp(from, "env:", 4), file = !strncmp(from, "file:", 5);
    if (input_is_secret(in)) {
        if (!secret_from(c, what, from, tried, &s))
            return false;
        *ret = s ? val_secret(c->arena, val_str(c->arena, s)) : NULL;
        return true;
    }
    if (env) {
        s = getenv(from + 4);
        *ret = s ? val_str(c->arena, s) : NULL;
        return true;
    }
    if (file)
        return read_yaml(c, path_join(c->arena, c->site ? c->site->dir : ".", from + 5), ret);
    if (!secret_from_plain(c, what, from, tried, &s))
        return false;
    if (s && !strncmp(from, "command:", 8))
        return yaml_parse(c->arena, source_new(c->arena, from, s, strlen(s)), NULL, ret, c->err);
    *ret = s ? val_str(c->arena, s) : NULL;
    return true;
}

static void tell_tried(struct ctx *c, const struct input *in, const struct val *tried) {
    if (in->def || !val_len(tried))
        return;
    struct diag *d = err_add(c->err, in->mark, "missing-input", "the input '%s' was not given, and is not found", in->name);
    diag_hint(c->err, d, "give it with --input %s=%s", in->name, input_is_secret(in) ? "@FILE" : "…");
    for (size_t i = 0; i < val_len(tried); i++)
        diag_note(c->err, d, "%s", val_cstr(val_at(tried, i)));
}

/* The first source of `from` that has the value. */
static bool take_from(struct ctx *c, const struct input *in, const struct found *f) {
    struct val *tried = val_list_new(c->arena);
    for (size_t i = 0; i < val_len(in->from); i++) {
        const char *from = val_cstr(val_at(in->from, i));
        const struct val *v = NULL;
        if (!take_source(c, in, from, tried, &v))
            return false;
        if (!v)
            continue;
        val_map_set(c->arena, f->given, in->name, v);
        val_map_set(c->arena, f->where, in->name, val_str(c->arena, from));
        return true;
    }
    if (!input_is_secret(in))
        return true; /* whoever binds it says so, if it is needed */
    tell_tried(c, in, tried);
    return false;
}

static const struct input *input_named(const struct runbook *rb, const char *name) {
    for (size_t i = 0; i < rb->ninputs; i++)
        if (!strcmp(rb->inputs[i].name, name))
            return &rb->inputs[i];
    return NULL;
}

/* ---- saved plans: values, and for secrets only where they are ---- */

/* Where a secret can be found again. A word of the command line, or what came through a pipe, is gone. */
static bool can_be_found_again(struct ctx *c, const char *name, const char *where) {
    if (strcmp(where, "argument") && strcmp(where, "argument:-") && strcmp(where, "inputs:-"))
        return true;
    struct diag *d = err_add(c->err, mark_none(), "secret-literal", "the input '%s' is a secret, and a saved plan never holds the value of one", name);
    diag_hint(c->err, d, "let the plan refer to it: --input %s=@FILE, or a source that the runbook names under 'from'", name);
    return false;
}

static bool inputs_document(struct ctx *c, const struct runbook *rb, const struct found *f) {
    struct val *doc = val_map_new(c->arena);
    for (size_t i = 0; i < val_len(f->given); i++) {
        const struct val_pair *p = &f->given->map.pairs[i];
        const struct input *in = input_named(rb, p->key);
        const char *where = val_get_str(f->where, p->key, "?");
        struct val *one = val_map_new(c->arena);
        if (in && input_is_secret(in) && !can_be_found_again(c, p->key, where))
            return false;
        if (!in || !input_is_secret(in))
            val_map_set(c->arena, one, "value", p->val);
        val_map_set(c->arena, one, "from", val_str(c->arena, where));
        val_map_set(c->arena, doc, p->key, one);
    }
    c->inputs_doc = doc;
    return true;
}

static bool is_source_of(const struct input *in, const char *from) {
    for (size_t i = 0; i < val_len(in->from); i++)
        if (!strcmp(val_cstr(val_at(in->from, i)), from))
            return true;
    return false;
}

static bool secret_again(struct ctx *c, const struct runbook *rb, const struct input *in, const char *from, const struct val **ret) {
    const struct val *v = NULL;
    bool ok = true;
    if (!strcmp(from, "site")) {
        v = val_get(val_get(c->site ? c->site->inputs : NULL, rb->name), in->name);
    } else if (!strncmp(from, "inputs:", 7) && strcmp(from, "inputs:-")) {
        ok = read_yaml(c, from + 7, &v);
        v = ok ? val_get(v, in->name) : NULL;
    } else if (!strncmp(from, "argument:", 9) && strcmp(from, "argument:-")) {
        ok = read_yaml(c, from + 9, &v);
    } else if (is_source_of(in, from)) {
        ok = take_source(c, in, from, val_list_new(c->arena), &v);
    }
    if (ok && !v)
        err_add(c->err, mark_none(), "missing-input", "the secret '%s' came from '%s' when the plan was made, and is not there now", in->name, from);
    if (v)
        *ret = val_secret(c->arena, v);
    return v != NULL;
}

bool inputs_saved(struct ctx *c, const struct runbook *rb, const struct val **ret) {
    const struct val *doc = c->saved->inputs;
    struct val *given = val_map_new(c->arena);
    bool ok = true;
    for (size_t i = 0; i < val_len(doc); i++) {
        const struct val_pair *p = &doc->map.pairs[i];
        const struct input *in = input_named(rb, p->key);
        const struct val *v = val_get(p->val, "value");
        const bool secret = in && input_is_secret(in);
        if (secret && v) {
            err_add(c->err, mark_none(), "secret-literal", "the plan holds a value for the secret '%s'", p->key);
            v = NULL;
            ok = false;
        } else if (secret) {
            ok &= secret_again(c, rb, in, val_get_str(p->val, "from", ""), &v);
        }
        if (v)
            val_map_set(c->arena, given, p->key, v);
    }
    *ret = given;
    return ok;
}

/* ---- what was given ---- */

bool inputs_given(struct ctx *c, const struct runbook *rb, const struct val **ret) {
    const struct found f = {.given = val_map_new(c->arena), .where = val_map_new(c->arena)};
    bool ok = true;
    if (c->site)
        take_map(c, &f, val_get(c->site->inputs, rb->name), "site");
    if (c->opt.inputs_file) {
        const struct val *v;
        if (!read_yaml(c, c->opt.inputs_file, &v))
            return false;
        if (!val_is(v, VAL_MAP)) {
            err_add(c->err, v->mark, "wrong-type", "inputs are a map from names to values, and this is %s", val_kind_name(v->kind));
            return false;
        }
        take_map(c, &f, v, arena_printf(c->arena, "inputs:%s", c->opt.inputs_file));
    }
    for (size_t i = 0; i < c->opt.inputs.n; i++)
        ok &= take_word(c, &f, c->opt.inputs.items[i]);
    for (size_t i = 0; i < rb->ninputs; i++)
        for (size_t k = 0; k < val_len(rb->inputs[i].from) && input_is_secret(&rb->inputs[i]); k++)
            secret_hide(c, val_cstr(val_at(rb->inputs[i].from, k))); /* from all children, whichever source is used */
    for (size_t i = 0; ok && i < rb->ninputs; i++)
        if (rb->inputs[i].from && !val_get(f.given, rb->inputs[i].name))
            ok = take_from(c, &rb->inputs[i], &f);
    *ret = f.given;
    return ok && (!c->opt.out || inputs_document(c, rb, &f));
}
