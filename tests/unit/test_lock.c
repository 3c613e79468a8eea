/* The lock on the engines: what is judged from their answers, and operators that begin together on engines that answer late or not at all.
 * QUORATE_SEED begins at another seed, QUORATE_TRIALS makes more of them. */
#include "io/locker.h"

#include "fake_engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- what is judged ---- */

/* "a" "b" …: that run has it; "." free; "-" silent */
static size_t answers_of(const char *spec, const char *us, struct lock_answer *ret) {
    static const char *const runs[] = {"a", "b", "c", "d"};
    size_t n = 0;
    for (const char *s = spec; *s; s++, n++) {
        ret[n] = (struct lock_answer){.node = "n", .seen = *s == '.' ? LOCK_FREE : LOCK_SILENT, .why = "silent"};
        if (*s < 'a')
            continue;
        ret[n].holder = (struct lock_holder){.run = runs[*s - 'a'], .user = "u", .host = "h", .token = "t", .fence = 5};
        ret[n].seen = *us == *s ? LOCK_OURS : LOCK_OTHERS;
    }
    return n;
}

static enum lock_verdict judged(const char *spec, const char *us) {
    struct lock_answer answers[16];
    return lock_judge(answers, answers_of(spec, us, answers), us);
}

static void a_majority_is_of_the_inventory_and_not_of_those_that_answer(void **state) {
    (void)state;
    assert_int_equal(lock_majority(1), 1);
    assert_int_equal(lock_majority(2), 2);
    assert_int_equal(lock_majority(5), 3);
    assert_int_equal(judged("a", "a"), LOCK_HELD);
    assert_int_equal(judged("aaa--", "a"), LOCK_HELD);
    assert_int_equal(judged("aa---", "a"), LOCK_MINORITY);
    assert_int_equal(judged("aa--", "a"), LOCK_MINORITY);
    assert_int_equal(judged("---", "a"), LOCK_MINORITY);
}

static void of_two_that_begin_together_the_majority_and_then_the_lower_id_goes_first(void **state) {
    (void)state;
    assert_int_equal(judged("aaabb", "a"), LOCK_WAIT);
    assert_int_equal(judged("aaabb", "b"), LOCK_REFUSED);
    assert_int_equal(judged("abbbb", "a"), LOCK_REFUSED);
    assert_int_equal(judged("abbbb", "b"), LOCK_WAIT);
    assert_int_equal(judged("aabb-", "a"), LOCK_WAIT);
    assert_int_equal(judged("aabb-", "b"), LOCK_REFUSED);
    assert_int_equal(judged("abc", "c"), LOCK_REFUSED);
    assert_int_equal(judged("abc", "b"), LOCK_REFUSED);
    assert_int_equal(judged("abc", "a"), LOCK_WAIT);
    assert_int_equal(judged("b----", "a"), LOCK_WAIT);
}

static bool lost(const char *had, const char *now, bool minority) {
    struct lock_answer before[16], answers[16];
    bool had_it[16];
    const size_t n = answers_of(had, "a", before);
    answers_of(now, "a", answers);
    for (size_t i = 0; i < n; i++)
        had_it[i] = before[i].seen == LOCK_OURS;
    return lock_lost(answers, had_it, n, minority);
}

static void a_lock_is_lost_when_the_rest_is_no_majority(void **state) {
    (void)state;
    assert_false(lost("aaaaa", "aaa..", false));
    assert_true(lost("aaaaa", "aa...", false));
    assert_true(lost("aaaaa", "aabbb", false));
    assert_true(lost("a", ".", false));
    assert_false(lost("aa---", "aa---", true));
    assert_true(lost("aa---", "a.---", true));
    assert_true(lost("aa---", "aa--b", true)); /* somebody else is there after all */
    assert_false(lost("aa---", "aa--.", true));
}

