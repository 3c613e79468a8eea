#include "plan/walk_priv.h"

#include <assert.h>
#include <string.h>

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

/* ---- scope and lines ---- */

static const struct val *scope_step(void *ud, struct arena *a, const char *id) {
    (void)a;
    const struct result *r = result_of(ud, id);
    return r ? r->val : NULL;
}

struct scope frame_scope(const struct walk *w, struct frame *f) {
    return (struct scope){.lib = w->ld->lib, .state = w->state, .inputs = f->inputs, .site = w->site, .run = w->run,
                          .item = f->item, .index = f->index, .step = scope_step, .ud = f};
}

struct plan_line *line_add(struct walk *w, const struct frame *f, const struct step *st, const char *path, enum will will,
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

const struct val *result_val(struct walk *w, const char *how, const struct val *outputs, const struct val *with) {
    struct val *v = val_map_new(w->arena);
    static const char *const hows[] = {"ok", "failed", "skipped"};
    for (size_t i = 0; i < 3; i++)
        val_map_set(w->arena, v, hows[i], val_bool(w->arena, !strcmp(how, hows[i])));
    val_map_set(w->arena, v, "outputs", outputs ? outputs : val_map_new(w->arena));
    val_map_set(w->arena, v, "with", with ? with : val_map_new(w->arena));
    return v;
}

const struct val *result_unknown(struct walk *w, const char *path) {
    struct val *v = val_map_new(w->arena);
    static const char *const hows[] = {"ok", "failed", "skipped", "outputs", "with", "items"};
    for (size_t i = 0; i < sizeof hows / sizeof *hows; i++)
        val_map_set(w->arena, v, hows[i], val_unknown(w->arena, arena_printf(w->arena, "%s.%s", path, hows[i])));
    return v;
}

static struct result walk_step(struct walk *w, struct frame *f, const struct step *st, struct err *err);

static struct result *arena_result(struct walk *w, const struct val *v, enum known known) {
    struct result *r = arena_new_of(w->arena, struct result);
    *r = (struct result){.val = v, .known = known};
    return r;
}

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

bool walk_list(struct walk *w, struct frame *f, struct step *const *steps, size_t n, bool *ret_failed, struct err *err) {
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
    struct scope sc = frame_scope(w, f);
    l->title = st->for_each ? st->id : step_title(w->arena, w->ld, st, &sc, NULL);
    l->why = why;
    return (struct result){.val = result_val(w, "skipped", NULL, NULL), .known = known, .failed = will == WILL_NOT};
}

/* The lines of what is begun only if something fails; what it would change is left to exploration. */
static void walk_else(struct walk *w, struct frame *f, const struct step *st, const char *path, const char *why) {
    struct scope sc = frame_scope(w, f);
    struct plan_line *l = line_add(w, f, st, path, WILL_ELSE, KNOWN_ASSUMED);
    l->title = step_title(w->arena, w->ld, st, &sc, NULL);
    l->why = why;
}

void walk_alternatives(struct walk *w, struct frame *f, struct step *const *steps, size_t n, bool *ret_failed, struct err *err) {
    const size_t errors = err->nerrors;
    const char *taken = NULL;
    *ret_failed = true;
    for (size_t i = 0; i < n && err->nerrors == errors; i++) {
        if (taken) {
            walk_else(w, f, steps[i], path_step(w->arena, f->path, steps[i]), arena_printf(w->arena, "only if '%s' fails", taken));
            map_put(f->results, steps[i]->id, arena_result(w, result_unknown(w, path_step(w->arena, f->path, steps[i])), KNOWN_ASSUMED));
            continue;
        }
        struct result *r = arena_new_of(w->arena, struct result);
        *r = walk_step(w, f, steps[i], err);
        map_put(f->results, steps[i]->id, r);
        if (!r->val)
            continue;
        const bool failed = val_get_bool(r->val, "failed", false);
        const bool skipped = val_get_bool(r->val, "skipped", false) && w->lines[w->nlines - 1].will != WILL_ALREADY;
        if (!failed && !skipped) { /* predicted to end well, or not known */
            taken = steps[i]->id;
            *ret_failed = false;
        }
    }
}

bool walk_rescue(struct walk *w, struct frame *f, const struct step *st, const char *path, const struct result *r, struct err *err) {
    struct frame in = *f;
    in.parent = f;
    in.results = map_new(w->arena);
    in.path = path;
    in.depth++;
    map_put(f->results, st->id, (void *)(uintptr_t)r);
    if (r->val && val_get_bool(r->val, "failed", false)) {
        bool failed;
        return walk_list(w, &in, st->rescue, st->nrescue, &failed, err) && !failed;
    }
    for (size_t i = 0; i < st->nrescue; i++)
        walk_else(w, &in, st->rescue[i], path_step(w->arena, path, st->rescue[i]), arena_printf(w->arena, "only if '%s' fails", path));
    return false;
}

static struct result walk_items(struct walk *w, struct frame *f, const struct step *st, const char *path, enum known known,
                                const struct val *list, struct err *err) {
    struct plan_line *l = line_add(w, f, st, path, WILL_EACH, known);
    l->items = val_len(list);
    l->title = st->id;
    struct val *items = val_list_new(w->arena);
    bool failed = false;
    const struct val *winner = NULL;
    const char *winner_path = NULL;
    size_t errors = err->nerrors;
    for (size_t i = 0; i < val_len(list) && err->nerrors == errors && (!failed || st->try_each); i++) {
        struct frame in = *f;
        in.parent = f;
        in.results = map_new(w->arena);
        in.item = val_at(list, i);
        in.index = (int64_t)i + 1;
        in.item_known = known;
        in.depth++;
        struct item it = {.f = &in, .st = st, .path = path_item(w->arena, path, list, i), .known = known};
        if (winner) {
            walk_else(w, &in, st, it.path, arena_printf(w->arena, "only if '%s' fails", winner_path));
            continue;
        }
        struct result r = walk_item(w, &it, err);
        failed = st->try_each ? r.failed : failed || r.failed;
        if (r.val)
            val_list_add(w->arena, items, r.val);
        if (st->try_each && r.val && !val_get_bool(r.val, "failed", false)) {
            winner = val_map_with(w->arena, r.val, "item", in.item);
            winner_path = it.path;
        }
    }
    if (winner)
        return (struct result){.val = winner, .known = known_worst(known, KNOWN_ASSUMED)};
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
    struct scope sc = frame_scope(w, &outer);
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
    enum known known = known_worst(it.known, known_tmpl(w, f, st->for_each));
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

bool walk_runbook(struct walk *w, const struct runbook *rb, const struct bind *bind, const char *path, struct err *err) {
    struct frame f = {.results = map_new(w->arena), .inputs = bind_inputs(bind), .bind = bind, .path = path};
    bool failed;
    return walk_list(w, &f, rb->root->children, rb->root->nchildren, &failed, err);
}
