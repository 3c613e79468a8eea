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

static bool bind_all(struct ctx *c, struct bind *b) {
    for (;;) {
        const struct bind_want *wants;
        size_t n;
        const enum bind_status s = bind_step(b, &wants, &n, c->err);
        if (s != BIND_WANTS)
            return s == BIND_DONE;
        observe_wants(c, b, wants, n);
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
    const struct plan_spec plan = {.ld = &c->loader, .bind = p.bind, .rb = p.rb, .state = p.state, .site = c->site_val, .run = c->run_val};
    if (!bind_all(c, p.bind) || !plan_make(c->arena, &plan, &p.plan, c->err)) {
        model_free(p.state);
        return false;
    }
    *ret = p;
    return true;
}
