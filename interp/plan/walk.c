#include "plan/walk.h"

#include "base/clock.h"

#include <assert.h>
#include <string.h>

/* What later steps may read of a step, as its predicted end. */
struct result {
    const struct val *val; /* {ok, failed, skipped, outputs, with[, items]} */
    enum known known;
    bool failed;           /* stops those that need it */
};

/* The names that an expression sees: those of the item it is in, then outwards to the root of its runbook. */
struct frame {
    struct frame *parent; /* NULL at the root of a runbook */
    struct map *results;  /* step id → struct result */
    const struct val *item;
    int64_t index;
    enum known item_known;
    const struct val *inputs;
    const struct bind *bind;
    const char *path;
    unsigned depth;
    bool maybe; /* what is below may not run at all */
};

struct walk {
    struct arena *arena;
    struct loader *ld;
    struct model *state;
    struct map *parts; /* part name → enum known *, how the predicted part is known; absent: probed */
    const struct val *site, *run;
    struct plan_line *lines;
    size_t nlines, cap;
    struct val *attests;
};

struct walk *walk_new(struct arena *a, struct loader *ld, struct model *state, const struct val *site, const struct val *run) {
    struct walk *w = arena_new_of(a, struct walk);
    *w = (struct walk){.arena = a, .ld = ld, .state = state, .parts = map_new(a), .site = site, .run = run, .attests = val_map_new(a)};
    return w;
}

size_t walk_lines(const struct walk *w, struct plan_line **ret) {
    *ret = w->lines;
    return w->nlines;
}

const struct val *walk_attests(const struct walk *w) {
    return w->attests;
}

/* ---- how things are known ---- */

static enum known part_known(const struct walk *w, const char *part) {
    const enum known *k = map_get(w->parts, part);
    return k ? *k : KNOWN_PROBED;
}

static void part_taint(struct walk *w, const char *part, enum known k) {
    enum known *slot = map_get(w->parts, part);
    if (!slot) {
        slot = arena_new_of(w->arena, enum known);
        *slot = KNOWN_PROBED;
        map_put(w->parts, part, slot);
    }
    if (k > *slot)
        *slot = k;
}

static const struct result *result_of(const struct frame *f, const char *id) {
    for (; f; f = f->parent) {
        const struct result *r = map_get(f->results, id);
        if (r)
            return r;
    }
    return NULL;
}

struct known_see {
    const struct walk *w;
    const struct frame *f;
    enum known known;
};

static void known_see(void *ud, const struct expr *e) {
    struct known_see *s = ud;
    for (size_t i = 0; i < e->nrefs; i++) {
        const struct expr_ref *r = &e->refs[i];
        const char *root = r->names[0], *name = r->n > 1 ? r->names[1] : NULL;
        enum known k = KNOWN_PROVED;
        if (!strcmp(root, "state"))
            k = name ? part_known(s->w, name) : KNOWN_PREDICTED;
        else if (!strcmp(root, "inputs") && name)
            k = s->f->bind && bind_from_state(s->f->bind, name) ? KNOWN_PROBED : KNOWN_PROVED;
        else if (!strcmp(root, "item") || !strcmp(root, "index"))
            k = s->f->item_known;
        else if (!strcmp(root, "steps") && name) {
            const struct result *res = result_of(s->f, name);
            k = res ? res->known : KNOWN_UNKNOWN;
        }
        if (k > s->known)
            s->known = k;
    }
}

static enum known known_expr(const struct walk *w, const struct frame *f, const struct expr *e) {
    struct known_see s = {.w = w, .f = f, .known = KNOWN_PROVED};
    if (e)
        known_see(&s, e);
    return s.known;
}

static enum known known_tmpl(const struct walk *w, const struct frame *f, const struct tmpl *t) {
    struct known_see s = {.w = w, .f = f, .known = KNOWN_PROVED};
    if (t)
        tmpl_each(t, known_see, &s);
    return s.known;
}

static enum known worst(enum known a, enum known b) {
    return a > b ? a : b;
}

enum known walk_known(struct walk *w, const struct check *c, const struct bind *bind) {
    if (c->capability) {
        enum known k = KNOWN_PROVED;
        const struct val *needs = val_get(c->capability->decl, "needs");
        for (size_t i = 0; i < val_len(needs); i++)
            k = worst(k, part_known(w, val_cstr(val_at(needs, i))));
        return k;
    }
    struct frame f = {.bind = bind, .results = map_new(w->arena)};
    return known_expr(w, &f, c->expr);
}

/* ---- scope and lines ---- */