static void a_fence_is_greater_than_what_was_seen_and_not_below_the_clock(void **state) {
    (void)state;
    struct lock_answer answers[16];
    const size_t n = answers_of("ab.-", "a", answers);
    assert_int_equal(lock_fence(answers, n, 1000), 1000);
    answers[1].holder.fence = 5000;
    assert_int_equal(lock_fence(answers, n, 1000), 5001);
    answers[1].holder.fence = INT64_MAX; /* somebody's joke */
    assert_int_equal(lock_fence(answers, n, 1000), 1000);
}

static void labels_come_back_and_what_is_foreign_in_them_is_shown_harmless(void **state) {
    (void)state;
    struct arena *a = arena_new();
    struct buf b = BUF_INIT, text = BUF_INIT;
    const struct lock_holder h = {.run = "r1", .user = "eve\033[2J\n", .host = "h", .token = "t", .pid = 7, .since = 1767225600000, .fence = 9};
    struct lock_holder back;
    lock_request(&h, &b);
    assert_true(lock_read(a, b.data, b.len, &back));
    assert_string_equal(back.run, "r1");
    assert_string_equal(back.token, "t");
    assert_int_equal(back.pid, 7);
    assert_int_equal(back.fence, 9);
    lock_describe(&back, &text);
    assert_null(strpbrk(text.data, "\033\n"));
    assert_non_null(strstr(text.data, "since 2026-01-01T00:00:00Z"));
    static const char *const odd[] = {"{\"Name\":\"quorate-lock\",\"Labels\":null}", "{\"Name\":\"quorate-lock\",\"Labels\":[1]}",
                                      "{\"Name\":\"quorate-lock\",\"Labels\":{\"quorate.run\":7,\"quorate.pid\":\"x\"}}"};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        assert_true(lock_read(a, odd[i], strlen(odd[i]), &back));
        assert_string_equal(back.run, "");
        assert_int_equal(back.pid, 0);
    }
    assert_false(lock_read(a, "{}", 2, &back));
    assert_false(lock_read(a, "[", 1, &back));
    buf_done(&b);
    buf_done(&text);
    arena_free(a);
}

/* ---- engines that answer late or not at all, in virtual time ---- */

enum { max_engines = 7, max_operators = 4, request_timeout = 5000 };

struct sim;

struct sim_engine {
    struct lock_holder holder; /* token NULL: there is no volume */
    int by;                    /* the operator */
    int removals_by_others;
};

struct operator {
    struct lock_wire wire;
    struct sim *sim;
    int id;
    struct locker *lock;
    int64_t starts;
    int acts;             /* still to do */
    bool crashes, dead, over, holds, approved, approves;
    bool cut[max_engines]; /* from engines, while now is in between */
    int64_t cut_from, cut_to;
};

struct sim {
    struct arena *a;
    struct clock_virtual clock;
    struct loop *loop;
    size_t n;
    struct sim_engine engines[max_engines];
    struct operator ops[max_operators];
    size_t nops;
    bool quick; /* engines answer at once */
    bool takeover; /* of one's own run: then what counts is that nobody acts while another still may */
    bool late;  /* requests may arrive after their sender has given up */
    unsigned long long seed;
    int acted, held, minorities, refused, lost;
    struct message *messages;
};

static uint64_t below(struct sim *s, uint64_t n) {
    return s->clock.base.random(&s->clock.base) % n;
}

struct message {
    struct operator *op;
    size_t engine;
    char method;      /* G P D */
    struct lock_holder holder;
    void (*done)(void *ud, const struct http_result *r);
    void *ud;
    uint64_t timeout;
    bool over;
    long status;
    struct buf body;
    struct message *next; /* of all */
};

static bool is_cut(const struct operator *op, size_t engine) {
    const int64_t now = loop_now(op->sim->loop);
    return op->cut[engine] && now >= op->cut_from && now < op->cut_to;
}

