/* The promises of the engine, seen through its events; virtual time. */
#include "bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define HEAD "runbook: t\nversion: 1.0.0\ntitle: t\nstate: { demo: { probe: demo.cluster } }\n"
#define WORLD "demo: { n: 1, list: [a, b, c] }\n"

#define RUN(...)                                                                                                                       \
    struct bench b = {.world = WORLD, __VA_ARGS__};                                                                                    \
    bench_run(&b)
#define LINE(line) assert_true_text(has_line(b.text, line), line, b.text)
#define NO_LINE(line) assert_true_text(!has_line(b.text, line), line, b.text)

static void assert_true_text(bool ok, const char *line, const char *text) {
    if (!ok)
        print_error("about '%s' in:\n%s\n", line, text);
    assert_true(ok);
}

static void assert_status(const struct bench *b, int status) {
    if (b->status != status)
        print_error("%s\n", b->text);
    assert_int_equal(b->status, status);
}

static void steps_without_needs_run_one_after_the_other(void **state) {
    (void)state;
    RUN(.runbook = HEAD "steps:\n"
                        "  - { id: a, uses: demo.set, with: { key: x, value: 1 } }\n"
                        "  - { id: b, uses: demo.set, with: { key: x, value: 2 } }\n"
                        "postconditions: [ { check: state.demo.x == 2, message: m } ]\n");
    assert_status(&b, 0);
    assert_true(before(b.text, "step.ended a ok", "step.started b"));
    assert_string_equal(b.plan, "a run proved\nb run proved\n");
    bench_free(&b);
}

static void steps_that_need_nothing_run_side_by_side_up_to_the_limit(void **state) {
    (void)state;
    RUN(.runbook = HEAD "steps:\n"
                        "  - { id: a, uses: demo.touch }\n"
                        "  - { id: b, uses: demo.touch, needs: [] }\n"
                        "  - { id: c, uses: demo.touch, needs: [] }\n"
                        "  - { id: d, uses: demo.touch, needs: [a, b, c] }\n",
        .parallel = 2);
    assert_status(&b, 0);
    assert_int_equal(b.most_acts, 2);
    assert_true(before(b.text, "step.ended c ok", "step.started d"));
    bench_free(&b);
}

static void a_failed_step_blocks_what_needs_it_and_nothing_else(void **state) {
    (void)state;
    RUN(.runbook = HEAD "steps:\n"
                        "  - { id: a, uses: demo.touch }\n"
                        "  - { id: b, uses: demo.touch }\n"
                        "  - { id: c, uses: demo.touch, needs: [] }\n",
        .script = "a 0 failed\n");
    assert_status(&b, 1);
    LINE("step.ended a failed");
    LINE("step.skipped b blocked");
    LINE("step.ended c ok");
    bench_free(&b);
}

static void on_failure_continue_goes_on(void **state) {
    (void)state;
    RUN(.runbook = HEAD "steps:\n"
                        "  - { id: a, uses: demo.touch, on_failure: continue }\n"
                        "  - { id: b, if: steps.a.failed, uses: demo.touch }\n",
        .script = "a 0 failed\n");
    assert_status(&b, 0);
    LINE("step.ended b ok");
    bench_free(&b);
}

static void a_false_if_skips_and_what_needs_it_runs(void **state) {
    (void)state;
    RUN(.runbook = HEAD "steps:\n"
                        "  - { id: a, if: state.demo.n == 2, uses: demo.touch }\n"
                        "  - { id: b, if: steps.a.skipped, uses: demo.touch }\n");
    assert_status(&b, 0);
    LINE("step.skipped a");
    LINE("step.ended b ok");
    assert_string_equal(b.plan, "a skip probed\nb run probed\n");
    bench_free(&b);
}

