/* Printed YAML reads back as the same value, and looks the same each time. */
#include "value/json.h"
#include "value/yaml.h"
#include "value/yaml_print.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int setup(void **state) {
    *state = arena_new();
    return 0;
}

static int teardown(void **state) {
    arena_free(*state);
    return 0;
}

static const char *printed(struct arena *a, const struct val *v) {
    struct buf b = BUF_INIT;
    yaml_print(v, &b);
    const char *s = arena_strndup(a, b.data, b.len);
    buf_done(&b);
    return s;
}

static const struct val *json(struct arena *a, const char *s) {
    const struct val *v = NULL;
    assert_true(json_parse(a, "t", s, strlen(s), &v, err_new(a)));
    return v;
}

static const struct val *read_back(struct arena *a, const char *s) {
    struct err *err = err_new(a);
    const struct val *v = NULL;
    if (!yaml_parse(a, source_new(a, "printed", s, strlen(s)), NULL, &v, err)) {
        struct buf b = BUF_INIT;
        err_render(err, &b);
        fail_msg("%s", b.data);
    }
    return v;
}

/* Types count here: 1 and 1.0, "1" and 1 differ. */
static bool same(const struct val *x, const struct val *y) {
    if (x->kind != y->kind || val_len(x) != val_len(y))
        return false;
    for (size_t i = 0; i < val_len(x); i++)
        if (x->kind == VAL_LIST ? !same(x->list.items[i], y->list.items[i])
                                : strcmp(x->map.pairs[i].key, y->map.pairs[i].key) || !same(x->map.pairs[i].val, y->map.pairs[i].val))
            return false;
    return x->kind == VAL_LIST || x->kind == VAL_MAP || val_equal(x, y) || (x->kind == VAL_DOUBLE && isnan(x->number) && isnan(y->number));
}

static void goes_round(struct arena *a, const struct val *v) {
    const char *s = printed(a, v);
    const struct val *back = read_back(a, s);
    if (!same(v, back))
        fail_msg("not the same after reading:\n%s", s);
    assert_string_equal(printed(a, back), s);
}

/* As a value, in a list, as a key, deep inside and at the end of a line of its own. */
static void everywhere(struct arena *a, const struct val *v) {
    struct val *m = val_map_new(a), *l = val_list_new(a), *deep = val_map_new(a);
    val_map_set(a, m, "plain", v);
    val_list_add(a, l, v);
    val_list_add(a, l, v);
    val_map_set(a, m, "list", l);
    val_map_set(a, deep, "a", m);
    val_map_set(a, deep, "b", v);
    if (v->kind == VAL_STRING && strlen(v->string.s) == v->string.len) {
        val_map_set(a, m, v->string.s, v);
        val_map_set(a, deep, v->string.s, m);
    }
    goes_round(a, deep);
    struct val *outer = val_list_new(a);
    val_list_add(a, outer, deep);
    val_list_add(a, outer, l);
    goes_round(a, outer);
    if (v->kind != VAL_NULL)
        goes_round(a, v);
}

