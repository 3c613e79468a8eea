/* The journal in a real etcd: in order, whole or not at all, one process at a time, and what happens when members go. */
#include "etcd_kit.h"
#include "store/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct lab {
    struct arena *a;
    struct err *err;
    struct loop *loop;
    char notes[2000];
    int confirmed, refused;
    char message[1200];
    int64_t patience_ms, lease_ms;
};

/* One etcd for all tests; each begins with all members running. */
static struct etcd_kit *kit;

static int begin(void **state) {
    (void)state;
    if (!etcd_kit_why_not())
        kit = etcd_kit_start(3);
    return 0;
}

static int end(void **state) {
    (void)state;
    if (kit)
        etcd_kit_stop(kit);
    return 0;
}

static int setup(void **state) {
    struct lab *lab = calloc(1, sizeof *lab);
    lab->a = arena_new();
    lab->err = err_new(lab->a);
    lab->loop = loop_new(clock_system());
    lab->patience_ms = 20000;
    *state = lab;
    return 0;
}

static int teardown(void **state) {
    struct lab *lab = *state;
    loop_free(lab->loop);
    arena_free(lab->a);
    free(lab);
    return 0;
}

static struct lab *lab_of(void **state) {
    if (!kit)
        skip();
    etcd_kit_all(kit);
    return *state;
}

static void on_note(void *ud, const char *text) {
    struct lab *lab = ud;
    const size_t n = strlen(lab->notes);
    snprintf(lab->notes + n, sizeof lab->notes - n, "%s\n", text);
}

static const char *errors(struct lab *lab) {
    struct buf b = BUF_INIT;
    err_render(lab->err, &b);
    const char *s = arena_strdup(lab->a, b.data);
    buf_done(&b);
    lab->err = err_new(lab->a);
    return s;
}

static struct store *open_url(struct lab *lab, const char *url) {
    struct store *s = NULL;
    const struct store_spec spec = {.url = url, .loop = lab->loop, .note = on_note, .note_ud = lab, .patience_ms = lab->patience_ms, .lease_ms = lab->lease_ms};
    if (!store_open_spec(lab->a, &spec, &s, lab->err))
        fail_msg("%s", errors(lab));
    return s;
}

static struct store *open_store(struct lab *lab) {
    return open_url(lab, etcd_kit_url(kit));
}

static void ok(struct lab *lab, bool held) {
    if (!held)
        fail_msg("%s", errors(lab));
}

static void on_done(void *ud, bool well, const char *message) {
    struct lab *lab = ud;
    well ? lab->confirmed++ : lab->refused++;
    snprintf(lab->message, sizeof lab->message, "%s", message ? message : "");
}

static void append_n(struct lab *lab, struct store *s, const char *run, const char *const *texts, size_t n) {
    const int before = lab->confirmed + lab->refused;
    s->ops->append(s, run, texts, n, on_done, lab);
    assert_int_equal(lab->confirmed + lab->refused, before); /* never from inside */
    while (lab->confirmed + lab->refused == before)
        assert_true(loop_once(lab->loop));
}

static void append(struct lab *lab, struct store *s, const char *run, const char *text) {
    append_n(lab, s, run, &text, 1);
}

/* All records, each behind a blank. */
static const char *content(struct lab *lab, struct store *s, const char *run) {
    struct store_record *records;
    size_t n;
    struct buf b = BUF_INIT;
    ok(lab, s->ops->read(s, run, lab->a, &records, &n, lab->err));
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(records[i].seq, i + 1);
        assert_int_equal(records[i].len, strlen(records[i].json));
        buf_printf(&b, "%s%s", i ? " " : "", records[i].json);
    }
    const char *text = arena_strdup(lab->a, b.data);
    buf_done(&b);
    return text;
}

/* ---- records ---- */

