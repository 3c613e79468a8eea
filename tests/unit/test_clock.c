/* Time and chance: the real ones behave, the virtual ones are exact, and durations are read as they are written. */
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void durations_are_read(void **state) {
    (void)state;
    static const struct {
        const char *s;
        int64_t ms;
    } cases[] = {
        {"0s", 0},       {"500ms", 500},     {"30s", 30000},           {"5m", 300000}, {"2h", 7200000}, {"1h30m", 5400000},
        {"1m1ms", 60001}, {"1h1m1s1ms", 3661001}, {"90m", 5400000}, {"007s", 7000},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t ms = -1;
        if (!duration_parse(cases[i].s, &ms) || ms != cases[i].ms)
            fail_msg("%s was read as %lld", cases[i].s, (long long)ms);
    }
}

static void what_is_no_duration_is_refused_and_leaves_the_result_alone(void **state) {
    (void)state;
    static const char *const cases[] = {"",     "5",   "m",    "5 m",  " 5m",  "5m ",  "-5m",  "+5m", "5d",  "5min",
                                        "5M",   "30m1h", "5m5m", "5s1m", "1,5s", "5mm", "0x5s", "5m1", "\xc2\xb5s", "99999999999999999999h",
                                        "9999999999999h", "5mss"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t ms = 77;
        if (duration_parse(cases[i], &ms))
            fail_msg("'%s' was read as %lld", cases[i], (long long)ms);
        assert_int_equal(ms, 77);
    }
}

static void durations_are_printed_for_people(void **state) {
    (void)state;
    static const struct {
        int64_t ms;
        const char *s;
    } cases[] = {
        {0, "0ms"},      {999, "999ms"},   {1000, "1s"},        {1500, "1.5s"},     {59999, "59.9s"},    {60000, "1m"},
        {90000, "1m30s"}, {120000, "2m"}, {3600000, "1h"}, {3900000, "1h5m"}, {3605000, "1h5s"}, {90061000, "25h1m1s"}, {-5, "0ms"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf b = BUF_INIT;
        duration_print(&b, cases[i].ms);
        assert_string_equal(b.data, cases[i].s);
        buf_done(&b);
    }
}

static void times_are_printed_in_utc(void **state) {
    (void)state;
    static const struct {
        int64_t ms;
        const char *s;
    } cases[] = {
        {0, "1970-01-01T00:00:00Z"},
        {1772366400000, "2026-03-01T12:00:00Z"},
        {1772366400999, "2026-03-01T12:00:00Z"},
        {951782400000, "2000-02-29T00:00:00Z"},
        {4102444799000, "2099-12-31T23:59:59Z"},
    };
    setenv("TZ", "America/New_York", 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf b = BUF_INIT;
        time_print(&b, cases[i].ms);
        assert_string_equal(b.data, cases[i].s);
        buf_done(&b);
    }
}

static void a_virtual_clock_moves_only_when_told(void **state) {
    (void)state;
    struct clock_virtual v;
    clock_virtual_init(&v, 1000000, 1);
    struct clock *c = &v.base;
    assert_int_equal(c->mono_ms(c), 0);
    assert_int_equal(c->wall_ms(c), 1000000);
    assert_int_equal(c->wall_ms(c), 1000000);
    v.mono += 50;
    v.wall += 60;
    assert_int_equal(c->mono_ms(c), 50);
    assert_int_equal(c->wall_ms(c), 1000060);
}

static void the_same_seed_gives_the_same_chance(void **state) {
    (void)state;
    struct clock_virtual a, b, other;
    clock_virtual_init(&a, 0, 0);
    clock_virtual_init(&b, 5, 0);
    clock_virtual_init(&other, 0, 1);
    uint64_t last = 0;
    for (int i = 0; i < 1000; i++) {
        const uint64_t x = a.base.random(&a.base);
        assert_true(x == b.base.random(&b.base));
        assert_true(x != other.base.random(&other.base));
        assert_true(x != last);
        last = x;
    }
}

static void the_system_clock_does_not_go_back(void **state) {
    (void)state;
    struct clock *c = clock_system();
    int64_t last = c->mono_ms(c);
    for (int i = 0; i < 1000; i++) {
        const int64_t now = c->mono_ms(c);
        assert_true(now >= last);
        last = now;
    }
    assert_true(c->wall_ms(c) > 1700000000000);
    assert_true(c->random(c) != c->random(c));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_are_read),
        cmocka_unit_test(what_is_no_duration_is_refused_and_leaves_the_result_alone),
        cmocka_unit_test(durations_are_printed_for_people),
        cmocka_unit_test(times_are_printed_in_utc),
        cmocka_unit_test(a_virtual_clock_moves_only_when_told),
        cmocka_unit_test(the_same_seed_gives_the_same_chance),
        cmocka_unit_test(the_system_clock_does_not_go_back),
    };
    return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
