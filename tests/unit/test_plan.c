/* The plan: each line says what will be and how that is known; nothing is changed by making it. */
#include "plan_kit.h"

/* Plans a runbook on a state; the plan as one line a step: "PATH WILL KNOWN[ (why)]". NULL in case of a fault. */
static const struct plan *make(struct kit *k, const char *body, const char *demo, const char *given, const char *attested) {
    kit_file(k, "runbooks/x/t.yaml", kit_runbook(k, arena_printf(k->a, "state: { demo: { probe: demo.cluster } }\n%s", body)));
    struct loader *ld = kit_loader(k);
    const struct runbook *rb = NULL;
    if (!runbook_load(ld, "x/t", mark_none(), &rb, k->err))
        fail_msg("%s", kit_errors(k));
    struct model *m = model_new(k->box);
    model_set(m, "demo", kit_json(k, demo ? demo : "{\"held\":false,\"n\":1,\"members\":{}}"));
    struct val *run = val_map_new(k->a);
    val_map_set(k->a, run, "attested", kit_json(k, attested ? attested : "[]"));
    const struct bind_spec spec = {.ld = ld, .rb = rb, .given = given ? kit_json(k, given) : NULL, .state = m, .run = run};
    struct bind *b = bind_new(k->a, &spec);
    const struct bind_want *wants;
    size_t n;
    if (bind_step(b, &wants, &n, k->err) != BIND_DONE)
        fail_msg("%s", kit_errors(k));
    uint64_t before[2], after[2];
    model_hash(m, before);
    const struct plan_spec ps = {.ld = ld, .bind = b, .rb = rb, .state = m, .run = run};
    const struct plan *p = NULL;
    const bool ok = plan_make(k->a, &ps, &p, k->err);
    assert_int_equal(ok, !k->err->nerrors);
    model_hash(m, after);
    assert_memory_equal(before, after, sizeof before);
    model_free(m);
    return p;
}

static const char *lines(struct kit *k, const struct plan *p) {
    const char *s = "";
    for (size_t i = 0; i < p->nlines; i++)
        s = arena_printf(k->a, "%s%s %s %s\n", s, p->lines[i].path, will_name(p->lines[i].will), known_name(p->lines[i].known));
    return s;
}

static const char *plan_of(struct kit *k, const char *steps, const char *demo) {
    const struct plan *p = make(k, arena_printf(k->a, "steps:\n%s", steps), demo, NULL, NULL);
    return p ? lines(k, p) : kit_errors(k);
}

static void effects_are_folded_into_what_later_steps_see(void **state) {
    struct kit *k = *state;
    const struct plan *p = make(k, "steps:\n"
                                   "  - { id: a, uses: demo.join, with: { node: n1 } }\n"
                                   "  - { id: b, if: state.demo.held, uses: demo.join, with: { node: n2 } }\n"
                                   "  - { id: c, if: not state.demo.held, command: [x] }\n", NULL, NULL, NULL);
    assert_non_null(p);
    assert_string_equal(lines(k, p), "a run proved\nb run predicted\nc skip predicted\n");
    assert_string_equal(p->lines[0].title, "join n1");
    assert_string_equal(kit_text(k, p->lines[0].with), "{\"node\":\"n1\",\"role\":\"voter\"}");
    assert_int_equal(val_get_int(val_get(p->before, "demo"), "n", 0), 1);
    assert_int_equal(val_get_int(val_get(p->after, "demo"), "n", 0), 3);
    assert_true(p->acts == 2 && p->modelled == 2 && p->changes == 2);
}

static void a_line_is_known_as_well_as_the_weakest_fact_it_rests_on(void **state) {
    struct kit *k = *state;
    assert_string_equal(plan_of(k, "  - { id: proved, if: 1 == 1, uses: demo.join, with: { node: n1 } }\n"
                                   "  - { id: predicted, if: state.demo.n == 2, uses: demo.join, with: { node: n1 } }\n"
                                   "  - { id: assumed, command: [x] }\n"
                                   "  - { id: unknown, if: steps.assumed.outputs.stdout == 'y', uses: demo.join, with: { node: n1 } }\n"
                                   "  - { id: after, if: state.demo.n == 3, command: [x] }\n", NULL),
                        "proved run proved\npredicted run predicted\nassumed run assumed\nunknown maybe unknown\nafter run unknown\n");
}

static void what_was_probed_is_labelled_so(void **state) {
    struct kit *k = *state;
    assert_string_equal(plan_of(k, "  - { id: a, if: state.demo.n == 1, uses: demo.join, with: { node: n1 } }\n", NULL), "a run probed\n");
}

