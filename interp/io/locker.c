#include "io/locker.h"

#include "value/json.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const int64_t request_ms = 5000;  /* of one request; an engine that takes longer is silent */
static const int64_t watch_ms = 3000;    /* between two looks */
static const int64_t fresh_ms = 1000;    /* what a removal rests on may not be older */
static const int64_t remove_ms = 3000;   /* of its request */
/* After a lock of our own run was taken over: another `resume` may have had the same thought, and what it asked for has arrived by then. */
static const int64_t settle_ms = 4500;
static const int64_t jitter_ms = 300;
enum { max_tries = 8, max_looks = 3 };

static const char volume_path[] = "/volumes/" LOCK_VOLUME, create_path[] = "/volumes/create";

enum op { OP_LOOK, OP_CREATE, OP_CLEAR /* looks, and then removes what is ours to remove */, OP_REMOVE, OP_WATCH, OP_EXTEND };

struct site_engine {
    struct locker *k;
    size_t at;          /* in the inventory */
    enum op op;
    int64_t asked;      /* when; monotonic ms */
    int looks;          /* that came too late to remove something */
    bool busy;          /* a request is under way */
    bool round;         /* which the round waits for */
    bool maybe;         /* it was asked to create our volume, and what became of it is not known */
    bool removed;       /* it was asked to remove it: never twice, for the second could hit whoever comes next */
    bool clear;         /* wanted as soon as it is not busy */
};

struct locker {
    struct arena *arena;
    struct locker_spec spec;
    struct lock_holder who;
    size_t n;
    struct site_engine *engines;
    struct lock_answer *answers, *refused_for;
    bool *had;
    const char *breaks;  /* the run whose lock is being broken, or NULL */
    size_t pending;      /* engines that the round waits for */
    void (*next)(struct locker *k);
    locker_fn *done;
    void *ud;
    enum lock_verdict verdict;
    int tries;
    bool stopped, took_over, watching, minority, kept, resumed, used;
    uint64_t timer;
    const char *lost;
    void (*told)(void *ud, const char *why);
    void *told_ud;
};

struct engines_wire {
    struct lock_wire wire;
    struct engines *engines;
};

static void wire_call(struct lock_wire *w, const struct engine_call *call) {
    engines_call(((struct engines_wire *)w)->engines, call);
}

struct lock_wire *lock_wire_engines(struct arena *a, struct engines *e) {
    struct engines_wire *w = arena_new_of(a, struct engines_wire);
    *w = (struct engines_wire){.wire = {.call = wire_call}, .engines = e};
    return &w->wire;
}

struct locker *locker_new(struct arena *a, const struct locker_spec *spec) {
    struct locker *k = arena_new_of(a, struct locker);
    *k = (struct locker){.arena = a, .spec = *spec, .who = spec->who};
    while (spec->nodes[k->n])
        k->n++;
    k->engines = arena_array(a, struct site_engine, k->n + 1);
    k->answers = arena_array(a, struct lock_answer, k->n + 1);
    k->had = arena_array(a, bool, k->n + 1);
    for (size_t i = 0; i < k->n; i++) {
        k->engines[i] = (struct site_engine){.k = k, .at = i};
        k->answers[i] = (struct lock_answer){.node = spec->nodes[i], .why = "not asked"};
        k->had[i] = false;
    }
    return k;
}

/* ---- one request ---- */

static void on_answer(void *ud, const struct http_result *r);

static void ask(struct site_engine *e, enum op op) {
    struct locker *k = e->k;
    struct buf b = BUF_INIT;
    struct engine_call call = {.node = k->spec.nodes[e->at], .method = "GET", .path = volume_path, .timeout_ms = request_ms, .done = on_answer, .ud = e};
    assert(!e->busy);
    e->op = op;
    e->busy = true;
    e->asked = loop_now(k->spec.loop);
    if (op == OP_CREATE || op == OP_EXTEND) {
        lock_request(&k->who, &b);
        call.method = "POST";
        call.path = create_path;
        call.body = b.data;
    } else if (op == OP_REMOVE) {
        call.method = "DELETE";
        call.timeout_ms = remove_ms;
        e->removed = true;
    }
    k->spec.wire->call(k->spec.wire, &call);
    buf_done(&b);
}

static const char *engine_words(struct arena *a, const struct http_result *r) {
    if (r->failure != HTTP_OK)
        return arena_strdup(a, r->message && *r->message ? r->message : http_failure_name(r->failure));
    struct arena *scratch = arena_new();
    const struct val *v;
    const char *words = json_parse(scratch, "answer", r->body ? r->body : "", r->len, &v, err_new(scratch)) ? val_get_str(v, "message", "") : "";
    const char *s = arena_printf(a, "it answers %ld%s%.200s", r->status, *words ? ": " : "", words);
    arena_free(scratch);
    return s;
}

