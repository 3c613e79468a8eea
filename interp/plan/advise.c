#include "plan/advise.h"

#include <stdlib.h>
#include <string.h>

struct entry {
    const char *name, *layer;
    const struct runbook *rb; /* NULL: broken */
    const char *fault;
    bool head; /* of rb only the head was loaded */
};

struct advisor {
    struct loader *ld;
    struct entry *entries; /* in the order of layers */
    size_t n;
    const struct runbook **good;
    size_t ngood;
};

const char *advice_kind_name(enum advice_kind k) {
    static const char *const names[] = {"applies", "not", "untold", "anytime", "broken"};
    return names[k];
}

/* ---- layers ---- */

static int rank(const char *part) {
    static const char *const order[] = {"swarm", "ucp", "dtr"};
    enum { norder = sizeof order / sizeof *order };
    for (int i = 0; part && i < norder; i++)
        if (!strcmp(part, order[i]))
            return i;
    return part ? norder : norder + 1;
}

int layer_cmp(const char *a, const char *b) {
    const int ra = rank(a), rb = rank(b);
    return ra != rb ? (ra > rb) - (ra < rb) : a && b ? strcmp(a, b) : 0;
}

/* Of dtr/repair-replicas: dtr, if that is a part which it reads; of others the highest that they read. */
static const char *layer_of(const struct runbook *rb) {
    const char *layer = NULL;
    const size_t family = strcspn(rb->name, "/");
    for (size_t i = 0; i < rb->nparts; i++)
        if (strlen(rb->parts[i].name) == family && !strncmp(rb->parts[i].name, rb->name, family))
            return rb->parts[i].name;
        else if (!layer || layer_cmp(rb->parts[i].name, layer) > 0)
            layer = rb->parts[i].name;
    return layer;
}

static int by_layer(const void *a, const void *b) {
    const struct entry *x = a, *y = b;
    const int c = layer_cmp(x->layer, y->layer);
    return c ? c : strcmp(x->name, y->name);
}

/* ---- loading ---- */

static const char *first_fault(struct arena *a, const struct err *err) {
    for (const struct diag *d = err->first; d; d = d->next) {
        if (d->severity != SEV_ERROR)
            continue;
        if (!d->mark.src)
            return arena_strdup(a, d->message);
        if (!d->mark.line)
            return arena_printf(a, "%s: %s", d->mark.src->name, d->message);
        return arena_printf(a, "%s:%u:%u: %s", d->mark.src->name, d->mark.line, d->mark.col, d->message);
    }
    return "it cannot be read";
}

static void entry_load(struct loader *ld, struct entry *e, bool head) {
    struct err *faults = err_new(ld->arena);
    e->head = head;
    if ((head ? runbook_load_head : runbook_load)(ld, e->name, mark_none(), &e->rb, faults)) {
        e->layer = layer_of(e->rb);
        return;
    }
    err_sort(faults);
    e->rb = NULL;
    e->fault = first_fault(ld->arena, faults);
}

static struct advisor *load(struct loader *ld, bool head) {
    struct advisor *ad = arena_new_of(ld->arena, struct advisor);
    const char *const *names;
    ad->ld = ld;
    ad->n = runbook_names(ld, &names);
    ad->entries = arena_array(ld->arena, struct entry, ad->n + 1);
    ad->good = arena_array(ld->arena, const struct runbook *, ad->n + 1);
    for (size_t i = 0; i < ad->n; i++) {
        ad->entries[i].name = names[i];
        entry_load(ld, &ad->entries[i], head);
    }
    qsort(ad->entries, ad->n, sizeof *ad->entries, by_layer);
    for (size_t i = 0; i < ad->n; i++)
        if (ad->entries[i].rb)
            ad->good[ad->ngood++] = ad->entries[i].rb;
    return ad;
}

struct advisor *advise_load(struct loader *ld) {
    return load(ld, false);
}

struct advisor *advise_load_heads(struct loader *ld) {
    return load(ld, true);
}

size_t advise_runbooks(const struct advisor *ad, const struct runbook *const **ret) {
    *ret = ad->good;
    return ad->ngood;
}

/* ---- one runbook on one state ---- */

static const char *part_missing(struct arena *a, const struct runbook *rb, const struct advise_spec *spec) {
    for (size_t i = 0; i < rb->nparts; i++) {
        const struct part *p = &rb->parts[i];
        if (!model_has(spec->state, p->name))
            return arena_printf(a, "state.%s is not observed", p->name);
        for (size_t k = 0; spec->parts && k < spec->nparts; k++) {
            const struct part *was = &spec->parts[k];
            if (!strcmp(was->name, p->name) && was->probe != p->probe)
                return arena_printf(a, "it observes state.%s by %s, which was observed by %s", p->name, p->probe->name, was->probe->name);
        }
    }
    return NULL;
}

