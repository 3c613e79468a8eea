#include "plan/machine.h"

#include <assert.h>
#include <string.h>

/* ---- choices ---- */

unsigned machine_choose(struct machine *m, unsigned n) {
    assert(n > 0);
    if (n == 1)
        return 0;
    if (m->pos == max_choices) {
        m->limit = "64 things at once that only the run will know";
        return 0;
    }
    if (m->pos == m->nchoices) {
        m->choice[m->nchoices] = 0;
        m->of[m->nchoices++] = n;
    }
    assert(m->of[m->pos] == n); /* the same code from the same state */
    return m->choice[m->pos++];
}

bool machine_next(struct machine *m) {
    m->pos = 0;
    while (m->nchoices) {
        if (++m->choice[m->nchoices - 1] < m->of[m->nchoices - 1])
            return true;
        m->nchoices--;
    }
    return false;
}

/* A failure leaves nobody stranded if the step lets it pass, or if something else is tried then. */
enum x_end machine_end(const struct xitem *it, enum x_end end) {
    const struct step *st = item_step(it);
    const struct xlist *l = it->of->list;
    const bool more = it->attempt + 1 < st->retry.attempts || (st->nrescue && !it->rescuing) || (st->try_each && it->index + 1 < it->of->nitems) ||
                      (l->first_of && l->alt + 1 < l->n);
    return end == X_FAILED && (st->continue_on_failure || more) ? X_OK : end;
}

void machine_note(struct machine *m, const char *step, const char *how, const char *outcome, enum x_end end) {
    if (m->nnotes == max_notes)
        m->nnotes--; /* the last one says what was done */
    m->notes[m->nnotes++] = (struct note){.step = step, .how = how, .outcome = outcome, .end = end, .after = m->at};
}

/* ---- names ---- */

const char *machine_path(struct machine *m, const char *owner, const struct step *st, const struct val *list, size_t index) {
    struct key k = key_of("path");
    key_add_ptr(&k, owner);
    key_add_ptr(&k, st);
    key_add_ptr(&k, list);
    key_add(&k, index);
    void **slot = table_slot(m->names, k);
    if (!*slot) {
        const char *path = st ? path_step(m->arena, owner, st) : path_item(m->arena, owner, list, index);
        *slot = (void *)(uintptr_t)path;
    }
    return *slot;
}

const struct step *item_step(const struct xitem *it) {
    return it->of->list->steps[it->of->fan];
}

bool item_is_home(const struct xitem *it) {
    return item_step(it)->kind == STEP_RUNBOOK && !it->rescuing;
}

struct xitem *item_home(const struct xitem *it) {
    struct xitem *o = it->of->list->owner;
    while (o && !item_is_home(o))
        o = o->of->list->owner;
    return o;
}

bool machine_reads(const struct machine *m, const struct step *st) {
    return map_get(m->read, st->id) || map_get(m->read, "");
}

static const char *list_path(const struct xlist *l) {
    return l->owner ? l->owner->path : "";
}

/* ---- ends travel upwards, as in run/run.c ---- */

static void list_over(struct machine *m, struct xlist *l);

static const struct val *ended_val(struct machine *m, enum x_end end) {
    return machine_item_val(m, NULL, end);
}

static const struct val *fan_val(struct machine *m, const struct xlist *l, size_t i, enum x_end end) {
    const struct xopen *o = l->fans[i].open;
    const struct step *st = l->steps[i];
    if (!machine_reads(m, st))
        return NULL;
    if (o && o->winner)
        return o->winner;
    if (o && !st->for_each && o->vals)
        return o->vals[0];
    const struct val *base = ended_val(m, end);
    if (!o || !st->for_each || st->try_each)
        return cluster_val(m->set, base);
    struct val *items = val_list_new(m->scratch);
    for (size_t k = 0; k < o->nitems; k++)
        val_list_add(m->scratch, items, o->vals[k] ? o->vals[k] : ended_val(m, X_NONE));
    return cluster_val(m->set, val_map_with(m->scratch, base, "items", items));
}

/* The fan of a step of the list: their indices rise. */
static struct xfan *fan_of(struct xlist *l, const struct step *st) {
    size_t lo = 0, hi = l->n;
    while (lo < hi) {
        const size_t mid = lo + (hi - lo) / 2;
        if (l->steps[mid]->index < st->index)
            lo = mid + 1;
        else
            hi = mid;
    }
    assert(lo < l->n && l->steps[lo] == st);
    return &l->fans[lo];
}

