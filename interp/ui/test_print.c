#include "ui/test_print.h"

#include <inttypes.h>
#include <string.h>

enum { some = 20 }; /* branches told without -v */

/* ---- for people ---- */

static void coverage_text(const struct coverage *c, const struct test_report *r, struct style style, struct buf *out) {
    const size_t total = coverage_total(c), visited = coverage_visited(c);
    buf_printf(out, "%s: %zu of %zu branches visited (%d %%)", c->rb->name, visited, total, coverage_percent(c));
    if (total < c->n)
        buf_printf(out, ", %zu said to be unreachable", c->n - total);
    if (coverage_percent(c) < r->min_coverage)
        buf_printf(out, ", %d %% are wanted", r->min_coverage);
    buf_addc(out, '\n');
    size_t told = 0, left = 0;
    for (size_t i = 0; i < c->n; i++) {
        const struct branch *b = &c->branches[i];
        if (b->visited || b->unreachable)
            continue;
        if (!r->verbose && told == some) {
            left++;
            continue;
        }
        told++;
        buf_adds(out, "  not visited   ");
        style_add(out, style, LOOK_WARN, b->name, 0);
        buf_addc(out, '\n');
    }
    if (left)
        buf_printf(out, "  … and %zu more: -v names them all\n", left);
    for (size_t i = 0; r->verbose && i < c->n; i++)
        if (c->branches[i].unreachable) {
            buf_adds(out, "  unreachable   ");
            style_add(out, style, LOOK_DIM, c->branches[i].name, 0);
            buf_adds(out, ": ");
            buf_add_visible(out, c->branches[i].unreachable, strlen(c->branches[i].unreachable));
            buf_addc(out, '\n');
        }
}

static void print_text(const struct test_report *r, struct style style, struct buf *out) {
    for (size_t i = 0; i < r->nresults; i++) {
        const struct test_result *t = &r->results[i];
        style_add(out, style, t->nfaults ? LOOK_BAD : LOOK_GOOD, t->nfaults ? "FAILED" : "ok", 8);
        buf_printf(out, "%s: ", t->runbook);
        buf_add_visible(out, t->name, strlen(t->name));
        if (t->nfaults)
            buf_printf(out, "  (%s:%u)", t->file, t->line);
        buf_addc(out, '\n');
        for (size_t k = 0; k < t->nfaults; k++) {
            buf_adds(out, "          ");
            buf_add_visible(out, t->faults[k], strlen(t->faults[k]));
            buf_addc(out, '\n');
        }
    }
    buf_printf(out, "%s%zu case%s, %zu passed, %zu failed\n", r->nresults ? "\n" : "", r->nresults, r->nresults == 1 ? "" : "s", r->nresults - r->nfailed,
               r->nfailed);
    for (size_t i = 0; i < r->ncoverages; i++)
        coverage_text(r->coverages[i], r, style, out);
}

/* ---- TAP ---- */

/* One line of a description: no line ends, and '#' begins a directive. */
static void tap_words(const char *s, struct buf *out) {
    struct buf b = BUF_INIT;
    buf_add_visible(&b, s, strlen(s));
    for (size_t i = 0; i < b.len; i++) {
        if (b.data[i] == '#')
            buf_addc(out, '\\');
        buf_addc(out, b.data[i]);
    }
    buf_done(&b);
}