/* Binds without asking anybody. NULL: the faults say why not. */
static struct bind *bind_offline(struct arena *a, const struct advisor *ad, const struct runbook *rb, const struct advise_spec *spec,
                                 struct err *err) {
    const struct site *site = ad->ld->site;
    const struct bind_spec bs = {.ld = ad->ld, .rb = rb, .given = site ? val_get(site->inputs, rb->name) : NULL,
                                 .state = (struct model *)(uintptr_t)spec->state, /* every part is there: nothing is set in it */
                                 .site = spec->site, .run = spec->run, .lenient = true};
    struct bind *b = bind_new(a, &bs);
    const struct bind_want *wants;
    size_t n;
    return bind_step(b, &wants, &n, err) == BIND_DONE ? b : NULL;
}

static void judge(struct arena *a, const struct advisor *ad, const struct runbook *rb, const struct advise_spec *spec,
                  struct advice *ret) {
    ret->kind = ADVICE_UNTOLD;
    ret->message = part_missing(a, rb, spec);
    if (ret->message)
        return;
    struct err *faults = err_new(a);
    const struct bind *b = bind_offline(a, ad, rb, spec, faults);
    struct plan_check *checks = NULL;
    size_t n = 0;
    if (b) {
        faults = err_new(a); /* those of inputs that could not be bound count only where something reads them */
        const struct scope sc = {.lib = ad->ld->lib, .state = spec->state, .inputs = bind_inputs(b), .site = spec->site, .run = spec->run};
        if (!plan_checks(a, ad->ld, rb, false, &sc, KNOWN_PROBED, &checks, &n, faults))
            b = NULL;
    }
    if (!b) {
        ret->message = first_fault(a, faults);
        return;
    }
    ret->kind = ADVICE_APPLIES;
    for (size_t i = 0; i < n; i++) {
        if (!checks[i].held && !checks[i].untold) { /* one that fails for sure outweighs what is not known */
            ret->kind = ADVICE_NOT;
            ret->message = checks[i].message;
            return;
        }
        if (checks[i].untold && ret->kind == ADVICE_APPLIES) {
            ret->kind = ADVICE_UNTOLD;
            ret->message = checks[i].untold;
        }
    }
}

const struct advice *advise_on(struct arena *a, const struct advisor *ad, const struct advise_spec *spec, size_t *ret_n) {
    struct advice *list = arena_array(a, struct advice, ad->n + 1);
    struct arena *scratch = arena_new();
    for (size_t i = 0; i < ad->n; i++) {
        const struct entry *e = &ad->entries[i];
        struct advice *out = &list[i];
        *out = (struct advice){.name = e->name, .layer = e->layer, .rb = e->rb, .kind = ADVICE_ANYTIME};
        out->title = e->rb ? e->rb->title : NULL;
        if (!e->rb) {
            out->kind = ADVICE_BROKEN;
            out->message = e->fault;
        } else if (e->rb->nrequires + e->rb->npre) {
            judge(scratch, ad, e->rb, spec, out);
            if (e->rb->routine && out->kind == ADVICE_APPLIES)
                out->kind = ADVICE_ANYTIME;
            out->message = out->message ? arena_strdup(a, out->message) : NULL;
        }
    }
    arena_free(scratch);
    *ret_n = ad->n;
    return list;
}

static bool reads_inputs(const struct expr *e) {
    for (size_t i = 0; i < e->nrefs; i++)
        if (!strcmp(e->refs[i].names[0], "inputs"))
            return true;
    return false;
}

/* A precondition that reads no input and fails for sure: then nothing needs to be bound to know that it does not apply. */
static bool surely_not(struct arena *a, const struct advisor *ad, const struct runbook *rb, const struct advise_spec *spec) {
    const struct scope sc = {.lib = ad->ld->lib, .state = spec->state, .site = spec->site, .run = spec->run};
    if (part_missing(a, rb, spec))
        return true;
    for (size_t i = 0; i < rb->npre; i++) {
        struct call_signal sig = {0};
        bool held = true;
        if (!reads_inputs(rb->pre[i].expr) && expr_test(ad->ld->box, rb->pre[i].expr, &sc, a, &held, &sig, err_new(a)) == CALL_OK && !held)
            return true;
    }
    return false;
}

static bool applies(struct arena *a, const struct advisor *ad, const struct entry *e, const struct advise_spec *spec) {
    struct advice out = {.kind = ADVICE_ANYTIME};
    if (!e->rb || e->rb->routine || !(e->rb->nrequires + e->rb->npre) || surely_not(a, ad, e->rb, spec))
        return false;
    judge(a, ad, e->rb, spec, &out);
    return out.kind == ADVICE_APPLIES;
}

size_t advise_names(struct arena *a, struct advisor *ad, const struct advise_spec *spec, const char *const **ret) {
    const char **names = arena_array(a, const char *, ad->n + 1);
    struct arena *scratch = arena_new();
    size_t k = 0;
    for (size_t i = 0; i < ad->n; i++) {
        struct entry *e = &ad->entries[i];
        bool yes = applies(scratch, ad, e, spec);
        if (yes && e->head) { /* its steps may be broken, or read more */
            entry_load(ad->ld, e, false);
            yes = applies(scratch, ad, e, spec);
        }
        if (yes)
            names[k++] = e->name;
    }
    arena_free(scratch);
    *ret = names;
    return k;
}
