#include "plan/walk_priv.h"

#include <string.h>

/* ---- what a step does to the predicted state ---- */

/* *ret_why: why the predicted state is not known from here, or untouched. */
static bool apply_effects(struct walk *w, struct frame *f, const struct step *st, const char **ret_why, struct err *err) {
    for (size_t i = 0; i < st->neffects; i++) {
        const struct step_effect *e = &st->effects[i];
        struct scope sc = frame_scope(w, f);
        struct call_signal sig = {0};
        const struct val *v = NULL;
        const enum call_result r = tmpl_eval(w->ld->box, e->value, &sc, true, w->arena, &v, &sig, err);
        if (r == CALL_ERROR)
            return false;
        const char *part = arena_strndup(w->arena, e->path, strcspn(e->path, "."));
        if (r != CALL_OK) { /* what becomes of the part is known to the run alone */
            *ret_why = arena_printf(w->arena, "what it does to state.%s cannot be predicted: %s", part, sig.text ? sig.text : "?");
            part_taint(w, part, KNOWN_UNKNOWN);
            continue;
        }
        if (!model_set_path(w->state, e->path, v, e->mark, err))
            return false;
        part_taint(w, part, KNOWN_ASSUMED);
    }
    return true;
}

/* Folds an action's effect; *ret_outputs has every declared output, unknown ones as such. *ret_impossible: its effect says that it cannot
 * end well on such a state, which is as it was. *ret_why: why its effect cannot be told, or untouched. */
static bool apply_action(struct walk *w, const struct step *st, const char *path, const struct val *with, const struct val **ret_outputs,
                         bool *ret_impossible, const char **ret_why, struct err *err) {
    const struct val *predicted = NULL;
    const char *ends = NULL;
    bool modelled = st->def->fn[FN_EFFECT] != 0;
    *ret_impossible = false;
    if (modelled) {
        struct model *m = model_clone(w->state); /* others point to w->state, so it is changed in place once that is sure */
        struct err *errs = err_new(w->arena);
        const bool ok = model_apply(m, st->def, NULL, with, w->arena, &predicted, &ends, errs);
        *ret_impossible = ok && ends && !strcmp(ends, "impossible");
        model_free(m);
        if (*ret_impossible)
            return true;
        if (!ok && !strcmp(errs->first->code, "unpredictable")) {
            modelled = false;
            predicted = NULL;
            *ret_why = arena_printf(w->arena, "what it does cannot be predicted: %s", errs->first->message);
        } else if (!model_apply(w->state, st->def, NULL, with, w->arena, &predicted, NULL, err)) {
            return false;
        }
    }
    const struct val *changes = val_get(st->def->decl, "changes");
    for (size_t i = 0; i < val_len(changes); i++)
        part_taint(w, val_cstr(val_at(changes, i)), modelled ? KNOWN_PREDICTED : KNOWN_UNKNOWN);
    const struct val *declared = val_get(st->def->decl, "outputs");
    struct val *outputs = val_map_new(w->arena);
    for (size_t i = 0; i < val_len(declared); i++) {
        const char *name = declared->map.pairs[i].key;
        const struct val *v = val_get(predicted, name);
        val_map_set(w->arena, outputs, name, v ? v : val_unknown(w->arena, arena_printf(w->arena, "%s.outputs.%s", path, name)));
    }
    *ret_outputs = outputs;
    return true;
}

/* The outputs that a runbook names itself, read after the step. */
static const struct val *own_outputs(struct walk *w, struct frame *f, const struct step *st, const struct val *base, struct err *err) {
    if (!st->noutputs)
        return base;
    struct val *out = val_map_new(w->arena);
    for (size_t i = 0; i < val_len(base); i++)
        val_map_set(w->arena, out, base->map.pairs[i].key, base->map.pairs[i].val);
    for (size_t i = 0; i < st->noutputs; i++) {
        struct scope sc = frame_scope(w, f);
        struct call_signal sig = {0};
        const struct val *v = NULL;
        if (tmpl_eval(w->ld->box, st->outputs[i].value, &sc, true, w->arena, &v, &sig, err) == CALL_ERROR)
            return NULL;
        val_map_set(w->arena, out, st->outputs[i].name, v ? v : val_null());
    }
    return out;
}

/* ---- the kinds of steps; each fills the line and says how it ends ---- */


static struct result ended(struct walk *w, const struct item *it, const char *how, const struct val *outputs, const struct val *with,
                           enum known known) {
    return (struct result){.val = result_val(w, how, outputs, with),
                           .known = known,
                           .failed = !strcmp(how, "failed") && !it->st->continue_on_failure};
}