static const struct val *scope_step(void *ud, struct arena *a, const char *id) {
    (void)a;
    const struct result *r = result_of(ud, id);
    return r ? r->val : NULL;
}

static struct scope scope_of(const struct walk *w, struct frame *f) {
    return (struct scope){.lib = w->ld->lib, .state = w->state, .inputs = f->inputs, .site = w->site, .run = w->run,
                          .item = f->item, .index = f->index, .step = scope_step, .ud = f};
}

static struct plan_line *line_add(struct walk *w, const struct frame *f, const struct step *st, const char *path, enum will will,
                                  enum known known) {
    if (w->nlines == w->cap) {
        size_t cap = w->cap ? w->cap * 2 : 32;
        struct plan_line *lines = arena_array(w->arena, struct plan_line, cap);
        if (w->nlines)
            memcpy(lines, w->lines, w->nlines * sizeof *lines);
        w->lines = lines;
        w->cap = cap;
    }
    struct plan_line *l = &w->lines[w->nlines++];
    bool runs = will == WILL_RUN || will == WILL_WAIT || will == WILL_EACH || will == WILL_TIME_OUT;
    *l = (struct plan_line){.path = path, .step = st, .depth = f->depth, .will = will, .known = known};
    if (f->maybe && runs) {
        l->will = WILL_MAYBE;
        l->known = KNOWN_UNKNOWN;
    }
    return l;
}

static const struct val *result_val(struct walk *w, const char *how, const struct val *outputs, const struct val *with) {
    struct val *v = val_map_new(w->arena);
    static const char *const hows[] = {"ok", "failed", "skipped"};
    for (size_t i = 0; i < 3; i++)
        val_map_set(w->arena, v, hows[i], val_bool(w->arena, !strcmp(how, hows[i])));
    val_map_set(w->arena, v, "outputs", outputs ? outputs : val_map_new(w->arena));
    val_map_set(w->arena, v, "with", with ? with : val_map_new(w->arena));
    return v;
}

/* Of a step that only the run will decide on: whoever reads its outcome gets an unknown. */
static const struct val *result_unknown(struct walk *w, const char *path) {
    struct val *v = val_map_new(w->arena);
    static const char *const hows[] = {"ok", "failed", "skipped", "outputs", "with", "items"};
    for (size_t i = 0; i < sizeof hows / sizeof *hows; i++)
        val_map_set(w->arena, v, hows[i], val_unknown(w->arena, arena_printf(w->arena, "%s.%s", path, hows[i])));
    return v;
}

static struct result walk_step(struct walk *w, struct frame *f, const struct step *st, struct err *err);

/* The steps of one list in an order that honours `needs` and otherwise keeps the list's own. Chains can be long: no recursion. */
static const struct step **order_of(struct arena *a, struct step *const *steps, size_t n) {
    const struct step **order = arena_array(a, const struct step *, n + 1);
    struct map *placed = map_new(a);
    struct todo {
        const struct step *st;
        size_t need;
    } *stack = arena_array(a, struct todo, n + 1);
    size_t out = 0;
    for (size_t i = 0; i < n; i++) {
        size_t top = 0;
        if (!map_get(placed, steps[i]->id))
            stack[top++] = (struct todo){.st = steps[i]};
        while (top) {
            struct todo *t = &stack[top - 1];
            const struct step *missing = NULL;
            for (; t->need < t->st->nneeds && !missing; t->need++)
                if (!map_get(placed, t->st->needs[t->need]->id))
                    missing = t->st->needs[t->need];
            if (missing) {
                assert(top <= n); /* cycles were refused at load */
                stack[top++] = (struct todo){.st = missing};
                continue;
            }
            map_put(placed, t->st->id, (void *)(uintptr_t)t->st);
            order[out++] = t->st;
            top--;
        }
    }
    assert(out == n);
    return order;
}

/* Walks a list. *ret_failed: a step that is not allowed to fail is predicted to. */
static bool walk_list(struct walk *w, struct frame *f, struct step *const *steps, size_t n, bool *ret_failed, struct err *err) {
    const struct step **order = order_of(w->arena, steps, n);
    size_t errors = err->nerrors;
    *ret_failed = false;
    for (size_t i = 0; i < n && err->nerrors == errors; i++) {
        struct result *r = arena_new_of(w->arena, struct result);
        *r = walk_step(w, f, order[i], err);
        map_put(f->results, order[i]->id, r);
        *ret_failed |= r->failed;
    }
    return err->nerrors == errors;
}

/* ---- what a step does to the predicted state ---- */

