/* JSON in and out: what peers send is read or refused with its place; what we write anybody can read. */
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
    struct err *err;
    struct buf out;
};

static int setup(void **state) {
    struct kit *k = calloc(1, sizeof *k);
    k->a = arena_new();
    k->err = err_new(k->a);
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

static const struct val *parse(struct kit *k, const char *text) {
    const struct val *v = NULL;
    if (!json_parse(k->a, "node1 GET /info", text, strlen(text), &v, k->err))
        fail_msg("%s: %s", text, k->err->last->message);
    return v;
}

static const char *printed(struct kit *k, const struct val *v, unsigned flags) {
    buf_clear(&k->out);
    json_print(v, flags, &k->out);
    return k->out.data;
}

static void what_is_read_is_written_again(void **state) {
    struct kit *k = *state;
    static const char *const cases[] = {
        "null", "true", "false", "0", "-1", "9223372036854775807", "-9223372036854775808", "1.5", "0.1", "1e+300", "-2.5e-10", "\"\"", "\"text\"",
        "[]", "{}", "[[],{}]", "[1,2,3]", "{\"z\":1,\"a\":{\"y\":null},\"m\":[true]}", "\"\\\"\\\\\\n\\r\\t\\b\\f\\u0001\\u0000\"",
        "\"gr\xc3\xbcn \xf0\x9f\x8e\x89\"", "{\"\":0}",
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(printed(k, parse(k, cases[i]), 0), cases[i]);
}

static void space_and_escapes_are_understood(void **state) {
    struct kit *k = *state;
    assert_string_equal(printed(k, parse(k, " \n{ \"a\" :\t[ 1 , \"\\u00fc\\ud83c\\udf89\\/\" ] }\r\n"), 0),
                        "{\"a\":[1,\"\xc3\xbc\xf0\x9f\x8e\x89/\"]}");
}

static void numbers_without_a_fraction_are_integers(void **state) {
    struct kit *k = *state;
    const struct val *v = parse(k, "[1,1.0,1.5,1e3,9007199254740993,1e300]");
    static const enum val_kind kinds[] = {VAL_INT, VAL_INT, VAL_DOUBLE, VAL_INT, VAL_INT, VAL_DOUBLE};
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(val_at(v, i)->kind, kinds[i]);
    assert_true(val_at(v, 4)->integer == INT64_C(9007199254740993));
}

static void integers_that_do_not_fit_are_numbers_and_harm_no_other(void **state) {
    struct kit *k = *state;
    const struct val *v = parse(k, "{\"limit\":18446744073709551615,\"low\":-9223372036854775809,\"exact\":9007199254740993,"
                                   "\"max\":9223372036854775807,\"d\":1.5,\"18446744073709551615\":\"\\\"18446744073709551615\"}");
    assert_true(val_get(v, "limit")->kind == VAL_DOUBLE && val_get(v, "limit")->number == 0x1p64);
    assert_true(val_get(v, "low")->kind == VAL_DOUBLE && val_get(v, "low")->number == -0x1p63);
    assert_true(val_get_int(v, "exact", 0) == INT64_C(9007199254740993));
    assert_true(val_get_int(v, "max", 0) == INT64_MAX);
    assert_string_equal(val_get_str(v, "18446744073709551615", ""), "\"18446744073709551615");
    assert_true(parse(k, "100000000000000000000")->number == 1e20);
}

static void of_two_equal_keys_the_last_wins(void **state) {
    struct kit *k = *state;
    const struct val *v = parse(k, "{\"a\":1,\"b\":2,\"a\":3}");
    assert_int_equal(val_len(v), 2);
    assert_true(val_get_int(v, "a", 0) == 3);
}

static void the_length_counts_and_not_a_terminator(void **state) {
    struct kit *k = *state;
    const struct val *v = NULL;
    assert_true(json_parse(k->a, "n", "[1]]]]", 3, &v, k->err));
    assert_int_equal(val_len(v), 1);
    char *exact = malloc(4);
    static const char digits[4] = {'1', '2', '3', '4'};
    memcpy(exact, digits, sizeof digits);
    assert_true(json_parse(k->a, "n", exact, 4, &v, k->err));
    free(exact);
    assert_true(v->integer == 1234);
}

static void what_is_not_json_is_refused_with_its_place(void **state) {
    struct kit *k = *state;
    static const struct {
        const char *text;
        uint32_t line;
    } cases[] = {
        {"{", 1}, {"[1,]", 1}, {"{\"a\":1,}", 1}, {"{\"a\":\n\n oops}", 3}, {"[1] x", 1}, {"'a'", 1}, {"\"open", 1}, {"01", 1}, {"nul", 1},
        {"\"\\ud800\"", 1}, {"\"\xff\"", 1}, {"\"a\nb\"", 1}, {"{1:2}", 1}, {"<html>502 Bad Gateway</html>", 1}, {"1e999", 1},
        {"{\"a\\u0000b\":1}", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct val *v = (const struct val *)k;
        const size_t before = k->err->nerrors;
        if (json_parse(k->a, "node1 GET /info", cases[i].text, strlen(cases[i].text), &v, k->err))
            fail_msg("%s was taken for JSON", cases[i].text);
        assert_ptr_equal(v, k);
        assert_int_equal(k->err->nerrors, before + 1);
        const struct diag *d = k->err->last;
        assert_string_equal(d->code, "json-syntax");
        assert_string_equal(d->mark.src->name, "node1 GET /info");
        if (d->mark.line != cases[i].line)
            fail_msg("%s: line %u", cases[i].text, d->mark.line);
    }
}

static void an_empty_answer_is_called_empty(void **state) {
    struct kit *k = *state;
    const struct val *v = NULL;
    assert_false(json_parse(k->a, "n", "", 0, &v, k->err));
    assert_non_null(strstr(k->err->last->message, "empty"));
}

static void endless_nesting_is_refused(void **state) {
    struct kit *k = *state;
    char *deep = malloc(200000);
    memset(deep, '[', 200000);
    const struct val *v = NULL;
    assert_false(json_parse(k->a, "n", deep, 200000, &v, k->err));
    memset(deep, '[', 1000);
    memset(deep + 1000, ']', 1000);
    assert_true(json_parse(k->a, "n", deep, 2000, &v, k->err));
    free(deep);
}

static void a_text_may_go_once_it_was_read(void **state) {
    struct kit *k = *state;
    char *text = mem_strdup("{\"a\":\"b\"} ");
    const struct val *good = NULL, *bad = NULL;
    assert_true(json_parse(k->a, "n", text, strlen(text), &good, k->err));
    text[9] = 'x';
    assert_false(json_parse(k->a, "n", text, strlen(text), &bad, k->err));
    free(text);
    assert_string_equal(val_get_str(good, "a", ""), "b");
    diag_render(k->err->last, &k->out);
    assert_non_null(strstr(k->out.data, "{\"a\":\"b\"}x"));
}

static void indented_text_is_for_reading(void **state) {
    struct kit *k = *state;
    const struct val *v = parse(k, "{\"b\":[1,{\"x\":null}],\"a\":{},\"c\":[]}");
    assert_string_equal(printed(k, v, JSON_INDENT), "{\n  \"b\": [\n    1,\n    {\n      \"x\": null\n    }\n  ],\n  \"a\": {},\n  \"c\": []\n}");
}

static void sorted_text_is_the_same_for_equal_maps(void **state) {
    struct kit *k = *state;
    assert_string_equal(printed(k, parse(k, "{\"b\":1,\"a\":{\"d\":1,\"c\":2},\"B\":0}"), JSON_SORTED), "{\"B\":0,\"a\":{\"c\":2,\"d\":1},\"b\":1}");
}

static void secrets_are_written_only_when_asked_for(void **state) {
    struct kit *k = *state;
    struct val *m = val_map_new(k->a);
    val_map_set(k->a, m, "p", val_secret(k->a, val_str(k->a, "hunter2")));
    val_map_set(k->a, m, "l", val_secret(k->a, parse(k, "[1,2]")));
    assert_string_equal(printed(k, m, 0), "{\"p\":\"***\",\"l\":\"***\"}");
    assert_null(strstr(printed(k, m, JSON_INDENT | JSON_SORTED), "hunter2"));
    assert_string_equal(printed(k, m, JSON_SHOW_SECRETS), "{\"p\":\"hunter2\",\"l\":[1,2]}");
}

static void invalid_utf8_is_replaced_and_the_rest_kept(void **state) {
    struct kit *k = *state;
    struct val *m = val_map_new(k->a);
    val_map_set(k->a, m, "k\xff", val_str(k->a, "a\xc3(\xed\xa0\x80\xe2\x82"));
    const char *r = "\xef\xbf\xbd";
    char want[100];
    snprintf(want, sizeof want, "{\"k%s\":\"a%s(%s%s%s%s%s\"}", r, r, r, r, r, r, r);
    assert_string_equal(printed(k, m, 0), want);
    parse(k, k->out.data);
}

static void control_characters_are_always_escaped(void **state) {
    struct kit *k = *state;
    assert_string_equal(printed(k, val_strn(k->a, "\x1b[2J\x7f\xc2\x9b\0", 8), 0), "\"\\u001b[2J\\u007f\\u009b\\u0000\"");
    assert_true(val_equal(parse(k, k->out.data), val_strn(k->a, "\x1b[2J\x7f\xc2\x9b\0", 8)));
}

static void numbers_come_back_as_they_were(void **state) {
    struct kit *k = *state;
    static const double numbers[] = {0.1, 1.0 / 3, 1e300, 5e-324, 1.7976931348623157e308, -0.5, 123456.789, 0x1p63, 1e15 + 0.3};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        const struct val *v = val_double(k->a, numbers[i]), *again = parse(k, printed(k, v, 0));
        if (!val_equal(v, again))
            fail_msg("%a became %s", numbers[i], k->out.data);
    }
    assert_string_equal(printed(k, val_double(k->a, 0.1), 0), "0.1");
    assert_string_equal(printed(k, val_double(k->a, 2), 0), "2.0");
    assert_string_equal(printed(k, val_double(k->a, NAN), 0), "null");
    assert_string_equal(printed(k, val_double(k->a, -INFINITY), 0), "null");
}

static void printing_appends_and_keeps_to_the_limit(void **state) {
    struct kit *k = *state;
    buf_adds(&k->out, "x=");
    json_print(val_int(k->a, 1), 0, &k->out);
    assert_string_equal(k->out.data, "x=1");
    struct buf small;
    buf_init(&small, 4);
    json_print(parse(k, "[1,2,3]"), 0, &small);
    assert_true(small.over);
    buf_done(&small);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(what_is_read_is_written_again),
        TEST(space_and_escapes_are_understood),
        TEST(numbers_without_a_fraction_are_integers),
        TEST(integers_that_do_not_fit_are_numbers_and_harm_no_other),
        TEST(of_two_equal_keys_the_last_wins),
        TEST(the_length_counts_and_not_a_terminator),
        TEST(what_is_not_json_is_refused_with_its_place),
        TEST(an_empty_answer_is_called_empty),
        TEST(endless_nesting_is_refused),
        TEST(a_text_may_go_once_it_was_read),
        TEST(indented_text_is_for_reading),
        TEST(sorted_text_is_the_same_for_equal_maps),
        TEST(secrets_are_written_only_when_asked_for),
        TEST(invalid_utf8_is_replaced_and_the_rest_kept),
        TEST(control_characters_are_always_escaped),
        TEST(numbers_come_back_as_they_were),
        TEST(printing_appends_and_keeps_to_the_limit),
    };
    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
