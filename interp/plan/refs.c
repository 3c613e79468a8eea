#include "plan/load.h"

#include "plan/shape.h"

#include <string.h>

/* Where an expression stands, and so what it may read. */
struct place {
    struct loading *ld;
    const struct step *st;  /* NULL: outside of the steps */
    bool self;              /* it may read the step itself (verify, outputs) */
    bool own_item;          /* the step's own item is in scope */
};

static const char *const roots[] = {"inputs", "state", "steps", "item", "index", "site", "run"};
enum { nroots = sizeof roots / sizeof *roots };

/* Names that the sandbox gives to everybody. */
static const char *const globals[] = {"count", "take", "sorted", "any", "all", "quorum", "odd_at_most", "keys", "values", "map", "filter", "find",
                                      "contains", "copy", "math", "string", "table", "utf8", "tostring", "tonumber", "type", "select", "ipairs",
                                      "pairs", "next", "error", "assert", "json", "base64", "list", "seen"};
enum { nglobals = sizeof globals / sizeof *globals };

static bool is_one(const char *word, const char *const *names, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (!strcmp(names[i], word))
            return true;
    return false;
}

/* ---- each root ---- */

static void check_inputs(const struct place *p, const struct expr_ref *r) {
    const struct runbook *rb = p->ld->rb;
    if (r->n < 2)
        return;
    const char **names = arena_array(p->ld->arena, const char *, rb->ninputs + 1);
    for (size_t i = 0; i < rb->ninputs; i++) {
        names[i] = rb->inputs[i].name;
        if (!strcmp(names[i], r->names[1]))
            return;
    }
    struct diag *d = err_add(p->ld->err, r->marks[1], "unknown-input", "the runbook has no input '%s'", r->names[1]);
    diag_accepted(p->ld->err, d, r->names[1], names, rb->ninputs);
}

static void check_state(const struct place *p, const struct expr_ref *r) {
    const struct runbook *rb = p->ld->rb;
    if (r->n < 2)
        return;
    const struct part *part = runbook_part(rb, r->names[1]);
    if (!part) {
        const char **names = arena_array(p->ld->arena, const char *, rb->nparts + 1);
        for (size_t i = 0; i < rb->nparts; i++)
            names[i] = rb->parts[i].name;
        struct diag *d = err_add(p->ld->err, r->marks[1], "unknown-state", "the runbook does not probe state.%s", r->names[1]);
        diag_accepted(p->ld->err, d, r->names[1], names, rb->nparts);
        if (!d->hint)
            diag_hint(p->ld->err, d, "declare it: state: { %s: { probe: … } }", r->names[1]);
        return;
    }
    const struct val *schema = part->probe ? val_get(part->probe->decl, "schema") : NULL;
    /* a call at the end is a method of a string, or a fault that only the run can see */
    for (size_t i = 2; schema && i < r->n; i++) {
        const struct val *keys = val_get(schema, "keys"), *below = shape_below(schema, r->names[i]);
        const char *type = val_get_str(schema, "type", "any");
        if (!strcmp(type, "any"))
            return;
        if (!below) {
            const char **names = arena_array(p->ld->arena, const char *, val_len(keys) + 1);
            for (size_t k = 0; k < val_len(keys); k++)
                names[k] = keys->map.pairs[k].key;
            struct diag *d = err_add(p->ld->err, r->marks[i], "unknown-state", "%s has no '%s' in the schema of %s",
                                     i == 2 ? arena_printf(p->ld->arena, "state.%s", part->name) : r->names[i - 1], r->names[i], part->probe->name);
            diag_accepted(p->ld->err, d, r->names[i], names, val_len(keys));
            return;
        }
        schema = below;
    }
}

/* Whether st waits for other, by its own needs or by those of a group around it. Each step is looked at once. */
static bool waits_for(const struct step *st, const struct step *other, bool *seen) {
    for (const struct step *s = st; s; s = s->parent) {
        if (seen[s->index])
            continue;
        seen[s->index] = true;
        for (size_t i = 0; i < s->nneeds; i++)
            if (s->needs[i] == other || waits_for(s->needs[i], other, seen))
                return true;
    }
    return false;
}

