#include "plan/load.h"

#include "base/clock.h"

#include <math.h>
#include <regex.h>
#include <string.h>

/* What can be said about values of a type; those that are not here have neither a pattern nor bounds. */
static const struct traits {
    const char *type;
    bool text;                                  /* a pattern can be matched */
    bool (*bound)(const char *s, int64_t *ret); /* how a bound is written as text; NULL: it is a plain number */
    const char *bound_text;
} traits[] = {
    {"string", true, NULL, "a number: the length"}, {"integer", false, NULL, "a number"},
    {"number", false, NULL, "a number"},            {"list", false, NULL, "a number: the length"},
    {"duration", false, duration_parse, "a duration such as 30s"}, {"bytes", false, input_bytes, "a size such as 10GiB"},
    {"node", true, NULL, NULL},                     {"address", true, NULL, NULL},
    {"path", true, NULL, NULL},                     {"image", true, NULL, NULL},
    {"url", true, NULL, NULL},                      {"secret", true, NULL, "a number: the length"},
};

static const struct traits *traits_of(const char *type) {
    static const struct traits none = {0};
    for (size_t i = 0; i < sizeof traits / sizeof *traits; i++)
        if (!strcmp(traits[i].type, type))
            return &traits[i];
    return &none;
}

static void needless(struct loading *ld, const struct val *v, const char *key, const char *type) {
    err_add(ld->err, val_pair(v, key)->mark, "needless-key", "'%s' says nothing about an input of the type '%s'", key, type);
}

static void read_bound(struct loading *ld, const struct val *decl, const char *key, const struct input *in, bool *has, double *ret) {
    const struct val *v = val_get(decl, key);
    const struct traits *t = traits_of(in->type);
    int64_t n;
    if (!v)
        return;
    if (!t->bound_text) {
        needless(ld, decl, key, in->type);
        return;
    }
    *has = true;
    if (v->kind == VAL_INT && t->bound != duration_parse)
        *ret = (double)v->integer;
    else if (v->kind == VAL_DOUBLE && isfinite(v->number) && t->bound != duration_parse)
        *ret = v->number;
    else if (t->bound && val_cstr(v) && t->bound(val_cstr(v), &n))
        *ret = (double)n;
    else {
        *has = false;
        err_add(ld->err, v->mark, "wrong-type", "'%s' of an input of the type '%s' must be %s", key, in->type, t->bound_text);
    }
}

const char *const input_sources[] = {"env:NAME", "file:PATH", "command:WORDS", "prompt", NULL};

bool input_source_fits(const char *word) {
    for (const char *const *s = input_sources; *s; s++) {
        const size_t fixed = strcspn(*s, ":"); /* what follows a colon is the asker's own */
        if ((*s)[fixed] ? !strncmp(word, *s, fixed + 1) && word[fixed + 1] : !strcmp(word, *s))
            return true;
    }
    return false;
}

static void read_from(struct loading *ld, struct input *in, const struct val *v) {
    if (!v)
        return;
    struct val *list = val_list_new(ld->arena);
    if (v->kind == VAL_STRING)
        val_list_add(ld->arena, list, v);
    in->from = v->kind == VAL_LIST ? v : list;
    for (size_t i = 0; i < val_len(in->from); i++) {
        const struct val *f = val_at(in->from, i);
        const char *s = val_cstr(f);
        if (s && input_source_fits(s))
            continue;
        struct diag *d = err_add(ld->err, f->mark, "unknown-source", "'%s' is no place where a value can come from", s ? s : "this");
        diag_accepted(ld->err, d, s ? s : "", input_sources, 4);
    }
}

static void read_pattern(struct loading *ld, struct input *in, const struct val *decl) {
    const struct val *v = val_get(decl, "pattern");
    regex_t re;
    if (!v)
        return;
    if (!traits_of(in->type)->text)
        needless(ld, decl, "pattern", in->type);
    else if (regcomp(&re, val_cstr(v), REG_EXTENDED | REG_NOSUB))
        err_add(ld->err, v->mark, "bad-pattern", "this is not a POSIX extended regular expression");
    else {
        regfree(&re);
        in->pattern = val_cstr(v);
    }
}

