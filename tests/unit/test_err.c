/* Diagnostics: where, what, what was expected, what next; told together, in order, and never able to move the cursor. */
#include "base/err.h"

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

static const struct source *source(struct kit *k, const char *text) {
    return source_new(k->a, "r.yaml", text, strlen(text));
}

static const char *rendered(struct kit *k, const struct diag *d) {
    buf_clear(&k->out);
    diag_render(d, &k->out);
    return k->out.data;
}

/* What stands under the mark of len bytes at byte off of text. */
static const char *marked(struct kit *k, const char *text, size_t off, size_t len) {
    return rendered(k, err_add(k->err, mark_at(source(k, text), off, len), "c", "m"));
}

static void assert_has(const char *text, const char *part) {
    if (!strstr(text, part))
        fail_msg("no \"%s\" in\n%s", part, text);
}

/* --- marks --- */

static void assert_mark(struct mark m, uint32_t line, uint32_t col, uint32_t len) {
    if (m.line != line || m.col != col || m.len != len)
        fail_msg("%u:%u+%u, not %u:%u+%u", m.line, m.col, m.len, line, col, len);
}

static void offsets_become_lines_and_columns(void **state) {
    struct kit *k = *state;
    const struct source *s = source(k, "ab\n\ncd e\n");
    assert_mark(mark_at(s, 0, 2), 1, 1, 2);
    assert_mark(mark_at(s, 1, 1), 1, 2, 1);
    assert_mark(mark_at(s, 3, 1), 2, 1, 1);
    assert_mark(mark_at(s, 4, 2), 3, 1, 2);
    assert_mark(mark_at(s, 7, 1), 3, 4, 1);
    assert_mark(mark_at(s, 9, 1), 4, 1, 1);
}

static void marks_end_with_their_line_and_their_text(void **state) {
    struct kit *k = *state;
    const struct source *s = source(k, "ab\ncd");
    assert_mark(mark_at(s, 0, 100), 1, 1, 2);
    assert_mark(mark_at(s, 3, SIZE_MAX), 2, 1, 2);
    assert_mark(mark_at(s, 2, 5), 1, 3, 1);
    assert_mark(mark_at(s, 1000, 5), 2, 3, 1);
    assert_mark(mark_at(s, 0, 0), 1, 1, 1);
    assert_mark(mark_at(source(k, ""), 0, 1), 1, 1, 1);
}

static void sources_are_copies_and_may_hold_any_byte(void **state) {
    struct kit *k = *state;
    char name[] = "x", text[] = "a\0\nb";
    const struct source *s = source_new(k->a, name, text, 4);
    name[0] = text[0] = '?';
    assert_string_equal(s->name, "x");
    assert_memory_equal(s->text, "a\0\nb", 5);
    assert_mark(mark_at(s, 3, 1), 2, 1, 1);
    assert_non_null(source_new(k->a, "empty", NULL, 0)->text);
}

/* --- one diagnostic --- */

static void an_error_quotes_its_line_with_a_caret_a_hint_and_notes(void **state) {
    struct kit *k = *state;
    char text[1000] = "";
    for (int i = 1; i < 31; i++)
        memcpy(text + strlen(text), "#\n", 3);
    memcpy(text + strlen(text), "    uses: dtr.remvoe\nnext: 1\n", 30);
    const struct source *s = source_new(k->a, "runbooks/dtr/repair-replicas.yaml", text, strlen(text));
    struct diag *d = err_add(k->err, mark_at(s, (size_t)(strstr(text, "dtr.") - text), 10), "unknown-action", "unknown action '%s'", "dtr.remvoe");
    diag_hint(k->err, d, "did you mean '%s'?", "dtr.remove");
    diag_note(k->err, d, "accepted: %s", "a, b, c");
    diag_note(k->err, d, "while reading");
    assert_string_equal(rendered(k, d), "runbooks/dtr/repair-replicas.yaml:31:11: error: unknown action 'dtr.remvoe' [unknown-action]\n"
                                        "   31 |     uses: dtr.remvoe\n"
                                        "      |           ^~~~~~~~~~ did you mean 'dtr.remove'?\n"
                                        "      = accepted: a, b, c\n"
                                        "      = while reading\n");
}

static void warnings_say_so(void **state) {
    struct kit *k = *state;
    struct diag *d = err_warn(k->err, mark_at(source(k, "ab"), 0, 2), "odd", "strange");
    assert_string_equal(rendered(k, d), "r.yaml:1:1: warning: strange [odd]\n    1 | ab\n      | ^~\n");
    assert_int_equal(k->err->nerrors, 0);
    assert_int_equal(k->err->nwarnings, 1);
}

