/* Exploration: every way in which a plan can go is looked at, and what it finds is found on the shortest way. */
#include "explore_kit.h"

static const char *verdict(struct kit *k, const char *steps) {
    struct explored *e = kit_explore(k, (struct explored_case){.body = arena_printf(k->a, "steps:\n%s", steps)});
    const char *s = kit_verdict(k, e);
    explored_free(e);
    return s;
}

static void a_plan_that_breaks_nothing_is_safe(void **state) {
    struct kit *k = *state;
    assert_string_equal(verdict(k, "  - { id: a, uses: demo.add, with: { to: x } }\n"
                                   "  - { id: b, uses: demo.add, with: { to: x } }\n"), "safe");
}

static void a_rule_that_only_another_outcome_breaks_is_found_with_the_way_to_it(void **state) {
    struct kit *k = *state;
    assert_string_equal(verdict(k, "  - { id: a, uses: demo.add, with: { to: x, by: 2 } }\n"
                                   "  - { id: b, uses: demo.risk, with: { to: x } }\n"),
                        "demo.cap x is over 3 | a ends well; b does it twice");
}

static void the_shortest_way_is_told(void **state) {
    struct kit *k = *state;
    assert_string_equal(verdict(k, "  - { id: a, uses: demo.add, with: { to: x } }\n"
                                   "  - { id: b, uses: demo.add, with: { to: y, by: 2 } }\n"
                                   "  - { id: c, uses: demo.add, with: { to: x, by: 3 } }\n"
                                   "  - { id: d, uses: demo.add, with: { to: x, by: 3 } }\n"),
                        "demo.cap x is over 3 | a, b end well; c ends well");
}

static void what_a_rule_says_of_the_end_counts_for_the_undisturbed_way_alone(void **state) {
    struct kit *k = *state;
    assert_string_equal(verdict(k, "  - { id: a, uses: demo.add, with: { to: y } }\n"), "finally demo.even y is odd | a ends well");
}

static void the_same_steps_are_safe_at_their_end(void **state) {
    struct kit *k = *state;
    assert_string_equal(verdict(k, "  - { id: a, uses: demo.add, with: { to: y } }\n"
                                   "  - { id: b, uses: demo.add, with: { to: y } }\n"), "safe");
}

static void what_was_broken_at_the_start_is_no_fault_of_the_plan(void **state) {
    struct kit *k = *state;
    struct explored *e = kit_explore(k, (struct explored_case){.body = "steps:\n  - { id: a, uses: demo.add, with: { to: x } }\n",
                                                               .demo = "{\"x\":7,\"y\":1,\"z\":0,\"word\":\"\"}"});
    assert_string_equal(kit_verdict(k, e), "safe");
    explored_free(e);
}

static void an_act_that_gives_no_answer_is_settled_before_anything_else(void **state) {
    struct kit *k = *state;
    /* a retry after an act that had happened would add twice: `done` says yes, so there is none */
    assert_string_equal(verdict(k, "  - { id: a, uses: demo.add, with: { to: x, by: 3 }, retry: { attempts: 3, delay: 1s } }\n"), "safe");
}

static void a_step_that_failed_half_way_is_tried_again_from_there(void **state) {
    struct kit *k = *state;
    assert_string_equal(verdict(k, "  - { id: a, uses: demo.risk, with: { to: x }, retry: { attempts: 2, delay: 1s } }\n"
                                   "  - { id: b, if: state.demo.word == 'half', uses: demo.add, with: { to: x, by: 4 } }\n"),
                        "demo.cap x is over 3 | a fails half way; a ends well; b ends well");
}

static void nothing_follows_a_step_that_failed(void **state) {
    struct kit *k = *state;
    assert_string_equal(verdict(k, "  - { id: a, uses: demo.risk, with: { to: x } }\n"
                                   "  - { id: b, if: state.demo.word == 'half', uses: demo.add, with: { to: x, by: 4 } }\n"), "safe");
}

static void what_an_effect_calls_impossible_ends_well_nowhere(void **state) {
    struct kit *k = *state;
    static const char once[] = "  - { id: a, uses: demo.once }\n  - { id: b, uses: demo.add, with: { to: x, by: 3 } }\n";
    assert_string_equal(verdict(k, once), "demo.cap x is over 3 | a ends well; b ends well");
    assert_string_equal(verdict(k, arena_printf(k->a, "  - { id: z, uses: demo.add, with: { to: x, by: 2 } }\n%s", once)), "safe");
}

static void what_says_continue_is_followed(void **state) {
    struct kit *k = *state;
    assert_string_equal(verdict(k, "  - { id: a, uses: demo.risk, with: { to: x }, on_failure: continue }\n"
                                   "  - { id: b, if: state.demo.word == 'half', uses: demo.add, with: { to: x, by: 4 } }\n"),
                        "demo.cap x is over 3 | a fails half way; b ends well");
}

