/* The promises of injections: steps that end otherwise than well in a rehearsal, and events of the cluster's own. */
#include "bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define HEAD "runbook: t\nversion: 1.0.0\ntitle: t\nstate: { demo: { probe: demo.cluster } }\n"
#define WORLD "demo: { n: 1, list: [a, b, c] }\n"
#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

#define RUN(...)                                                                                                                       \
    struct bench b = {.world = WORLD, __VA_ARGS__};                                                                                    \
    bench_run(&b)
#define HAS(words) assert_words(&b, words)
#define LINE(line) assert_line(&b, line)

static void assert_words(const struct bench *b, const char *words) {
    if (!strstr(b->text, words))
        print_error("no '%s' in:\n%s\n", words, b->text);
    assert_non_null(strstr(b->text, words));
}

static void assert_line(const struct bench *b, const char *line) {
    if (!has_line(b->text, line))
        print_error("no line '%s' in:\n%s\n", line, b->text);
    assert_true(has_line(b->text, line));
}

static void assert_status(const struct bench *b, int status) {
    if (b->status != status)
        print_error("%s\n", b->text);
    assert_int_equal(b->status, status);
}

#define SET "  - { id: a, uses: demo.set, with: { key: x, value: 1 } }\n"

static void a_failed_act_changes_nothing(void **state) {
    (void)state;
    RUN(.runbook = HEAD "steps:\n  - { id: a, uses: demo.set, with: { key: x, value: 1 }, on_failure: continue }\n"
                        "postconditions: [ { check: state.demo.x == nil, message: m } ]\n",
        .fail = LIST("a"));
    LINE("step.ended a failed");
    assert_status(&b, 0);
    bench_free(&b);
}

static void a_number_limits_it_to_one_attempt(void **state) {
    (void)state;
    RUN(.runbook = HEAD "steps:\n  - { id: a, uses: demo.touch, retry: { attempts: 3, delay: 1s } }\n", .fail = LIST("a#1", "a#2:failed"));
    assert_status(&b, 0);
    assert_int_equal(count_lines(b.text, "step.ended a failed retry") + count_lines(b.text, "step.ended a#2 failed retry"), 2);
    LINE("step.ended a#3 ok");
    bench_free(&b);
}

static void a_path_names_one_item_and_an_id_all_of_them(void **state) {
    (void)state;
    static const char book[] = HEAD "steps:\n"
                                    "  - id: g\n    for_each: ${{ state.demo.list }}\n    max_failures: 3\n    steps:\n      - { id: a, uses: demo.touch }\n";
    RUN(.runbook = book, .fail = LIST("g[b].a"));
    assert_status(&b, 0);
    LINE("step.ended g[a].a ok");
    LINE("step.ended g[b].a failed");
    bench_free(&b);
    for (int i = 0; i < 2; i++) {
        b = (struct bench){.world = WORLD, .runbook = book, .fail = i ? LIST("a") : LIST("g.a")};
        bench_run(&b);
        LINE("step.ended g[a].a failed");
        LINE("step.ended g[c].a failed");
        bench_free(&b);
    }
}

static void an_act_whose_answer_is_lost_is_settled_by_the_state(void **state) {
    (void)state;
    RUN(.runbook = HEAD "steps:\n" SET, .fail = LIST("a:lost"));
    LINE("step.acted a unknown");
    LINE("step.ended a ok");
    assert_status(&b, 0);
    bench_free(&b);
    b = (struct bench){.world = WORLD, .runbook = HEAD "steps:\n" SET, .fail = LIST("a:lost-before")};
    bench_run(&b);
    LINE("step.acted a unknown");
    LINE("step.ended a failed");
    assert_status(&b, 1);
    bench_free(&b);
}

static void a_lost_command_is_unknown(void **state) {
    (void)state;
    RUN(.runbook = HEAD "steps:\n  - { id: a, command: [x] }\n", .fail = LIST("a:lost"));
    assert_status(&b, 7);
    bench_free(&b);
}

static void a_declared_outcome_changes_the_state_and_fails(void **state) {
    (void)state;
    RUN(.runbook = HEAD "steps:\n  - { id: a, uses: demo.form, on_failure: continue }\n"
                        "postconditions: [ { check: state.demo.formed == \"half\", message: m } ]\n",
        .fail = LIST("a:half"));
    LINE("step.ended a failed");
    assert_status(&b, 0);
    bench_free(&b);
}

