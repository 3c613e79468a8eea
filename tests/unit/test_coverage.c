/* The promises of coverage: which branches a runbook has, and what visits them. */
#include "plan_kit.h"

#include "run/coverage.h"

#include <string.h>

static const char kit_form[] = "return action { summary = 'Form', changes = { 'demo' }, effect = function(state) end,\n"
                               "  outcomes = { half = function(state) end }, run = function() end }";

#define HEAD "state: { demo: { probe: demo.cluster } }\n"

/* A run that is folded from events as a test makes them. */
struct lab {
    struct kit *k;
    const struct runbook *rb;
    struct coverage *c;
    struct run *run;
    struct injections *l;
};

static void lab_open(struct lab *x, struct kit *k, const char *body) {
    *x = (struct lab){.k = k};
    kit_file(k, "stdlib/demo/form.lua", kit_form);
    x->rb = kit_load(k, body);
    if (!x->rb) {
        struct buf b = BUF_INIT;
        err_render(x->k->err, &b);
        print_error("%s\n", b.data);
        buf_done(&b);
    }
    assert_non_null(x->rb);
    x->c = coverage_new(x->k->a, x->rb);
    x->run = run_new(x->k->a, "r", x->rb);
    x->l = injections_new(x->k->a);
}

/* data: pairs of words, ended by NULL; "true" is a boolean, "[…" a list of two. */
static void happen(struct lab *x, enum event_type type, const char *path, int attempt, const char *const *data) {
    struct arena *a = x->k->a;
    struct val *m = val_map_new(a);
    for (; data && *data; data += 2) {
        const struct val *v = val_str(a, data[1]);
        if (!strcmp(data[1], "true"))
            v = val_bool(a, true);
        if (data[1][0] == '[') {
            struct val *list = val_list_new(a);
            val_list_add(a, list, val_str(a, "n1"));
            val_list_add(a, list, val_str(a, "n2"));
            v = list;
        }
        val_map_set(a, m, data[0], v);
    }
    const struct event *e = event_new(a, type, 0, path, attempt, m);
    struct err *err = err_new(a);
    if (!run_apply(x->run, e, err))
        print_error("%s\n", err->first->message);
    assert_int_equal(err->nerrors, 0);
    coverage_event(x->c, x->run, e, x->l);
}

#define HAPPEN(x, type, path, attempt, ...) happen(x, type, path, attempt, (const char *const[]){__VA_ARGS__, NULL})
#define HAPPENS(x, type, path, attempt) happen(x, type, path, attempt, NULL)

static void act(struct lab *x, const char *path, int attempt, const char *outcome, bool retry) {
    HAPPENS(x, EV_STARTED, path, attempt);
    HAPPEN(x, EV_ACTED, path, attempt, "outcome", outcome);
    if (retry)
        HAPPEN(x, EV_ENDED, path, attempt, "outcome", outcome, "retry", "true");
    else
        HAPPEN(x, EV_ENDED, path, attempt, "outcome", outcome);
}

static const struct branch *branch(const struct lab *x, const char *name) {
    for (size_t i = 0; i < x->c->n; i++)
        if (!strcmp(x->c->branches[i].name, name))
            return &x->c->branches[i];
    for (size_t i = 0; i < x->c->n; i++)
        print_error("%s\n", x->c->branches[i].name);
    fail_msg("there is no branch '%s'", name);
    return NULL;
}

#define VISITED(x, name) assert_true(branch(x, name)->visited)
#define MISSED(x, name) assert_false(branch(x, name)->visited)

static void every_way_of_a_runbook_is_a_branch(void **state) {
    struct lab x;
    lab_open(&x, *state, HEAD "requires: [demo.quorum]\npreconditions: [ { check: state.demo.n > 0, message: m } ]\n"
                      "steps:\n  - { id: a, if: state.demo.held, unless: state.demo.n == 1, uses: demo.form }\n"
                      "  - id: g\n    for_each: [n1, n2]\n    steps:\n      - { id: w, wait_for: state.demo.n == 2 }\n"
                      "postconditions: [ { check: state.demo.held, message: m } ]\n");
    static const char *const names[] = {"requires: demo.quorum", "precondition: state.demo.n > 0", "a: if true", "a: if false", "a: unless true", "a: ok",
                                        "a: failed", "a: half", "g: list empty", "g: list not empty", "g.w: holds", "g.w: timeout", "postcondition: state.demo.held"};
    assert_int_equal(x.c->n, sizeof names / sizeof *names);
    for (size_t i = 0; i < x.c->n; i++)
        assert_string_equal(x.c->branches[i].name, names[i]);
    assert_int_equal(coverage_percent(x.c), 0);
}