static void a_rescue_is_gone_through(void **state) {
    struct kit *k = *state;
    assert_string_equal(verdict(k, "  - { id: a, uses: demo.add, with: { to: y, by: 2 }, rescue: [ { id: r, uses: demo.add, with: { to: x, by: 4 } } ] }\n"),
                        "demo.cap x is over 3 | a fails; a.r ends well");
}

static void alternatives_are_taken_in_their_order_and_only_after_a_failure(void **state) {
    struct kit *k = *state;
    assert_string_equal(verdict(k, "  - id: f\n    first_of:\n"
                                   "      - { id: one, uses: demo.add, with: { to: y, by: 2 } }\n"
                                   "      - { id: two, uses: demo.add, with: { to: x, by: 4 } }\n"),
                        "demo.cap x is over 3 | f.one fails; f.two ends well");
}

static void an_alternative_whose_outcome_is_unknown_is_the_last(void **state) {
    struct kit *k = *state;
    /* demo.risk: nothing can tell whether it happened, so `two` begins only after a plain failure, with x still 0 */
    assert_string_equal(verdict(k, "  - id: f\n    first_of:\n"
                                   "      - { id: one, uses: demo.risk, with: { to: x } }\n"
                                   "      - { id: two, uses: demo.add, with: { to: x, by: 3 } }\n"), "safe");
}

static void each_item_is_tried_until_one_is_well(void **state) {
    struct kit *k = *state;
    assert_string_equal(verdict(k, "  - { id: t, try_each: [1, 2, 4], uses: demo.add, with: { to: x, by: \"${{ item }}\" } }\n"),
                        "demo.cap x is over 3 | t[1] fails; t[2] fails; t[4] ends well");
}

static void steps_without_an_order_are_taken_in_every_order(void **state) {
    struct kit *k = *state;
    assert_string_equal(verdict(k, "  - { id: a, needs: [], uses: demo.add, with: { to: x, by: 2 } }\n"
                                   "  - { id: b, needs: [], if: true, uses: demo.add, with: { to: y, by: 2 } }\n"
                                   "  - { id: c, needs: [b], if: state.demo.x == 2, uses: demo.add, with: { to: x, by: 2 } }\n"),
                        "demo.cap x is over 3 | a, b end well; c ends well");
}

static void what_is_bound_when_it_begins_is_done_when_it_ends(void **state) {
    struct kit *k = *state;
    /* each adds what x was when it began: 1, so 3 at the most; together with the third it would be 4 */
    const char *two = "  - { id: a, uses: demo.add, with: { to: x } }\n"
                      "  - { id: b, needs: [a], uses: demo.add, with: { to: x, by: \"${{ state.demo.x }}\" } }\n"
                      "  - { id: c, needs: [a], uses: demo.add, with: { to: x, by: \"${{ state.demo.x }}\" } }\n";
    assert_string_equal(verdict(k, two), "demo.cap x is over 3 | a, b end well; c ends well");
}

static void two_changes_of_one_membership_are_never_under_way_together(void **state) {
    struct kit *k = *state;
    struct explored *e = kit_explore(k, (struct explored_case){.body = "steps:\n  - { id: a, needs: [], uses: demo.risk, with: { to: y } }\n"
                                                                       "  - { id: b, needs: [], uses: demo.risk, with: { to: z } }\n"});
    struct explored *f;
    assert_non_null(e);
    const size_t held = e->states;
    explored_free(e);
    k->n = 0;
    k->err = err_new(k->a);
    f = kit_explore(k, (struct explored_case){.body = "steps:\n  - { id: a, needs: [], command: [x], effect: { demo.y: 1 } }\n"
                                                      "  - { id: b, needs: [], command: [x], effect: { demo.z: 1 } }\n"});
    assert_non_null(f);
    assert_true(held > 0 && f->states > 0);
    explored_free(f);
}

static void what_only_the_run_will_know_is_taken_both_ways(void **state) {
    struct kit *k = *state;
    assert_string_equal(verdict(k, "  - { id: a, command: [x] }\n"
                                   "  - { id: b, if: steps.a.outputs.stdout == 'yes', uses: demo.add, with: { to: x, by: 4 } }\n"),
                        "demo.cap x is over 3 | a ends well; b turns out to be wanted; b ends well");
}

static void an_unknown_list_is_tried_with_up_to_two_items(void **state) {
    struct kit *k = *state;
    struct explored *e = kit_explore(k, (struct explored_case){.body = "steps:\n  - { id: a, command: [x] }\n"
                                                                       "  - { id: b, for_each: \"${{ steps.a.outputs.value }}\", uses: demo.add, with: { to: x, by: 2 } }\n"});
    assert_string_equal(kit_verdict(k, e), "demo.cap x is over 3 | a ends well; b turns out to have two items; b[#1] ends well; b[#2] ends well");
    assert_true(e->bounded);
    explored_free(e);
}