static void finish_message(struct message *m, enum http_failure failure, bool sent) {
    if (m->over)
        return;
    m->over = true;
    loop_timer_stop(m->op->sim->loop, m->timeout);
    if (m->op->dead)
        return;
    const struct http_result r = {.failure = failure, .message = failure ? "no answer" : "", .status = failure ? 0 : m->status, .body = m->body.data,
                                  .len = m->body.len, .sent = sent};
    m->done(m->ud, &r);
}

static void on_timeout(void *ud) {
    finish_message(ud, HTTP_TIMEOUT, true);
}

static void on_refusal(void *ud) {
    finish_message(ud, HTTP_CONNECT, false);
}

static void on_answered(void *ud) {
    struct message *m = ud;
    if (!is_cut(m->op, m->engine))
        finish_message(m, HTTP_OK, true);
}

static int64_t delay(struct sim *s) {
    const uint64_t kind = below(s, 20);
    return (int64_t)(kind < 14 || s->quick ? below(s, 60) : kind < 19 ? below(s, 2000) : below(s, s->late ? 20000 : 4000));
}

static void on_arrival(void *ud) {
    struct message *m = ud;
    struct sim *s = m->op->sim;
    struct sim_engine *e = &s->engines[m->engine];
    if (is_cut(m->op, m->engine))
        return;
    if (!s->late && m->over) /* a connection that was closed brings nothing any more */
        return;
    m->status = 200;
    if (m->method == 'P') {
        m->status = 201;
        if (!e->holder.token) {
            e->holder = m->holder;
            e->by = m->op->id;
        }
    } else if (m->method == 'D' && e->holder.token) {
        e->removals_by_others += e->by != m->op->id;
        e->holder.token = NULL;
        m->status = 204;
    } else if (!e->holder.token) {
        m->status = 404;
    }
    if (m->status < 204)
        lock_request(&e->holder, &m->body);
    loop_timer(s->loop, delay(s), on_answered, m);
}

static void sim_call(struct lock_wire *w, const struct engine_call *call) {
    struct operator *op = (struct operator *)w;
    struct sim *s = op->sim;
    if (op->dead)
        return;
    struct message *m = arena_new_of(s->a, struct message);
    *m = (struct message){.next = s->messages, .op = op, .engine = (size_t)(call->node[1] - '1'), .method = *call->method, .done = call->done, .ud = call->ud, .body = BUF_INIT};
    assert_string_equal(call->path, m->method == 'P' ? "/volumes/create" : "/volumes/quorate-lock");
    s->messages = m;
    if (call->body)
        assert_true(lock_read(s->a, call->body, strlen(call->body), &m->holder));
    m->timeout = loop_timer(s->loop, call->timeout_ms, on_timeout, m);
    if (is_cut(op, m->engine) && below(s, 2))
        loop_timer(s->loop, 1, on_refusal, m);
    else
        loop_timer(s->loop, delay(s), on_arrival, m);
}

static size_t really_held(const struct sim *s, const struct operator *op) {
    size_t k = 0;
    for (size_t i = 0; i < s->n; i++)
        k += s->engines[i].holder.token && s->engines[i].by == op->id;
    return k;
}

/* ---- what operators do ---- */

static void on_released(void *ud) {
    struct operator *op = ud;
    op->over = true;
}

static void release(struct operator *op) {
    op->holds = false;
    locker_release(op->lock, on_released, op);
}

static void act(void *ud) {
    struct operator *op = ud;
    struct sim *s = op->sim;
    if (op->dead)
        return;
    if (op->crashes && below(s, 4) == 0) {
        op->dead = op->over = true;
        op->holds = false;
        return;
    }
    if (locker_lost(op->lock)) {
        s->lost++;
        release(op);
        return;
    }
    for (size_t i = 0; s->takeover && i < s->nops; i++)
        if (&s->ops[i] != op && s->ops[i].holds && !locker_lost(s->ops[i].lock))
            fail_msg("seed %llu: operator %d acts, and operator %d may", s->seed, op->id, s->ops[i].id);
    /* a changing request: with a majority, whatever anybody believes, or with somebody's word */
    if (!op->approved && !s->takeover && really_held(s, op) < lock_majority(s->n))
        fail_msg("seed %llu: operator %d acts with %zu of %zu engines", s->seed, op->id, really_held(s, op), s->n);
    s->acted++;
    if (op->acts-- > 0)
        loop_timer(s->loop, (int64_t)below(s, 900), act, op);
    else
        release(op);
}

