/* The one value type: immutable, ordered, compared by what it says, and a secret wherever it goes. */
#include "value/json.h"

#include <math.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct kit {
    struct arena *a;
    struct buf out;
};

static int setup(void **state) {
    struct kit *k = calloc(1, sizeof *k);
    k->a = arena_new();
    buf_init(&k->out, 0);
    *state = k;
    return 0;
}

static int teardown(void **state) {
    struct kit *k = *state;
    buf_done(&k->out);
    arena_free(k->a);
    free(k);
    return 0;
}

static const struct val *parse(struct arena *a, const char *text) {
    const struct val *v = NULL;
    if (!json_parse(a, "test", text, strlen(text), &v, err_new(a)))
        fail_msg("not JSON: %s", text);
    return v;
}

static const char *json(struct kit *k, const struct val *v) {
    buf_clear(&k->out);
    json_print(v, 0, &k->out);
    return k->out.data;
}

static const char *shown(struct kit *k, const struct val *v, size_t max) {
    buf_clear(&k->out);
    val_show(v, &k->out, max);
    return k->out.data;
}

static void makers_make_what_they_say(void **state) {
    struct kit *k = *state;
    assert_true(val_is(val_null(), VAL_NULL));
    assert_true(val_bool(k->a, true)->boolean);
    assert_true(val_int(k->a, INT64_MIN)->integer == INT64_MIN);
    assert_true(val_double(k->a, 1.5)->number == 1.5);
    assert_string_equal(val_cstr(val_printf(k->a, "%d-%s", 3, "x")), "3-x");
    assert_int_equal(val_printf(k->a, "%s", "abc")->string.len, 3);
    const struct val *s = val_strn(k->a, "a\0b", 3);
    assert_int_equal(s->string.len, 3);
    assert_memory_equal(s->string.s, "a\0b", 4);
    assert_null(s->mark.src);
    assert_false(s->secret);
}

static void strings_are_copied(void **state) {
    struct kit *k = *state;
    char text[] = "abc";
    const struct val *v = val_str(k->a, text);
    struct val *m = val_map_new(k->a);
    val_map_set(k->a, m, text, v);
    text[0] = 'x';
    assert_string_equal(val_cstr(v), "abc");
    assert_non_null(val_get(m, "abc"));
}

static void lists_keep_what_was_added(void **state) {
    struct kit *k = *state;
    struct val *list = val_list_new(k->a);
    assert_int_equal(val_len(list), 0);
    assert_null(val_at(list, 0));
    for (int i = 0; i < 1000; i++)
        val_list_add(k->a, list, i % 2 ? val_int(k->a, i) : NULL);
    assert_int_equal(val_len(list), 1000);
    for (size_t i = 0; i < 1000; i++)
        assert_true(i % 2 ? val_at(list, i)->integer == (int64_t)i : val_is_null(val_at(list, i)));
    assert_null(val_at(list, 1000));
}

static void maps_keep_order_and_replace_in_place_at_every_size(void **state) {
    struct kit *k = *state;
    for (size_t n = 1; n <= 40; n++) {
        struct val *m = val_map_new(k->a);
        for (size_t i = 0; i < n; i++)
            val_map_set(k->a, m, arena_printf(k->a, "key%zu", i), val_int(k->a, (int64_t)i));
        for (size_t i = 0; i < n; i += 3)
            val_map_set(k->a, m, arena_printf(k->a, "key%zu", i), val_int(k->a, -(int64_t)i));
        assert_int_equal(val_len(m), n);
        for (size_t i = 0; i < n; i++) {
            const int64_t want = i % 3 ? (int64_t)i : -(int64_t)i;
            assert_string_equal(m->map.pairs[i].key, arena_printf(k->a, "key%zu", i));
            assert_true(m->map.pairs[i].val->integer == want);
            assert_true(val_get_int(m, m->map.pairs[i].key, 99) == want);
        }
        assert_null(val_get(m, "key"));
        assert_null(val_get(m, "key40"));
    }
}

static void keys_and_values_carry_their_marks(void **state) {
    struct kit *k = *state;
    const struct source *s = source_new(k->a, "s", "a: b\n", 5);
    struct val *m = val_map_new(k->a);
    const struct val *plain = val_str(k->a, "b"), *v = val_marked(k->a, plain, mark_at(s, 3, 1));
    val_map_set_marked(k->a, m, "a", mark_at(s, 0, 1), v);
    assert_int_equal(val_pair(m, "a")->mark.col, 1);
    assert_int_equal(val_get(m, "a")->mark.col, 4);
    assert_int_equal(plain->mark.line, 0);
    struct arena *other = arena_new();
    const struct val *copy = val_copy(other, m);
    assert_int_equal(val_pair(copy, "a")->mark.col, 1);
    assert_ptr_equal(val_get(copy, "a")->mark.src, s);
    arena_free(other);
}

