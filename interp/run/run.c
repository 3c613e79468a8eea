#include "run/fold.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct run *run_new(struct arena *a, const char *id, const struct runbook *rb) {
    struct run *r = arena_new_of(a, struct run);
    *r = (struct run){.arena = a, .id = id, .rb = rb, .fans = map_new(a), .items = map_new(a), .state = map_new(a)};
    r->root = (struct item){.path = "", .rb = rb};
    return r;
}

struct item *run_item(const struct run *r, const char *path) {
    return path && *path ? map_get(r->items, path) : (struct item *)&r->root;
}

struct fan *run_fan(const struct run *r, const char *path) {
    return path ? map_get(r->fans, path) : NULL;
}

void fold_touch(struct run *r, struct fan *f, struct item *it) {
    if (r->ntouched == r->captouched) {
        size_t cap = r->captouched ? r->captouched * 2 : 64;
        struct touched *t = arena_array(r->arena, struct touched, cap);
        if (r->ntouched)
            memcpy(t, r->touched, r->ntouched * sizeof *t);
        r->touched = t;
        r->captouched = cap;
    }
    r->touched[r->ntouched++] = (struct touched){.fan = f, .item = it};
}

/* ---- structure ---- */

bool fold_alternatives(const struct item *it) {
    return it->fan && it->fan->step->kind == STEP_FIRST_OF && !it->rescuing;
}

/* The next alternative's turn; none is left: the step is over. */
static void alternative_next(struct run *r, struct item *owner) {
    if (owner->fans_over == owner->nfans) {
        owner->inside_over = true;
        fold_touch(r, NULL, owner);
        return;
    }
    struct fan *f = &owner->fans[owner->fans_over];
    f->waits = 0;
    fold_touch(r, f, NULL);
}

static void fans_make(struct run *r, struct item *owner, struct step *const *steps, size_t n) {
    owner->fans = arena_array(r->arena, struct fan, n + 1);
    owner->nfans = n;
    for (size_t i = 0; i < n; i++) {
        struct fan *f = &owner->fans[i];
        *f = (struct fan){.path = path_step(r->arena, owner->path, steps[i]), .step = steps[i], .owner = owner,
                          .waits = steps[i]->nneeds, .each = steps[i]->for_each != NULL};
        map_put(r->fans, f->path, f);
        if (fold_alternatives(owner))
            f->waits = 1; /* its turn, see alternative_next */
        else if (!f->waits)
            fold_touch(r, f, NULL);
    }
    owner->inside_over = !n;
    if (!n)
        fold_touch(r, NULL, owner);
    else if (fold_alternatives(owner))
        alternative_next(r, owner);
}

/* The fan of a sibling step. Fans stand in the order of their steps, whose indices rise. */
static struct fan *fan_of(const struct item *owner, const struct step *st) {
    size_t lo = 0, hi = owner->nfans;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (owner->fans[mid].step->index < st->index)
            lo = mid + 1;
        else
            hi = mid;
    }
    assert(lo < owner->nfans && owner->fans[lo].step == st);
    return &owner->fans[lo];
}

static void items_make(struct run *r, struct fan *f, const struct val *items) {
    f->nitems = f->each ? val_len(items) : 1;
    f->items = arena_array(r->arena, struct item, f->nitems + 1);
    for (size_t i = 0; i < f->nitems; i++) {
        struct item *it = &f->items[i];
        *it = (struct item){.path = f->path, .fan = f, .rb = f->step->sub};
        if (f->each) {
            it->item = val_at(items, i);
            it->index = (int64_t)i + 1;
            it->path = path_item(r->arena, f->path, items, i);
        }
        map_put(r->items, it->path, it);
    }
}

/* ---- how ends travel upwards ---- */

bool run_harmless(const char *cause) {
    return cause && (!strcmp(cause, "precondition") || !strcmp(cause, "rule"));
}

/* The first item that ended so; NULL if none did. */
static const struct item *item_that(const struct fan *f, enum outcome outcome) {
    for (size_t i = 0; i < f->nitems; i++)
        if (f->items[i].status == ITEM_OVER && f->items[i].outcome == outcome)
            return &f->items[i];
    return NULL;
}