static const struct step *below(const struct runbook *rb, const struct step *parent, const char *id) {
    for (size_t i = 0; i < rb->nall; i++)
        if (rb->all[i]->parent == parent && !strcmp(rb->all[i]->id, id))
            return rb->all[i];
    return NULL;
}

/* What steps.ID means at a place: its own list, then outwards; for `verify` and `outputs` of a group also what is inside. */
static const struct step *resolve(const struct place *p, const char *id) {
    const struct runbook *rb = p->ld->rb;
    const struct step *found = p->self ? below(rb, p->st, id) : NULL;
    for (const struct step *s = p->st; s && !found; s = s->parent)
        found = below(rb, s->parent, id);
    return found;
}

static void unknown_step(const struct place *p, const struct expr_ref *r) {
    struct loading *ld = p->ld;
    const char **names = arena_array(ld->arena, const char *, ld->rb->nall + 1);
    const struct step *elsewhere = NULL;
    size_t n = 0;
    for (size_t i = 0; i < ld->rb->nall; i++) {
        const struct step *st = ld->rb->all[i];
        if (!strcmp(st->id, r->names[1]))
            elsewhere = st;
        if (resolve(p, st->id) == st && p->st != st && waits_for(p->st, st, arena_array(ld->arena, bool, ld->rb->nall + 1)))
            names[n++] = st->id;
    }
    struct diag *d = err_add(ld->err, r->marks[1], "unknown-step", "there is no step '%s' here", r->names[1]);
    if (elsewhere && elsewhere->parent)
        diag_hint(ld->err, d, "it is inside '%s', and only seen there: hand its values out with 'outputs' of '%s'", elsewhere->parent->id, elsewhere->parent->id);
    else
        diag_accepted(ld->err, d, r->names[1], names, n);
}

static void check_steps(const struct place *p, const struct expr_ref *r) {
    struct loading *ld = p->ld;
    static const char *const fields[] = {"ok", "failed", "skipped", "outputs", "with", "items", "item"};
    if (r->n < 2)
        return;
    if (!p->st) {
        err_add(ld->err, r->marks[1], "not-before", "no step has run when this is read");
        return;
    }
    const struct step *st = resolve(p, r->names[1]);
    if (!st) {
        unknown_step(p, r);
        return;
    }
    const bool self = st == p->st, inside = p->self && st->parent == p->st;
    if (self && !p->self) {
        err_add(ld->err, r->marks[1], "not-before", "the step '%s' cannot read itself here: only in 'verify' and 'outputs'", st->id);
    } else if (!self && !inside && !waits_for(p->st, st, arena_array(ld->arena, bool, ld->rb->nall + 1))) {
        struct diag *d = err_add(ld->err, r->marks[1], "not-before", "'%s' does not wait for '%s', so it cannot read it", p->st->id, st->id);
        diag_hint(ld->err, d, "name it in 'needs'");
    } else if (r->n > 2 && !is_one(r->names[2], fields, sizeof fields / sizeof *fields)) {
        struct diag *d = err_add(ld->err, r->marks[2], "unknown-field", "a step has no '%s'", r->names[2]);
        diag_accepted(ld->err, d, r->names[2], fields, sizeof fields / sizeof *fields);
    } else if (r->n > 3 && !strcmp(r->names[2], "outputs") && !st->for_each && (st->kind == STEP_ACTION || st->kind == STEP_GROUP)) {
        const struct val *declared = st->def ? val_get(st->def->decl, "outputs") : NULL;
        const char **names = arena_array(ld->arena, const char *, val_len(declared) + st->noutputs + 1);
        size_t n = 0;
        for (size_t i = 0; i < val_len(declared); i++)
            names[n++] = declared->map.pairs[i].key;
        for (size_t i = 0; i < st->noutputs; i++)
            names[n++] = st->outputs[i].name;
        if (!is_one(r->names[3], names, n)) {
            struct diag *d = err_add(ld->err, r->marks[3], "unknown-output", "the step '%s' has no output '%s'", st->id, r->names[3]);
            diag_accepted(ld->err, d, r->names[3], names, n);
        }
    }
}

