/* The crash matrix: each case of the runbooks' tests whose run begins is run once undisturbed, and then again for each record that it appends, dying there
 * in one of several ways: before the record is durable; after it is, with nothing of what it asked for begun; and while the run is being taken
 * up. Each time `resume` goes on in the same world, and the end must be that of the undisturbed run: the same status, the same state, and each act's
 * effect as often as there. A process that dies takes nothing with it but its memory, so dying is a jump out of the engine: what is under way in it
 * is never heard of again. */
#include "cmd/test.h"

#include "base/clock.h"
#include "run/compare.h"
#include "run/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum way { BEFORE, AFTER, TWICE, ways }; /* TWICE: as AFTER, and again some appends later */
static const char *const way_names[] = {"before the record is durable", "after it is, before the act", "twice"};

/* ---- a journal in memory, and where it kills ---- */

struct mortal {
    struct store store;
    struct loop *loop;
    struct arena *arena;
    const char **texts;
    size_t n, cap, appends;
    size_t kill_at; /* append, from 1; 0: never */
    enum way way;
    jmp_buf death;
};

struct told {
    struct mortal *m;
    store_done *done;
    void *ud;
};

static void append_due(void *ud) {
    struct told *t = ud;
    if (t->m->kill_at && t->m->appends == t->m->kill_at) {
        t->m->kill_at = 0;
        longjmp(t->m->death, 1);
    }
    t->done(t->ud, true, NULL);
}

static void mortal_append(struct store *s, const char *run_id, const char *const *json, size_t n, store_done *done, void *ud) {
    (void)run_id;
    struct mortal *m = (struct mortal *)s;
    m->appends++;
    if (m->kill_at == m->appends && m->way == BEFORE) {
        m->kill_at = 0;
        longjmp(m->death, 1);
    }
    for (size_t i = 0; i < n; i++) {
        if (m->n == m->cap) {
            m->cap = m->cap ? 2 * m->cap : 64;
            const char **more = arena_array(m->arena, const char *, m->cap);
            if (m->n)
                memcpy(more, m->texts, m->n * sizeof *more);
            m->texts = more;
        }
        m->texts[m->n++] = arena_strdup(m->arena, json[i]);
    }
    struct told *t = arena_new_of(m->arena, struct told);
    *t = (struct told){m, done, ud};
    loop_timer(m->loop, 0, append_due, t);
}

static bool mortal_create(struct store *s, const char *run_id, struct err *err) {
    (void)s, (void)run_id, (void)err;
    return true;
}

/* ---- the world, which outlives the process, and what was done in it ---- */

struct witness {
    struct runner runner;
    struct runner *inner;
    struct arena *arena;
    struct map *done; /* path → int *: how often its act has ended well */
};

struct watched {
    struct witness *w;
    struct act_call call;
    bool counts; /* it changes something, and its action does not say that repeating it is harmless */
};

static bool counts(const struct witness *w, const struct act_call *call) {
    if (!call->def || !call->def->fn[FN_EFFECT] || !strcmp(val_get_str(call->def->decl, "on_unknown", ""), "again"))
        return !call->def;
    struct arena *a = arena_new();
    uint64_t before[2], after[2];
    struct model *m = model_clone(runner_world_model(w->inner));
    model_hash(m, before);
    const bool ok = model_apply(m, call->def, NULL, call->with, a, NULL, NULL, err_new(a));
    model_hash(m, after);
    model_free(m);
    arena_free(a);
    return !ok || memcmp(before, after, sizeof before) != 0;
}

static int *count_of(struct witness *w, const char *path) {
    int *n = map_get(w->done, path);
    if (!n) {
        n = arena_new_of(w->arena, int);
        map_put(w->done, arena_strdup(w->arena, path), n);
    }
    return n;
}

static void act_over(void *ud, enum outcome outcome, const struct val *outputs, const char *message) {
    const struct watched *k = ud;
    if (outcome == OUT_OK && k->counts)
        ++*count_of(k->w, k->call.path);
    k->call.done(k->call.ud, outcome, outputs, message);
}

