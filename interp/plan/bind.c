#include "plan/bind.h"

#include <assert.h>
#include <string.h>

/* An input goes UNBOUND → BOUND, or FAILED (then what depends on it is left alone: one fault is told once). */
enum bound { UNBOUND, BOUND, FAILED };

struct bound_input {
    const struct input *input;
    enum bound how;
    const struct val *value;
    const char *origin;
    bool from_state;
};

struct bound_part {
    const struct part *part;
    bool observed, wanted;
};

struct bind {
    struct arena *arena;
    struct bind_spec spec;
    struct bound_input *inputs;
    struct bound_part *parts;
    struct bind_want *wants;
    struct val *values; /* of the bound inputs so far */
    bool started, failed;
};

struct bind *bind_new(struct arena *a, const struct bind_spec *spec) {
    struct bind *b = arena_new_of(a, struct bind);
    b->arena = a;
    b->spec = *spec;
    b->inputs = arena_array(a, struct bound_input, spec->rb->ninputs + 1);
    b->parts = arena_array(a, struct bound_part, spec->rb->nparts + 1);
    b->wants = arena_array(a, struct bind_want, spec->rb->nparts + 1);
    b->values = val_map_new(a);
    for (size_t i = 0; i < spec->rb->ninputs; i++)
        b->inputs[i].input = &spec->rb->inputs[i];
    for (size_t i = 0; i < spec->rb->nparts; i++) {
        b->parts[i].part = &spec->rb->parts[i];
        b->parts[i].observed = model_has(spec->state, spec->rb->parts[i].name);
    }
    return b;
}

static struct bound_input *input_named(const struct bind *b, const char *name) {
    for (size_t i = 0; i < b->spec.rb->ninputs; i++)
        if (!strcmp(b->inputs[i].input->name, name))
            return &b->inputs[i];
    return NULL;
}

static struct bound_part *part_named(const struct bind *b, const char *name) {
    for (size_t i = 0; i < b->spec.rb->nparts; i++)
        if (!strcmp(b->parts[i].part->name, name))
            return &b->parts[i];
    return NULL;
}

/* What the expressions of a template still wait for. */
struct waits {
    const struct bind *b;
    bool waiting, hopeless, reads_state;
};

static void waits_see(void *ud, const struct expr *e) {
    struct waits *w = ud;
    for (size_t i = 0; i < e->nrefs; i++) {
        const struct expr_ref *r = &e->refs[i];
        if (!strcmp(r->names[0], "state")) {
            w->reads_state = true;
            const struct bound_part *p = r->n > 1 ? part_named(w->b, r->names[1]) : NULL;
            if (p && !p->observed)
                w->waiting = true;
            for (size_t k = 0; r->n < 2 && k < w->b->spec.rb->nparts; k++) /* the state as a whole */
                w->waiting |= !w->b->parts[k].observed;
        } else if (!strcmp(r->names[0], "inputs") && r->n > 1) {
            const struct bound_input *in = input_named(w->b, r->names[1]);
            if (!in)
                continue;
            w->waiting |= in->how == UNBOUND;
            w->hopeless |= in->how == FAILED;
            w->reads_state |= in->from_state;
        }
    }
}

static struct waits waits_of(const struct bind *b, const struct tmpl *t) {
    struct waits w = {.b = b};
    tmpl_each(t, waits_see, &w);
    return w;
}

static struct scope scope_of(const struct bind *b) {
    return (struct scope){
        .lib = b->spec.ld->lib, .state = b->spec.state, .inputs = b->values, .site = b->spec.site, .run = b->spec.run};
}

static void bound(struct bind *b, struct bound_input *in, const struct val *value, const char *origin) {
    in->how = BOUND;
    in->value = value;
    in->origin = origin;
    val_map_set(b->arena, b->values, in->input->name, value);
}

/* why: what is missing, for a lenient binding. */
static void input_fail(struct bind *b, struct bound_input *in, const char *why) {
    if (b->spec.lenient) {
        bound(b, in, val_unknown(b->arena, why), "unknown");
        return;
    }
    in->how = FAILED;
    b->failed = true;
}

/* Takes the given values once, before anything else. */
static void bind_given(struct bind *b, struct err *err) {
    const struct bind_spec *s = &b->spec;
    const char **names = arena_array(b->arena, const char *, s->rb->ninputs + 1);
    for (size_t i = 0; i < s->rb->ninputs; i++)
        names[i] = b->inputs[i].input->name;
    for (size_t i = 0; i < val_len(s->given); i++) {
        const struct val_pair *p = &s->given->map.pairs[i];
        struct bound_input *in = input_named(b, p->key);
        if (!in) {
            struct mark at = p->mark.src ? p->mark : mark_none();
            struct diag *d = err_add(err, at, "unknown-input", "unknown input '%s' of %s", p->key, s->rb->name);
            diag_accepted(err, d, p->key, names, s->rb->ninputs);
            b->failed = true;
            continue;
        }
        if (val_is_null(p->val)) /* an outer runbook hands on what it was not given either */
            continue;
        const struct val *v;
        if (input_convert(b->arena, in->input, s->ld->site, p->val, p->val->mark, &v, err))
            bound(b, in, v, "given");
        else
            input_fail(b, in, err->last->message);
    }
}