static struct result walk_wait(struct walk *w, const struct item *it, struct err *err) {
    const struct step *st = it->st;
    struct scope sc = frame_scope(w, it->f);
    struct call_signal sig = {0};
    bool holds = false;
    enum known known = known_worst(it->known, known_expr(w, it->f, st->wait));
    enum call_result r = expr_test(w->ld->box, st->wait, &sc, w->arena, &holds, &sig, err);
    struct plan_line *l = line_add(w, it->f, st, it->path, WILL_WAIT, known);
    l->title = step_title(w->arena, w->ld, st, &sc, NULL);
    if (r == CALL_ERROR)
        return (struct result){.failed = true};
    if (r == CALL_OK && holds) {
        l->why = "holds already at this point";
        return ended(w, it, "ok", NULL, NULL, known);
    }
    if (st->neffects) {
        l->known = it->f->maybe ? KNOWN_UNKNOWN : KNOWN_ASSUMED;
        l->why = "assumed to end well";
        if (!apply_effects(w, it->f, st, &l->why, err))
            return (struct result){.failed = true};
        return ended(w, it, "ok", NULL, NULL, KNOWN_ASSUMED);
    }
    if (!it->f->maybe) {
        l->will = WILL_TIME_OUT;
        l->known = KNOWN_ASSUMED;
    }
    l->why = "assumed to run out: nothing in this plan makes it true";
    return ended(w, it, "failed", NULL, NULL, KNOWN_ASSUMED);
}

static struct result walk_group(struct walk *w, const struct item *it, struct err *err) {
    struct scope sc = frame_scope(w, it->f);
    struct plan_line *l = line_add(w, it->f, it->st, it->path, WILL_RUN, it->known);
    l->title = step_title(w->arena, w->ld, it->st, &sc, NULL);
    struct frame in = *it->f;
    in.parent = it->f;
    in.results = map_new(w->arena);
    in.path = it->path;
    in.depth++;
    bool failed;
    const size_t errors = err->nerrors;
    if (it->st->kind == STEP_FIRST_OF)
        walk_alternatives(w, &in, it->st->children, it->st->nchildren, &failed, err);
    else
        (void)walk_list(w, &in, it->st->children, it->st->nchildren, &failed, err);
    if (err->nerrors > errors)
        return (struct result){.failed = true};
    const struct val *outputs = own_outputs(w, &in, it->st, val_map_new(w->arena), err);
    return ended(w, it, failed ? "failed" : "ok", outputs, NULL, it->known);
}

/* What must be left for the moment when the step is reached. */
static struct result on_arrival(struct walk *w, const struct item *it, const struct val *with, const char *why) {
    struct scope sc = frame_scope(w, it->f);
    struct plan_line *l = line_add(w, it->f, it->st, it->path, WILL_MAYBE, KNOWN_UNKNOWN);
    l->title = step_title(w->arena, w->ld, it->st, &sc, with);
    l->why = arena_printf(w->arena, "planned on arrival: %s", why);
    l->with = with;
    l->arrival = true;
    for (size_t i = 0; i < it->st->sub->nparts; i++)
        part_taint(w, it->st->sub->parts[i].name, KNOWN_UNKNOWN);
    return (struct result){.val = result_unknown(w, it->path), .known = KNOWN_UNKNOWN};
}

static struct result walk_sub(struct walk *w, const struct item *it, const struct val *with, struct err *err) {
    const struct runbook *sub = it->st->sub;
    if (plan_has_unknown(with))
        return on_arrival(w, it, with, "its inputs are known only then");
    struct bind_spec spec = {.ld = w->ld, .rb = sub, .given = with, .state = w->state, .site = w->site, .run = w->run};
    struct bind *b = bind_new(w->arena, &spec);
    const struct bind_want *wants;
    size_t n;
    enum bind_status s = bind_step(b, &wants, &n, err);
    if (s == BIND_FAILED)
        return (struct result){.failed = true};
    if (s == BIND_WANTS)
        return on_arrival(w, it, with, n ? arena_printf(w->arena, "state.%s is observed only then", wants[0].part->name) : "its state is observed only then");
    struct frame in = {.results = map_new(w->arena), .inputs = bind_inputs(b), .bind = b, .path = it->path, .depth = it->f->depth + 1,
                       .maybe = it->f->maybe};
    struct scope sc = frame_scope(w, &in);
    struct plan_check *pre;
    size_t npre;
    if (!plan_checks(w->arena, w->ld, sub, false, &sc, KNOWN_PREDICTED, &pre, &npre, err))
        return (struct result){.failed = true};
    for (size_t i = 0; i < npre; i++)
        if (!pre[i].held)
            return on_arrival(w, it, with, arena_printf(w->arena, "on the state predicted here it would be refused: %s", pre[i].message));
    struct scope outer = frame_scope(w, it->f);
    struct plan_line *l = line_add(w, it->f, it->st, it->path, WILL_RUN, it->known);
    l->title = step_title(w->arena, w->ld, it->st, &outer, with);
    l->with = with;
    bool failed;
    if (!walk_list(w, &in, sub->root->children, sub->root->nchildren, &failed, err))
        return (struct result){.failed = true};
    const struct val *outputs = own_outputs(w, it->f, it->st, val_map_new(w->arena), err);
    return ended(w, it, failed ? "failed" : "ok", outputs, with, it->known);
}