static void on_verdict(void *ud) {
    struct operator *op = ud;
    struct sim *s = op->sim;
    switch (locker_verdict(op->lock)) {
    case LOCK_HELD:
        s->held++;
        for (size_t i = 0; i < s->nops; i++)
            if (s->ops[i].holds && !s->ops[i].approved && !s->takeover && !locker_lost(s->ops[i].lock))
                fail_msg("seed %llu: operators %d and %d both hold the lock", s->seed, op->id, s->ops[i].id);
        break;
    case LOCK_MINORITY:
        s->minorities++;
        op->approved = op->approves;
        if (!op->approved) {
            release(op);
            return;
        }
        break;
    default:
        s->refused++;
        op->over = true;
        return;
    }
    op->holds = true;
    locker_watch(op->lock);
    loop_timer(s->loop, op->approved ? (int64_t)below(s, 3000) : 0, act, op);
}

static void begin(void *ud) {
    struct operator *op = ud;
    locker_take(op->lock, on_verdict, op);
}

static const char *const node_names[max_engines + 1] = {"n1", "n2", "n3", "n4", "n5", "n6", "n7", NULL};

static void add_operator(struct sim *s, const char *run, bool resume, int64_t starts) {
    struct operator *op = &s->ops[s->nops];
    *op = (struct operator){.wire = {.call = sim_call}, .sim = s, .id = (int)s->nops, .starts = starts, .acts = (int)below(s, 12)};
    const char **nodes = arena_array(s->a, const char *, s->n + 1);
    memcpy(nodes, node_names, s->n * sizeof *nodes);
    nodes[s->n] = NULL;
    const struct locker_spec spec = {.loop = s->loop, .wire = &op->wire, .nodes = nodes, .resume = resume,
                                     .who = {.run = run, .user = "u", .host = "h", .pid = 1}};
    op->lock = locker_new(s->a, &spec);
    s->nops++;
    loop_timer(s->loop, starts, begin, op);
}

static void sim_begin(struct sim *s, unsigned long long seed) {
    *s = (struct sim){.a = arena_new(), .seed = seed};
    clock_virtual_init(&s->clock, 1767225600000, seed);
    s->loop = loop_new(&s->clock.base);
    s->n = 1 + below(s, max_engines);
}

static void sim_run(struct sim *s) {
    for (;;) {
        bool over = true;
        for (size_t i = 0; i < s->nops; i++)
            over &= s->ops[i].over;
        if (over)
            break;
        if (loop_now(s->loop) > 3600 * 1000 || !loop_once(s->loop))
            fail_msg("seed %llu: an operator gets no answer", s->seed);
    }
}

static void sim_end(struct sim *s) {
    loop_free(s->loop);
    for (struct message *m = s->messages; m; m = m->next)
        buf_done(&m->body);
    arena_free(s->a);
}

static unsigned long long number(const char *name, unsigned long long fallback) {
    const char *s = getenv(name);
    return s && *s ? strtoull(s, NULL, 10) : fallback;
}

static void cuts(struct sim *s) {
    for (size_t i = 0; i < s->nops; i++) {
        struct operator *op = &s->ops[i];
        op->approves = below(s, 2);
        op->crashes = below(s, 5) == 0;
        if (below(s, 2))
            continue;
        op->cut_from = (int64_t)below(s, 300);
        op->cut_to = op->cut_from + (int64_t)below(s, 20000);
        for (size_t k = 0; k < s->n; k++)
            op->cut[k] = below(s, 3) == 0;
    }
}