static void a_step_whose_end_is_there_already_is_left_out(void **state) {
    struct kit *k = *state;
    assert_string_equal(plan_of(k, "  - { id: a, unless: not state.demo.held, uses: demo.join, with: { node: n1 } }\n"
                                   "  - { id: b, if: steps.a.skipped, uses: demo.join, with: { node: n1 } }\n", NULL),
                        "a already probed\nb run probed\n");
}

static void each_item_has_its_line(void **state) {
    struct kit *k = *state;
    assert_string_equal(plan_of(k, "  - { id: a, for_each: [n1, n2], uses: demo.join, with: { node: '${{ item }}' } }\n"
                                   "  - { id: b, for_each: [], command: [x] }\n"
                                   "  - id: g\n    for_each: [{ name: one }, 7]\n    steps: [ { id: s, if: index == 2, command: [x] } ]\n", NULL),
                        "a each proved\na[n1] run proved\na[n2] run proved\nb skip proved\n"
                        "g each proved\ng[one] run proved\ng[one].s skip proved\ng[7] run proved\ng[7].s run assumed\n");
}

static void items_that_only_the_run_knows_are_said_to_be_unknown(void **state) {
    struct kit *k = *state;
    const struct plan *p = make(k, "steps:\n  - { id: a, command: [x] }\n"
                                   "  - { id: b, for_each: '${{ steps.a.outputs.value }}', uses: demo.join, with: { node: '${{ item }}' } }\n", NULL, NULL, NULL);
    assert_non_null(p);
    assert_string_equal(lines(k, p), "a run assumed\nb[?] maybe unknown\n");
    assert_has(p->lines[1].why, "known when a.outputs.value is");
    assert_true(plan_has_unknown(p->lines[1].with));
    assert_int_equal(val_get_int(val_get(p->after, "demo"), "n", 0), 1); /* what may not run at all changes nothing */
}

static void a_list_that_is_none_is_an_error(void **state) {
    struct kit *k = *state;
    assert_has(plan_of(k, "  - { id: a, for_each: '${{ state.demo.n }}', command: [x] }\n", NULL), "[not-a-list]");
}

static void a_wait_is_predicted_assumed_or_told_to_be_in_vain(void **state) {
    struct kit *k = *state;
    assert_string_equal(plan_of(k, "  - { id: a, wait_for: state.demo.held, effect: { demo.held: true } }\n"
                                   "  - { id: b, wait_for: state.demo.held }\n"
                                   "  - { id: c, wait_for: state.demo.n == 9, on_failure: continue }\n"
                                   "  - { id: d, wait_for: state.demo.n == 9 }\n"
                                   "  - { id: e, command: [x] }\n", NULL),
                        "a wait assumed\nb wait assumed\nc times-out assumed\nd times-out assumed\ne not-reached assumed\n");
}

static void what_an_effect_calls_impossible_is_predicted_to_fail(void **state) {
    struct kit *k = *state;
    const struct plan *p = make(k, "steps:\n  - { id: a, uses: demo.once }\n  - { id: b, uses: demo.once, on_failure: continue }\n"
                                   "  - { id: c, if: state.demo.n == 99, uses: demo.once }\n  - { id: d, uses: demo.once }\n  - { id: e, uses: demo.once }\n",
                                "{\"held\":false,\"n\":1,\"members\":{}}", NULL, NULL);
    assert_non_null(p);
    assert_string_equal(lines(k, p), "a run proved\nb run proved\nc skip predicted\nd run proved\ne not-reached predicted\n");
    assert_string_equal(p->lines[1].why, "predicted to fail: it cannot be done on a cluster like this");
}

static void without_an_effect_what_an_action_changes_is_unknown(void **state) {
    struct kit *k = *state;
    const struct plan *p = make(k, "steps:\n  - { id: a, uses: demo.wipe }\n  - { id: b, if: state.demo.n == 1, uses: demo.join, with: { node: n1 } }\n", NULL, NULL, NULL);
    assert_non_null(p);
    assert_string_equal(lines(k, p), "a run proved\nb run unknown\n");
    assert_true(p->acts == 2 && p->modelled == 1);
}

static void what_is_lost_and_who_must_be_attested_is_on_the_line(void **state) {
    struct kit *k = *state;
    const struct plan *p = make(k, "steps: [ { id: a, uses: demo.wipe, approve: 'Wipe ${{ state.demo.n }}?' } ]\n", NULL, NULL, NULL);
    assert_non_null(p);
    assert_string_equal(p->lines[0].destroys, "everything");
    assert_string_equal(p->lines[0].approve, "Wipe 1?");
    assert_string_equal(kit_text(k, p->lines[0].attests), "{\"n2\":\"its disk is not seen\"}");
    assert_string_equal(kit_text(k, p->attests), "{\"n2\":\"its disk is not seen\"}");
}

