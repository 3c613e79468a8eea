#include "run/turn.h"

static void begin_act(struct live *l) {
    struct exec *x = l->x;
    const struct step *st = l->item->fan->step;
    const struct val *with = NULL;
    const char *why;
    const struct tmpl *t = st->kind == STEP_COMMAND ? st->argv : st->with;
    if (t && !live_eval(l, t, &with, &why)) {
        end_item(l, OUT_FAILED, NULL, arena_printf(x->scratch, "its '%s' cannot be worked out: %s", st->kind == STEP_COMMAND ? "command" : "with", why),
                 NULL);
        return;
    }
    if (st->def)
        with = step_with(x->scratch, st, with);
    const char *change = moved(x, l->item, with);
    if (change && st->def && val_get_str(st->def->decl, "destroys", NULL)) {
        end_item(l, OUT_REFUSED, NULL, arena_printf(x->scratch, "the world has moved since the plan was made: %s", change), "moved");
        return;
    }
    struct scope sc = scope_from(x, l->item, false);
    if (questions(l, with, step_title(x->scratch, x->spec->ld, st, &sc, with)))
        return;
    if (!slot_take(l))
        return;
    if (change) {
        struct val *d = fields(x);
        field_str(x, d, "text", change);
        emit(x, EV_NOTE, l->item->path, 0, d);
    }
    attempt(l, with);
}

/* ---- runbooks: bound, then their preconditions ---- */

static void bind_on(struct live *l) {
    struct exec *x = l->x;
    struct err *errs = err_new(x->scratch);
    const struct bind_want *wants;
    size_t n;
    switch (bind_step(l->bind, &wants, &n, errs)) {
    case BIND_WANTS:
        observe_wants(l, wants, n, bind_on);
        return;
    case BIND_FAILED:
        l->bind = NULL;
        end_item(l, OUT_FAILED, NULL, eval_why(x, CALL_ERROR, NULL, errs), NULL);
        return;
    case BIND_DONE:
        break;
    }
    struct val *d = fields(x);
    val_map_set(x->scratch, d, "inputs", bind_inputs(l->bind));
    l->bound = l->bind;
    l->bind = NULL;
    emit(x, EV_BOUND, l->item->path, 0, d);
}

static void begin_runbook(struct live *l) {
    struct exec *x = l->x;
    struct item *it = l->item;
    const struct step *st = it->fan->step;
    const struct val *with = NULL;
    const char *why;
    if (!it->inputs) {
        if (st->with && !live_eval(l, st->with, &with, &why)) {
            end_item(l, OUT_FAILED, NULL, arena_printf(x->scratch, "its 'with' cannot be worked out: %s", why), NULL);
            return;
        }
        const struct bind_spec spec = {.ld = x->spec->ld, .rb = st->sub, .given = with ? val_copy(x->arena, with) : NULL,
                                       .state = x->spec->state, .site = x->spec->site, .run = x->run_val};
        l->bind = bind_new(x->arena, &spec);
        bind_on(l);
        return;
    }
    struct scope sc = scope_from(x, it, true);
    struct err *errs = err_new(x->scratch);
    struct plan_check *pre;
    size_t n;
    if (!plan_checks(x->scratch, x->spec->ld, st->sub, false, &sc, KNOWN_PROBED, &pre, &n, errs)) {
        end_item(l, OUT_FAILED, NULL, eval_why(x, CALL_ERROR, NULL, errs), NULL);
        return;
    }
    for (size_t i = 0; i < n; i++)
        if (!pre[i].held) {
            end_item(l, OUT_REFUSED, NULL, pre[i].message, "precondition");
            return;
        }
    if (!arrive(l))
        return;
    struct val *d = fields(x);
    struct scope outer = scope_from(x, it, false);
    field_str(x, d, "title", step_title(x->scratch, x->spec->ld, st, &outer, with));
    emit(x, EV_STARTED, it->path, 1, d);
}

/* ---- an item's turn ---- */

void begin(struct live *l) {
    struct exec *x = l->x;
    struct item *it = l->item;
    const struct step *st = it->fan->step;
    const char *why;
    if (x->run->stopping || it->status != ITEM_NEW || l->queued || l->bind || l->probes)
        return;
    if (it->denied) {
        end_item(l, OUT_REFUSED, NULL, arena_printf(x->scratch, "not approved: %s", it->message), "approval");
        return;
    }
    if (look_afresh(l))
        return;
    if (st->unless) {
        bool already = false;
        if (!live_test(l, st->unless, &already, &why)) {
            end_item(l, OUT_FAILED, NULL, arena_printf(x->scratch, "its 'unless' cannot be decided: %s", why), NULL);
            return;
        }
        if (already) {
            end_item(l, OUT_SKIPPED, NULL, arena_printf(x->scratch, "already so: %s", st->unless->text), NULL);
            return;
        }
    }
    switch (st->kind) {
    case STEP_GROUP:
    case STEP_FIRST_OF:
    case STEP_WAIT: {
        struct scope sc = scope_from(x, it, false);
        struct val *d = fields(x);
        field_str(x, d, "title", step_title(x->scratch, x->spec->ld, st, &sc, NULL));
        emit(x, EV_STARTED, it->path, 1, d);
        if (st->kind == STEP_WAIT)
            wait_start(l);
        break;
    }
    case STEP_RUNBOOK:
        begin_runbook(l);
        break;
    case STEP_ACTION:
    case STEP_PROBE:
    case STEP_COMMAND:
        begin_act(l);
        break;
    }
}
