/* A run of bytes that grows up to a limit, and is always a terminated string. */
#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void an_empty_buffer_is_an_empty_string(void **state) {
    (void)state;
    struct buf b = BUF_INIT, c;
    buf_init(&c, 10);
    assert_string_equal(b.data, "");
    assert_string_equal(c.data, "");
    buf_add(&b, NULL, 0);
    buf_adds(&b, "");
    buf_printf(&b, "%s", "");
    buf_addrep(&b, 'x', 0);
    assert_int_equal(b.len, 0);
    assert_string_equal(b.data, "");
    buf_clear(&b);
    assert_string_equal(b.data, "");
    buf_done(&b);
    buf_done(&c);
}

static void content_is_terminated_after_each_addition(void **state) {
    (void)state;
    struct buf b = BUF_INIT;
    buf_adds(&b, "ab");
    assert_string_equal(b.data, "ab");
    buf_addc(&b, 'c');
    assert_string_equal(b.data, "abc");
    buf_addrep(&b, '-', 3);
    assert_string_equal(b.data, "abc---");
    buf_printf(&b, "%d%%", 42);
    assert_string_equal(b.data, "abc---42%");
    buf_add(&b, "x\0y", 3);
    assert_int_equal(b.len, 12);
    assert_memory_equal(b.data, "abc---42%x\0y", 13);
    buf_done(&b);
}

static void growth_keeps_what_is_there(void **state) {
    (void)state;
    struct buf b = BUF_INIT;
    for (int i = 0; i < 10000; i++)
        buf_addc(&b, (char)('a' + i % 26));
    buf_printf(&b, "%*s", 100000, "!");
    assert_int_equal(b.len, 110000);
    assert_int_equal(strlen(b.data), 110000);
    for (int i = 0; i < 10000; i++)
        assert_int_equal(b.data[i], 'a' + i % 26);
    assert_int_equal(b.data[109999], '!');
    buf_done(&b);
}

static void the_limit_can_be_filled_exactly(void **state) {
    (void)state;
    struct buf b;
    buf_init(&b, 4);
    buf_adds(&b, "ab");
    buf_adds(&b, "cd");
    assert_false(b.over);
    assert_string_equal(b.data, "abcd");
    buf_done(&b);
}

static void past_the_limit_nothing_more_is_taken(void **state) {
    (void)state;
    struct buf b;
    buf_init(&b, 4);
    buf_adds(&b, "ab");
    buf_adds(&b, "cde");
    assert_true(b.over);
    assert_string_equal(b.data, "ab");
    buf_addc(&b, 'x'); /* would fit, but would leave a hole */
    buf_printf(&b, "%d", 1);
    buf_addrep(&b, 'x', 1);
    assert_string_equal(b.data, "ab");
    buf_done(&b);
}

static void every_way_of_adding_knows_the_limit(void **state) {
    (void)state;
    struct buf b;
    buf_init(&b, 3);
    buf_printf(&b, "%s", "four");
    assert_true(b.over);
    buf_clear(&b);
    assert_false(b.over);
    buf_addrep(&b, 'x', 4);
    assert_true(b.over);
    assert_int_equal(b.len, 0);
    buf_done(&b);
}

static void a_buffer_can_be_used_again(void **state) {
    (void)state;
    struct buf b;
    buf_init(&b, 8);
    buf_adds(&b, "12345678");
    buf_adds(&b, "9");
    buf_clear(&b);
    assert_string_equal(b.data, "");
    assert_false(b.over);
    buf_adds(&b, "again");
    assert_string_equal(b.data, "again");
    buf_done(&b);
    assert_string_equal(b.data, "");
    assert_int_equal(b.max, 8);
    buf_adds(&b, "more");
    assert_string_equal(b.data, "more");
    buf_done(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_buffer_is_an_empty_string),
        cmocka_unit_test(content_is_terminated_after_each_addition),
        cmocka_unit_test(growth_keeps_what_is_there),
        cmocka_unit_test(the_limit_can_be_filled_exactly),
        cmocka_unit_test(past_the_limit_nothing_more_is_taken),
        cmocka_unit_test(every_way_of_adding_knows_the_limit),
        cmocka_unit_test(a_buffer_can_be_used_again),
    };
    return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