static struct result walk_act(struct walk *w, const struct item *it, const struct val *with, struct err *err) {
    const struct step *st = it->st;
    struct scope sc = frame_scope(w, it->f);
    enum known known = known_worst(it->known, known_tmpl(w, it->f, st->with));
    struct plan_line *l = line_add(w, it->f, st, it->path, WILL_RUN, known);
    size_t at = w->nlines - 1;
    l->title = step_title(w->arena, w->ld, st, &sc, with);
    l->with = with;
    if (st->approve) {
        struct call_signal sig = {0};
        const struct val *v = NULL;
        if (tmpl_eval(w->ld->box, st->approve, &sc, true, w->arena, &v, &sig, err) == CALL_ERROR)
            return (struct result){.failed = true};
        struct buf b = BUF_INIT;
        val_show(v, &b, 0);
        l->approve = arena_strdup(w->arena, b.data);
        buf_done(&b);
    }
    const struct val *outputs = val_map_new(w->arena);
    if (st->kind == STEP_ACTION) {
        l->destroys = val_get_str(st->def->decl, "destroys", NULL);
        const struct val *missing = NULL;
        if (!plan_attests(w->arena, st, w->state, with, val_get(w->run, "attested"), &missing, err))
            return (struct result){.failed = true};
        l->attests = missing;
        for (size_t i = 0; i < val_len(missing); i++)
            val_map_set(w->arena, w->attests, missing->map.pairs[i].key, missing->map.pairs[i].val);
        bool impossible;
        if (!apply_action(w, st, it->path, with, &outputs, &impossible, &w->lines[at].why, err))
            return (struct result){.failed = true};
        if (impossible) {
            w->lines[at].why = "predicted to fail: it cannot be done on a cluster like this";
            return ended(w, it, "failed", NULL, with, known_worst(known, KNOWN_PREDICTED));
        }
    } else {
        struct val *out = val_map_new(w->arena);
        static const char *const streams[] = {"stdout", "stderr", "status", "value"};
        for (size_t i = 0; i < 4; i++)
            val_map_set(w->arena, out, streams[i], val_unknown(w->arena, arena_printf(w->arena, "%s.outputs.%s", it->path, streams[i])));
        outputs = out;
        if (known < KNOWN_ASSUMED) { /* that a program ends well, or a probe answers, is an assumption */
            known = KNOWN_ASSUMED;
            if (st->kind == STEP_COMMAND)
                w->lines[at].known = KNOWN_ASSUMED;
            if (st->kind == STEP_COMMAND && !st->neffects)
                w->lines[at].why = "assumed to change nothing that is probed: it declares no effect";
        }
    }
    if (!apply_effects(w, it->f, st, &w->lines[at].why, err))
        return (struct result){.failed = true};
    struct result *self = arena_new_of(w->arena, struct result); /* outputs may read the step's own */
    *self = ended(w, it, "ok", outputs, with, known);
    map_put(it->f->results, st->id, self);
    outputs = own_outputs(w, it->f, st, outputs, err);
    return ended(w, it, "ok", outputs, with, known);
}

static struct result walk_once(struct walk *w, const struct item *it, struct err *err) {
    const struct step *st = it->st;
    struct scope sc = frame_scope(w, it->f);
    struct call_signal sig = {0};
    if (st->unless) {
        bool already = false;
        enum call_result r = expr_test(w->ld->box, st->unless, &sc, w->arena, &already, &sig, err);
        if (r == CALL_ERROR)
            return (struct result){.failed = true};
        if (r == CALL_OK && already) {
            struct plan_line *l = line_add(w, it->f, st, it->path, WILL_ALREADY, known_worst(it->known, known_expr(w, it->f, st->unless)));
            l->title = step_title(w->arena, w->ld, st, &sc, NULL);
            l->why = arena_printf(w->arena, "already so: %s", st->unless->text);
            return ended(w, it, "skipped", NULL, NULL, l->known);
        }
    }
    if (st->kind == STEP_WAIT)
        return walk_wait(w, it, err);
    if (st->kind == STEP_GROUP || st->kind == STEP_FIRST_OF)
        return walk_group(w, it, err);
    const struct val *with = NULL;
    const struct tmpl *t = st->kind == STEP_COMMAND ? st->argv : st->with;
    if (t && tmpl_eval(w->ld->box, t, &sc, true, w->arena, &with, &sig, err) != CALL_OK) {
        if (sig.text)
            err_add(err, st->mark, "unobserved", "the step '%s' needs a fact that could not be observed: %s", it->path, sig.text);
        return (struct result){.failed = true};
    }
    if (st->def)
        with = step_with(w->arena, st, with);
    return st->kind == STEP_RUNBOOK ? walk_sub(w, it, with, err) : walk_act(w, it, with, err);
}

struct result walk_item(struct walk *w, const struct item *it, struct err *err) {
    const struct result r = walk_once(w, it, err);
    if (!it->st->nrescue || !r.val || val_get_bool(r.val, "skipped", false))
        return r;
    if (!walk_rescue(w, it->f, it->st, it->path, &r, err))
        return r;
    const struct val *outputs = val_get(r.val, "outputs"), *with = val_get(r.val, "with");
    return (struct result){.val = result_val(w, "ok", outputs, with), .known = known_worst(r.known, KNOWN_ASSUMED)};
}