static void what_is_confirmed_is_read_back_in_order_by_others(void **state) {
    struct lab *lab = lab_of(state);
    struct store *s = open_store(lab);
    ok(lab, s->ops->create(s, "order", lab->err));
    const char *two[] = {"{\"n\":2}", "{\"n\":\"\xc3\xa9\"}"};
    append(lab, s, "order", "{\"n\":1}");
    append_n(lab, s, "order", two, 2);
    append(lab, s, "order", "{\"n\":4}");
    assert_int_equal(lab->confirmed, 4 - 1);
    s->ops->close(s);
    s = NULL;
    ok(lab, store_open_read(lab->a, etcd_kit_url(kit), mark_none(), &s, lab->err));
    assert_string_equal(content(lab, s, "order"), "{\"n\":1} {\"n\":2} {\"n\":\"\xc3\xa9\"} {\"n\":4}");
    assert_string_equal(content(lab, s, "no such run"), "");
    s->ops->close(s);
}

static void batches_are_written_in_the_order_of_the_calls(void **state) {
    struct lab *lab = lab_of(state);
    struct store *s = open_store(lab);
    ok(lab, s->ops->create(s, "calls", lab->err));
    struct buf want = BUF_INIT;
    for (int i = 0; i < 40; i++) {
        const char *text = arena_printf(lab->a, "{\"n\":%d}", i);
        buf_printf(&want, "%s%s", i ? " " : "", text);
        s->ops->append(s, "calls", &text, 1, on_done, lab);
    }
    while (lab->confirmed < 40)
        assert_true(loop_once(lab->loop));
    assert_string_equal(content(lab, s, "calls"), want.data);
    buf_done(&want);
    s->ops->close(s);
}

static void closing_waits_for_what_was_handed_in(void **state) {
    struct lab *lab = lab_of(state);
    struct store *s = open_store(lab);
    ok(lab, s->ops->create(s, "closing", lab->err));
    const char *text = "{}";
    s->ops->append(s, "closing", &text, 1, on_done, lab);
    s->ops->append(s, "closing", &text, 1, on_done, lab);
    s->ops->close(s);
    assert_int_equal(lab->confirmed, 2);
}

static void a_batch_larger_than_a_request_is_there_as_a_whole(void **state) {
    struct lab *lab = lab_of(state);
    struct store *s = open_store(lab);
    ok(lab, s->ops->create(s, "large", lab->err));
    enum { n = 300 };
    const char *texts[n];
    struct buf want = BUF_INIT;
    for (int i = 0; i < n; i++) { /* 300 records are more than --max-txn-ops, and one of them more than --max-request-bytes */
        struct buf b = BUF_INIT;
        buf_printf(&b, "{\"n\":%d,\"fill\":\"", i);
        buf_addrep(&b, 'x', i == 150 ? 3 << 20 : i % 7 ? 10 : 20000);
        buf_adds(&b, "\"}");
        texts[i] = arena_strndup(lab->a, b.data, b.len);
        buf_printf(&want, "%s%s", i ? " " : "", texts[i]);
        buf_done(&b);
    }
    append_n(lab, s, "large", texts, n);
    assert_string_equal(lab->message, "");
    append(lab, s, "large", "{}");
    buf_adds(&want, " {}");
    assert_true(!strcmp(content(lab, s, "large"), want.data));
    buf_done(&want);
    s->ops->close(s);
}

static void a_list_has_first_and_last_record_newest_first(void **state) {
    struct lab *lab = lab_of(state);
    struct store *s = open_url(lab, arena_printf(lab->a, "%s/a/prefix/of/its/own/", etcd_kit_url(kit)));
    struct store_run *runs;
    size_t n;
    for (int i = 0; i < 90; i++) {
        const char *id = arena_printf(lab->a, "run%d", i);
        ok(lab, s->ops->create(s, id, lab->err));
    }
    append(lab, s, "run7", "{\"n\":1}");
    append(lab, s, "run7", "{\"n\":2}");
    append(lab, s, "run7", "{\"n\":3}");
    ok(lab, s->ops->runs(s, lab->a, &runs, &n, lab->err));
    assert_int_equal(n, 90);
    assert_string_equal(runs[0].id, "run89");
    assert_null(runs[0].summary);
    assert_string_equal(runs[82].id, "run7");
    assert_string_equal(runs[82].summary, "{\"n\":1}");
    assert_string_equal(runs[82].last, "{\"n\":3}");
    assert_int_equal(runs[82].records, 3);
    s->ops->close(s);
}

