/* YAML texts as people write them, and as nobody should. */
#include "value/json.h"
#include "value/yaml.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

struct doc {
    struct arena *arena;
    struct err *err;
    const struct val *val; /* NULL: refused */
};

static struct doc read_limited(const char *text, size_t len, const struct yaml_limits *limits) {
    struct doc d = {.arena = arena_new()};
    d.err = err_new(d.arena);
    const struct source *src = source_new(d.arena, "t.yaml", text, len);
    const bool ok = yaml_parse(d.arena, src, limits, &d.val, d.err);
    assert_int_equal(ok, d.err->nerrors == 0);
    assert_int_equal(ok, d.val != NULL);
    return d;
}

static struct doc read_bytes(const char *text, size_t len) {
    return read_limited(text, len, NULL);
}

static struct doc read_text(const char *text) {
    return read_bytes(text, strlen(text));
}

static void done(struct doc *d) {
    arena_free(d->arena);
}

static void is_json(const char *text, const char *json) {
    struct doc d = read_text(text);
    if (!d.val)
        fail_msg("refused: %s: %s", text, d.err->first->message);
    struct buf b = BUF_INIT;
    json_print(d.val, JSON_COMPACT, &b);
    assert_string_equal(b.data, json);
    buf_done(&b);
    done(&d);
}

/* The first error, at LINE:COL+LEN. */
static void is_refused(const char *text, size_t len, const char *code, const char *where) {
    struct doc d = read_bytes(text, len);
    assert_null(d.val);
    assert_string_equal(d.err->first->code, code);
    const struct mark *m = &d.err->first->mark;
    assert_string_equal(arena_printf(d.arena, "%u:%u+%u", m->line, m->col, m->len), where);
    struct buf b = BUF_INIT;
    err_render(d.err, &b); /* what is told can be told */
    assert_true(b.len > 0);
    buf_done(&b);
    done(&d);
}

static void refused(const char *text, const char *code, const char *where) {
    is_refused(text, strlen(text), code, where);
}

static void has_hint(const char *text, const char *part) {
    struct doc d = read_text(text);
    assert_null(d.val);
    assert_non_null(d.err->first->hint);
    if (!strstr(d.err->first->hint, part))
        fail_msg("no '%s' in the hint '%s'", part, d.err->first->hint);
    done(&d);
}

/* ---- scalars ---- */

