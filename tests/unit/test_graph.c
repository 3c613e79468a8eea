/* The order of steps: what each waits for, cycles, and who may read whom. */
#include "plan_kit.h"

/* "a>b" for each need: the ids that a step waits for, in order. */
static const char *needs(struct kit *k, const struct step *st) {
    const char *s = "";
    for (size_t i = 0; i < st->nneeds; i++)
        s = arena_printf(k->a, "%s%s%s", s, i ? " " : "", st->needs[i]->id);
    return s;
}

static void without_needs_a_step_waits_for_the_one_before(void **state) {
    struct kit *k = *state;
    const struct runbook *rb = kit_load(k, "steps:\n"
                                           "  - { id: a, command: [x] }\n"
                                           "  - { id: b, command: [x] }\n"
                                           "  - { id: c, needs: [], command: [x] }\n"
                                           "  - { id: d, needs: [a, c, a], command: [x] }\n"
                                           "  - { id: e, needs: b, command: [x] }\n");
    assert_non_null(rb);
    assert_string_equal(needs(k, kit_step(rb, "a")), "");
    assert_string_equal(needs(k, kit_step(rb, "b")), "a");
    assert_string_equal(needs(k, kit_step(rb, "c")), "");
    assert_string_equal(needs(k, kit_step(rb, "d")), "a c"); /* each once */
    assert_string_equal(needs(k, kit_step(rb, "e")), "b");
    const struct step *a = kit_step(rb, "a");
    assert_int_equal(a->nusers, 2);
    assert_string_equal(a->users[0]->id, "b");
    assert_string_equal(a->users[1]->id, "d");
}

static void each_list_has_an_order_of_its_own(void **state) {
    struct kit *k = *state;
    const struct runbook *rb = kit_load(k, "steps:\n"
                                           "  - { id: a, command: [x] }\n"
                                           "  - id: g\n"
                                           "    steps: [ { id: a, command: [x] }, { id: b, command: [x] } ]\n"
                                           "    rescue: [ { id: r, command: [x] }, { id: s, command: [x] } ]\n"
                                           "  - { id: z, command: [x] }\n");
    assert_non_null(rb);
    const struct step *g = kit_step(rb, "g");
    assert_string_equal(needs(k, g), "a");
    assert_int_equal(g->nchildren, 2);
    assert_string_equal(needs(k, g->children[0]), "");
    assert_string_equal(needs(k, g->children[1]), "a");
    assert_ptr_equal(g->children[1]->needs[0], g->children[0]);
    assert_string_equal(needs(k, g->rescue[0]), "");
    assert_string_equal(needs(k, g->rescue[1]), "r");
    assert_string_equal(needs(k, kit_step(rb, "z")), "g");
}

static void steps_stand_depth_first_and_know_their_index(void **state) {
    struct kit *k = *state;
    const struct runbook *rb = kit_load(k, "steps:\n"
                                           "  - { id: a, steps: [ { id: b, command: [x] }, { id: c, command: [x] } ], undo: [ { id: u, command: [x] } ] }\n"
                                           "  - { command: [x] }\n");
    assert_non_null(rb);
    static const char *const ids[] = {"a", "b", "c", "u", "step-2"};
    assert_int_equal(rb->nall, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_string_equal(rb->all[i]->id, ids[i]);
        assert_int_equal(rb->all[i]->index, i);
    }
}

static void a_cycle_is_told_as_it_runs(void **state) {
    struct kit *k = *state;
    assert_null(kit_load(k, "steps:\n"
                            "  - { id: start, needs: [], command: [x] }\n"
                            "  - { id: behind, needs: [c], command: [x] }\n" /* waits for the cycle, and is not in it */
                            "  - { id: a, needs: [c, start], command: [x] }\n"
                            "  - { id: b, needs: [a], command: [x] }\n"
                            "  - { id: c, needs: [b], command: [x] }\n"));
    const char *text = kit_errors(k);
    assert_int_equal(kit_count(text, "[cycle]"), 1);
    assert_has(text, "c -> b -> a -> c");
}

static void a_step_cannot_need_itself_nor_a_stranger(void **state) {
    struct kit *k = *state;
    assert_null(kit_load(k, "steps:\n"
                            "  - { id: a, needs: [a], command: [x] }\n"
                            "  - { id: g, steps: [ { id: inner, command: [x] } ] }\n"
                            "  - { id: b, needs: [inner, 7], command: [x] }\n"
                            "  - { id: c, needs: [aa], command: [x] }\n"));
    const char *text = kit_errors(k);
    assert_int_equal(kit_count(text, "[unknown-step]"), 4);
    assert_has(text, "did you mean 'a'?");
}

/* ---- who may read whom: only what has ended by then ---- */

