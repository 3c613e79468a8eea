#include "run/turn.h"

#include <string.h>

/* A run is taken up: what it has recorded is folded, and each act that was under way is settled before anything new is begun for it. Its action says
 * how: `follow` waits for what may still be going on; then (on_unknown) `check` asks its `done`, `again` repeats it, and `ask` asks a person. */

/* ---- what was recorded ---- */

static const char masked[] = "***"; /* what a secret is in a record */

static bool is_masked(const struct val *v) {
    return val_cstr(v) && !strcmp(val_cstr(v), masked);
}

const struct val *recorded_with(struct live *l) {
    struct exec *x = l->x;
    const struct step *st = l->item->fan->step;
    const struct val *was = l->item->with, *now = NULL;
    bool holes = false;
    for (size_t i = 0; val_is(was, VAL_MAP) && i < val_len(was); i++)
        holes |= is_masked(was->map.pairs[i].val);
    if (!holes)
        return was;
    const char *why = NULL;
    if (!st->with || !live_eval(l, st->with, &now, &why))
        now = NULL;
    struct val *with = fields(x);
    for (size_t i = 0; i < val_len(was); i++) {
        const struct val_pair *p = &was->map.pairs[i];
        const struct val *again = is_masked(p->val) ? val_get(now, p->key) : p->val;
        val_map_set(x->scratch, with, p->key, again ? again : val_unobserved(x->scratch, "a secret, which the journal does not hold"));
    }
    return with;
}

static bool fold(struct exec *x) {
    const struct resume *re = x->spec->resume;
    for (size_t i = 0; i < re->n; i++)
        if (!run_apply(x->run, re->events[i], x->err)) {
            struct diag *d = x->err->last;
            diag_note(x->err, d, "record %zu of the run %s", i + 1, x->run->id);
            diag_hint(x->err, d, "the journal was changed, or the runbook is not the one that was run");
            return false;
        }
    return true;
}

static void observed_now(struct exec *x) {
    const struct runbook *rb = x->run->rb;
    for (size_t i = 0; i < rb->nparts; i++) {
        const struct val *v = val_get(x->spec->plan->before, rb->parts[i].name), *old = map_get(x->run->state, rb->parts[i].name);
        if (!v || (old && val_equal(old, v)))
            continue;
        struct val *d = fields(x);
        field_str(x, d, "part", rb->parts[i].name);
        val_map_set(x->scratch, d, "value", v);
        emit(x, EV_OBSERVED, NULL, 0, d);
    }
}

/* ---- an act that was under way ---- */

static const char *on_unknown(const struct step *st) {
    if (st->kind == STEP_PROBE)
        return "again";
    if (st->kind != STEP_ACTION)
        return "ask";
    return val_get_str(st->def->decl, "on_unknown", st->def->fn[FN_DONE] ? "check" : "ask");
}

static void broke_off(struct live *l) {
    struct val *d = fields(l->x);
    field_str(l->x, d, "outcome", outcome_name(OUT_UNKNOWN));
    field_str(l->x, d, "message", "the program ended while it was under way");
    emit(l->x, EV_ACTED, l->item->path, l->item->attempt, d);
}

static void take_up(struct live *l) {
    const struct step *st = l->item->fan->step;
    if (st->kind == STEP_WAIT) {
        wait_start(l);
        return;
    }
    slot_hold(l);
    if (!l->item->claimed && st->def && st->def->fn[FN_FOLLOW])
        follow_act(l);
    else
        broke_off(l);
}

static void again(struct live *l, const char *why) {
    struct exec *x = l->x;
    struct val *d = fields(x);
    field_str(x, d, "outcome", outcome_name(OUT_UNKNOWN));
    val_map_set(x->scratch, d, "again", val_bool(x->scratch, true));
    field_str(x, d, "message", why);
    slot_free(l);
    l->outcome = OUT_NONE;
    l->looked = false;
    emit(x, EV_ENDED, l->item->path, l->item->attempt, d);
}

static void leave_open(struct live *l, const char *why) {
    struct exec *x = l->x;
    const char *path = l->item->path;
    const char *what = l->item->claimed ? arena_printf(x->scratch, "--done %s counts only if the state shows it: %s", path, why)
                                        : arena_printf(x->scratch, "%s; if it happened, --done %s; if it is not wanted any more, --skip %s --because WHY", why, path, path);
    end_item(l, OUT_UNKNOWN, NULL, what, NULL);
}

bool orphan_begin(struct live *l) {
    const struct item *it = l->item;
    const char *how = on_unknown(it->fan->step);
    const bool can_tell = it->fan->step->def && it->fan->step->def->fn[FN_DONE];
    if (it->claimed && !can_tell && it->fan->step->verify) {
        l->outcome = OUT_OK; /* if that holds */
        return false;
    }
    if (it->claimed) {
        if (!can_tell)
            leave_open(l, "nothing in it tells whether it was done");
        return !can_tell;
    }
    if (it->denied) {
        again(l, "it did not happen, as somebody has said");
        return true;
    }
    if (!strcmp(how, "again")) {
        again(l, "it is harmless to repeat");
        return true;
    }
    if (!l->asked && can_tell && strcmp(how, "ask") != 0)
        return false;
    orphan_end(l, false, l->message ? l->message : "the program ended while it was under way");
    return true;
}