static void witness_act(struct runner *r, const struct act_call *call) {
    struct witness *w = (struct witness *)r;
    struct watched *k = arena_new_of(w->arena, struct watched);
    *k = (struct watched){w, *call, counts(w, call)};
    struct act_call inner = *call;
    inner.done = act_over;
    inner.ud = k;
    w->inner->ops->act(w->inner, &inner);
}

static void witness_probe(struct runner *r, const struct probe_call *call) {
    struct witness *w = (struct witness *)r;
    w->inner->ops->probe(w->inner, call);
}

static void witness_begun(struct runner *r, const char *path, const struct step *st, int attempt) {
    struct witness *w = (struct witness *)r;
    w->inner->ops->begun(w->inner, path, st, attempt);
}

static void witness_waited(struct runner *r, const char *path, const struct step *st, const struct val *effect) {
    struct witness *w = (struct witness *)r;
    w->inner->ops->waited(w->inner, path, st, effect);
}

static void witness_cancel(struct runner *r, const char *path) {
    struct witness *w = (struct witness *)r;
    w->inner->ops->cancel(w->inner, path);
}

static const struct runner_ops witness_ops = {
    .probe = witness_probe, .act = witness_act, .begun = witness_begun, .waited = witness_waited, .cancel = witness_cancel};

/* Whoever knows whether an act has happened: the world. */
struct knower {
    struct asker asker;
    struct asker *inner;
    struct witness *w;
    struct loop *loop;
};

struct answer {
    answer_fn *done;
    void *ud;
    bool yes;
};

static void answer_due(void *ud) {
    const struct answer *a = ud;
    a->done(a->ud, a->yes, a->yes ? "the world" : ANSWER_NO);
}

static void ask(struct asker *k, const struct question *q, answer_fn *done, void *ud) {
    struct knower *me = (struct knower *)k;
    if (!q->fact) {
        me->inner->ask(me->inner, q, done, ud);
        return;
    }
    struct answer *a = arena_new_of(me->w->arena, struct answer);
    *a = (struct answer){done, ud, *count_of(me->w, q->path) > 0};
    loop_timer(me->loop, 0, answer_due, a);
}

/* ---- one run, to its end or to its death ---- */

struct matrix {
    uint64_t seed;     /* of where the second death comes */
    size_t kill_at;
    enum way way;
    bool died;         /* the last run did */
    /* of the undisturbed run of the case */
    int status;
    const struct val *state; /* of the world: {part: value} */
    struct arena *arena;
    struct map *done;
    size_t appends;
    /* all in all */
    size_t points, cases, faults;
    /* what is wrong with the last run, in the arena; NULL: nothing. What the case itself expects is judged by `quorate test`. */
    const char *fault;
};

__attribute__((format(printf, 2, 3))) static void fault(struct matrix *mx, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    if (!mx->fault)
        mx->fault = arena_vprintf(mx->arena, fmt, ap);
    va_end(ap);
}

static const struct screen_list {
    struct screen *none[1];
} no_screens = {{NULL}};