static void a_wait_ends_well_or_runs_out(void **state) {
    struct kit *k = *state;
    assert_string_equal(verdict(k, "  - { id: w, wait_for: state.demo.z == 1, timeout: 1s, effect: { demo.z: 1 }, on_failure: continue }\n"
                                   "  - { id: a, if: steps.w.failed, uses: demo.add, with: { to: x, by: 4 } }\n"),
                        "demo.bad_end the word is bad, by event | w ends well; the word is spoilt\n"
                        "demo.cap x is over 3 | w waits in vain; a ends well");
}

static void what_the_cluster_does_by_itself_is_judged_too(void **state) {
    struct kit *k = *state;
    assert_string_equal(verdict(k, "  - { id: a, uses: demo.add, with: { to: z } }\n"),
                        "demo.bad_end the word is bad, by event | a ends well; the word is spoilt");
}

static void without_events_it_is_not(void **state) {
    struct kit *k = *state;
    struct explored *e = kit_explore(k, (struct explored_case){.body = "steps:\n  - { id: a, uses: demo.add, with: { to: z } }\n", .limits = {.events = -1}});
    assert_string_equal(kit_verdict(k, e), "safe");
    explored_free(e);
}

static void who_is_attested_does_not_come_back(void **state) {
    struct kit *k = *state;
    assert_string_equal(verdict(k, "  - { id: a, uses: demo.attest }\n"), "safe");
}

static void a_risk_that_is_accepted_by_name_is_told_and_gone_on_from(void **state) {
    struct kit *k = *state;
    struct explored *e = kit_explore(k, (struct explored_case){.body = "steps:\n  - { id: a, uses: demo.add, with: { to: x, by: 4 } }\n"
                                                                       "  - { id: b, uses: demo.add, with: { to: z } }\n", .accept = "demo.cap"});
    assert_string_equal(kit_verdict(k, e), "accepted demo.cap x is over 3 | a ends well\n"
                                           "demo.bad_end the word is bad, by event | a, b end well; the word is spoilt");
    explored_free(e);
}

static void an_event_may_come_before_a_group_is_looked_at(void **state) {
    struct kit *k = *state;
    struct explored *e = kit_explore(k, (struct explored_case){.body = "steps:\n  - id: g\n    verify: state.demo.word ~= 'bad'\n"
                                                                       "    steps: [ { id: a, uses: demo.add, with: { to: z } } ]\n"
                                                                       "    rescue: [ { id: r, if: state.demo.word == 'bad', uses: demo.add, with: { to: x, by: 4 } } ]\n",
                                                               .accept = "demo.bad_end"});
    assert_string_equal(kit_verdict(k, e), "accepted demo.bad_end the word is bad, by event | g.a ends well; the word is spoilt\n"
                                           "demo.cap x is over 3 | g.a ends well; the word is spoilt; g ends, and its 'verify' does not hold; g.r ends well");
    explored_free(e);
}

static void a_limit_that_was_hit_is_said(void **state) {
    struct kit *k = *state;
    struct explored *e = kit_explore(k, (struct explored_case){.body = "steps:\n  - { id: a, uses: demo.add, with: { to: y, by: 2 } }\n"
                                                                       "  - { id: b, uses: demo.add, with: { to: y, by: 2 } }\n", .limits = {.max_states = 2}});
    assert_non_null(e);
    assert_string_equal(e->limit, "2 states");
    explored_free(e);
}

static void each_way_to_fail_says_where_it_leaves_the_cluster(void **state) {
    struct kit *k = *state;
    struct explored *e = kit_explore(k, (struct explored_case){.body = "steps:\n  - { id: a, uses: demo.risk, with: { to: y } }\n"});
    assert_non_null(e);
    assert_int_equal(e->nfails, 4);
    assert_string_equal(e->fails[0].how, "fails");
    assert_string_equal(e->fails[0].picture, "x=0 y=0 ");
    assert_string_equal(e->fails[1].how, "fails half way");
    assert_string_equal(e->fails[1].picture, "x=0 y=0 half");
    assert_string_equal(e->fails[2].how, "gives no answer, though it was done");
    assert_string_equal(e->fails[2].picture, "x=0 y=1 ");
    assert_string_equal(e->fails[3].how, "gives no answer, and was not done");
    explored_free(e);
}

static void a_fault_in_an_effect_is_told_and_no_verdict_given(void **state) {
    struct kit *k = *state;
    struct explored *e = kit_explore(k, (struct explored_case){.body = "steps:\n  - { id: a, uses: demo.add, with: { to: nothing } }\n"});
    assert_null(e);
    assert_has(kit_errors(k), "while every outcome was explored");
}