const struct item *run_refused(const struct item *it) {
    for (size_t i = 0; i < it->nfans; i++) {
        const struct item *bad = it->fans[i].outcome == OUT_REFUSED ? item_that(&it->fans[i], OUT_REFUSED) : NULL;
        if (bad) {
            const struct item *below = bad->rescuing ? NULL : run_refused(bad);
            return below ? below : bad;
        }
    }
    return NULL;
}

/* Whether a refused item was refused in a way that lets others be tried. */
static bool refused_harmlessly(const struct item *it) {
    const struct item *below = run_refused(it);
    return run_harmless((below ? below : it)->cause);
}

/* Whether an item was skipped because the step's `if` had ceased to hold when its turn came. */
static bool by_if(const struct item *it) {
    return it->outcome == OUT_SKIPPED && it->cause && !strcmp(it->cause, "if");
}

/* One that is settled as failed, or was skipped by its `if`, leaves the turn to the next; one that ended well or of which nobody knows is the last. */
static void alternative_over(struct run *r, struct fan *f) {
    struct item *owner = f->owner;
    const struct item *refused = f->outcome == OUT_REFUSED ? item_that(f, OUT_REFUSED) : NULL;
    const struct item *skipped = f->outcome == OUT_SKIPPED ? item_that(f, OUT_SKIPPED) : NULL;
    const bool already = skipped && !by_if(skipped); /* by its `unless`: what it is for is there */
    owner->fans_over++;
    owner->inside_failed = f->outcome != OUT_OK && !already;
    if (f->outcome == OUT_FAILED || (f->outcome == OUT_SKIPPED && !already) || (refused && refused_harmlessly(refused))) {
        alternative_next(r, owner);
        return;
    }
    owner->inside_over = true;
    fold_touch(r, NULL, owner);
}

bool fold_fan_bad(const struct fan *f) {
    if (f->step->continue_on_failure && f->outcome == OUT_FAILED)
        return false;
    return f->blocked || f->outcome == OUT_FAILED || f->outcome == OUT_UNKNOWN || f->outcome == OUT_REFUSED;
}

static void fan_over(struct run *r, struct fan *f) {
    f->status = FAN_OVER;
    struct item *owner = f->owner;
    if (fold_alternatives(owner)) {
        alternative_over(r, f);
        return;
    }
    const bool bad = fold_fan_bad(f);
    for (size_t i = 0; i < f->step->nusers; i++) {
        struct fan *u = fan_of(owner, f->step->users[i]);
        assert(u->waits > 0);
        u->waits--;
        if (bad && !u->need_failed) {
            u->need_failed = true;
            u->failed_need = f->step->id;
        }
        if (!u->waits)
            fold_touch(r, u, NULL);
    }
    owner->inside_failed |= bad;
    if (++owner->fans_over == owner->nfans) {
        owner->inside_over = true;
        fold_touch(r, NULL, owner);
    }
}

/* Of try_each: whether the fan ends with this item, and how. */
static bool try_over(struct fan *f, const struct item *it, enum outcome outcome) {
    if (by_if(it)) {
        f->outcome = OUT_SKIPPED;
        return true;
    }
    f->outcome = outcome == OUT_SKIPPED ? OUT_OK : outcome;
    if (f->outcome == OUT_OK)
        f->winner = it;
    if (outcome == OUT_REFUSED && refused_harmlessly(it))
        f->outcome = OUT_FAILED;
    return f->outcome != OUT_FAILED || f->over == f->nitems;
}

static bool item_busy(const struct item *it) {
    return it->status != ITEM_NEW && it->status != ITEM_OVER;
}

static void item_over(struct run *r, struct item *it, enum outcome outcome) {
    it->status = ITEM_OVER;
    it->outcome = outcome;
    struct fan *f = it->fan;
    f->over++;
    if (outcome == OUT_UNKNOWN)
        r->unknown++;
    if (outcome == OUT_FAILED || outcome == OUT_UNKNOWN || outcome == OUT_REFUSED)
        f->failed++;
    if (f->step->try_each) {
        if (try_over(f, it, outcome))
            fan_over(r, f);
        else
            fold_touch(r, f, NULL);
        return;
    }
    size_t busy = 0;
    for (size_t i = 0; i < f->nitems && f->failed > 0; i++)
        busy += item_busy(&f->items[i]);
    bool gave_up = f->failed > (size_t)f->step->max_failures;
    if (f->over < f->nitems && !(gave_up && !busy)) {
        fold_touch(r, f, NULL);
        return;
    }
    size_t n[OUT_REFUSED + 1] = {0};
    for (size_t i = 0; i < f->nitems; i++)
        n[f->items[i].outcome]++;
    f->outcome = !gave_up && f->nitems > 1 && n[OUT_SKIPPED] < f->nitems ? OUT_OK
                 : n[OUT_UNKNOWN]                                      ? OUT_UNKNOWN
                 : n[OUT_REFUSED]                                      ? OUT_REFUSED
                 : n[OUT_FAILED]                                       ? OUT_FAILED
                 : n[OUT_SKIPPED] == f->nitems                         ? OUT_SKIPPED
                                                                       : OUT_OK;
    fan_over(r, f);
}