static bool is_ours(const struct locker *k, const struct lock_holder *h) {
    return k->who.token && !strcmp(h->token, k->who.token) && !strcmp(h->run, k->who.run);
}

/* Texts are kept only if they are new: a watch goes on for hours. */
static void seen_holder(struct locker *k, struct lock_answer *ans, const struct lock_holder *h) {
    const struct lock_holder *old = &ans->holder;
    ans->seen = is_ours(k, h) ? LOCK_OURS : LOCK_OTHERS;
    if (old->run && !strcmp(old->run, h->run) && !strcmp(old->token, h->token))
        return;
    ans->holder = *h;
    ans->holder.run = arena_strdup(k->arena, h->run);
    ans->holder.user = arena_strdup(k->arena, h->user);
    ans->holder.host = arena_strdup(k->arena, h->host);
    ans->holder.token = arena_strdup(k->arena, h->token);
}

/* Takes what an engine said about the volume. false: it said nothing of use. */
static bool take_answer(struct site_engine *e, const struct http_result *r) {
    struct lock_answer *ans = &e->k->answers[e->at];
    const bool ok = r->failure == HTTP_OK;
    struct arena *scratch = arena_new();
    struct lock_holder h;
    bool told = true;
    if (ok && e->op == OP_REMOVE && (r->status == 204 || r->status == 404)) {
        ans->seen = LOCK_FREE;
        e->maybe = false;
    } else if (ok && r->status == 404 && e->op != OP_CREATE && e->op != OP_EXTEND) {
        ans->seen = LOCK_FREE;
    } else if (ok && (r->status == 200 || r->status == 201) && r->body && lock_read(scratch, r->body, r->len, &h)) {
        seen_holder(e->k, ans, &h);
        e->maybe = false; /* whatever became of it: our volume is there, or another's and then it cannot be made any more */
    } else {
        told = false;
    }
    if ((e->op == OP_CREATE || e->op == OP_EXTEND) && !told && r->sent)
        e->maybe = true;
    arena_free(scratch);
    return told;
}

static void silent(struct site_engine *e, const struct http_result *r) {
    struct lock_answer *ans = &e->k->answers[e->at];
    ans->seen = LOCK_SILENT;
    ans->why = engine_words(e->k->arena, r);
}

/* ---- rounds: each engine once, then what follows ---- */

static void round_begin(struct locker *k, void (*next)(struct locker *k)) {
    k->next = next;
    k->pending = 1; /* until all are asked */
}

static void round_one_over(struct locker *k) {
    if (--k->pending == 0)
        k->next(k);
}

static void round_ask(struct site_engine *e, enum op op) {
    e->round = true;
    e->k->pending++;
    ask(e, op);
}

/* Inside a round: e may be busy with a look of the watch. */
static void round_clear(struct site_engine *e) {
    e->looks = 0;
    if (!e->busy) {
        round_ask(e, OP_CLEAR);
        return;
    }
    e->clear = true;
    e->k->pending++;
}

static void on_watched(struct site_engine *e);

static bool may_remove(const struct site_engine *e) {
    const struct locker *k = e->k;
    const struct lock_answer *ans = &k->answers[e->at];
    if (e->removed)
        return false;
    return k->breaks ? ans->seen == LOCK_OTHERS && !strcmp(ans->holder.run, k->breaks) : ans->seen == LOCK_OURS;
}

static void on_answer(void *ud, const struct http_result *r) {
    struct site_engine *e = ud;
    struct locker *k = e->k;
    const bool round = e->round;
    e->busy = e->round = false;
    const bool told = take_answer(e, r);
    if (!told && !(e->op == OP_WATCH || e->op == OP_EXTEND))
        silent(e, r);
    if (e->op == OP_CLEAR && told && may_remove(e)) {
        const bool fresh = loop_now(k->spec.loop) - e->asked <= fresh_ms;
        if (fresh || ++e->looks < max_looks) {
            e->round = true;
            ask(e, fresh ? OP_REMOVE : OP_CLEAR);
            return;
        }
    }
    if (e->clear) {
        e->clear = false;
        e->round = true;
        ask(e, OP_CLEAR);
        return;
    }
    if (round)
        round_one_over(k);
    else
        on_watched(e);
}

/* ---- taking ---- */

