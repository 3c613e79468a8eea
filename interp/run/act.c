#include "run/turn.h"

#include "base/redact.h"

#include <string.h>

enum { max_lines = 2000, max_line = 4096 }; /* of one attempt; bytes */

static void acted_handle(struct exec *x, struct happening *h) {
    struct live *l = h->live;
    l->in_act = false;
    struct val *d = fields(x);
    field_str(x, d, "outcome", outcome_name(h->outcome));
    if (h->value)
        val_map_set(x->scratch, d, "outputs", h->value);
    field_str(x, d, "message", h->text);
    emit(x, EV_ACTED, l->item->path, l->item->attempt, d);
}

static void acted(void *ud, enum outcome outcome, const struct val *outputs, const char *message) {
    struct live *l = ud;
    struct happening *h = happening_new(l->x, l, acted_handle);
    h->outcome = outcome;
    h->value = outputs ? val_copy(h->arena, outputs) : NULL;
    h->text = message ? arena_strdup(h->arena, message) : NULL;
    happen(l->x, h);
}

static void probed(void *ud, bool ok, const struct val *value, const char *message) {
    struct arena *a = arena_new();
    struct val *outputs = val_map_new(a);
    if (value)
        val_map_set(a, outputs, "value", value);
    acted(ud, ok ? OUT_OK : OUT_FAILED, outputs, message);
    arena_free(a);
}

static void log_handle(struct exec *x, struct happening *h) {
    struct val *d = fields(x);
    field_str(x, d, "line", h->text);
    if (!x->run->ended)
        emit(x, EV_LOG, h->live->item->path, h->live->item->attempt, d);
}

/* What a step prints is kept up to a limit: a program that never stops talking must not fill the journal. */
static void logged(void *ud, const char *line) {
    struct live *l = ud;
    if (l->lines > max_lines)
        return;
    struct happening *h = happening_new(l->x, l, log_handle);
    if (l->lines++ < max_lines) {
        const char *whole = redact_str(h->arena, line); /* half of a secret could not be found any more */
        h->text = arena_strndup(h->arena, whole, strnlen(whole, max_line));
    } else {
        h->text = arena_printf(h->arena, "(more than %d lines; the rest is not kept)", max_lines);
    }
    happen(l->x, h);
}

static void act_go(struct live *l, void *arg) {
    const struct act_call *call = arg;
    struct runner *r = l->x->spec->runner;
    l->in_act = true;
    if (r->ops->begun)
        r->ops->begun(r, call->path, call->step, call->attempt);
    if (call->step->kind == STEP_PROBE) {
        const struct probe_call probe = {.def = call->def, .hooks = val_get(call->step->in->doc, "hooks"), .with = call->with, .done = probed, .ud = l};
        r->ops->probe(r, &probe);
        return;
    }
    r->ops->act(r, call);
}

static const struct val *effects_of(struct live *l) {
    const struct step *st = l->item->fan->step;
    if (!st->neffects)
        return NULL;
    struct val *m = val_map_new(l->x->arena);
    for (size_t i = 0; i < st->neffects; i++) {
        const struct val *v;
        const char *why;
        if (live_eval(l, st->effects[i].value, &v, &why))
            val_map_set(l->x->arena, m, st->effects[i].path, val_copy(l->x->arena, v));
    }
    return m;
}

void attempt(struct live *l, const struct val *with) {
    struct exec *x = l->x;
    struct item *it = l->item;
    const struct step *st = it->fan->step;
    struct act_call *call = arena_new_of(x->arena, struct act_call);
    const char *why;
    int64_t timeout;
    if (!live_duration(l, st->timeout, 0, &timeout, &why)) {
        end_item(l, OUT_FAILED, NULL, arena_printf(x->scratch, "its 'timeout' cannot be worked out: %s", why), NULL);
        return;
    }
    struct scope sc = scope_from(x, it, false);
    struct val *d = fields(x);
    field_str(x, d, "title", step_title(x->scratch, x->spec->ld, st, &sc, with));
    if (with)
        val_map_set(x->scratch, d, "with", with);
    if (st->def && st->def->fn[FN_BEFORE]) {
        struct call_signal sig = {0};
        struct err *errs = err_new(x->scratch);
        const struct val *before = NULL, *args[] = {with ? with : fields(x)};
        enum call_result r = model_call(x->spec->state, st->def, FN_BEFORE, args, 1, x->scratch, &before, NULL, &sig, errs);
        if (r != CALL_OK) {
            end_item(l, OUT_FAILED, NULL, eval_why(x, r, &sig, errs), NULL);
            return;
        }
        if (before)
            val_map_set(x->scratch, d, "before", before);
    }
    const struct val *effects = effects_of(l);
    predict(l, with, effects);
    l->lines = 0;
    emit(x, EV_STARTED, it->path, it->attempt + 1, d);
    /* the secrets in `with` are not in the event: the act gets the values themselves */
    *call = (struct act_call){.step = st, .def = st->def, .path = it->path, .attempt = it->attempt,
                              .with = with ? val_copy(x->arena, with) : NULL, .effect = x->spec->runner->real ? NULL : effects,
                              .timeout_ms = timeout, .log = logged, .done = acted, .ud = l};
    later(l, act_go, call);
}

void begin_attempt(struct live *l) {
    if (l->item->status != ITEM_RETRYING || l->x->run->stopping || !slot_take(l))
        return;
    attempt(l, l->x->spec->resume ? recorded_with(l) : l->item->with);
}

/* Whatever came of it, `done` tells. */
static void followed(void *ud, enum outcome outcome, const struct val *outputs, const char *message) {
    (void)outcome, (void)outputs;
    acted(ud, OUT_UNKNOWN, NULL, message ? message : "the program ended while it was under way");
}

void follow_act(struct live *l) {
    struct exec *x = l->x;
    const struct item *it = l->item;
    struct act_call *call = arena_new_of(x->arena, struct act_call);
    const struct val *with = recorded_with(l);
    int64_t timeout = 0;
    const char *why;
    (void)live_duration(l, it->fan->step->timeout, 0, &timeout, &why); /* it could be worked out when the act began */
    *call = (struct act_call){.step = it->fan->step, .def = it->fan->step->def, .path = it->path, .attempt = it->attempt, .follow = true,
                              .with = with ? val_copy(x->arena, with) : NULL, .timeout_ms = timeout, .log = logged, .done = followed, .ud = l};
    l->lines = 0;
    later(l, act_go, call);
}