/* ---- the fold: one function for each type of event ---- */

static bool misfit(struct err *err, const struct event *e, const char *why) {
    err_add(err, mark_none(), "journal-misfit", "the record '%s' of '%s' does not fit the run: %s", event_infos[e->type].name,
            e->path ? e->path : "the run", why);
    return false;
}

#define EXPECT(cond, why)                                                                                                              \
    do {                                                                                                                               \
        if (!(cond))                                                                                                                   \
            return misfit(err, e, why);                                                                                                \
    } while (0)

static bool on_run_started(struct run *r, const struct event *e, struct err *err) {
    EXPECT(!r->started, "the run has started already");
    r->started = e->data;
    r->root.inputs = val_get(e->data, "inputs");
    r->attested = val_get(e->data, "attested");
    r->root.status = ITEM_INSIDE;
    r->root.started_at = e->at;
    fans_make(r, &r->root, r->rb->root->children, r->rb->root->nchildren);
    return true;
}

static bool on_observed(struct run *r, const struct event *e, struct err *err) {
    const char *part = val_get_str(e->data, "part", NULL);
    EXPECT(part, "it names no part");
    const struct val *v = val_get(e->data, "value");
    map_put(r->state, part, (void *)(uintptr_t)(v ? v : val_null()));
    return true;
}

static bool on_opened(struct run *r, const struct event *e, struct err *err) {
    struct fan *f = run_fan(r, e->path);
    EXPECT(f && f->status == FAN_WAITING && !f->waits, "the step is not waiting for its turn");
    const struct val *items = val_get(e->data, "items");
    EXPECT(!f->each || (val_is(items, VAL_LIST) && val_len(items)), "it has no items");
    f->status = FAN_OPEN;
    items_make(r, f, items);
    fold_touch(r, f, NULL);
    return true;
}

static bool on_skipped(struct run *r, const struct event *e, struct err *err) {
    struct fan *f = run_fan(r, e->path);
    EXPECT(f && f->status == FAN_WAITING, "the step is not waiting for its turn");
    f->outcome = OUT_SKIPPED;
    f->blocked = val_get_bool(e->data, "blocked", false);
    f->why = val_get_str(e->data, "why", NULL);
    fan_over(r, f);
    return true;
}

static bool on_asked(struct run *r, const struct event *e, struct err *err) {
    struct item *it = run_item(r, e->path);
    EXPECT(it && (it->status == ITEM_NEW || it->status == ITEM_ACTED), "the step is not about to start");
    it->asked_after = it->status == ITEM_ACTED;
    it->status = ITEM_ASKED;
    it->question = val_get_str(e->data, "question", "");
    return true;
}

static bool on_answered(struct run *r, const struct event *e, struct err *err) {
    struct item *it = run_item(r, e->path);
    EXPECT(it && it->status == ITEM_ASKED, "nothing was asked");
    it->status = it->asked_after ? ITEM_ACTED : ITEM_NEW;
    const char *attest = val_get_str(e->data, "attest", NULL);
    if (it->asked_after) { /* whether it happened */
        it->outcome = val_get_bool(e->data, "yes", false) ? OUT_OK : OUT_UNKNOWN;
        it->denied = val_get_bool(e->data, "no", false);
        it->orphan = it->outcome != OUT_OK;
    } else if (!val_get_bool(e->data, "yes", false)) {
        it->denied = true;
        it->message = val_get_str(e->data, "how", "denied");
    } else if (attest) {
        struct val *all = val_list_new(r->arena);
        for (size_t i = 0; i < val_len(r->attested); i++)
            val_list_add(r->arena, all, val_at(r->attested, i));
        val_list_add(r->arena, all, val_str(r->arena, attest));
        r->attested = all;
    } else {
        it->approved = true;
    }
    fold_touch(r, NULL, it);
    return true;
}

