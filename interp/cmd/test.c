#include "cmd/test.h"

#include "plan/explore.h"
#include "ui/out.h"

#include <stdlib.h>
#include <string.h>

static bool min_coverage(const struct ctx *c, int *ret) {
    *ret = 0;
    if (!c->opt.min_coverage)
        return true;
    char *end;
    const long n = strtol(c->opt.min_coverage, &end, 10);
    if (!*c->opt.min_coverage || (*end && strcmp(end, "%")) || n < 0 || n > 100) {
        out_printf(stderr, "quorate: --min-coverage wants a percentage from 0 to 100, not '%s'\n", c->opt.min_coverage);
        return false;
    }
    *ret = (int)n;
    return true;
}

/* A runbook that nothing carries out yet cannot be rehearsed either. */
static bool can_be_tested(struct tester *t) {
    bool ok = true;
    for (size_t i = 0; i < t->nfiles; i++) {
        const struct step *st = NULL;
        const char *form = runbook_not_yet(t->files[i].rb, &st);
        if (!form)
            continue;
        err_add(t->c->err, st ? st->mark : mark_none(), "not-yet", "'%s' is read and checked, but nothing carries it out yet", form);
        ok = false;
    }
    return ok;
}

static size_t run_all(struct tester *t, struct test_result **ret) {
    size_t n = 0, done = 0;
    for (size_t i = 0; i < t->nfiles; i++)
        n += val_len(t->files[i].cases);
    *ret = arena_array(t->c->arena, struct test_result, n + 1);
    for (size_t i = 0; i < t->nfiles; i++)
        for (size_t k = 0; k < val_len(t->files[i].cases) && !t->interrupted; k++)
            test_run(t, &t->files[i], val_at(t->files[i].cases, k), &(*ret)[done++]);
    return done;
}

/* What is said to be out of reach must not have been reached. */
static bool unreached(const struct tester *t, const struct coverage *c) {
    bool ok = true;
    for (size_t i = 0; i < c->n; i++)
        if (c->branches[i].visited && c->branches[i].unreachable) {
            err_add(t->c->err, mark_none(), "reached", "%s: '%s' is said to be unreachable, and a case has visited it", c->rb->name, c->branches[i].name);
            ok = false;
        }
    return ok;
}

int cmd_test(struct ctx *c) {
    struct tester t = {.c = c};
    struct test_report r = {.verbose = c->opt.verbose};
    const struct test_format *format = test_formats;
    while (c->opt.output && strcmp(format->name, c->opt.output) != 0)
        format++;
    if (!min_coverage(c, &r.min_coverage))
        return EXIT_USAGE;
    if (!ctx_language(c))
        return ctx_report(c);
    t.runbooks = map_new(c->arena);
    t.coverages = map_new(c->arena);
    t.worlds = map_new(c->arena);
    t.explored = map_new(c->arena);
    if (!test_find(&t) || !can_be_tested(&t))
        return ctx_report(c);
    struct test_result *results;
    r.nresults = run_all(&t, &results);
    for (struct map_iter it = map_iter(t.explored); map_next(&it);)
        explored_free(it.value);
    r.results = results;
    if (t.interrupted) {
        out_printf(stderr, "quorate: interrupted\n");
        return 130;
    }
    bool enough = true;
    struct coverage **coverages = arena_array(c->arena, struct coverage *, map_count(t.coverages) + 1);
    for (struct map_iter it = map_iter(t.coverages); map_next(&it);) {
        coverages[r.ncoverages++] = it.value;
        enough &= coverage_percent(it.value) >= r.min_coverage;
        (void)unreached(&t, it.value);
    }
    r.coverages = coverages;
    for (size_t i = 0; i < r.nresults; i++)
        r.nfailed += r.results[i].nfaults > 0;
    struct buf b = BUF_INIT;
    format->print(&r, c->style, &b);
    out_buf(stdout, &b);
    buf_done(&b);
    const int status = ctx_report(c);
    if (!enough)
        out_printf(stderr, "quorate: the cases visit less than %d %% of a runbook's branches\n", r.min_coverage);
    return status ? status : r.nfailed || !enough ? EXIT_STEP : EXIT_DONE;
}