static void errors_without_a_place_are_told_in_one_line(void **state) {
    struct kit *k = *state;
    assert_string_equal(rendered(k, err_add(k->err, mark_none(), "usage", "no runbook")), "error: no runbook [usage]\n");
    struct diag *d = err_add(k->err, mark_whole(source(k, "text")), "empty", "nothing in it");
    diag_hint(k->err, d, "write something");
    assert_string_equal(rendered(k, d), "r.yaml: error: nothing in it [empty]\n      = write something\n");
}

static void a_hint_is_told_even_if_the_line_is_not_there(void **state) {
    struct kit *k = *state;
    struct diag *d = err_add(k->err, (struct mark){source(k, "a\n"), 99, 1, 1}, "c", "m");
    diag_hint(k->err, d, "do this");
    assert_string_equal(rendered(k, d), "r.yaml:99:1: error: m [c]\n      = do this\n");
}

static void marks_that_nobody_filled_in_well_do_no_harm(void **state) {
    struct kit *k = *state;
    const struct source *s = source(k, "abc\n");
    assert_has(rendered(k, err_add(k->err, (struct mark){s, 1, 0, 0}, "c", "m")), "    1 | abc\n");
    assert_has(rendered(k, err_add(k->err, (struct mark){s, 1, 4000000000u, 4000000000u}, "c", "m")), "      |    ^\n");
    assert_has(rendered(k, err_add(k->err, (struct mark){s, 2, 1, 1}, "c", "m")), "    2 | \n      | ^\n");
}

static void tabs_are_one_space_and_the_caret_lines_up(void **state) {
    struct kit *k = *state;
    assert_string_equal(marked(k, "\ta:\tb", 4, 1), "r.yaml:1:5: error: m [c]\n    1 |  a: b\n      |     ^\n");
}

static void characters_of_several_bytes_take_one_column(void **state) {
    struct kit *k = *state;
    assert_has(marked(k, "gr\xc3\xbc\xc3\x9f" "e: x", 9, 1), "    1 | gr\xc3\xbc\xc3\x9f" "e: x\n      |        ^\n");
    assert_has(marked(k, "\xe2\x82\xac\xf0\x9f\x8e\x89:", 0, 7), "      | ^~\n");
}

static void a_mark_inside_a_character_marks_all_of_it(void **state) {
    struct kit *k = *state;
    assert_has(marked(k, "a\xe2\x82\xac" "b", 2, 1), "    1 | a\xe2\x82\xac" "b\n      |  ^\n");
    assert_has(marked(k, "a\xe2\x82\xac" "b", 0, 2), "      | ^~\n");
}

static void what_cannot_be_seen_is_shown_and_counted(void **state) {
    struct kit *k = *state;
    assert_has(marked(k, "a\x1b[31mb", 6, 1), "    1 | a\\x1b[31mb\n      |          ^\n");
    assert_has(marked(k, "\xff\xfe" "x", 2, 1), "    1 | \\xff\\xfex\n      |         ^\n");
    assert_has(marked(k, "a\xe2\x80\xae" "b", 1, 3), "    1 | a\\u202eb\n      |  ^~~~~~\n");
}

static void windows_line_ends_are_not_shown(void **state) {
    struct kit *k = *state;
    assert_string_equal(marked(k, "ab\r\ncd\r\n", 4, 4), "r.yaml:2:1: error: m [c]\n    2 | cd\n      | ^~\n");
}

static void long_lines_are_cut_around_the_mark(void **state) {
    struct kit *k = *state;
    char text[20001];
    memset(text, '-', 20000);
    text[20000] = 0;
    memcpy(text + 10000, "HERE", 4);
    static const size_t places[] = {0, 10, 10000, 19996};
    for (size_t i = 0; i < 4; i++) {
        char *quoted = strchr(marked(k, text, places[i], 4), '\n') + 1;
        char *caret = strchr(quoted, '\n');
        *caret++ = 0;
        assert_true(strlen(quoted) < 150);
        assert_true((strstr(quoted, "\xe2\x80\xa6") == quoted + 8) == (places[i] > 1000));
        assert_true(!strcmp(quoted + strlen(quoted) - 3, "\xe2\x80\xa6") == (places[i] < 19000));
        const size_t col = strcspn(caret, "^");
        assert_memory_equal(caret + col, "^~~~", 4);
        if (places[i] == 10000) /* the dots take three bytes and one column */
            assert_memory_equal(quoted + col + 2, "HERE", 4);
    }
    assert_true(strlen(marked(k, text, 10, 20000)) < 400);
}

