#include "run/runner.h"

#include "base/map.h"

#include <stdlib.h>
#include <string.h>

/* How long things take in a rehearsal, in virtual time: enough to tell before from after. */
static const int64_t probe_ms = 50, act_ms = 1000;

struct world {
    struct runner runner;
    struct arena *arena;
    struct model *model;
    struct map *acts; /* path → struct act * under way */
    struct injections *injections; /* or NULL */
    const struct val *attested;    /* names that are not in the model yet, or NULL */
    bool fail_probe;               /* of the step that begins just now */
};

struct probe {
    struct world *world;
    struct probe_call call;
    bool fails;
};

static const char *first_error(const struct err *e) {
    return e->first ? e->first->message : "it failed";
}

static void probe_due(void *ud) {
    struct probe *p = ud;
    struct arena *a = arena_new();
    struct err *errs = err_new(a);
    const char *part = p->call.part && model_has(p->world->model, p->call.part) ? p->call.part : p->call.def->family;
    const struct val *v = NULL;
    if (p->fails)
        p->call.done(p->call.ud, false, NULL, "rehearsed: it fails");
    else if (!model_get(p->world->model, part, a, &v, errs))
        p->call.done(p->call.ud, false, NULL, first_error(errs));
    else if (!v)
        p->call.done(p->call.ud, false, NULL, arena_printf(a, "the world of this rehearsal has no state.%s", part));
    else if (val_unobserved_why(v))
        p->call.done(p->call.ud, false, NULL, val_unobserved_why(v));
    else
        p->call.done(p->call.ud, true, v, NULL);
    arena_free(a);
    free(p);
}

static void world_probe(struct runner *r, const struct probe_call *call) {
    struct world *w = (struct world *)r;
    struct probe *p = mem_alloc(sizeof *p);
    *p = (struct probe){.world = w, .call = *call, .fails = !call->part && w->fail_probe};
    loop_timer(r->loop, probe_ms, probe_due, p);
}

struct act {
    struct world *world;
    struct act_call call;
    bool cancelled;
};

static bool effects(struct world *w, const struct val *effect, struct err *err) {
    bool ok = true;
    for (size_t i = 0; i < val_len(effect); i++)
        ok &= model_set_path(w->model, effect->map.pairs[i].key, effect->map.pairs[i].val, mark_none(), err);
    return ok;
}

/* What an action would have returned: what its effect predicts, and a name for what it does not. */
static const struct val *outputs_of(struct arena *a, const struct def *d, const struct val *predicted) {
    struct val *out = val_map_new(a);
    const struct val *declared = val_get(d->decl, "outputs");
    for (size_t i = 0; i < val_len(declared); i++) {
        const char *name = declared->map.pairs[i].key;
        const struct val *v = val_get(predicted, name);
        val_map_set(a, out, name, v ? v : val_printf(a, "rehearsed-%s", name));
    }
    return out;
}

static const struct val *command_outputs(struct arena *a) {
    struct val *out = val_map_new(a);
    val_map_set(a, out, "stdout", val_str(a, ""));
    val_map_set(a, out, "stderr", val_str(a, ""));
    val_map_set(a, out, "status", val_int(a, 0));
    return out;
}

/* How an act ends. */
struct end {
    enum outcome outcome;
    const struct val *outputs;
    const char *message;
};

static struct end go_well(struct world *w, const struct act_call *c, struct arena *a) {
    struct err *errs = err_new(a);
    const struct val *predicted = NULL;
    const char *ends = NULL;
    bool ok = true;
    if (c->def && c->def->fn[FN_EFFECT]) {
        struct model *m = model_clone(w->model);
        ok = model_apply(m, c->def, NULL, c->with, a, &predicted, &ends, errs);
        const bool impossible = ends && !strcmp(ends, "impossible");
        model_free(impossible ? m : w->model);
        if (impossible)
            return (struct end){.outcome = OUT_FAILED, .message = "rehearsed: it cannot be done on a cluster like this, and nothing was changed"};
        w->model = m;
    }
    if (!ok || !effects(w, c->effect, errs))
        return (struct end){.outcome = OUT_FAILED, .message = first_error(errs)};
    return (struct end){.outcome = OUT_OK, .outputs = c->def ? outputs_of(a, c->def, predicted) : command_outputs(a)};
}

