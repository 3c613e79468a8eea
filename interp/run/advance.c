#include "run/turn.h"

/* ---- a step and its items ---- */

static void skip(struct exec *x, const struct fan *f, bool blocked, const char *why) {
    struct val *d = fields(x);
    field_str(x, d, "why", why);
    if (blocked)
        val_map_set(x->scratch, d, "blocked", val_bool(x->scratch, true));
    emit(x, EV_SKIPPED, f->path, 0, d);
}

/* The step's turn has come: `if`, then its list. */
static void fan_open(struct exec *x, struct fan *f) {
    const struct step *st = f->step;
    struct arena *a = x->scratch;
    if (f->need_failed) {
        skip(x, f, true, arena_printf(a, "it needs '%s', which did not end well", f->failed_need));
        return;
    }
    struct scope sc = scope_from(x, f->owner, true);
    struct call_signal sig = {0};
    struct err *errs = err_new(a);
    if (st->cond) {
        bool yes = false;
        enum call_result r = expr_test(x->spec->ld->box, st->cond, &sc, a, &yes, &sig, errs);
        if (r != CALL_OK) {
            skip(x, f, true, arena_printf(a, "its 'if' cannot be decided: %s", eval_why(x, r, &sig, errs)));
            return;
        }
        if (!yes) {
            skip(x, f, false, arena_printf(a, "not: %s", st->cond->text));
            return;
        }
    }
    struct val *d = fields(x);
    if (st->for_each) {
        const struct val *items = NULL;
        enum call_result r = tmpl_eval(x->spec->ld->box, st->for_each, &sc, false, a, &items, &sig, errs);
        if (r != CALL_OK || !val_is(items, VAL_LIST)) {
            const char *why = r != CALL_OK ? eval_why(x, r, &sig, errs) : arena_printf(a, "it is %s, not a list", val_kind_name(items->kind));
            skip(x, f, true, arena_printf(a, "its 'for_each' cannot be worked out: %s", why));
            return;
        }
        if (!val_len(items)) {
            skip(x, f, false, "its list is empty");
            return;
        }
        val_map_set(a, d, "items", items);
    }
    emit(x, EV_OPENED, f->path, 0, d);
}

static void fan_fill(struct exec *x, struct fan *f) {
    const bool tries = f->step->try_each;
    const size_t parallel = f->each && !tries ? (size_t)f->step->parallel : 1;
    while (f->status == FAN_OPEN && f->begun < f->nitems && f->begun - f->over < parallel && (tries || f->failed <= (size_t)f->step->max_failures) &&
           !x->run->stopping) {
        struct item *it = &f->items[f->begun++];
        begin(live_of(x, it));
    }
}

static void fan_advance(struct exec *x, struct fan *f) {
    if (f->status == FAN_WAITING && !f->waits && !x->run->stopping)
        fan_open(x, f);
    else if (f->status == FAN_OPEN)
        fan_fill(x, f);
}

static void item_advance(struct exec *x, struct item *it) {
    if (!it->fan)
        return; /* the root: the turn looks at it */
    struct live *l = live_of(x, it);
    switch (it->status) {
    case ITEM_NEW:
        begin(l);
        break;
    case ITEM_ACTED:
        if (it->fan->step->kind != STEP_WAIT)
            after_act(l);
        break;
    case ITEM_INSIDE:
        if (it->inside_over && !l->probes && !l->next)
            group_over(l);
        break;
    case ITEM_RETRYING: {
        double delay = (double)it->fan->step->retry.delay_ms;
        for (int i = 1; i < it->attempt; i++)
            delay *= it->fan->step->retry.backoff;
        const int64_t most = it->fan->step->retry.max_delay_ms;
        live_timer(l, most && delay > (double)most ? most : (int64_t)delay, begin_attempt);
        break;
    }
    case ITEM_ASKED:
    case ITEM_ACTING:
    case ITEM_OVER:
        break;
    }
}

void advance(struct exec *x) {
    struct run *r = x->run;
    do {
        for (size_t i = 0; i < r->ntouched; i++) { /* grows while it is walked */
            const struct touched t = r->touched[i];
            if (t.fan)
                fan_advance(x, t.fan);
            else
                item_advance(x, t.item);
        }
        r->ntouched = 0;
        if (x->slots_freed)
            queue_retry(x);
    } while (r->ntouched);
}
