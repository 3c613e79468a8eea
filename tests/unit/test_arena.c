/* Memory by lifetime: zeroed, aligned, never moved, and all gone at once. */
#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void memory_is_zeroed_aligned_and_apart(void **state) {
    (void)state;
    struct arena *a = arena_new();
    static const size_t sizes[] = {1, 3, 16, 17, 1000, 1024, 2048, 2049, 8192, 100000, 7, 8191, 1};
    enum { n = sizeof sizes / sizeof *sizes };
    unsigned char *p[n];
    for (size_t i = 0; i < n; i++) {
        p[i] = arena_alloc(a, sizes[i]);
        assert_int_equal((uintptr_t)p[i] % _Alignof(max_align_t), 0);
        for (size_t k = 0; k < sizes[i]; k++)
            assert_int_equal(p[i][k], 0);
        memset(p[i], (int)i + 1, sizes[i]);
    }
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < sizes[i]; k++)
            assert_int_equal(p[i][k], i + 1);
    arena_free(a);
}

static void many_small_pieces_stay_where_they_are(void **state) {
    (void)state;
    struct arena *a = arena_new();
    size_t **p = arena_array(a, size_t *, 20000);
    for (size_t i = 0; i < 20000; i++) {
        p[i] = arena_new_of(a, size_t);
        *p[i] = i;
    }
    for (size_t i = 0; i < 20000; i++)
        assert_int_equal(*p[i], i);
    arena_free(a);
}

static void an_arena_may_be_empty_or_none(void **state) {
    (void)state;
    arena_free(NULL);
    struct arena *a = arena_new();
    assert_int_equal(arena_used(a), 0);
    arena_free(a);
    a = arena_new();
    assert_non_null(arena_alloc(a, 0));
    assert_non_null(arena_alloc(a, 0));
    arena_free(a);
}

static void what_is_handed_out_is_counted(void **state) {
    (void)state;
    struct arena *a = arena_new();
    arena_alloc(a, 100);
    assert_in_range(arena_used(a), 100, 128);
    arena_alloc(a, 100000);
    assert_in_range(arena_used(a), 100100, 100200);
    arena_free(a);
}

static void strings_are_copied_and_terminated(void **state) {
    (void)state;
    struct arena *a = arena_new();
    char text[] = "abcdef";
    char *whole = arena_strdup(a, text), *part = arena_strndup(a, text, 3), *none = arena_strndup(a, NULL, 0);
    char *with_nul = arena_strndup(a, "a\0b", 3);
    memset(text, 'x', 6);
    assert_string_equal(whole, "abcdef");
    assert_string_equal(part, "abc");
    assert_string_equal(none, "");
    assert_memory_equal(with_nul, "a\0b", 4);
    arena_free(a);
}

static void text_is_formatted_at_any_length(void **state) {
    (void)state;
    struct arena *a = arena_new();
    assert_string_equal(arena_printf(a, "%s-%d", "n", 7), "n-7");
    assert_string_equal(arena_printf(a, "%s", ""), "");
    assert_int_equal(strlen(arena_printf(a, "%*s", 50000, "x")), 50000);
    arena_free(a);
}

static void heap_memory_is_zeroed_and_never_null(void **state) {
    (void)state;
    char *p = mem_alloc(64);
    for (size_t i = 0; i < 64; i++)
        assert_int_equal(p[i], 0);
    p = mem_realloc(p, 4096);
    assert_int_equal(p[63], 0);
    free(p);
    p = mem_alloc(0);
    assert_non_null(p);
    free(p);
    p = mem_strdup("text");
    assert_string_equal(p, "text");
    free(p);
}

static void what_was_cleared_is_as_new(void **state) {
    (void)state;
    static const size_t sizes[] = {0, 10, 1000, 5000, 100000};
    static const unsigned char zero[100000];
    struct arena *a = arena_new();
    arena_clear(a);
    for (size_t i = 0; i < 100; i++) {
        const size_t n = sizes[i % 5];
        for (size_t k = 0; k < 5; k++) {
            void *p = arena_alloc(a, n);
            assert_memory_equal(p, zero, n);
            memset(p, 0xff, n);
        }
        arena_clear(a);
        assert_int_equal(arena_used(a), 0);
    }
    arena_free(a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_zeroed_aligned_and_apart),
        cmocka_unit_test(many_small_pieces_stay_where_they_are),
        cmocka_unit_test(an_arena_may_be_empty_or_none),
        cmocka_unit_test(what_is_handed_out_is_counted),
        cmocka_unit_test(strings_are_copied_and_terminated),
        cmocka_unit_test(text_is_formatted_at_any_length),
        cmocka_unit_test(what_was_cleared_is_as_new),
        cmocka_unit_test(heap_memory_is_zeroed_and_never_null),
    };
    return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
