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
static void observe_wants(struct ctx *c, struct bind *b, const struct bind_want *wants, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const struct val *v = NULL;
        const char *why = NULL;
        if (!runner_probe_wait(c->runner, c->arena, wants[i].part, wants[i].with, &v, &why))
            v = val_unobserved(c->arena, arena_printf(c->arena, "%s: %s", wants[i].part->probe->name, why));
        bind_observed(b, wants[i].part, v);
    }
}

bool prepare(struct ctx *c, const char *name, struct prepared *ret) {
    const struct val *given;
    struct prepared p = {0};
    if (!runbook_load(&c->loader, name, mark_none(), &p.rb, c->err) || !can_carry_out(c, p.rb) || !inputs_given(c, p.rb, &given))
        return false;
    p.state = model_new(c->box);
    const struct bind_spec spec = {.ld = &c->loader, .rb = p.rb, .given = given, .state = p.state, .site = c->site_val, .run = c->run_val};
    p.bind = bind_new(c->arena, &spec);
    for (;;) {
        const struct bind_want *wants;
        size_t n;
        const enum bind_status s = bind_step(p.bind, &wants, &n, c->err);
        if (s == BIND_FAILED)
            return false;
        if (s == BIND_DONE)
            break;
        observe_wants(c, p.bind, wants, n);
    }
    const struct plan_spec plan = {.ld = &c->loader, .bind = p.bind, .rb = p.rb, .state = p.state, .site = c->site_val, .run = c->run_val};
    if (!plan_make(c->arena, &plan, &p.plan, c->err))
        return false;
    *ret = p;
    return true;
}
