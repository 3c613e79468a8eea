/* What a run does about what a step was predicted to change; virtual time. */
#include "bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define HEAD "runbook: t\nversion: 1.0.0\ntitle: t\nstate: { demo: { probe: demo.cluster } }\n"
#define WORLD "demo: { n: 1, voters: 0 }\n"
#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})
#define GROW "steps:\n  - { id: a, uses: demo.grow }\n  - { id: b, uses: demo.touch }\n"

#define RUN(...)                                                                                                                       \
    struct bench b = {__VA_ARGS__};                                                                                                    \
    b.world = b.world ? b.world : WORLD;                                                                                               \
    bench_run(&b)
#define LINE(line) assert_text(&b, has_line(b.text, line), line)
#define NO_LINE(line) assert_text(&b, !has_line(b.text, line), line)
#define SAID(words) assert_text(&b, strstr(b.said, words) != NULL, words)
#define NOT_SAID(words) assert_text(&b, !strstr(b.said, words), words)

static void assert_text(const struct bench *b, bool ok, const char *what) {
    if (!ok)
        print_error("about '%s' in:\n%s\n%s\n", what, b->text, b->said);
    assert_true(ok);
}

static void assert_status(const struct bench *b, int status) {
    assert_text(b, b->status == status, "the exit status");
}

static void a_step_that_does_what_was_predicted_goes_on_at_once(void **state) {
    (void)state;
    RUN(.runbook = HEAD GROW);
    assert_status(&b, 0);
    NO_LINE("note a");
    assert_in_range(b.took, 2000, 2400); /* two acts of a second */
    bench_free(&b);
}

static void a_change_that_never_shows_fails_the_step_after_its_settling_time(void **state) {
    (void)state;
    RUN(.runbook = HEAD GROW, .fail = LIST("a:silent"));
    assert_status(&b, 1);
    LINE("step.acted a ok");
    LINE("step.ended a failed");
    SAID("its change does not show after 1m: state.demo.ids: predicted [rehearsed-id, z], observed nothing; "
         "state.demo.members: predicted to appear, observed nothing; state.demo.voters: predicted 1, observed 0\n");
    NO_LINE("step.started b");
    assert_in_range(b.took, 61000, 61200); /* the act, the settling time, two looks */
    bench_free(&b);
}

static void an_own_settling_time_is_kept(void **state) {
    (void)state;
    RUN(.runbook = HEAD "steps:\n  - { id: a, uses: demo.set, with: { key: x, value: 1 } }\n", .script = "a 1 late\n");
    assert_status(&b, 0);
    bench_free(&b);
    b = (struct bench){.world = WORLD, .runbook = HEAD "steps:\n  - { id: a, uses: demo.wreck }\n", .script = "a 1 late\n"};
    bench_run(&b);
    assert_status(&b, 1);
    SAID("its change does not show after 1s: state.demo.wrecked: predicted all, observed nothing");
    bench_free(&b);
}

static void a_change_that_shows_late_is_waited_for_and_no_longer(void **state) {
    (void)state;
    RUN(.runbook = HEAD "steps:\n  - { id: a, uses: demo.set, with: { key: x, value: 1 } }\n", .script = "a 1 late\n");
    assert_status(&b, 0);
    LINE("step.ended a ok");
    NO_LINE("note a");
    assert_in_range(b.took, 6000, 7200); /* it shows after 6 s, and one looks each second */
    bench_free(&b);
}

static void a_safe_difference_is_told_and_the_run_goes_on(void **state) {
    (void)state;
    RUN(.runbook = HEAD GROW, .fail = LIST("a:ghost"));
    assert_status(&b, 0);
    LINE("note a");
    SAID("'a': different from the prediction, but safe: state.demo.ids: predicted [rehearsed-id, z], observed nothing; "
         "state.demo.voters: predicted 1, observed 2\n");
    LINE("step.ended b ok");
    assert_in_range(b.took, 12000, 12500); /* once a part of it shows, the rest has ten seconds */
    bench_free(&b);
}

static void what_the_action_calls_done_shows(void **state) {
    (void)state;
    RUN(.runbook = HEAD "steps:\n  - { id: a, uses: demo.form }\n", .fail = LIST("a:anyway"));
    assert_status(&b, 0);
    SAID("'a': different from the prediction, but safe: state.demo.formed: predicted true, observed so\n");
    bench_free(&b);
}

