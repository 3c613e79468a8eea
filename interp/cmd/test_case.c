#include "cmd/test.h"

#include "plan/explore.h"
#include "store/none.h"

#include <string.h>

/* ---- setting up ---- */

static bool add_failures(struct trial *x, struct err *err) {
    const struct val *fail = val_get(x->kase, "fail");
    bool ok = true;
    for (size_t i = 0; i < val_len(fail); i++) {
        const struct val_pair *p = &fail->map.pairs[i];
        if (!val_cstr(p->val)) {
            err_add(err, p->val->mark, "wrong-type", "'%s' wants the name of an outcome, as in %s: failed", p->key, p->key);
            ok = false;
            continue;
        }
        ok &= inject_add(x->injections, false, p->key, val_cstr(p->val), p->mark, err);
    }
    return ok;
}

/* Paths are below `state`, and may say so. */
static const struct val *without_state(struct trial *x, const struct val *set) {
    struct val *v = val_map_new(x->arena);
    for (size_t i = 0; i < val_len(set); i++) {
        const struct val_pair *p = &set->map.pairs[i];
        val_map_set_marked(x->arena, v, strncmp(p->key, "state.", 6) ? p->key : p->key + 6, p->mark, p->val);
    }
    return v;
}

static bool add_events(struct trial *x, struct err *err) {
    const struct val *happen = val_get(x->kase, "happen");
    bool ok = true;
    for (size_t i = 0; i < val_len(happen); i++) {
        const struct val_pair *p = &happen->map.pairs[i];
        if (val_is(p->val, VAL_MAP)) {
            ok &= inject_set(x->injections, p->key, without_state(x, p->val), p->mark, err);
            continue;
        }
        const size_t n = val_is(p->val, VAL_LIST) ? val_len(p->val) : 1;
        for (size_t k = 0; k < n; k++) {
            const struct val *v = val_is(p->val, VAL_LIST) ? val_at(p->val, k) : p->val;
            if (val_cstr(v)) {
                ok &= inject_add(x->injections, true, p->key, val_cstr(v), v->mark, err);
                continue;
            }
            err_add(err, v->mark, "wrong-type", "'%s' wants an event, a list of events, or a map of what changes, as in %s: swarm.old_managers_return", p->key, p->key);
            ok = false;
        }
    }
    return ok;
}

static bool change_world(struct trial *x, const struct val *set, struct err *err) {
    bool ok = true;
    const struct val *paths = without_state(x, set);
    for (size_t i = 0; i < val_len(paths); i++)
        ok &= runner_world_set(x->runner, paths->map.pairs[i].key, paths->map.pairs[i].val, paths->map.pairs[i].mark, err);
    return ok;
}

/* Site, world, loop and clock. false: the file is at fault, told in the program's err. */
static bool set_up(struct trial *x) {
    struct ctx *c = x->t->c;
    struct arena *a = x->arena;
    const struct val *written = test_value(x->f, x->kase, "world"), *world;
    if (!written) {
        err_add(c->err, x->kase->mark, "missing-key", "the case has no 'world', and neither has the file");
        return false;
    }
    if (!test_world(x->t, x->f, written, &world))
        return false;
    const struct val *attest = test_value(x->f, x->kase, "attest");
    struct site *site = world_site(a, world, NULL);
    x->world = world;
    x->ld = c->loader;
    x->ld.site = site;
    x->site = site_seen(a, site, site_nodes_val(site, a));
    x->run = run_seen(a, attest ? attest : val_list_new(a), true);
    clock_virtual_init(&x->clock, 1767225600000 /* 2026-01-01 */, 1);
    x->loop = loop_new(&x->clock.base);
    x->runner = runner_world(a, x->loop, c->box, val_get(world, "state"));
    x->injections = injections_new(a);
    bool ok = val_get(x->kase, "world") || change_world(x, val_get(x->f->doc, "set"), c->err); /* that of the file is for its world */
    ok = change_world(x, val_get(x->kase, "set"), c->err) && ok;
    ok = add_failures(x, c->err) && ok;
    ok = add_events(x, c->err) && ok;
    ok = inject_check(x->injections, x->f->rb, c->lib, c->err) && ok;
    runner_world_inject(x->runner, x->injections, attest);
    return ok;
}

