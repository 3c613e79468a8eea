/* test_print.h: how tests of runbooks went, for people, as TAP, and as JUnit's XML. */
#ifndef UI_TEST_PRINT_H
#define UI_TEST_PRINT_H

#include "run/coverage.h"
#include "ui/style.h"

struct test_result {
    const char *file, *runbook, *name;
    unsigned line;             /* of the case */
    const char *const *faults; /* what was expected and what was seen, one line each; none: it passed */
    size_t nfaults;
    int64_t took_ms;           /* of virtual time */
};

struct test_report {
    const struct test_result *results; /* in the order of their files */
    size_t nresults, nfailed;
    struct coverage *const *coverages;
    size_t ncoverages;
    int min_coverage;          /* percent; 0: none was asked for */
    bool verbose;              /* every branch that was not visited, not only some */
};

struct test_format {
    const char *name; /* for -o */
    void (*print)(const struct test_report *r, struct style style, struct buf *out);
};
extern const struct test_format test_formats[]; /* ends with {0}; the first is the default */

#endif