static void for_each_takes_its_items_in_order_and_names_them(void **state) {
    (void)state;
    RUN(.runbook = HEAD "steps:\n"
                        "  - { id: a, for_each: \"${{ state.demo.list }}\", uses: demo.touch, with: { name: \"${{ item }}\" } }\n"
                        "  - { id: b, if: count(steps.a.items) == 3, uses: demo.touch }\n");
    assert_status(&b, 0);
    assert_int_equal(b.most_acts, 1);
    assert_true(before(b.text, "step.ended a[a] ok", "step.started a[b]"));
    assert_true(before(b.text, "step.ended a[b] ok", "step.started a[c]"));
    LINE("step.ended b ok");
    bench_free(&b);
}

static void parallel_items_run_at_the_same_time(void **state) {
    (void)state;
    RUN(.runbook = HEAD "steps:\n"
                        "  - { id: a, for_each: \"${{ state.demo.list }}\", parallel: 2, uses: demo.touch }\n");
    assert_status(&b, 0);
    assert_int_equal(b.most_acts, 2);
    bench_free(&b);
}

static void no_item_is_begun_after_more_failures_than_allowed(void **state) {
    (void)state;
    RUN(.runbook = HEAD "steps:\n"
                        "  - { id: a, for_each: \"${{ state.demo.list }}\", uses: demo.touch }\n",
        .script = "a[a] 0 failed\n");
    assert_status(&b, 1);
    assert_int_equal(count_lines(b.text, "step.started"), 1);
    bench_free(&b);
}

static void max_failures_lets_items_fail(void **state) {
    (void)state;
    RUN(.runbook = HEAD "steps:\n"
                        "  - { id: a, for_each: \"${{ state.demo.list }}\", max_failures: 1, uses: demo.touch }\n"
                        "  - { id: b, uses: demo.touch }\n",
        .script = "a[a] 0 failed\n");
    assert_status(&b, 0);
    LINE("step.ended b ok");
    bench_free(&b);
}

static void retry_waits_longer_each_time(void **state) {
    (void)state;
    RUN(.runbook = HEAD "steps:\n"
                        "  - { id: a, uses: demo.touch, retry: { attempts: 3, delay: 10s, backoff: 3 } }\n",
        .script = "a 1 failed\na 2 failed\n");
    assert_status(&b, 0);
    LINE("step.ended a failed retry");
    LINE("step.ended a#3 ok");
    assert_in_range(b.took, 43000, 46000); /* three acts of 1 s, 10 s and 30 s between them */
    bench_free(&b);
}

static void retry_gives_up_after_its_attempts(void **state) {
    (void)state;
    RUN(.runbook = HEAD "steps:\n"
                        "  - { id: a, uses: demo.touch, retry: { attempts: 2, delay: 1s } }\n",
        .script = "a 0 failed\n");
    assert_status(&b, 1);
    assert_int_equal(count_lines(b.text, "step.started"), 2);
    bench_free(&b);
}

static void an_unknown_outcome_is_never_repeated(void **state) {
    (void)state;
    RUN(.runbook = HEAD "steps:\n"
                        "  - { id: a, uses: demo.touch, retry: { attempts: 3, delay: 1s } }\n"
                        "  - { id: b, uses: demo.touch }\n",
        .script = "a 0 unknown\n");
    assert_status(&b, 7);
    assert_int_equal(count_lines(b.text, "step.started"), 1);
    LINE("step.skipped b blocked");
    bench_free(&b);
}

static void an_unknown_act_that_happened_is_settled_as_ok(void **state) {
    (void)state;
    RUN(.runbook = HEAD "steps:\n"
                        "  - { id: a, uses: demo.set, with: { key: x, value: 1 } }\n",
        .script = "a 0 unknown-but-done\n");
    assert_status(&b, 0);
    LINE("step.acted a unknown");
    LINE("step.ended a ok");
    bench_free(&b);
}

