#include "plan/machine.h"

#include <string.h>

/* How an act can end: as it should; failed with nothing changed; as its action declares; and without an answer, whether it was done or not, and
 * then as its `done` tells. */

struct collect {
    struct machine *m;
    struct xitem *it;
    struct act_end *ends;
    size_t n, cap;
};

static void add(struct collect *c, struct act_end e) {
    const bool reads = machine_reads(c->m, item_step(c->it)) || item_step(c->it)->noutputs || item_step(c->it)->verify;
    if (!reads || e.end != X_OK)
        e.outputs = NULL;
    for (size_t i = 0; i < c->n; i++)
        if (c->ends[i].to == e.to && c->ends[i].end == e.end && c->ends[i].outputs == e.outputs)
            return; /* nothing could tell the two apart */
    if (c->n == c->cap) {
        struct act_end *more = arena_array(c->m->arena, struct act_end, c->cap * 2 + 4);
        if (c->n)
            memcpy(more, c->ends, c->n * sizeof *more);
        c->ends = more;
        c->cap = c->cap * 2 + 4;
    }
    c->ends[c->n++] = e;
}

static const struct val *outputs_of(struct machine *m, const struct xitem *it, const struct val *predicted) {
    const struct def *d = item_step(it)->def;
    const struct val *declared = val_get(d->decl, "outputs");
    struct val *out = val_map_new(m->scratch);
    for (size_t i = 0; i < val_len(declared); i++) {
        const char *name = declared->map.pairs[i].key;
        const struct val *v = val_get(predicted, name);
        val_map_set(m->scratch, out, name, v ? v : val_unknown(m->scratch, arena_printf(m->scratch, "%s.outputs.%s", it->path, name)));
    }
    return cluster_val(m->set, out);
}

/* What `done` says on a cluster of an act of which nobody knows how it ended. */
static enum x_end ask_done(struct machine *m, const struct xitem *it, const struct cluster *c, const struct val **ret_outputs) {
    const struct def *d = item_step(it)->def;
    *ret_outputs = NULL;
    if (!d || !d->fn[FN_DONE])
        return X_UNKNOWN;
    const struct val *with = it->with ? it->with : val_map_new(m->scratch), *before = NULL, *answer = NULL;
    struct call_signal sig = {0};
    if (d->fn[FN_BEFORE] &&
        model_call(it->begun->model, d, FN_BEFORE, &with, 1, m->scratch, &before, NULL, &sig, m->err) != CALL_OK)
        return X_UNKNOWN;
    const struct val *args[] = {with, before ? before : val_null()};
    const enum call_result r = model_call(c->model, d, FN_DONE, args, 2, m->scratch, &answer, NULL, &sig, m->err);
    if (r == CALL_OK && (val_is(answer, VAL_MAP) || (val_is(answer, VAL_BOOL) && answer->boolean))) {
        *ret_outputs = val_is(answer, VAL_MAP) ? outputs_of(m, it, answer) : NULL;
        return X_OK;
    }
    return r != CALL_OK || val_is(answer, VAL_STRING) ? X_UNKNOWN : X_FAILED;
}

static const char *how_of(struct machine *m, const struct def *d, const char *outcome) {
    const char *text = val_get_str(val_get(d->decl, "outcome_texts"), outcome, NULL);
    return text ? text : arena_printf(m->arena, "ends as '%s'", outcome);
}

/* One outcome of an action on the cluster as it is; NULL: it cannot happen here, or raised an error. What only the run can tell leaves the cluster as
 * it is, and the step is left out of the verdict. */
static const struct cluster *apply(struct machine *m, const struct xitem *it, const char *outcome, const struct val **ret_outputs, enum x_end *ret_end) {
    const struct def *d = item_step(it)->def;
    struct model *model = model_branch(m->at->model);
    const char *ends = NULL;
    *ret_outputs = NULL;
    struct err *errs = err_new(m->scratch);
    const bool ok = model_apply(model, d, outcome, it->with, m->scratch, ret_outputs, &ends, errs);
    if (!ok && !strcmp(errs->first->code, "unpredictable")) {
        model_free(model);
        map_put(m->left_out, it->path, m);
        *ret_end = X_OK;
        return outcome ? NULL : m->at;
    }
    if (!ok)
        (void)model_apply(model, d, outcome, it->with, m->scratch, ret_outputs, &ends, m->err); /* to be told */
    if (!ok || (ends && !strcmp(ends, "impossible"))) {
        model_free(model);
        return NULL;
    }
    *ret_end = !outcome || (ends && !strcmp(ends, "ok")) ? X_OK : ends && !strcmp(ends, "unknown") ? X_UNKNOWN : X_FAILED;
    return cluster_intern(m->set, model);
}

