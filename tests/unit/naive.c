#include "naive.h"

#include <stdlib.h>
#include <string.h>

const char *const naive_vars[] = {"x", "y", "z"}, *const naive_words[] = {"", "half", "never", "bad"};

/* ---- all instances of steps: lists are constant, so they are known beforehand ---- */

struct list {
    int owner, first, n; /* item, or -1; fans */
    bool first_of;
};

struct plan {
    const struct naive_plan *of;
    struct fan_of {
        const struct naive_step *step;
        int list, place, first, n; /* items */
    } fans[NAIVE_FANS];
    struct item_of {
        int fan, value;
        int inside, rescue; /* lists, or -1 */
    } items[NAIVE_ITEMS];
    struct list lists[NAIVE_ITEMS];
    int nfans, nitems, nlists;
    bool too_many;
    struct naive_result *ret;
    size_t most;
    bool calm;
};

static int list_make(struct plan *p, const struct naive_list *l, int owner, int value, bool first_of) {
    if (!l->n)
        return -1;
    if (p->nlists == NAIVE_ITEMS || p->nfans + l->n > NAIVE_FANS) {
        p->too_many = true;
        return -1;
    }
    const int at = p->nlists++, first = p->nfans;
    p->lists[at] = (struct list){.owner = owner, .first = first, .n = l->n, .first_of = first_of};
    p->nfans += l->n;
    for (int i = 0; i < l->n && !p->too_many; i++) {
        const struct naive_step *st = l->steps[i];
        const int n = st->nitems ? st->nitems : 1;
        if (p->nitems + n > NAIVE_ITEMS) {
            p->too_many = true;
            break;
        }
        p->fans[first + i] = (struct fan_of){.step = st, .list = at, .place = i, .first = p->nitems, .n = n};
        p->nitems += n;
        for (int k = 0; k < n && !p->too_many; k++) {
            const int item = p->fans[first + i].first + k, v = st->nitems ? st->items[k] : value;
            p->items[item] = (struct item_of){.fan = first + i, .value = v};
            p->items[item].inside = list_make(p, &st->inside, item, v, st->kind == NAIVE_FIRST);
            p->items[item].rescue = list_make(p, &st->rescue, item, v, false);
        }
    }
    return at;
}

/* ---- what they have come to ---- */

enum end { END_NONE, END_OK, END_FAILED, END_UNKNOWN, END_SKIPPED };
enum fan_status { FAN_WAITS, FAN_OPEN, FAN_OVER };
enum item_status { ITEM_NEW, ITEM_READY, ITEM_ACTING, ITEM_WAITING, ITEM_INSIDE, ITEM_RESCUING, ITEM_OVER };

struct now {
    struct naive_world w;
    int events, length;
    struct {
        unsigned char status, end;
        bool blocked;
    } fan[NAIVE_FANS];
    struct {
        unsigned char status, end;
        int attempt, by, was;
    } item[NAIVE_ITEMS];
};

static bool is_bad(const struct plan *p, const struct now *s, int fan) {
    const int end = s->fan[fan].end;
    return s->fan[fan].blocked || end == END_UNKNOWN || (end == END_FAILED && !p->fans[fan].step->go_on);
}

static int value_of(const struct plan *p, const struct now *s, int item, struct naive_value v) {
    return v.kind == VALUE_CONST ? v.k : v.kind == VALUE_ITEM ? p->items[item].value : s->w.n[v.var] + v.k;
}

/* Not for what is unknown. list: whose steps it can read. */
static bool holds(const struct plan *p, const struct now *s, int list, struct naive_expr e) {
    const int v = e.test == TEST_EQ || e.test == TEST_GE || e.test == TEST_LT ? s->w.n[e.var] : 0;
    switch (e.test) {
    case TEST_EQ:
        return v == e.k;
    case TEST_GE:
        return v >= e.k;
    case TEST_LT:
        return v < e.k;
    case TEST_WORD:
        return (int)s->w.word == e.k;
    case TEST_FAILED: {
        const int end = s->fan[p->lists[list].first + e.k].end;
        return end == END_FAILED || end == END_UNKNOWN;
    }
    case TEST_SKIPPED:
        return s->fan[p->lists[list].first + e.k].end == END_SKIPPED;
    case TEST_NONE:
    case TEST_UNKNOWN:
        break;
    }
    abort();
}