void orphan_end(struct live *l, bool told, const char *why) {
    struct exec *x = l->x;
    if (l->item->claimed) {
        leave_open(l, told ? "it shows that it did not happen" : why ? why : "it cannot be told");
        return;
    }
    if (told) {
        again(l, "the state shows that it did not happen");
        return;
    }
    if (l->asked) {
        leave_open(l, "whether it happened is not known");
        return;
    }
    l->asked = true;
    struct scope sc = scope_from(x, l->item, false);
    ask_fact(l, arena_printf(x->scratch, "%s: had begun when the run broke off, and whether it happened cannot be told (%s). Did it happen?",
                             step_title(x->scratch, x->spec->ld, l->item->fan->step, &sc, l->item->with), why ? why : "no answer"));
}

/* ---- what a person says ---- */

static bool no_such_step(struct exec *x, const char *option, const char *path) {
    const char *names[64];
    size_t n = 0;
    for (struct map_iter i = map_iter(x->run->items); map_next(&i) && n < sizeof names / sizeof *names;) {
        const struct item *it = i.value;
        if (it->orphan || (it->status == ITEM_OVER && it->outcome == OUT_FAILED && !it->nfans))
            names[n++] = it->path;
    }
    struct diag *d = err_add(x->err, mark_none(), "usage", "%s %s: no step of that path has failed or is unknown", option, path);
    diag_accepted(x->err, d, path, names, n);
    return false;
}

static bool all_there(struct exec *x, const char *option, const char *const *paths) {
    for (; paths && *paths; paths++) {
        const struct item *it = **paths ? run_item(x->run, *paths) : NULL;
        if (!it || !it->claimed)
            return no_such_step(x, option, *paths);
    }
    return true;
}

static void skip(struct exec *x, const char *path) {
    struct live *l = live_of(x, run_item(x->run, path));
    if (l->item->status == ITEM_ACTING)
        broke_off(l);
    end_item(l, OUT_SKIPPED, NULL, arena_printf(x->scratch, "skipped: %s", x->spec->resume->because), NULL);
}

static void resumed(struct exec *x) {
    const struct resume *re = x->spec->resume;
    struct val *d = fields(x), *claimed = val_list_new(x->scratch);
    val_map_set(x->scratch, d, "about", x->spec->about);
    for (const char *const *p = re->done; p && *p; p++)
        val_list_add(x->scratch, claimed, val_str(x->scratch, *p));
    for (const char *const *p = re->skip; p && *p; p++)
        val_list_add(x->scratch, claimed, val_str(x->scratch, *p));
    if (val_len(claimed))
        val_map_set(x->scratch, d, "claimed", claimed);
    const struct val *given = val_get(x->spec->run, "attested");
    struct val *attested = val_list_new(x->scratch);
    for (size_t i = 0; i < val_len(x->run->attested); i++)
        val_list_add(x->scratch, attested, val_at(x->run->attested, i));
    for (size_t i = 0; i < val_len(given); i++)
        val_list_add(x->scratch, attested, val_at(given, i));
    if (val_len(attested))
        val_map_set(x->scratch, d, "attested", attested);
    emit(x, EV_RESUMED, NULL, 0, d);
}

/* Parts that only a sub-runbook observes: as they were recorded, until its probes have answered. */
static void observed_then(struct exec *x) {
    for (struct map_iter i = map_iter(x->run->state); map_next(&i);)
        if (!model_has(x->spec->state, i.key))
            model_set(x->spec->state, i.key, i.value);
}

static void go_on(struct live *l) {
    struct exec *x = l->x;
    if (--x->catching_up)
        return;
    for (const char *const *p = x->spec->resume->skip; p && *p; p++)
        skip(x, *p);
    run_look_at_all(x->run);
    for (struct map_iter i = map_iter(x->run->items); map_next(&i);) {
        struct item *it = i.value;
        if (it->status == ITEM_ACTING)
            take_up(live_of(x, it));
    }
}

/* What the runbooks that are under way see is observed anew before anything goes on. */
static void catch_up(struct exec *x) {
    x->catching_up = 1;
    x->run->ntouched = 0; /* nothing is taken up before that */
    for (struct map_iter i = map_iter(x->run->items); map_next(&i);) {
        struct item *it = i.value;
        if (it->status != ITEM_INSIDE || !it->rb)
            continue;
        struct map *parts = map_new(x->scratch);
        parts_all(it->rb, parts);
        x->catching_up++;
        observe(live_of(x, it), it, parts, go_on);
    }
    go_on(live_of(x, &x->run->root));
}

bool resume_start(struct exec *x) {
    const struct resume *re = x->spec->resume;
    if (!fold(x))
        return false;
    x->recorded = (int64_t)re->n;
    resumed(x);
    if (val_len(x->run->attested))
        x->run_val = val_map_with(x->arena, x->run_val, "attested", x->run->attested);
    if (!all_there(x, "--done", re->done) || !all_there(x, "--skip", re->skip))
        return false;
    observed_then(x);
    observed_now(x);
    catch_up(x);
    return true;
}
