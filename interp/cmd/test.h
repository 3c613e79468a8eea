/* test.h: tests of runbooks (*.test.yaml), as the files that read, run and tell them share them. */
#ifndef CMD_TEST_H
#define CMD_TEST_H

#include "cmd/cmd.h"
#include "run/coverage.h"
#include "ui/test_print.h"

struct trial;

/* A file with cases, checked as far as it can be without running any. */
struct test_file {
    const char *name;           /* for people */
    const char *dir;            /* its folder on disk, or, for one that is embedded, in the tree of files */
    bool embedded;
    const struct val *doc;
    const struct runbook *rb;
    struct coverage *coverage;  /* of the runbook; files of the same one share it */
    const struct val *cases;
};

struct tester {
    struct ctx *c;
    struct map *runbooks;  /* as asked for → struct runbook * */
    struct map *coverages; /* the same → struct coverage * */
    struct map *worlds;    /* by file → const struct val * */
    struct map *explored;  /* by what a plan is made of → struct explored *: many cases differ only in what goes wrong */
    struct test_file *files;
    size_t nfiles;
    bool interrupted;
    /* Runs a case's plan in place of exec_run; NULL: that. For tests of the program itself. */
    int (*carry_out)(struct trial *x, const struct exec_spec *spec, struct err *err);
    void *ud;
};

/* One case: a world, a loop and a clock of its own. */
struct trial {
    struct tester *t;
    const struct test_file *f;
    const struct val *kase, *expect;
    struct arena *arena;
    struct loader ld;
    struct clock_virtual clock;
    struct loop *loop;
    struct runner *runner;
    struct injections *injections;
    const struct val *world, *site, *run;
    struct prepared prepared;
    /* what came of it */
    bool refused;
    int status;
    const char *message;
    const char **begun; /* paths of acts and waits, in order */
    size_t nbegun, capbegun;
    /* what is wrong with that; in the program's arena */
    const char **faults;
    size_t nfaults;
};

/* ---- test_find.c ---- */

/* The files that the words of the command line stand for. */
bool test_find(struct tester *t);

/* ---- test_file.c ---- */

/* Reads the file's text, its runbook and what can be checked. */
bool test_load(struct tester *t, const struct source *src, struct test_file *f);
/* The world that a case begins in: a file, or inline. */
bool test_world(struct tester *t, const struct test_file *f, const struct val *written, const struct val **ret);
/* The value of a case, or of the whole file if the case has none. */
const struct val *test_value(const struct test_file *f, const struct val *kase, const char *key);

/* ---- test_case.c ---- */

/* Runs one case and adds what it visited to the file's coverage. */
void test_run(struct tester *t, const struct test_file *f, const struct val *kase, struct test_result *ret);

/* ---- test_judge.c ---- */

/* Adds what is wrong: one line; the errors of err. */
void test_fault(struct trial *x, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void test_faults_of(struct trial *x, const struct err *err);
/* Holds what came of it against what was expected. */
void test_judge(struct trial *x);

#endif
