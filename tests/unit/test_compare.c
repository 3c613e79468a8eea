/* Prediction against observation, as values. */
#include "run/compare.h"

#include "lua/box.h"
#include "value/yaml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct arena *arena;

static int up(void **state) {
    (void)state;
    arena = arena_new();
    return 0;
}

static int down(void **state) {
    (void)state;
    arena_free(arena);
    return 0;
}

static const struct val *yaml(const char *text) {
    struct err *err = err_new(arena);
    const struct val *v = NULL;
    assert_true(yaml_parse(arena, source_new(arena, "t", text, strlen(text)), NULL, &v, err));
    return v;
}

static const struct val *part(const struct val *v) {
    struct val *m = val_map_new(arena);
    val_map_set(arena, m, "demo", v);
    return m;
}

static struct changes changed(const char *schema, const char *before, const char *after) {
    struct changes c = {0};
    compare_changes(arena, "demo", schema ? yaml(schema) : NULL, yaml(before), yaml(after), &c);
    return c;
}

static const char *text_of(const struct changes *c, const struct val *observed) {
    struct compared r;
    compare_observed(arena, c, part(observed), &r);
    return compare_text(arena, &r);
}

/* What is told of a prediction and an observation. */
static void assert_told(const char *before, const char *after, const char *observed, const char *text) {
    struct changes c = changed(NULL, before, after);
    assert_string_equal(text_of(&c, yaml(observed)), text);
}

static void what_is_as_predicted_is_not_told(void **state) {
    (void)state;
    assert_told("{a: 1, b: {c: x}}", "{a: 2, b: {c: y}}", "{a: 2, b: {c: y}}", "");
    assert_told("{a: 1}", "{a: 2}", "{a: 2.0}", "");
}

static void a_leaf_that_is_otherwise_is_told_with_its_path(void **state) {
    (void)state;
    assert_told("{q: {voters: 4}}", "{q: {voters: 3}}", "{q: {voters: 4}}", "state.demo.q.voters: predicted 3, observed 4");
    assert_told("{q: {}}", "{q: {voters: 3}}", "{q: {}}", "state.demo.q.voters: predicted 3, observed nothing");
    assert_told("{leader: a}", "{}", "{leader: a}", "state.demo.leader: predicted to vanish, observed a");
}

static void what_was_not_predicted_to_change_is_not_compared(void **state) {
    (void)state;
    assert_told("{a: 1, b: 1}", "{a: 2, b: 1}", "{a: 2, b: 7, c: 9}", "");
    assert_int_equal(changed(NULL, "{a: 1, b: {c: [1]}}", "{a: 1, b: {c: [1]}}").n, 0);
}

static void a_map_that_does_not_appear_or_vanish_is_told_once(void **state) {
    (void)state;
    assert_told("{m: {}}", "{m: {x: {name: n, role: r, deep: {a: 1}}}}", "{m: {}}", "state.demo.m.x: predicted to appear, observed nothing");
    assert_told("{m: {x: {name: n, role: r}}}", "{m: {}}", "{m: {x: {name: n, role: r}}}",
                "state.demo.m.x: predicted to vanish, observed that it is still there");
}

static void a_map_that_appears_otherwise_is_told_where_it_is_otherwise(void **state) {
    (void)state;
    assert_told("{m: {}}", "{m: {x: {name: n, role: r}}}", "{m: {x: {name: n, role: s, more: 1}}}", "state.demo.m.x.role: predicted r, observed s");
    assert_told("{}", "{m: {x: {name: n}}}", "{m: {y: {name: n}}}", "state.demo.m.x.name: predicted n, observed nothing");
}

static void evidence_is_for_people_only(void **state) {
    (void)state;
    struct changes c = changed("{type: map, keys: {why: {type: string, evidence: true}, m: {type: map, of: {type: map, keys: {disk: {type: integer, "
                               "evidence: true}, n: {type: integer}}}}}}",
                               "{why: a, m: {}}", "{why: b, m: {x: {disk: 1, n: 1}}}");
    assert_int_equal(c.n, 1);
    assert_string_equal(text_of(&c, yaml("{why: c, m: {x: {disk: 9, n: 1}}}")), "");
}

static void what_is_unknown_on_either_side_is_left_out(void **state) {
    (void)state;
    struct val *after = val_map_new(arena), *observed = val_map_new(arena);
    val_map_set(arena, after, "a", val_unknown(arena, "steps.x"));
    val_map_set(arena, after, "b", val_int(arena, 2));
    struct changes c = {0};
    compare_changes(arena, "demo", NULL, yaml("{a: 1, b: 1}"), after, &c);
    assert_int_equal(c.n, 1);
    val_map_set(arena, observed, "b", val_unobserved(arena, "no answer"));
    struct compared r;
    compare_observed(arena, &c, part(observed), &r);
    assert_int_equal(r.n + r.same, 0);
    compare_observed(arena, &c, part(val_unobserved(arena, "the probe failed")), &r);
    assert_int_equal(r.n + r.same, 0);
}

