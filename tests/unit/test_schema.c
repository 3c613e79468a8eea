/* Field tables: what they accept, and what is told about the rest. */
#include "value/json.h"
#include "value/schema.h"
#include "value/yaml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *const colours[] = {"red", "green", NULL};

static const struct field port_fields[] = {
    {"number", F_INT, true, "where it listens", NULL, NULL},
    {"open", F_BOOL, false, "whether anybody may come", NULL, NULL},
    {0},
};

static const struct field thing_fields[] = {
    {"name", F_STRING, true, "what it is called", NULL, NULL},
    {"count", F_INT, false, "how many", NULL, NULL},
    {"weight", F_NUMBER, false, "in kilograms", NULL, NULL},
    {"open", F_BOOL, false, "whether it is", NULL, NULL},
    {"colour", F_STRING, false, "of its surface", NULL, colours},
    {"paint", F_STRING | F_TEMPLATE, false, "the same, perhaps computed", NULL, colours},
    {"wait", F_DURATION, false, "before it", NULL, NULL},
    {"timeout", F_DURATION | F_TEMPLATE, false, "of it", NULL, NULL},
    {"size", F_NUMBER | F_DURATION, false, "either", NULL, NULL},
    {"if", F_EXPR, false, "whether at all", NULL, NULL},
    {"times", F_INT | F_TEMPLATE, false, "how often", NULL, NULL},
    {"tags", F_LIST | F_STRING, false, "words", NULL, NULL},
    {"port", F_MAP, false, "the only one", port_fields, NULL},
    {"ports", F_LIST, false, "all of them", port_fields, NULL},
    {"parts", F_LIST | F_LATER, false, "things in the thing", thing_fields, NULL},
    {"default", F_ANY, false, "whatever", NULL, NULL},
    {"nothing", F_NULL | F_STRING, false, "or a word", NULL, NULL},
    {0},
};

static const struct field_alias aliases[] = {{"when", "if"}, {"qty", "count"}, {0}};

/* All that is told about the text, or "" if it is fine. */
static char *told(const char *yaml) {
    struct arena *a = arena_new();
    struct err *err = err_new(a);
    const struct val *v = NULL;
    assert_true(yaml_parse(a, source_new(a, "t", yaml, strlen(yaml)), NULL, &v, err));
    const bool ok = schema_check(v, thing_fields, aliases, "a thing", err);
    assert_int_equal(ok, err->nerrors == 0);
    struct buf b = BUF_INIT;
    for (const struct diag *d = err->first; d; d = d->next) {
        buf_printf(&b, "%u:%u %s: %s\n", d->mark.line, d->mark.col, d->code, d->message);
        if (d->hint)
            buf_printf(&b, "  ? %s\n", d->hint);
        for (size_t i = 0; i < d->nnotes; i++)
            buf_printf(&b, "  = %s\n", d->notes[i]);
    }
    char *text = mem_strdup(b.data);
    buf_done(&b);
    arena_free(a);
    return text;
}

static void tells(const char *yaml, const char *wanted) {
    char *text = told(yaml);
    assert_string_equal(text, wanted);
    free(text);
}

static void tells_part(const char *yaml, const char *part) {
    char *text = told(yaml);
    if (!strstr(text, part))
        fail_msg("'%s' is not in:\n%s", part, text);
    free(text);
}

static void what_the_table_describes_is_fine(void **state) {
    (void)state;
    static const char *const fine[] = {
        "{name: x}",
        "{name: x, count: 3, weight: 3, open: true, colour: red, wait: 30s, timeout: 1h30m, size: 5m}",
        "{name: x, weight: 1.5, size: 2.5, if: a == b, tags: one, nothing: ~}",
        "{name: x, if: true, tags: [one, 2], port: {number: 1}, ports: [{number: 1}, {number: 2, open: false}], nothing: word}",
        "{name: x, paint: \"${{ inputs.c }}\", timeout: \"${{ inputs.t }}\", times: \"${{ 1 + 1 }}\", parts: [1, {}, x], default: [{}]}",
        "{name: x, ports: [], port: {number: 0x10}, default: null}",
    };
    for (size_t i = 0; i < sizeof fine / sizeof *fine; i++)
        tells(fine[i], "");
}

