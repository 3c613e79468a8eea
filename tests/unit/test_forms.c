/* Other ways when one fails: first_of, try_each, rescue; by the real engine, in virtual time. */
#include "bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define HEAD "runbook: t\nversion: 1.0.0\ntitle: t\nstate: { demo: { probe: demo.cluster } }\nsteps:\n"
#define RUN(...)                                                                                                                       \
    struct bench b = {.world = "demo: { n: 1, x: 0 }\n", __VA_ARGS__};                                                                 \
    bench_run(&b)
#define SET(id, v) "{ id: " id ", uses: demo.set, with: { key: x, value: " v " } }"

static void has(const struct bench *b, const char *line) {
    if (!has_line(b->text, line))
        fail_msg("'%s' is not in:\n%s", line, b->text);
}

static void has_not(const struct bench *b, const char *words) {
    if (strstr(b->text, words))
        fail_msg("'%s' is in:\n%s", words, b->text);
}

static void ends(const struct bench *b, int status) {
    if (b->status != status)
        fail_msg("exit %d, wanted %d:\n%s", b->status, status, b->text);
}

static void the_first_alternative_that_ends_well_is_the_last(void **state) {
    (void)state;
    RUN(.runbook = HEAD "  - id: f\n    first_of: [ " SET("a", "1") ", " SET("b", "2") ", " SET("c", "3") " ]\n", .script = "f.a 1 failed");
    ends(&b, 0);
    has(&b, "step.ended f.a failed");
    has(&b, "step.ended f.b ok");
    has(&b, "step.ended f ok");
    has_not(&b, "step.started f.c");
    bench_free(&b);
}

static void an_alternative_whose_outcome_is_unknown_is_the_last(void **state) {
    (void)state;
    RUN(.runbook = HEAD "  - id: f\n    first_of: [ { id: a, command: [x] }, " SET("b", "2") " ]\n", .script = "f.a 1 unknown");
    ends(&b, 7);
    has_not(&b, "step.started f.b");
    bench_free(&b);
}

static void a_skipped_alternative_leaves_the_turn_to_the_next(void **state) {
    (void)state;
    RUN(.runbook = HEAD "  - id: f\n    first_of: [ { id: a, if: false, uses: demo.touch }, " SET("b", "2") " ]\n");
    ends(&b, 0);
    has(&b, "step.ended f.b ok");
    bench_free(&b);
}

static void an_alternative_that_is_there_already_is_the_last(void **state) {
    (void)state;
    RUN(.runbook = HEAD "  - id: f\n    first_of: [ { id: a, unless: state.demo.n == 1, uses: demo.touch }, " SET("b", "2") " ]\n");
    ends(&b, 0);
    has_not(&b, "step.started f.b");
    has(&b, "step.ended f ok");
    bench_free(&b);
}

static void when_every_alternative_fails_the_step_fails(void **state) {
    (void)state;
    RUN(.runbook = HEAD "  - id: f\n    first_of: [ " SET("a", "1") ", " SET("b", "2") " ]\n  - { id: after, uses: demo.touch }\n",
        .script = "f.a 1 failed\nf.b 1 failed");
    ends(&b, 1);
    has(&b, "step.ended f failed");
    has_not(&b, "step.started after");
    bench_free(&b);
}

static void a_denied_alternative_is_the_last(void **state) {
    (void)state;
    RUN(.runbook = HEAD "  - id: f\n    first_of: [ { id: a, uses: demo.wreck }, " SET("b", "2") " ]\n", .deny = "yes");
    ends(&b, 5);
    has_not(&b, "step.started f.b");
    bench_free(&b);
}

static const char *const refusing[] = {"sub", "runbook: sub\nversion: 1.0.0\ntitle: s\nstate: { demo: { probe: demo.cluster } }\n"
                                              "preconditions: [ { check: state.demo.n == 7, message: no seven } ]\nsteps: [ { id: s, uses: demo.touch } ]\n",
                                       NULL};

static void a_runbook_that_refuses_leaves_the_turn_to_the_next_and_no_trace_in_the_exit_status(void **state) {
    (void)state;
    RUN(.runbook = HEAD "  - id: f\n    first_of: [ { id: a, uses: 'runbook:sub' }, " SET("b", "2") " ]\n", .more = refusing);
    ends(&b, 0);
    has(&b, "step.ended f.a refused");
    has(&b, "step.ended f.b ok");
    bench_free(&b);
    struct bench c = {.world = "demo: { n: 1 }\n", .more = refusing,
                      .runbook = HEAD "  - id: f\n    first_of: [ { id: a, uses: 'runbook:sub' }, " SET("b", "2") " ]\n", .script = "f.b 1 failed"};
    bench_run(&c);
    ends(&c, 1);
    bench_free(&c);
}

static void items_are_tried_until_one_ends_well_and_the_winner_can_be_read(void **state) {
    (void)state;
    RUN(.runbook = HEAD "  - { id: t, try_each: [5, 6, 7], uses: demo.set, with: { key: x, value: \"${{ item }}\" } }\n"
                        "  - { id: after, if: steps.t.item == 6 and steps.t.with.value == 6, uses: demo.touch }\n", .script = "t[5] 1 failed");
    ends(&b, 0);
    has(&b, "step.ended t[5] failed");
    has(&b, "step.ended t[6] ok");
    has_not(&b, "step.started t[7]");
    has(&b, "step.ended after ok");
    bench_free(&b);
}