static void a_run_is_made_once_and_takes_its_plan_or_is_not_made(void **state) {
    struct lab *lab = lab_of(state);
    struct store *s = open_store(lab);
    const char *taken;
    ok(lab, s->ops->plan_taken(s, "p1", lab->a, &taken, lab->err));
    assert_null(taken);
    ok(lab, s->ops->create_from(s, "planned", "p1", lab->err));
    assert_false(s->ops->create(s, "planned", lab->err));
    assert_non_null(strstr(errors(lab), "has a run 'planned' already [run-exists]"));
    assert_false(s->ops->create_from(s, "planned2", "p1", lab->err));
    assert_non_null(strstr(errors(lab), "the plan p1 was used by the run planned [plan-used]"));
    ok(lab, s->ops->create(s, "planned2", lab->err)); /* it was not made */
    ok(lab, s->ops->plan_taken(s, "p1", lab->a, &taken, lab->err));
    assert_string_equal(taken, "planned");
    append(lab, s, "nothing made it", "{}");
    assert_non_null(strstr(lab->message, "has no run 'nothing made it'"));
    s->ops->close(s);
}

/* ---- one process at a time ---- */

static void of_two_that_append_to_one_run_one_is_refused(void **state) {
    struct lab *lab = lab_of(state);
    struct store *s = open_store(lab), *t = open_store(lab);
    ok(lab, s->ops->create(s, "two", lab->err));
    append(lab, s, "two", "{\"by\":\"s\"}");
    content(lab, t, "two");
    append(lab, t, "two", "{\"by\":\"t\"}");
    assert_string_equal(lab->message, "");
    append(lab, s, "two", "{\"by\":\"s\"}");
    assert_non_null(strstr(lab->message, "another process has appended to the run two"));
    append(lab, s, "two", "{\"by\":\"s\"}"); /* nothing may follow what is missing */
    assert_int_equal(lab->refused, 2);
    assert_string_equal(content(lab, t, "two"), "{\"by\":\"s\"} {\"by\":\"t\"}");
    s->ops->close(s);
    t->ops->close(t);
}

static void a_run_is_held_by_one_and_the_other_is_told_by_whom(void **state) {
    struct lab *lab = lab_of(state);
    struct store *s = open_store(lab), *t = open_store(lab);
    const struct store_owner *by;
    ok(lab, s->ops->own(s, "held", lab->err));
    ok(lab, s->ops->own(s, "held", lab->err)); /* is so already */
    ok(lab, s->ops->create(s, "held", lab->err));
    assert_false(t->ops->own(t, "held", lab->err));
    const char *said = errors(lab);
    assert_non_null(strstr(said, "the run held is held by "));
    assert_non_null(strstr(said, arena_printf(lab->a, "process %ld, since 2", (long)getpid())));
    assert_non_null(strstr(said, "[run-held]"));
    ok(lab, t->ops->owner(t, "held", lab->a, &by, lab->err));
    assert_int_equal(by->pid, getpid());
    s->ops->disown(s, "held");
    ok(lab, t->ops->owner(t, "held", lab->a, &by, lab->err));
    assert_null(by);
    ok(lab, t->ops->own(t, "held", lab->err));
    t->ops->close(t); /* lets go of it, too */
    ok(lab, s->ops->own(s, "held", lab->err));
    s->ops->close(s);
}