static void who_is_attested_is_not_asked_for_again(void **state) {
    struct kit *k = *state;
    const struct plan *p = make(k, "steps: [ { id: a, uses: demo.wipe } ]\n", NULL, NULL, "[\"n2\"]");
    assert_non_null(p);
    assert_null(p->lines[0].attests);
    assert_int_equal(val_len(p->attests), 0);
}

static void a_precondition_that_does_not_hold_refuses_without_lines(void **state) {
    struct kit *k = *state;
    const struct plan *p = make(k, "requires: [demo.quorum]\npreconditions: [ { check: state.demo.n > 0, message: fine }, { check: state.demo.n > 5, message: 'only ${{ state.demo.n }}' } ]\n"
                                   "steps: [ { id: a, command: [x] } ]\n", NULL, NULL, NULL);
    assert_non_null(p);
    assert_true(p->refused);
    assert_int_equal(p->nlines, 0);
    assert_int_equal(p->npre, 3);
    assert_true(!p->pre[0].held && p->pre[1].held && !p->pre[2].held);
    assert_string_equal(p->pre[0].message, "demo.quorum is required, and does not hold: too few");
    assert_string_equal(p->pre[2].message, "only 1");
}

static void a_precondition_on_an_unobserved_fact_does_not_hold_and_says_why(void **state) {
    struct kit *k = *state;
    const struct plan *p = make(k, "preconditions: [ { check: state.demo.held, message: no quorum } ]\nsteps: [ { id: a, command: [x] } ]\n",
                                "{\"held\":{\"$unobserved\":\"n2: connection refused\"},\"n\":1,\"members\":{}}", NULL, NULL);
    assert_non_null(p);
    assert_true(p->refused);
    assert_has(p->pre[0].message, "no quorum");
    assert_has(p->pre[0].message, "n2: connection refused");
}

static void postconditions_are_judged_on_the_predicted_state(void **state) {
    struct kit *k = *state;
    const struct plan *p = make(k, "steps: [ { id: a, uses: demo.join, with: { node: n1 } } ]\n"
                                   "postconditions: [ { check: state.demo.held, message: a }, { check: state.demo.n > 5, message: b }, { check: true, message: c } ]\n",
                                NULL, NULL, NULL);
    assert_non_null(p);
    assert_int_equal(p->npost, 3);
    assert_true(p->post[0].held && !p->post[1].held && p->post[2].held);
    assert_int_equal(p->post[0].known, KNOWN_PREDICTED);
    assert_int_equal(p->post[2].known, KNOWN_PROVED);
}

static void outputs_that_an_effect_predicts_are_read_and_others_unknown(void **state) {
    struct kit *k = *state;
    assert_string_equal(plan_of(k, "  - { id: a, uses: demo.join, with: { node: n1 }, outputs: { m: '${{ steps.a.outputs.n * 10 }}' } }\n"
                                   "  - { id: b, if: steps.a.outputs.m == 20, uses: demo.join, with: { node: n1 } }\n"
                                   "  - { id: c, if: steps.a.outputs.id == 'x', uses: demo.join, with: { node: n1 } }\n", NULL),
                        "a run proved\nb run proved\nc maybe unknown\n");
}

static void steps_are_walked_in_an_order_that_honours_needs(void **state) {
    struct kit *k = *state;
    assert_string_equal(plan_of(k, "  - { id: a, needs: [c], uses: demo.join, with: { node: n1 } }\n"
                                   "  - { id: b, needs: [], uses: demo.join, with: { node: n1 } }\n"
                                   "  - { id: c, needs: [b], uses: demo.join, with: { node: n1 } }\n", NULL),
                        "b run proved\nc run proved\na run proved\n");
}

static void a_runbook_in_a_runbook_is_planned_in_its_place(void **state) {
    struct kit *k = *state;
    kit_file(k, "runbooks/x/leaf.yaml", "runbook: x/leaf\nversion: 1.0.0\ntitle: Leaf\ninputs: { node: { type: node, required: true } }\n"
                                        "steps: [ { id: in, uses: demo.join, with: { node: '${{ inputs.node }}' } } ]\n");
    assert_string_equal(plan_of(k, "  - { id: sub, uses: 'runbook:x/leaf', with: { node: n2 } }\n  - { id: z, if: state.demo.held, uses: demo.join, with: { node: n1 } }\n", NULL),
                        "sub run proved\nsub.in run proved\nz run predicted\n");
}