static void an_unknown_key_gets_the_nearest_name_and_all_names(void **state) {
    (void)state;
    tells("{name: x, cuont: 3}", "1:11 unknown-key: a thing has no key 'cuont'\n"
                                 "  ? did you mean 'count'?\n"
                                 "  = accepted: name, count, weight, open, colour, paint, wait, timeout, size, if, times, tags, and 5 more\n");
    tells("{name: x, port: {number: 1, opne: true}}", "1:29 unknown-key: 'port' of a thing has no key 'opne'\n"
                                                      "  ? did you mean 'open'?\n"
                                                      "  = accepted: number, open\n");
}

static void words_of_other_tools_are_translated(void **state) {
    (void)state;
    tells_part("{name: x, when: true}", "it is called 'if' here");
    tells_part("{name: x, qty: 1}", "it is called 'count' here");
    tells_part("{name: x, <<: {count: 1}}", "merge keys are not part of YAML 1.2");
}

static void a_wrong_type_says_what_is_expected_and_what_is_there(void **state) {
    (void)state;
    static const char *const pairs[][2] = {
        {"{name: 1}", "1:8 wrong-type: 'name' of a thing must be a string, and is an integer\n"},
        {"{name: x, count: 1.5}", "1:18 wrong-type: 'count' of a thing must be an integer, and is a number\n"},
        {"{name: x, tags: {}}", "1:17 wrong-type: 'tags' of a thing must be a string or a list, and is a map\n"},
        {"{name: x, port: [1]}", "1:17 wrong-type: 'port' of a thing must be a map, and is a list\n"},
        {"{name: x, if: 3}", "1:15 wrong-type: 'if' of a thing must be a Lua expression, and is an integer\n"},
        {"{name: x, nothing: true}", "1:20 wrong-type: 'nothing' of a thing must be a string or null, and is a boolean\n"},
        {"{name: x, times: three}", "1:18 wrong-type: 'times' of a thing must be an integer, and is a string\n"},
        {"{name: x, ports: [a]}", "1:19 wrong-type: an item of 'ports' must be a map, and is a string\n"},
        {"[name]", "1:1 wrong-type: a thing must be a map, and is a list\n"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        tells(pairs[i][0], pairs[i][1]);
}

static void traps_get_a_hint(void **state) {
    (void)state;
    tells_part("{name: x, open: yes}", "write true or false");
    tells_part("{name: x, wait: 30}", "a duration has a unit: 30s?");
    tells("{name: x, wait: soon}", "1:17 bad-duration: 'soon' is not a duration\n  ? write it as in 500ms, 30s, 5m or 1h30m\n");
    tells_part("{name: x, size: big}", "bad-duration");
}

static void one_of_the_words_is_wanted(void **state) {
    (void)state;
    tells("{name: x, colour: gren}", "1:19 unknown-word: 'colour' has no value 'gren'\n  ? did you mean 'green'?\n  = accepted: red, green\n");
    tells_part("{name: x, colour: \"${{ c }}\"}", "unknown-word"); /* no template there */
}

static void a_missing_key_is_told_with_its_meaning(void **state) {
    (void)state;
    tells("{count: 1}", "1:2 missing-key: a thing lacks the key 'name'\n  = name: what it is called\n");
    tells("{}", "1:1 missing-key: a thing lacks the key 'name'\n  = name: what it is called\n");
    tells("{name: x, ports: [{number: 1}, {open: true}]}", "1:33 missing-key: an item of 'ports' lacks the key 'number'\n  = number: where it listens\n");
}

static void everything_wrong_is_told_at_once(void **state) {
    (void)state;
    char *text = told("name: 1\nwhen: true\ncount: x\nport: {numbr: 1}\nports: [{}, {number: x}]\n");
    static const char *const lines[] = {"1:7 wrong-type", "2:1 unknown-key", "3:8 wrong-type", "4:8 unknown-key", "4:8 missing-key", "5:9 missing-key", "5:22 wrong-type"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        assert_non_null(strstr(text, lines[i]));
    free(text);
}

static void kinds_are_told_in_words(void **state) {
    (void)state;
    static const struct {
        unsigned kind;
        const char *text;
    } kinds[] = {
        {F_STRING | F_LIST, "a string or a list"}, {F_ANY, "any value"}, {F_BOOL, "true or false"}, {F_DURATION, "a duration such as 30s or 5m"},
        {F_TEMPLATE, "a ${{ … }} expression"},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct buf b = BUF_INIT;
        field_kind_text(kinds[i].kind, &b);
        assert_string_equal(b.data, kinds[i].text);
        buf_done(&b);
    }
}

/* ---- JSON Schema ---- */

static void is_json(const struct val *v, const char *wanted) {
    struct buf b = BUF_INIT;
    json_print(v, JSON_COMPACT, &b);
    assert_string_equal(b.data, wanted);
    buf_done(&b);
}

static void the_json_schema_says_the_same(void **state) {
    (void)state;
    struct arena *a = arena_new();
    const struct val *s = schema_json(a, thing_fields), *p = val_get(s, "properties");
    assert_string_equal(val_get_str(s, "$schema", ""), "https://json-schema.org/draft/2020-12/schema");
    is_json(val_get(s, "required"), "[\"name\"]");
    is_json(val_get(s, "additionalProperties"), "false");
    is_json(val_get(p, "name"), "{\"description\":\"what it is called\",\"type\":\"string\"}");
    is_json(val_get(p, "colour"), "{\"description\":\"of its surface\",\"type\":\"string\",\"enum\":[\"red\",\"green\"]}");
    is_json(val_get(p, "paint"), "{\"description\":\"the same, perhaps computed\",\"type\":\"string\"}");
    is_json(val_get(p, "if"), "{\"description\":\"whether at all\",\"type\":[\"string\",\"boolean\"]}");
    is_json(val_get(p, "times"), "{\"description\":\"how often\",\"type\":[\"integer\",\"string\"]}");
    is_json(val_get(p, "default"), "{\"description\":\"whatever\"}");
    is_json(val_get(p, "nothing"), "{\"description\":\"or a word\",\"type\":[\"string\",\"null\"]}");
    arena_free(a);
}

static void tables_within_tables_are_written_once(void **state) {
    (void)state;
    struct arena *a = arena_new();
    const struct val *s = schema_json(a, thing_fields), *p = val_get(s, "properties"), *defs = val_get(s, "$defs");
    is_json(val_get(p, "port"), "{\"description\":\"the only one\",\"$ref\":\"#/$defs/t1\"}");
    is_json(val_get(val_get(p, "ports"), "items"), "{\"$ref\":\"#/$defs/t1\"}");
    is_json(val_get(val_get(p, "parts"), "items"), "{\"$ref\":\"#/$defs/t2\"}");
    assert_int_equal(val_len(defs), 2);
    is_json(val_get(val_get(val_get(val_get(defs, "t2"), "properties"), "parts"), "items"), "{\"$ref\":\"#/$defs/t2\"}"); /* in itself */
    is_json(val_get(val_get(defs, "t1"), "required"), "[\"number\"]");
    arena_free(a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_table_describes_is_fine),
        cmocka_unit_test(an_unknown_key_gets_the_nearest_name_and_all_names),
        cmocka_unit_test(words_of_other_tools_are_translated),
        cmocka_unit_test(a_wrong_type_says_what_is_expected_and_what_is_there),
        cmocka_unit_test(traps_get_a_hint),
        cmocka_unit_test(one_of_the_words_is_wanted),
        cmocka_unit_test(a_missing_key_is_told_with_its_meaning),
        cmocka_unit_test(everything_wrong_is_told_at_once),
        cmocka_unit_test(kinds_are_told_in_words),
        cmocka_unit_test(the_json_schema_says_the_same),
        cmocka_unit_test(tables_within_tables_are_written_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