static void tear_down(struct trial *x) {
    model_free(x->prepared.state);
    if (x->runner)
        x->runner->ops->close(x->runner);
    if (x->loop)
        loop_free(x->loop);
    arena_free(x->arena);
}

/* ---- who watches, and who answers ---- */

struct watcher {
    struct screen screen;
    struct trial *trial;
};

static void watch(struct screen *s, const struct event *e, const struct run *r) {
    struct trial *x = ((struct watcher *)s)->trial;
    coverage_event(x->f->coverage, r, e, x->injections);
    const struct item *it = e->type == EV_STARTED ? run_item(r, e->path) : NULL;
    if (e->type == EV_RUN_ENDED)
        x->message = val_get_str(e->data, "message", "");
    if (!it || !it->fan || it->fan->step->kind == STEP_GROUP || it->fan->step->kind == STEP_FIRST_OF)
        return;
    if (x->nbegun == x->capbegun) {
        x->capbegun = x->capbegun ? 2 * x->capbegun : 64;
        const char **all = arena_array(x->arena, const char *, x->capbegun);
        if (x->nbegun)
            memcpy(all, x->begun, x->nbegun * sizeof *all);
        x->begun = all;
    }
    x->begun[x->nbegun++] = e->path;
}

struct answerer {
    struct asker asker;
    struct trial *trial;
    bool approve;
};

struct answer {
    answer_fn *done;
    void *ud;
    bool yes;
};

static void answer_due(void *ud) {
    const struct answer *an = ud;
    an->done(an->ud, an->yes, an->yes ? "the case" : "denied");
}

/* Members are attested by the case's list alone. Answers come by the loop, as those of people do. */
static void answer(struct asker *k, const struct question *q, answer_fn *done, void *ud) {
    struct answerer *me = (struct answerer *)k;
    struct answer *an = arena_new_of(me->trial->arena, struct answer);
    *an = (struct answer){.done = done, .ud = ud, .yes = me->approve && !q->attest};
    loop_timer(me->trial->loop, 0, answer_due, an);
}

/* ---- running ---- */

static bool refused(struct trial *x, int status, const char *message) {
    x->refused = true;
    x->status = status;
    x->message = message;
    return true;
}

/* Why the plan is not carried out, if so. */
static bool refusal(struct trial *x) {
    const struct plan *p = x->prepared.plan;
    const char *why = plan_refusal(x->arena, p);
    if (why)
        return refused(x, EXIT_REFUSED, why);
    if (!val_len(p->attests))
        return false;
    struct buf b = BUF_INIT;
    for (size_t i = 0; i < val_len(p->attests); i++)
        buf_printf(&b, "%s%s", i ? ", " : "", p->attests->map.pairs[i].key);
    const char *names = arena_strdup(x->arena, b.data);
    buf_done(&b);
    x->status = EXIT_APPROVAL;
    x->message = arena_printf(x->arena, "an attestation is missing: %s", names);
    return true;
}

static void rehearse(struct trial *x) {
    struct arena *a = x->arena;
    struct err *err = err_new(a);
    struct store *store = store_none(a, x->loop);
    struct watcher watcher = {.screen = {.event = watch}, .trial = x};
    struct answerer answerer = {.asker = {.ask = answer}, .trial = x, .approve = true};
    const struct val *approve = test_value(x->f, x->kase, "approve");
    answerer.approve = !approve || approve->boolean;
    struct screen *screens[] = {&watcher.screen, NULL};
    const struct val *run = val_map_with(a, x->run, "id", val_str(a, "test"));
    const struct exec_spec spec = {.ld = &x->ld, .loop = x->loop, .store = store, .runner = x->runner, .asker = &answerer.asker, .screens = screens,
                                   .run_id = "test", .plan = x->prepared.plan, .state = x->prepared.state, .site = x->site, .run = run,
                                   .about = val_map_new(a), .parallel = 4};
    x->status = x->t->carry_out ? x->t->carry_out(x, &spec, err) : exec_run(a, &spec, err);
    store->ops->close(store);
    test_faults_of(x, err);
    struct err *injected = err_new(a);
    if (x->status == 130)
        x->t->interrupted = true;
    else if (!inject_judge(x->injections, injected))
        test_faults_of(x, injected);
}