static void fan_over(struct machine *m, struct xlist *l, size_t i, enum x_end end) {
    struct xfan *f = &l->fans[i];
    const struct step *st = l->steps[i];
    const bool opened = f->open != NULL;
    f->val = fan_val(m, l, i, end);
    f->status = XFAN_OVER;
    f->end = (uint8_t)end;
    f->open = NULL;
    f->waits = 0;
    l->over++;
    if (l->first_of) {
        l->any_ok = end == X_OK || (end == X_SKIPPED && opened); /* by its `unless`: what it is for is there already */
        l->unknown = end == X_UNKNOWN;
        l->alt++;
        if (l->any_ok || l->unknown || l->alt == l->n)
            list_over(m, l);
        return;
    }
    bool bad = f->blocked || end == X_FAILED || end == X_UNKNOWN || end == X_REFUSED;
    if (st->continue_on_failure && end == X_FAILED)
        bad = false;
    for (size_t k = 0; k < st->nusers; k++) {
        struct xfan *user = fan_of(l, st->users[k]);
        assert(user->waits > 0);
        user->waits--;
        user->need_failed |= bad;
    }
    f->blocked = f->need_failed = false;
    l->bad |= bad;
    l->unknown |= bad && end == X_UNKNOWN;
    l->refused |= bad && end == X_REFUSED;
    if (l->over == l->n)
        list_over(m, l);
}

/* Whether the fan ends with this item, and how. */
static enum x_end fan_end(const struct step *st, const struct xopen *o, enum x_end last) {
    if (st->try_each) {
        if (last == X_OK || last == X_SKIPPED)
            return X_OK;
        if (last == X_UNKNOWN)
            return X_UNKNOWN;
        return o->over == o->nitems ? X_FAILED : X_NONE;
    }
    const bool gave_up = o->failed > (size_t)st->max_failures;
    size_t busy = 0;
    for (size_t i = 0; i < o->nitems; i++)
        busy += o->items[i] && !(o->items[i]->status == XITEM_READY && !o->items[i]->attempt);
    if (o->over < o->nitems && !(gave_up && !busy))
        return X_NONE;
    return !gave_up && o->nitems > 1 && o->ends[X_SKIPPED] < o->nitems ? X_OK
           : o->ends[X_UNKNOWN]                                       ? X_UNKNOWN
           : o->ends[X_REFUSED]                                       ? X_REFUSED
           : o->ends[X_FAILED]                                        ? X_FAILED
           : o->ends[X_SKIPPED] == o->nitems                          ? X_SKIPPED
                                                                      : X_OK;
}

void item_over(struct machine *m, struct xitem *it, enum x_end end) {
    struct xopen *o = it->of;
    const struct step *st = item_step(it);
    it->status = XITEM_OVER;
    it->end = (uint8_t)end;
    if (o->vals)
        o->vals[it->index] = cluster_val(m->set, machine_item_val(m, it, end));
    if (st->try_each && (end == X_OK || end == X_SKIPPED) && o->vals)
        o->winner = o->vals[it->index];
    o->items[it->index] = NULL;
    o->over++;
    o->ends[end]++;
    o->failed += x_end_bad(end);
    const enum x_end all = fan_end(st, o, end);
    if (all != X_NONE)
        fan_over(m, o->list, o->fan, all);
}

/* Something of the cluster is looked at once its list is over: that comes later, so an event may come before. */
static bool looks_at_end(const struct xitem *it) {
    const struct step *st = item_step(it);
    return !it->rescuing && (st->verify || st->noutputs || (st->kind == STEP_RUNBOOK && st->sub->npost));
}

static void list_over(struct machine *m, struct xlist *l) {
    if (l->owner && !looks_at_end(l->owner))
        item_inside_over(m, l->owner);
}

static bool list_is_over(const struct xlist *l) {
    return l->first_of ? l->any_ok || l->unknown || l->alt == l->n : l->over == l->n;
}

/* ---- a step's turn ---- */

static void skip(struct machine *m, struct xlist *l, size_t i, bool blocked) {
    l->fans[i].blocked = blocked;
    fan_over(m, l, i, X_SKIPPED);
}

/* The items of a list that only the run will know. */
static const struct val *unknown_items(struct machine *m, const char *path, unsigned n) {
    struct val *list = val_list_new(m->scratch);
    for (unsigned i = 0; i < n; i++)
        val_list_add(m->scratch, list, val_unknown(m->scratch, arena_printf(m->scratch, "%s.item", path)));
    m->bounded = true;
    return cluster_val(m->set, list);
}