static void operators_that_begin_together_never_both_hold_a_majority(void **state) {
    (void)state;
    const unsigned long long first = number("QUORATE_SEED", 1), trials = number("QUORATE_TRIALS", 2000);
    int acted = 0, held = 0, minorities = 0, refused = 0, lost_ones = 0, none = 0;
    for (unsigned long long seed = first; seed < first + trials; seed++) {
        struct sim s;
        sim_begin(&s, seed);
        s.late = below(&s, 2);
        const size_t nops = 2 + below(&s, max_operators - 1);
        static const char *const runs[] = {"c", "a", "d", "b"};
        for (size_t i = 0; i < nops; i++)
            add_operator(&s, runs[i], false, (int64_t)below(&s, below(&s, 4) ? 30 : 5000));
        cuts(&s);
        sim_run(&s);
        for (size_t i = 0; i < s.n; i++)
            if (s.engines[i].removals_by_others)
                fail_msg("seed %llu: the volume of another was removed", seed);
        acted += s.acted;
        held += s.held;
        minorities += s.minorities;
        refused += s.refused;
        lost_ones += s.lost;
        none += !s.held && !s.minorities;
        sim_end(&s);
    }
    print_message("seeds %llu to %llu: %d held, %d minorities, %d refused, %d acts, %d lost, %d trials without a winner\n", first, first + trials - 1, held,
                  minorities, refused, acted, lost_ones, none);
    if (trials >= 200) { /* all of it has been seen */
        assert_true(held && minorities && refused && acted && lost_ones);
        assert_true((unsigned long long)none < trials / 4);
    }
}

static void without_cuts_one_of_two_that_begin_together_goes_on(void **state) {
    (void)state;
    for (unsigned long long seed = 1; seed <= 300; seed++) {
        struct sim s;
        sim_begin(&s, seed);
        s.quick = true;
        add_operator(&s, "b", false, 0);
        add_operator(&s, "a", false, (int64_t)below(&s, 40));
        sim_run(&s);
        if (!s.held || s.minorities)
            fail_msg("seed %llu: %d held, %d minorities", seed, s.held, s.minorities);
        for (size_t i = 0; i < s.n; i++)
            assert_null(s.engines[i].holder.token); /* all was given back */
        sim_end(&s);
    }
}

/* ---- a crash, and who comes after it ---- */

static void leave_lock(struct sim *s, const char *run) {
    for (size_t i = 0; i < s->n; i++) {
        s->engines[i].holder = (struct lock_holder){.run = run, .user = "u", .host = "h", .token = "old", .pid = 1, .fence = 9000000000000000};
        s->engines[i].by = 99;
    }
}

static void told_lost(void *ud, const char *why) {
    assert_non_null(strstr(why, "gone from"));
    ++*(int *)ud;
}

static void a_lock_left_behind_refuses_all_but_its_own_run(void **state) {
    (void)state;
    for (unsigned long long seed = 1; seed <= 50; seed++) {
        struct sim s;
        sim_begin(&s, seed);
        s.quick = true;
        leave_lock(&s, "a");
        add_operator(&s, "b", false, 0);
        add_operator(&s, "a", false, 0); /* the same ID, but no resume */
        sim_run(&s);
        assert_int_equal(s.refused, 2);
        for (size_t i = 0; i < s.n; i++)
            assert_string_equal(s.engines[i].holder.token, "old");
        size_t n;
        const struct lock_answer *answers = locker_answers(s.ops[0].lock, &n);
        assert_int_equal(answers[0].seen, LOCK_OTHERS);
        assert_string_equal(answers[0].holder.run, "a");
        add_operator(&s, "a", true, 0);
        s.ops[2].acts = 3;
        sim_run(&s);
        assert_int_equal(s.held, 1);
        assert_true(locker_holder(s.ops[2].lock)->fence > 9000000000000000);
        assert_true(locker_untouched(s.ops[2].lock)); /* no run has asked to be told of its loss */
        locker_tell(s.ops[2].lock, told_lost, NULL);
        assert_false(locker_untouched(s.ops[2].lock));
        sim_end(&s);
    }
}