static void finish(struct locker *k, enum lock_verdict v) {
    k->verdict = v;
    for (size_t i = 0; i < k->n; i++)
        k->had[i] = k->answers[i].seen == LOCK_OURS;
    k->minority = v == LOCK_MINORITY;
    k->done(k->ud);
}

static void given_back(struct locker *k) {
    finish(k, LOCK_REFUSED);
}

static void clear_all(struct locker *k, void (*next)(struct locker *k)) {
    round_begin(k, next);
    for (size_t i = 0; i < k->n; i++)
        if (k->answers[i].seen == LOCK_OURS || k->engines[i].maybe)
            round_clear(&k->engines[i]);
    round_one_over(k);
}

static void refuse(struct locker *k) {
    k->refused_for = arena_array(k->arena, struct lock_answer, k->n + 1);
    memcpy(k->refused_for, k->answers, k->n * sizeof *k->answers);
    if (k->resumed && k->stopped)
        given_back(k);
    else
        clear_all(k, given_back);
}

static void create(struct locker *k);

static void again(void *ud) {
    struct locker *k = ud;
    k->timer = 0;
    create(k);
}

static void judge(struct locker *k) {
    const enum lock_verdict v = k->stopped ? LOCK_REFUSED : lock_judge(k->answers, k->n, k->who.run);
    if (v == LOCK_REFUSED || (v == LOCK_WAIT && ++k->tries >= max_tries)) {
        refuse(k);
    } else if (v == LOCK_WAIT) {
        struct clock *c = loop_clock(k->spec.loop);
        k->timer = loop_timer(k->spec.loop, jitter_ms + (int64_t)(c->random(c) % (uint64_t)(jitter_ms * k->tries)), again, k);
    } else {
        finish(k, v);
    }
}

static void confirm(void *ud) {
    struct locker *k = ud;
    k->timer = 0;
    round_begin(k, judge);
    for (size_t i = 0; i < k->n; i++)
        if (k->answers[i].seen == LOCK_OURS)
            round_ask(&k->engines[i], OP_LOOK);
    round_one_over(k);
}

static void created(struct locker *k) {
    if (!k->took_over || k->stopped) {
        judge(k);
        return;
    }
    k->took_over = false;
    k->timer = loop_timer(k->spec.loop, settle_ms, confirm, k);
}

static void create(struct locker *k) {
    round_begin(k, created);
    for (size_t i = 0; i < k->n && !k->stopped; i++)
        if (k->answers[i].seen == LOCK_FREE || k->answers[i].seen == LOCK_OTHERS)
            round_ask(&k->engines[i], OP_CREATE);
    round_one_over(k);
}

static void cleared(struct locker *k) {
    k->breaks = NULL;
    for (size_t i = 0; i < k->n; i++)
        k->engines[i].removed = k->engines[i].removed && k->answers[i].seen == LOCK_SILENT; /* that one is left alone */
    create(k);
}

static void name_holder(struct locker *k) {
    struct clock *c = loop_clock(k->spec.loop);
    k->who.since = c->wall_ms(c);
    k->who.fence = lock_fence(k->answers, k->n, k->who.since);
    k->who.token = arena_printf(k->arena, "%016llx", (unsigned long long)c->random(c));
}

static void looked(struct locker *k) {
    bool own = false, others = k->stopped;
    for (size_t i = 0; i < k->n; i++)
        if (k->answers[i].seen == LOCK_OTHERS) {
            const bool same_run = k->spec.resume && !strcmp(k->answers[i].holder.run, k->who.run);
            own |= same_run;
            others |= !same_run;
        }
    if (others) { /* nothing was changed yet */
        refuse(k);
        return;
    }
    name_holder(k);
    if (!own) {
        create(k);
        return;
    }
    k->took_over = k->resumed = true;
    k->breaks = k->who.run;
    round_begin(k, cleared);
    for (size_t i = 0; i < k->n; i++)
        if (k->answers[i].seen == LOCK_OTHERS)
            round_clear(&k->engines[i]);
    round_one_over(k);
}

static void look_all(struct locker *k, void (*next)(struct locker *k)) {
    round_begin(k, next);
    for (size_t i = 0; i < k->n; i++)
        round_ask(&k->engines[i], OP_LOOK);
    round_one_over(k);
}

void locker_take(struct locker *k, locker_fn *done, void *ud) {
    k->done = done;
    k->ud = ud;
    look_all(k, looked);
}

void locker_stop(struct locker *k) {
    k->stopped = true;
}

bool locker_stopped(const struct locker *k) {
    return k->stopped;
}

enum lock_verdict locker_verdict(const struct locker *k) {
    return k->verdict;
}