static void what_would_be_refused_now_is_planned_on_arrival(void **state) {
    struct kit *k = *state;
    kit_file(k, "runbooks/x/leaf.yaml", "runbook: x/leaf\nversion: 1.0.0\ntitle: Leaf\nrequires: [demo.quorum]\nsteps: [ { id: in, command: [x] } ]\n");
    const struct plan *p = make(k, "steps: [ { id: sub, uses: 'runbook:x/leaf' } ]\n", NULL, NULL, NULL);
    assert_non_null(p);
    assert_string_equal(lines(k, p), "sub maybe unknown\n");
    assert_has(p->lines[0].why, "planned on arrival");
    assert_has(p->lines[0].why, "too few");
}

static void an_error_in_an_expression_ends_the_plan_with_its_place(void **state) {
    struct kit *k = *state;
    assert_has(plan_of(k, "  - { id: a, if: state.demo.n + state.demo.members == 1, command: [x] }\n", NULL), "runbooks/x/t.yaml:6:");
}

static void a_condition_that_is_no_boolean_is_an_error(void **state) {
    struct kit *k = *state;
    assert_has(plan_of(k, "  - { id: a, if: state.demo.n, command: [x] }\n", NULL), "[not-boolean]");
}

static void a_key_of_an_item_cannot_look_like_another_path(void **state) {
    struct kit *k = *state;
    static const struct {
        const char *item, *path;
    } cases[] = {{"\"a\"", "p[a]"}, {"\"a]b\"", "p[#3]"}, {"\"a#2\"", "p[#3]"}, {"\"a\\nb\"", "p[#3]"}, {"\"\"", "p[#3]"}, {"{\"node\":\"n\"}", "p[n]"},
                 {"{\"x\":1}", "p[#3]"}, {"42", "p[42]"}, {"true", "p[#3]"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(path_item(k->a, "p", kit_json(k, arena_printf(k->a, "[0,1,%s]", cases[i].item)), 2), cases[i].path);
}

static void two_items_of_one_name_have_different_paths(void **state) {
    struct kit *k = *state;
    const struct val *list = kit_json(k, "[{\"node\":\"n\",\"id\":\"x\"},{\"node\":\"m\"},{\"node\":\"n\",\"id\":\"y\"}]");
    assert_string_equal(path_item(k->a, "p", list, 0), "p[n]");
    assert_string_equal(path_item(k->a, "p", list, 1), "p[m]");
    assert_string_equal(path_item(k->a, "p", list, 2), "p[#3]");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        KIT_TEST(two_items_of_one_name_have_different_paths),
        KIT_TEST(effects_are_folded_into_what_later_steps_see),
        KIT_TEST(a_line_is_known_as_well_as_the_weakest_fact_it_rests_on),
        KIT_TEST(what_was_probed_is_labelled_so),
        KIT_TEST(a_step_whose_end_is_there_already_is_left_out),
        KIT_TEST(each_item_has_its_line),
        KIT_TEST(items_that_only_the_run_knows_are_said_to_be_unknown),
        KIT_TEST(a_list_that_is_none_is_an_error),
        KIT_TEST(a_wait_is_predicted_assumed_or_told_to_be_in_vain),
        KIT_TEST(what_an_effect_calls_impossible_is_predicted_to_fail),
        KIT_TEST(without_an_effect_what_an_action_changes_is_unknown),
        KIT_TEST(what_is_lost_and_who_must_be_attested_is_on_the_line),
        KIT_TEST(who_is_attested_is_not_asked_for_again),
        KIT_TEST(a_precondition_that_does_not_hold_refuses_without_lines),
        KIT_TEST(a_precondition_on_an_unobserved_fact_does_not_hold_and_says_why),
        KIT_TEST(postconditions_are_judged_on_the_predicted_state),
        KIT_TEST(outputs_that_an_effect_predicts_are_read_and_others_unknown),
        KIT_TEST(steps_are_walked_in_an_order_that_honours_needs),
        KIT_TEST(a_runbook_in_a_runbook_is_planned_in_its_place),
        KIT_TEST(what_would_be_refused_now_is_planned_on_arrival),
        KIT_TEST(an_error_in_an_expression_ends_the_plan_with_its_place),
        KIT_TEST(a_condition_that_is_no_boolean_is_an_error),
        KIT_TEST(a_key_of_an_item_cannot_look_like_another_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
