/* Questions to people: while one is open, the world goes on. */
#include "bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char runbook[] = "runbook: t\nversion: 1.0.0\ntitle: T\nstate: { demo: { probe: demo.cluster } }\nsteps:\n"
                              "  - { id: a, if: not state.demo.well, uses: demo.wreck, with: { what: x } }\n";

static void what_has_ceased_to_hold_while_the_question_was_open_is_not_done(void **state) {
    (void)state;
    struct bench b = {.runbook = runbook, .world = "demo: { well: false }", .answer_after = 60000, .meanwhile = "{ demo.well: true }"};
    bench_run(&b);
    assert_true(has_line(b.text, "approval.answered a yes test") || strstr(b.text, "approval.answered a"));
    assert_null(strstr(b.text, "step.started a"));
    assert_non_null(strstr(b.text, "step.ended a skipped"));
    assert_int_equal(b.status, 0);
    bench_free(&b);
}

static void what_still_holds_is_done_after_the_answer(void **state) {
    (void)state;
    struct bench b = {.runbook = runbook, .world = "demo: { well: false }", .answer_after = 60000};
    bench_run(&b);
    assert_non_null(strstr(b.text, "step.started a"));
    assert_int_equal(b.status, 0);
    bench_free(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_has_ceased_to_hold_while_the_question_was_open_is_not_done),
        cmocka_unit_test(what_still_holds_is_done_after_the_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