static void a_reference_needs_an_ancestor(void **state) {
    static const struct {
        const char *steps, *says; /* NULL: fine */
    } cases[] = {
        {"[ { id: a, command: [x] }, { id: b, if: steps.a.ok, command: [x] } ]", NULL},
        {"[ { id: a, command: [x] }, { id: b, command: [x] }, { id: c, if: steps.a.ok, command: [x] } ]", NULL},
        {"[ { id: a, command: [x] }, { id: g, steps: [ { id: b, steps: [ { id: c, if: steps.a.ok, command: [x] } ] } ] } ]", NULL},
        {"[ { id: a, command: [x] }, { id: b, needs: [], if: steps.a.ok, command: [x] } ]", "'b' does not wait for 'a'"},
        {"[ { id: a, if: steps.b.ok, command: [x] }, { id: b, command: [x] } ]", "'a' does not wait for 'b'"},
        {"[ { id: g, needs: [], steps: [ { id: c, if: steps.z.ok, command: [x] } ] }, { id: z, command: [x] } ]", "'c' does not wait for 'z'"},
        {"[ { id: a, if: steps.a.ok, command: [x] } ]", "cannot read itself here"},
        {"[ { id: a, verify: steps.a.ok, outputs: { o: '${{ steps.a.outputs.stdout }}' }, command: [x] } ]", NULL},
        {"[ { id: g, steps: [ { id: a, command: [x] } ], outputs: { o: '${{ steps.a.outputs.stdout }}' } } ]", NULL},
        {"[ { id: g, steps: [ { id: a, command: [x] } ] }, { id: b, if: steps.a.ok, command: [x] } ]", "it is inside 'g'"},
        {"[ { id: a, command: [x] }, { id: b, if: steps.a.okay, command: [x] } ]", "accepted: ok, failed"},
        {"[ { id: a, command: [x] }, { id: b, if: steps.a.outputs.stdot, command: [x] } ]", "did you mean 'stdout'"},
        {"[ { id: a, uses: demo.cluster }, { id: b, if: steps.a.outputs.value.held, command: [x] } ]", NULL},
        {"[ { id: a, uses: demo.cluster }, { id: b, if: steps.a.outputs.held, command: [x] } ]", "accepted: value"},
        {"[ { id: a, uses: demo.join, with: { node: n1 } }, { id: b, if: steps.a.outputs.idd == 1, command: [x] } ]", "did you mean 'id'"},
        {"[ { id: a, for_each: [1], command: [x] }, { id: b, if: \"steps.a.items[1].outputs.stdout == ''\", command: [x] } ]", NULL},
        {"[ { id: a, for_each: [1], command: [x, '${{ item }}'] }, { id: b, command: [x, '${{ item }}'] } ]", "there is no 'item' here"},
        {"[ { id: a, for_each: '${{ item }}', command: [x] } ]", "there is no 'item' here"},
        {"[ { id: a, for_each: [1], if: item == 1, command: [x] } ]", "there is no 'item' here"},
        {"[ { id: g, for_each: [1], steps: [ { id: a, if: index == 1, command: [x] } ] } ]", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        void *one = NULL;
        kit_setup(&one);
        struct kit *k = one;
        const struct runbook *rb = kit_load(k, arena_printf(k->a, "steps: %s\n", cases[i].steps));
        const char *text = kit_errors(k);
        if (!rb != !!cases[i].says)
            fail_msg("%s\n%s", cases[i].steps, text);
        if (cases[i].says)
            assert_has(text, cases[i].says);
        kit_teardown(&one);
    }
    (void)state;
}

/* ---- size ---- */

static const char *chain(struct kit *k, int n) {
    struct buf b = BUF_INIT;
    buf_adds(&b, "steps:\n  - { id: s0, command: [x] }\n");
    for (int i = 1; i < n; i++)
        buf_printf(&b, "  - { id: s%d, command: [x], if: steps.s0.ok }\n", i);
    const char *s = arena_strdup(k->a, b.data);
    buf_done(&b);
    return s;
}

static void a_long_chain_is_no_deep_one(void **state) {
    struct kit *k = *state;
    const struct runbook *rb = kit_load(k, chain(k, 3000));
    assert_non_null(rb);
    assert_int_equal(rb->nall, 3000);
    assert_true(arena_used(k->a) < 64u << 20); /* grows with the steps, not with their square */
}

static void a_step_that_all_need_has_them_all_as_users(void **state) {
    struct kit *k = *state;
    struct buf b = BUF_INIT;
    buf_adds(&b, "steps:\n  - { id: hub, command: [x] }\n");
    for (int i = 1; i < 3000; i++)
        buf_printf(&b, "  - { needs: [hub], command: [x] }\n");
    const struct runbook *rb = kit_load(k, b.data);
    buf_done(&b);
    assert_non_null(rb);
    assert_int_equal(kit_step(rb, "hub")->nusers, 2999);
    assert_true(arena_used(k->a) < 64u << 20);
}

static void too_many_steps_are_told_once(void **state) {
    struct kit *k = *state;
    struct buf b = BUF_INIT;
    buf_adds(&b, "steps:\n");
    for (int i = 0; i < 10010; i++)
        buf_printf(&b, "  - { steps: [ { command: [x] } ] }\n");
    assert_null(kit_load(k, b.data));
    buf_done(&b);
    assert_int_equal(k->err->nerrors, 1);
    assert_has(kit_errors(k), "[too-many-steps]");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        KIT_TEST(without_needs_a_step_waits_for_the_one_before),
        KIT_TEST(each_list_has_an_order_of_its_own),
        KIT_TEST(steps_stand_depth_first_and_know_their_index),
        KIT_TEST(a_cycle_is_told_as_it_runs),
        KIT_TEST(a_step_cannot_need_itself_nor_a_stranger),
        KIT_TEST(a_reference_needs_an_ancestor),
        KIT_TEST(a_long_chain_is_no_deep_one),
        KIT_TEST(a_step_that_all_need_has_them_all_as_users),
        KIT_TEST(too_many_steps_are_told_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
