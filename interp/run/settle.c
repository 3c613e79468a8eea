#include "run/turn.h"

/* How long an action may take to show after its act, unless it says otherwise; and how often one looks. */
static const int64_t settle_default_ms = 60 * 1000, look_every_ms = 1000;
/* And how long the rest of a predicted change may take once a part of it shows. */
static const int64_t rest_ms = 10 * 1000;

static const char *kept(struct live *l, const char *s) {
    return s ? arena_strdup(l->x->arena, s) : NULL;
}

void observe_step(struct live *l, live_fn *next) {
    const struct step *st = l->item->fan->step;
    const struct item *home = home_of(l->item);
    struct map *set = map_new(l->x->scratch);
    parts_of_changes(home->rb, st->def, set);
    parts_of_effects(home->rb, st, set);
    parts_of_expr(l->x->spec->ld, home->rb, st->verify, set);
    parts_of_expr(l->x->spec->ld, home->rb, st->wait, set);
    observe(l, home, set, next);
}

/* ---- after an act: settle what is unknown, verify, work out the outputs ---- */

static void settle(struct live *l);

static void look_again(struct live *l) {
    observe_step(l, settle);
}

static bool may_look_again(struct live *l) {
    const int64_t left = l->deadline - now_ms(l->x);
    if (left <= 0)
        return false;
    live_timer(l, left < look_every_ms ? left : look_every_ms, look_again);
    return true;
}

/* Asks the action whether it has happened. Returns whether the answer is final; it is in l->outcome then. One "no" is not enough as long
 * as the settling time lasts: what was asked for may still be on its way. */
static bool settle_unknown(struct live *l) {
    struct exec *x = l->x;
    const struct def *def = l->item->fan->step->def;
    const struct val *answer = NULL, *args[] = {l->item->with ? l->item->with : fields(x), l->item->before ? l->item->before : val_null()};
    struct call_signal sig = {0};
    struct err *errs = err_new(x->scratch);
    enum call_result r = model_call(x->spec->state, def, FN_DONE, args, 2, x->scratch, &answer, NULL, &sig, errs);
    if (r == CALL_OK && (val_is(answer, VAL_MAP) || (val_is(answer, VAL_BOOL) && answer->boolean))) {
        l->outcome = OUT_OK;
        l->outputs = val_is(answer, VAL_MAP) ? val_copy(x->arena, answer) : NULL;
        l->message = NULL;
        return true;
    }
    if (may_look_again(l))
        return false;
    if (l->item->orphan) {
        const bool told = r == CALL_OK && !val_is(answer, VAL_STRING);
        orphan_end(l, told, r == CALL_OK ? val_cstr(answer) : eval_why(x, r, &sig, errs));
        return false;
    }
    if (r == CALL_OK && !val_is(answer, VAL_STRING)) {
        l->outcome = OUT_FAILED;
        l->message = kept(l, arena_printf(x->scratch, "%s; the state shows that it did not happen", l->message ? l->message : "no answer"));
    } else if (r != CALL_OK) {
        l->message = kept(l, arena_printf(x->scratch, "%s; whether it happened cannot be told: %s", l->message ? l->message : "no answer",
                                          eval_why(x, r, &sig, errs)));
    }
    return true;
}

const struct val *own_outputs(struct live *l, const struct val *base, const char **ret_why) {
    struct exec *x = l->x;
    const struct step *st = l->item->fan->step;
    if (!st->noutputs)
        return base;
    struct val *out = fields(x);
    for (size_t i = 0; i < val_len(base); i++)
        val_map_set(x->scratch, out, base->map.pairs[i].key, base->map.pairs[i].val);
    for (size_t i = 0; i < st->noutputs; i++) {
        const struct val *v;
        const char *why;
        if (!live_eval(l, st->outputs[i].value, &v, &why)) {
            *ret_why = arena_printf(x->scratch, "its output '%s' cannot be worked out: %s", st->outputs[i].name, why);
            return NULL;
        }
        val_map_set(x->scratch, out, st->outputs[i].name, v);
    }
    return out;
}

