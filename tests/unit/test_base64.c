/* base64 as in RFC 4648, there and back, and what is none. */
#include "base/base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void the_examples_of_the_rfc(void **state) {
    (void)state;
    static const char *const pairs[][2] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};
    struct arena *a = arena_new();
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        struct buf b = BUF_INIT;
        size_t n = 99;
        base64_add(&b, pairs[i][0], strlen(pairs[i][0]));
        assert_string_equal(b.data, pairs[i][1]);
        assert_string_equal(base64_decode(a, b.data, b.len, &n), pairs[i][0]);
        assert_int_equal(n, strlen(pairs[i][0]));
        buf_done(&b);
    }
    arena_free(a);
}

static void every_byte_comes_back(void **state) {
    (void)state;
    unsigned char all[256];
    for (int i = 0; i < 256; i++)
        all[i] = (unsigned char)i;
    struct arena *a = arena_new();
    for (size_t len = 0; len <= 256; len++) {
        struct buf b = BUF_INIT;
        size_t n;
        base64_add(&b, all + 256 - len, len);
        const char *back = base64_decode(a, b.data, b.len, &n);
        assert_int_equal(n, len);
        assert_memory_equal(back, all + 256 - len, len);
        buf_done(&b);
    }
    arena_free(a);
}

static void what_is_none_is_refused(void **state) {
    (void)state;
    static const char *const bad[] = {"Z", "Zg", "Zg=", "Zg==Zg==", "Z===", "Zm 9", "Zm9v\n", "Zm9-", "===="};
    struct arena *a = arena_new();
    size_t n;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (base64_decode(a, bad[i], strlen(bad[i]), &n))
            fail_msg("%s", bad[i]);
    arena_free(a);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_examples_of_the_rfc),
        cmocka_unit_test(every_byte_comes_back),
        cmocka_unit_test(what_is_none_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