/* Tries to bind one input from its default. Returns whether something changed. */
static bool bind_default(struct bind *b, struct bound_input *in, struct err *err) {
    const struct input *def = in->input;
    if (!def->def) {
        if (def->required || !strcmp(def->type, "secret")) {
            struct diag *d = err_add(err, def->mark, "missing-input", "the input '%s' of %s is required and was not given", def->name,
                                     b->spec.rb->name);
            diag_hint(err, d, "give it with --input %s=…", def->name);
            input_fail(b, in, arena_printf(b->arena, "input %s is required", def->name));
        } else {
            bound(b, in, val_null(), "default");
        }
        return true;
    }
    struct waits w = waits_of(b, def->def);
    if (w.hopeless) {
        input_fail(b, in, "");
        return true;
    }
    if (w.waiting)
        return false;
    struct scope sc = scope_of(b);
    struct call_signal sig = {0};
    const struct val *v = NULL;
    const struct diag *before = err->last;
    const char *why = NULL;
    switch (tmpl_eval(b->spec.ld->box, def->def, &sc, false, b->arena, &v, &sig, err)) {
    case CALL_OK:
        in->from_state = w.reads_state;
        if (val_is_null(v) && !def->required) {
            bound(b, in, val_null(), "default");
            return true;
        }
        if (val_is_null(v)) {
            struct diag *d = err_add(err, def->mark, "missing-input", "the input '%s' of %s has no default here", def->name, b->spec.rb->name);
            why = arena_printf(b->arena, "input %s has no default here", def->name);
            diag_hint(err, d, "give it with --input %s=…", def->name);
            break;
        }
        if (input_convert(b->arena, def, b->spec.ld->site, v, def->mark, &v, err)) {
            bound(b, in, v, "default");
            return true;
        }
        break;
    case CALL_UNKNOWN:
    case CALL_UNOBSERVED: {
        struct diag *d = err_add(err, def->mark, "unobserved", "the default of '%s' reads a fact that could not be observed: %s", def->name,
                                 sig.text ? sig.text : "?");
        diag_hint(err, d, "give it with --input %s=…", def->name);
        why = sig.text;
        break;
    }
    case CALL_ERROR:
        break;
    }
    err_while(err, before, "while working out the default of the input '%s' of %s", def->name, b->spec.rb->name);
    input_fail(b, in, why ? why : err->last ? err->last->message : "?");
    return true;
}

/* Adds the part to the wants if what it is asked with is known. Returns whether something changed. */
static bool bind_part(struct bind *b, struct bound_part *p, size_t *n, struct err *err) {
    const struct val *with = NULL;
    if (p->part->with) {
        struct waits w = waits_of(b, p->part->with);
        if (w.waiting || w.hopeless)
            return false;
        struct scope sc = scope_of(b);
        struct call_signal sig = {0};
        const struct diag *before = err->last;
        enum call_result r = tmpl_eval(b->spec.ld->box, p->part->with, &sc, false, b->arena, &with, &sig, err);
        if (r != CALL_OK) {
            if (r != CALL_ERROR)
                err_add(err, p->part->mark, "unobserved", "the probe of '%s' is asked with a fact that could not be observed: %s",
                        p->part->name, sig.text ? sig.text : "?");
            err_while(err, before, "while working out the probe of state.%s", p->part->name);
            b->failed = true;
            return false;
        }
    }
    p->wanted = true;
    b->wants[(*n)++] = (struct bind_want){.part = p->part, .with = with};
    return true;
}

enum bind_status bind_step(struct bind *b, const struct bind_want **ret, size_t *ret_n, struct err *err) {
    const struct runbook *rb = b->spec.rb;
    if (!b->started) {
        b->started = true;
        bind_given(b, err);
    }
    size_t n = 0;
    for (bool again = true; again;) {
        again = false;
        for (size_t i = 0; i < rb->ninputs; i++)
            if (b->inputs[i].how == UNBOUND)
                again |= bind_default(b, &b->inputs[i], err);
        for (size_t i = 0; i < rb->nparts; i++)
            if (!b->parts[i].observed && !b->parts[i].wanted)
                again |= bind_part(b, &b->parts[i], &n, err);
    }
    *ret_n = n;
    if (b->failed)
        return BIND_FAILED; /* nothing is probed for a runbook that cannot be bound */
    if (n) {
        *ret = b->wants;
        return BIND_WANTS;
    }
    for (size_t i = 0; i < rb->nparts; i++)
        if (!b->parts[i].observed)
            return BIND_WANTS; /* answers are still under way */
    for (size_t i = 0; i < rb->ninputs; i++)
        assert(b->inputs[i].how == BOUND); /* cycles were refused at load */
    return BIND_DONE;
}

void bind_observed(struct bind *b, const struct part *part, const struct val *value) {
    struct bound_part *p = part_named(b, part->name);
    assert(p);
    p->observed = true;
    model_set(b->spec.state, part->name, value);
}

const struct val *bind_inputs(const struct bind *b) {
    return b->values;
}

bool bind_from_state(const struct bind *b, const char *input) {
    const struct bound_input *in = input_named(b, input);
    return in && in->from_state;
}

const char *bind_origin(const struct bind *b, const char *input) {
    const struct bound_input *in = input_named(b, input);
    return in && in->origin ? in->origin : "default";
}