static void an_unknown_act_that_never_shows_is_settled_as_failed_and_repeated(void **state) {
    (void)state;
    RUN(.runbook = HEAD "steps:\n"
                        "  - { id: a, uses: demo.set, with: { key: x, value: 1 }, retry: { attempts: 2, delay: 1s } }\n",
        .script = "a 1 unknown\n");
    assert_status(&b, 0);
    LINE("step.ended a failed retry");
    LINE("step.ended a#2 ok");
    assert_true(b.took >= 10000); /* not before its settling time was over */
    bench_free(&b);
}

static void unless_makes_a_runbook_convergent(void **state) {
    (void)state;
    RUN(.runbook = HEAD "steps:\n"
                        "  - { id: a, unless: state.demo.n == 1, uses: demo.touch }\n");
    assert_status(&b, 0);
    assert_int_equal(count_lines(b.text, "step.started"), 0);
    LINE("step.ended a skipped");
    assert_string_equal(b.plan, "a already probed\n");
    bench_free(&b);
}

static void a_verify_that_never_holds_is_a_failure(void **state) {
    (void)state;
    RUN(.runbook = HEAD "steps:\n"
                        "  - { id: a, uses: demo.set, with: { key: x, value: 1 }, verify: state.demo.x == 2 }\n");
    assert_status(&b, 1);
    bench_free(&b);
}

static void a_wait_holds_once_its_effect_shows(void **state) {
    (void)state;
    RUN(.runbook = HEAD "steps:\n"
                        "  - { id: w, wait_for: state.demo.n == 5, every: 2s, timeout: 1m, effect: { demo.n: 5 } }\n"
                        "  - { id: b, uses: demo.touch }\n");
    assert_status(&b, 0);
    LINE("step.ended w ok");
    assert_string_equal(b.plan, "w wait assumed\nb run proved\n");
    bench_free(&b);
}

static void a_wait_for_a_capability_probes_what_it_needs(void **state) {
    (void)state;
    struct bench b = {.world = "demo: { well: false }\n",
                      .runbook = HEAD "steps:\n"
                                      "  - { id: w, wait_for: demo.well(), every: 2s, timeout: 1m, effect: { demo.well: true } }\n"
                                      "  - { id: a, if: demo.well, uses: demo.touch }\n"};
    bench_run(&b);
    assert_status(&b, 0);
    assert_string_equal(b.plan, "w wait assumed\na run assumed\n");
    LINE("step.ended a ok");
    bench_free(&b);
}

static void a_wait_in_vain_fails_after_its_timeout(void **state) {
    (void)state;
    RUN(.runbook = HEAD "steps:\n"
                        "  - { id: w, wait_for: state.demo.n == 5, every: 5s, timeout: 30s }\n"
                        "  - { id: b, uses: demo.touch }\n");
    assert_status(&b, 1);
    LINE("step.ended w failed");
    LINE("step.skipped b blocked");
    assert_in_range(b.took, 30000, 32000);
    assert_string_equal(b.plan, "w times-out assumed\nb not-reached assumed\n");
    bench_free(&b);
}

static void a_destructive_act_asks_and_a_no_refuses_it(void **state) {
    (void)state;
    RUN(.runbook = HEAD "steps:\n"
                        "  - { id: a, uses: demo.wreck }\n"
                        "  - { id: b, uses: demo.touch }\n",
        .deny = "yes");
    assert_status(&b, 5);
    LINE("approval.asked a");
    LINE("step.ended a refused");
    assert_int_equal(count_lines(b.text, "step.started"), 0);
    bench_free(&b);
}

static void an_approved_act_is_done(void **state) {
    (void)state;
    RUN(.runbook = HEAD "steps:\n"
                        "  - { id: a, uses: demo.wreck }\n"
                        "  - { id: b, uses: demo.touch, approve: really }\n");
    assert_status(&b, 0);
    assert_true(before(b.text, "approval.answered a", "step.started a"));
    assert_true(before(b.text, "approval.answered b", "step.started b"));
    bench_free(&b);
}