/* ---- what ends, and what that ends in turn ---- */

static void item_ends(const struct plan *p, struct now *s, int item, enum end end);

static void fan_ends(struct now *s, int fan, enum end end, bool blocked) {
    s->fan[fan].status = FAN_OVER;
    s->fan[fan].end = (unsigned char)end;
    s->fan[fan].blocked = blocked;
}

/* A list in which every step is over, or, of first_of, one of them has settled it. */
static bool list_over(const struct plan *p, const struct now *s, int list, enum end *ret) {
    const struct list *l = &p->lists[list];
    bool bad = false, unknown = false;
    for (int i = l->first; i < l->first + l->n; i++) {
        const struct fan_of *f = &p->fans[i];
        const bool already = s->fan[i].end == END_SKIPPED && f->n && s->item[f->first].status == ITEM_OVER; /* by its `unless` */
        if (l->first_of && s->fan[i].status == FAN_OVER && (s->fan[i].end == END_OK || s->fan[i].end == END_UNKNOWN || already)) {
            *ret = already ? END_OK : s->fan[i].end;
            return true;
        }
        if (s->fan[i].status != FAN_OVER)
            return false;
        bad |= is_bad(p, s, i);
        unknown |= s->fan[i].end == END_UNKNOWN;
    }
    *ret = l->first_of ? END_FAILED : !bad ? END_OK : unknown ? END_UNKNOWN : END_FAILED;
    return true;
}

/* An act, a wait or what is inside of it has come to its end. */
static void item_done(const struct plan *p, struct now *s, int item, enum end end) {
    const struct item_of *it = &p->items[item];
    const struct fan_of *f = &p->fans[it->fan];
    const struct naive_step *st = f->step;
    if (end == END_OK && st->verify.test && !holds(p, s, f->list, st->verify))
        end = END_FAILED;
    if (end == END_FAILED && ++s->item[item].attempt < st->attempts) {
        s->item[item].status = ITEM_READY;
        return;
    }
    if (end == END_FAILED && it->rescue >= 0) {
        s->item[item].status = ITEM_RESCUING;
        return;
    }
    item_ends(p, s, item, end);
}

static void item_ends(const struct plan *p, struct now *s, int item, enum end end) {
    const int fan = p->items[item].fan;
    const struct fan_of *f = &p->fans[fan];
    s->item[item].status = ITEM_OVER;
    s->item[item].end = (unsigned char)end;
    int n[END_SKIPPED + 1] = {0}, busy = 0, over = 0;
    for (int i = f->first; i < f->first + f->n; i++) {
        n[s->item[i].end]++;
        over += s->item[i].status == ITEM_OVER;
        busy += s->item[i].status != ITEM_OVER && s->item[i].status != ITEM_NEW && !(s->item[i].status == ITEM_READY && !s->item[i].attempt);
    }
    if (f->step->try_each) {
        if (end != END_FAILED || over == f->n) /* already so: there is nothing to try any more */
            fan_ends(s, fan, end == END_SKIPPED ? END_OK : end, false);
        return;
    }
    const bool gave_up = n[END_FAILED] + n[END_UNKNOWN] > f->step->max_failures;
    if (gave_up ? busy > 0 : over < f->n)
        return;
    for (int i = f->first; i < f->first + f->n; i++)
        if (s->item[i].status == ITEM_READY)
            s->item[i].status = ITEM_NEW; /* its turn had come, but it never began */
    if (!gave_up && f->n > 1 && n[END_SKIPPED] < f->n) /* as many may fail */
        end = END_OK;
    else
        end = n[END_UNKNOWN] ? END_UNKNOWN : n[END_FAILED] ? END_FAILED : n[END_SKIPPED] == f->n ? END_SKIPPED : END_OK;
    fan_ends(s, fan, end, false);
}