static void of_two_resumes_of_one_run_none_acts_while_the_other_may(void **state) {
    (void)state;
    const unsigned long long first = number("QUORATE_SEED", 1), trials = number("QUORATE_TRIALS", 500);
    int held = 0;
    for (unsigned long long seed = first; seed < first + trials; seed++) {
        struct sim s;
        sim_begin(&s, seed);
        s.quick = s.takeover = true;
        leave_lock(&s, "a");
        add_operator(&s, "a", true, 0);
        add_operator(&s, "a", true, (int64_t)below(&s, below(&s, 2) ? 50 : 9000));
        sim_run(&s);
        held += s.held;
        sim_end(&s);
    }
    print_message("seeds %llu to %llu: %d of %d resumes held the lock\n", first, first + trials - 1, held, (int)(2 * trials));
    assert_true(held > 0);
}

static void on_done(void *ud) {
    *(bool *)ud = true;
}

static void wait_done(struct sim *s, bool *done) {
    while (!*done)
        assert_true(loop_once(s->loop));
    *done = false;
}

static void unlock_removes_what_has_the_id_and_nothing_else(void **state) {
    (void)state;
    for (unsigned long long seed = 1; seed <= 20; seed++) {
        struct sim s;
        bool done = false;
        sim_begin(&s, seed);
        s.quick = true;
        leave_lock(&s, "a");
        s.engines[0].holder.run = "other";
        add_operator(&s, "x", false, 3600 * 1000);
        locker_look(s.ops[0].lock, on_done, &done);
        wait_done(&s, &done);
        locker_break(s.ops[0].lock, "a", on_done, &done);
        wait_done(&s, &done);
        assert_non_null(s.engines[0].holder.token);
        for (size_t i = 1; i < s.n; i++)
            assert_null(s.engines[i].holder.token);
        sim_end(&s);
    }
}

static void a_lock_that_is_broken_is_noticed_and_told_once(void **state) {
    (void)state;
    struct sim s;
    int told = 0;
    bool done = false;
    sim_begin(&s, 7);
    add_operator(&s, "a", false, 3600 * 1000);
    struct locker *k = s.ops[0].lock;
    locker_take(k, on_done, &done);
    wait_done(&s, &done);
    assert_int_equal(locker_verdict(k), LOCK_HELD);
    locker_tell(k, told_lost, &told);
    locker_watch(k);
    const int64_t from = loop_now(s.loop);
    while (loop_now(s.loop) < from + 20000)
        assert_true(loop_once(s.loop));
    assert_null(locker_lost(k));
    for (size_t i = 0; i < s.n; i++)
        s.engines[i].holder.token = NULL;
    while (loop_now(s.loop) < from + 60000)
        assert_true(loop_once(s.loop));
    assert_non_null(locker_lost(k));
    assert_int_equal(told, 1);
    locker_release(k, on_done, &done);
    wait_done(&s, &done);
    sim_end(&s);
}

/* ---- over HTTP ---- */

enum { over_http = 3 };

static struct locker *http_locker(struct arena *a, struct loop *l, struct engines *e, const char *run) {
    static const char *const nodes[] = {"n1", "n2", "n3", NULL};
    const struct locker_spec spec = {.loop = l, .wire = lock_wire_engines(a, e), .nodes = nodes, .who = {.run = run, .user = "u", .host = "h", .pid = 1}};
    return locker_new(a, &spec);
}

static void http_wait(struct loop *l, bool *done) {
    while (!*done)
        assert_true(loop_once(l));
    *done = false;
}

