#include "plan/load.h"

#include <string.h>

static bool is_open(const struct val *v) {
    if (v->kind == VAL_STRING)
        return strstr(v->string.s, "${{") != NULL;
    for (size_t i = 0; i < val_len(v); i++)
        if (is_open(v->kind == VAL_LIST ? v->list.items[i] : v->map.pairs[i].val))
            return true;
    return false;
}

/* What a step's `with` is checked against. */
struct declared {
    const char *what;      /* "demo.join", "the runbook site/leaf" */
    struct input *inputs;
    size_t n;
    bool converts;         /* a runbook takes text for a number, as from the command line; an action gets what stands there */
};

static const struct input *declared_input(const struct declared *d, const char *name) {
    for (size_t i = 0; i < d->n; i++)
        if (!strcmp(d->inputs[i].name, name))
            return &d->inputs[i];
    return NULL;
}

static void check_constant(struct loading *ld, const struct declared *d, const struct input *in, const struct val_pair *p) {
    const struct val *ignored;
    if (input_is_secret(in) && !val_is_null(p->val)) {
        struct diag *diag = err_add(ld->err, p->mark, "secret-literal", "the input '%s' of %s is a secret, and this file is no place for one", in->name, d->what);
        diag_hint(ld->err, diag, "declare an input of the type secret, with 'from', and hand it on");
    } else if (d->converts) {
        (void)input_convert(ld->arena, in, ld->ld->site, p->val, p->val->mark, &ignored, ld->err);
    } else {
        (void)input_fits(ld->arena, in, ld->ld->site, p->val, ld->err);
    }
}

static void check_with(struct loading *ld, const struct val *with, struct mark at, const struct declared *d) {
    const char **names = arena_array(ld->arena, const char *, d->n + 1);
    for (size_t i = 0; i < d->n; i++)
        names[i] = d->inputs[i].name;
    for (size_t i = 0; i < val_len(with); i++) {
        const struct val_pair *p = &with->map.pairs[i];
        const struct input *in = declared_input(d, p->key);
        if (!in) {
            struct diag *diag = err_add(ld->err, p->mark, "unknown-input", "%s has no input '%s'", d->what, p->key);
            diag_accepted(ld->err, diag, p->key, names, d->n);
        } else if (!is_open(p->val)) {
            check_constant(ld, d, in, p);
        }
    }
    for (size_t i = 0; i < d->n; i++) {
        const struct input *in = &d->inputs[i];
        if (!in->required || val_get(with, in->name))
            continue;
        struct diag *diag = err_add(ld->err, at, "missing-input", "%s needs the input '%s'", d->what, in->name);
        diag_note(ld->err, diag, "%s: %s%s%s", in->name, in->type, in->description ? ", " : "", in->description ? in->description : "");
    }
}

static void check_def(struct loading *ld, const struct val *with, struct mark at, const struct def *def) {
    const struct val *inputs = val_get(def->decl, "inputs");
    struct declared d = {.what = def->name, .inputs = arena_array(ld->arena, struct input, val_len(inputs) + 1)};
    for (; d.n < val_len(inputs); d.n++)
        d.inputs[d.n] = input_declared(inputs->map.pairs[d.n].key, inputs->map.pairs[d.n].val);
    check_with(ld, with, at, &d);
}

/* A site's action may change what nothing probes. */
static const struct val *can_be_probed(struct loading *ld, const struct val *parts) {
    struct val *names = val_list_new(ld->arena);
    for (size_t i = 0; i < val_len(parts); i++) {
        const char *name = val_cstr(val_at(parts, i));
        if (name && library_has(ld->ld->lib, arena_printf(ld->arena, "%s.cluster", name)))
            val_list_add(ld->arena, names, val_at(parts, i));
    }
    return names;
}

void step_uses_load(struct loading *ld, const struct val *v, struct step *st) {
    const struct val *uses = val_get(v, "uses"), *with = val_get(v, "with");
    const char *name = val_cstr(uses);
    st->uses_mark = uses->mark;
    if (!strncmp(name, "runbook:", 8)) {
        st->kind = STEP_RUNBOOK;
        if (runbook_load_in(ld->ld, name + 8, uses->mark, ld, &st->sub, ld->err)) {
            const struct declared d = {.what = arena_printf(ld->arena, "the runbook %s", name + 8), .inputs = st->sub->inputs, .n = st->sub->ninputs,
                                       .converts = true};
            check_with(ld, with, uses->mark, &d);
        }
        return;
    }
    struct err *as_probe = err_new(ld->arena);
    st->def = library_has(ld->ld->lib, name) ? library_get(ld->ld->lib, name, DEF_PROBE, uses->mark, as_probe) : NULL;
    if (st->def)
        st->kind = STEP_PROBE;
    else
        st->def = library_get(ld->ld->lib, name, DEF_ACTION, uses->mark, ld->err);
    if (!st->def)
        return;
    check_def(ld, with, uses->mark, st->def);
    if (st->kind == STEP_ACTION)
        parts_add(ld, can_be_probed(ld, val_get(st->def->decl, "changes")), uses->mark);
}