static void a_cut_never_goes_through_a_character(void **state) {
    struct kit *k = *state;
    struct buf b = BUF_INIT;
    for (int i = 0; i < 400; i++)
        buf_adds(&b, "\xe2\x82\xac");
    for (size_t off = 300; off < 303; off++)
        assert_null(strstr(marked(k, b.data, off, 1), "\\x"));
    buf_done(&b);
}

static void large_line_numbers_keep_the_caret_in_place(void **state) {
    struct kit *k = *state;
    struct buf b = BUF_INIT;
    buf_addrep(&b, '\n', 1234566);
    buf_adds(&b, "ab");
    assert_has(marked(k, b.data, b.len - 1, 1), "\n1234567 | ab\n        |  ^\n");
    buf_done(&b);
}

static void no_text_of_a_diagnostic_can_move_the_cursor(void **state) {
    struct kit *k = *state;
    const struct source *s = source_new(k->a, "a\x1b[2J", "x\x1b[2J\a", 6);
    struct diag *d = err_add(k->err, mark_at(s, 0, 1), "c", "m\x1b[2J\nnext");
    diag_hint(k->err, d, "h\x1b[2J\r");
    diag_note(k->err, d, "n\x1b[2J\b\x7f");
    const char *text = rendered(k, d);
    for (const char *p = text; *p; p++)
        if (((unsigned char)*p < 0x20 && *p != '\n') || *p == 0x7f)
            fail_msg("byte %02x in\n%s", (unsigned char)*p, text);
    assert_has(text, "m\\x1b[2J [c]\n      : next\n"); /* where no line of ours begins */
}

static void visible_text_keeps_letters_and_shows_the_rest(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"plain, gr\xc3\xbc\xc3\x9f" "e \xf0\x9f\x8e\x89", "plain, gr\xc3\xbc\xc3\x9f" "e \xf0\x9f\x8e\x89"},
        {"a\tb", "a b"},
        {"\xc2\x85", "\\x85"},                     /* a control character of two bytes */
        {"\xe2\x80\x8b\xef\xbb\xbf", "\\u200b\\ufeff"},
        {"\xd8\x9c\xe2\x81\xa6", "\\u061c\\u2066"}, /* turns the writing direction */
        {"\xc0\x80\xed\xa0\x80", "\\xc0\\x80\\xed\\xa0\\x80"}, /* overlong, surrogate */
        {"\xf5\x80\x80\x80", "\\xf5\\x80\\x80\\x80"},
        {"\xe2\x82", "\\xe2\\x82"},                 /* cut off */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf b = BUF_INIT;
        buf_add_visible(&b, cases[i][0], strlen(cases[i][0]));
        assert_string_equal(b.data, cases[i][1]);
        buf_done(&b);
    }
}

/* --- several --- */

static void accepted_names_come_with_the_nearest(void **state) {
    struct kit *k = *state;
    static const char *const names[] = {"alpha", "beta"};
    struct diag *d = err_add(k->err, mark_none(), "c", "m");
    diag_accepted(k->err, d, "alhpa", names, 2);
    assert_string_equal(d->hint, "did you mean 'alpha'?");
    assert_string_equal(d->notes[0], "accepted: alpha, beta");
    d = err_add(k->err, mark_none(), "c", "m");
    diag_accepted(k->err, d, "omega-centauri", names, 2);
    assert_null(d->hint);
    assert_int_equal(d->nnotes, 1);
    d = err_add(k->err, mark_none(), "c", "m");
    diag_accepted(k->err, d, "x", NULL, 0);
    assert_int_equal(d->nnotes, 0);
}

static void long_lists_of_accepted_names_are_cut(void **state) {
    struct kit *k = *state;
    const char *names[20];
    for (size_t i = 0; i < 20; i++)
        names[i] = arena_printf(k->a, "name%zu", i + 1);
    struct diag *d = err_add(k->err, mark_none(), "c", "m");
    diag_accepted(k->err, d, "zzz", names, 20);
    assert_has(d->notes[0], "name12, and 8 more");
    assert_null(strstr(d->notes[0], "name13"));
}

static void a_level_above_adds_only_to_what_was_added_since(void **state) {
    struct kit *k = *state;
    struct diag *before = err_add(k->err, mark_none(), "c", "before");
    struct diag *one = err_add(k->err, mark_none(), "c", "one");
    struct diag *two = err_warn(k->err, mark_none(), "c", "two");
    err_while(k->err, before, "while loading '%s'", "x");
    assert_int_equal(before->nnotes, 0);
    assert_string_equal(one->notes[0], "while loading 'x'");
    assert_string_equal(two->notes[0], "while loading 'x'");
    err_while(k->err, NULL, "while all");
    assert_string_equal(before->notes[0], "while all");
    assert_string_equal(one->notes[1], "while all");
    err_while(k->err, k->err->last, "while nothing");
    assert_int_equal(two->nnotes, 2);
}

