/* One loop: what runs when, and that nothing runs that should not. */
#include "base/arena.h"
#include "io/loop.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

struct bench {
    struct clock_virtual clock;
    struct loop *loop, *real;
    char log[256];
    int count;
};

static int setup(void **state) {
    struct bench *b = calloc(1, sizeof *b);
    clock_virtual_init(&b->clock, 1000000, 7);
    b->loop = loop_new(&b->clock.base);
    b->real = loop_new(clock_system());
    *state = b;
    return 0;
}

static int teardown(void **state) {
    struct bench *b = *state;
    if (b->loop)
        loop_free(b->loop);
    if (b->real)
        loop_free(b->real);
    free(b);
    return 0;
}

struct note {
    struct bench *b;
    const char *word;
};

static void say(void *ud) {
    const struct note *n = ud;
    const size_t len = strlen(n->b->log);
    snprintf(n->b->log + len, sizeof n->b->log - len, "%s", n->word);
}

static void count(void *ud) {
    ((struct bench *)ud)->count++;
}

/* ---- timers ---- */

static void timers_run_by_time_and_then_by_order_of_starting(void **state) {
    struct bench *b = *state;
    struct note a = {b, "a"}, c = {b, "c"}, d = {b, "d"}, e = {b, "e"};
    loop_timer(b->loop, 20, say, &c);
    loop_timer(b->loop, 10, say, &a);
    loop_timer(b->loop, 20, say, &d);
    loop_timer(b->loop, 30, say, &e);
    while (loop_once(b->loop)) {
    }
    assert_string_equal(b->log, "acde");
}

static void a_virtual_clock_jumps_to_the_next_timer(void **state) {
    struct bench *b = *state;
    const int64_t before = loop_now(b->loop);
    loop_timer(b->loop, 3600 * 1000, count, b);
    assert_true(loop_once(b->loop));
    assert_int_equal(b->count, 1);
    assert_int_equal(loop_now(b->loop) - before, 3600 * 1000);
    assert_int_equal(b->clock.base.wall_ms(&b->clock.base), 1000000 + 3600 * 1000);
}

static void a_real_clock_is_waited_for(void **state) {
    struct bench *b = *state;
    const int64_t before = loop_now(b->real);
    loop_timer(b->real, 30, count, b);
    assert_true(loop_once(b->real));
    assert_int_equal(b->count, 1);
    assert_true(loop_now(b->real) - before >= 30);
}

static void without_anything_under_way_a_turn_says_so(void **state) {
    struct bench *b = *state;
    assert_false(loop_once(b->loop));
    assert_false(loop_once(b->real));
    loop_timer_stop(b->loop, loop_timer(b->loop, 10, count, b));
    assert_false(loop_once(b->loop));
    assert_int_equal(b->count, 0);
}

static void again(void *ud) {
    struct bench *b = ud;
    if (++b->count < 3)
        loop_timer(b->loop, 0, again, b);
}

static void what_a_callback_starts_runs_in_the_next_turn(void **state) {
    struct bench *b = *state;
    loop_timer(b->loop, 0, again, b);
    for (int i = 1; i <= 3; i++) {
        assert_true(loop_once(b->loop));
        assert_int_equal(b->count, i);
    }
    assert_false(loop_once(b->loop));
}

static void stopping_a_timer_that_has_fired_stops_no_other(void **state) {
    struct bench *b = *state;
    const uint64_t first = loop_timer(b->loop, 1, count, b);
    loop_once(b->loop);
    const uint64_t second = loop_timer(b->loop, 1, count, b);
    assert_int_not_equal(first, second);
    loop_timer_stop(b->loop, first);
    loop_timer_stop(b->loop, 0);
    loop_timer_stop(b->loop, ~(uint64_t)0);
    assert_true(loop_once(b->loop));
    assert_int_equal(b->count, 2);
}

enum { many = 5000 };
struct shot {
    struct bench *b;
    int64_t due;
    uint64_t id;
    bool stopped, fired;
};

static int64_t last_due;

static void fire(void *ud) {
    struct shot *s = ud;
    assert_false(s->stopped);
    assert_false(s->fired);
    assert_true(s->due >= last_due);
    assert_int_equal(loop_now(s->b->loop), s->due);
    last_due = s->due;
    s->fired = true;
    s->b->count++;
}

static void thousands_of_timers_keep_their_order_while_others_are_stopped(void **state) {
    struct bench *b = *state;
    struct shot *shots = calloc(many, sizeof *shots);
    struct clock *c = &b->clock.base;
    int left = 0;
    last_due = 0;
    for (int i = 0; i < many; i++) {
        const int64_t ms = (int64_t)(c->random(c) % 1000);
        shots[i] = (struct shot){.b = b, .due = loop_now(b->loop) + ms};
        shots[i].id = loop_timer(b->loop, ms, fire, &shots[i]);
        struct shot *other = &shots[c->random(c) % (uint64_t)(i + 1)];
        if (i % 3 == 0) {
            loop_timer_stop(b->loop, other->id);
            other->stopped = true;
        }
    }
    for (int i = 0; i < many; i++)
        left += !shots[i].stopped;
    while (loop_once(b->loop)) {
    }
    assert_int_equal(b->count, left);
    free(shots);
}

/* ---- work, waking, signals ---- */

static void on_thread(void *ud) {
    ((struct bench *)ud)->count = 10;
}

static void work_is_done_elsewhere_and_told_here(void **state) {
    struct bench *b = *state;
    loop_work(b->loop, on_thread, count, b);
    while (loop_once(b->loop)) {
    }
    assert_int_equal(b->count, 11);
}