static void an_empty_table_is_a_list_or_a_map(void **state) {
    (void)state;
    assert_told("{l: [a]}", "{l: {}}", "{l: []}", "");
}

static void a_symbol_stands_for_what_the_act_returned(void **state) {
    (void)state;
    struct changes c = changed(NULL, "{m: {}, ids: [z]}", "{m: {new-n: {self: new-n}}, ids: [new-n, z], last: new-n}");
    compare_symbols(arena, &c, yaml("{demo: {m: {}, ids: [z]}}"), yaml("{id: new-n}"), yaml("{id: real}"));
    assert_string_equal(text_of(&c, yaml("{m: {real: {self: real}}, ids: [z, real], last: real}")), "");
    assert_string_equal(text_of(&c, yaml("{m: {real: {self: real}}, ids: [z, other], last: real}")),
                        "state.demo.ids: predicted [real, z], observed [z, other]");
}

static void a_symbol_that_nobody_resolved_is_not_compared(void **state) {
    (void)state;
    struct changes c = changed(NULL, "{m: {}, n: 1}", "{m: {new-n: {self: new-n}}, n: 2}");
    compare_symbols(arena, &c, yaml("{demo: {m: {}, n: 1}}"), yaml("{id: new-n}"), NULL);
    assert_int_equal(c.n, 1);
}

static void a_word_of_the_state_is_no_symbol(void **state) {
    (void)state;
    struct changes c = changed(NULL, "{a: on, b: off}", "{a: off, b: on}");
    compare_symbols(arena, &c, yaml("{demo: {a: on, b: off}}"), yaml("{was: on}"), yaml("{was: maybe}"));
    assert_string_equal(text_of(&c, yaml("{a: off, b: on}")), "");
}

static void a_list_in_another_order_is_another_list(void **state) {
    (void)state;
    assert_told("{l: [a]}", "{l: [a, b]}", "{l: [b, a]}", "state.demo.l: predicted [a, b], observed [b, a]");
}

static void the_shortest_paths_are_told_first_and_the_rest_counted(void **state) {
    (void)state;
    assert_told("{}", "{f: 1, e: 1, d: 1, m: {x: 1}, c: 1, b: 1}", "{m: {}}",
                "state.demo.b: predicted 1, observed nothing; state.demo.c: predicted 1, observed nothing; state.demo.d: predicted 1, observed nothing; "
                "state.demo.e: predicted 1, observed nothing; and 2 more");
}

static void deep_states_end(void **state) {
    (void)state;
    const struct val *x = val_int(arena, 1), *y = val_int(arena, 2);
    for (int i = 0; i < 60; i++) {
        struct val *p = val_map_new(arena), *q = val_map_new(arena);
        val_map_set(arena, p, "k", x);
        val_map_set(arena, q, "k", y);
        x = p;
        y = q;
    }
    struct changes c = {0};
    compare_changes(arena, "demo", NULL, x, y, &c);
    assert_int_equal(c.n, 1);
    assert_string_equal(text_of(&c, y), "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_as_predicted_is_not_told, up, down),
        cmocka_unit_test_setup_teardown(a_leaf_that_is_otherwise_is_told_with_its_path, up, down),
        cmocka_unit_test_setup_teardown(what_was_not_predicted_to_change_is_not_compared, up, down),
        cmocka_unit_test_setup_teardown(a_map_that_does_not_appear_or_vanish_is_told_once, up, down),
        cmocka_unit_test_setup_teardown(a_map_that_appears_otherwise_is_told_where_it_is_otherwise, up, down),
        cmocka_unit_test_setup_teardown(evidence_is_for_people_only, up, down),
        cmocka_unit_test_setup_teardown(what_is_unknown_on_either_side_is_left_out, up, down),
        cmocka_unit_test_setup_teardown(an_empty_table_is_a_list_or_a_map, up, down),
        cmocka_unit_test_setup_teardown(a_symbol_stands_for_what_the_act_returned, up, down),
        cmocka_unit_test_setup_teardown(a_symbol_that_nobody_resolved_is_not_compared, up, down),
        cmocka_unit_test_setup_teardown(a_word_of_the_state_is_no_symbol, up, down),
        cmocka_unit_test_setup_teardown(a_list_in_another_order_is_another_list, up, down),
        cmocka_unit_test_setup_teardown(the_shortest_paths_are_told_first_and_the_rest_counted, up, down),
        cmocka_unit_test_setup_teardown(deep_states_end, up, down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