static void note(struct live *l, const char *text) {
    struct val *d = fields(l->x);
    field_str(l->x, d, "text", text);
    emit(l->x, EV_NOTE, l->item->path, 0, d);
}

/* Holds what was observed against the prediction. Returns whether that is decided; l->outcome is then OUT_FAILED if it is bad, and the run stops
 * if a rule is broken (*ret_cause). */
static bool settle_prediction(struct live *l, const char **ret_cause) {
    struct exec *x = l->x;
    const char *text = NULL;
    const enum seen seen = predict_seen(l, &text);
    if (seen == SEEN_ALL)
        return true;
    if (seen == SEEN_SOME && l->deadline - now_ms(x) > rest_ms)
        l->deadline = now_ms(x) + rest_ms;
    if (may_look_again(l))
        return false;
    if (seen == SEEN_NONE) {
        struct buf b = BUF_INIT;
        duration_print(&b, l->settle_ms);
        l->outcome = OUT_FAILED;
        l->message = kept(l, arena_printf(x->scratch, "its change does not show after %s: %s", b.data, text));
        buf_done(&b);
        return true;
    }
    const char *rule = predict_broken_rule(l);
    if (!rule) {
        note(l, arena_printf(x->scratch, "'%s': different from the prediction, but safe: %s", l->item->path, text));
        return true;
    }
    const char *why = arena_printf(x->scratch, "'%s': different from the prediction, and the rule %s (%s)", l->item->path, rule, text);
    note(l, why);
    run_stop(x, why);
    l->outcome = OUT_FAILED;
    l->message = kept(l, arena_printf(x->scratch, "it broke the rule %s", rule));
    *ret_cause = "prediction";
    return true;
}

static void settle(struct live *l) {
    struct exec *x = l->x;
    struct item *it = l->item;
    const char *cause = NULL;
    const struct step *st = it->fan->step;
    if (l->outcome == OUT_UNKNOWN && st->def && st->def->fn[FN_DONE] && !settle_unknown(l))
        return;
    const char *why = NULL;
    if (l->outcome == OUT_OK && st->verify) {
        bool holds = false;
        bool known = live_test(l, st->verify, &holds, &why);
        if (!known || !holds) {
            if (may_look_again(l))
                return;
            l->outcome = OUT_FAILED;
            l->message = kept(l, known ? arena_printf(x->scratch, "its 'verify' does not hold: %s", st->verify->text)
                                       : arena_printf(x->scratch, "its 'verify' cannot be decided: %s", why));
        }
    }
    if (l->outcome == OUT_OK && l->prediction && !settle_prediction(l, &cause))
        return;
    const struct val *outputs = l->outputs;
    if (l->outcome == OUT_OK) {
        const enum outcome before = it->outcome;
        it->outcome = OUT_OK; /* `outputs` may read the step itself */
        outputs = own_outputs(l, l->outputs, &why);
        it->outcome = before;
        if (!outputs && st->noutputs) {
            l->outcome = OUT_FAILED;
            l->message = kept(l, why);
        }
    }
    end_item(l, l->outcome, outputs, l->message, cause);
}

static void settle_begin(struct live *l) {
    const struct step *st = l->item->fan->step;
    l->settle_ms = l->prediction ? settle_default_ms : 0;
    if (st->kind == STEP_ACTION && val_len(val_get(st->def->decl, "changes"))) {
        l->settle_ms = settle_default_ms;
        const char *own = val_get_str(st->def->decl, "settle", NULL);
        if (own)
            (void)duration_parse(own, &l->settle_ms); /* checked when the definition was loaded */
    }
    l->deadline = now_ms(l->x) + l->settle_ms;
    observe_step(l, settle);
}