static void an_item_of_which_nobody_knows_is_the_last(void **state) {
    (void)state;
    RUN(.runbook = HEAD "  - { id: t, try_each: [5, 6], command: [x, \"${{ item }}\"] }\n", .script = "t[5] 1 unknown");
    ends(&b, 7);
    has_not(&b, "step.started t[6]");
    bench_free(&b);
}

static void when_every_item_fails_the_step_fails(void **state) {
    (void)state;
    RUN(.runbook = HEAD "  - { id: t, try_each: [5, 6], uses: demo.set, with: { key: x, value: \"${{ item }}\" } }\n", .script = "t[5] 1 failed\nt[6] 1 failed");
    ends(&b, 1);
    has(&b, "step.ended t[6] failed");
    bench_free(&b);
}

static void what_failed_is_rescued_after_its_last_attempt(void **state) {
    (void)state;
    RUN(.runbook = HEAD "  - { id: a, uses: demo.touch, retry: { attempts: 2, delay: 1s }, rescue: [ { id: r, if: steps.a.failed, uses: demo.touch } ] }\n"
                        "  - { id: after, if: steps.a.ok, uses: demo.touch }\n", .script = "a 1 failed\na 2 failed");
    ends(&b, 0);
    assert_int_equal(count_lines(b.text, "step.started a.r"), 1);
    assert_true(before(b.text, "step.ended a#2 failed", "step.ended a.r ok"));
    has(&b, "step.ended a#2 ok");
    has(&b, "step.ended after ok");
    bench_free(&b);
}

static void a_rescue_that_fails_leaves_the_step_failed(void **state) {
    (void)state;
    RUN(.runbook = HEAD "  - { id: a, uses: demo.touch, rescue: [ { id: r, uses: demo.touch } ] }\n  - { id: after, uses: demo.touch }\n",
        .script = "a 1 failed\na.r 1 failed");
    ends(&b, 1);
    has_not(&b, "step.started after");
    bench_free(&b);
}

static void what_ends_well_or_is_unknown_is_not_rescued(void **state) {
    (void)state;
    RUN(.runbook = HEAD "  - { id: a, uses: demo.touch, rescue: [ { id: r, uses: demo.touch } ] }\n");
    ends(&b, 0);
    has_not(&b, "a.r");
    bench_free(&b);
    struct bench c = {.world = "demo: { n: 1 }\n", .runbook = HEAD "  - { id: a, command: [x], rescue: [ { id: r, uses: demo.touch } ] }\n", .script = "a 1 unknown"};
    bench_run(&c);
    ends(&c, 7);
    has_not(&c, "a.r");
    bench_free(&c);
}

static void a_group_and_a_runbook_can_be_rescued(void **state) {
    (void)state;
    RUN(.runbook = HEAD "  - { id: g, steps: [ { id: in, uses: demo.touch } ], rescue: [ { id: r, uses: demo.touch } ] }\n"
                        "  - { id: s, uses: 'runbook:sub', rescue: [ { id: r, if: state.demo.n == 1, uses: demo.touch } ] }\n",
        .script = "g.in 1 failed", .more = refusing);
    ends(&b, 0);
    has(&b, "step.ended g.r ok");
    has(&b, "step.ended s.r ok");
    has(&b, "step.ended s ok");
    bench_free(&b);
}

static void each_item_is_rescued_for_itself(void **state) {
    (void)state;
    RUN(.runbook = HEAD "  - { id: a, for_each: [1, 2], uses: demo.touch, rescue: [ { id: r, if: item == 2, uses: demo.touch } ] }\n", .script = "a[2] 1 failed");
    ends(&b, 0);
    has(&b, "step.ended a[2].r ok");
    has_not(&b, "a[1].r");
    bench_free(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_alternative_that_ends_well_is_the_last),
        cmocka_unit_test(an_alternative_whose_outcome_is_unknown_is_the_last),
        cmocka_unit_test(a_skipped_alternative_leaves_the_turn_to_the_next),
        cmocka_unit_test(an_alternative_that_is_there_already_is_the_last),
        cmocka_unit_test(when_every_alternative_fails_the_step_fails),
        cmocka_unit_test(a_denied_alternative_is_the_last),
        cmocka_unit_test(a_runbook_that_refuses_leaves_the_turn_to_the_next_and_no_trace_in_the_exit_status),
        cmocka_unit_test(items_are_tried_until_one_ends_well_and_the_winner_can_be_read),
        cmocka_unit_test(an_item_of_which_nobody_knows_is_the_last),
        cmocka_unit_test(when_every_item_fails_the_step_fails),
        cmocka_unit_test(what_failed_is_rescued_after_its_last_attempt),
        cmocka_unit_test(a_rescue_that_fails_leaves_the_step_failed),
        cmocka_unit_test(what_ends_well_or_is_unknown_is_not_rescued),
        cmocka_unit_test(a_group_and_a_runbook_can_be_rescued),
        cmocka_unit_test(each_item_is_rescued_for_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