static void what_a_run_does_is_visited(void **state) {
    struct lab x;
    lab_open(&x, *state, HEAD "steps:\n  - { id: a, if: state.demo.held, uses: demo.form, retry: { attempts: 3 } }\n"
                      "  - { id: b, if: state.demo.held, needs: [], uses: demo.form, for_each: [n1, n2] }\n"
                      "  - { id: w, needs: [], wait_for: state.demo.n == 2 }\n");
    HAPPENS(&x, EV_RUN_STARTED, NULL, 0);
    HAPPENS(&x, EV_OPENED, "a", 0);
    VISITED(&x, "a: if true");
    MISSED(&x, "a: if false");
    act(&x, "a", 1, "failed", true);
    VISITED(&x, "a: failed");
    MISSED(&x, "a: ok");
    act(&x, "a", 2, "ok", false);
    VISITED(&x, "a: ok");
    MISSED(&x, "a: half");
    HAPPEN(&x, EV_SKIPPED, "b", 0, "why", "its list is empty");
    VISITED(&x, "b: if true");
    VISITED(&x, "b: list empty");
    MISSED(&x, "b: if false");
    HAPPENS(&x, EV_OPENED, "w", 0);
    act(&x, "w", 1, "failed", false);
    VISITED(&x, "w: timeout");
    MISSED(&x, "w: holds");
    assert_int_equal(coverage_visited(x.c), 6);
}

static void a_step_that_is_blocked_visits_nothing(void **state) {
    struct lab x;
    lab_open(&x, *state, HEAD "steps:\n  - { id: a, if: state.demo.held, uses: demo.form }\n");
    HAPPENS(&x, EV_RUN_STARTED, NULL, 0);
    HAPPEN(&x, EV_SKIPPED, "a", 0, "why", "it needs 'x', which did not end well", "blocked", "true");
    assert_int_equal(coverage_visited(x.c), 0);
}

static void a_declared_outcome_is_not_a_plain_failure(void **state) {
    struct lab x;
    lab_open(&x, *state, HEAD "steps:\n  - { id: a, uses: demo.form, for_each: [n1, n2] }\n");
    assert_true(inject_add(x.l, false, "a[n2]", "half", mark_none(), x.k->err));
    HAPPENS(&x, EV_RUN_STARTED, NULL, 0);
    HAPPEN(&x, EV_OPENED, "a", 0, "items", "[");
    act(&x, "a[n1]", 1, "ok", false);
    x.l->items[0].done = true;
    act(&x, "a[n2]", 1, "failed", false);
    VISITED(&x, "a: half");
    VISITED(&x, "a: ok");
    MISSED(&x, "a: failed");
}

static void a_rescued_step_has_failed(void **state) {
    struct lab x;
    lab_open(&x, *state, HEAD "steps:\n  - { id: a, uses: demo.form, rescue: [ { id: mend, command: [x] } ] }\n");
    HAPPENS(&x, EV_RUN_STARTED, NULL, 0);
    HAPPENS(&x, EV_OPENED, "a", 0);
    HAPPENS(&x, EV_STARTED, "a", 1);
    HAPPEN(&x, EV_ACTED, "a", 1, "outcome", "failed");
    HAPPEN(&x, EV_ENDED, "a", 1, "outcome", "failed", "rescue", "true");
    VISITED(&x, "a: failed");
    HAPPENS(&x, EV_OPENED, "a.mend", 0);
    act(&x, "a.mend", 1, "ok", false);
    VISITED(&x, "a: rescue");
    VISITED(&x, "a.mend: ok");
    HAPPEN(&x, EV_ENDED, "a", 1, "outcome", "ok");
    MISSED(&x, "a: ok");
}

static void the_alternative_that_is_taken_is_visited(void **state) {
    struct lab x;
    lab_open(&x, *state, HEAD "steps:\n  - id: f\n    first_of: [ { id: one, command: [x] }, { id: two, command: [x] } ]\n");
    HAPPENS(&x, EV_RUN_STARTED, NULL, 0);
    HAPPENS(&x, EV_OPENED, "f", 0);
    HAPPENS(&x, EV_STARTED, "f", 1);
    HAPPENS(&x, EV_OPENED, "f.one", 0);
    act(&x, "f.one", 1, "failed", false);
    MISSED(&x, "f: taken one");
    HAPPENS(&x, EV_OPENED, "f.two", 0);
    act(&x, "f.two", 1, "ok", false);
    VISITED(&x, "f: taken two");
    MISSED(&x, "f: taken one");
}

static void what_is_unreachable_does_not_count(void **state) {
    struct lab x;
    lab_open(&x, *state, HEAD "steps:\n  - { id: a, uses: demo.form }\n");
    assert_int_equal(coverage_total(x.c), 3);
    assert_true(coverage_exclude(x.c, "a: half", "why", mark_none(), x.k->err));
    assert_int_equal(coverage_total(x.c), 2);
    HAPPENS(&x, EV_RUN_STARTED, NULL, 0);
    HAPPENS(&x, EV_OPENED, "a", 0);
    act(&x, "a", 1, "ok", false);
    assert_int_equal(coverage_percent(x.c), 50);
    assert_false(coverage_exclude(x.c, "a: hlaf", "why", mark_none(), x.k->err));
    assert_string_equal(x.k->err->first->hint, "did you mean 'a: half'?");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_way_of_a_runbook_is_a_branch, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(what_a_run_does_is_visited, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(a_step_that_is_blocked_visits_nothing, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(a_declared_outcome_is_not_a_plain_failure, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(a_rescued_step_has_failed, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(the_alternative_that_is_taken_is_visited, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(what_is_unreachable_does_not_count, kit_setup, kit_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