/* A child that holds the run and says so. */
static pid_t child_that_holds(struct lab *lab, const char *run, int64_t lease_ms) {
    int said[2];
    assert_int_equal(pipe(said), 0);
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid) {
        char c = 0;
        close(said[1]);
        assert_int_equal(read(said[0], &c, 1), 1);
        assert_int_equal(c, 'y');
        close(said[0]);
        return pid;
    }
    struct store *s = NULL;
    const struct store_spec spec = {.url = etcd_kit_url(kit), .loop = loop_new(clock_system()), .lease_ms = lease_ms};
    const bool held = store_open_spec(lab->a, &spec, &s, lab->err) && s->ops->own(s, run, lab->err);
    if (write(said[1], held ? "y" : "n", 1) == 1)
        for (;;)
            pause();
    _exit(1);
}

static void a_holder_that_died_on_this_machine_is_followed_at_once(void **state) {
    struct lab *lab = lab_of(state);
    const pid_t pid = child_that_holds(lab, "died", 60000);
    struct store *s = open_store(lab);
    assert_false(s->ops->own(s, "died", lab->err));
    assert_non_null(strstr(errors(lab), arena_printf(lab->a, "process %ld, since 2", (long)pid)));
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    ok(lab, s->ops->own(s, "died", lab->err));
    s->ops->close(s);
}

static void a_holder_that_is_not_heard_of_is_followed_when_its_lease_is_over_and_can_append_nothing(void **state) {
    struct lab *lab = lab_of(state);
    lab->lease_ms = 1000;
    struct store *s = open_store(lab), *t = open_store(lab);
    ok(lab, s->ops->create(s, "cut", lab->err));
    const pid_t pid = child_that_holds(lab, "cut", 1000);
    kill(pid, SIGSTOP); /* as a machine that is cut off */
    int refusals = 0;
    while (!s->ops->own(s, "cut", lab->err)) {
        assert_non_null(strstr(errors(lab), "[run-held]"));
        refusals++;
        usleep(50000);
    }
    assert_true(refusals > 0);
    append(lab, s, "cut", "{}");
    assert_string_equal(lab->message, "");
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    s->ops->close(s);
    t->ops->close(t);
}

static void one_whose_lease_ran_out_goes_on_if_nobody_has_come(void **state) {
    struct lab *lab = lab_of(state);
    struct store *s = open_store(lab), *t = open_store(lab);
    ok(lab, s->ops->own(s, "slept", lab->err));
    ok(lab, s->ops->create(s, "slept", lab->err));
    append(lab, s, "slept", "{\"n\":1}");
    /* its lease is taken away, as if the machine had slept */
    const struct store_owner *by;
    assert_int_equal(system(arena_printf(lab->a, "ETCDCTL_API=3 etcdctl --endpoints %s lease list -w fields >/dev/null && for l in $(ETCDCTL_API=3 etcdctl --endpoints %s lease list | sed 1d); do "
                                                 "ETCDCTL_API=3 etcdctl --endpoints %s lease revoke $l >/dev/null; done",
                                         etcd_kit_member(kit, 0), etcd_kit_member(kit, 0), etcd_kit_member(kit, 0))),
                     0);
    ok(lab, t->ops->owner(t, "slept", lab->a, &by, lab->err));
    assert_null(by);
    append(lab, s, "slept", "{\"n\":2}");
    assert_string_equal(lab->message, "");
    ok(lab, t->ops->owner(t, "slept", lab->a, &by, lab->err));
    assert_non_null(by);
    s->ops->close(s);
    t->ops->close(t);
}