void after_act(struct live *l) {
    const struct item *it = l->item;
    l->outcome = it->outcome;
    l->outputs = it->outputs;
    l->message = it->message;
    if (l->outcome == OUT_UNKNOWN && l->x->interrupts > 1) {
        end_item(l, OUT_UNKNOWN, NULL, l->message, NULL); /* whoever interrupts twice wants no more waiting */
        return;
    }
    if (l->outcome != OUT_UNKNOWN || !it->orphan || !orphan_begin(l))
        settle_begin(l);
}

/* What came of the steps of a rescue. What was rescued is ok, and says what it was rescued from. */
static void rescue_over(struct live *l) {
    const struct item *it = l->item;
    const char *why = it->message ? it->message : "it failed";
    enum outcome outcome = it->inside_failed ? OUT_FAILED : OUT_OK;
    for (size_t i = 0; i < it->nfans; i++)
        if (it->fans[i].outcome == OUT_UNKNOWN)
            outcome = OUT_UNKNOWN;
    end_item(l, outcome, it->outputs,
             outcome == OUT_OK ? arena_printf(l->x->scratch, "rescued: %s", why) : arena_printf(l->x->scratch, "%s; its rescue did not end well", why), NULL);
}

/* No alternative has ended well. */
static void alternatives_failed(struct live *l) {
    const struct item *it = l->item;
    const struct fan *last = &it->fans[it->fans_over - 1];
    const struct item *refused = last->outcome == OUT_REFUSED ? run_refused(it) : NULL;
    const char *cause = refused && !run_harmless(refused->cause) ? refused->cause : NULL;
    const bool settled = last->outcome != OUT_UNKNOWN && !cause;
    end_item(l, settled ? OUT_FAILED : last->outcome, NULL,
             settled ? "none of its alternatives has ended well"
                     : arena_printf(l->x->scratch, cause ? "'%s' was refused" : "how '%s' ended is not known, so no other alternative is tried", last->path), cause);
}

void group_over(struct live *l) {
    struct exec *x = l->x;
    struct item *it = l->item;
    if (it->rescuing) {
        rescue_over(l);
        return;
    }
    if (it->fan->step->kind == STEP_FIRST_OF && it->inside_failed) {
        alternatives_failed(l);
        return;
    }
    l->outcome = OUT_OK;
    l->message = NULL;
    l->outputs = NULL;
    if (it->inside_failed) {
        /* as bad as the worst of the steps inside */
        l->outcome = OUT_FAILED;
        for (size_t i = 0; i < it->nfans; i++) {
            const struct fan *f = &it->fans[i];
            if (f->outcome == OUT_UNKNOWN || (f->outcome == OUT_REFUSED && l->outcome != OUT_UNKNOWN))
                l->outcome = f->outcome;
            if (!l->message && f->outcome != OUT_OK && !f->blocked && f->outcome != OUT_SKIPPED && !f->step->continue_on_failure)
                l->message = kept(l, arena_printf(x->scratch, "'%s' %s", f->path, f->outcome == OUT_REFUSED ? "was refused" : "did not end well"));
        }
    } else if (it->rb && it->rb->npost) {
        struct scope sc = scope_from(x, it, true);
        struct err *errs = err_new(x->scratch);
        struct plan_check *post;
        size_t n;
        if (!plan_checks(x->scratch, x->spec->ld, it->rb, true, &sc, KNOWN_PROBED, &post, &n, errs)) {
            l->outcome = OUT_FAILED;
            l->message = kept(l, eval_why(x, CALL_ERROR, NULL, errs));
        } else {
            for (size_t i = 0; i < n && l->outcome == OUT_OK; i++)
                if (!post[i].held) {
                    l->outcome = OUT_FAILED;
                    l->message = kept(l, arena_printf(x->scratch, "a postcondition does not hold: %s", post[i].message));
                }
        }
    }
    const struct item *refused = l->outcome == OUT_REFUSED ? run_refused(it) : NULL;
    if (l->outcome != OUT_OK)
        end_item(l, l->outcome, NULL, l->message, refused ? refused->cause : NULL);
    else
        settle_begin(l);
}
