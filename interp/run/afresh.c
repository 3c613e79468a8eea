#include "run/turn.h"

/* An act begins on what is known now. What was observed longer ago than this may rest on a world that is gone: by a long act before it that was no
 * reason to look at the part, or while a person thought about a question. Exploration counts on it: events come before a step's `if` or
 * after its act, never between the two. In a rehearsal looking costs nothing, so it is always done. */
static const int64_t fresh_ms = 5000;

struct reading {
    struct exec *x;
    const struct runbook *rb;
    struct map *set;
};

static void read_see(void *ud, const struct expr *e) {
    const struct reading *r = ud;
    if (e)
        parts_of_expr(r->x->spec->ld, r->rb, e, r->set);
}

/* The parts that the step reads before it acts, and those that it changes. */
static struct map *parts_read(struct live *l) {
    const struct step *st = l->item->fan->step;
    const struct item *home = home_of(l->item);
    struct reading r = {.x = l->x, .rb = home->rb, .set = map_new(l->x->scratch)};
    read_see(&r, st->cond);
    read_see(&r, st->unless);
    if (st->with)
        tmpl_each(st->with, read_see, &r);
    parts_of_changes(home->rb, st->def, r.set);
    return r.set;
}

static void looked(struct live *l) {
    struct exec *x = l->x;
    const struct expr *cond = l->item->fan->step->cond;
    l->looked = true;
    if (cond) {
        struct scope sc = scope_from(x, l->item->fan->owner, true);
        struct call_signal sig = {0};
        struct err *errs = err_new(x->scratch);
        bool yes = false;
        const enum call_result r = expr_test(x->spec->ld->box, cond, &sc, x->scratch, &yes, &sig, errs);
        if (r != CALL_OK || !yes) {
            end_item(l, r == CALL_OK ? OUT_SKIPPED : OUT_FAILED, NULL,
                     r == CALL_OK ? arena_printf(x->scratch, "it has ceased to hold: %s", cond->text)
                                  : arena_printf(x->scratch, "its 'if' cannot be decided any more: %s", eval_why(x, r, &sig, errs)),
                     r == CALL_OK ? "if" : NULL);
            return;
        }
    }
    begin(l);
}

bool look_afresh(struct live *l) {
    struct exec *x = l->x;
    const enum step_kind kind = l->item->fan->step->kind;
    if (l->looked || (kind != STEP_ACTION && kind != STEP_COMMAND))
        return false;
    struct map *parts = parts_read(l);
    bool stale = false;
    for (struct map_iter it = map_iter(parts); map_next(&it);) {
        const struct asked *a = map_get(x->asked, it.key);
        stale |= !x->spec->runner->real || !a || now_ms(x) - a->at > fresh_ms; /* not asked yet: the plan is as old as it took to explore */
    }
    if (stale)
        observe(l, home_of(l->item), parts, looked);
    else
        l->looked = true;
    return stale;
}