static bool apply_effects(struct walk *w, struct frame *f, const struct step *st, struct err *err) {
    for (size_t i = 0; i < st->neffects; i++) {
        const struct step_effect *e = &st->effects[i];
        struct scope sc = scope_of(w, f);
        struct call_signal sig = {0};
        const struct val *v = NULL;
        if (tmpl_eval(w->ld->box, e->value, &sc, true, w->arena, &v, &sig, err) != CALL_OK)
            return false;
        if (!model_set_path(w->state, e->path, v, e->mark, err))
            return false;
        const char *dot = strchr(e->path, '.');
        part_taint(w, dot ? arena_strndup(w->arena, e->path, (size_t)(dot - e->path)) : e->path, KNOWN_ASSUMED);
    }
    return true;
}

/* Folds an action's effect; *ret_outputs has every declared output, unknown ones as such. */
static bool apply_action(struct walk *w, const struct step *st, const char *path, const struct val *with, const struct val **ret_outputs,
                         struct err *err) {
    const struct val *predicted = NULL;
    if (st->def->fn[FN_EFFECT] && !model_apply(w->state, st->def, NULL, with, w->arena, &predicted, err))
        return false;
    const struct val *changes = val_get(st->def->decl, "changes");
    for (size_t i = 0; i < val_len(changes); i++)
        part_taint(w, val_cstr(val_at(changes, i)), st->def->fn[FN_EFFECT] ? KNOWN_PREDICTED : KNOWN_UNKNOWN);
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
        struct scope sc = scope_of(w, f);
        struct call_signal sig = {0};
        const struct val *v = NULL;
        if (tmpl_eval(w->ld->box, st->outputs[i].value, &sc, true, w->arena, &v, &sig, err) == CALL_ERROR)
            return NULL;
        val_map_set(w->arena, out, st->outputs[i].name, v ? v : val_null());
    }
    return out;
}

/* ---- the kinds of steps; each fills the line and says how it ends ---- */

struct item {
    struct frame *f; /* of the item: its own `item` and results */
    const struct step *st;
    const char *path;
    enum known known; /* of the decision to run it */
};

static struct result ended(struct walk *w, const struct item *it, const char *how, const struct val *outputs, const struct val *with,
                           enum known known) {
    return (struct result){.val = result_val(w, how, outputs, with),
                           .known = known,
                           .failed = !strcmp(how, "failed") && !it->st->continue_on_failure};
}

static struct result walk_wait(struct walk *w, const struct item *it, struct err *err) {
    const struct step *st = it->st;
    struct scope sc = scope_of(w, it->f);
    struct call_signal sig = {0};
    bool holds = false;
    enum known known = worst(it->known, known_expr(w, it->f, st->wait));
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
        bool ok = apply_effects(w, it->f, st, err);
        return ended(w, it, ok ? "ok" : "failed", NULL, NULL, KNOWN_ASSUMED);
    }
    if (!it->f->maybe) {
        l->will = WILL_TIME_OUT;
        l->known = KNOWN_ASSUMED;
    }
    l->why = "assumed to run out: nothing in this plan makes it true";
    return ended(w, it, "failed", NULL, NULL, KNOWN_ASSUMED);
}

static struct result walk_group(struct walk *w, const struct item *it, struct err *err) {
    struct scope sc = scope_of(w, it->f);
    struct plan_line *l = line_add(w, it->f, it->st, it->path, WILL_RUN, it->known);
    l->title = step_title(w->arena, w->ld, it->st, &sc, NULL);
    struct frame in = *it->f;
    in.parent = it->f;
    in.results = map_new(w->arena);
    in.path = it->path;
    in.depth++;
    bool failed;
    if (!walk_list(w, &in, it->st->children, it->st->nchildren, &failed, err))
        return (struct result){.failed = true};
    const struct val *outputs = own_outputs(w, &in, it->st, val_map_new(w->arena), err);
    return ended(w, it, failed ? "failed" : "ok", outputs, NULL, it->known);
}

/* What must be left for the moment when the step is reached. */
static struct result on_arrival(struct walk *w, const struct item *it, const struct val *with, const char *why) {
    struct scope sc = scope_of(w, it->f);
    struct plan_line *l = line_add(w, it->f, it->st, it->path, WILL_MAYBE, KNOWN_UNKNOWN);
    l->title = step_title(w->arena, w->ld, it->st, &sc, with);
    l->why = arena_printf(w->arena, "planned on arrival: %s", why);
    l->with = with;
    for (size_t i = 0; i < it->st->sub->nparts; i++)
        part_taint(w, it->st->sub->parts[i].name, KNOWN_UNKNOWN);
    return (struct result){.val = result_unknown(w, it->path), .known = KNOWN_UNKNOWN};
}