static void a_map_with_another_key_leaves_the_first_alone(void **state) {
    struct kit *k = *state;
    const struct val *m = parse(k->a, "{\"a\":1,\"b\":[2]}");
    const struct val *with = val_map_with(k->a, m, "c", val_int(k->a, 3)), *changed = val_map_with(k->a, m, "a", NULL);
    assert_string_equal(json(k, m), "{\"a\":1,\"b\":[2]}");
    assert_string_equal(json(k, with), "{\"a\":1,\"b\":[2],\"c\":3}");
    assert_string_equal(json(k, changed), "{\"a\":null,\"b\":[2]}");
    assert_ptr_equal(val_get(with, "b"), val_get(m, "b"));
    assert_string_equal(json(k, val_map_with(k->a, NULL, "x", val_null())), "{\"x\":null}");
}

static void a_copy_outlives_its_arena(void **state) {
    struct kit *k = *state;
    static const char text[] = "{\"n\":null,\"b\":true,\"i\":-5,\"d\":1.25,\"s\":\"a\\u0000b\",\"l\":[1,[2,{\"x\":[]}]],\"m\":{}}";
    struct arena *first = arena_new();
    const struct val *copy = val_copy(k->a, parse(first, text));
    arena_free(first);
    assert_string_equal(json(k, copy), text);
}

static void readers_take_nothing_for_null(void **state) {
    struct kit *k = *state;
    const struct val *cases[] = {NULL, val_null(), val_int(k->a, 1), val_str(k->a, "x")};
    for (size_t i = 0; i < 4; i++) {
        const struct val *v = cases[i];
        assert_null(val_get(v, "a"));
        assert_null(val_pair(v, "a"));
        assert_null(val_at(v, 0));
        assert_int_equal(val_len(v), 0);
        assert_string_equal(val_get_str(v, "a", "else"), "else");
        assert_true(val_get_int(v, "a", 7) == 7);
        assert_true(val_get_bool(v, "a", true));
    }
    assert_null(val_cstr(NULL));
    assert_null(val_cstr(val_int(k->a, 1)));
    assert_true(val_is(NULL, VAL_NULL));
    assert_false(val_is(NULL, VAL_MAP));
    assert_true(val_is_null(NULL));
    assert_string_equal(shown(k, NULL, 0), "null");
    assert_string_equal(json(k, NULL), "null");
    char none[33], null[33];
    val_digest(NULL, none);
    val_digest(val_null(), null);
    assert_string_equal(none, null);
}

static void a_value_of_another_kind_is_as_good_as_absent(void **state) {
    struct kit *k = *state;
    const struct val *m = parse(k->a, "{\"s\":\"x\",\"i\":1,\"b\":true,\"n\":null}");
    assert_string_equal(val_get_str(m, "s", "else"), "x");
    assert_string_equal(val_get_str(m, "i", "else"), "else");
    assert_string_equal(val_get_str(m, "n", "else"), "else");
    assert_true(val_get_int(m, "i", 9) == 1);
    assert_true(val_get_int(m, "s", 9) == 9);
    assert_true(val_get_bool(m, "b", false));
    assert_false(val_get_bool(m, "i", false));
}

/* --- equality --- */

static void assert_same(struct kit *k, const struct val *a, const struct val *b, bool same) {
    char x[33], y[33];
    val_digest(a, x);
    val_digest(b, y);
    assert_int_equal(strlen(x), 32);
    assert_int_equal(strspn(x, "0123456789abcdef"), 32);
    if (val_equal(a, b) != same || val_equal(b, a) != same || !strcmp(x, y) != same) {
        const char *first = arena_strdup(k->a, json(k, a));
        fail_msg("%s and %s should %sbe the same (%s, %s)", first, json(k, b), same ? "" : "not ", x, y);
    }
}

