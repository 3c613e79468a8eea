#include "plan/load.h"

#include "plan/shape.h"

#include <string.h>

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

static const char **part_names(const struct loading *ld) {
    const char **names = arena_array(ld->arena, const char *, ld->rb->nparts + 1);
    for (size_t i = 0; i < ld->rb->nparts; i++)
        names[i] = ld->rb->parts[i].name;
    return names;
}

static const struct part *part_known(struct loading *ld, const char *name, struct mark at) {
    const struct runbook *rb = ld->rb;
    const struct part *part = runbook_part(rb, name);
    if (part || ld->broken_parts)
        return part;
    struct diag *d = err_add(ld->err, at, "unknown-state", "the runbook does not probe state.%s", name);
    diag_accepted(ld->err, d, name, part_names(ld), rb->nparts);
    if (!d->hint)
        diag_hint(ld->err, d, "declare it: state: { %s: { probe: … } }", name);
    return NULL;
}

/* names[0] is the part; what follows is looked up in the schema of its probe, as far as that is known. marks: of each name, or one for all. */
static void check_path(struct loading *ld, const char *const *names, size_t n, const struct mark *marks, bool one_mark) {
    const struct part *part = part_known(ld, names[0], marks[0]);
    const struct val *schema = part && part->probe ? val_get(part->probe->decl, "schema") : NULL;
    for (size_t i = 1; schema && i < n; i++) {
        const struct val *keys = val_get(schema, "keys"), *below = shape_below(schema, names[i]);
        if (!strcmp(val_get_str(schema, "type", "any"), "any"))
            return;
        if (!below) {
            const char **accepted = arena_array(ld->arena, const char *, val_len(keys) + 1);
            for (size_t k = 0; k < val_len(keys); k++)
                accepted[k] = keys->map.pairs[k].key;
            struct diag *d = err_add(ld->err, marks[one_mark ? 0 : i], "unknown-state", "%s has no '%s' in the schema of %s",
                                     i == 1 ? arena_printf(ld->arena, "state.%s", part->name) : names[i - 1], names[i], part->probe->name);
            diag_accepted(ld->err, d, names[i], accepted, val_len(keys));
            return;
        }
        schema = below;
    }
}

static void check_state(const struct place *p, const struct expr_ref *r) {
    if (r->n > 1)
        check_path(p->ld, r->names + 1, r->n - 1, r->marks + 1, false);
}

/* The words that r->names[i] may be, where those before it are read; more can be known only of `site`'s maps. */
static void check_word(const struct place *p, const struct expr_ref *r, size_t i, const char *const *names, size_t n) {
    if (r->n <= i || is_one(r->names[i], names, n))
        return;
    struct diag *d = err_add(p->ld->err, r->marks[i], "unknown-field", "'%s' has no '%s'", r->names[i - 1], r->names[i]);
    diag_accepted(p->ld->err, d, r->names[i], names, n);
}

/* How to reach UCP and DTR may be shown to people; passwords and certificates are for tasks alone. */
static void check_words(const struct place *p, const struct expr_ref *r) {
    static const char *const of_site[] = {"name", "nodes", "ucp", "dtr"}, *const of_run[] = {"id", "attested", "rehearsal"};
    static const char *const of_ucp[] = {"url", "username"}, *const of_dtr[] = {"url"};
    if (strcmp(r->names[0], "site")) {
        check_word(p, r, 1, of_run, 3);
        return;
    }
    check_word(p, r, 1, of_site, 4);
    if (r->n > 2 && !strcmp(r->names[1], "ucp"))
        check_word(p, r, 2, of_ucp, 2);
    if (r->n > 2 && !strcmp(r->names[1], "dtr"))
        check_word(p, r, 2, of_dtr, 1);
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
        if (!runbook_part(ld->rb, val_cstr(val_at(needs, i))) && !ld->broken_parts)
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
    else if (p->st && refs_resolve(p, r->names[0], NULL))
        diag_hint(ld->err, d, "a step is read as steps.%s", r->names[0]);
    else
        diag_note(ld->err, d, "accepted: inputs, state, steps, item, index, site, run, and the functions of the library");
}

