#include "ui/plan_print.h"

#include "plan/explore.h"

#include <string.h>

/* ---- text ---- */

static void line(struct buf *out, struct style s, unsigned indent, enum look look, const char *text) {
    buf_addrep(out, ' ', indent);
    style_add(out, s, look, text, 0);
    buf_addc(out, '\n');
}

static void print_breach(const struct explore_breach *b, struct style s, struct buf *out) {
    struct buf t = BUF_INIT;
    buf_printf(&t, "%s %s: %s", b->accepted ? "Accepted risk" : b->finally ? "Broken at the end:" : "Broken:", b->rule->name, b->message);
    line(out, s, 2, b->accepted ? LOOK_WARN : LOOK_BAD, t.data);
    buf_clear(&t);
    for (size_t i = 0; i < b->npath && !b->finally; i++)
        buf_printf(&t, "%s%s", i ? "; then " : "when ", b->path[i]);
    if (t.len)
        line(out, s, 4, LOOK_BOLD, t.data);
    buf_clear(&t);
    if (*b->before) {
        buf_printf(&t, "before  %s", b->before);
        line(out, s, 4, LOOK_PLAIN, t.data);
        buf_clear(&t);
        buf_printf(&t, "after   %s", b->after);
        line(out, s, 4, LOOK_PLAIN, t.data);
    }
    buf_done(&t);
}

/* One line for all ways in which a step can fail that leave the cluster alike. */
static size_t print_fail(const struct explored *e, size_t at, struct style s, struct buf *out) {
    const struct explore_fail *f = &e->fails[at];
    struct buf t = BUF_INIT;
    buf_printf(&t, "%s %s", f->step, f->how);
    size_t n = 1;
    while (at + n < e->nfails && !strcmp(e->fails[at + n].step, f->step) && !strcmp(e->fails[at + n].picture, f->picture))
        buf_printf(&t, "%s %s", at + n + 1 < e->nfails && !strcmp(e->fails[at + n + 1].step, f->step) && !strcmp(e->fails[at + n + 1].picture, f->picture) ? "," : ", or",
                   e->fails[at + n].how), n++;
    buf_adds(out, "  ");
    style_add(out, s, LOOK_PLAIN, t.data, 0);
    buf_clear(&t);
    for (size_t i = 0; i < f->nrunbooks; i++)
        buf_printf(&t, "%s%s", i ? ", " : "", f->runbooks[i]);
    if (*f->picture) {
        buf_adds(out, "\n      leaves  ");
        style_add(out, s, LOOK_DIM, f->picture, 0);
    }
    buf_adds(out, "\n      then    ");
    style_add(out, s, f->nrunbooks ? LOOK_GOOD : LOOK_WARN, f->nrunbooks ? t.data : "no runbook applies", 0);
    buf_addc(out, '\n');
    buf_done(&t);
    return n;
}

static bool same_end(const struct explore_fail *a, const struct explore_fail *b) {
    return !strcmp(a->step, b->step) && !strcmp(a->picture, b->picture);
}

/* Those of one step and one picture stand together, in the order in which the first of each was found. */
static void sort_fails(struct explored *e) {
    for (size_t i = 0; i < e->nfails; i++)
        for (size_t k = i + 1, to = i + 1; k < e->nfails; k++)
            if (same_end(&e->fails[i], &e->fails[k])) {
                const struct explore_fail f = e->fails[k];
                memmove(&e->fails[to + 1], &e->fails[to], (k - to) * sizeof f);
                e->fails[to++] = f;
            }
}

static void print_number(struct buf *b, size_t n) {
    if (n >= 1000) {
        print_number(b, n / 1000);
        buf_printf(b, ",%03zu", n % 1000);
    } else {
        buf_printf(b, "%zu", n);
    }
}

