/* What could not be appended: kept in order, synced, private, and brought back into the journal once. And runs as files. */
#include "store/move.h"
#include "store/spool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct lab {
    struct arena *a;
    struct err *err;
    struct loop *loop;
    char dir[64];
    struct store *store;
};

static int setup(void **state) {
    struct lab *lab = calloc(1, sizeof *lab);
    lab->a = arena_new();
    lab->err = err_new(lab->a);
    lab->loop = loop_new(clock_system());
    strcpy(lab->dir, "/tmp/quorate-spool-XXXXXX");
    assert_non_null(mkdtemp(lab->dir));
    setenv("XDG_STATE_HOME", lab->dir, 1);
    *state = lab;
    return 0;
}

static int teardown(void **state) {
    struct lab *lab = *state;
    if (lab->store)
        lab->store->ops->close(lab->store);
    loop_free(lab->loop);
    char cmd[128];
    snprintf(cmd, sizeof cmd, "rm -rf %s", lab->dir);
    assert_int_equal(system(cmd), 0);
    arena_free(lab->a);
    free(lab);
    return 0;
}

static const char *errors(struct lab *lab) {
    struct buf b = BUF_INIT;
    err_render(lab->err, &b);
    const char *s = arena_strdup(lab->a, b.data);
    buf_done(&b);
    lab->err = err_new(lab->a);
    return s;
}

static void ok(struct lab *lab, bool held) {
    if (!held)
        fail_msg("%s", errors(lab));
}

static struct store *another(struct lab *lab) {
    struct store *s = NULL;
    ok(lab, store_open(lab->a, lab->loop, store_default_url(lab->a), mark_none(), &s, lab->err));
    return s;
}

/* A journal whose run "r" has n records {"n":1}, … */
static struct store *journal(struct lab *lab, int n) {
    struct store *s = lab->store = another(lab);
    ok(lab, s->ops->create(s, "r", lab->err));
    for (int i = 1; i <= n; i++) {
        const char *text = arena_printf(lab->a, "{\"n\":%d}", i);
        ok(lab, store_append_wait(s, "r", &text, 1, lab->err));
    }
    return s;
}

static const char *content(struct lab *lab) {
    struct store_record *records;
    size_t n;
    struct buf b = BUF_INIT;
    ok(lab, lab->store->ops->read(lab->store, "r", lab->a, &records, &n, lab->err));
    for (size_t i = 0; i < n; i++)
        buf_printf(&b, "%s%s", i ? " " : "", records[i].json);
    const char *text = arena_strdup(lab->a, b.data);
    buf_done(&b);
    return text;
}

static const char *const three_four[] = {"{\"n\":3}", "{\"n\": 4 }"}, *const five[] = {"{\"n\":5}"};

/* ---- the spool ---- */