static uint64_t next_random(uint64_t *seed) { /* xorshift64 */
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

/* What `quorate resume` does with a journal. */
static int take_up(struct trial *x, const struct exec_spec *was, struct mortal *m, struct knower *knower, struct err *err) {
    struct arena *a = x->arena;
    const struct event **events = arena_array(a, const struct event *, m->n + 1);
    for (size_t i = 0; i < m->n; i++) {
        struct event *e;
        if (!event_parse(a, m->texts[i], strlen(m->texts[i]), &e, err))
            return 9;
        events[i] = e;
    }
    loop_free(x->loop);
    x->loop = m->loop = knower->loop = loop_new(&x->clock.base);
    knower->w->runner.loop = knower->w->inner->loop = x->loop;
    if (!m->n) { /* nothing was recorded: it is begun as a new one */
        struct exec_spec spec = *was;
        spec.loop = x->loop;
        struct model *state = model_clone(x->prepared.state);
        spec.state = state;
        const int status = exec_run(a, &spec, err);
        model_free(state);
        return status;
    }
    struct val *given = val_map_new(a);
    const struct val *inputs = val_get(events[0]->data, "inputs");
    for (size_t i = 0; i < val_len(inputs); i++)
        if (!val_is_null(inputs->map.pairs[i].val))
            val_map_set(a, given, inputs->map.pairs[i].key, inputs->map.pairs[i].val);
    const struct prepare_spec prepare = {.ld = &x->ld, .runner = &knower->w->runner, .rb = x->f->rb, .given = given, .site = x->site, .run = x->run};
    struct prepared p;
    if (!prepare_bind(a, &prepare, &p, err))
        return 9;
    struct plan plan = *p.plan;
    plan.lines = planned_lines(a, val_get(events[0]->data, "planned"), &plan.nlines);
    const struct resume resume = {.events = events, .n = m->n};
    struct exec_spec spec = *was;
    spec.loop = x->loop;
    spec.plan = &plan;
    spec.state = p.state;
    spec.resume = &resume;
    const int status = exec_run(a, &spec, err);
    model_free(p.state);
    return status;
}

static const struct val *state_of(const struct trial *x, struct arena *a, const struct witness *w) {
    struct val *m = val_map_new(a);
    for (size_t i = 0; i < val_len(val_get(x->world, "state")); i++) {
        const char *part = val_get(x->world, "state")->map.pairs[i].key;
        const struct val *v = NULL;
        if (model_get(runner_world_model(w->inner), part, a, &v, err_new(a)) && v)
            val_map_set(a, m, part, v);
    }
    return m;
}

static void judge(struct trial *x, struct matrix *mx, const struct mortal *m, const struct witness *w, int status, const struct err *err) {
    const struct val *state = state_of(x, mx->arena, w);
    struct changes diff = {0};
    if (status != mx->status)
        fault(mx, "exit %d, and undisturbed %d: %s", status, mx->status, err->first ? err->first->message : m->n ? m->texts[m->n - 1] : "?");
    if (!val_equal(state, mx->state)) {
        struct buf b = BUF_INIT;
        compare_changes(mx->arena, "state", NULL, mx->state, state, &diff);
        for (size_t i = 0; diff.n && i < diff.list->nkeys; i++)
            buf_printf(&b, ".%s", diff.list->keys[i]);
        fault(mx, "the world is not as after the undisturbed run, in %zu places, as in %s", diff.n, b.data);
        buf_done(&b);
    }
    for (struct map_iter it = map_iter(w->done); map_next(&it);) {
        const int *was = map_get(mx->done, it.key), now = *(int *)it.value;
        if (now != (was ? *was : 0))
            fault(mx, "'%s' was done %d times, and undisturbed %d times", it.key, now, was ? *was : 0);
    }
    for (struct map_iter it = map_iter(mx->done); map_next(&it);)
        if (*(int *)it.value && !map_get(w->done, it.key))
            fault(mx, "'%s' was left out", it.key);
}

static int carry_out(struct trial *x, const struct exec_spec *spec, struct err *err) {
    static const struct store_ops ops = {.create = mortal_create, .append = mortal_append};
    struct matrix *mx = x->t->ud;
    struct witness w = {.runner = {.ops = &witness_ops, .loop = x->loop}, .inner = x->runner, .arena = x->arena, .done = map_new(x->arena)};
    struct mortal *m = arena_new_of(x->arena, struct mortal);
    *m = (struct mortal){.store = {.ops = &ops, .url = "memory"}, .loop = x->loop, .arena = x->arena, .kill_at = mx->kill_at, .way = mx->way};
    struct knower knower = {.asker = {.ask = ask}, .inner = spec->asker, .w = &w, .loop = x->loop};
    struct exec_spec *own = arena_new_of(x->arena, struct exec_spec);
    *own = *spec;
    own->store = &m->store;
    own->runner = &w.runner;
    own->asker = &knower.asker;
    own->screens = (struct screen **)(uintptr_t)no_screens.none;
    volatile int status = 0, deaths = 0;
    if (!setjmp(m->death)) {
        status = exec_run(x->arena, own, err);
    } else {
        if (++deaths == 1 && mx->way == TWICE)
            m->kill_at = m->appends + 1 + next_random(&mx->seed) % 6;
        status = take_up(x, own, m, &knower, err);
    }
    mx->died = deaths > 0;
    if (!mx->kill_at) {
        mx->status = status;
        mx->appends = m->appends;
        mx->done = map_new(mx->arena);
        for (struct map_iter it = map_iter(w.done); map_next(&it);) {
            int *n = arena_new_of(mx->arena, int);
            *n = *(int *)it.value;
            map_put(mx->done, arena_strdup(mx->arena, it.key), n);
        }
        mx->state = state_of(x, mx->arena, &w);
    } else if (mx->died) {
        mx->points++;
        judge(x, mx, m, &w, status, err);
    }
    return status;
}

/* ---- all of them ---- */

static bool has_injections(const struct val *kase) {
    return val_len(val_get(kase, "fail")) || val_len(val_get(kase, "happen"));
}

static void tell(struct matrix *mx, const struct test_file *f, const struct test_result *r) {
    if (!mx->fault)
        return;
    printf("# %s: '%s', killed at append %zu of %zu, %s: %s\n", f->rb->name, r->name, mx->kill_at, mx->appends, way_names[mx->way], mx->fault);
    mx->faults++;
    mx->fault = NULL;
}

static void one_case(struct tester *t, struct matrix *mx, const struct test_file *f, const struct val *kase) {
    struct test_result r;
    mx->arena = arena_new();
    mx->kill_at = 0;
    mx->appends = 0;
    test_run(t, f, kase, &r);
    const size_t appends = mx->appends, before = mx->points;
    for (mx->way = BEFORE; mx->way < ways; mx->way++)
        for (mx->kill_at = 1; mx->kill_at <= appends; mx->kill_at++) {
            test_run(t, f, kase, &r);
            tell(mx, f, &r);
        }
    mx->cases += mx->points > before;
    arena_free(mx->arena);
}

int main(int argc, char **argv) {
    struct arena *a = arena_new();
    struct ctx c = {.arena = a, .err = err_new(a), .argc = argc - 1, .argv = argv + 1};
    const char *given = getenv("SEED");
    struct matrix mx = {.seed = given ? strtoull(given, NULL, 10) : (uint64_t)clock_system()->wall_ms(clock_system())};
    printf("# seed %llu; SEED=%llu repeats it\n", (unsigned long long)mx.seed, (unsigned long long)mx.seed);
    mx.seed |= 1; /* never 0 */
    struct tester t = {.c = &c, .carry_out = carry_out, .ud = &mx};
    if (!ctx_language(&c))
        return ctx_report(&c);
    t.runbooks = map_new(a);
    t.coverages = map_new(a);
    t.worlds = map_new(a);
    t.explored = map_new(a);
    if (!test_find(&t))
        return ctx_report(&c);
    for (size_t i = 0; i < t.nfiles; i++) {
        const size_t points = mx.points, faults = mx.faults;
        for (size_t k = 0; k < val_len(t.files[i].cases); k++)
            if (!has_injections(val_at(t.files[i].cases, k)))
                one_case(&t, &mx, &t.files[i], val_at(t.files[i].cases, k));
        printf("%s - %s: killed at %zu points\n", mx.faults == faults ? "ok" : "not ok", t.files[i].rb->name, mx.points - points);
    }
    for (struct map_iter it = map_iter(t.explored); map_next(&it);)
        explored_free(it.value);
    printf("1..%zu\n# %zu points in %zu cases, %zu ended otherwise\n", t.nfiles, mx.points, mx.cases, mx.faults);
    ctx_close(&c);
    arena_free(a);
    return mx.faults ? 1 : 0;
}