static bool has_unknown(const struct val *v) {
    if (val_unknown_provider(v))
        return true;
    for (size_t i = 0; v && i < val_len(v); i++)
        if (has_unknown(v->kind == VAL_LIST ? v->list.items[i] : v->map.pairs[i].val))
            return true;
    return false;
}

static struct result walk_sub(struct walk *w, const struct item *it, const struct val *with, struct err *err) {
    const struct runbook *sub = it->st->sub;
    if (has_unknown(with))
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
    struct scope sc = scope_of(w, &in);
    struct plan_check *pre;
    size_t npre;
    if (!plan_checks(w->arena, w->ld, sub, false, &sc, KNOWN_PREDICTED, &pre, &npre, err))
        return (struct result){.failed = true};
    for (size_t i = 0; i < npre; i++)
        if (!pre[i].held)
            return on_arrival(w, it, with, arena_printf(w->arena, "on the state predicted here it would be refused: %s", pre[i].message));
    struct scope outer = scope_of(w, it->f);
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
    struct scope sc = scope_of(w, it->f);
    enum known known = worst(it->known, known_tmpl(w, it->f, st->with));
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
        if (!apply_action(w, st, it->path, with, &outputs, err))
            return (struct result){.failed = true};
    } else {
        struct val *out = val_map_new(w->arena);
        static const char *const streams[] = {"stdout", "stderr", "status", "value"};
        for (size_t i = 0; i < 4; i++)
            val_map_set(w->arena, out, streams[i], val_unknown(w->arena, arena_printf(w->arena, "%s.outputs.%s", it->path, streams[i])));
        outputs = out;
        if (st->kind == STEP_COMMAND && w->lines[at].known < KNOWN_ASSUMED) {
            w->lines[at].known = KNOWN_ASSUMED;
            if (!st->neffects)
                w->lines[at].why = "assumed to change nothing that is probed: it declares no effect";
        }
    }
    if (!apply_effects(w, it->f, st, err))
        return (struct result){.failed = true};
    struct result *self = arena_new_of(w->arena, struct result); /* outputs may read the step's own */
    *self = ended(w, it, "ok", outputs, with, known);
    map_put(it->f->results, st->id, self);
    outputs = own_outputs(w, it->f, st, outputs, err);
    return ended(w, it, "ok", outputs, with, known);
}

