/* Values on their way into Lua and back. */
#include "lua_kit.h"

static const struct val *back(struct kit *k, int idx) {
    const struct val *v = NULL;
    return lval_to(box_lua(k->box), idx, k->a, "the value", &v, k->err) ? v : NULL;
}

static const struct val *round_trip(struct kit *k, const struct val *v) {
    lua_State *L = box_lua(k->box);
    lval_push(L, v);
    const struct val *r = back(k, -1);
    lua_pop(L, 1);
    return r;
}

static void data_survives_the_round_trip(void **state) {
    struct kit *k = *state;
    static const char *const texts[] = {"1", "-9007199254740993", "1.5", "true", "false", "\"a\\u0000b\"", "[]", "{}", "[1,[],{}]",
                                        "{\"a\":{\"b\":[{\"c\":[]}]},\"z\":\"\"}"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_string_equal(kit_text(k, round_trip(k, kit_json(k, texts[i]))), texts[i]);
}

static void null_in_a_map_is_absent(void **state) {
    struct kit *k = *state;
    assert_string_equal(kit_text(k, round_trip(k, kit_json(k, "{\"a\":null,\"b\":1}"))), "{\"b\":1}");
}

static void null_in_a_list_is_unobserved(void **state) {
    struct kit *k = *state;
    assert_string_equal(kit_text(k, round_trip(k, kit_json(k, "[1,null,3]"))), "[1,{\"$unobserved\":\"null at [2] of a list\"},3]");
    assert_string_equal(kit_eval(k, NULL, "#json.decode(\"[1,null,3]\")"), "3");
}

static void unknown_and_unobserved_stay_what_they_are(void **state) {
    struct kit *k = *state;
    const struct val *v = round_trip(k, val_unknown(k->a, "steps.join.outputs.id"));
    assert_string_equal(val_unknown_provider(v), "steps.join.outputs.id");
    assert_null(val_unobserved_why(v));
    v = round_trip(k, val_unobserved(k->a, "node2: connection refused"));
    assert_string_equal(val_unobserved_why(v), "node2: connection refused");
}

static void secrets_stay_secret(void **state) {
    struct kit *k = *state;
    const struct val *s = val_secret(k->a, val_str(k->a, "hunter2"));
    const struct val *r = round_trip(k, s);
    assert_true(r->secret);
    assert_string_equal(val_cstr(r), "hunter2");
    assert_int_equal(round_trip(k, val_secret(k->a, val_int(k->a, 42)))->integer, 42);
    struct val *m = val_map_new(k->a);
    val_map_set(k->a, m, "pw", s);
    struct scope scope = {.inputs = m};
    static const char *const safe[][2] = {{"tostring(inputs.pw)", "\"***\""},       {"string.format(\"%s\", inputs.pw)", "\"***\""},
                                          {"inputs.pw == inputs.pw", "true"},       {"inputs.pw == \"hunter2\"", "false"},
                                          {"#inputs.pw", "error"},                  {"inputs.pw:sub(1)", "error"},
                                          {"inputs.pw < \"x\"", "error"},           {"string.byte(inputs.pw)", "error"},
                                          {"inputs.pw .. \"x\" == \"x\" .. inputs.pw", "false"}, {"type(inputs.pw)", "\"secret\""},
                                          {"json.encode(inputs)", "\"{\\\"pw\\\":\\\"***\\\"}\""},
                                          {"table.concat({ inputs.pw })", "error"}, {"error(\"x\" .. tostring(inputs.pw))", "error"}};
    for (size_t i = 0; i < sizeof safe / sizeof *safe; i++)
        assert_string_equal(kit_eval(k, &scope, safe[i][0]), safe[i][1]);
    assert_null(strstr(kit_errors(k), "hunter2"));
    struct expr *e;
    const struct val *v;
    struct call_signal sig;
    assert_true(expr_parse(k->box, k->a, "\"user:\" .. inputs.pw .. \"@\" .. 1", mark_none(), &e, k->err));
    assert_int_equal(expr_eval(k->box, e, &scope, k->a, &v, &sig, k->err), CALL_OK);
    assert_true(v->secret);
    assert_string_equal(val_cstr(v), "user:hunter2@1");
}

static void what_is_not_data_is_refused_with_its_place(void **state) {
    struct kit *k = *state;
    static const char *const cases[][2] = {
        {"{ a = { b = print_ } }", "unknown name"},          {"{ a = { b = pairs } }", ".a.b is a function"},
        {"{ [1] = 1, [3] = 3 }", "holes"},                    {"{ [1] = 1, x = 2 }", "both names and numbers"},
        {"{ [true] = 1 }", "a key that is a boolean"},        {"{ [1.5] = 1 }", "a key that is a number"},
        {"(function() local t = {} t.t = t return t end)()", "contains itself"},
        {"{ [\"a\\0b\"] = 1 }", "NUL"},
        {"(function() local t = {} for i = 1, 1000001 do t[i] = 0 end return t end)()", "1,000,000"},
        {"_ENV", "is a thing of the host"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases - 1; i++) {
        assert_string_equal(kit_eval(k, NULL, cases[i][0]), "error");
        assert_has(kit_errors(k), cases[i][1]);
    }
}

static void a_view_reads_and_never_writes(void **state) {
    struct kit *k = *state;
    struct scope s = {.inputs = kit_json(k, "{\"a\":{\"b\":[1,2,3]},\"e\":[]}")};
    static const char *const cases[][2] = {{"inputs.a.b[2]", "2"},
                                           {"#inputs.a.b", "3"},
                                           {"inputs.a", "{\"b\":[1,2,3]}"},
                                           {"inputs.e", "[]"},
                                           {"inputs.nothing == nil", "true"},
                                           {"inputs.a == inputs.a", "true"},
                                           {"keys(inputs)", "[\"a\",\"e\"]"},
                                           {"table.concat(inputs.a.b, \"-\")", "\"1-2-3\""},
                                           {"{ table.unpack(inputs.a.b) }", "[1,2,3]"},
                                           {"map(inputs.a.b, function(x) return x end)", "[1,2,3]"},
                                           {"(function() local n = 0 for _, x in ipairs(inputs.a.b) do n = n + x end return n end)()", "6"},
                                           {"type(inputs.a)", "\"table\""},
                                           {"copy(inputs.a)", "{\"b\":[1,2,3]}"},
                                           {"list(inputs.a.b)", "[1,2,3]"},
                                           {"(function() inputs.a = 1 end)()", "error"},
                                           {"(function() inputs.a.b[1] = 1 end)()", "error"},
                                           {"table.insert(inputs.a.b, 4)", "error"},
                                           {"table.remove(inputs.a.b)", "error"},
                                           {"table.sort(inputs.a.b, function(a, b) return a > b end)", "error"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *got = kit_eval(k, &s, cases[i][0]);
        if (strcmp(got, cases[i][1]) != 0)
            fail_msg("%s: expected %s, got %s\n%s", cases[i][0], cases[i][1], got, kit_errors(k));
    }
    assert_string_equal(kit_eval(k, &s, "inputs.a.b"), "[1,2,3]");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        KIT_TEST(data_survives_the_round_trip), KIT_TEST(null_in_a_map_is_absent), KIT_TEST(null_in_a_list_is_unobserved), KIT_TEST(unknown_and_unobserved_stay_what_they_are),
        KIT_TEST(secrets_stay_secret), KIT_TEST(what_is_not_data_is_refused_with_its_place), KIT_TEST(a_view_reads_and_never_writes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