static void over_http_one_of_two_gets_it_and_gives_it_back(void **state) {
    (void)state;
    char dir[] = "/tmp/quorate-lock-XXXXXX", path[over_http][64], url[over_http][80];
    struct fake_engine *fakes[over_http];
    struct arena *a = arena_new();
    struct loop *l = loop_new(clock_system());
    struct http *h = http_new(l);
    assert_non_null(mkdtemp(dir));
    struct engines *e = engines_new(l, h, arena_printf(a, "%s/run", dir));
    for (int i = 0; i < over_http; i++) {
        snprintf(path[i], sizeof path[i], "%s/%d.sock", dir, i);
        snprintf(url[i], sizeof url[i], "unix://%s", path[i]);
        fakes[i] = fake_engine_start(path[i], "id");
        fake_engine_keep_volume(fakes[i]);
        const char *endpoints[] = {url[i], NULL};
        engines_add(e, &(struct engine_spec){.name = node_names[i], .endpoints = endpoints});
    }
    for (int trial = 0; trial < 8; trial++) {
        bool first = false, second = false;
        struct locker *one = http_locker(a, l, e, "a"), *two = http_locker(a, l, e, "b");
        locker_take(one, on_done, &first);
        locker_take(two, on_done, &second);
        http_wait(l, &first);
        http_wait(l, &second);
        assert_int_equal((locker_verdict(one) == LOCK_HELD) + (locker_verdict(two) == LOCK_HELD), 1);
        struct locker *winner = locker_verdict(one) == LOCK_HELD ? one : two;
        size_t n;
        assert_int_equal(locker_answers(winner, &n)[0].seen, LOCK_OURS);
        locker_release(winner, on_done, &first);
        http_wait(l, &first);
        struct locker *look = http_locker(a, l, e, "c");
        locker_look(look, on_done, &first);
        http_wait(l, &first);
        for (size_t i = 0; i < over_http; i++)
            assert_int_equal(locker_answers(look, &n)[i].seen, LOCK_FREE);
    }
    fake_engine_stop(fakes[2]); /* one dies: a majority is left; then two: a minority */
    for (int k = 0; k < 2; k++) {
        bool done = false;
        struct locker *one = http_locker(a, l, e, "a");
        locker_take(one, on_done, &done);
        http_wait(l, &done);
        assert_int_equal(locker_verdict(one), k ? LOCK_MINORITY : LOCK_HELD);
        locker_release(one, on_done, &done);
        http_wait(l, &done);
        if (!k)
            fake_engine_stop(fakes[1]);
    }
    engines_free(e);
    http_free(h);
    loop_free(l);
    fake_engine_stop(fakes[0]);
    rmdir(dir);
    arena_free(a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_majority_is_of_the_inventory_and_not_of_those_that_answer),
        cmocka_unit_test(of_two_that_begin_together_the_majority_and_then_the_lower_id_goes_first),
        cmocka_unit_test(a_lock_is_lost_when_the_rest_is_no_majority),
        cmocka_unit_test(a_fence_is_greater_than_what_was_seen_and_not_below_the_clock),
        cmocka_unit_test(labels_come_back_and_what_is_foreign_in_them_is_shown_harmless),
        cmocka_unit_test(operators_that_begin_together_never_both_hold_a_majority),
        cmocka_unit_test(without_cuts_one_of_two_that_begin_together_goes_on),
        cmocka_unit_test(a_lock_left_behind_refuses_all_but_its_own_run),
        cmocka_unit_test(of_two_resumes_of_one_run_none_acts_while_the_other_may),
        cmocka_unit_test(unlock_removes_what_has_the_id_and_nothing_else),
        cmocka_unit_test(a_lock_that_is_broken_is_noticed_and_told_once),
        cmocka_unit_test(over_http_one_of_two_gets_it_and_gives_it_back),
    };
    return cmocka_run_group_tests_name("lock", tests, NULL, NULL);
}