/* ---- what follows of itself ---- */

static bool list_is_on(const struct plan *p, const struct now *s, int list) {
    const int owner = p->lists[list].owner;
    if (owner < 0)
        return true;
    return s->item[owner].status == (p->items[owner].inside == list ? ITEM_INSIDE : ITEM_RESCUING);
}

static bool turn_has_come(const struct plan *p, const struct now *s, int fan, bool *ret_blocked) {
    const struct fan_of *f = &p->fans[fan];
    const struct list *l = &p->lists[f->list];
    *ret_blocked = false;
    for (int i = 0; i < l->n; i++) {
        const bool needs = l->first_of ? i < f->place : f->step->own_needs ? f->step->needs >> i & 1 : i == f->place - 1;
        if (!needs)
            continue;
        if (s->fan[l->first + i].status != FAN_OVER)
            return false;
        *ret_blocked |= !l->first_of && is_bad(p, s, l->first + i);
    }
    return true;
}

static bool is_act(const struct naive_step *st) {
    return st->kind <= NAIVE_COMMAND;
}

/* An act looks at `unless` only when it begins, which may be later: others may come first, and it may have to wait for a free slot. */
static void item_turn(const struct plan *p, struct now *s, int item) {
    const struct item_of *it = &p->items[item];
    const struct fan_of *f = &p->fans[it->fan];
    const struct naive_step *st = f->step;
    if (is_act(st))
        s->item[item].status = ITEM_READY;
    else if (st->unless.test && holds(p, s, f->list, st->unless))
        item_ends(p, s, item, END_SKIPPED);
    else if (st->kind == NAIVE_GROUP || st->kind == NAIVE_FIRST)
        s->item[item].status = ITEM_INSIDE;
    else if (holds(p, s, f->list, st->wait))
        item_done(p, s, item, END_OK);
    else
        s->item[item].status = ITEM_WAITING;
}

/* The next item of an open fan that may begin, or -1. */
static int next_item(const struct plan *p, const struct now *s, int fan) {
    const struct fan_of *f = &p->fans[fan];
    int busy = 0, failed = 0;
    for (int i = f->first; i < f->first + f->n && !f->step->try_each; i++)
        failed += s->item[i].end == END_FAILED || s->item[i].end == END_UNKNOWN;
    if (failed > f->step->max_failures)
        return -1;
    for (int i = f->first; i < f->first + f->n; i++) {
        if (s->item[i].status == ITEM_NEW)
            return busy < f->step->parallel ? i : -1;
        busy += s->item[i].status != ITEM_OVER;
    }
    return -1;
}

/* One thing of those; false: nothing is left. ret_ask: a step whose `if` only the run will know. */
static bool follow(const struct plan *p, struct now *s, int *ret_ask) {
    for (int i = 0; i < p->nlists; i++) {
        enum end end;
        if (p->lists[i].owner >= 0 && list_is_on(p, s, i) && list_over(p, s, i, &end)) {
            if (p->items[p->lists[i].owner].inside == i)
                item_done(p, s, p->lists[i].owner, end);
            else
                item_ends(p, s, p->lists[i].owner, end);
            return true;
        }
    }
    for (int i = 0; i < p->nfans; i++) {
        const struct fan_of *f = &p->fans[i];
        bool blocked;
        if (!list_is_on(p, s, f->list))
            continue;
        if (s->fan[i].status == FAN_WAITS && turn_has_come(p, s, i, &blocked)) {
            if (blocked)
                fan_ends(s, i, END_SKIPPED, true);
            else if (f->step->cond.test == TEST_UNKNOWN)
                *ret_ask = i;
            else if (f->step->cond.test && !holds(p, s, f->list, f->step->cond))
                fan_ends(s, i, END_SKIPPED, false);
            else
                s->fan[i].status = FAN_OPEN;
            return true;
        }
        const int next = s->fan[i].status == FAN_OPEN ? next_item(p, s, i) : -1;
        if (next >= 0) {
            item_turn(p, s, next);
            return true;
        }
    }
    return false;
}