static void action_ends(struct collect *c) {
    struct machine *m = c->m;
    struct xitem *it = c->it;
    const struct def *d = item_step(it)->def;
    const struct val *outputs, *told;
    enum x_end end = X_OK;
    const size_t faults = m->err->nerrors;
    const struct cluster *done = d->fn[FN_EFFECT] ? apply(m, it, NULL, &outputs, &end) : m->at;
    if (!done && m->err->nerrors > faults)
        return;
    if (!d->fn[FN_EFFECT])
        outputs = NULL;
    if (done) { /* otherwise its effect says that it cannot end well on a cluster like this */
        if (item_step(it)->neffects)
            done = machine_effects(m, it, done);
        add(c, (struct act_end){.outcome = "ok", .to = done, .end = X_OK, .outputs = outputs_of(m, it, outputs)});
        if (m->calm)
            return;
    }
    add(c, (struct act_end){.outcome = "failed", .how = "fails", .to = m->at, .end = X_FAILED});
    if (m->calm)
        return;
    for (size_t i = 0; i < d->noutcomes; i++) {
        const struct cluster *to = apply(m, it, d->outcomes[i].name, &outputs, &end);
        if (!to)
            continue;
        const struct val *out = end == X_OK ? outputs_of(m, it, outputs) : NULL;
        if (end == X_UNKNOWN)
            end = ask_done(m, it, to, &out);
        add(c, (struct act_end){.outcome = d->outcomes[i].name, .how = how_of(m, d, d->outcomes[i].name), .to = to, .end = end, .outputs = out});
    }
    if (done) {
        end = ask_done(m, it, done, &told);
        add(c, (struct act_end){.outcome = "lost", .how = "gives no answer, though it was done", .to = done, .end = end, .outputs = told});
    }
    end = ask_done(m, it, m->at, &told);
    add(c, (struct act_end){.outcome = "lost-before", .how = "gives no answer, and was not done", .to = m->at, .end = end, .outputs = told});
}

static void command_ends(struct collect *c) {
    struct machine *m = c->m;
    static const char *const streams[] = {"stdout", "stderr", "status", "value"};
    struct val *out = val_map_new(m->scratch);
    for (size_t i = 0; i < sizeof streams / sizeof *streams; i++)
        val_map_set(m->scratch, out, streams[i], val_unknown(m->scratch, arena_printf(m->scratch, "%s.outputs.%s", c->it->path, streams[i])));
    const bool probe = item_step(c->it)->kind == STEP_PROBE;
    const struct cluster *done = probe ? m->at : machine_effects(m, c->it, m->at);
    add(c, (struct act_end){.outcome = "ok", .to = done, .end = X_OK, .outputs = cluster_val(m->set, out)});
    if (m->calm)
        return;
    add(c, (struct act_end){.outcome = "failed", .how = "fails", .to = m->at, .end = X_FAILED});
    if (probe)
        return;
    add(c, (struct act_end){.outcome = "failed", .how = "fails, though it was done", .to = done, .end = X_FAILED});
    add(c, (struct act_end){.outcome = "lost", .how = "gives no answer, though it was done", .to = done, .end = X_UNKNOWN});
    add(c, (struct act_end){.outcome = "lost-before", .how = "gives no answer, and was not done", .to = m->at, .end = X_UNKNOWN});
}

const struct act_ends *machine_act_ends(struct machine *m, struct xitem *it) {
    const struct step *st = item_step(it);
    struct key k = key_of("ends");
    key_add_ptr(&k, st);
    key_add_ptr(&k, it->path);
    key_add_ptr(&k, it->with);
    key_add_ptr(&k, m->at);
    key_add_ptr(&k, it->begun);
    key_add(&k, m->calm);
    struct act_ends *found = st->neffects ? NULL : table_get(m->memo, k);
    if (found)
        return found;
    struct collect c = {.m = m, .it = it};
    if (st->kind == STEP_ACTION)
        action_ends(&c);
    else
        command_ends(&c);
    found = arena_new_of(m->arena, struct act_ends);
    *found = (struct act_ends){.ends = c.ends, .n = c.n};
    if (!st->neffects)
        *table_slot(m->memo, k) = found;
    return found;
}

const struct cluster *machine_effects(struct machine *m, const struct xitem *it, const struct cluster *c) {
    const struct step *st = item_step(it);
    if (!st->neffects)
        return c;
    struct key k = key_of("effects");
    key_add_ptr(&k, st);
    key_add_ptr(&k, c);
    for (size_t i = 0; i < st->neffects; i++)
        key_add_key(&k, machine_value_key(m, st->effects[i].value, it));
    const struct cluster *found = table_get(m->memo, k);
    if (found)
        return found;
    const struct val **values = arena_array(m->scratch, const struct val *, st->neffects);
    for (size_t i = 0; i < st->neffects; i++)
        if (machine_value_once(m, st->effects[i].value, it, &values[i]) != CALL_OK)
            values[i] = NULL; /* what cannot be told changes nothing here; the plan's line says so */
    struct model *model;
    if (st->neffects == 1 && values[0] && !strchr(st->effects[0].path, '.') && model_has(c->model, st->effects[0].path)) {
        model = model_with(c->model, st->effects[0].path, values[0]);
    } else {
        model = model_clone(c->model);
        for (size_t i = 0; i < st->neffects; i++)
            if (values[i])
                (void)model_set_path(model, st->effects[i].path, values[i], st->effects[i].mark, m->err);
    }
    found = cluster_intern(m->set, model);
    *table_slot(m->memo, k) = (void *)(uintptr_t)found;
    return found;
}