static void a_member_that_was_attested_is_not_asked_about(void **state) {
    (void)state;
    RUN(.runbook = HEAD "steps:\n"
                        "  - { id: a, uses: demo.drop, with: { member: m1 } }\n",
        .attested = "[m1]");
    assert_status(&b, 0);
    assert_int_equal(count_lines(b.text, "approval.asked"), 0);
    bench_free(&b);
}

static void a_member_that_was_not_attested_is_asked_about_once(void **state) {
    (void)state;
    RUN(.runbook = HEAD "steps:\n"
                        "  - { id: a, uses: demo.drop, with: { member: m1 } }\n"
                        "  - { id: b, uses: demo.drop, with: { member: m1 } }\n");
    assert_status(&b, 0);
    assert_int_equal(count_lines(b.text, "approval.asked"), 1);
    bench_free(&b);
}

static void only_one_membership_change_is_in_flight(void **state) {
    (void)state;
    RUN(.runbook = HEAD "steps:\n"
                        "  - { id: a, for_each: \"${{ state.demo.list }}\", parallel: 3, uses: demo.move }\n");
    assert_status(&b, 0);
    assert_int_equal(b.most_acts, 1);
    assert_int_equal(count_lines(b.text, "step.started"), 3);
    bench_free(&b);
}

static void a_precondition_that_does_not_hold_refuses_before_anything(void **state) {
    (void)state;
    RUN(.runbook = HEAD "preconditions: [ { check: state.demo.n == 2, message: no } ]\n"
                        "steps: [ { id: a, uses: demo.touch } ]\n");
    assert_status(&b, -1);
    bench_free(&b);
}

static void a_capability_that_is_required_must_hold(void **state) {
    (void)state;
    struct bench b = {.world = "demo: { well: false }\n", .runbook = HEAD "requires: [demo.well]\nsteps: [ { id: a, uses: demo.touch } ]\n"};
    bench_run(&b);
    assert_status(&b, -1);
    bench_free(&b);
}

static void a_postcondition_that_does_not_hold_ends_with_11(void **state) {
    (void)state;
    RUN(.runbook = HEAD "steps: [ { id: a, uses: demo.touch } ]\n"
                        "postconditions: [ { check: state.demo.n == 2, message: no } ]\n");
    assert_status(&b, 11);
    bench_free(&b);
}

static void outputs_of_a_step_are_read_by_later_ones(void **state) {
    (void)state;
    RUN(.runbook = HEAD "steps:\n"
                        "  - { id: a, uses: demo.set, with: { key: x, value: 7 }, outputs: { twice: \"${{ demo.twice(state.demo.x) }}\" } }\n"
                        "  - { id: b, uses: demo.set, with: { key: y, value: \"${{ steps.a.outputs.twice }}\" } }\n"
                        "postconditions: [ { check: state.demo.y == 14, message: m } ]\n");
    assert_status(&b, 0);
    bench_free(&b);
}

static void a_group_repeats_its_steps_for_each_item_with_names_of_their_own(void **state) {
    (void)state;
    RUN(.runbook = HEAD "steps:\n"
                        "  - id: g\n"
                        "    for_each: \"${{ state.demo.list }}\"\n"
                        "    steps:\n"
                        "      - { id: a, uses: demo.set, with: { key: \"${{ item }}\", value: \"${{ index }}\" } }\n"
                        "      - { id: b, if: steps.a.ok, uses: demo.touch }\n"
                        "postconditions: [ { check: state.demo.a == 1 and state.demo.c == 3, message: m } ]\n");
    assert_status(&b, 0);
    LINE("step.ended g[c].b ok");
    bench_free(&b);
}

