#include "plan/machine.h"

#include <string.h>

/* ---- the end of an attempt ---- */

static void item_end(struct machine *m, struct xitem *it, enum x_end end) {
    const struct step *st = item_step(it);
    const bool act = st->kind == STEP_ACTION || st->kind == STEP_COMMAND || st->kind == STEP_PROBE;
    if (end == X_FAILED && act && it->attempt + 1 < st->retry.attempts) {
        it->attempt++;
        it->status = XITEM_READY;
        it->begun = NULL;
        return;
    }
    if ((end == X_FAILED || end == X_REFUSED) && st->nrescue && !it->rescuing) {
        it->rescuing = true;
        it->status = XITEM_INSIDE;
        it->inside = control_list(m->scratch, it, st->rescue, st->nrescue, false);
        return;
    }
    item_over(m, it, end);
}

/* `verify`, then the outputs that the runbook names itself. */
static void item_verify(struct machine *m, struct xitem *it) {
    const struct step *st = item_step(it);
    if (st->verify) {
        bool yes = false;
        const enum call_result r = machine_test(m, st->verify, it, NULL, &yes);
        if (r == CALL_UNKNOWN)
            yes = m->calm || machine_choose(m, 2) == 0;
        if (!yes) {
            machine_note(m, it->path, "ends, and its 'verify' does not hold", "failed", machine_end(it, X_FAILED));
            item_end(m, it, X_FAILED);
            return;
        }
    }
    if (st->noutputs && machine_reads(m, st)) {
        struct val *out = val_map_new(m->scratch);
        for (size_t i = 0; i < val_len(it->outputs); i++)
            val_map_set(m->scratch, out, it->outputs->map.pairs[i].key, it->outputs->map.pairs[i].val);
        for (size_t i = 0; i < st->noutputs; i++) {
            const struct val *v = NULL;
            if (machine_value(m, st->outputs[i].value, true, it, NULL, &v) == CALL_OK)
                val_map_set(m->scratch, out, st->outputs[i].name, v);
        }
        it->outputs = cluster_val(m->set, out);
    }
    item_end(m, it, X_OK);
}

void item_inside_over(struct machine *m, struct xitem *it) {
    const struct step *st = item_step(it);
    const struct xlist *l = it->inside;
    if (it->rescuing) {
        item_over(m, it, l->unknown ? X_UNKNOWN : l->bad ? X_FAILED : X_OK);
        return;
    }
    enum x_end end = l->unknown ? X_UNKNOWN : l->refused ? X_REFUSED : l->bad ? X_FAILED : X_OK;
    if (l->first_of)
        end = l->any_ok ? X_OK : l->unknown ? X_UNKNOWN : X_FAILED;
    if (end == X_OK && st->kind == STEP_RUNBOOK) {
        struct scope sc = machine_scope(m, it, l);
        struct plan_check *post;
        size_t n;
        if (!plan_checks(m->scratch, m->spec->ld, st->sub, true, &sc, KNOWN_PREDICTED, &post, &n, m->err))
            end = X_FAILED;
        for (size_t i = 0; i < n && end == X_OK; i++)
            if (!post[i].held) {
                machine_note(m, it->path, "ends, and a postcondition of its runbook does not hold", "failed", machine_end(it, X_FAILED));
                end = X_FAILED;
            }
    }
    if (end == X_OK)
        item_verify(m, it);
    else
        item_end(m, it, end);
    if (it->inside == l && !it->rescuing)
        it->inside = NULL;
}

/* ---- its beginning ---- */

static void inside(struct machine *m, struct xitem *it, struct step *const *steps, size_t n, bool first_of) {
    it->status = XITEM_INSIDE;
    it->inside = control_list(m->scratch, it, steps, n, first_of);
    if (!n)
        item_inside_over(m, it);
}

enum bound_how { BOUND_OK, BOUND_LATER, BOUND_REFUSED, BOUND_FAILED };

struct bound {
    enum bound_how how;
    const struct val *inputs;
};

static enum bound_how bind_sub(struct machine *m, const struct step *st, const struct val *with, const struct val **ret_inputs) {
    const struct explore_spec *s = m->spec;
    const struct bind_spec spec = {.ld = s->ld, .rb = st->sub, .given = with, .state = m->at->model, .site = s->site, .run = s->run};
    struct bind *b = bind_new(m->arena, &spec);
    struct err *quiet = err_new(m->scratch);
    const struct bind_want *wants;
    size_t n;
    const enum bind_status status = bind_step(b, &wants, &n, quiet);
    if (status != BIND_DONE)
        return status == BIND_WANTS ? BOUND_LATER : BOUND_FAILED;
    *ret_inputs = cluster_val(m->set, bind_inputs(b));
    struct scope sc = {.lib = s->ld->lib, .state = m->at->model, .inputs = *ret_inputs, .site = s->site, .run = s->run};
    struct plan_check *pre;
    if (!plan_checks(m->scratch, s->ld, st->sub, false, &sc, KNOWN_PREDICTED, &pre, &n, quiet))
        return BOUND_FAILED;
    for (size_t i = 0; i < n; i++)
        if (!pre[i].held)
            return i < st->sub->nrequires ? BOUND_LATER : BOUND_REFUSED;
    return BOUND_OK;
}