static bool in_loop(const struct place *p) {
    if (!p->st)
        return false;
    if (p->own_item && p->st->for_each)
        return true;
    for (const struct step *s = p->st->parent; s; s = s->parent)
        if (s->for_each)
            return true;
    return false;
}

static void check_item(const struct place *p, const struct expr_ref *r) {
    if (!in_loop(p)) {
        struct diag *d = err_add(p->ld->err, r->marks[0], "no-item", "there is no '%s' here", r->names[0]);
        diag_hint(p->ld->err, d, "it is known inside a step with for_each or try_each");
    }
}

static void check_words(const struct place *p, const struct expr_ref *r) {
    static const char *const of_site[] = {"name", "nodes"}, *const of_run[] = {"id", "attested", "rehearsal"};
    const bool site = !strcmp(r->names[0], "site");
    const char *const *names = site ? of_site : of_run;
    const size_t n = site ? 2 : 3;
    if (r->n < 2 || is_one(r->names[1], names, n))
        return;
    struct diag *d = err_add(p->ld->err, r->marks[1], "unknown-field", "'%s' has no '%s'", r->names[0], r->names[1]);
    diag_accepted(p->ld->err, d, r->names[1], names, n);
}

static void check_family(const struct place *p, const struct expr_ref *r) {
    struct loading *ld = p->ld;
    struct library *lib = ld->ld->lib;
    if (r->n < 2)
        return;
    const char *name = arena_printf(ld->arena, "%s.%s", r->names[0], r->names[1]);
    struct err *quiet = err_new(ld->arena);
    const struct def *cap = library_has(lib, name) ? library_get(lib, name, DEF_CAPABILITY, r->marks[1], quiet) : NULL;
    if (!cap) {
        (void)library_get(lib, name, DEF_FUNC, r->mark, ld->err);
        return;
    }
    const struct val *needs = val_get(cap->decl, "needs");
    for (size_t i = 0; i < val_len(needs); i++)
        if (!runbook_part(ld->rb, val_cstr(val_at(needs, i))))
            err_add(ld->err, r->mark, "unknown-state", "%s reads state.%s, which the runbook does not probe", name, val_cstr(val_at(needs, i)));
}

static void check_other(const struct place *p, const struct expr_ref *r) {
    struct loading *ld = p->ld;
    if (is_one(r->names[0], globals, nglobals))
        return;
    if (library_is_family(ld->ld->lib, r->names[0])) {
        check_family(p, r);
        return;
    }
    const char **names = arena_array(ld->arena, const char *, nroots + nglobals);
    memcpy(names, roots, sizeof roots);
    memcpy(names + nroots, globals, sizeof globals);
    struct diag *d = err_add(ld->err, r->marks[0], "unknown-name", "there is no '%s' here", r->names[0]);
    const char *near = nearest_name(r->names[0], names, nroots + nglobals);
    if (near)
        diag_hint(ld->err, d, "did you mean '%s'?", near);
    else if (p->st && resolve(p, r->names[0]))
        diag_hint(ld->err, d, "a step is read as steps.%s", r->names[0]);
    else
        diag_note(ld->err, d, "accepted: inputs, state, steps, item, index, site, run, and the functions of the library");
}

static void see(void *ud, const struct expr *e) {
    const struct place *p = ud;
    static void (*const checks[])(const struct place *, const struct expr_ref *) = {check_inputs, check_state, check_steps, check_item,
                                                                                    check_item,   check_words, check_words};
    for (size_t i = 0; e && i < e->nrefs; i++) {
        const struct expr_ref *r = &e->refs[i];
        size_t k = 0;
        while (k < nroots && strcmp(roots[k], r->names[0]))
            k++;
        if (k < nroots)
            checks[k](p, r);
        else
            check_other(p, r);
    }
}