static void a_failure_inside_a_group_fails_the_group(void **state) {
    (void)state;
    RUN(.runbook = HEAD "steps:\n"
                        "  - { id: g, steps: [ { id: a, uses: demo.touch }, { id: b, uses: demo.touch } ] }\n"
                        "  - { id: c, uses: demo.touch }\n",
        .script = "g.a 0 failed\n");
    assert_status(&b, 1);
    LINE("step.skipped g.b blocked");
    LINE("step.ended g failed");
    LINE("step.skipped c blocked");
    bench_free(&b);
}

static const char sub[] = "runbook: sub\nversion: 1.0.0\ntitle: s\ninputs: { k: { type: string, required: true } }\nstate: { demo: { probe: demo.cluster } }\n"
                          "preconditions: [ { check: state.demo.n == 1, message: only with n } ]\n"
                          "steps: [ { id: a, uses: demo.set, with: { key: \"${{ inputs.k }}\", value: 1 } } ]\n";

static void a_runbook_step_runs_with_inputs_of_its_own(void **state) {
    (void)state;
    static const char *const more[] = {"sub", sub, NULL};
    RUN(.runbook = HEAD "steps:\n"
                        "  - { id: s, uses: \"runbook:sub\", with: { k: z } }\n"
                        "postconditions: [ { check: state.demo.z == 1, message: m } ]\n",
        .more = more);
    assert_status(&b, 0);
    LINE("step.ended s.a ok");
    assert_string_equal(b.plan, "s run proved\ns.a run proved\n");
    bench_free(&b);
}

static void a_runbook_step_whose_preconditions_fail_is_refused(void **state) {
    (void)state;
    static const char *const more[] = {"sub", sub, NULL};
    RUN(.runbook = HEAD "steps:\n"
                        "  - { id: n, uses: demo.set, with: { key: n, value: 2 } }\n"
                        "  - { id: s, uses: \"runbook:sub\", with: { k: z } }\n",
        .more = more);
    assert_status(&b, 4);
    LINE("step.ended s refused");
    bench_free(&b);
}

static void a_destructive_act_stops_when_what_was_planned_has_changed(void **state) {
    (void)state;
    /* the plan believes that a sets x to 1; a fails and x stays as it was */
    RUN(.runbook = HEAD "steps:\n"
                        "  - { id: a, uses: demo.set, with: { key: list, value: [z] }, on_failure: continue }\n"
                        "  - { id: b, uses: demo.wreck, with: { what: \"${{ state.demo.list[1] }}\" } }\n",
        .script = "a 0 failed\n");
    assert_status(&b, 6);
    LINE("step.ended b refused");
    assert_int_equal(count_lines(b.text, "step.started"), 1);
    bench_free(&b);
}

static void an_interrupt_lets_what_runs_end_and_starts_nothing(void **state) {
    (void)state;
    RUN(.runbook = HEAD "steps:\n"
                        "  - { id: a, uses: demo.touch }\n"
                        "  - { id: b, uses: demo.touch }\n",
        .script = "a 0 interrupt\n");
    assert_status(&b, 130);
    LINE("step.ended a ok");
    assert_int_equal(count_lines(b.text, "step.started b"), 0);
    bench_free(&b);
}

static void an_expression_that_fails_blocks_and_says_so(void **state) {
    (void)state;
    RUN(.runbook = HEAD "steps:\n"
                        "  - { id: s, uses: demo.set, with: { key: n, value: text }, on_failure: continue }\n"
                        "  - { id: a, if: state.demo.n > 0, uses: demo.touch }\n");
    assert_true(b.status == 1 || b.status == -2); /* the plan sees it already */
    bench_free(&b);
}

static void every_record_of_the_events_reads_back_the_same(void **state) {
    (void)state;
    struct arena *a = arena_new();
    struct val *d = val_map_new(a);
    val_map_set(a, d, "outcome", val_str(a, "ok"));
    for (int t = 0; t < EV_COUNT; t++) {
        struct event *e = event_new(a, (enum event_type)t, 12345, "a[b].c", 2, d), *back;
        struct buf x = BUF_INIT, y = BUF_INIT;
        event_print(e, &x);
        assert_true(event_parse(a, x.data, x.len, &back, err_new(a)));
        event_print(back, &y);
        assert_string_equal(x.data, y.data);
        buf_done(&x);
        buf_done(&y);
    }
    arena_free(a);
}

