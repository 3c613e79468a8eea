/* bench.h: a runbook, a small library and a world, all as texts, run by the real engine in virtual time. */
#ifndef UNIT_BENCH_H
#define UNIT_BENCH_H

#include "run/exec.h"

struct bench {
    /* set by the test */
    const char *runbook;      /* YAML; its name must be "t" */
    const char *const *more;  /* further runbooks: name, YAML, …, NULL; or NULL */
    const char *world;        /* YAML of the state: "demo: {…}" */
    const char *inputs;       /* YAML map, or NULL */
    const char *attested;     /* YAML list, or NULL */
    const char *script;       /* lines "PATH ATTEMPT failed|unknown|unknown-but-done|late|interrupt", or NULL: all acts end well */
    const char *const *fail;  /* injections "STEP#N:OUTCOME", …, NULL; or NULL */
    const char *const *event; /* and "STEP:EVENT=CHOICE" */
    const char *deny;         /* "yes": all questions are denied */
    int64_t answer_after;     /* virtual ms until a question is answered */
    const char *meanwhile;    /* YAML map, path of the state → value, that comes true before the answer; or NULL */
    int parallel;             /* default 4 */
    /* set by bench_run */
    int status;               /* exit status; -1: refused by the plan; -2: invalid, see text */
    char *text;               /* a line per event: "step.ended a ok"; or the diagnostics */
    char *said;               /* the notes and messages, a line each */
    char *plan;               /* a line per plan line: "a run probed" */
    int64_t took;             /* virtual ms */
    int most_acts;            /* at the same time */
};

/* Everything it sets lives until bench_free. */
void bench_run(struct bench *b);
void bench_free(struct bench *b);
/* Whether the line is one of the lines of text. */
bool has_line(const char *text, const char *line);
/* The number of lines that begin so. */
int count_lines(const char *text, const char *prefix);
/* Whether line a comes before line b. */
bool before(const char *text, const char *a, const char *b);

#endif
