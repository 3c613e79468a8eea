/* Inputs: what is taken for a value of each type, what is refused, and what a declaration may say. */
#include "plan_kit.h"

#include "plan/load.h"

/* Converts a text, as from the command line, or a YAML value that begins with '='. The result as JSON, or "" with the fault in k->err. */
static const char *convert(struct kit *k, struct input in, const struct site *site, const char *text) {
    const struct val *given = val_str(k->a, text), *ret = NULL;
    if (!strcmp(text, "=null"))
        given = val_null();
    else if (*text == '=')
        assert_true(yaml_parse(k->a, source_new(k->a, "given", text + 1, strlen(text + 1)), NULL, &given, k->err));
    if (!in.name)
        in.name = "x";
    if (!input_convert(k->a, &in, site, given, mark_none(), &ret, k->err))
        return "";
    return kit_text(k, ret);
}

static void each_type_takes_its_own_words(void **state) {
    struct kit *k = *state;
    static const struct {
        const char *type, *text, *json; /* json "": refused */
    } cases[] = {
        {"string", "a b", "\"a b\""},          {"string", "=1.10", ""},
        {"integer", "3", "3"},                 {"integer", "-3", "-3"},
        {"integer", "=3", "3"},                {"integer", "3.0", ""},
        {"integer", "=3.5", ""},               {"integer", "", ""},
        {"integer", " 3", ""},                 {"integer", "0x10", ""},
        {"integer", "9223372036854775807", "9223372036854775807"}, {"integer", "9223372036854775808", ""},
        {"number", "1.5", "1.5"},              {"number", "1e3", "1000.0"},
        {"number", "nan", ""},                 {"number", "inf", ""},
        {"number", "0x1p3", ""},               {"number", "1e999", ""},
        {"number", "=.nan", ""},               {"number", "=2", "2"},
        {"boolean", "true", "true"},           {"boolean", "false", "false"},
        {"boolean", "yes", ""},                {"boolean", "=1", ""},
        {"list", "a,b", "[\"a\",\"b\"]"},      {"list", "", "[]"},
        {"list", "=[1]", "[1]"},               {"list", "={}", "[]"},
        {"list", "=5", ""},                    {"list", "={a: 1}", ""},
        {"map", "{a: 1}", "{\"a\":1}"},        {"map", "=[]", "{}"},
        {"map", "=5", ""},                     {"map", "a", ""},
        {"duration", "1h30m", "\"1h30m\""},    {"duration", "30", ""},
        {"duration", "=30", ""},               {"bytes", "10GiB", "10737418240"},
        {"bytes", "512", "512"},               {"bytes", "1.5kB", "1500"},
        {"bytes", "10Gi", ""},                 {"bytes", "-1", ""},
        {"bytes", "99999999TiB", ""},          {"address", "10.0.0.1:2377", "\"10.0.0.1:2377\""},
        {"address", "[fe80::1%eth0]:1", "\"[fe80::1%eth0]:1\""}, {"address", "a b", ""},
        {"address", "", ""},                   {"image", "docker/dtr:2.9.0", "\"docker/dtr:2.9.0\""},
        {"image", "a;b", ""},                  {"url", "https://host", "\"https://host\""},
        {"url", "host", ""},                   {"url", "https://", ""},
        {"path", "/a b", "\"/a b\""},          {"path", "", ""},
        {"any", "=[1, {a: 2}]", "[1,{\"a\":2}]"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *got = convert(k, (struct input){.type = cases[i].type}, NULL, cases[i].text);
        if (strcmp(got, cases[i].json))
            fail_msg("%s '%s': %s instead of %s\n%s", cases[i].type, cases[i].text, got, cases[i].json, kit_errors(k));
        assert_int_equal(k->err->nerrors != 0, !*cases[i].json); /* refused and told, or neither */
        k->err = err_new(k->a);
    }
}

static void items_are_of_their_type(void **state) {
    struct kit *k = *state;
    const struct input in = {.type = "list", .items = "integer"};
    assert_string_equal(convert(k, in, NULL, "1,2,3"), "[1,2,3]");
    assert_string_equal(convert(k, in, NULL, "1,b,c"), "");
    const char *text = kit_errors(k);
    assert_int_equal(kit_count(text, "must be an integer"), 2);
    assert_has(text, "'b'");
    assert_has(text, "'c'");
}

static void what_was_not_given_is_null(void **state) {
    struct kit *k = *state;
    assert_string_equal(convert(k, (struct input){.type = "integer", .has_min = true, .min = 5}, NULL, "=null"), "null");
    assert_string_equal(convert(k, (struct input){.type = "integer", .required = true}, NULL, "=null"), "");
    assert_string_equal(convert(k, (struct input){.type = "list", .required = true}, NULL, "=null"), "");
}

static void a_node_is_one_of_the_site(void **state) {
    struct kit *k = *state;
    const struct site *site = kit_loader(k)->site;
    assert_string_equal(convert(k, (struct input){.type = "node"}, site, "n1"), "\"n1\"");
    assert_string_equal(convert(k, (struct input){.type = "node"}, site, "n3"), "");
    const char *text = kit_errors(k);
    assert_has(text, "unknown-node");
    assert_has(text, "accepted: n1, n2");
    assert_string_equal(convert(k, (struct input){.type = "node"}, NULL, "anything"), "\"anything\"");
}

static void limits_hold_for_values_and_for_lengths(void **state) {
    struct kit *k = *state;
    static const struct {
        const char *type, *text;
        double min, max;
        const char *says; /* NULL: fits */
    } cases[] = {
        {"integer", "5", 5, 5, NULL},         {"integer", "4", 5, 9, "must be at least 5"},
        {"integer", "10", 5, 9, "must be at most 9"}, {"string", "abc", 3, 3, NULL},
        {"string", "ab", 3, 9, "has the length 2, and must have at least 3"}, {"list", "a,b", 0, 1, "has the length 2, and must have at most 1"},
        {"duration", "90s", 0, 90000, NULL},  {"duration", "2m", 0, 90000, "must be at most 1m30s"},
        {"bytes", "1KiB", 0, 1023, "is '1024', and must be at most 1023"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct input in = {.type = cases[i].type, .has_min = true, .min = cases[i].min, .has_max = true, .max = cases[i].max};
        const bool fits = *convert(k, in, NULL, cases[i].text) != 0;
        assert_int_equal(fits, !cases[i].says);
        if (!fits)
            assert_has(kit_errors(k), cases[i].says);
    }
}

static void a_pattern_matches_the_whole_value(void **state) {
    struct kit *k = *state;
    static const struct {
        const char *pattern, *text;
        bool fits;
    } cases[] = {
        {"[a-z]+", "abc", true},  {"[a-z]+", "abc1", false},  {"[a-z]+", "1abc", false}, {"a|ab", "ab", true},
        {"a|b", "ab", false},     {"(a)\\1", "aa", true},      {"a*", "", true},          {"^a$", "a", true},
        {"a", "a\nb", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct val *v;
        const struct input in = {.name = "x", .type = "string", .pattern = cases[i].pattern};
        if (input_convert(k->a, &in, NULL, val_str(k->a, cases[i].text), mark_none(), &v, k->err) != cases[i].fits)
            fail_msg("'%s' and '%s'", cases[i].pattern, cases[i].text);
        k->err = err_new(k->a);
    }
}

static void what_was_checked_is_what_a_c_string_shows(void **state) {
    struct kit *k = *state;
    static const char *const types[] = {"string", "address", "path", "image", "url", "secret"};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        const struct val *v;
        const struct input in = {.name = "x", .type = types[i], .pattern = "h.*"};
        assert_false(input_convert(k->a, &in, NULL, val_strn(k->a, "http://a\0;b", 11), mark_none(), &v, k->err));
    }
    assert_int_equal(kit_count(kit_errors(k), "without NUL bytes"), 6);
}

static void a_secret_is_never_shown_however_wrong(void **state) {
    struct kit *k = *state;
    const char *word = "x=hunter2";
    const struct source *src = source_new(k->a, "--input", word, strlen(word));
    const struct val *ret, *given = val_marked(k->a, val_str(k->a, "hunter2"), mark_at(src, 2, 7));
    struct val *words = val_list_new(k->a);
    val_list_add(k->a, words, val_str(k->a, "hunter3"));
    const struct input cases[] = {
        {.name = "x", .type = "secret", .pattern = "[A-Z]+"},
        {.name = "x", .type = "secret", .has_max = true, .max = 3},
        {.name = "x", .type = "secret", .oneof = words},
        {.name = "x", .type = "list", .items = "secret", .has_min = true, .min = 7},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_false(input_convert(k->a, &cases[i], NULL, given, given->mark, &ret, k->err));
    const struct input node = {.name = "x", .type = "node"}; /* what is secret stays so, whatever takes it */
    assert_false(input_convert(k->a, &node, kit_loader(k)->site, val_secret(k->a, given), given->mark, &ret, k->err));
    const struct input number = {.name = "x", .type = "integer"};
    assert_false(input_convert(k->a, &number, NULL, val_secret(k->a, given), given->mark, &ret, k->err));
    assert_int_equal(k->err->nerrors, 6);
    assert_null(strstr(kit_errors(k), "hunter2"));
    const struct input fine = {.name = "x", .type = "secret"}, list = {.name = "x", .type = "list", .items = "secret"};
    assert_true(input_convert(k->a, &fine, NULL, given, given->mark, &ret, k->err) && ret->secret);
    assert_true(input_convert(k->a, &list, NULL, given, given->mark, &ret, k->err) && ret->secret && val_at(ret, 0)->secret);
}

static void an_action_gets_what_stands_there_so_text_is_no_number(void **state) {
    struct kit *k = *state;
    static const struct {
        const char *type, *text;
        bool fits;
    } cases[] = {{"integer", "3", false}, {"number", "3", false}, {"boolean", "true", false}, {"list", "a,b", false}, {"map", "{a: 1}", false},
                 {"bytes", "1GiB", false}, {"string", "3", true}, {"duration", "3s", true},    {"node", "n1", true},   {"url", "a://b", true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct input in = {.name = "x", .type = cases[i].type};
        assert_int_equal(input_fits(k->a, &in, NULL, val_str(k->a, cases[i].text), k->err), cases[i].fits);
        k->err = err_new(k->a);
    }
}

/* ---- declarations ---- */

static void a_declaration_that_makes_no_sense_is_refused(void **state) {
    static const struct {
        const char *decl, *says;
    } cases[] = {
        {"{ type: integer, enum: [a] }", "must be an integer, and is 'a'"},
        {"{ type: string, enum: [] }", "empty-enum"},
        {"{ type: integer, min: 5, max: 3 }", "empty-range"},
        {"{ type: integer, min: .nan }", "must be a number"},
        {"{ type: integer, min: 5m }", "must be a number"},
        {"{ type: duration, max: 5 }", "must be a duration"},
        {"{ type: duration, max: 10GiB }", "must be a duration"},
        {"{ type: bytes, max: soon }", "must be a size"},
        {"{ type: boolean, min: 1 }", "says nothing about an input of the type 'boolean'"},
        {"{ type: integer, pattern: a }", "says nothing about an input of the type 'integer'"},
        {"{ type: string, pattern: '(' }", "bad-pattern"},
        {"{ type: string, items: node }", "says nothing"},
        {"{ type: secret, default: a }", "secret-default"},
        {"{ type: list, items: secret, default: [a] }", "secret-default"},
        {"{ type: string, default: a, required: true }", "needless-key"},
        {"{ type: string, from: [vault:x] }", "unknown-source"},
        {"{ type: node, default: n3 }", "unknown-node"},
        {"{ type: integer, default: 7, max: 5 }", "must be at most 5"},
        {"{ type: strin }", "did you mean 'string'"},
        {"{ typ: string }", "did you mean 'type'"},
        {"string", "must be a map"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        void *one = NULL;
        kit_setup(&one);
        struct kit *k = one;
        assert_null(kit_load(k, arena_printf(k->a, "inputs:\n  x: %s\nsteps: [ { command: [a] } ]\n", cases[i].decl)));
        const char *text = kit_errors(k);
        assert_has(text, cases[i].says);
        assert_has(text, "x/t.yaml:5:");
        kit_teardown(&one);
    }
    (void)state;
}

static void a_declaration_is_read_with_its_bounds(void **state) {
    struct kit *k = *state;
    const struct runbook *rb = kit_load(k, "inputs:\n"
                                           "  size: { type: bytes, min: 1KiB, max: 10GiB, default: 2MiB }\n"
                                           "  wait: { type: duration, min: 500ms, max: 5m }\n"
                                           "  many: { type: list, items: node, min: 1, max: 3, description: Which, default: [n1] }\n"
                                           "  word: { type: secret, from: env:WORD }\n"
                                           "steps: [ { command: [a] } ]\n");
    assert_non_null(rb);
    assert_int_equal(rb->ninputs, 4);
    assert_true(rb->inputs[0].min == 1024.0 && rb->inputs[0].max == 10737418240.0);
    assert_true(rb->inputs[1].min == 500.0 && rb->inputs[1].max == 300000.0 && !rb->inputs[1].def);
    assert_string_equal(rb->inputs[2].items, "node");
    assert_string_equal(rb->inputs[2].description, "Which");
    assert_string_equal(kit_text(k, rb->inputs[3].from), "[\"env:WORD\"]");
}

static void names_are_those_that_expressions_can_read(void **state) {
    struct kit *k = *state;
    assert_null(kit_load(k, "inputs:\n  a-b: { type: string }\n  end: { type: string }\n  1a: { type: string }\n  _ok: { type: string }\n"
                            "state: { until: { probe: demo.cluster } }\n"
                            "steps: [ { id: return, command: [a], outputs: { nil: x } } ]\n"));
    const char *text = kit_errors(k);
    assert_int_equal(kit_count(text, "[bad-name]"), 5);
    assert_has(text, "'end' cannot be the name of an input");
    assert_has(text, "it is a word of Lua");
    assert_null(strstr(text, "_ok' cannot"));
    assert_null(strstr(text, "'return'")); /* ids also stand in paths: return[node2].leave */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        KIT_TEST(each_type_takes_its_own_words),
        KIT_TEST(items_are_of_their_type),
        KIT_TEST(what_was_not_given_is_null),
        KIT_TEST(a_node_is_one_of_the_site),
        KIT_TEST(limits_hold_for_values_and_for_lengths),
        KIT_TEST(a_pattern_matches_the_whole_value),
        KIT_TEST(what_was_checked_is_what_a_c_string_shows),
        KIT_TEST(a_secret_is_never_shown_however_wrong),
        KIT_TEST(an_action_gets_what_stands_there_so_text_is_no_number),
        KIT_TEST(a_declaration_that_makes_no_sense_is_refused),
        KIT_TEST(a_declaration_is_read_with_its_bounds),
        KIT_TEST(names_are_those_that_expressions_can_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
