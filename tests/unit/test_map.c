/* Strings to pointers in insertion order, and the name that somebody meant. */
#include "base/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void what_was_put_is_found(void **state) {
    (void)state;
    struct arena *a = arena_new();
    struct map *m = map_new(a);
    int one = 1, two = 2;
    assert_null(map_get(m, "one"));
    assert_int_equal(map_count(m), 0);
    map_put(m, "one", &one);
    map_put(m, "", &two);
    assert_ptr_equal(map_get(m, "one"), &one);
    assert_ptr_equal(map_get(m, ""), &two);
    assert_null(map_get(m, "on"));
    assert_null(map_get(m, "onee"));
    assert_int_equal(map_count(m), 2);
    arena_free(a);
}

static void a_second_value_replaces_the_first_in_its_place(void **state) {
    (void)state;
    struct arena *a = arena_new();
    struct map *m = map_new(a);
    int x = 1, y = 2;
    map_put(m, "a", &x);
    map_put(m, "b", &x);
    map_put(m, "a", &y);
    assert_int_equal(map_count(m), 2);
    struct map_iter it = map_iter(m);
    assert_true(map_next(&it));
    assert_string_equal(it.key, "a");
    assert_ptr_equal(it.value, &y);
    arena_free(a);
}

static void keys_are_copied(void **state) {
    (void)state;
    struct arena *a = arena_new();
    struct map *m = map_new(a);
    char key[] = "key";
    map_put(m, key, &m);
    key[0] = 'x';
    assert_non_null(map_get(m, "key"));
    assert_null(map_get(m, "xey"));
    arena_free(a);
}

static void iteration_keeps_the_order_of_insertion(void **state) {
    (void)state;
    struct arena *a = arena_new();
    struct map *m = map_new(a);
    enum { n = 5000 };
    static int values[n];
    for (int i = 0; i < n; i++)
        map_put(m, arena_printf(a, "%d", i * 7919 % n), &values[i]);
    assert_int_equal(map_count(m), n);
    int i = 0;
    for (struct map_iter it = map_iter(m); map_next(&it); i++) {
        assert_int_equal(strtol(it.key, NULL, 10), i * 7919 % n);
        assert_ptr_equal(it.value, &values[i]);
        assert_ptr_equal(map_get(m, it.key), &values[i]);
    }
    assert_int_equal(i, n);
    struct map_iter none = map_iter(map_new(a));
    assert_false(map_next(&none));
    assert_false(map_next(&none));
    arena_free(a);
}

static void misspelt_names_find_the_one_that_was_meant(void **state) {
    (void)state;
    static const char *const names[] = {"dtr.join", "dtr.remove", "swarm.join", "needs", "if", "for_each", "unless"};
    static const struct {
        const char *word, *meant;
    } cases[] = {
        {"dtr.remvoe", "dtr.remove"}, /* two neighbours swapped */
        {"dtr.remve", "dtr.remove"},  /* one missing */
        {"dtr.removee", "dtr.remove"},
        {"drt.remvoe", "dtr.remove"},
        {"need", "needs"},
        {"foreach", "for_each"},
        {"fi", "if"},
        {"unles", "unless"},
        {"needs", "needs"},
        {"when", NULL},
        {"delete", NULL},
        {"", NULL},
        {"zzzzzzzzzz", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *near = nearest_name(cases[i].word, names, sizeof names / sizeof *names);
        if (!cases[i].meant) {
            if (near)
                fail_msg("'%s' found '%s'", cases[i].word, near);
        } else if (!near || strcmp(near, cases[i].meant) != 0) {
            fail_msg("'%s' found '%s', not '%s'", cases[i].word, near ? near : "nothing", cases[i].meant);
        }
    }
}

static void ties_go_to_the_earlier_name_and_nearer_ones_win(void **state) {
    (void)state;
    static const char *const tie[] = {"node1", "node2"};
    static const char *const nearer[] = {"titel_x", "title"};
    assert_string_equal(nearest_name("node3", tie, 2), "node1");
    assert_string_equal(nearest_name("titel", nearer, 2), "title");
    assert_null(nearest_name("x", NULL, 0));
}

static void very_long_words_are_no_names(void **state) {
    (void)state;
    char word[5000];
    memset(word, 'a', sizeof word - 1);
    word[sizeof word - 1] = 0;
    const char *const names[] = {word, "aaaa"};
    assert_null(nearest_name(word, names, 2));
    assert_string_equal(nearest_name("aaa", names, 2), "aaaa");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_put_is_found),
        cmocka_unit_test(a_second_value_replaces_the_first_in_its_place),
        cmocka_unit_test(keys_are_copied),
        cmocka_unit_test(iteration_keeps_the_order_of_insertion),
        cmocka_unit_test(misspelt_names_find_the_one_that_was_meant),
        cmocka_unit_test(ties_go_to_the_earlier_name_and_nearer_ones_win),
        cmocka_unit_test(very_long_words_are_no_names),
    };
    return cmocka_run_group_tests_name("map", tests, NULL, NULL);
}
