#include "cmd/cmd.h"

static bool can_carry_out(struct ctx *c, const struct runbook *rb) {
    const struct step *st = NULL;
    const char *form = runbook_not_yet(rb, &st);
    if (!form)
        return true;
    err_add(c->err, st ? st->mark : mark_none(), "not-yet", "'%s' is read and checked, but nothing carries it out yet", form);
    return false;
}

/* What cannot be learnt is an answer too: whatever reads it says so. */
static void observe_wants(struct arena *a, struct runner *r, struct bind *b, const struct bind_want *wants, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const struct val *v = NULL;
        const char *why = NULL;
        if (!runner_probe_wait(r, a, wants[i].part, wants[i].with, &v, &why))
            v = val_unobserved(a, arena_printf(a, "%s: %s", wants[i].part->probe->name, why));
        bind_observed(b, wants[i].part, v);
    }
}

static bool bind_all(struct arena *a, struct runner *r, struct bind *b, struct err *err) {
    for (;;) {
        const struct bind_want *wants;
        size_t n;
        const enum bind_status s = bind_step(b, &wants, &n, err);
        if (s != BIND_WANTS)
            return s == BIND_DONE;
        observe_wants(a, r, b, wants, n);
    }
}

bool prepare_bind(struct arena *a, const struct prepare_spec *spec, struct prepared *ret, struct err *err) {
    struct prepared p = {.rb = spec->rb, .state = model_new(spec->ld->box)};
    const struct bind_spec bind = {.ld = spec->ld, .rb = p.rb, .given = spec->given, .state = p.state, .site = spec->site, .run = spec->run};
    p.bind = bind_new(a, &bind);
    struct val *before = val_map_new(a);
    bool ok = bind_all(a, spec->runner, p.bind, err);
    for (size_t i = 0; ok && i < p.rb->nparts; i++) {
        const struct val *v = NULL;
        ok = model_get(p.state, p.rb->parts[i].name, a, &v, err);
        if (ok && v)
            val_map_set(a, before, p.rb->parts[i].name, v);
    }
    if (!ok) {
        model_free(p.state);
        return false;
    }
    struct plan *plan = arena_new_of(a, struct plan);
    *plan = (struct plan){.rb = p.rb, .inputs = bind_inputs(p.bind), .bind = p.bind, .before = before};
    p.plan = plan;
    *ret = p;
    return true;
}

bool prepare_plan(struct arena *a, const struct prepare_spec *spec, struct prepared *ret, struct err *err) {
    struct prepared p = {.rb = spec->rb, .state = model_new(spec->ld->box), .given = spec->given};
    const struct bind_spec bind = {.ld = spec->ld, .rb = p.rb, .given = spec->given, .state = p.state, .site = spec->site, .run = spec->run};
    p.bind = bind_new(a, &bind);
    const struct plan_spec plan = {.ld = spec->ld, .bind = p.bind, .rb = p.rb, .state = p.state, .site = spec->site, .run = spec->run};
    if (!bind_all(a, spec->runner, p.bind, err) || !plan_make(a, &plan, &p.plan, err)) {
        model_free(p.state);
        return false;
    }
    *ret = p;
    return true;
}

bool prepare_explore(struct arena *a, const struct prepare_spec *spec, const struct prepared *p, struct explored **ret, struct err *err) {
    const struct explore_spec ways = {.ld = spec->ld, .rb = p->rb, .bind = p->bind, .state = p->state, .site = spec->site, .run = spec->run,
                                      .limits = spec->limits, .accepted = spec->accepted};
    *ret = NULL;
    return p->plan->refused || explore(a, &ways, ret, err);
}

const struct plan *plan_with(struct arena *a, const struct plan *p, const struct explored *e) {
    struct plan *whole = arena_new_of(a, struct plan);
    *whole = *p;
    whole->explored = e;
    return whole;
}

/* false: told, and the state is gone. */
static bool explore_whole(struct arena *a, const struct prepare_spec *spec, struct prepared *p, struct err *err) {
    box_many_states(spec->ld->box); /* as long as they are there; from here to the advice */
    const bool explored = prepare_explore(a, spec, p, &p->explored, err);
    if (explored && p->explored)
        explore_advise(a, p->explored, spec->ld, spec->site, spec->run);
    box_few_states(spec->ld->box);
    if (!explored) {
        model_free(p->state);
        return false;
    }
    if (p->explored)
        p->plan = plan_with(a, p->plan, p->explored);
    return true;
}

static bool prepare_whole(struct arena *a, const struct prepare_spec *spec, struct prepared *ret, struct err *err) {
    return prepare_plan(a, spec, ret, err) && explore_whole(a, spec, ret, err);
}

void prepared_free(struct prepared *p) {
    explored_free(p->explored);
    model_free(p->state);
}

const char *plan_refusal(struct arena *a, const struct plan *p) {
    for (size_t i = 0; p->refused && i < p->npre; i++)
        if (!p->pre[i].held)
            return p->pre[i].message;
    for (size_t i = 0; p->explored && i < p->explored->nbreaches; i++) {
        const struct explore_breach *b = &p->explored->breaches[i];
        if (!b->accepted)
            return b->finally ? arena_printf(a, "the plan would end with the rule %s broken: %s", b->rule->name, b->message)
                              : arena_printf(a, "the plan can break the rule %s, by %s: %s", b->rule->name, b->step ? b->step : "?", b->message);
    }
    return NULL;
}

bool prepare(struct ctx *c, const char *name, struct prepared *ret) {
    c->loader.cache = map_new(c->arena); /* the site does not change any more, and advice asks for the same runbooks again */
    struct prepare_spec spec = {.ld = &c->loader, .runner = c->runner, .site = c->site_val, .run = c->run_val};
    return explore_options(c, &spec.limits, &spec.accepted) &&
           saved_sources(c, runbook_load(&c->loader, name, mark_none(), &spec.rb, c->err) ? spec.rb : NULL) && can_carry_out(c, spec.rb) &&
           (!c->runner->real || git_required(c, spec.rb)) && credentials_for(c, spec.rb) &&
           (c->saved ? inputs_saved : inputs_given)(c, spec.rb, &spec.given) && prepare_whole(c->arena, &spec, ret, c->err);
}

bool prepare_again(struct ctx *c, const struct prepared *p, bool *ret_same, struct prepared *ret) {
    struct prepare_spec spec = {.ld = &c->loader, .runner = c->runner, .rb = p->rb, .given = p->given, .site = c->site_val, .run = c->run_val};
    if (!explore_options(c, &spec.limits, &spec.accepted) || !prepare_plan(c->arena, &spec, ret, c->err))
        return false;
    *ret_same = !ret->plan->refused && val_equal(ret->plan->before, p->plan->before);
    return *ret_same || explore_whole(c->arena, &spec, ret, c->err);
}