static void print_tap(const struct test_report *r, struct style style, struct buf *out) {
    (void)style;
    buf_printf(out, "TAP version 13\n1..%zu\n", r->nresults);
    for (size_t i = 0; i < r->nresults; i++) {
        const struct test_result *t = &r->results[i];
        buf_printf(out, "%sok %zu - %s: ", t->nfaults ? "not " : "", i + 1, t->runbook);
        tap_words(t->name, out);
        buf_addc(out, '\n');
        if (t->nfaults)
            buf_printf(out, "  ---\n  at: %s:%u\n  message: |\n", t->file, t->line);
        for (size_t k = 0; k < t->nfaults; k++) {
            buf_adds(out, "    ");
            buf_add_visible(out, t->faults[k], strlen(t->faults[k]));
            buf_addc(out, '\n');
        }
        if (t->nfaults)
            buf_adds(out, "  ...\n");
    }
    for (size_t i = 0; i < r->ncoverages; i++) {
        const struct coverage *c = r->coverages[i];
        buf_printf(out, "# %s: %zu of %zu branches visited (%d %%)\n", c->rb->name, coverage_visited(c), coverage_total(c), coverage_percent(c));
        for (size_t k = 0; k < c->n; k++)
            if (!c->branches[k].visited && !c->branches[k].unreachable) {
                buf_adds(out, "# not visited: ");
                buf_add_visible(out, c->branches[k].name, strlen(c->branches[k].name));
                buf_addc(out, '\n');
            }
    }
}

/* ---- JUnit ---- */

static void xml(const char *s, struct buf *out) {
    struct buf b = BUF_INIT;
    buf_add_visible(&b, s, strlen(s)); /* XML has no way to write most control characters */
    for (size_t i = 0; i < b.len; i++) {
        static const char special[] = "&<>\"'";
        static const char *const words[] = {"&amp;", "&lt;", "&gt;", "&quot;", "&apos;"};
        const char *p = memchr(special, b.data[i], sizeof special - 1);
        if (p)
            buf_adds(out, words[p - special]);
        else
            buf_addc(out, b.data[i]);
    }
    buf_done(&b);
}

static void seconds(int64_t ms, struct buf *out) {
    buf_printf(out, " time=\"%" PRId64 ".%03" PRId64 "\"", ms / 1000, ms % 1000);
}

static void junit_case(const struct test_result *t, struct buf *out) {
    buf_adds(out, "    <testcase classname=\"");
    xml(t->runbook, out);
    buf_adds(out, "\" name=\"");
    xml(t->name, out);
    buf_adds(out, "\" file=\"");
    xml(t->file, out);
    buf_printf(out, "\" line=\"%u\"", t->line);
    seconds(t->took_ms, out);
    if (!t->nfaults) {
        buf_adds(out, "/>\n");
        return;
    }
    buf_adds(out, ">\n      <failure message=\"");
    xml(t->faults[0], out);
    buf_adds(out, "\">");
    for (size_t i = 0; i < t->nfaults; i++) {
        buf_adds(out, i ? "\n" : "");
        xml(t->faults[i], out);
    }
    buf_adds(out, "</failure>\n    </testcase>\n");
}

static const struct coverage *coverage_of(const struct test_report *r, const char *runbook) {
    for (size_t i = 0; i < r->ncoverages; i++)
        if (!strcmp(r->coverages[i]->rb->name, runbook))
            return r->coverages[i];
    return NULL;
}

static void print_junit(const struct test_report *r, struct style style, struct buf *out) {
    (void)style;
    buf_printf(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites tests=\"%zu\" failures=\"%zu\">\n", r->nresults, r->nfailed);
    for (size_t i = 0, end; i < r->nresults; i = end) {
        size_t failed = 0;
        for (end = i; end < r->nresults && !strcmp(r->results[end].file, r->results[i].file); end++)
            failed += r->results[end].nfaults > 0;
        buf_adds(out, "  <testsuite name=\"");
        xml(r->results[i].file, out);
        buf_printf(out, "\" tests=\"%zu\" failures=\"%zu\">\n", end - i, failed);
        const struct coverage *c = coverage_of(r, r->results[i].runbook);
        if (c)
            buf_printf(out, "    <properties><property name=\"branches\" value=\"%zu\"/><property name=\"branches-visited\" value=\"%zu\"/></properties>\n",
                       coverage_total(c), coverage_visited(c));
        for (size_t k = i; k < end; k++)
            junit_case(&r->results[k], out);
        buf_adds(out, "  </testsuite>\n");
    }
    buf_adds(out, "</testsuites>\n");
}

const struct test_format test_formats[] = {{"text", print_text}, {"tap", print_tap}, {"junit", print_junit}, {0}};