const struct lock_answer *locker_answers(const struct locker *k, size_t *ret_n) {
    *ret_n = k->n;
    return k->refused_for ? k->refused_for : k->answers;
}

bool locker_left(const struct locker *k, size_t i) {
    return k->answers[i].seen == LOCK_OURS || k->engines[i].maybe || (k->engines[i].removed && k->answers[i].seen == LOCK_SILENT);
}

const struct lock_holder *locker_holder(const struct locker *k) {
    return &k->who;
}

/* ---- keeping it in sight ---- */

static void tell(void *ud) {
    struct locker *k = ud;
    if (k->told && k->lost) {
        void (*told)(void *, const char *) = k->told;
        k->told = NULL;
        told(k->told_ud, k->lost);
    }
}

static const char *lost_text(struct locker *k) {
    struct buf b = BUF_INIT;
    buf_adds(&b, "the lock is lost:");
    for (size_t i = 0; i < k->n; i++) {
        const struct lock_answer *ans = &k->answers[i];
        if (ans->seen == LOCK_OTHERS) {
            buf_printf(&b, " %s has that of ", ans->node);
            lock_describe(&ans->holder, &b);
            buf_addc(&b, ';');
        } else if (k->had[i] && ans->seen == LOCK_FREE) {
            buf_printf(&b, " it is gone from %s;", ans->node);
        }
    }
    const char *s = arena_strndup(k->arena, b.data, b.len - 1);
    buf_done(&b);
    return s;
}

static void on_watched(struct site_engine *e) {
    struct locker *k = e->k;
    struct lock_answer *ans = &k->answers[e->at];
    if (!k->watching)
        return;
    if (k->minority && ans->seen == LOCK_FREE && !k->had[e->at] && !e->removed && e->op == OP_WATCH) {
        ask(e, OP_EXTEND);
        return;
    }
    if (ans->seen == LOCK_OURS)
        k->had[e->at] = true;
    size_t ours = 0, others = 0;
    for (size_t i = 0; i < k->n; i++) {
        ours += k->answers[i].seen == LOCK_OURS;
        others += k->answers[i].seen == LOCK_OTHERS;
    }
    if (k->minority && ours >= lock_majority(k->n) && !others)
        k->minority = false;
    if (!k->lost && lock_lost(k->answers, k->had, k->n, k->minority)) {
        k->lost = lost_text(k);
        tell(k);
    }
}

static void look_again(void *ud) {
    struct locker *k = ud;
    k->timer = 0;
    if (!k->watching)
        return;
    for (size_t i = 0; i < k->n; i++)
        if (!k->engines[i].busy && (k->minority || k->had[i]))
            ask(&k->engines[i], OP_WATCH);
    k->timer = loop_timer(k->spec.loop, watch_ms, look_again, k);
}

void locker_watch(struct locker *k) {
    k->watching = true;
    look_again(k);
}

void locker_tell(struct locker *k, void (*told)(void *ud, const char *why), void *ud) {
    k->told = told;
    k->told_ud = ud;
    k->used |= told != NULL;
    if (told && k->lost)
        loop_timer(k->spec.loop, 0, tell, k);
}

bool locker_untouched(const struct locker *k) {
    return k->resumed && !k->used;
}

const char *locker_lost(const struct locker *k) {
    return k->lost;
}

static void unwatch(struct locker *k) {
    k->watching = false;
    loop_timer_stop(k->spec.loop, k->timer);
    k->timer = 0;
}

void locker_keep(struct locker *k) {
    unwatch(k);
    k->kept = true;
}

bool locker_kept(const struct locker *k) {
    return k->kept;
}

/* ---- giving it back, and breaking another's ---- */

static void done(struct locker *k) {
    k->breaks = NULL;
    k->done(k->ud);
}

void locker_release(struct locker *k, locker_fn *fn, void *ud) {
    unwatch(k);
    k->done = fn;
    k->ud = ud;
    clear_all(k, done);
}

void locker_look(struct locker *k, locker_fn *fn, void *ud) {
    k->done = fn;
    k->ud = ud;
    look_all(k, done);
}

void locker_break(struct locker *k, const char *run, locker_fn *fn, void *ud) {
    k->done = fn;
    k->ud = ud;
    k->breaks = arena_strdup(k->arena, run);
    round_begin(k, done);
    for (size_t i = 0; i < k->n; i++)
        if (k->answers[i].seen == LOCK_OTHERS && !strcmp(k->answers[i].holder.run, run))
            round_clear(&k->engines[i]);
    round_one_over(k);
}
