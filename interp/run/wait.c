#include "run/turn.h"

#include "base/clock.h"

static const int64_t wait_default_ms = 5 * 60 * 1000;

static void wait_end(struct live *l, enum outcome outcome, const char *message, const char *cause) {
    struct exec *x = l->x;
    if (l->timer)
        loop_timer_stop(x->spec->loop, l->timer);
    l->timer = 0;
    l->next = NULL;
    struct val *d = fields(x);
    field_str(x, d, "outcome", outcome_name(outcome));
    field_str(x, d, "message", message);
    emit(x, EV_ACTED, l->item->path, l->item->attempt, d);
    const struct val *outputs = NULL;
    const char *why = NULL;
    if (outcome == OUT_OK) {
        outputs = own_outputs(l, fields(x), &why);
        if (!outputs)
            outcome = OUT_FAILED, message = why;
    }
    end_item(l, outcome, outputs, message, cause);
}

static void wait_look(struct live *l);

static void wait_observe(struct live *l) {
    observe_step(l, wait_look);
}

static void wait_go(struct live *l, void *arg) {
    struct exec *x = l->x;
    if (x->spec->runner->ops->waited)
        x->spec->runner->ops->waited(x->spec->runner, l->item->path, l->item->fan->step, arg);
}

static void begun_go(struct live *l, void *arg) {
    (void)arg;
    struct runner *r = l->x->spec->runner;
    if (r->ops->begun)
        r->ops->begun(r, l->item->path, l->item->fan->step, 1);
}

static void wait_announce(struct live *l) {
    struct exec *x = l->x;
    const struct step *st = l->item->fan->step;
    l->announced = true;
    const struct val *v;
    const char *why;
    struct buf b = BUF_INIT;
    if (st->message && live_eval(l, st->message, &v, &why))
        val_show(v, &b, 0);
    else
        buf_printf(&b, "waiting until %s", st->wait->text);
    struct val *d = fields(x);
    field_str(x, d, "text", b.data);
    buf_done(&b);
    emit(x, EV_NOTE, l->item->path, 0, d);
    if (x->spec->runner->real)
        return;
    struct val *effect = val_map_new(x->arena);
    for (size_t i = 0; i < st->neffects; i++)
        if (live_eval(l, st->effects[i].value, &v, &why))
            val_map_set(x->arena, effect, st->effects[i].path, val_copy(x->arena, v));
    later(l, wait_go, effect);
}

static void wait_look(struct live *l) {
    struct exec *x = l->x;
    const struct step *st = l->item->fan->step;
    if (l->item->status != ITEM_ACTING)
        return; /* stopped meanwhile */
    bool holds = false;
    const char *why = NULL;
    bool known = live_test(l, st->wait, &holds, &why);
    if (known && holds) {
        wait_end(l, OUT_OK, NULL, NULL);
        return;
    }
    const int64_t left = l->deadline - now_ms(x);
    if (left <= 0) {
        struct buf b = BUF_INIT;
        const int64_t started = l->item->started_at, wall = loop_clock(x->spec->loop)->wall_ms(loop_clock(x->spec->loop));
        buf_adds(&b, "waited ");
        duration_print(&b, wall > started ? wall - started : 0);
        buf_printf(&b, " in vain for: %s", st->wait->text);
        if (!known)
            buf_printf(&b, " (%s)", why);
        const char *message = arena_strdup(x->scratch, b.data);
        buf_done(&b);
        wait_end(l, OUT_FAILED, message, NULL);
        return;
    }
    if (!l->announced)
        wait_announce(l);
    live_timer(l, st->every_ms < left ? st->every_ms : left, wait_observe);
}

void wait_start(struct live *l) {
    const char *why;
    int64_t timeout;
    if (!live_duration(l, l->item->fan->step->timeout, wait_default_ms, &timeout, &why)) {
        wait_end(l, OUT_FAILED, arena_printf(l->x->scratch, "its 'timeout' cannot be worked out: %s", why), NULL);
        return;
    }
    l->deadline = now_ms(l->x) + timeout;
    l->announced = false;
    later(l, begun_go, NULL);
    wait_observe(l);
}

void wait_stop(struct live *l, const char *why) {
    wait_end(l, OUT_FAILED, why, "interrupted");
}
