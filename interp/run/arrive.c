#include "run/turn.h"

/* A layer that was down when the plan was made is probed, planned and explored when the run comes to it. */

static void note(struct live *l, const char *text) {
    struct val *d = fields(l->x);
    field_str(l->x, d, "text", text);
    emit(l->x, EV_NOTE, l->item->path, 0, d);
}

static const char *broken(struct arena *a, const struct explored *e) {
    for (size_t i = 0; i < e->nbreaches; i++)
        if (!e->breaches[i].accepted)
            return arena_printf(a, "the rule %s would be broken%s%s: %s", e->breaches[i].rule->name, e->breaches[i].step ? " by " : " at its end",
                                e->breaches[i].step ? e->breaches[i].step : "", e->breaches[i].message);
    return NULL;
}

bool arrive(struct live *l) {
    struct exec *x = l->x;
    const struct plan_line *line = map_get(x->lines, l->item->path);
    const struct runbook *rb = l->item->fan->step->sub;
    if (!line || !line->arrival || !l->bound)
        return true;
    const struct exec_spec *s = x->spec;
    struct err *errs = err_new(x->scratch);
    const struct plan_spec spec = {.ld = s->ld, .bind = l->bound, .rb = rb, .state = s->state, .site = s->site, .run = x->run_val, .path = l->item->path};
    const struct explore_spec ways = {.ld = s->ld, .rb = rb, .bind = l->bound, .state = s->state, .site = s->site, .run = x->run_val,
                                      .limits = s->limits, .accepted = s->accepted};
    const struct plan *plan;
    struct explored *e = NULL;
    if (!plan_make(x->arena, &spec, &plan, errs) || !explore(x->arena, &ways, &e, errs)) {
        end_item(l, OUT_FAILED, NULL, eval_why(x, CALL_ERROR, NULL, errs), NULL);
        return false;
    }
    const char *why = broken(x->scratch, e);
    if (why) {
        end_item(l, OUT_REFUSED, NULL, why, "rule");
    } else {
        for (size_t i = 0; i < plan->nlines; i++)
            map_put(x->lines, plan->lines[i].path, &plan->lines[i]);
        note(l, arena_printf(x->scratch, "planned on arrival: %zu act(s) would change something; %zu states, all safe%s", plan->changes, e->states,
                             e->limit ? ", as far as was looked" : ""));
    }
    explored_free(e);
    return !why;
}