/* ---- what happens ---- */

static bool go(struct plan *p, struct now s);

static void broken(struct plan *p, enum naive_rule rule, int length) {
    int *known = &p->ret->length[rule];
    if (!*known || length < *known)
        *known = length;
}

/* Goes on from a world that has changed, unless a rule forbids the change. */
static bool happened(struct plan *p, const struct now *from, struct now s, bool event) {
    s.length++;
    const bool cap = !event && s.w.n[NAIVE_X] > 3 && from->w.n[NAIVE_X] <= 3, bad = s.w.word == WORD_BAD && from->w.word != WORD_BAD;
    if (p->calm || !(cap || bad))
        return go(p, s);
    if (cap)
        broken(p, RULE_CAP, s.length);
    if (bad)
        broken(p, RULE_BAD_END, s.length);
    return ++p->ret->leaves <= p->most;
}

/* The act or the wait ends so. ok: as planned. */
static bool ends_so(struct plan *p, const struct now *from, const struct now *s, int item, struct naive_world w, enum end end, bool ok) {
    if (p->calm && !ok)
        return true;
    struct now t = *s;
    t.w = w;
    item_done(p, &t, item, end);
    return happened(p, from, t, false);
}

/* Nobody answered: `done` tells on the world as it is, if it can. */
static bool no_answer(struct plan *p, const struct now *from, const struct now *s, int item, struct naive_world w) {
    const struct naive_step *st = p->fans[p->items[item].fan].step;
    enum end end = END_UNKNOWN;
    if (st->kind == NAIVE_ADD)
        end = w.n[st->to] == s->item[item].was + s->item[item].by ? END_OK : END_FAILED;
    if (st->kind == NAIVE_ONCE)
        end = w.n[NAIVE_X] == 1 ? END_OK : END_FAILED;
    return ends_so(p, from, s, item, w, end, false);
}

static void effect(const struct plan *p, const struct now *s, int item, struct naive_world *w) {
    const struct naive_step *st = p->fans[p->items[item].fan].step;
    if (st->effect && st->effect_word)
        w->word = st->word;
    else if (st->effect)
        w->n[st->effect_var] = value_of(p, s, item, st->effect_value);
}

/* s: the act has begun. */
static bool act_ends(struct plan *p, const struct now *from, const struct now *s, int item) {
    const struct naive_step *st = p->fans[p->items[item].fan].step;
    struct naive_world w = s->w, half = s->w, twice = s->w;
    if (st->kind == NAIVE_ONCE) { /* only where x is 0 */
        w.n[NAIVE_X] = 1;
        if (s->w.n[NAIVE_X] > 0)
            return ends_so(p, from, s, item, s->w, END_FAILED, true) && no_answer(p, from, s, item, s->w);
    } else if (st->kind == NAIVE_COMMAND)
        effect(p, s, item, &w);
    else
        w.n[st->to] += st->kind == NAIVE_ADD ? s->item[item].by : 1;
    if (!ends_so(p, from, s, item, w, END_OK, true) || !ends_so(p, from, s, item, s->w, END_FAILED, false) ||
        !no_answer(p, from, s, item, w) || !no_answer(p, from, s, item, s->w))
        return false;
    if (st->kind == NAIVE_COMMAND) /* what it says at its end tells nothing of what it did */
        return ends_so(p, from, s, item, w, END_FAILED, false);
    if (st->kind != NAIVE_RISK)
        return true;
    twice.n[st->to] += 2;
    half.word = WORD_HALF;
    if (!ends_so(p, from, s, item, twice, END_OK, false) || !ends_so(p, from, s, item, half, END_FAILED, false))
        return false;
    half.word = WORD_NEVER;
    return !s->w.n[NAIVE_Z] || ends_so(p, from, s, item, half, END_FAILED, false);
}