static void a_declared_outcome_says_how_the_step_ends(void **state) {
    (void)state;
    RUN(.runbook = HEAD "steps:\n  - { id: a, uses: demo.form }\npostconditions: [ { check: state.demo.formed == \"so\", message: m } ]\n",
        .fail = LIST("a:anyway"));
    LINE("step.acted a ok");
    assert_status(&b, 0);
    bench_free(&b);
    b = (struct bench){.world = WORLD, .runbook = HEAD "steps:\n  - { id: a, uses: demo.form }\n", .fail = LIST("a:late")};
    bench_run(&b);
    LINE("step.acted a unknown");
    LINE("step.ended a ok");
    assert_status(&b, 0);
    bench_free(&b);
}

static void an_outcome_that_cannot_happen_changes_nothing_and_is_told(void **state) {
    (void)state;
    RUN(.runbook = HEAD "steps:\n  - { id: a, uses: demo.form, on_failure: continue }\npostconditions: [ { check: state.demo.formed == nil, message: m } ]\n",
        .fail = LIST("a:never"));
    assert_status(&b, 0);
    HAS("'a:never' did not take place: this outcome cannot happen in this state");
    bench_free(&b);
}

static void what_an_effect_calls_impossible_fails_and_changes_nothing(void **state) {
    (void)state;
    RUN(.runbook = HEAD "steps:\n  - { id: a, uses: demo.once }\n  - { id: b, uses: demo.once, on_failure: continue }\n"
                        "postconditions: [ { check: state.demo.once == 1, message: m } ]\n");
    LINE("step.ended a ok");
    LINE("step.ended b failed");
    assert_status(&b, 0);
    bench_free(&b);
}

static void a_probe_of_a_step_can_fail(void **state) {
    (void)state;
    RUN(.runbook = HEAD "steps:\n  - { id: a, uses: demo.cluster }\n", .fail = LIST("a"));
    LINE("step.ended a failed");
    assert_status(&b, 1);
    bench_free(&b);
}

#define WAIT "  - { id: w, wait_for: state.demo.x == 2, timeout: 10s, every: 1s, effect: { demo.x: 2 }, on_failure: continue }\n"

static void a_wait_can_run_out_and_then_its_effect_is_not_applied(void **state) {
    (void)state;
    RUN(.runbook = HEAD "steps:\n" WAIT "postconditions: [ { check: state.demo.x == nil, message: m } ]\n", .fail = LIST("w"));
    LINE("step.ended w failed");
    assert_status(&b, 0);
    bench_free(&b);
    b = (struct bench){.world = WORLD, .runbook = HEAD "steps:\n" WAIT, .fail = LIST("w:holds")};
    bench_run(&b);
    LINE("step.ended w ok");
    bench_free(&b);
}

static void a_wait_that_holds_already_cannot_run_out(void **state) {
    (void)state;
    RUN(.runbook = HEAD "steps:\n  - { id: w, wait_for: state.demo.n == 1 }\n", .fail = LIST("w:timeout"));
    HAS("'w:timeout' did not take place: it held already");
    bench_free(&b);
}

static void a_wait_without_an_effect_cannot_be_said_to_hold(void **state) {
    (void)state;
    RUN(.runbook = HEAD "steps:\n  - { id: w, wait_for: state.demo.n == 2 }\n", .fail = LIST("w:holds"));
    assert_status(&b, -2);
    HAS("'w' has no `effect:`");
    bench_free(&b);
}

static void an_event_happens_when_the_step_begins(void **state) {
    (void)state;
    RUN(.runbook = HEAD "steps:\n" SET "  - { id: w, wait_for: state.demo.member == \"a\", timeout: 10s }\n", .event = LIST("w:demo.back"));
    LINE("step.ended w ok");
    assert_status(&b, 0);
    bench_free(&b);
    b = (struct bench){.world = WORLD, .runbook = HEAD "steps:\n" SET "postconditions: [ { check: state.demo.member == \"a+b\", message: m } ]\n",
                       .event = LIST("a:demo.back=a, b")};
    bench_run(&b);
    assert_status(&b, 0);
    bench_free(&b);
}

