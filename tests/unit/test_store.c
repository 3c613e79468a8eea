/* The journal: in order, whole or not at all, there after the process is gone, and never made by looking at it. */
#include "io/loop.h"
#include "store/store.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

struct lab {
    struct arena *a;
    struct err *err;
    struct loop *loop, *inherited; /* a child has a loop of its own */
    char dir[64], path[128], url[160];
    int confirmed, refused;
    char message[600];
    char order[64]; /* of the confirmations */
    size_t norder;
};

static int setup(void **state) {
    struct lab *lab = calloc(1, sizeof *lab);
    lab->a = arena_new();
    lab->err = err_new(lab->a);
    lab->loop = loop_new(clock_system());
    strcpy(lab->dir, "/tmp/quorate-store-XXXXXX");
    assert_non_null(mkdtemp(lab->dir));
    snprintf(lab->path, sizeof lab->path, "%s/new/folder/journal.db", lab->dir);
    snprintf(lab->url, sizeof lab->url, "sqlite:%s", lab->path);
    *state = lab;
    return 0;
}

static int teardown(void **state) {
    struct lab *lab = *state;
    loop_free(lab->loop);
    static const char *const files[] = {"new/folder/journal.db", "new/folder/journal.db-wal", "new/folder/journal.db-shm", "new/folder", "new", "other.db"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        remove(arena_printf(lab->a, "%s/%s", lab->dir, files[i]));
    assert_int_equal(rmdir(lab->dir), 0);
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

static void assert_has(const char *text, const char *words) {
    if (!strstr(text, words))
        fail_msg("'%s' is not in:\n%s", words, text);
}

static void child_loop(struct lab *lab) {
    lab->inherited = lab->loop;
    lab->loop = loop_new(clock_system());
}

static struct store *open_store(struct lab *lab) {
    struct store *s = NULL;
    if (!store_open(lab->a, lab->loop, lab->url, mark_none(), &s, lab->err))
        fail_msg("%s", errors(lab));
    return s;
}

static struct store *with_run(struct lab *lab, const char *id) {
    struct store *s = open_store(lab);
    if (!s->ops->create(s, id, lab->err))
        fail_msg("%s", errors(lab));
    return s;
}

static void on_done(void *ud, bool ok, const char *message) {
    struct lab *lab = ud;
    if (ok)
        lab->confirmed++;
    else {
        lab->refused++;
        snprintf(lab->message, sizeof lab->message, "%s", message);
    }
}

static void append(struct lab *lab, struct store *s, const char *run, const char *one, const char *two) {
    const char *texts[] = {one, two};
    s->ops->append(s, run, texts, two ? 2 : 1, on_done, lab);
}

static void settle(struct lab *lab, int n) {
    while (lab->confirmed + lab->refused < n)
        assert_true(loop_once(lab->loop));
}

static void assert_records(struct lab *lab, struct store *s, const char *run, const char *joined) {
    struct store_record *r;
    size_t n;
    if (!s->ops->read(s, run, lab->a, &r, &n, lab->err))
        fail_msg("%s", errors(lab));
    struct buf b = BUF_INIT;
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(r[i].seq, i + 1);
        assert_int_equal(r[i].len, strlen(r[i].json));
        buf_printf(&b, "%s ", r[i].json);
    }
    assert_string_equal(b.data, joined);
    buf_done(&b);
}

/* ---- appending ---- */

static void records_come_back_in_the_order_of_the_calls(void **state) {
    struct lab *lab = *state;
    struct store *s = with_run(lab, "r");
    struct buf want = BUF_INIT;
    for (int i = 0; i < 200; i++) {
        append(lab, s, "r", arena_printf(lab->a, "{\"i\":%d}", i), i % 3 ? NULL : "{}");
        buf_printf(&want, "{\"i\":%d} %s", i, i % 3 ? "" : "{} ");
    }
    assert_int_equal(lab->confirmed, 0); /* never from inside the call */
    settle(lab, 200);
    assert_int_equal(lab->confirmed, 200);
    assert_records(lab, s, "r", want.data);
    buf_done(&want);
    s->ops->close(s);
}

static void on_first(void *ud, bool ok, const char *message) {
    struct lab *lab = ud;
    on_done(ud, ok, message);
    lab->order[lab->norder++] = '1';
}

static void on_second(void *ud, bool ok, const char *message) {
    struct lab *lab = ud;
    on_done(ud, ok, message);
    lab->order[lab->norder++] = '2';
}

static void confirmations_come_in_the_order_of_the_calls(void **state) {
    struct lab *lab = *state;
    struct store *s = with_run(lab, "r");
    const char *text = "{}";
    for (int i = 0; i < 10; i++)
        s->ops->append(s, "r", &text, 1, i % 2 ? on_second : on_first, lab);
    settle(lab, 10);
    assert_string_equal(lab->order, "1212121212");
    s->ops->close(s);
}

static void what_was_confirmed_is_there_when_opened_again(void **state) {
    struct lab *lab = *state;
    struct store *s = with_run(lab, "r");
    append(lab, s, "r", "{\"a\":1}", "{\"b\":2}");
    settle(lab, 1);
    s->ops->close(s);
    s = open_store(lab);
    append(lab, s, "r", "{\"c\":3}", NULL);
    settle(lab, 2);
    s->ops->close(s);
    assert_true(store_open_read(lab->a, lab->url, mark_none(), &s, lab->err));
    assert_records(lab, s, "r", "{\"a\":1} {\"b\":2} {\"c\":3} ");
    s->ops->close(s);
}

static void closing_writes_what_was_handed_in(void **state) {
    struct lab *lab = *state;
    struct store *s = with_run(lab, "r");
    append(lab, s, "r", "1", NULL);
    append(lab, s, "r", "2", NULL);
    s->ops->close(s);
    assert_int_equal(lab->confirmed, 2);
    s = open_store(lab);
    assert_records(lab, s, "r", "1 2 ");
    s->ops->close(s);
}

static void a_batch_is_there_whole_or_not_at_all(void **state) {
    struct lab *lab = *state;
    struct store *s = with_run(lab, "r");
    append(lab, s, "r", "1", NULL);
    settle(lab, 1);
    /* another hand makes the second record of the next batch impossible */
    sqlite3 *db;
    assert_int_equal(sqlite3_open(lab->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "CREATE TRIGGER t BEFORE INSERT ON records WHEN NEW.json = 'bad' BEGIN SELECT RAISE(ABORT, 'not that'); END", NULL,
                                  NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    append(lab, s, "r", "2", "bad");
    settle(lab, 2);
    assert_int_equal(lab->refused, 1);
    assert_has(lab->message, "not that");
    assert_has(lab->message, lab->path);
    assert_records(lab, s, "r", "1 ");
    s->ops->close(s);
}

static void nothing_follows_what_is_missing(void **state) {
    struct lab *lab = *state;
    struct store *s = with_run(lab, "r");
    append(lab, s, "no such run", "1", NULL);
    settle(lab, 1);
    append(lab, s, "r", "2", NULL);
    settle(lab, 2);
    assert_int_equal(lab->refused, 2);
    assert_records(lab, s, "r", "");
    s->ops->close(s);
}

static void a_run_is_created_once(void **state) {
    struct lab *lab = *state;
    struct store *s = with_run(lab, "r");
    assert_false(s->ops->create(s, "r", lab->err));
    assert_string_equal(lab->err->first->code, "run-exists");
    s->ops->close(s);
}

static void creating_does_not_get_into_a_commit_under_way(void **state) {
    struct lab *lab = *state;
    struct store *s = with_run(lab, "r");
    append(lab, s, "no such run", "1", NULL); /* will be rolled back */
    assert_true(s->ops->create(s, "r2", lab->err));
    settle(lab, 1);
    assert_false(s->ops->create(s, "r2", lab->err));
    s->ops->close(s);
}

static void runs_are_listed_newest_first(void **state) {
    struct lab *lab = *state;
    struct store *s = with_run(lab, "a");
    assert_true(s->ops->create(s, "b", lab->err));
    append(lab, s, "a", "\"first\"", "\"middle\"");
    append(lab, s, "a", "\"last\"", NULL);
    settle(lab, 2);
    struct store_run *runs;
    size_t n;
    assert_true(s->ops->runs(s, lab->a, &runs, &n, lab->err));
    assert_int_equal(n, 2);
    assert_string_equal(runs[0].id, "b");
    assert_null(runs[0].summary);
    assert_string_equal(runs[1].id, "a");
    assert_string_equal(runs[1].summary, "\"first\"");
    assert_string_equal(runs[1].last, "\"last\"");
    assert_int_equal(runs[1].records, 3);
    s->ops->close(s);
}

static void a_rehearsal_keeps_its_journal_in_memory(void **state) {
    struct lab *lab = *state;
    static const char *const urls[] = {"sqlite::memory:", "sqlite:file::memory:"};
    for (int i = 0; i < 2; i++) {
        snprintf(lab->url, sizeof lab->url, "%s", urls[i]);
        struct clock_virtual clock;
        clock_virtual_init(&clock, 0, 1);
        struct loop *real = lab->loop;
        lab->loop = loop_new(&clock.base);
        struct store *s = with_run(lab, "r");
        append(lab, s, "r", "1", NULL);
        append(lab, s, "r", "2", NULL);
        settle(lab, 2 * i + 2);
        assert_int_equal(lab->confirmed, 2 * i + 2);
        assert_records(lab, s, "r", "1 2 ");
        s->ops->close(s);
        loop_free(lab->loop);
        lab->loop = real;
        assert_true(access("file::memory:", F_OK) != 0);
    }
}

/* ---- several processes ---- */

static void child_writes(struct lab *lab, const char *run) {
    child_loop(lab);
    struct store *s = with_run(lab, run);
    for (int i = 0; i < 50; i++) {
        append(lab, s, run, arena_printf(lab->a, "\"%s%d\"", run, i), NULL);
        settle(lab, i + 1);
    }
    s->ops->close(s);
    _exit(lab->confirmed == 50 ? 0 : 1);
}

static void two_processes_write_at_once(void **state) {
    struct lab *lab = *state;
    pid_t pids[2];
    for (int i = 0; i < 2; i++) {
        pids[i] = fork();
        assert_true(pids[i] >= 0);
        if (!pids[i])
            child_writes(lab, i ? "b" : "a");
    }
    for (int i = 0; i < 2; i++) {
        int status;
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_int_equal(status, 0);
    }
    struct store *s;
    assert_true(store_open_read(lab->a, lab->url, mark_none(), &s, lab->err));
    for (int i = 0; i < 2; i++) {
        struct store_record *r;
        size_t n;
        assert_true(s->ops->read(s, i ? "b" : "a", lab->a, &r, &n, lab->err));
        assert_int_equal(n, 50);
        for (size_t k = 0; k < n; k++)
            assert_string_equal(r[k].json, arena_printf(lab->a, "\"%s%zu\"", i ? "b" : "a", k));
    }
    s->ops->close(s);
}

static void what_was_confirmed_survives_a_kill(void **state) {
    struct lab *lab = *state;
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (!pid) {
        child_loop(lab);
        struct store *s = with_run(lab, "r");
        append(lab, s, "r", "1", "2");
        settle(lab, 1);
        kill(getpid(), SIGKILL);
    }
    int status;
    waitpid(pid, &status, 0);
    assert_true(WIFSIGNALED(status));
    struct store *s = open_store(lab);
    assert_records(lab, s, "r", "1 2 ");
    s->ops->close(s);
}

static void a_full_disk_is_told_with_the_path_and_what_to_do(void **state) {
    struct lab *lab = *state;
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (!pid) {
        child_loop(lab);
        struct store *s = with_run(lab, "r");
        append(lab, s, "r", "1", NULL);
        settle(lab, 1);
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &(struct rlimit){200000, 200000});
        char *big = malloc(1000001);
        memset(big, 'x', 1000000);
        big[1000000] = 0;
        append(lab, s, "r", big, NULL);
        settle(lab, 2);
        free(big);
        const bool ok = lab->refused == 1 && strstr(lab->message, lab->path) && strstr(lab->message, "disk full");
        if (!ok)
            fprintf(stderr, "%s\n", lab->message);
        _exit(ok ? 0 : 1);
    }
    int status;
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
    struct store *s = open_store(lab);
    assert_records(lab, s, "r", "1 ");
    s->ops->close(s);
}

/* ---- opening ---- */

static void only_its_owner_can_read_it(void **state) {
    struct lab *lab = *state;
    struct store *s = with_run(lab, "r");
    struct stat st;
    assert_int_equal(stat(lab->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(stat(arena_printf(lab->a, "%s-wal", lab->path), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(stat(arena_printf(lab->a, "%s/new", lab->dir), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    s->ops->close(s);
}

static void reading_never_creates_anything(void **state) {
    struct lab *lab = *state;
    struct store *s = (struct store *)lab;
    assert_true(store_open_read(lab->a, lab->url, mark_none(), &s, lab->err));
    assert_null(s);
    assert_true(access(arena_printf(lab->a, "%s/new", lab->dir), F_OK) != 0);
    assert_true(store_open_read(lab->a, "sqlite::memory:", mark_none(), &s, lab->err));
    assert_null(s);
}

static void an_empty_file_is_no_journal_yet(void **state) {
    struct lab *lab = *state;
    const char *path = arena_printf(lab->a, "%s/other.db", lab->dir);
    fclose(fopen(path, "w"));
    snprintf(lab->url, sizeof lab->url, "sqlite:%s", path);
    struct store *s = (struct store *)lab;
    assert_true(store_open_read(lab->a, lab->url, mark_none(), &s, lab->err));
    assert_null(s);
    s = with_run(lab, "r");
    s->ops->close(s);
}

static void alter(struct lab *lab, const char *sql) {
    snprintf(lab->path, sizeof lab->path, "%s/other.db", lab->dir);
    snprintf(lab->url, sizeof lab->url, "sqlite:%s", lab->path);
    sqlite3 *db;
    assert_int_equal(sqlite3_open(lab->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static const char *open_error(struct lab *lab) {
    struct store *s = NULL;
    assert_false(store_open(lab->a, lab->loop, lab->url, mark_none(), &s, lab->err));
    assert_string_equal(lab->err->first->code, "journal");
    assert_null(s);
    const char *text = errors(lab);
    assert_has(text, lab->path);
    return text;
}

static void a_newer_format_is_refused(void **state) {
    struct lab *lab = *state;
    alter(lab, "PRAGMA user_version = 99");
    assert_has(open_error(lab), "has the format 99, and this program knows up to 1");
    struct store *s;
    assert_false(store_open_read(lab->a, lab->url, mark_none(), &s, lab->err));
    assert_has(errors(lab), "use the version of the program that wrote it");
}

static void a_database_of_something_else_is_left_alone(void **state) {
    struct lab *lab = *state;
    alter(lab, "CREATE TABLE mine (x)");
    assert_has(open_error(lab), "is a database of something else");
}

static void a_file_that_is_no_journal_is_refused(void **state) {
    struct lab *lab = *state;
    snprintf(lab->path, sizeof lab->path, "%s/other.db", lab->dir);
    snprintf(lab->url, sizeof lab->url, "sqlite:%s", lab->path);
    FILE *f = fopen(lab->path, "w");
    for (int i = 0; i < 1000; i++)
        fputs("this is a letter\n", f);
    fclose(f);
    assert_has(open_error(lab), "move it away, or name another one with --store");
}

static void damage_is_told_and_not_taken_for_an_empty_run(void **state) {
    struct lab *lab = *state;
    struct store *s = with_run(lab, "r");
    char *big = malloc(40001);
    memset(big, 'x', 40000);
    big[40000] = 0;
    for (int i = 0; i < 20; i++)
        append(lab, s, "r", big, NULL);
    settle(lab, 20);
    s->ops->close(s);
    free(big);
    FILE *f = fopen(lab->path, "r+");
    fseek(f, 4096, SEEK_SET); /* all but the first page, where the tables are named */
    for (int i = 0; i < 20000; i++)
        fputs("garbage ", f);
    fclose(f);
    assert_true(store_open_read(lab->a, lab->url, mark_none(), &s, lab->err));
    struct store_record *r;
    size_t n;
    assert_false(s->ops->read(s, "r", lab->a, &r, &n, lab->err));
    const char *text = errors(lab);
    assert_has(text, lab->path);
    assert_has(text, "it is damaged");
    s->ops->close(s);
}

static void a_folder_that_cannot_be_made_is_told(void **state) {
    struct lab *lab = *state;
    snprintf(lab->path, sizeof lab->path, "/proc/nothing/journal.db");
    snprintf(lab->url, sizeof lab->url, "sqlite:%s", lab->path);
    assert_has(open_error(lab), "No such file or directory");
}

static void an_unknown_scheme_gets_the_known_ones(void **state) {
    struct lab *lab = *state;
    struct store *s;
    assert_false(store_open(lab->a, lab->loop, "sqllite:x", mark_none(), &s, lab->err));
    assert_has(errors(lab), "sqlite:");
    assert_false(store_open(lab->a, lab->loop, "sqlite:", mark_none(), &s, lab->err));
    assert_has(errors(lab), "write it as in sqlite:journal.db");
}

static void the_default_is_in_the_state_folder(void **state) {
    struct lab *lab = *state;
    setenv("XDG_STATE_HOME", "/state", 1);
    assert_string_equal(store_default_url(lab->a), "sqlite:/state/quorate/journal.db");
    unsetenv("XDG_STATE_HOME");
    setenv("HOME", "/home/me", 1);
    assert_string_equal(store_default_url(lab->a), "sqlite:/home/me/.local/state/quorate/journal.db");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(records_come_back_in_the_order_of_the_calls),
        TEST(confirmations_come_in_the_order_of_the_calls),
        TEST(what_was_confirmed_is_there_when_opened_again),
        TEST(closing_writes_what_was_handed_in),
        TEST(a_batch_is_there_whole_or_not_at_all),
        TEST(nothing_follows_what_is_missing),
        TEST(a_run_is_created_once),
        TEST(creating_does_not_get_into_a_commit_under_way),
        TEST(runs_are_listed_newest_first),
        TEST(a_rehearsal_keeps_its_journal_in_memory),
        TEST(two_processes_write_at_once),
        TEST(what_was_confirmed_survives_a_kill),
        TEST(a_full_disk_is_told_with_the_path_and_what_to_do),
        TEST(only_its_owner_can_read_it),
        TEST(reading_never_creates_anything),
        TEST(an_empty_file_is_no_journal_yet),
        TEST(a_newer_format_is_refused),
        TEST(a_database_of_something_else_is_left_alone),
        TEST(a_file_that_is_no_journal_is_refused),
        TEST(damage_is_told_and_not_taken_for_an_empty_run),
        TEST(a_folder_that_cannot_be_made_is_told),
        TEST(an_unknown_scheme_gets_the_known_ones),
        TEST(the_default_is_in_the_state_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
