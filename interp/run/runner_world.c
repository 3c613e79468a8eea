#include "run/runner.h"

#include "base/map.h"

#include <stdlib.h>

/* How long things take in a rehearsal, in virtual time: enough to tell before from after. */
static const int64_t probe_ms = 50, act_ms = 1000;

struct world {
    struct runner runner;
    struct arena *arena;
    struct model *model;
    struct map *acts; /* path → struct act * under way */
};

struct probe {
    struct world *world;
    struct probe_call call;
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
    if (!model_get(p->world->model, part, a, &v, errs))
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
    struct probe *p = mem_alloc(sizeof *p);
    *p = (struct probe){.world = (struct world *)r, .call = *call};
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

static void act_due(void *ud) {
    struct act *act = ud;
    struct world *w = act->world;
    const struct act_call *c = &act->call;
    struct arena *a = arena_new();
    struct err *errs = err_new(a);
    const struct val *predicted = NULL;
    bool ok = true;
    if (act->cancelled) {
        c->done(c->ud, OUT_UNKNOWN, NULL, "cancelled");
    } else {
        if (c->def && c->def->fn[FN_EFFECT])
            ok = model_apply(w->model, c->def, NULL, c->with, a, &predicted, errs);
        ok = ok && effects(w, c->effect, errs);
        if (ok)
            c->done(c->ud, OUT_OK, c->def ? outputs_of(a, c->def, predicted) : command_outputs(a), NULL);
        else
            c->done(c->ud, OUT_FAILED, NULL, first_error(errs));
    }
    arena_free(a);
    map_put(w->acts, c->path, w); /* not under way any more */
    free(act);
}

static void world_act(struct runner *r, const struct act_call *call) {
    struct world *w = (struct world *)r;
    struct act *act = mem_alloc(sizeof *act);
    *act = (struct act){.world = w, .call = *call};
    map_put(w->acts, call->path, act);
    loop_timer(r->loop, act_ms, act_due, act);
}

static void world_waited(struct runner *r, const struct step *st, const struct val *effect) {
    (void)st;
    struct arena *a = arena_new();
    (void)effects((struct world *)r, effect, err_new(a)); /* what cannot be set is seen: the wait then runs out */
    arena_free(a);
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
    .probe = world_probe, .act = world_act, .waited = world_waited, .cancel = world_cancel, .close = world_close};

struct runner *runner_world(struct arena *a, struct loop *loop, struct box *box, const struct val *state) {
    struct world *w = arena_new_of(a, struct world);
    *w = (struct world){.runner = {.ops = &ops, .loop = loop}, .arena = a, .model = model_new(box), .acts = map_new(a)};
    for (size_t i = 0; i < val_len(state); i++)
        model_set(w->model, state->map.pairs[i].key, state->map.pairs[i].val);
    return &w->runner;
}