/* `if`, then the list. */
static void fan_open(struct machine *m, struct xlist *l, size_t i) {
    const struct step *st = l->steps[i];
    struct xfan *f = &l->fans[i];
    const char *path = machine_path(m, list_path(l), st, NULL, 0);
    if (f->need_failed) {
        skip(m, l, i, true);
        return;
    }
    if (st->cond) {
        bool yes = false;
        const enum call_result r = machine_test(m, st->cond, l->owner, l, &yes);
        if (r == CALL_UNKNOWN) {
            yes = machine_choose(m, 2) == 0;
            machine_note(m, path, yes ? "turns out to be wanted" : "turns out not to be wanted", NULL, X_OK);
        }
        if (r == CALL_UNOBSERVED || r == CALL_ERROR || !yes) {
            skip(m, l, i, r == CALL_UNOBSERVED || r == CALL_ERROR);
            return;
        }
    }
    const struct val *items = NULL;
    if (st->for_each) {
        const enum call_result r = machine_value(m, st->for_each, false, l->owner, l, &items);
        if (r == CALL_UNKNOWN) {
            const unsigned n = machine_choose(m, 3);
            items = unknown_items(m, path, n);
            machine_note(m, path, n == 0 ? "turns out to have no items" : n == 1 ? "turns out to have one item" : "turns out to have two items", NULL, X_OK);
        }
        if (!val_is(items, VAL_LIST) || !val_len(items)) {
            skip(m, l, i, !val_is(items, VAL_LIST));
            return;
        }
    }
    struct xopen *o = arena_new_of(m->scratch, struct xopen);
    *o = (struct xopen){.list = l, .fan = (uint32_t)i, .path = path, .list_val = items, .nitems = st->for_each ? val_len(items) : 1};
    o->items = arena_array(m->scratch, struct xitem *, o->nitems + 1);
    if (machine_reads(m, st))
        o->vals = arena_array(m->scratch, const struct val *, o->nitems + 1);
    f->status = XFAN_OPEN;
    f->open = o;
}

static bool fan_fill(struct machine *m, struct xopen *o) {
    const struct step *st = o->list->steps[o->fan];
    const size_t parallel = st->for_each && !st->try_each ? (size_t)st->parallel : 1;
    if (o->begun == o->nitems || o->begun - o->over >= parallel || (!st->try_each && o->failed > (size_t)st->max_failures))
        return false;
    struct xitem *it = arena_new_of(m->scratch, struct xitem);
    *it = (struct xitem){.of = o, .index = (uint32_t)o->begun, .path = o->path, .status = XITEM_READY};
    if (st->for_each) {
        it->item = cluster_val(m->set, val_at(o->list_val, o->begun));
        it->path = machine_path(m, o->path, NULL, o->list_val, o->begun);
    }
    o->items[o->begun++] = it;
    if (st->kind != STEP_ACTION && st->kind != STEP_COMMAND && st->kind != STEP_PROBE)
        item_begin(m, it);
    return true;
}

/* One thing that follows of itself, if there is one. What it does may end the list, so the caller starts anew. */
static bool follow(struct machine *m, struct xlist *l) {
    while (l->from < l->n && l->fans[l->from].status == XFAN_OVER)
        l->from++;
    for (size_t i = l->from; i < l->n; i++) {
        struct xfan *f = &l->fans[i];
        if (l->first_of && i != l->alt)
            continue;
        if (f->status == XFAN_WAITING && !f->waits) {
            fan_open(m, l, i);
            return true;
        }
        if (f->status != XFAN_OPEN)
            continue;
        if (fan_fill(m, f->open))
            return true;
        for (size_t k = 0; k < f->open->nitems; k++) {
            struct xitem *it = f->open->items[k];
            if (!it || !it->inside)
                continue;
            if (list_is_over(it->inside)) {
                item_inside_over(m, it);
                return true;
            }
            if (follow(m, it->inside))
                return true;
        }
    }
    return false;
}

static void settle(struct machine *m) {
    while (follow(m, m->root) && !m->err->nerrors)
        ;
}

/* ---- transitions ---- */

enum { max_moves = 256 };

struct moves {
    struct xitem *items[max_moves];
    size_t n;
    bool more;     /* there are some that are not looked at */
    size_t active; /* all that can begin or are under way, whether or not they can move now */
};

static const char *membership(const struct xitem *it) {
    const struct step *st = item_step(it);
    return st->def ? val_get_str(st->def->decl, "membership", NULL) : NULL;
}

static void find_items(struct xlist *l, struct moves *mv) {
    for (size_t i = 0; i < l->n; i++) {
        struct xopen *o = l->fans[i].open;
        for (size_t k = 0; o && k < o->nitems; k++) {
            struct xitem *it = o->items[k];
            if (!it)
                continue;
            if (it->inside)
                find_items(it->inside, mv);
            else if (mv->n < max_moves)
                mv->items[mv->n++] = it;
            else
                mv->more = true;
        }
    }
}