static bool explore_as_asked(struct trial *x, struct explore_limits *ret_limits, const char *const **ret_accepted, struct err *err) {
    const struct val *accept = test_value(x->f, x->kase, "accept"), *events = test_value(x->f, x->kase, "events");
    const char **names = arena_array(x->arena, const char *, val_len(accept) + 1);
    size_t n = 0;
    for (size_t i = 0; i < val_len(accept); i++) {
        const struct val *v = val_at(accept, i);
        if (!val_cstr(v))
            err_add(err, v->mark, "wrong-type", "'accept' wants names of rules");
        else if (library_get(x->t->c->lib, val_cstr(v), DEF_RULE, v->mark, err))
            names[n++] = val_cstr(v);
    }
    if (events && (events->integer < 0 || events->integer > 8))
        err_add(err, events->mark, "out-of-range", "'events' wants a number from 0 to 8");
    else if (events)
        ret_limits->events = events->integer ? (int)events->integer : -1;
    *ret_accepted = names;
    return !err->nerrors;
}

/* All that the plan follows from, so that cases which differ in nothing else are explored once. */
static const char *plan_key(struct trial *x) {
    static const char *const keys[] = {"inputs", "attest", "accept", "events", "set"};
    struct val *v = val_list_new(x->arena);
    char digest[33];
    val_list_add(x->arena, v, val_printf(x->arena, "%p", (const void *)x->f->rb));
    val_list_add(x->arena, v, x->world);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const struct val *own = test_value(x->f, x->kase, keys[i]);
        val_list_add(x->arena, v, own ? own : val_null());
    }
    val_list_add(x->arena, v, val_get(x->f->doc, "set") && !val_get(x->kase, "world") ? val_get(x->f->doc, "set") : val_null());
    val_digest(v, digest);
    return arena_strdup(x->arena, digest);
}

static bool explore_once(struct trial *x, const struct prepare_spec *spec, struct err *err) {
    struct prepared *p = &x->prepared;
    const char *key = plan_key(x);
    struct explored *e = map_get(x->t->explored, key);
    if (!e && !prepare_explore(x->t->c->arena, spec, p, &e, err))
        return false;
    if (e) {
        map_put(x->t->explored, key, e);
        p->plan = plan_with(x->arena, p->plan, e);
    }
    return true;
}

static bool run_it(struct trial *x) {
    struct err *err = err_new(x->arena);
    struct prepare_spec spec = {.ld = &x->ld, .runner = x->runner, .rb = x->f->rb, .given = test_value(x->f, x->kase, "inputs"),
                                      .site = x->site, .run = x->run};
    if (!explore_as_asked(x, &spec.limits, &spec.accepted, err) || !prepare_plan(x->arena, &spec, &x->prepared, err) ||
        !explore_once(x, &spec, err)) {
        test_faults_of(x, err);
        return false;
    }
    coverage_plan(x->f->coverage, x->prepared.plan);
    if (!refusal(x) && strcmp(val_get_str(x->expect, "verdict", "safe"), "refused") != 0)
        rehearse(x);
    return !x->t->interrupted;
}

void test_run(struct tester *t, const struct test_file *f, const struct val *kase, struct test_result *ret) {
    struct trial x = {.t = t, .f = f, .kase = kase, .expect = val_get(kase, "expect"), .arena = arena_new(), .message = ""};
    const size_t errors = t->c->err->nerrors;
    *ret = (struct test_result){.file = f->name, .runbook = f->rb->name, .name = val_get_str(kase, "name", "?"), .line = kase->mark.line};
    if (!set_up(&x)) {
        test_fault(&x, "the case cannot be run; see the error%s", t->c->err->nerrors == errors + 1 ? "" : "s");
    } else {
        const int64_t began = loop_now(x.loop);
        if (run_it(&x))
            test_judge(&x);
        ret->took_ms = loop_now(x.loop) - began;
    }
    ret->faults = x.faults;
    ret->nfaults = x.nfaults;
    tear_down(&x);
}