static void errors_are_sorted_by_place_and_otherwise_keep_their_order(void **state) {
    struct kit *k = *state;
    const struct source *a = source_new(k->a, "a", "xxxx\nyyyy\n", 10), *b = source_new(k->a, "b", "xxxx\n", 5);
    err_add(k->err, mark_at(b, 0, 1), "c", "5");
    err_add(k->err, mark_at(a, 6, 1), "c", "4");
    err_add(k->err, mark_at(a, 2, 1), "c", "2");
    err_warn(k->err, mark_at(a, 2, 1), "c", "3");
    err_add(k->err, mark_whole(a), "c", "1");
    err_sort(k->err);
    char order[8] = "";
    for (const struct diag *d = k->err->first; d; d = d->next)
        order[strlen(order)] = d->message[0];
    assert_string_equal(order, "12345");
    assert_string_equal(k->err->last->message, "5");
    err_add(k->err, mark_none(), "c", "6");
    assert_string_equal(k->err->last->message, "6");
    struct err *none = err_new(k->a);
    err_sort(none);
    assert_null(none->first);
    assert_null(none->last);
}

static size_t count(const struct err *e) {
    size_t n = 0;
    for (const struct diag *d = e->first; d; d = d->next)
        n++;
    return n;
}

static void errors_past_the_limit_are_counted_and_told_as_a_number(void **state) {
    struct kit *k = *state;
    k->err->max = 3;
    for (int i = 0; i < 5; i++) {
        struct diag *d = err_add(k->err, mark_none(), "c", "e%d", i);
        diag_hint(k->err, d, "hint");
        diag_note(k->err, d, "note");
    }
    for (int i = 0; i < 4; i++)
        err_warn(k->err, mark_none(), "c", "w%d", i);
    assert_int_equal(k->err->nerrors, 5);
    assert_int_equal(k->err->nwarnings, 4);
    assert_int_equal(count(k->err), 6);
    err_render(k->err, &k->out);
    assert_has(k->out.data, "error: e2 [c]\n");
    assert_null(strstr(k->out.data, "e3"));
    const char *end = "2 further errors\n1 further warning\n";
    assert_string_equal(k->out.data + k->out.len - strlen(end), end);
}

static void a_hundred_errors_are_kept_unless_told_otherwise(void **state) {
    struct kit *k = *state;
    for (int i = 0; i < 100; i++)
        err_add(k->err, mark_none(), "c", "m");
    err_render(k->err, &k->out);
    assert_null(strstr(k->out.data, "further"));
    assert_int_equal(count(k->err), 100);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(offsets_become_lines_and_columns),
        TEST(marks_end_with_their_line_and_their_text),
        TEST(sources_are_copies_and_may_hold_any_byte),
        TEST(an_error_quotes_its_line_with_a_caret_a_hint_and_notes),
        TEST(warnings_say_so),
        TEST(errors_without_a_place_are_told_in_one_line),
        TEST(a_hint_is_told_even_if_the_line_is_not_there),
        TEST(marks_that_nobody_filled_in_well_do_no_harm),
        TEST(tabs_are_one_space_and_the_caret_lines_up),
        TEST(characters_of_several_bytes_take_one_column),
        TEST(a_mark_inside_a_character_marks_all_of_it),
        TEST(what_cannot_be_seen_is_shown_and_counted),
        TEST(windows_line_ends_are_not_shown),
        TEST(long_lines_are_cut_around_the_mark),
        TEST(a_cut_never_goes_through_a_character),
        TEST(large_line_numbers_keep_the_caret_in_place),
        TEST(no_text_of_a_diagnostic_can_move_the_cursor),
        TEST(visible_text_keeps_letters_and_shows_the_rest),
        TEST(accepted_names_come_with_the_nearest),
        TEST(long_lists_of_accepted_names_are_cut),
        TEST(a_level_above_adds_only_to_what_was_added_since),
        TEST(errors_are_sorted_by_place_and_otherwise_keep_their_order),
        TEST(errors_past_the_limit_are_counted_and_told_as_a_number),
        TEST(a_hundred_errors_are_kept_unless_told_otherwise),
    };
    return cmocka_run_group_tests_name("err", tests, NULL, NULL);
}