static void time_does_not_jump_while_work_is_under_way(void **state) {
    struct bench *b = *state;
    struct note late = {b, "late"};
    loop_timer(b->loop, 1000, say, &late);
    loop_work(b->loop, on_thread, count, b);
    const int64_t before = loop_now(b->loop);
    assert_true(loop_once(b->loop));
    assert_int_equal(b->count, 11);
    assert_int_equal(loop_now(b->loop), before);
    while (loop_once(b->loop)) {
    }
    assert_string_equal(b->log, "late");
}

static void wake(void *ud) {
    loop_wake(ud);
}

static void a_waiting_loop_is_woken_from_another_thread(void **state) {
    struct bench *b = *state;
    loop_hold(b->real);
    loop_work(b->loop, wake, count, b->real);
    assert_true(loop_once(b->real));
    loop_release(b->real);
    assert_false(loop_once(b->real));
    while (loop_once(b->loop)) {
    }
}

static void signal_came(void *ud, int signo) {
    ((struct bench *)ud)->count = signo;
}

static void signals_arrive_and_alone_do_not_keep_the_loop(void **state) {
    struct bench *b = *state;
    loop_signal(b->real, SIGUSR1, signal_came, b);
    assert_false(loop_once(b->real));
    loop_hold(b->real);
    raise(SIGUSR1);
    assert_true(loop_once(b->real));
    loop_release(b->real);
    assert_int_equal(b->count, SIGUSR1);
}

/* ---- descriptors ---- */

struct ends {
    struct bench *b;
    int fd[2];
    struct loop_fd *watch;
    unsigned came;
};

static void came(void *ud, unsigned events) {
    struct ends *e = ud;
    e->came |= events;
}

static void a_descriptor_is_watched_for_what_was_asked(void **state) {
    struct bench *b = *state;
    struct ends e = {.b = b};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, e.fd), 0);
    e.watch = loop_fd_watch(b->real, e.fd[0], LOOP_READ, came, &e);
    assert_int_equal(write(e.fd[1], "x", 1), 1);
    assert_true(loop_once(b->real));
    assert_int_equal(e.came, LOOP_READ);
    e.came = 0;
    loop_fd_change(e.watch, LOOP_WRITE);
    assert_true(loop_once(b->real));
    assert_int_equal(e.came, LOOP_WRITE);
    loop_fd_stop(e.watch);
    loop_fd_stop(NULL);
    close(e.fd[0]);
    close(e.fd[1]);
    assert_false(loop_once(b->real));
}

static void a_descriptor_can_be_closed_and_its_number_watched_again_at_once(void **state) {
    struct bench *b = *state;
    for (int i = 0; i < 3; i++) {
        struct ends e = {.b = b};
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, e.fd), 0);
        e.watch = loop_fd_watch(b->real, e.fd[0], LOOP_READ, came, &e);
        close(e.fd[1]);
        assert_true(loop_once(b->real));
        assert_true(e.came & LOOP_READ);
        loop_fd_stop(e.watch);
        close(e.fd[0]);
    }
    assert_false(loop_once(b->real));
}

static void an_error_of_a_descriptor_is_told_until_it_is_dealt_with(void **state) {
    struct bench *b = *state;
    struct ends e = {.b = b};
    assert_int_equal(pipe(e.fd), 0);
    close(e.fd[0]);
    e.watch = loop_fd_watch(b->real, e.fd[1], LOOP_WRITE, came, &e);
    for (int i = 0; i < 2; i++) {
        e.came = 0;
        assert_true(loop_once(b->real));
        assert_int_not_equal(e.came, 0);
    }
    loop_fd_stop(e.watch);
    close(e.fd[1]);
}

/* ---- the end ---- */

static void what_is_under_way_at_the_end_is_dropped_in_silence(void **state) {
    struct bench *b = *state;
    struct ends e = {.b = b};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, e.fd), 0);
    loop_fd_watch(b->real, e.fd[0], LOOP_READ, came, &e);
    assert_int_equal(write(e.fd[1], "x", 1), 1);
    loop_timer(b->real, 0, count, b);
    for (int i = 0; i < 20; i++)
        loop_work(b->real, wake, count, b->loop);
    struct note gone = {b, "gone"}, left = {b, "left"};
    struct loop_guest stays = {.gone = say, .ud = &gone}, goes = {.gone = say, .ud = &left};
    loop_join(b->real, &stays);
    loop_join(b->real, &goes);
    loop_leave(b->real, &goes);
    loop_free(b->real);
    b->real = NULL;
    assert_int_equal(b->count, 0);
    assert_int_equal(e.came, 0);
    assert_string_equal(b->log, "gone");
    close(e.fd[0]);
    close(e.fd[1]);
}

#define test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        test(timers_run_by_time_and_then_by_order_of_starting),
        test(a_virtual_clock_jumps_to_the_next_timer),
        test(a_real_clock_is_waited_for),
        test(without_anything_under_way_a_turn_says_so),
        test(what_a_callback_starts_runs_in_the_next_turn),
        test(stopping_a_timer_that_has_fired_stops_no_other),
        test(thousands_of_timers_keep_their_order_while_others_are_stopped),
        test(work_is_done_elsewhere_and_told_here),
        test(time_does_not_jump_while_work_is_under_way),
        test(a_waiting_loop_is_woken_from_another_thread),
        test(signals_arrive_and_alone_do_not_keep_the_loop),
        test(a_descriptor_is_watched_for_what_was_asked),
        test(a_descriptor_can_be_closed_and_its_number_watched_again_at_once),
        test(an_error_of_a_descriptor_is_told_until_it_is_dealt_with),
        test(what_is_under_way_at_the_end_is_dropped_in_silence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