static void begin_runbook(struct machine *m, struct xitem *it) {
    const struct step *st = item_step(it);
    const struct val *with = NULL;
    if (st->with && machine_value(m, st->with, true, it, NULL, &with) != CALL_OK) {
        item_end(m, it, X_FAILED);
        return;
    }
    struct key k = key_of("bound");
    key_add_ptr(&k, st);
    key_add_ptr(&k, with);
    key_add_ptr(&k, m->at);
    struct bound *b = table_get(m->memo, k);
    if (!b) {
        b = arena_new_of(m->arena, struct bound);
        b->how = with && plan_has_unknown(with) ? BOUND_LATER : bind_sub(m, st, with, &b->inputs);
        *table_slot(m->memo, k) = b;
    }
    switch (b->how) {
    case BOUND_OK:
        it->inputs = b->inputs;
        inside(m, it, st->sub->root->children, st->sub->root->nchildren, false);
        break;
    case BOUND_LATER: {
        map_put(m->left_out, it->path, m);
        const bool ok = m->calm || machine_choose(m, 2) == 0;
        if (!ok)
            machine_note(m, it->path, "fails", "failed", machine_end(it, X_FAILED));
        item_end(m, it, ok ? X_OK : X_FAILED);
        break;
    }
    case BOUND_REFUSED:
        machine_note(m, it->path, "is refused by a precondition of its runbook", "refused", X_REFUSED);
        item_end(m, it, X_REFUSED);
        break;
    case BOUND_FAILED:
        machine_note(m, it->path, "fails: its inputs cannot be worked out", "failed", machine_end(it, X_FAILED));
        item_end(m, it, X_FAILED);
        break;
    }
}

static void begin_wait(struct machine *m, struct xitem *it) {
    bool yes = false;
    if (machine_test(m, item_step(it)->wait, it, NULL, &yes) == CALL_OK && yes)
        item_verify(m, it);
    else
        it->status = XITEM_WAITING;
}

/* Who must be attested is, from here on: the run would not go on otherwise. */
static void attest(struct machine *m, const struct xitem *it) {
    const struct step *st = item_step(it);
    const struct val *missing = NULL;
    struct err *quiet = err_new(m->scratch);
    if (st->kind == STEP_ACTION && plan_attests(m->scratch, st, m->at->model, it->with, NULL, &missing, quiet) && val_len(missing))
        m->at = cluster_attested(m->set, m->at, missing);
}

static void begin_act(struct machine *m, struct xitem *it) {
    const struct step *st = item_step(it);
    if (!it->attempt) {
        const struct tmpl *t = st->kind == STEP_COMMAND ? st->argv : st->with;
        const struct val *with = NULL;
        if (t && machine_value(m, t, true, it, NULL, &with) != CALL_OK) {
            machine_note(m, it->path, "fails: what it needs cannot be worked out", "failed", machine_end(it, X_FAILED));
            item_end(m, it, X_FAILED);
            return;
        }
        it->with = cluster_val(m->set, st->def ? step_with(m->scratch, st, with) : with);
    }
    attest(m, it);
    it->status = XITEM_ACTING;
    it->begun = m->at;
}

void item_begin(struct machine *m, struct xitem *it) {
    const struct step *st = item_step(it);
    if (st->unless && !it->attempt) {
        bool already = false;
        const enum call_result r = machine_test(m, st->unless, it, NULL, &already);
        if (r == CALL_UNKNOWN)
            already = machine_choose(m, 2) == 1;
        if (r == CALL_UNOBSERVED) {
            machine_note(m, it->path, "fails: its 'unless' reads what could not be observed", "failed", machine_end(it, X_FAILED));
            item_end(m, it, X_FAILED);
            return;
        }
        if (already) {
            item_end(m, it, X_SKIPPED);
            return;
        }
    }
    switch (st->kind) {
    case STEP_GROUP:
    case STEP_FIRST_OF:
        inside(m, it, st->children, st->nchildren, st->kind == STEP_FIRST_OF);
        break;
    case STEP_RUNBOOK:
        begin_runbook(m, it);
        break;
    case STEP_WAIT:
        begin_wait(m, it);
        break;
    case STEP_ACTION:
    case STEP_PROBE:
    case STEP_COMMAND:
        begin_act(m, it);
        break;
    }
}

/* ---- its end ---- */

static void finish_wait(struct machine *m, struct xitem *it) {
    const struct step *st = item_step(it);
    bool yes = false;
    const enum call_result r = machine_test(m, st->wait, it, NULL, &yes);
    if (r == CALL_OK && yes) {
        machine_note(m, it->path, NULL, NULL, X_OK);
        item_verify(m, it);
        return;
    }
    const bool can_end_well = st->neffects || r == CALL_UNKNOWN, ends_well = can_end_well && (m->calm || machine_choose(m, 2) == 0);
    if (ends_well) {
        m->at = machine_effects(m, it, m->at);
        machine_note(m, it->path, NULL, NULL, X_OK);
        item_verify(m, it);
    } else {
        machine_note(m, it->path, "waits in vain", "timeout", machine_end(it, X_FAILED));
        item_end(m, it, X_FAILED);
    }
}

void item_finish(struct machine *m, struct xitem *it) {
    if (it->status == XITEM_WAITING) {
        finish_wait(m, it);
        return;
    }
    const struct act_ends *ends = machine_act_ends(m, it);
    if (!ends->n)
        return; /* an error was told */
    const struct act_end *e = &ends->ends[machine_choose(m, (unsigned)ends->n)];
    m->at = e->to;
    it->outputs = e->outputs;
    machine_note(m, it->path, e->how, strcmp(e->outcome, "ok") ? e->outcome : NULL, machine_end(it, e->end));
    if (e->end == X_OK)
        item_verify(m, it);
    else
        item_end(m, it, e->end);
}