static void what_was_kept_goes_into_the_journal_once_and_byte_by_byte(void **state) {
    struct lab *lab = *state;
    struct stat st;
    size_t n;
    journal(lab, 2);
    ok(lab, spool_write("r", 2, three_four, 2, lab->err));
    ok(lab, spool_write("r", 4, five, 1, lab->err));
    assert_int_equal(stat(spool_path(lab->a, "r"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    ok(lab, spool_reconcile(lab->store, "r", &n, lab->err));
    assert_int_equal(n, 3);
    assert_string_equal(content(lab), "{\"n\":1} {\"n\":2} {\"n\":3} {\"n\": 4 } {\"n\":5}");
    assert_int_equal(access(spool_path(lab->a, "r"), F_OK), -1);
    ok(lab, spool_reconcile(lab->store, "r", &n, lab->err));
    assert_int_equal(n, 0);
}

static void records_that_had_arrived_after_all_are_not_appended_again(void **state) {
    struct lab *lab = *state;
    size_t n;
    journal(lab, 3); /* the third had no answer */
    ok(lab, spool_write("r", 2, three_four, 2, lab->err));
    ok(lab, spool_reconcile(lab->store, "r", &n, lab->err));
    assert_int_equal(n, 1);
    assert_string_equal(content(lab), "{\"n\":1} {\"n\":2} {\"n\":3} {\"n\": 4 }");
}

static void a_journal_that_has_gone_on_otherwise_is_left_alone_and_so_is_the_file(void **state) {
    struct lab *lab = *state;
    size_t n;
    static const char *const other[] = {"{\"other\":3}"};
    journal(lab, 2);
    ok(lab, store_append_wait(lab->store, "r", other, 1, lab->err));
    ok(lab, spool_write("r", 2, three_four, 2, lab->err));
    assert_false(spool_reconcile(lab->store, "r", &n, lab->err));
    assert_non_null(strstr(errors(lab), "the run r has gone on in the journal without what happened here [spool-conflict]"));
    assert_string_equal(content(lab), "{\"n\":1} {\"n\":2} {\"other\":3}");
    assert_int_equal(access(spool_path(lab->a, "r"), F_OK), 0);
}

static void a_journal_that_has_gone_on_past_the_end_or_lost_records_is_told_apart(void **state) {
    struct lab *lab = *state;
    size_t n;
    journal(lab, 3);
    ok(lab, spool_write("r", 1, (const char *[]){"{\"n\":2}"}, 1, lab->err));
    assert_false(spool_reconcile(lab->store, "r", &n, lab->err));
    assert_non_null(strstr(errors(lab), "has gone on in the journal since [spool-conflict]"));
    assert_int_equal(remove(spool_path(lab->a, "r")), 0);
    ok(lab, spool_write("r", 7, five, 1, lab->err));
    assert_false(spool_reconcile(lab->store, "r", &n, lab->err));
    assert_non_null(strstr(errors(lab), "has fewer records in the journal than it had when the journal was lost [spool-conflict]"));
}

static void a_line_that_was_not_written_to_its_end_does_not_count(void **state) {
    struct lab *lab = *state;
    const char **records;
    int64_t after;
    size_t n;
    ok(lab, spool_write("r", 2, three_four, 2, lab->err));
    assert_int_equal(truncate(spool_path(lab->a, "r"), 40), 0);
    ok(lab, spool_read("r", lab->a, &after, &records, &n, lab->err));
    assert_int_equal(n, 1);
    assert_int_equal(after, 2);
    ok(lab, spool_write("r", 3, (const char *[]){"{\"n\":\"four\"}"}, 1, lab->err)); /* in its place */
    ok(lab, spool_read("r", lab->a, &after, &records, &n, lab->err));
    assert_int_equal(n, 2);
    assert_string_equal(records[0], "{\"n\":3}");
    assert_string_equal(records[1], "{\"n\":\"four\"}");
}

static void what_does_not_follow_or_is_no_record_is_refused(void **state) {
    struct lab *lab = *state;
    size_t n;
    ok(lab, spool_write("r", 2, three_four, 2, lab->err));
    assert_false(spool_write("r", 9, five, 1, lab->err));
    assert_non_null(strstr(errors(lab), "has records of the same run that do not go before these [spool]"));
    FILE *f = fopen(spool_path(lab->a, "r"), "a");
    fputs("garbage\n", f);
    fclose(f);
    journal(lab, 2);
    assert_false(spool_reconcile(lab->store, "r", &n, lab->err));
    assert_non_null(strstr(errors(lab), "has a line that is no record [spool]"));
}

static void a_name_that_leads_elsewhere_is_none(void **state) {
    struct lab *lab = *state;
    assert_false(spool_write("../r", 0, five, 1, lab->err));
    assert_non_null(strstr(errors(lab), "'../r' is no name of a run [spool]"));
    assert_false(store_is_run_id(".hidden"));
    assert_false(store_is_run_id("-x"));
    assert_false(store_is_run_id(""));
    assert_false(store_is_run_id("a b"));
    assert_true(store_is_run_id("20260301-120000-0a1b"));
}

/* ---- holding ---- */

static void a_run_in_a_file_is_held_by_one_and_free_when_its_holder_dies(void **state) {
    struct lab *lab = *state;
    struct store *s = journal(lab, 0);
    const struct store_owner *by;
    int said[2];
    assert_int_equal(pipe(said), 0);
    const pid_t pid = fork();
    if (pid == 0) {
        struct store *t = another(lab);
        const bool held = t->ops->own(t, "r", lab->err);
        if (write(said[1], held ? "y" : "n", 1) == 1)
            for (;;)
                pause();
        _exit(1);
    }
    char c = 0;
    assert_int_equal(read(said[0], &c, 1), 1);
    assert_int_equal(c, 'y');
    assert_false(s->ops->own(s, "r", lab->err));
    const char *told = errors(lab);
    assert_non_null(strstr(told, arena_printf(lab->a, "process %ld, since 2", (long)pid)));
    assert_non_null(strstr(told, "[run-held]"));
    ok(lab, s->ops->owner(s, "r", lab->a, &by, lab->err));
    assert_int_equal(by->pid, pid);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    ok(lab, s->ops->owner(s, "r", lab->a, &by, lab->err));
    assert_null(by);
    ok(lab, s->ops->own(s, "r", lab->err));
    struct store *t = another(lab);
    assert_false(t->ops->own(t, "r", lab->err)); /* also within one process */
    errors(lab);
    s->ops->disown(s, "r");
    ok(lab, t->ops->own(t, "r", lab->err));
    t->ops->close(t);
    ok(lab, s->ops->own(s, "r", lab->err));
    close(said[0]);
    close(said[1]);
}

/* ---- runs as files ---- */

static const char *exported(struct lab *lab, const char *const *records, size_t n) {
    struct buf b = BUF_INIT;
    move_print("r1", records, n, &b);
    const char *s = arena_strdup(lab->a, b.data);
    buf_done(&b);
    return s;
}

static void what_is_exported_is_read_back_byte_by_byte(void **state) {
    struct lab *lab = *state;
    struct moved m;
    const char *text = exported(lab, three_four, 2);
    ok(lab, move_parse(lab->a, source_new(lab->a, "f", text, strlen(text)), &m, lab->err));
    assert_string_equal(m.run_id, "r1");
    assert_int_equal(m.n, 2);
    assert_string_equal(exported(lab, m.records, m.n), text);
}

static void each_cut_and_each_changed_byte_is_found(void **state) {
    struct lab *lab = *state;
    struct moved m;
    const char *text = exported(lab, three_four, 2);
    const size_t len = strlen(text);
    for (size_t i = 0; i < len; i++) {
        char *changed = arena_strdup(lab->a, text);
        changed[i] ^= 1;
        if (move_parse(lab->a, source_new(lab->a, "f", changed, len), &m, lab->err))
            fail_msg("byte %zu changed: %s", i, changed);
        if (move_parse(lab->a, source_new(lab->a, "f", text, i), &m, lab->err))
            fail_msg("cut after %zu bytes", i);
        errors(lab);
    }
    text = arena_printf(lab->a, "%s\n", text);
    assert_false(move_parse(lab->a, source_new(lab->a, "f", text, len + 1), &m, lab->err));
    assert_non_null(strstr(errors(lab), "something follows the line with the checksum"));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    static const struct CMUnitTest tests[] = {
        T(what_was_kept_goes_into_the_journal_once_and_byte_by_byte),
        T(records_that_had_arrived_after_all_are_not_appended_again),
        T(a_journal_that_has_gone_on_otherwise_is_left_alone_and_so_is_the_file),
        T(a_journal_that_has_gone_on_past_the_end_or_lost_records_is_told_apart),
        T(a_line_that_was_not_written_to_its_end_does_not_count),
        T(what_does_not_follow_or_is_no_record_is_refused),
        T(a_name_that_leads_elsewhere_is_none),
        T(a_run_in_a_file_is_held_by_one_and_free_when_its_holder_dies),
        T(what_is_exported_is_read_back_byte_by_byte),
        T(each_cut_and_each_changed_byte_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