static void a_record_that_does_not_fit_is_refused_and_changes_nothing(void **state) {
    (void)state;
    struct arena *a = arena_new();
    struct step root = {.id = ""};
    struct runbook rb = {.name = "t", .root = &root};
    struct run *r = run_new(a, "x", &rb);
    struct err *err = err_new(a);
    assert_false(run_apply(r, event_new(a, EV_ENDED, 0, "a", 1, NULL), err));
    assert_int_equal(r->events, 0);
    assert_string_equal(err->first->code, "journal-misfit");
    arena_free(a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_without_needs_run_one_after_the_other),
        cmocka_unit_test(steps_that_need_nothing_run_side_by_side_up_to_the_limit),
        cmocka_unit_test(a_failed_step_blocks_what_needs_it_and_nothing_else),
        cmocka_unit_test(on_failure_continue_goes_on),
        cmocka_unit_test(a_false_if_skips_and_what_needs_it_runs),
        cmocka_unit_test(for_each_takes_its_items_in_order_and_names_them),
        cmocka_unit_test(parallel_items_run_at_the_same_time),
        cmocka_unit_test(no_item_is_begun_after_more_failures_than_allowed),
        cmocka_unit_test(max_failures_lets_items_fail),
        cmocka_unit_test(retry_waits_longer_each_time),
        cmocka_unit_test(retry_gives_up_after_its_attempts),
        cmocka_unit_test(an_unknown_outcome_is_never_repeated),
        cmocka_unit_test(an_unknown_act_that_happened_is_settled_as_ok),
        cmocka_unit_test(an_unknown_act_that_never_shows_is_settled_as_failed_and_repeated),
        cmocka_unit_test(unless_makes_a_runbook_convergent),
        cmocka_unit_test(a_verify_that_never_holds_is_a_failure),
        cmocka_unit_test(a_wait_holds_once_its_effect_shows),
        cmocka_unit_test(a_wait_for_a_capability_probes_what_it_needs),
        cmocka_unit_test(a_wait_in_vain_fails_after_its_timeout),
        cmocka_unit_test(a_destructive_act_asks_and_a_no_refuses_it),
        cmocka_unit_test(an_approved_act_is_done),
        cmocka_unit_test(a_member_that_was_attested_is_not_asked_about),
        cmocka_unit_test(a_member_that_was_not_attested_is_asked_about_once),
        cmocka_unit_test(only_one_membership_change_is_in_flight),
        cmocka_unit_test(a_precondition_that_does_not_hold_refuses_before_anything),
        cmocka_unit_test(a_capability_that_is_required_must_hold),
        cmocka_unit_test(a_postcondition_that_does_not_hold_ends_with_11),
        cmocka_unit_test(outputs_of_a_step_are_read_by_later_ones),
        cmocka_unit_test(a_group_repeats_its_steps_for_each_item_with_names_of_their_own),
        cmocka_unit_test(a_failure_inside_a_group_fails_the_group),
        cmocka_unit_test(a_runbook_step_runs_with_inputs_of_its_own),
        cmocka_unit_test(a_runbook_step_whose_preconditions_fail_is_refused),
        cmocka_unit_test(a_destructive_act_stops_when_what_was_planned_has_changed),
        cmocka_unit_test(an_interrupt_lets_what_runs_end_and_starts_nothing),
        cmocka_unit_test(an_expression_that_fails_blocks_and_says_so),
        cmocka_unit_test(every_record_of_the_events_reads_back_the_same),
        cmocka_unit_test(a_record_that_does_not_fit_is_refused_and_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