static void equal_values_have_equal_digests_and_others_have_not(void **state) {
    struct kit *k = *state;
    static const char *const same[][2] = {
        {"{\"a\":1,\"b\":[1,2]}", "{\"b\":[1,2],\"a\":1}"},
        {"{\"a\":{\"x\":1,\"y\":2,\"z\":{}}}", "{\"a\":{\"z\":{},\"y\":2,\"x\":1}}"},
        {"[]", "[]"},
        {"0", "-0.0"},
        {"[1.5,\"x\",null,true]", "[1.5,\"x\",null,true]"},
    };
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        assert_same(k, parse(k->a, same[i][0]), parse(k->a, same[i][1]), true);
    static const char *const apart[] = {"null", "false", "true", "0", "1", "-1", "1.5", "\"\"", "\"0\"", "\"1\"", "\"null\"", "[]", "{}", "[null]", "[[]]",
                                        "[0]", "[1,2]", "[2,1]", "[[1],2]", "[1,[2]]", "{\"a\":1}", "{\"a\":2}", "{\"b\":1}", "{\"a\":1,\"b\":2}",
                                        "{\"a\":2,\"b\":1}", "{\"a\":null}", "{\"a\":{\"b\":1}}", "{\"ab\":1}", "\"ab\"", "[\"a\",\"b\"]", "[\"ab\",\"\"]",
                                        "\"\\u0000\"", "9007199254740993", "9007199254740992", "9223372036854775807"};
    enum { n = sizeof apart / sizeof *apart };
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            assert_same(k, parse(k->a, apart[i]), parse(k->a, apart[j]), i == j);
}

static void numbers_are_compared_exactly(void **state) {
    struct kit *k = *state;
    assert_same(k, val_int(k->a, 1), val_double(k->a, 1.0), true);
    assert_same(k, val_int(k->a, INT64_MIN), val_double(k->a, -0x1p63), true);
    assert_same(k, val_int(k->a, INT64_MAX), val_double(k->a, 0x1p63), false);
    assert_same(k, val_int(k->a, (INT64_C(1) << 53) + 1), val_double(k->a, 0x1p53), false);
    assert_same(k, val_double(k->a, INFINITY), val_double(k->a, INFINITY), true);
    assert_same(k, val_double(k->a, INFINITY), val_double(k->a, -INFINITY), false);
    assert_same(k, val_double(k->a, 1e300), val_int(k->a, 0), false);
    assert_same(k, val_bool(k->a, true), val_int(k->a, 1), false);
}

static void every_nan_is_the_same(void **state) {
    struct kit *k = *state;
    assert_same(k, val_double(k->a, NAN), val_double(k->a, -NAN), true); /* Lua's 0/0 is the negative one */
    assert_same(k, val_double(k->a, NAN), val_double(k->a, 0.5), false);
}

static void marks_and_secrecy_do_not_count(void **state) {
    struct kit *k = *state;
    const struct source *s = source_new(k->a, "s", "x", 1);
    const struct val *v = parse(k->a, "{\"a\":[1]}");
    assert_same(k, v, val_marked(k->a, v, mark_at(s, 0, 1)), true);
    assert_same(k, v, val_secret(k->a, v), true);
}

static void large_maps_are_compared_without_order_too(void **state) {
    struct kit *k = *state;
    struct val *up = val_map_new(k->a), *down = val_map_new(k->a);
    for (int i = 0; i < 300; i++) {
        val_map_set(k->a, up, arena_printf(k->a, "%d", i), val_int(k->a, i));
        val_map_set(k->a, down, arena_printf(k->a, "%d", 299 - i), val_int(k->a, 299 - i));
    }
    assert_same(k, up, down, true);
    val_map_set(k->a, down, "5", val_int(k->a, 6));
    assert_same(k, up, down, false);
}

/* Saved plans carry digests: they must be the same tomorrow, and on another machine. */
static void digests_do_not_change_from_one_version_to_the_next(void **state) {
    struct kit *k = *state;
    char hex[33];
    val_digest(parse(k->a, "{\"a\":[1,2.5,\"x\",null,true],\"b\":{\"c\":-1}}"), hex);
    assert_string_equal(hex, "bedf4bafde5d825223f9609e41cce497");
}

/* --- secrets --- */

static bool all_secret(const struct val *v) {
    for (size_t i = 0; i < val_len(v); i++)
        if (!all_secret(v->kind == VAL_LIST ? v->list.items[i] : v->map.pairs[i].val))
            return false;
    return v->secret;
}