static void every_string_reads_back_as_itself(void **state) {
    struct arena *a = *state;
    static const char *const texts[] = {
        "", " ", "a", "a b", " a", "a ", "\n", "a\n", "a\nb", "\ta", "a\tb", "a\r\nb", "null", "Null", "~", "true", "TRUE", "False", "yes", "no", "on", "Off", "y", "N",
        "0", "1", "-1", "+1", "007", "0x1f", "0o17", "1.", "1.5", ".5", "-.5", "1e5", "1E+5", ".inf", "-.INF", ".nan", "1_000", "12:30:45", "2026-01-01", "2027-02-21T08:26:00Z",
        "10.0.0.1", "20.10.24", "1..2", "1.2.", ".1.2", "10.0.0.1:2377", "aaaa1node1", "9abc", "a: b", "a:b", "a:", ":a", "a #b", "#a", "a#b", "- a", "-", "-a", "--- a", "---",
        "...", "?", "? a", "[a]", "[", "]", "{a}", "}", "a, b", ",", "&a", "*a", "!a", "!!str a", "|", ">", "'", "''", "it's", "\"", "a\"b", "\\", "\\n", "%a", "@a", "`a", "<<", "=",
        "$unobserved", "${{ x }}", "a\x7f", "\x01\x1b[2J", "é", "日本", "\xc2\x85", "\xc2\xa0", "\xe2\x80\xa8", "\xe2\x80\xae", "\xef\xbb\xbf", "\xef\xbf\xbe", "\xef\xbf\xbd", "😀",
        "The swarm does not have a leader. It's possible that too few managers are online. Make sure more than half of the managers are online.",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        everywhere(a, val_str(a, texts[i]));
    everywhere(a, val_strn(a, "a\0b", 3));
    for (int c = 1; c < 128; c++) {
        const char s[4][4] = {{(char)c}, {(char)c, 'a'}, {'a', (char)c}, {'a', (char)c, 'b'}};
        for (int k = 0; k < 4; k++)
            everywhere(a, val_str(a, s[k]));
    }
}

static void every_number_reads_back_as_itself(void **state) {
    struct arena *a = *state;
    static const int64_t ints[] = {0, 1, -1, 42, INT64_MAX, INT64_MIN};
    static const double doubles[] = {0.0, -0.0, 1.0, -1.5, 0.1, 1.0 / 3, 1e300, 1e-300, 5e-324, 1e15, 123456789012345680.0, INFINITY, -INFINITY, NAN};
    for (size_t i = 0; i < sizeof ints / sizeof *ints; i++)
        everywhere(a, val_int(a, ints[i]));
    for (size_t i = 0; i < sizeof doubles / sizeof *doubles; i++)
        everywhere(a, val_double(a, doubles[i]));
    everywhere(a, val_bool(a, true));
    everywhere(a, val_bool(a, false));
    everywhere(a, val_null());
    assert_string_equal(printed(a, val_double(a, 0.1)), "0.1\n");
    assert_string_equal(printed(a, val_double(a, 3)), "3.0\n");
}

static void lists_and_maps_of_every_shape_read_back(void **state) {
    struct arena *a = *state;
    static const char *const shapes[] = {
        "{}", "[]", "{\"a\":{}}", "{\"a\":[]}", "[[]]", "[{}]", "[[[1],[2,[3]]],[]]", "[{\"a\":1},{\"b\":[{\"c\":{\"d\":[1]}}]}]", "{\"a\":{\"b\":{\"c\":{\"d\":{}}}}}",
        "{\"a\":[{\"b\":[[1,2],[3]]},[{\"c\":null}]]}", "{\"\":{\"\":[\"\"]}}", "[[{\"a\":[[{\"b\":[[]]}]]}]]", "[{\"a\":[1,{\"b\":2}],\"c\":3},4]",
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        everywhere(a, json(a, shapes[i]));
}

static void long_keys_and_long_texts_read_back(void **state) {
    struct arena *a = *state;
    static const size_t lengths[] = {80, 99, 100, 101, 899, 900, 901, 1022, 1023, 1024, 1025, 5000};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        for (int k = 0; k < 2; k++) {
            char *s = arena_alloc(a, lengths[i] + 1);
            memset(s, k ? ':' : 'x', lengths[i]);
            everywhere(a, val_str(a, s));
        }
}

static void random_values_read_back(void **state) {
    struct arena *a = *state;
    uint64_t seed = 7;
    for (int round = 0; round < 3000; round++) {
        char s[13] = "";
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        const size_t len = seed >> 60 < 12 ? seed >> 60 : 12;
        for (size_t i = 0; i < len; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            s[i] = " :#-?,[]{}&*!|>'\"%@`\n\tab01.eE+_~=<"[(seed >> 33) % 35];
        }
        struct val *m = val_map_new(a), *l = val_list_new(a);
        val_list_add(a, l, val_str(a, s));
        val_map_set(a, m, s, l);
        val_map_set(a, m, "k", val_str(a, s));
        goes_round(a, m);
    }
}

static void the_text_is_what_people_would_write(void **state) {
    struct arena *a = *state;
    const struct val *v = json(a, "{\"world\":\"lost quorum\",\"nodes\":{\"n1\":{\"address\":\"10.0.0.1\",\"labels\":{\"dtr\":\"yes\"}},\"n2\":{\"address\":\"10.0.0.2\"}},"
                                  "\"state\":{\"swarm\":{\"quorum\":{\"held\":false,\"voters\":3,\"why\":\"node1: no leader\"},\"leaders\":{},\"list\":[\"a\",{\"b\":1,\"c\":[{\"d\":2}]}]}}}");
    assert_string_equal(printed(a, v), "world: lost quorum\n"
                                       "nodes:\n"
                                       "  n1:\n"
                                       "    address: 10.0.0.1\n"
                                       "    labels: { dtr: \"yes\" }\n"
                                       "  n2: { address: 10.0.0.2 }\n"
                                       "state:\n"
                                       "  swarm:\n"
                                       "    quorum: { held: false, voters: 3, why: \"node1: no leader\" }\n"
                                       "    leaders: {}\n"
                                       "    list:\n"
                                       "      - a\n"
                                       "      - b: 1\n"
                                       "        c:\n"
                                       "          - { d: 2 }\n");
}

static void secrets_and_bad_bytes_do_not_get_out(void **state) {
    struct arena *a = *state;
    struct val *m = val_map_new(a);
    val_map_set(a, m, "s", val_secret(a, val_str(a, "hunter2")));
    val_map_set(a, m, "l", val_secret(a, json(a, "[\"hunter2\"]")));
    val_map_set(a, m, "b", val_strn(a, "a\xff\xfe", 3));
    assert_string_equal(printed(a, m), "s: \"***\"\nl: \"***\"\nb: \"a\xef\xbf\xbd\xef\xbf\xbd\"\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_string_reads_back_as_itself, setup, teardown),
        cmocka_unit_test_setup_teardown(every_number_reads_back_as_itself, setup, teardown),
        cmocka_unit_test_setup_teardown(lists_and_maps_of_every_shape_read_back, setup, teardown),
        cmocka_unit_test_setup_teardown(long_keys_and_long_texts_read_back, setup, teardown),
        cmocka_unit_test_setup_teardown(random_values_read_back, setup, teardown),
        cmocka_unit_test_setup_teardown(the_text_is_what_people_would_write, setup, teardown),
        cmocka_unit_test_setup_teardown(secrets_and_bad_bytes_do_not_get_out, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