static void one_whose_run_was_taken_can_append_nothing_even_if_nothing_was_appended_since(void **state) {
    struct lab *lab = lab_of(state);
    struct store *s = open_store(lab), *t = open_store(lab);
    ok(lab, s->ops->own(s, "taken", lab->err));
    ok(lab, s->ops->create(s, "taken", lab->err));
    append(lab, s, "taken", "{\"n\":1}");
    assert_int_equal(system(arena_printf(lab->a, "for l in $(ETCDCTL_API=3 etcdctl --endpoints %s lease list | sed 1d); do ETCDCTL_API=3 etcdctl --endpoints %s lease revoke $l >/dev/null; done",
                                         etcd_kit_member(kit, 0), etcd_kit_member(kit, 0))),
                     0);
    ok(lab, t->ops->own(t, "taken", lab->err));
    append(lab, s, "taken", "{\"n\":2}");
    assert_non_null(strstr(lab->message, "is held by "));
    assert_non_null(strstr(lab->message, "this process may append nothing more to it"));
    assert_string_equal(content(lab, t, "taken"), "{\"n\":1}");
    s->ops->close(s);
    t->ops->close(t);
}

/* ---- members that go ---- */

static void one_of_three_may_die_and_that_is_one_line(void **state) {
    struct lab *lab = lab_of(state);
    struct store *s = open_store(lab);
    ok(lab, s->ops->own(s, "one-dies", lab->err));
    ok(lab, s->ops->create(s, "one-dies", lab->err));
    append(lab, s, "one-dies", "{\"n\":0}");
    etcd_kit_kill(kit, 0);
    for (int i = 1; i < 20; i++) {
        append(lab, s, "one-dies", arena_printf(lab->a, "{\"n\":%d}", i));
        assert_string_equal(lab->message, "");
    }
    const char *line = arena_printf(lab->a, "the journal's member %s is passed over: connection refused; 127.0.0.1:", etcd_kit_member(kit, 0));
    assert_memory_equal(lab->notes, line, strlen(line));
    assert_ptr_equal(strchr(lab->notes, '\n'), lab->notes + strlen(lab->notes) - 1);
    assert_int_equal(strlen(content(lab, s, "one-dies")), 10 * 8 + 10 * 9 - 1);
    s->ops->close(s);
}

static void a_frozen_member_is_passed_over_when_it_has_had_its_time(void **state) {
    struct lab *lab = lab_of(state);
    struct store *s = open_store(lab);
    ok(lab, s->ops->create(s, "frozen", lab->err));
    etcd_kit_freeze(kit, 0, true);
    append(lab, s, "frozen", "{\"n\":1}");
    assert_string_equal(lab->message, "");
    assert_non_null(strstr(lab->notes, "is passed over: "));
    append(lab, s, "frozen", "{\"n\":2}");
    etcd_kit_freeze(kit, 0, false);
    assert_string_equal(content(lab, s, "frozen"), "{\"n\":1} {\"n\":2}");
    s->ops->close(s);
}

static void without_a_majority_an_append_fails_in_time_and_nothing_confirmed_is_lost(void **state) {
    struct lab *lab = lab_of(state);
    lab->patience_ms = 2000;
    struct store *s = open_store(lab);
    ok(lab, s->ops->create(s, "minority", lab->err));
    append(lab, s, "minority", "{\"n\":1}");
    etcd_kit_kill(kit, 0);
    etcd_kit_kill(kit, 1);
    const int64_t since = loop_now(lab->loop);
    append(lab, s, "minority", "{\"n\":2}");
    assert_int_equal(lab->refused, 1);
    assert_true(loop_now(lab->loop) - since < 15000);
    assert_non_null(strstr(lab->message, "no majority of it answers: "));
    assert_non_null(strstr(lab->message, arena_printf(lab->a, "%s: connection refused", etcd_kit_member(kit, 0))));
    assert_non_null(strstr(lab->message, "whether the last 1 record arrived will be seen when it is back"));
    append(lab, s, "minority", "{\"n\":3}");
    assert_int_equal(lab->refused, 2);
    s->ops->close(s);
    etcd_kit_all(kit);
    s = open_store(lab);
    const char *is = content(lab, s, "minority");
    assert_true(!strcmp(is, "{\"n\":1}") || !strcmp(is, "{\"n\":1} {\"n\":2}"));
    append(lab, s, "minority", "{\"n\":4}");
    assert_string_equal(lab->message, "");
    s->ops->close(s);
}