static bool on_bound(struct run *r, const struct event *e, struct err *err) {
    struct item *it = run_item(r, e->path);
    EXPECT(it && it->rb && it->status == ITEM_NEW, "the step is not a runbook about to start");
    it->inputs = val_get(e->data, "inputs");
    fold_touch(r, NULL, it);
    return true;
}

static bool on_started(struct run *r, const struct event *e, struct err *err) {
    struct item *it = run_item(r, e->path);
    EXPECT(it && it->fan && (it->status == ITEM_NEW || it->status == ITEM_RETRYING), "the step is not about to start");
    const struct step *st = it->fan->step;
    it->attempt = e->attempt;
    if (!it->started_at)
        it->started_at = e->at;
    it->with = val_get(e->data, "with");
    it->before = val_get(e->data, "before");
    it->message = NULL;
    it->orphan = it->claimed = false;
    if (st->kind == STEP_GROUP || st->kind == STEP_RUNBOOK || st->kind == STEP_FIRST_OF) {
        const struct step *list = st->kind == STEP_RUNBOOK ? st->sub->root : st;
        it->status = ITEM_INSIDE;
        fans_make(r, it, list->children, list->nchildren);
    } else {
        it->status = ITEM_ACTING;
        r->acting++;
    }
    return true;
}

static bool on_acted(struct run *r, const struct event *e, struct err *err) {
    struct item *it = run_item(r, e->path);
    EXPECT(it && it->status == ITEM_ACTING && e->attempt == it->attempt, "no act of that attempt is under way");
    it->status = ITEM_ACTED;
    it->outcome = outcome_of(val_get_str(e->data, "outcome", NULL));
    EXPECT(it->outcome != OUT_NONE, "it has no outcome");
    it->outputs = val_get(e->data, "outputs");
    it->message = val_get_str(e->data, "message", NULL);
    r->acting--;
    fold_touch(r, NULL, it);
    return true;
}

static bool on_ended(struct run *r, const struct event *e, struct err *err) {
    struct item *it = run_item(r, e->path);
    enum outcome outcome = outcome_of(val_get_str(e->data, "outcome", NULL));
    EXPECT(it && it->fan && it->status != ITEM_OVER && it->status != ITEM_ACTING, "the step is not at its end");
    EXPECT(outcome != OUT_NONE, "it has no outcome");
    it->message = val_get_str(e->data, "message", it->message);
    if (val_get(e->data, "outputs"))
        it->outputs = val_get(e->data, "outputs");
    it->ended_at = e->at;
    it->cause = val_get_str(e->data, "cause", NULL);
    if (it->cause && !strcmp(it->cause, "prediction"))
        r->cause = it->cause;
    if (val_get_bool(e->data, "again", false)) {
        it->status = ITEM_NEW;
        it->outcome = OUT_NONE;
        it->orphan = it->denied = false;
        fold_touch(r, NULL, it);
        return true;
    }
    if (val_get_bool(e->data, "retry", false)) {
        it->status = ITEM_RETRYING;
        fold_touch(r, NULL, it);
        return true;
    }
    if (val_get_bool(e->data, "rescue", false)) {
        EXPECT(it->fan->step->nrescue && !it->rescuing, "the step has no rescue steps");
        it->status = ITEM_INSIDE;
        it->outcome = outcome;
        it->rescuing = true;
        it->inside_failed = false;
        it->rb = NULL; /* its rescue steps are those of the runbook that it stands in */
        it->fans_over = 0;
        fans_make(r, it, it->fan->step->rescue, it->fan->step->nrescue);
        return true;
    }
    item_over(r, it, outcome);
    return true;
}

static bool on_nothing(struct run *r, const struct event *e, struct err *err) {
    (void)r, (void)e, (void)err;
    return true;
}

static bool on_stopping(struct run *r, const struct event *e, struct err *err) {
    (void)err;
    r->stopping = true;
    r->stop_why = val_get_str(e->data, "why", "");
    if (val_get_str(e->data, "cause", NULL))
        r->cause = val_get_str(e->data, "cause", NULL);
    return true;
}