static void see_all(const struct place *p, const struct tmpl *t) {
    if (t)
        tmpl_each(t, see, (void *)(uintptr_t)p);
}

/* ---- every expression of the runbook ---- */

static void check_wait(struct loading *ld, const struct step *st) {
    for (size_t i = 0; i < st->wait->nrefs; i++) {
        const struct expr_ref *r = &st->wait->refs[i];
        if (!strcmp(r->names[0], "state") || (r->call && library_is_family(ld->ld->lib, r->names[0])))
            return;
    }
    struct diag *d = err_add(ld->err, st->wait->mark, "endless-wait", "this wait reads nothing of the state, so waiting cannot change it");
    diag_hint(ld->err, d, "read state.… in it");
}

static void secret_see(void *ud, const struct expr *e) {
    struct loading *ld = ud;
    for (size_t i = 0; i < e->nrefs; i++) {
        const struct expr_ref *r = &e->refs[i];
        for (size_t k = 0; r->n > 1 && !strcmp(r->names[0], "inputs") && k < ld->rb->ninputs; k++)
            if (!strcmp(ld->rb->inputs[k].name, r->names[1]) && !strcmp(ld->rb->inputs[k].type, "secret")) {
                struct diag *d = err_add(ld->err, r->mark, "secret-in-argv", "the secret '%s' would be seen by everybody in the list of processes", r->names[1]);
                diag_hint(ld->err, d, "hand it on through an action, or a file");
            }
    }
}

static void check_effects(struct loading *ld, const struct step *st) {
    for (size_t i = 0; i < st->neffects; i++) {
        const char *path = st->effects[i].path;
        const char *name = arena_strndup(ld->arena, path, strcspn(path, "."));
        if (!runbook_part(ld->rb, name))
            err_add(ld->err, st->effects[i].mark, "unknown-state", "the runbook does not probe state.%s", name);
    }
}

static void check_step(struct loading *ld, const struct step *st) {
    struct place outside = {.ld = ld, .st = st}, inside = {.ld = ld, .st = st, .own_item = true}, after = {.ld = ld, .st = st, .own_item = true, .self = true};
    see(&outside, st->cond);
    see_all(&outside, st->for_each);
    const struct tmpl *const templates[] = {st->title, st->message, st->approve, st->with, st->argv, st->on, st->timeout};
    for (size_t i = 0; i < sizeof templates / sizeof *templates; i++)
        see_all(&inside, templates[i]);
    see(&inside, st->unless);
    see(&inside, st->wait);
    see(&after, st->verify);
    for (size_t i = 0; i < st->noutputs; i++)
        see_all(&after, st->outputs[i].value);
    for (size_t i = 0; i < st->neffects; i++)
        see_all(&inside, st->effects[i].value);
    check_effects(ld, st);
    if (st->wait)
        check_wait(ld, st);
    if (st->argv)
        tmpl_each(st->argv, secret_see, ld);
}

void refs_check(struct loading *ld) {
    const struct runbook *rb = ld->rb;
    struct place outside = {.ld = ld};
    for (size_t i = 0; i < rb->ninputs; i++)
        see_all(&outside, rb->inputs[i].def);
    for (size_t i = 0; i < rb->nparts; i++)
        see_all(&outside, rb->parts[i].with);
    for (int post = 0; post < 2; post++)
        for (size_t i = 0; i < (post ? rb->npost : rb->npre); i++) {
            const struct check *c = post ? &rb->post[i] : &rb->pre[i];
            see(&outside, c->expr);
            see_all(&outside, c->message);
        }
    for (size_t i = 0; i < rb->nall; i++)
        check_step(ld, rb->all[i]);
}