static bool held_by_other(const struct moves *mv, const struct xitem *it) {
    const char *mine = membership(it);
    for (size_t i = 0; mine && i < mv->n; i++)
        if (mv->items[i] != it && mv->items[i]->status == XITEM_ACTING) {
            const char *other = membership(mv->items[i]);
            if (other && !strcmp(mine, other))
                return true;
        }
    return false;
}

/* In their own way, waits run out only when nothing else can go on. */
static void find_moves(struct machine *m, struct moves *mv) {
    find_items(m->root, mv);
    mv->active = mv->n;
    if (mv->more)
        m->limit = "256 acts at once";
    size_t n = 0, waits = 0;
    struct xitem *all[max_moves];
    for (size_t i = 0; i < mv->n; i++) {
        struct xitem *it = mv->items[i];
        if (it->status == XITEM_READY && held_by_other(mv, it))
            continue;
        waits += it->status == XITEM_WAITING;
        all[n++] = it;
    }
    mv->n = 0;
    for (size_t i = 0; i < n; i++)
        if (!m->calm || waits == n || all[i]->status != XITEM_WAITING)
            mv->items[mv->n++] = all[i];
}

static void happen(struct machine *m, const struct occurrence *o) {
    m->at = o->to;
    m->events++;
    machine_note(m, o->text, NULL, NULL, X_OK);
    m->notes[m->nnotes - 1].event = true;
}

/* What follows of itself, and then the beginning or the end of one act or wait. A step's turn comes and it begins in one go, so that what its `if`
 * saw still holds; an event happens before that or after it. */
static void go_on(struct machine *m) {
    struct moves mv = {.n = 0};
    settle(m);
    find_moves(m, &mv);
    if (!mv.n)
        return;
    struct xitem *it = mv.items[machine_choose(m, (unsigned)mv.n)];
    if (it->status == XITEM_READY) {
        item_begin(m, it);
        if (it->status == XITEM_ACTING && mv.active == 1)
            item_finish(m, it);
    } else {
        item_finish(m, it);
    }
}

bool machine_step(struct machine *m) {
    const unsigned can_go_on = m->root->over < m->root->n;
    size_t nevents = 0;
    const struct occurrence *events = NULL;
    if (!m->calm && m->events < m->spec->limits.events)
        events = cluster_events(m->set, m->at, &nevents);
    if (!can_go_on && !nevents)
        return false;
    const unsigned k = machine_choose(m, can_go_on + (unsigned)nevents);
    if (k >= can_go_on)
        happen(m, &events[k - can_go_on]);
    else
        go_on(m);
    return true;
}

void machine_start(struct machine *m) {
    const struct step *root = m->spec->rb->root;
    m->root = control_list(m->scratch, NULL, root->children, root->nchildren, false);
}

/* ---- making ---- */

static void read_see(void *ud, const struct expr *e) {
    struct map *read = ud;
    for (size_t i = 0; e && i < e->nrefs; i++)
        if (!strcmp(e->refs[i].names[0], "steps")) {
            if (e->refs[i].n > 1)
                map_put(read, e->refs[i].names[1], read);
            else
                map_put(read, "", read); /* all of them */
        }
}

static void read_step(struct map *read, const struct step *st) {
    const struct tmpl *tmpls[] = {st->with, st->argv, st->on, st->for_each, st->timeout, st->parallel_tmpl};
    for (size_t i = 0; i < sizeof tmpls / sizeof *tmpls; i++)
        if (tmpls[i])
            tmpl_each(tmpls[i], read_see, read);
    for (size_t i = 0; i < st->neffects; i++)
        tmpl_each(st->effects[i].value, read_see, read);
    for (size_t i = 0; i < st->noutputs; i++)
        tmpl_each(st->outputs[i].value, read_see, read);
    read_see(read, st->cond);
    read_see(read, st->unless);
    read_see(read, st->verify);
    read_see(read, st->wait);
}

static void read_runbook(struct map *read, struct map *done, const struct runbook *rb) {
    if (map_get(done, rb->digest))
        return;
    map_put(done, rb->digest, done);
    for (size_t i = 0; i < rb->nall; i++) {
        read_step(read, rb->all[i]);
        if (rb->all[i]->sub)
            read_runbook(read, done, rb->all[i]->sub);
    }
    for (size_t i = 0; i < rb->npost; i++)
        read_see(read, rb->post[i].expr);
}

void machine_init(struct machine *m, const struct explore_spec *spec, struct cluster_set *set, struct arena *a, struct err *err) {
    *m = (struct machine){.spec = spec, .arena = a, .set = set, .memo = table_new(), .names = table_new(), .read = map_new(a),
                          .left_out = map_new(a), .err = err};
    read_runbook(m->read, map_new(a), spec->rb);
}

void machine_done(struct machine *m) {
    table_free(m->memo);
    table_free(m->names);
}