static void a_secret_is_secret_all_the_way_down_and_after_copying(void **state) {
    struct kit *k = *state;
    const struct val *v = parse(k->a, "{\"a\":[1,{\"b\":\"x\"}],\"c\":null}"), *s = val_secret(k->a, v);
    assert_true(all_secret(s));
    assert_true(all_secret(val_copy(k->a, s)));
    assert_true(val_marked(k->a, s, mark_none())->secret);
    assert_true(all_secret(val_map_with(k->a, s, "d", val_str(k->a, "new"))));
    assert_false(v->secret);
    assert_false(val_get(v, "c")->secret);
    assert_false(val_null()->secret);
}

static void nothing_shows_a_secret(void **state) {
    struct kit *k = *state;
    struct val *m = val_map_new(k->a);
    val_map_set(k->a, m, "user", val_str(k->a, "admin"));
    val_map_set(k->a, m, "password", val_secret(k->a, val_str(k->a, "hunter2")));
    assert_string_equal(shown(k, m, 0), "{user: admin, password: ***}");
    assert_string_equal(json(k, m), "{\"user\":\"admin\",\"password\":\"***\"}");
    assert_string_equal(shown(k, val_secret(k->a, m), 0), "***");
    assert_string_equal(shown(k, val_secret(k->a, val_int(k->a, 1234)), 0), "***");
}

/* --- for people --- */

static void values_are_shown_in_one_line(void **state) {
    struct kit *k = *state;
    static const char *const cases[][2] = {
        {"\"text\"", "text"}, {"null", "null"}, {"true", "true"}, {"-3", "-3"}, {"1.5", "1.5"}, {"0.1", "0.1"}, {"[]", "[]"}, {"{}", "{}"},
        {"[1,\"a\",[null]]", "[1, a, [null]]"}, {"{\"k\":{\"x\":1},\"l\":[]}", "{k: {x: 1}, l: []}"},
        {"[\"a, b\",\"\"]", "[\"a, b\", \"\"]"}, {"\"a, b\"", "a, b"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(shown(k, parse(k->a, cases[i][0]), 0), cases[i][1]);
}

static void long_values_are_cut_between_characters(void **state) {
    struct kit *k = *state;
    assert_string_equal(shown(k, val_str(k->a, "abcdef"), 6), "abcdef");
    assert_string_equal(shown(k, val_str(k->a, "abcdefg"), 6), "abcdef\xe2\x80\xa6");
    assert_string_equal(shown(k, val_str(k->a, "ab\xe2\x82\xac\xe2\x82\xac"), 4), "ab\xe2\x80\xa6");
    struct val *list = val_list_new(k->a);
    for (int i = 0; i < 100000; i++)
        val_list_add(k->a, list, val_int(k->a, i));
    assert_string_equal(shown(k, list, 12), "[0, 1, 2, 3,\xe2\x80\xa6");
}

static void showing_appends(void **state) {
    struct kit *k = *state;
    buf_adds(&k->out, "value: ");
    val_show(val_str(k->a, "abcdef"), &k->out, 3);
    assert_string_equal(k->out.data, "value: abc\xe2\x80\xa6");
}

static void kinds_have_names_for_messages(void **state) {
    (void)state;
    static const char *const names[] = {"null", "a boolean", "an integer", "a number", "a string", "a list", "a map"};
    for (int i = VAL_NULL; i <= VAL_MAP; i++)
        assert_string_equal(val_kind_name((enum val_kind)i), names[i]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(makers_make_what_they_say),
        TEST(strings_are_copied),
        TEST(lists_keep_what_was_added),
        TEST(maps_keep_order_and_replace_in_place_at_every_size),
        TEST(keys_and_values_carry_their_marks),
        TEST(a_map_with_another_key_leaves_the_first_alone),
        TEST(a_copy_outlives_its_arena),
        TEST(readers_take_nothing_for_null),
        TEST(a_value_of_another_kind_is_as_good_as_absent),
        TEST(equal_values_have_equal_digests_and_others_have_not),
        TEST(numbers_are_compared_exactly),
        TEST(every_nan_is_the_same),
        TEST(marks_and_secrecy_do_not_count),
        TEST(large_maps_are_compared_without_order_too),
        TEST(digests_do_not_change_from_one_version_to_the_next),
        TEST(a_secret_is_secret_all_the_way_down_and_after_copying),
        TEST(nothing_shows_a_secret),
        TEST(values_are_shown_in_one_line),
        TEST(long_values_are_cut_between_characters),
        TEST(showing_appends),
        TEST(kinds_have_names_for_messages),
    };
    return cmocka_run_group_tests_name("val", tests, NULL, NULL);
}