/* Each accepted value is one that could be given; those of a list are lists. */
static void check_enum(struct loading *ld, const struct input *in) {
    struct input each = *in;
    each.oneof = NULL;
    each.required = true;
    if (in->oneof && !val_len(in->oneof))
        err_add(ld->err, in->oneof->mark, "empty-enum", "no value is accepted for the input '%s'", in->name);
    for (size_t i = 0; i < val_len(in->oneof); i++)
        (void)input_fits(ld->arena, &each, ld->ld->site, val_at(in->oneof, i), ld->err);
}

static void read_default(struct loading *ld, struct input *in, const struct val *decl, size_t errors) {
    const struct val *def = val_get(decl, "default");
    if (!def)
        return;
    if (input_is_secret(in))
        err_add(ld->err, def->mark, "secret-default", "a secret cannot have a default in a file: use 'from'");
    if (in->required) {
        struct diag *d = err_add(ld->err, val_pair(decl, "required")->mark, "needless-key", "an input with a default is never missing");
        diag_hint(ld->err, d, "leave one of 'required' and 'default' out");
    }
    if (tmpl_parse(ld->ld->box, ld->arena, def, &in->def, ld->err) && tmpl_is_const(in->def) && ld->err->nerrors == errors) {
        const struct val *ignored;
        (void)input_convert(ld->arena, in, ld->ld->site, def, def->mark, &ignored, ld->err);
    }
}

bool input_load(struct loading *ld, const struct val_pair *p, struct input *ret) {
    const size_t errors = ld->err->nerrors;
    struct input in = {.name = p->key, .mark = p->mark, .type = "any"};
    name_check(ld, p->mark, p->key, "the name of an input");
    if (!schema_check(p->val, input_fields, NULL, arena_printf(ld->arena, "the input '%s'", p->key), ld->err)) {
        *ret = in;
        return false;
    }
    const struct val *v = p->val;
    in.type = val_get_str(v, "type", "any");
    in.type_mark = val_get(v, "type")->mark;
    in.items = val_get_str(v, "items", NULL);
    in.required = val_get_bool(v, "required", false);
    in.oneof = val_get(v, "enum");
    in.description = val_get_str(v, "description", NULL);
    read_bound(ld, v, "min", &in, &in.has_min, &in.min);
    read_bound(ld, v, "max", &in, &in.has_max, &in.max);
    if (in.has_min && in.has_max && in.min > in.max)
        err_add(ld->err, val_get(v, "min")->mark, "empty-range", "nothing is at least 'min' and at most 'max' here");
    read_from(ld, &in, val_get(v, "from"));
    read_pattern(ld, &in, v);
    if (in.items && strcmp(in.type, "list"))
        needless(ld, v, "items", in.type);
    check_enum(ld, &in);
    read_default(ld, &in, v, errors);
    *ret = in;
    return ld->err->nerrors == errors;
}

struct input input_declared(const char *name, const struct val *decl) {
    struct input in = {.name = name, .type = val_get_str(decl, "type", "any"), .items = val_get_str(decl, "items", NULL), .oneof = val_get(decl, "enum"),
                       .pattern = val_get_str(decl, "pattern", NULL), .required = val_get_bool(decl, "required", false),
                       .description = val_get_str(decl, "description", NULL)};
    const struct val *const bounds[] = {val_get(decl, "min"), val_get(decl, "max")};
    for (int i = 0; i < 2; i++) {
        const struct val *b = bounds[i];
        if (!val_is(b, VAL_INT) && !val_is(b, VAL_DOUBLE))
            continue;
        *(i ? &in.has_max : &in.has_min) = true;
        *(i ? &in.max : &in.min) = b->kind == VAL_INT ? (double)b->integer : b->number;
    }
    return in;
}