static bool wait_ends(struct plan *p, const struct now *s, int item) {
    const struct fan_of *f = &p->fans[p->items[item].fan];
    struct naive_world w = s->w;
    if (holds(p, s, f->list, f->step->wait))
        return ends_so(p, s, s, item, w, END_OK, true);
    if (!f->step->effect) /* nothing that the plan knows of will make it hold */
        return ends_so(p, s, s, item, w, END_FAILED, true);
    effect(p, s, item, &w);
    return ends_so(p, s, s, item, w, END_OK, true) && ends_so(p, s, s, item, s->w, END_FAILED, false);
}

static bool act_begins(struct plan *p, const struct now *s, int item, bool alone) {
    const struct naive_step *st = p->fans[p->items[item].fan].step;
    struct now t = *s;
    if (st->unless.test && !s->item[item].attempt && holds(p, s, p->fans[p->items[item].fan].list, st->unless)) {
        item_ends(p, &t, item, END_SKIPPED);
        return happened(p, s, t, false);
    }
    t.item[item].status = ITEM_ACTING;
    if (st->kind == NAIVE_ADD) {
        if (!s->item[item].attempt) /* the second attempt is with the same */
            t.item[item].by = value_of(p, s, item, st->by);
        t.item[item].was = s->w.n[st->to];
    }
    return alone ? act_ends(p, s, &t, item) : happened(p, s, t, false);
}

static bool is_member(const struct plan *p, int item) {
    const struct naive_step *st = p->fans[p->items[item].fan].step;
    return st->kind == NAIVE_RISK || st->member;
}

/* What follows of itself, and then one act or wait. */
static bool go_on(struct plan *p, struct now s) {
    int ask = -1, active = 0, members = 0, waits = 0;
    while (follow(p, &s, &ask))
        if (ask >= 0) {
            struct now no = s;
            fan_ends(&no, ask, END_SKIPPED, false);
            s.fan[ask].status = FAN_OPEN;
            return go_on(p, no) && go_on(p, s);
        }
    for (int i = 0; i < p->nitems; i++) {
        active += s.item[i].status == ITEM_READY || s.item[i].status == ITEM_ACTING || s.item[i].status == ITEM_WAITING;
        waits += s.item[i].status == ITEM_WAITING;
        members += s.item[i].status == ITEM_ACTING && is_member(p, i);
    }
    if (!active) {
        if (p->calm && s.w.n[NAIVE_Y] % 2 && !(p->of->start.n[NAIVE_Y] % 2))
            broken(p, RULE_EVEN, 1);
        return ++p->ret->leaves <= p->most;
    }
    for (int i = 0; i < p->nitems; i++) {
        bool within = true;
        if (s.item[i].status == ITEM_ACTING)
            within = act_ends(p, &s, &s, i);
        else if (s.item[i].status == ITEM_WAITING && (!p->calm || waits == active)) /* undisturbed, acts are quicker than what is waited for */
            within = wait_ends(p, &s, i);
        else if (s.item[i].status == ITEM_READY && !(members && is_member(p, i)))
            within = act_begins(p, &s, i, active == 1);
        if (!within)
            return false;
    }
    return true;
}

static bool go(struct plan *p, struct now s) {
    if (!p->calm && s.events < p->of->events)
        for (int i = 0; i < 3; i++) {
            struct now t = s;
            t.events++;
            if (i == 2 && s.w.n[NAIVE_Z] == 1)
                t.w.word = WORD_BAD;
            else if (i < 2 && s.w.n[NAIVE_Z] > 1)
                t.w.n[i]++;
            else
                continue;
            if (!happened(p, &s, t, true))
                return false;
        }
    return go_on(p, s);
}

bool naive_enumerate(const struct naive_plan *np, size_t most, struct naive_result *ret) {
    struct plan *p = calloc(1, sizeof *p);
    p->of = np;
    p->ret = ret;
    p->most = most;
    *ret = (struct naive_result){.leaves = 0};
    list_make(p, &np->root, -1, 0, false);
    bool within = !p->too_many;
    for (int calm = 0; calm < 2 && within; calm++) {
        p->calm = calm;
        within = go(p, (struct now){.w = np->start});
    }
    free(p);
    return within;
}