/* One of the outcomes that the action declares. */
static struct end go_otherwise(struct world *w, const struct act_call *c, struct injection *in, struct arena *a) {
    struct err *errs = err_new(a);
    const struct val *outputs = NULL;
    const char *ends = NULL;
    struct model *m = model_clone(w->model);
    const bool ok = model_apply(m, c->def, in->outcome, c->with, a, &outputs, &ends, errs);
    if (!ok || (ends && !strcmp(ends, "impossible"))) {
        model_free(m);
        in->problem = ok ? "this outcome cannot happen in this state" : arena_strdup(w->arena, first_error(errs));
        return (struct end){.outcome = OUT_FAILED, .message = arena_printf(a, "rehearsed: %s: %s", in->outcome, in->problem)};
    }
    model_free(w->model);
    w->model = m;
    if (ends && !strcmp(ends, "ok"))
        return (struct end){.outcome = OUT_OK, .outputs = outputs_of(a, c->def, outputs)};
    return (struct end){.outcome = ends ? OUT_UNKNOWN : OUT_FAILED, .message = arena_printf(a, "rehearsed: %s", val_get_str(val_get(c->def->decl, "outcome_texts"), in->outcome, in->outcome))};
}

static struct end go_injected(struct world *w, const struct act_call *c, struct injection *in, struct arena *a) {
    in->done = true;
    if (!strcmp(in->outcome, "failed"))
        return (struct end){.outcome = OUT_FAILED, .message = "rehearsed: it fails, and nothing was changed"};
    if (!strcmp(in->outcome, "lost-before"))
        return (struct end){.outcome = OUT_UNKNOWN, .message = "rehearsed: no answer came"};
    if (strcmp(in->outcome, "lost"))
        return go_otherwise(w, c, in, a);
    struct end e = go_well(w, c, a);
    return e.outcome == OUT_OK ? (struct end){.outcome = OUT_UNKNOWN, .message = "rehearsed: no answer came"} : e;
}

/* What a process that is gone had begun is over or was never heard of: `done` is to tell. */
static void follow_due(void *ud) {
    struct act *act = ud;
    act->call.done(act->call.ud, OUT_UNKNOWN, NULL, "rehearsed: nothing is going on any more");
    map_put(act->world->acts, act->call.path, act->world);
    free(act);
}

static void act_due(void *ud) {
    struct act *act = ud;
    struct world *w = act->world;
    const struct act_call *c = &act->call;
    struct arena *a = arena_new();
    struct injection *in = act->cancelled ? NULL : inject_outcome(w->injections, c->path, c->attempt);
    const struct end e = act->cancelled ? (struct end){.outcome = OUT_UNKNOWN, .message = "cancelled"} : in ? go_injected(w, c, in, a) : go_well(w, c, a);
    c->done(c->ud, e.outcome, e.outputs, e.message);
    arena_free(a);
    map_put(w->acts, c->path, w); /* not under way any more */
    free(act);
}

static void world_act(struct runner *r, const struct act_call *call) {
    struct world *w = (struct world *)r;
    struct act *act = mem_alloc(sizeof *act);
    *act = (struct act){.world = w, .call = *call};
    map_put(w->acts, call->path, act);
    loop_timer(r->loop, act_ms, call->follow ? follow_due : act_due, act);
}

static void world_waited(struct runner *r, const char *path, const struct step *st, const struct val *effect) {
    (void)st;
    struct world *w = (struct world *)r;
    struct injection *in = inject_outcome(w->injections, path, 1);
    if (in) {
        in->done = true;
        in->problem = NULL;
    }
    if (in && !strcmp(in->outcome, "timeout"))
        return;
    struct arena *a = arena_new();
    (void)effects(w, effect, err_new(a)); /* what cannot be set is seen: the wait then runs out */
    arena_free(a);
}

/* ---- events of the world's own ---- */

static void attest(struct world *w) {
    struct arena *a = arena_new();
    struct val *m = val_map_new(a);
    for (size_t i = 0; i < val_len(w->attested); i++)
        if (val_cstr(val_at(w->attested, i)))
            val_map_set(a, m, val_cstr(val_at(w->attested, i)), val_bool(a, true));
    model_set(w->model, "attested", m);
    w->attested = NULL;
    arena_free(a);
}