#define THREE HEAD "steps:\n  - { id: a, uses: demo.grow, on_failure: continue, retry: { attempts: 3 } }\n  - { id: b, uses: demo.touch }\n" \
                   "  - { id: c, needs: [], wait_for: state.demo.never == 1, timeout: 10m }\n"

static void a_broken_rule_stops_the_run(void **state) {
    (void)state;
    RUN(.runbook = THREE, .world = "demo: { n: 1, voters: 2, ids: [], members: { m1: { name: x, well: true }, m2: { name: y, well: true } } }\n",
        .fail = LIST("a:ghost"));
    assert_status(&b, 6);
    LINE("note a");
    LINE("run.stopping");
    SAID("'a': different from the prediction, and the rule demo.crowded: too many by a step (");
    LINE("step.ended a failed");
    LINE("step.ended c failed");
    NO_LINE("step.started b");
    NO_LINE("step.started a#2");
    LINE("run.ended failed");
    bench_free(&b);
}

static void a_rule_that_was_broken_before_stops_nothing(void **state) {
    (void)state;
    RUN(.runbook = HEAD GROW, .world = "demo: { n: 1, voters: 3, members: { p: { name: x }, q: { name: y }, r: { name: z } } }\n", .fail = LIST("a:ghost"));
    assert_status(&b, 0);
    SAID("but safe");
    bench_free(&b);
}

static void a_change_as_predicted_is_not_judged_again(void **state) {
    (void)state;
    RUN(.runbook = HEAD GROW, .world = "demo: { n: 1, voters: 2, members: { p: { name: x }, q: { name: y } } }\n");
    assert_status(&b, 0); /* that plan would have been refused; who ran it nevertheless had accepted the risk */
    bench_free(&b);
}

static void a_real_name_takes_the_place_of_its_symbol_and_evidence_is_not_compared(void **state) {
    (void)state;
    RUN(.runbook = HEAD GROW, .fail = LIST("a:chosen"));
    assert_status(&b, 0);
    NO_LINE("note a");
    NOT_SAID("prediction");
    bench_free(&b);
}

static void the_effect_of_a_command_is_looked_for(void **state) {
    (void)state;
    RUN(.runbook = HEAD "steps:\n  - { id: a, command: [true], effect: { demo.x: 2 } }\n");
    assert_status(&b, 0);
    bench_free(&b);
    b = (struct bench){.world = WORLD, .runbook = HEAD "steps:\n  - { id: a, command: [true], effect: { demo.x: 2 } }\n", .script = "a 1 late\n"};
    bench_run(&b);
    assert_status(&b, 0);
    assert_in_range(b.took, 6000, 7200);
    bench_free(&b);
}

static void an_act_without_an_effect_is_not_compared(void **state) {
    (void)state;
    RUN(.runbook = HEAD "steps:\n  - { id: a, uses: demo.touch }\n", .script = "a 1 late\n");
    assert_status(&b, 0);
    assert_in_range(b.took, 0, 200);
    bench_free(&b);
}

static void an_act_of_unknown_outcome_that_is_done_is_compared_too(void **state) {
    (void)state;
    RUN(.runbook = HEAD "steps:\n  - { id: a, uses: demo.set, with: { key: x, value: 1 } }\n", .script = "a 1 unknown-but-done\n");
    assert_status(&b, 0);
    LINE("step.ended a ok");
    NO_LINE("note a");
    bench_free(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_that_does_what_was_predicted_goes_on_at_once),
        cmocka_unit_test(a_change_that_never_shows_fails_the_step_after_its_settling_time),
        cmocka_unit_test(an_own_settling_time_is_kept),
        cmocka_unit_test(a_change_that_shows_late_is_waited_for_and_no_longer),
        cmocka_unit_test(a_safe_difference_is_told_and_the_run_goes_on),
        cmocka_unit_test(what_the_action_calls_done_shows),
        cmocka_unit_test(a_broken_rule_stops_the_run),
        cmocka_unit_test(a_rule_that_was_broken_before_stops_nothing),
        cmocka_unit_test(a_change_as_predicted_is_not_judged_again),
        cmocka_unit_test(a_real_name_takes_the_place_of_its_symbol_and_evidence_is_not_compared),
        cmocka_unit_test(the_effect_of_a_command_is_looked_for),
        cmocka_unit_test(an_act_without_an_effect_is_not_compared),
        cmocka_unit_test(an_act_of_unknown_outcome_that_is_done_is_compared_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
