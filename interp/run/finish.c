#include "run/turn.h"

#include <string.h>

struct verdict {
    enum outcome outcome;
    int status;
    const char *message;
};

static void run_end(struct exec *x, struct verdict v) {
    locked_ending(x);
    struct val *d = fields(x);
    field_str(x, d, "outcome", outcome_name(v.outcome));
    val_map_set(x->scratch, d, "exit", val_int(x->scratch, v.status));
    field_str(x, d, "message", v.message);
    emit(x, EV_RUN_ENDED, NULL, 0, d);
}

/* The first step instance that ended in one of two ways, in the order in which they were taken up. Groups only repeat what is inside. */
static const struct item *first_that(const struct exec *x, enum outcome a, enum outcome b) {
    for (struct map_iter it = map_iter(x->lives); map_next(&it);) {
        const struct live *l = it.value;
        if (l->item->fan && !l->item->fans && l->item->status == ITEM_OVER && (l->item->outcome == a || l->item->outcome == b) &&
            !(l->item->outcome == OUT_FAILED && l->item->fan->step->continue_on_failure))
            return l->item;
    }
    return NULL;
}

static const char *told(struct exec *x, const struct item *it) {
    return it ? arena_printf(x->scratch, "'%s': %s", it->path, it->message ? it->message : outcome_name(it->outcome)) : NULL;
}

static const char *blocked(struct exec *x) {
    for (struct map_iter it = map_iter(x->run->fans); map_next(&it);) {
        const struct fan *f = it.value;
        if (f->blocked && !f->need_failed)
            return arena_printf(x->scratch, "'%s': %s", f->path, f->why);
    }
    return "a step did not end well";
}

/* How the steps ended; OUT_OK if only the postconditions are left to decide. */
static struct verdict of_steps(struct exec *x) {
    static const struct {
        const char *cause;
        int status;
    } causes[] = {{"rule", 4}, {"approval", 5}, {"precondition", 4}, {"moved", 6}};
    const struct run *r = x->run;
    if (r->stopping && r->cause && !strcmp(r->cause, "prediction"))
        return (struct verdict){OUT_FAILED, 6, r->stop_why};
    if (r->stopping && r->cause && !strcmp(r->cause, "lock"))
        return (struct verdict){r->unknown ? OUT_UNKNOWN : OUT_FAILED, r->unknown ? 7 : 8, r->stop_why};
    if (r->stopping)
        return (struct verdict){r->unknown ? OUT_UNKNOWN : OUT_FAILED, 130,
                                r->unknown ? arena_printf(x->scratch, "interrupted; the outcome of %zu step(s) is unknown: %s", r->unknown,
                                                          told(x, first_that(x, OUT_UNKNOWN, OUT_UNKNOWN)))
                                           : "interrupted"};
    if (r->unknown)
        return (struct verdict){OUT_UNKNOWN, 7, told(x, first_that(x, OUT_UNKNOWN, OUT_UNKNOWN))};
    if (!r->root.inside_failed)
        return (struct verdict){OUT_OK, 0, "done"};
    const char *failed = told(x, first_that(x, OUT_FAILED, OUT_REFUSED));
    const struct item *refused = run_refused(&r->root);
    for (size_t i = 0; refused && refused->cause && i < sizeof causes / sizeof *causes; i++)
        if (!strcmp(causes[i].cause, refused->cause))
            return (struct verdict){OUT_REFUSED, causes[i].status, told(x, refused)};
    return (struct verdict){OUT_FAILED, 1, failed ? failed : blocked(x)};
}

static void judge(struct live *l) {
    struct exec *x = l->x;
    struct scope sc = scope_from(x, &x->run->root, true);
    struct err *errs = err_new(x->scratch);
    struct plan_check *post;
    size_t n;
    if (!plan_checks(x->scratch, x->spec->ld, x->run->rb, true, &sc, KNOWN_PROBED, &post, &n, errs)) {
        run_end(x, (struct verdict){OUT_FAILED, 1, eval_why(x, CALL_ERROR, NULL, errs)});
        return;
    }
    struct verdict v = {OUT_OK, 0, "every step ended well and every postcondition holds"};
    for (size_t i = n; i-- > 0;)
        if (!post[i].held) {
            struct val *d = fields(x);
            field_str(x, d, "text", arena_printf(x->scratch, "postcondition does not hold: %s (%s)", post[i].message, post[i].text));
            field_str(x, d, "check", post[i].text);
            emit(x, EV_NOTE, NULL, 0, d);
            v = (struct verdict){OUT_FAILED, 11, post[i].message};
        }
    if (!n)
        v.message = "every step ended well";
    run_end(x, v);
}

void finish(struct exec *x) {
    const struct verdict v = of_steps(x);
    if (v.outcome != OUT_OK || !x->run->rb->npost) {
        run_end(x, v.outcome == OUT_OK ? (struct verdict){OUT_OK, 0, "every step ended well"} : v);
        return;
    }
    struct map *set = map_new(x->scratch);
    parts_all(x->run->rb, set);
    struct live *l = live_of(x, &x->run->root);
    observe(l, &x->run->root, set, judge);
}