static void a_function_that_changes_what_it_may_only_look_at_is_told(void **state) {
    struct kit *k = *state;
    static const char *const bad[] = {
        "return rule { needs = { 'demo' }, never = function(state, before) before.demo.z = 7 end }",
        "return rule { needs = { 'demo' }, never = function(state) state.demo.word = 'seen' end }",
        "return event { summary = 'E', needs = { 'demo' }, when = function(state) return true end, effect = function(state, _, before) before.demo.z = 7 end }",
        "return event { summary = 'E', needs = { 'demo' }, when = function(state) state.demo.z = 7 end, effect = function() end }",
    };
    const size_t n = k->n;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        k->n = n;
        box_free(k->box);
        k->box = box_new(NULL);
        kit_file(k, "stdlib/demo/bad.lua", bad[i]);
        assert_null(kit_explore(k, (struct explored_case){.body = "steps:\n  - { id: a, uses: demo.add, with: { to: x } }\n"}));
        assert_has(kit_errors(k), "has changed the state that it was given to look at");
    }
}

static void a_plan_that_is_too_wide_ends_by_a_limit_that_is_said(void **state) {
    struct kit *k = *state;
    struct buf b = BUF_INIT;
    buf_adds(&b, "steps:\n  - { id: c, needs: [], command: [x] }\n");
    for (int i = 0; i < 80; i++) /* so many things are not known at once */
        buf_printf(&b, "  - { id: s%d, needs: [c], if: steps.c.outputs.stdout == '%d', wait_for: state.demo.x == 0 }\n", i, i);
    struct explored *e = kit_explore(k, (struct explored_case){.body = b.data, .limits = {.max_states = 20}});
    assert_non_null(e);
    assert_non_null(e->limit);
    explored_free(e);
    buf_clear(&b);
    k->n = 0;
    buf_adds(&b, "steps:\n");
    for (int i = 0; i < 260; i++)
        buf_printf(&b, "  - { id: s%d, needs: [], uses: demo.add, with: { to: y, by: 2 } }\n", i);
    e = kit_explore(k, (struct explored_case){.body = b.data, .limits = {.max_states = 3}});
    assert_non_null(e);
    assert_string_equal(e->limit, "3 states");
    explored_free(e);
    buf_done(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        KIT_TEST(a_plan_that_breaks_nothing_is_safe),
        KIT_TEST(a_rule_that_only_another_outcome_breaks_is_found_with_the_way_to_it),
        KIT_TEST(the_shortest_way_is_told),
        KIT_TEST(what_a_rule_says_of_the_end_counts_for_the_undisturbed_way_alone),
        KIT_TEST(the_same_steps_are_safe_at_their_end),
        KIT_TEST(what_was_broken_at_the_start_is_no_fault_of_the_plan),
        KIT_TEST(an_act_that_gives_no_answer_is_settled_before_anything_else),
        KIT_TEST(a_step_that_failed_half_way_is_tried_again_from_there),
        KIT_TEST(nothing_follows_a_step_that_failed),
        KIT_TEST(what_an_effect_calls_impossible_ends_well_nowhere),
        KIT_TEST(what_says_continue_is_followed),
        KIT_TEST(a_rescue_is_gone_through),
        KIT_TEST(alternatives_are_taken_in_their_order_and_only_after_a_failure),
        KIT_TEST(an_alternative_whose_outcome_is_unknown_is_the_last),
        KIT_TEST(each_item_is_tried_until_one_is_well),
        KIT_TEST(steps_without_an_order_are_taken_in_every_order),
        KIT_TEST(what_is_bound_when_it_begins_is_done_when_it_ends),
        KIT_TEST(two_changes_of_one_membership_are_never_under_way_together),
        KIT_TEST(what_only_the_run_will_know_is_taken_both_ways),
        KIT_TEST(an_unknown_list_is_tried_with_up_to_two_items),
        KIT_TEST(a_wait_ends_well_or_runs_out),
        KIT_TEST(what_the_cluster_does_by_itself_is_judged_too),
        KIT_TEST(without_events_it_is_not),
        KIT_TEST(who_is_attested_does_not_come_back),
        KIT_TEST(a_risk_that_is_accepted_by_name_is_told_and_gone_on_from),
        KIT_TEST(an_event_may_come_before_a_group_is_looked_at),
        KIT_TEST(a_limit_that_was_hit_is_said),
        KIT_TEST(a_plan_that_is_too_wide_ends_by_a_limit_that_is_said),
        KIT_TEST(each_way_to_fail_says_where_it_leaves_the_cluster),
        KIT_TEST(a_function_that_changes_what_it_may_only_look_at_is_told),
        KIT_TEST(a_fault_in_an_effect_is_told_and_no_verdict_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