static void print_verdict(const struct explored *e, struct style s, struct buf *out) {
    struct buf t = BUF_INIT;
    print_number(&t, e->states);
    buf_printf(&t, " states, %s for the declared outcomes and %d event%s", e->safe ? "all safe" : "not safe", e->events, e->events == 1 ? "" : "s");
    if (e->limit)
        buf_printf(&t, ", as far as was looked: the limit of %s was hit", e->limit);
    line(out, s, 2, e->safe ? e->limit ? LOOK_WARN : LOOK_GOOD : LOOK_BAD, t.data);
    if (e->bounded)
        line(out, s, 2, LOOK_WARN, "bounded: lists that only the run will know were tried with 0, 1 and 2 items");
    for (size_t i = 0; i < e->nleft_out; i++) {
        buf_clear(&t);
        buf_printf(&t, "left out: what %s does, which is known only when the run comes to it", e->left_out[i]);
        line(out, s, 2, LOOK_WARN, t.data);
    }
    buf_done(&t);
}

void plan_explored_print(const struct explored *e, struct style s, bool verbose, struct buf *out) {
    buf_addc(out, '\n');
    style_add(out, s, LOOK_BOLD, "What can go wrong", 0);
    buf_addc(out, '\n');
    print_verdict(e, s, out);
    for (size_t i = 0; i < e->nbreaches; i++)
        print_breach(&e->breaches[i], s, out);
    if (!e->safe && !verbose)
        return;
    struct explored sorted = *e;
    struct arena *a = arena_new();
    sorted.fails = arena_array(a, struct explore_fail, e->nfails + 1);
    if (e->nfails)
        memcpy(sorted.fails, e->fails, e->nfails * sizeof *e->fails);
    sort_fails(&sorted);
    for (size_t i = 0; i < sorted.nfails;)
        i += print_fail(&sorted, i, s, out);
    arena_free(a);
}

/* ---- JSON ---- */

static void put(struct arena *a, struct val *m, const char *key, const char *s) {
    if (s)
        val_map_set(a, m, key, val_str(a, s));
}

static const struct val *texts(struct arena *a, const char *const *list, size_t n) {
    struct val *v = val_list_new(a);
    for (size_t i = 0; i < n; i++)
        val_list_add(a, v, val_str(a, list[i]));
    return v;
}

const struct val *plan_explored_val(struct arena *a, const struct explored *e) {
    struct val *m = val_map_new(a), *breaches = val_list_new(a), *fails = val_list_new(a);
    val_map_set(a, m, "safe", val_bool(a, e->safe));
    val_map_set(a, m, "states", val_int(a, (int64_t)e->states));
    val_map_set(a, m, "clusters", val_int(a, (int64_t)e->clusters));
    val_map_set(a, m, "events", val_int(a, e->events));
    val_map_set(a, m, "bounded", val_bool(a, e->bounded));
    put(a, m, "limit", e->limit);
    val_map_set(a, m, "left_out", texts(a, e->left_out, e->nleft_out));
    for (size_t i = 0; i < e->nbreaches; i++) {
        const struct explore_breach *b = &e->breaches[i];
        struct val *v = val_map_new(a);
        put(a, v, "rule", b->rule->name);
        put(a, v, "message", b->message);
        val_map_set(a, v, "finally", val_bool(a, b->finally));
        val_map_set(a, v, "accepted", val_bool(a, b->accepted));
        put(a, v, "step", b->step);
        val_map_set(a, v, "path", texts(a, b->path, b->npath));
        put(a, v, "before", b->before);
        put(a, v, "after", b->after);
        val_list_add(a, breaches, v);
    }
    for (size_t i = 0; i < e->nfails; i++) {
        const struct explore_fail *f = &e->fails[i];
        struct val *v = val_map_new(a);
        put(a, v, "step", f->step);
        put(a, v, "outcome", f->outcome);
        put(a, v, "how", f->how);
        put(a, v, "leaves", f->picture);
        val_map_set(a, v, "runbooks", texts(a, f->runbooks, f->nrunbooks));
        val_list_add(a, fails, v);
    }
    val_map_set(a, m, "breaches", breaches);
    val_map_set(a, m, "fails", fails);
    return m;
}