/* The choice that was asked for among those that the event offers. NULL and *ret_why: it cannot happen. */
static const struct val *choose(struct arena *a, const struct injection *in, const struct val *offered, const char **ret_why) {
    if (val_is(offered, VAL_BOOL) && offered->boolean && !in->choice)
        return val_null();
    if (!val_is(offered, VAL_LIST) || !val_len(offered)) {
        *ret_why = val_is(offered, VAL_BOOL) && offered->boolean ? "this event has no choices" : "this event cannot happen in this state";
        return NULL;
    }
    struct buf b = BUF_INIT;
    for (size_t i = 0; i < val_len(offered); i++) {
        const char *text = inject_choice_text(a, val_at(offered, i));
        if (!in->choice || !strcmp(text, in->choice)) {
            buf_done(&b);
            return val_at(offered, i);
        }
        buf_printf(&b, "%s'%s'", i ? ", " : "", text);
    }
    *ret_why = arena_printf(a, "the event has no such choice in this state; there is: %s", b.data);
    buf_done(&b);
    return NULL;
}

static const char *happens(struct world *w, struct injection *in, struct arena *a) {
    const struct def *d = in->event;
    struct err *errs = err_new(a);
    if (in->set) {
        in->done = true;
        return effects(w, in->set, errs) ? NULL : first_error(errs);
    }
    const struct val *needs = val_get(d->decl, "needs"), *offered = NULL;
    for (size_t i = 0; i < val_len(needs); i++)
        if (val_cstr(val_at(needs, i)) && !model_has(w->model, val_cstr(val_at(needs, i))))
            return arena_printf(a, "the world of this rehearsal has no state.%s", val_cstr(val_at(needs, i)));
    struct call_signal sig = {0};
    const enum call_result r = model_call(w->model, d, FN_WHEN, NULL, 0, a, &offered, NULL, &sig, errs);
    if (r != CALL_OK)
        return r == CALL_ERROR ? first_error(errs) : arena_printf(a, "whether it can happen is not known: %s", sig.text);
    const char *why = NULL;
    const struct val *choice = choose(a, in, offered, &why);
    if (!choice)
        return why;
    if (!model_apply(w->model, d, NULL, val_is_null(choice) ? NULL : choice, a, NULL, NULL, errs))
        return first_error(errs);
    in->done = true;
    return NULL;
}

static void world_begun(struct runner *r, const char *path, const struct step *st, int attempt) {
    struct world *w = (struct world *)r;
    if (w->attested && st->def && st->def->fn[FN_ATTESTS])
        attest(w);
    for (struct injection *in; (in = inject_event(w->injections, path, attempt));) {
        struct arena *a = arena_new();
        const char *why = happens(w, in, a);
        if (why)
            in->problem = arena_strdup(w->arena, why);
        arena_free(a);
    }
    w->fail_probe = false;
    if (st->kind != STEP_WAIT && st->kind != STEP_PROBE)
        return;
    struct injection *in = inject_outcome(w->injections, path, attempt);
    if (!in)
        return;
    w->fail_probe = st->kind == STEP_PROBE;
    if (strcmp(in->outcome, "timeout"))
        in->done = true;
    else if (!in->done)
        in->problem = "it held already when the wait began"; /* unless it is waited for after all */
}

static void world_cancel(struct runner *r, const char *path) {
    struct world *w = (struct world *)r;
    void *p = map_get(w->acts, path);
    if (p && p != w)
        ((struct act *)p)->cancelled = true;
}

static void world_close(struct runner *r) {
    struct world *w = (struct world *)r;
    model_free(w->model);
}

static const struct runner_ops ops = {
    .probe = world_probe, .act = world_act, .begun = world_begun, .waited = world_waited, .cancel = world_cancel, .close = world_close};

struct runner *runner_world(struct arena *a, struct loop *loop, struct box *box, const struct val *state) {
    struct world *w = arena_new_of(a, struct world);
    *w = (struct world){.runner = {.ops = &ops, .loop = loop}, .arena = a, .model = model_new(box), .acts = map_new(a)};
    for (size_t i = 0; i < val_len(state); i++)
        model_set(w->model, state->map.pairs[i].key, state->map.pairs[i].val);
    return &w->runner;
}

void runner_world_inject(struct runner *r, struct injections *injections, const struct val *attested) {
    struct world *w = (struct world *)r;
    w->injections = injections;
    w->attested = val_len(attested) ? attested : NULL;
}

bool runner_world_set(struct runner *r, const char *path, const struct val *v, struct mark at, struct err *err) {
    return model_set_path(((struct world *)r)->model, path, v, at, err);
}

const struct model *runner_world_model(const struct runner *r) {
    return ((const struct world *)r)->model;
}