static void an_event_that_cannot_happen_is_told(void **state) {
    (void)state;
    RUN(.runbook = HEAD "steps:\n" SET, .event = LIST("a:demo.breaks"));
    HAS("'a:demo.breaks' did not take place: this event cannot happen in this state");
    bench_free(&b);
    b = (struct bench){.world = WORLD, .runbook = HEAD "steps:\n" SET, .event = LIST("a:demo.back=c")};
    bench_run(&b);
    HAS("no such choice in this state; there is: 'a', 'a, b'");
    bench_free(&b);
}

static void attested_members_are_in_the_state_from_the_act_that_asks_for_them(void **state) {
    (void)state;
    static const char book[] = HEAD "steps:\n"
                                    "  - { id: f, uses: demo.form }\n"
                                    "  - { id: before, uses: demo.form }\n"
                                    "  - { id: d, uses: demo.drop, with: { member: n2 } }\n"
                                    "  - { id: after, uses: demo.form }\n";
    RUN(.runbook = book, .attested = "[n2]", .event = LIST("before:demo.breaks"));
    assert_status(&b, 0);
    bench_free(&b);
    b = (struct bench){.world = WORLD, .runbook = book, .attested = "[n2]", .event = LIST("after:demo.breaks")};
    bench_run(&b);
    HAS("cannot happen in this state");
    bench_free(&b);
}

static void what_is_not_there_is_refused_before_anything_runs(void **state) {
    (void)state;
    static const char book[] = HEAD "steps:\n  - { id: form, uses: demo.form }\n  - { id: g, steps: [ { id: w, wait_for: state.demo.n == 2 } ] }\n";
    static const struct {
        bool event;
        const char *text, *words;
    } cases[] = {
        {false, "from", "has no step 'from'"},
        {false, "from", "accepted: form, g.w"},
        {false, "form:hlaf", "did you mean 'half'?"},
        {false, "form:hlaf", "accepted: failed, lost, lost-before, anyway, half, late, never"},
        {false, "w:failed", "accepted: timeout, holds"},
        {false, "g", "'g' only holds other steps"},
        {false, "form#0", "'0' is not the number of an attempt"},
        {false, "form#1x", "'1x' is not the number of an attempt"},
        {false, ":failed", "names no step"},
        {false, "form:", "names no outcome"},
        {true, "form", "names no event"},
        {true, "form:demo.bakc", "unknown event 'demo.bakc'"},
        {true, "form:demo.form", "is an action"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *const list[] = {cases[i].text, NULL};
        struct bench b = {.world = WORLD, .runbook = book, .fail = cases[i].event ? NULL : list, .event = cases[i].event ? list : NULL};
        bench_run(&b);
        assert_status(&b, -2);
        assert_words(&b, cases[i].words);
        bench_free(&b);
    }
}

static void what_the_run_never_came_by_is_told(void **state) {
    (void)state;
    RUN(.runbook = HEAD "steps:\n" SET "  - { id: b, if: state.demo.n == 2, uses: demo.touch }\n", .fail = LIST("b", "a#2"));
    HAS("'b' did not take place: the run never came by that step");
    HAS("'a#2' did not take place: the run never came by that step in that attempt");
    bench_free(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failed_act_changes_nothing),
        cmocka_unit_test(a_number_limits_it_to_one_attempt),
        cmocka_unit_test(a_path_names_one_item_and_an_id_all_of_them),
        cmocka_unit_test(an_act_whose_answer_is_lost_is_settled_by_the_state),
        cmocka_unit_test(a_lost_command_is_unknown),
        cmocka_unit_test(a_declared_outcome_changes_the_state_and_fails),
        cmocka_unit_test(a_declared_outcome_says_how_the_step_ends),
        cmocka_unit_test(an_outcome_that_cannot_happen_changes_nothing_and_is_told),
        cmocka_unit_test(what_an_effect_calls_impossible_fails_and_changes_nothing),
        cmocka_unit_test(a_probe_of_a_step_can_fail),
        cmocka_unit_test(a_wait_can_run_out_and_then_its_effect_is_not_applied),
        cmocka_unit_test(a_wait_that_holds_already_cannot_run_out),
        cmocka_unit_test(a_wait_without_an_effect_cannot_be_said_to_hold),
        cmocka_unit_test(an_event_happens_when_the_step_begins),
        cmocka_unit_test(an_event_that_cannot_happen_is_told),
        cmocka_unit_test(attested_members_are_in_the_state_from_the_act_that_asks_for_them),
        cmocka_unit_test(what_is_not_there_is_refused_before_anything_runs),
        cmocka_unit_test(what_the_run_never_came_by_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