static bool on_run_ended(struct run *r, const struct event *e, struct err *err) {
    EXPECT(!r->ended, "the run has ended already");
    r->ended = true;
    r->outcome = outcome_of(val_get_str(e->data, "outcome", NULL));
    r->exit_status = (int)val_get_int(e->data, "exit", 9);
    r->message = val_get_str(e->data, "message", "");
    r->root.ended_at = e->at;
    return true;
}

static bool (*const folds[EV_COUNT])(struct run *, const struct event *, struct err *) = {
    [EV_RUN_STARTED] = on_run_started, [EV_OBSERVED] = on_observed, [EV_OPENED] = on_opened,     [EV_SKIPPED] = on_skipped,
    [EV_ASKED] = on_asked,             [EV_ANSWERED] = on_answered, [EV_BOUND] = on_bound,       [EV_STARTED] = on_started,
    [EV_ACTED] = on_acted,             [EV_ENDED] = on_ended,       [EV_LOG] = on_nothing,       [EV_NOTE] = on_nothing,
    [EV_STOPPING] = on_stopping,       [EV_RUN_ENDED] = on_run_ended, [EV_LOCK] = on_nothing,      [EV_RESUMED] = fold_resumed,
};

bool run_apply(struct run *r, const struct event *e, struct err *err) {
    EXPECT(e->type == EV_RUN_STARTED || r->started, "the run has not started");
    EXPECT(!r->ended || e->type == EV_RESUMED, "the run is over");
    if (!folds[e->type](r, e, err))
        return false;
    r->events++;
    return true;
}

/* ---- what expressions read ---- */

const struct fan *run_lookup(const struct item *from, const char *id) {
    for (const struct item *it = from; it; it = it->fan ? it->fan->owner : NULL) {
        for (size_t i = 0; i < it->nfans; i++)
            if (!strcmp(it->fans[i].step->id, id))
                return &it->fans[i];
        if (it->rb && it != from)
            return NULL; /* a runbook sees only its own steps */
    }
    return NULL;
}

/* The item around one that is being rescued and whose step has that id. */
static const struct item *rescued_around(const struct item *from, const char *id) {
    for (const struct item *it = from; it && it->fan; it = it->fan->owner) {
        if (it->rescuing && !strcmp(it->fan->step->id, id))
            return it;
        if (it->rb && it != from)
            return NULL;
    }
    return NULL;
}

static const struct val *item_val(struct arena *a, const struct item *it, enum outcome outcome) {
    struct val *v = val_map_new(a);
    val_map_set(a, v, "ok", val_bool(a, outcome == OUT_OK));
    val_map_set(a, v, "failed", val_bool(a, outcome == OUT_FAILED || outcome == OUT_UNKNOWN || outcome == OUT_REFUSED));
    val_map_set(a, v, "skipped", val_bool(a, outcome == OUT_SKIPPED));
    val_map_set(a, v, "outputs", it && it->outputs ? it->outputs : val_map_new(a));
    val_map_set(a, v, "with", it && it->with ? it->with : val_map_new(a));
    if (it && it->item)
        val_map_set(a, v, "item", it->item);
    return v;
}

const struct val *run_step_val(struct arena *a, const struct item *from, const char *id) {
    if (from->fan && !strcmp(from->fan->step->id, id))
        return item_val(a, from, from->outcome); /* `verify` and `outputs` read the step itself */
    const struct fan *f = run_lookup(from, id);
    const struct item *rescued = rescued_around(from, id);
    if (rescued && (!f || f->status != FAN_OVER))
        return item_val(a, rescued, OUT_FAILED);
    if (!f)
        return NULL;
    if (f->status != FAN_OVER)
        return val_unknown(a, f->path);
    if (f->winner)
        return item_val(a, f->winner, f->winner->outcome);
    struct val *v = (struct val *)(uintptr_t)item_val(a, f->each || !f->nitems ? NULL : &f->items[0], f->outcome);
    if (f->each) {
        struct val *items = val_list_new(a);
        for (size_t i = 0; i < f->nitems; i++)
            val_list_add(a, items, item_val(a, &f->items[i], f->items[i].outcome));
        val_map_set(a, v, "items", items);
    }
    return v;
}
