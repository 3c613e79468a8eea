#include "run/turn.h"

#include <string.h>

/* Takes what a probe answered into the state, unless a probe that was asked later has answered already. */
static void take(struct exec *x, const struct happening *h) {
    const char *part = h->part->name;
    struct asked *newest = map_get(x->asked, part);
    if (!newest) {
        newest = arena_new_of(x->arena, struct asked);
        map_put(x->asked, part, newest);
    }
    if (h->order < newest->order)
        return;
    *newest = (struct asked){.order = h->order, .at = h->at};
    const struct val *v = h->yes ? h->value : val_unobserved(x->scratch, h->text ? h->text : "the probe failed");
    const struct val *old = map_get(x->run->state, part);
    if (old && val_equal(old, v))
        return;
    struct val *d = fields(x);
    field_str(x, d, "part", part);
    val_map_set(x->scratch, d, "value", v);
    emit(x, EV_OBSERVED, NULL, 0, d);
    model_set(x->spec->state, part, v);
}

static void answered_handle(struct exec *x, struct happening *h) {
    struct live *l = h->live;
    take(x, h);
    if (l->bind)
        bind_observed(l->bind, h->part, map_get(x->run->state, h->part->name));
    if (--l->probes)
        return;
    live_fn *next = l->next;
    l->next = NULL;
    if (next && !x->broken)
        next(l);
}

struct ask {
    struct exec *x;
    struct live *live;
    const struct part *part;
    const struct val *with;
    uint64_t order;
    int64_t at;
};

static void answered(void *ud, bool ok, const struct val *value, const char *message) {
    struct ask *q = ud;
    struct happening *h = happening_new(q->x, q->live, answered_handle);
    h->part = q->part;
    h->order = q->order;
    h->at = q->at;
    h->yes = ok;
    h->value = ok && value ? val_copy(h->arena, value) : NULL;
    h->text = message ? arena_strdup(h->arena, message) : NULL;
    happen(q->x, h);
}

static void ask_go(struct live *l, void *arg) {
    struct ask *q = arg;
    struct runner *r = l->x->spec->runner;
    q->order = ++l->x->order;
    q->at = now_ms(l->x);
    struct probe_call call = {.def = q->part->probe, .part = q->part->name, .hooks = q->part->hooks, .with = q->with, .done = answered, .ud = q};
    r->ops->probe(r, &call);
}

void observe(struct live *l, const struct item *home, struct map *set, live_fn *next) {
    struct exec *x = l->x;
    l->next = next;
    l->probes = map_count(set);
    if (!l->probes) {
        l->next = NULL;
        next(l);
        return;
    }
    for (struct map_iter it = map_iter(set); map_next(&it);) {
        struct ask *q = arena_new_of(x->arena, struct ask);
        *q = (struct ask){.x = x, .live = l, .part = it.value};
        if (q->part->with) {
            struct scope sc = {.lib = x->spec->ld->lib, .state = x->spec->state, .inputs = home->inputs, .site = x->spec->site,
                               .run = x->run_val};
            struct call_signal sig = {0};
            struct err *errs = err_new(x->scratch);
            const struct val *with = NULL;
            enum call_result r = tmpl_eval(x->spec->ld->box, q->part->with, &sc, false, x->scratch, &with, &sig, errs);
            if (r != CALL_OK) { /* asked without an answer: the part is then unobserved, and says why */
                answered(q, false, NULL, eval_why(x, r, &sig, errs));
                continue;
            }
            q->with = val_copy(x->arena, with);
        }
        later(l, ask_go, q);
    }
}

void observe_wants(struct live *l, const struct bind_want *wants, size_t n, live_fn *next) {
    l->next = next;
    l->probes = n;
    for (size_t i = 0; i < n; i++) {
        struct ask *q = arena_new_of(l->x->arena, struct ask);
        *q = (struct ask){.x = l->x, .live = l, .part = wants[i].part, .with = wants[i].with};
        later(l, ask_go, q);
    }
}
