/* A plan is good for one run of a journal, whoever tries, and however many at once. */
#include "io/loop.h"
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
#include <sqlite3.h>

enum { racers = 6, rounds = 8 };

struct lab {
    struct arena *a;
    struct err *err;
    struct loop *loop;
    char dir[64], path[128], url[160];
};

static int setup(void **state) {
    struct lab *lab = calloc(1, sizeof *lab);
    lab->a = arena_new();
    lab->err = err_new(lab->a);
    lab->loop = loop_new(clock_system());
    strcpy(lab->dir, "/tmp/quorate-plans-XXXXXX");
    assert_non_null(mkdtemp(lab->dir));
    snprintf(lab->path, sizeof lab->path, "%s/journal.db", lab->dir);
    snprintf(lab->url, sizeof lab->url, "sqlite:%s", lab->path);
    *state = lab;
    return 0;
}

static int teardown(void **state) {
    struct lab *lab = *state;
    loop_free(lab->loop);
    static const char *const files[] = {"journal.db", "journal.db-wal", "journal.db-shm"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        remove(arena_printf(lab->a, "%s/%s", lab->dir, files[i]));
    assert_int_equal(rmdir(lab->dir), 0);
    arena_free(lab->a);
    free(lab);
    return 0;
}

static struct store *open_store(struct lab *lab) {
    struct store *s = NULL;
    if (!store_open(lab->a, lab->loop, lab->url, mark_none(), &s, lab->err))
        fail_msg("%s", lab->err->first->message);
    return s;
}

static const char *taker(struct lab *lab, struct store *s, const char *plan) {
    const char *run = "?";
    assert_true(s->ops->plan_taken(s, plan, lab->a, &run, lab->err));
    return run ? run : "nobody";
}

static size_t count_runs(struct lab *lab, struct store *s) {
    struct store_run *runs;
    size_t n;
    assert_true(s->ops->runs(s, lab->a, &runs, &n, lab->err));
    return n;
}

static void a_plan_is_taken_once_and_the_error_names_the_run_that_has_it(void **state) {
    struct lab *lab = *state;
    struct store *s = open_store(lab);
    assert_string_equal(taker(lab, s, "p1"), "nobody");
    assert_true(s->ops->create_from(s, "r1", "p1", lab->err));
    assert_false(s->ops->create_from(s, "r2", "p1", lab->err));
    assert_string_equal(lab->err->first->code, "plan-used");
    assert_string_equal(lab->err->first->message, "the plan p1 was used by the run r1");
    assert_string_equal(taker(lab, s, "p1"), "r1");
    s->ops->close(s);
}

static void a_run_that_did_not_get_its_plan_is_not_created(void **state) {
    struct lab *lab = *state;
    struct store *s = open_store(lab);
    assert_true(s->ops->create_from(s, "r1", "p1", lab->err));
    assert_false(s->ops->create_from(s, "r2", "p1", lab->err));
    assert_int_equal(count_runs(lab, s), 1);
    assert_true(s->ops->create(s, "r2", lab->err));
    s->ops->close(s);
}

static void a_plan_whose_run_could_not_be_created_is_still_free(void **state) {
    struct lab *lab = *state;
    struct store *s = open_store(lab);
    assert_true(s->ops->create(s, "r1", lab->err));
    assert_false(s->ops->create_from(s, "r1", "p1", lab->err));
    assert_string_equal(lab->err->first->code, "run-exists");
    assert_string_equal(taker(lab, s, "p1"), "nobody");
    assert_true(s->ops->create_from(s, "r2", "p1", lab->err));
    s->ops->close(s);
}

static void it_stays_taken_when_the_journal_is_opened_again(void **state) {
    struct lab *lab = *state;
    struct store *s = open_store(lab);
    assert_true(s->ops->create_from(s, "r1", "p1", lab->err));
    s->ops->close(s);
    assert_true(store_open_read(lab->a, lab->url, mark_none(), &s, lab->err));
    assert_string_equal(taker(lab, s, "p1"), "r1");
    assert_string_equal(taker(lab, s, "p2"), "nobody");
    s->ops->close(s);
    s = open_store(lab);
    assert_false(s->ops->create_from(s, "r2", "p1", lab->err));
    s->ops->close(s);
}

static void a_journal_from_before_saved_plans_takes_them_too(void **state) {
    struct lab *lab = *state;
    struct store *s = open_store(lab);
    assert_true(s->ops->create(s, "old", lab->err));
    s->ops->close(s);
    sqlite3 *db;
    assert_int_equal(sqlite3_open(lab->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "DROP TABLE IF EXISTS plans", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    assert_true(store_open_read(lab->a, lab->url, mark_none(), &s, lab->err));
    assert_string_equal(taker(lab, s, "p1"), "nobody");
    s->ops->close(s);
    s = open_store(lab);
    assert_true(s->ops->create_from(s, "r1", "p1", lab->err));
    assert_int_equal(count_runs(lab, s), 2);
    s->ops->close(s);
}

/* In a child: 0 got the plan, 1 was told that another run has it. */
static int race(struct lab *lab, int round, int me, int gate) {
    char go;
    struct loop *loop = loop_new(clock_system());
    struct store *s = NULL;
    struct err *err = err_new(lab->a);
    int status = 2;
    if (read(gate, &go, 1) == 0 && store_open(lab->a, loop, lab->url, mark_none(), &s, err)) {
        const char *plan = arena_printf(lab->a, "p%d", round), *run = arena_printf(lab->a, "r%d-%d", round, me);
        if (s->ops->create_from(s, run, plan, err))
            status = 0;
        else if (!strcmp(err->first->code, "plan-used"))
            status = 1;
        s->ops->close(s);
    }
    return status;
}

static void of_processes_that_race_for_a_plan_one_gets_it(void **state) {
    struct lab *lab = *state;
    for (int round = 0; round < rounds; round++) {
        int gate[2], got[3] = {0};
        pid_t pids[racers];
        assert_int_equal(pipe(gate), 0);
        for (int i = 0; i < racers; i++)
            if ((pids[i] = fork()) == 0) {
                close(gate[1]);
                _exit(race(lab, round, i, gate[0]));
            }
        close(gate[0]);
        close(gate[1]); /* all go */
        for (int i = 0; i < racers; i++) {
            int status;
            assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
            assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 3);
            got[WEXITSTATUS(status)]++;
        }
        assert_int_equal(got[0], 1);
        assert_int_equal(got[1], racers - 1);
    }
    struct store *s = open_store(lab);
    assert_int_equal(count_runs(lab, s), rounds);
    s->ops->close(s);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_plan_is_taken_once_and_the_error_names_the_run_that_has_it),
        TEST(a_run_that_did_not_get_its_plan_is_not_created),
        TEST(a_plan_whose_run_could_not_be_created_is_still_free),
        TEST(it_stays_taken_when_the_journal_is_opened_again),
        TEST(a_journal_from_before_saved_plans_takes_them_too),
        TEST(of_processes_that_race_for_a_plan_one_gets_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