static struct result walk_item(struct walk *w, const struct item *it, struct err *err) {
    const struct step *st = it->st;
    struct scope sc = scope_of(w, it->f);
    struct call_signal sig = {0};
    if (st->unless) {
        bool already = false;
        enum call_result r = expr_test(w->ld->box, st->unless, &sc, w->arena, &already, &sig, err);
        if (r == CALL_ERROR)
            return (struct result){.failed = true};
        if (r == CALL_OK && already) {
            struct plan_line *l = line_add(w, it->f, st, it->path, WILL_ALREADY, worst(it->known, known_expr(w, it->f, st->unless)));
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
    return st->kind == STEP_RUNBOOK ? walk_sub(w, it, with, err) : walk_act(w, it, with, err);
}

/* Walks what may not run at all, for its lines; the state stays as it was, but what it could change is unknown from here. */
static struct result walk_maybe(struct walk *w, struct frame *f, struct item it, const char *why, struct err *err) {
    struct model *kept = w->state;
    struct map *parts = w->parts;
    w->state = model_clone(kept);
    w->parts = map_new(w->arena);
    struct frame in = *f;
    in.parent = f;
    in.results = map_new(w->arena);
    in.maybe = true;
    it.f = &in;
    size_t at = w->nlines;
    struct result r = walk_item(w, &it, err);
    if (at < w->nlines && !w->lines[at].why)
        w->lines[at].why = why;
    model_free(w->state);
    struct map *touched = w->parts;
    w->state = kept;
    w->parts = parts;
    for (struct map_iter i = map_iter(touched); map_next(&i);)
        part_taint(w, i.key, KNOWN_UNKNOWN);
    (void)r;
    return (struct result){.val = result_unknown(w, it.path), .known = KNOWN_UNKNOWN};
}

static struct result skipped(struct walk *w, struct frame *f, const struct step *st, const char *path, enum will will, enum known known,
                             const char *why) {
    struct plan_line *l = line_add(w, f, st, path, will, known);
    struct scope sc = scope_of(w, f);
    l->title = st->for_each ? st->id : step_title(w->arena, w->ld, st, &sc, NULL);
    l->why = why;
    return (struct result){.val = result_val(w, "skipped", NULL, NULL), .known = known, .failed = will == WILL_NOT};
}

static struct result walk_items(struct walk *w, struct frame *f, const struct step *st, const char *path, enum known known,
                                const struct val *list, struct err *err) {
    struct plan_line *l = line_add(w, f, st, path, WILL_EACH, known);
    l->items = val_len(list);
    l->title = st->id;
    struct val *items = val_list_new(w->arena);
    bool failed = false;
    size_t errors = err->nerrors;
    for (size_t i = 0; i < val_len(list) && err->nerrors == errors && !failed; i++) {
        struct frame in = *f;
        in.parent = f;
        in.results = map_new(w->arena);
        in.item = val_at(list, i);
        in.index = (int64_t)i + 1;
        in.item_known = known;
        in.depth++;
        struct item it = {.f = &in, .st = st, .path = path_item(w->arena, path, in.item, in.index), .known = known};
        struct result r = walk_item(w, &it, err);
        failed |= r.failed;
        if (r.val)
            val_list_add(w->arena, items, r.val);
    }
    struct val *v = val_map_new(w->arena);
    const struct val *base = result_val(w, failed ? "failed" : "ok", NULL, NULL);
    for (size_t i = 0; i < val_len(base); i++)
        val_map_set(w->arena, v, base->map.pairs[i].key, base->map.pairs[i].val);
    val_map_set(w->arena, v, "items", items);
    return (struct result){.val = v, .known = known, .failed = failed};
}

static struct result walk_step(struct walk *w, struct frame *f, const struct step *st, struct err *err) {
    const char *path = path_step(w->arena, f->path, st);
    for (size_t i = 0; i < st->nneeds; i++) {
        const struct result *r = map_get(f->results, st->needs[i]->id);
        if (r && r->failed)
            return skipped(w, f, st, path, WILL_NOT, r->known, arena_printf(w->arena, "it needs '%s', which is predicted to fail", st->needs[i]->id));
    }
    struct frame outer = *f; /* `if` and the list are read without an item of this step */
    struct scope sc = scope_of(w, &outer);
    struct call_signal sig = {0};
    struct item it = {.f = f, .st = st, .path = path, .known = known_expr(w, f, st->cond)};
    if (st->cond) {
        bool yes = false;
        switch (expr_test(w->ld->box, st->cond, &sc, w->arena, &yes, &sig, err)) {
        case CALL_ERROR:
            return (struct result){.failed = true};
        case CALL_UNKNOWN:
        case CALL_UNOBSERVED:
            return walk_maybe(w, f, it, arena_printf(w->arena, "whether it runs is known when %s is", sig.text), err);
        case CALL_OK:
            if (!yes)
                return skipped(w, f, st, path, WILL_SKIP, it.known, arena_printf(w->arena, "not: %s", st->cond->text));
        }
    }
    if (!st->for_each)
        return walk_item(w, &it, err);
    const struct val *list = NULL;
    enum known known = worst(it.known, known_tmpl(w, f, st->for_each));
    switch (tmpl_eval(w->ld->box, st->for_each, &sc, false, w->arena, &list, &sig, err)) {
    case CALL_ERROR:
        return (struct result){.failed = true};
    case CALL_UNKNOWN:
    case CALL_UNOBSERVED: {
        struct frame in = *f;
        in.item = val_unknown(w->arena, arena_printf(w->arena, "%s.item", path));
        in.index = 1;
        in.item_known = KNOWN_UNKNOWN;
        it.path = arena_printf(w->arena, "%s[?]", path);
        return walk_maybe(w, &in, it, arena_printf(w->arena, "its items are known when %s is", sig.text), err);
    }
    case CALL_OK:
        break;
    }
    if (!val_is(list, VAL_LIST)) {
        err_add(err, tmpl_source(st->for_each)->mark, "not-a-list", "for_each of '%s' must be a list, and is %s", path,
                val_kind_name(list->kind));
        return (struct result){.failed = true};
    }
    if (!val_len(list))
        return skipped(w, f, st, path, WILL_SKIP, known, "its list is empty");
    return walk_items(w, f, st, path, known, list, err);
}

bool walk_runbook(struct walk *w, const struct runbook *rb, const struct bind *bind, struct err *err) {
    struct frame f = {.results = map_new(w->arena), .inputs = bind_inputs(bind), .bind = bind, .path = ""};
    bool failed;
    return walk_list(w, &f, rb->root->children, rb->root->nchildren, &failed, err);
}