static void see(void *ud, const struct expr *e) {
    const struct place *p = ud;
    static void (*const checks[])(const struct place *, const struct expr_ref *) = {check_inputs,    check_state, refs_check_steps, refs_check_item,
                                                                                    refs_check_item, check_words, check_words};
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

/* ---- secrets: an input is one by its type, or because its default reads one ---- */

struct secrets {
    struct loading *ld;
    bool *of, *visited; /* by index of an input */
    bool found;         /* in the template at hand */
    const char *hint;
};

static bool input_tells(struct secrets *s, size_t i);

static void secret_see(void *ud, const struct expr *e) {
    struct secrets *s = ud;
    const struct runbook *rb = s->ld->rb;
    for (size_t i = 0; i < e->nrefs; i++)
        for (size_t k = 0; e->refs[i].n > 1 && !strcmp(e->refs[i].names[0], "inputs") && k < rb->ninputs; k++)
            if (!strcmp(rb->inputs[k].name, e->refs[i].names[1]))
                s->found |= input_tells(s, k);
}

static bool input_tells(struct secrets *s, size_t i) {
    const struct input *in = &s->ld->rb->inputs[i];
    if (s->visited[i])
        return s->of[i];
    s->visited[i] = true;
    s->of[i] = input_is_secret(in);
    if (in->def && !s->of[i]) {
        struct secrets inner = *s;
        inner.found = false;
        tmpl_each(in->def, secret_see, &inner);
        s->of[i] = inner.found;
    }
    return s->of[i];
}

static void argv_see(void *ud, const struct expr *e) {
    struct secrets *s = ud;
    const struct runbook *rb = s->ld->rb;
    for (size_t i = 0; i < e->nrefs; i++) {
        const struct expr_ref *r = &e->refs[i];
        for (size_t k = 0; r->n > 1 && !strcmp(r->names[0], "inputs") && k < rb->ninputs; k++)
            if (!strcmp(rb->inputs[k].name, r->names[1]) && input_tells(s, k)) {
                struct diag *d = err_add(s->ld->err, r->mark, "secret-in-argv", "the secret '%s' would be seen by everybody in the list of processes", r->names[1]);
                diag_hint(s->ld->err, d, "%s", s->hint);
            }
    }
}

/* The argv of a command, and what an action hands on as one: of a container it is seen on its node. */
static void check_argv(struct loading *ld, const struct step *st) {
    static const char *const words[] = {"argv", "command", "entrypoint"};
    struct secrets s = {.ld = ld, .hint = st->argv ? "hand it on through an action, or a file" : "hand it on by its environment or its standard input", .of = arena_array(ld->arena, bool, ld->rb->ninputs + 1), .visited = arena_array(ld->arena, bool, ld->rb->ninputs + 1)};
    if (st->argv)
        tmpl_each(st->argv, argv_see, &s);
    for (size_t i = 0; i < sizeof words / sizeof *words && st->def; i++) {
        const struct tmpl *handed = tmpl_at(st->with, words[i]);
        if (handed)
            tmpl_each(handed, argv_see, &s);
    }
}

static void check_effects(struct loading *ld, const struct step *st) {
    for (size_t i = 0; i < st->neffects; i++) {
        const char *p = st->effects[i].path;
        const char **names = arena_array(ld->arena, const char *, strlen(p) + 2);
        size_t n = 0;
        for (;; p++) {
            const size_t len = strcspn(p, ".");
            names[n++] = arena_strndup(ld->arena, p, len);
            p += len;
            if (!*p)
                break;
        }
        check_path(ld, names, n, &st->effects[i].mark, true);
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
    check_argv(ld, st);
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