static void scalars_follow_the_core_schema(void **state) {
    (void)state;
    static const char *const pairs[][2] = {
        {"[null, Null, NULL, ~, ]", "[null,null,null,null]"},
        {"[true, True, TRUE, false, False, FALSE]", "[true,true,true,false,false,false]"},
        {"[0, -0, +7, 007, -12, 0x1F, 0xff, 0o17]", "[0,0,7,7,-12,31,255,15]"},
        {"[1.5, -.5, +1., 1e3, 1E-1, .5e+1]", "[1.5,-0.5,1.0,1000.0,0.1,5.0]"},
        {"[9223372036854775807, -9223372036854775808, 0x7fffffffffffffff]", "[9223372036854775807,-9223372036854775808,9223372036854775807]"},
        {"a:\nb: ''\nc: \"\"", "{\"a\":null,\"b\":\"\",\"c\":\"\"}"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        is_json(pairs[i][0], pairs[i][1]);
}

static void what_other_schemas_convert_stays_a_string(void **state) {
    (void)state;
    static const char *const words[] = {"yes",  "no",   "on",    "off",   "Yes",        "NO",     "y",     "n",          "tRUE",  "nULL", "1_000", "0b11",
                                        "0x",   "0xg",  "0o8",   "-0x1",  "12:30:45",   "1.2.3",  ".",     "-",          "+",     "1e",   "e3",    "1e+",
                                        ".Nan", "+.nan", ".iNF", "inf",   "2026-01-01", "1 2",    "0O7",   "0XFF",       "--1",   "1-",   "<<",    "nan"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        struct doc d = read_text(words[i]);
        if (!d.val && !strcmp(words[i], "-")) {
            done(&d);
            continue;
        }
        if (val_is(d.val, VAL_LIST)) { /* a lone "-" begins a list */
            assert_string_equal(words[i], "-");
        } else {
            assert_true(val_is(d.val, VAL_STRING));
            assert_string_equal(val_cstr(d.val), words[i]);
        }
        done(&d);
    }
}

static void infinities_and_nan_are_numbers(void **state) {
    (void)state;
    struct doc d = read_text("[.inf, -.Inf, +.INF, .nan, .NaN]");
    assert_true(val_at(d.val, 0)->number == INFINITY);
    assert_true(val_at(d.val, 1)->number == -INFINITY);
    assert_true(val_at(d.val, 2)->number == INFINITY);
    assert_true(isnan(val_at(d.val, 3)->number));
    assert_true(isnan(val_at(d.val, 4)->number));
    done(&d);
}

static void quotes_and_tags_decide_what_a_scalar_is(void **state) {
    (void)state;
    is_json("['1', \"true\", !!str 5, ! 6, !!int 0x10, !!float 3, !!bool true, !!null ~]", "[\"1\",\"true\",\"5\",\"6\",16,3.0,true,null]");
    is_json("!!map {a: !!seq [1]}", "{\"a\":[1]}");
    is_json("a: |\n  1\nb: >-\n  true\n", "{\"a\":\"1\\n\",\"b\":\"true\"}");
    is_json("\"a\\0b\\u00e4\\x41\"", "\"a\\u0000b\303\244A\"");
}

static void numbers_out_of_range_are_told_not_rounded(void **state) {
    (void)state;
    refused("n: 9223372036854775808", "number-range", "1:4+19");
    refused("n: -9223372036854775809", "number-range", "1:4+20");
    refused("n: 0x8000000000000000", "number-range", "1:4+18");
    refused("n: 1e999", "number-range", "1:4+5");
    has_hint("n: 18446744073709551616", "quote it");
}

/* ---- marks ---- */

static void marks_count_bytes_and_end_with_the_line(void **state) {
    (void)state;
    struct doc d = read_text("\303\244\303\266: \303\274b # c\r\nlist:\r\n  - 'two\r\n    lines'\r\n  - last");
    const struct val_pair *p = &d.val->map.pairs[0];
    assert_int_equal(p->mark.line, 1);
    assert_int_equal(p->mark.col, 1);
    assert_int_equal(p->mark.len, 4);
    assert_int_equal(p->val->mark.col, 7);
    assert_int_equal(p->val->mark.len, 3);
    const struct val *first = val_at(val_get(d.val, "list"), 0), *last = val_at(val_get(d.val, "list"), 1);
    assert_string_equal(val_cstr(first), "two lines");
    assert_int_equal(first->mark.line, 3);
    assert_int_equal(first->mark.col, 5);
    assert_int_equal(first->mark.len, 4);
    assert_int_equal(last->mark.line, 5);
    assert_int_equal(last->mark.len, 4);
    done(&d);
}

/* ---- what a document may not be ---- */

static void every_duplicate_key_is_told_at_once(void **state) {
    (void)state;
    struct doc d = read_text("a: 1\nb: 2\na: 3\nc: {x: 1, 'x': 2}\nb: 4\na: 5\n");
    assert_null(d.val);
    static const struct {
        unsigned line, col;
        const char *note;
    } wanted[] = {{3, 1, "first written in line 1"}, {4, 11, "first written in line 4"}, {5, 1, "first written in line 2"}, {6, 1, "first written in line 1"}};
    const struct diag *e = d.err->first;
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++, e = e->next) {
        assert_non_null(e);
        assert_string_equal(e->code, "duplicate-key");
        assert_int_equal(e->mark.line, wanted[i].line);
        assert_int_equal(e->mark.col, wanted[i].col);
        assert_int_equal(e->nnotes, 1);
        assert_string_equal(e->notes[0], wanted[i].note);
    }
    assert_null(e);
    done(&d);
}

static void an_empty_file_is_an_error(void **state) {
    (void)state;
    static const char *const texts[] = {"", "\n\n", "# only\n# comments\n", "---\n", "---\n...\n", "~", "\xef\xbb\xbf", "   "};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        refused(texts[i], "empty-file", "0:0+0");
}

static void a_second_document_is_an_error(void **state) {
    (void)state;
    refused("a: 1\n---\nb: 2\n", "second-document", "2:1+3");
    refused("---\n---\n", "second-document", "2:1+3");
    is_json("%YAML 1.2\n---\na: 1\n...\n", "{\"a\":1}");
}

static void keys_are_scalars(void **state) {
    (void)state;
    refused("? [a, b]\n: 1\n", "key-not-scalar", "1:3+1");
    refused("{{ inputs.x }}", "key-not-scalar", "1:2+1");
    refused("a: &x b\n*x : 1\n", "key-not-scalar", "2:1+2");
    refused("\"a\\0b\": 1", "key-not-scalar", "1:1+6");
    has_hint("x: {{ inputs.x }}", "${{ … }}");
    is_json("{1: a, true: b, ~: c, ? d}", "{\"1\":\"a\",\"true\":\"b\",\"~\":\"c\",\"d\":null}");
}

static void unknown_tags_are_told(void **state) {
    (void)state;
    refused("a: !vault x", "unknown-tag", "1:4+8");
    refused("a: !!binary aGk=", "unknown-tag", "1:4+13");
    refused("a: !!int x", "unknown-tag", "1:4+7");
    refused("!!seq {a: 1}", "unknown-tag", "1:1+7");
    has_hint("a: !ruby/object [x]", "!!str");
}

static void syntax_errors_are_told_where_the_mistake_is(void **state) {
    (void)state;
    refused("title: a: b", "yaml-syntax", "1:9+1");
    refused("a: 1\nb: \"open\nc: 2\n", "yaml-syntax", "2:4+1");
    refused("a: [1, 2\nb: 3\n", "yaml-syntax", "2:2+1");
    refused("a: @b", "yaml-syntax", "1:4+1");
    has_hint("title: a: b", "quote the text");
    has_hint("a: 'open\n", "closing quote");
    has_hint("a: %b", "quote the text");
    has_hint("a: *.yaml", "quote the text");
}

/* ---- bytes ---- */

static void tabs_do_not_indent(void **state) {
    (void)state;
    refused("a:\n\tb: 1\n", "tab-indentation", "2:1+1");
    refused("a:\n  - b\n\t- c\n", "tab-indentation", "3:1+1");
    refused("a:\n  \tb: 1\n  \tc: 2\n", "tab-indentation", "2:3+1");
    refused("\t", "tab-indentation", "1:1+1");
    has_hint("\ta: 1", "spaces");
    is_json("a:\t1\t# c\nb: 'x\ty'\n", "{\"a\":1,\"b\":\"x\\ty\"}");
}

static void a_byte_order_mark_and_crlf_do_no_harm(void **state) {
    (void)state;
    is_json("\xef\xbb\xbf" "a: 1\r\nb:\r\n  - x\r\n  - |\r\n    y\r\n", "{\"a\":1,\"b\":[\"x\",\"y\\n\"]}");
    refused("\xef\xbb\xbf" "a: 1\na: 2\n", "duplicate-key", "2:1+1");
    refused("\xef\xbb\xbf" "a: !x y\n", "unknown-tag", "1:7+4");
    refused("a: \xef\xbb\xbf" "b\n", "yaml-syntax", "1:4+3");
}

static void bytes_that_are_no_text_are_refused(void **state) {
    (void)state;
    is_refused("a: b\0c", 6, "yaml-syntax", "1:5+1");
    is_refused("\0", 1, "yaml-syntax", "1:1+1");
    refused("a: \x1b[31m", "yaml-syntax", "1:4+1");
    refused("a: b\rc: d\n", "yaml-syntax", "1:5+1");
    refused("a: \x7f", "yaml-syntax", "1:4+1");
    refused("a: \xc2\x85", "yaml-syntax", "1:4+2");
    refused("a: \xc2\x9b", "yaml-syntax", "1:4+2");
    refused("a: \xe2\x80\xa8", "yaml-syntax", "1:4+3");
}

static void bytes_that_are_no_utf8_are_refused(void **state) {
    (void)state;
    static const char *const bad[] = {"\x80", "\xff", "\xc0\xaf", "\xc3", "\xe2\x82", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf0\x9f\x92", "\xf8\x88\x80\x80\x80"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct buf b = BUF_INIT;
        buf_printf(&b, "x: ok\ny: %s", bad[i]);
        is_refused(b.data, b.len, "invalid-utf8", "2:4+1");
        buf_done(&b);
    }
    is_refused("\xff\xfe" "a\0:\0", 6, "invalid-utf8", "1:1+1");
    has_hint("\xff\xfe" "a", "UTF-16");
    is_json("\xf0\x9f\x92\xa9: \xe2\x82\xac", "{\"\xf0\x9f\x92\xa9\":\"\xe2\x82\xac\"}");
}

/* ---- aliases ---- */

static void aliases_stand_for_their_anchor(void **state) {
    (void)state;
    is_json("a: &x {b: [1]}\nc: *x\nd: [*x, *x]\n", "{\"a\":{\"b\":[1]},\"c\":{\"b\":[1]},\"d\":[{\"b\":[1]},{\"b\":[1]}]}");
    is_json("a: &x 1\nb: &x 2\nc: *x\n", "{\"a\":1,\"b\":2,\"c\":2}");
    is_json("&k key: *k\n", "{\"key\":\"key\"}");
    refused("a: *x\n", "unknown-anchor", "1:4+2");
}

static void an_alias_within_its_own_anchor_is_refused(void **state) {
    (void)state;
    refused("a: &x [*x]\n", "alias-limit", "1:8+2");
    refused("&x {a: {b: *x}}\n", "alias-limit", "1:12+2");
}

static void a_billion_laughs_cost_nothing(void **state) {
    (void)state;
    struct buf b = BUF_INIT;
    buf_adds(&b, "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]\n");
    for (int i = 1; i < 20; i++) {
        buf_printf(&b, "a%d: &a%d [", i, i);
        for (int k = 0; k < 10; k++)
            buf_printf(&b, "%s*a%d", k ? ", " : "", i - 1);
        buf_adds(&b, "]\n");
    }
    struct doc d = read_bytes(b.data, b.len);
    assert_null(d.val);
    assert_string_equal(d.err->first->code, "alias-limit");
    assert_true(arena_used(d.arena) < 1 << 20);
    done(&d);
    buf_done(&b);
}

static void depth_counts_through_aliases(void **state) {
    (void)state;
    struct buf b = BUF_INIT;
    buf_adds(&b, "a0: &a0 [x]\n");
    for (int i = 1; i < 80; i++)
        buf_printf(&b, "a%d: &a%d [*a%d]\n", i, i, i - 1);
    struct doc d = read_bytes(b.data, b.len);
    assert_null(d.val);
    assert_string_equal(d.err->first->code, "too-deep");
    done(&d);
    buf_done(&b);
}

/* ---- size ---- */

static void the_limits_are_exact(void **state) {
    (void)state;
    const struct yaml_limits small = {.max_bytes = 12, .max_depth = 3, .max_nodes = 4};
    static const struct {
        const char *text, *code;
    } cases[] = {
        {"[1, 2, 3]", NULL},   {"[1, 2, 3, 4]", "too-large"}, {"[[[]]]", NULL},          {"[[1]]", NULL},          {"[[[1]]]", "too-deep"},
        {"[[[[]]]]", "too-deep"}, {"# 3456789012", "empty-file"}, {"# 34567890123", "too-large"}, {"[&a 1,*a,*a]", NULL}, {"[&a [],*a]", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct doc d = read_limited(cases[i].text, strlen(cases[i].text), &small);
        if (cases[i].code) {
            assert_null(d.val);
            assert_string_equal(d.err->first->code, cases[i].code);
        } else {
            assert_non_null(d.val);
        }
        done(&d);
    }
}

static void hostile_sizes_end_soon(void **state) {
    (void)state;
    static const struct {
        const char *head, *unit;
        size_t bytes;
        const char *code; /* NULL: it may be anything, only soon */
    } cases[] = {
        {"", "a: 1\n", 20 << 20, "too-large"},
        {"", "[", 1 << 18, "too-deep"},
        {"", "{a: ", 1 << 18, "too-deep"},
        {"", "- ", 1 << 18, "too-deep"},
        {"", "? ", 1 << 18, "key-not-scalar"},
        {"[", "1,", 1 << 18, NULL},
        {"[", "a: b,", 1 << 18, NULL},
        {"", "- 1\n", 1 << 18, NULL},
        {"\"", "x", 1 << 18, "yaml-syntax"},
        {"", "x", 1 << 18, NULL},
        {"", "x ", 1 << 18, NULL},
        {"", "x\n", 1 << 18, NULL},
        {"[", "\303\244,", 1 << 18, NULL},
        {"|\n", " x\n", 1 << 18, NULL},
        {"", "#\n", 1 << 18, "empty-file"},
        {"", "\n", 1 << 18, "empty-file"},
        {"", "&a ", 1 << 18, "yaml-syntax"},
        {"&a [1]\n", "*a", 1 << 18, NULL},
        {"", "k: 1\n", 1 << 18, "duplicate-key"},
        {"", "%YAML 1.1\n", 1 << 18, NULL},
        {"", "---\n", 1 << 18, NULL},
        {"!", "a", 1 << 18, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf b = BUF_INIT;
        buf_adds(&b, cases[i].head);
        for (const size_t n = strlen(cases[i].unit); b.len + n <= cases[i].bytes;)
            buf_add(&b, cases[i].unit, n);
        const clock_t start = clock();
        struct doc d = read_bytes(b.data, b.len);
        if (cases[i].code && (d.val || strcmp(d.err->first->code, cases[i].code) != 0))
            fail_msg("'%s%s…': %s instead of %s", cases[i].head, cases[i].unit, d.val ? "accepted" : d.err->first->code, cases[i].code);
        assert_true(d.err->nerrors == 0 || d.err->first != NULL);
        done(&d);
        if (getenv("QUORATE_TIMES"))
            print_message("# %.3f s: %s%s…\n", (double)(clock() - start) / CLOCKS_PER_SEC, cases[i].head, cases[i].unit);
        buf_done(&b);
    }
}

static void every_prefix_of_a_document_is_read_or_refused(void **state) {
    (void)state;
    static const char text[] = "%YAML 1.1\n---\n\"a\\x41\": &x [1, 'b', {c: !!str d}, \303\244]\n? e\n: |+\n  f\n\ng: >2-\n    h\ni: *x # j\n...\n";
    for (size_t n = 0; n < sizeof text; n++) {
        struct doc d = read_bytes(text, n);
        done(&d);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scalars_follow_the_core_schema),
        cmocka_unit_test(what_other_schemas_convert_stays_a_string),
        cmocka_unit_test(infinities_and_nan_are_numbers),
        cmocka_unit_test(quotes_and_tags_decide_what_a_scalar_is),
        cmocka_unit_test(numbers_out_of_range_are_told_not_rounded),
        cmocka_unit_test(marks_count_bytes_and_end_with_the_line),
        cmocka_unit_test(every_duplicate_key_is_told_at_once),
        cmocka_unit_test(an_empty_file_is_an_error),
        cmocka_unit_test(a_second_document_is_an_error),
        cmocka_unit_test(keys_are_scalars),
        cmocka_unit_test(unknown_tags_are_told),
        cmocka_unit_test(syntax_errors_are_told_where_the_mistake_is),
        cmocka_unit_test(tabs_do_not_indent),
        cmocka_unit_test(a_byte_order_mark_and_crlf_do_no_harm),
        cmocka_unit_test(bytes_that_are_no_text_are_refused),
        cmocka_unit_test(bytes_that_are_no_utf8_are_refused),
        cmocka_unit_test(aliases_stand_for_their_anchor),
        cmocka_unit_test(an_alias_within_its_own_anchor_is_refused),
        cmocka_unit_test(a_billion_laughs_cost_nothing),
        cmocka_unit_test(depth_counts_through_aliases),
        cmocka_unit_test(the_limits_are_exact),
        cmocka_unit_test(hostile_sizes_end_soon),
        cmocka_unit_test(every_prefix_of_a_document_is_read_or_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
