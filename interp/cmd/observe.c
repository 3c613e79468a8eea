#include "cmd/observe.h"

#include <stdlib.h>
#include <string.h>

const char *seen_name(enum seen_how how) {
    static const char *const names[] = {"probed", "unobserved", "unasked", "absent"};
    return names[how];
}

struct choice {
    struct part part;
    const struct runbook *rb;
    int rank;
};

/* The family's own probe, asked without conditions, sees what every runbook of the layer can use. */
static int rank(const struct part *p) {
    const size_t n = strlen(p->name);
    const bool own = !strncmp(p->probe->name, p->name, n) && !strcmp(p->probe->name + n, ".cluster");
    return 2 * own + !p->with;
}

static int by_layer(const void *a, const void *b) {
    const struct choice *x = a, *y = b;
    return layer_cmp(x->part.name, y->part.name);
}

static void add(struct choice *list, size_t *n, const struct part *p, const struct runbook *rb) {
    const struct choice one = {.part = *p, .rb = rb, .rank = rank(p)};
    size_t at = 0;
    while (at < *n && strcmp(list[at].part.name, p->name))
        at++;
    if (at == *n || one.rank > list[at].rank)
        list[at] = one;
    *n += at == *n;
}

static bool asked_with_nothing(const struct def *probe) {
    const struct val *inputs = val_get(probe->decl, "inputs");
    for (size_t i = 0; i < val_len(inputs); i++)
        if (val_get_bool(inputs->map.pairs[i].val, "required", false))
            return false;
    return true;
}

/* FAMILY.cluster as a part, if it is a probe that can be asked. */
static bool family_part(struct ctx *c, const char *name, struct part *ret) {
    const char *dot = strchr(name, '.');
    if (!dot || strcmp(dot, ".cluster"))
        return false;
    const struct def *d = library_get(c->lib, name, DEF_PROBE, mark_none(), err_new(c->arena));
    *ret = (struct part){.name = arena_strndup(c->arena, name, (size_t)(dot - name)), .mark = mark_none(), .probe = d};
    return d && asked_with_nothing(d);
}

static size_t choose(struct ctx *c, const struct advisor *ad, struct choice **ret) {
    const struct runbook *const *books;
    const char *const *names;
    const size_t nbooks = advise_runbooks(ad, &books), nnames = library_names(c->lib, NULL, &names);
    size_t max = nnames, n = 0;
    for (size_t i = 0; i < nbooks; i++)
        max += books[i]->nparts;
    struct choice *list = arena_array(c->arena, struct choice, max + 1);
    for (size_t i = 0; i < nbooks; i++)
        for (size_t k = 0; k < books[i]->nparts; k++)
            add(list, &n, &books[i]->parts[k], books[i]);
    struct part p;
    for (size_t i = 0; i < nnames; i++)
        if (family_part(c, names[i], &p))
            add(list, &n, &p, NULL);
    qsort(list, n, sizeof *list, by_layer);
    *ret = list;
    return n;
}

/* Layers that a site has only if it says how to reach them. DTR runs on UCP and is reached with its account. */
static const char *absent(const struct ctx *c, const char *part) {
    if (c->world)
        return val_get(val_get(c->world, "state"), part) ? NULL : "it is not in the file";
    if ((!strcmp(part, "ucp") || !strcmp(part, "dtr")) && !c->site->ucp)
        return c->site->src ? "the site has no 'ucp:'" : "without a site there is no 'ucp:'";
    return NULL;
}

static void answer(struct ctx *c, struct model *state, struct seen *s, const struct val *with) {
    if (runner_probe_wait(c->runner, c->arena, &s->part, with, &s->val, &s->why)) {
        s->how = SEEN_PROBED;
        s->why = NULL;
        model_set(state, s->part.name, s->val);
        return;
    }
    s->how = SEEN_UNOBSERVED;
    s->val = NULL;
    model_set(state, s->part.name, val_unobserved(c->arena, arena_printf(c->arena, "%s: %s", s->part.probe->name, s->why)));
}

/* A probe that is asked with something: worked out as the runbook that declares it would. */
static void ask_with(struct ctx *c, struct observed *o, struct seen *s, const struct runbook *rb) {
    struct err *faults = err_new(c->arena), *outer = c->err;
    const struct val *given = NULL;
    c->err = faults; /* what is wrong with inputs is a reason here, and no end */
    (void)inputs_given(c, rb, &given);
    c->err = outer;
    struct model *scratch = model_clone(o->state); /* other parts of the runbook may be asked for on the way */
    const struct bind_spec spec = {.ld = &c->loader, .rb = rb, .given = given, .state = scratch, .site = c->site_val, .run = c->run_val, .lenient = true};
    struct bind *b = bind_new(c->arena, &spec);
    const struct bind_want *wants;
    size_t n;
    s->how = SEEN_UNASKED;
    while (s->how == SEEN_UNASKED && bind_step(b, &wants, &n, faults) == BIND_WANTS && n)
        for (size_t i = 0; i < n; i++) {
            struct seen other = {.part = *wants[i].part}, *to = strcmp(other.part.name, s->part.name) ? &other : s;
            answer(c, to == s ? o->state : scratch, to, wants[i].with);
            bind_observed(b, wants[i].part, to->val ? to->val : val_unobserved(c->arena, to->why));
        }
    if (s->how == SEEN_UNASKED) {
        s->why = faults->first ? faults->first->message : "what it is asked with is not known";
        model_set(o->state, s->part.name, val_unobserved(c->arena, s->why));
    }
    model_free(scratch);
}

struct observed observe_all(struct ctx *c, const struct advisor *ad) {
    struct choice *choices;
    struct observed o = {.state = model_new(c->box), .n = choose(c, ad, &choices)};
    o.parts = arena_array(c->arena, struct seen, o.n + 1);
    o.decls = arena_array(c->arena, struct part, o.n + 1);
    for (size_t i = 0; i < o.n; i++) {
        struct seen *s = &o.parts[i];
        o.decls[i] = s->part = choices[i].part;
        s->why = absent(c, s->part.name);
        if (s->why)
            s->how = SEEN_ABSENT;
        else if (!s->part.with)
            answer(c, o.state, s, NULL);
    }
    for (size_t i = 0; i < o.n; i++)
        if (o.parts[i].how != SEEN_ABSENT && o.parts[i].part.with)
            ask_with(c, &o, &o.parts[i], choices[i].rb);
    return o;
}