static void nobody_there_is_told_by_each_question(void **state) {
    struct lab *lab = *state;
    lab->patience_ms = 300;
    struct store *s = open_url(lab, "etcd://127.0.0.1:1,127.0.0.1:2");
    struct store_run *runs;
    size_t n;
    assert_false(s->ops->runs(s, lab->a, &runs, &n, lab->err));
    assert_non_null(strstr(errors(lab), "cannot read the journal etcd://127.0.0.1:1,127.0.0.1:2: no majority of it answers: 127.0.0.1:1: connection refused; 127.0.0.1:2: connection refused [journal]"));
    assert_false(s->ops->create(s, "r", lab->err));
    assert_non_null(strstr(errors(lab), "cannot write the journal"));
    assert_false(s->ops->own(s, "r", lab->err));
    assert_non_null(strstr(errors(lab), "cannot hold the run in the journal"));
    s->ops->close(s);
}

static void a_url_is_checked(void **state) {
    struct lab *lab = *state;
    static const struct {
        const char *url, *why;
    } bad[] = {
        {"etcd://host", "'host' is not of the form HOST:PORT"},
        {"etcd://host:2379,", "'' is not of the form HOST:PORT"},
        {"etcd://host:0", "'host:0' is not of the form HOST:PORT"},
        {"etcd://host:70000", "is not of the form HOST:PORT"},
        {"etcd://ho st:1", "is not of the form HOST:PORT"},
        {"etcd://u@host:1", "is not of the form HOST:PORT"},
        {"etcd://::1:2379", "is not of the form HOST:PORT"},
        {"etcd:/host:1", "is no journal"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct store *s = NULL;
        assert_false(store_open(lab->a, lab->loop, bad[i].url, mark_none(), &s, lab->err));
        const char *said = errors(lab);
        if (!strstr(said, bad[i].why))
            fail_msg("%s: %s", bad[i].url, said);
    }
    struct store *s = NULL;
    const struct store_spec clear = {.url = "etcd://10.0.0.1:2379", .loop = lab->loop, .username = "u", .password = "secret"};
    assert_false(store_open_spec(lab->a, &clear, &s, lab->err));
    assert_non_null(strstr(errors(lab), "a password would go over the network in the clear"));
    assert_true(store_open(lab->a, lab->loop, "etcd://[::1]:2379,a.example:2379/x", mark_none(), &s, lab->err));
    s->ops->close(s);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    static const struct CMUnitTest tests[] = {
        T(a_url_is_checked),
        T(nobody_there_is_told_by_each_question),
        T(what_is_confirmed_is_read_back_in_order_by_others),
        T(batches_are_written_in_the_order_of_the_calls),
        T(closing_waits_for_what_was_handed_in),
        T(a_batch_larger_than_a_request_is_there_as_a_whole),
        T(a_list_has_first_and_last_record_newest_first),
        T(a_run_is_made_once_and_takes_its_plan_or_is_not_made),
        T(of_two_that_append_to_one_run_one_is_refused),
        T(a_run_is_held_by_one_and_the_other_is_told_by_whom),
        T(a_holder_that_died_on_this_machine_is_followed_at_once),
        T(a_holder_that_is_not_heard_of_is_followed_when_its_lease_is_over_and_can_append_nothing),
        T(one_whose_lease_ran_out_goes_on_if_nobody_has_come),
        T(one_whose_run_was_taken_can_append_nothing_even_if_nothing_was_appended_since),
        T(one_of_three_may_die_and_that_is_one_line),
        T(a_frozen_member_is_passed_over_when_it_has_had_its_time),
        T(without_a_majority_an_append_fails_in_time_and_nothing_confirmed_is_lost),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
