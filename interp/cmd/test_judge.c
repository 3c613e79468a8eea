#include "cmd/test.h"

#include "plan/explore.h"

#include <string.h>

void test_fault(struct trial *x, const char *fmt, ...) {
    struct arena *a = x->t->c->arena;
    const char **all = arena_array(a, const char *, x->nfaults + 1);
    if (x->nfaults)
        memcpy(all, x->faults, x->nfaults * sizeof *all);
    va_list ap;
    va_start(ap, fmt);
    all[x->nfaults++] = arena_vprintf(a, fmt, ap);
    va_end(ap);
    x->faults = all;
}

void test_faults_of(struct trial *x, const struct err *err) {
    for (const struct diag *d = err->first; d; d = d->next) {
        if (d->severity != SEV_ERROR)
            continue;
        if (d->mark.src && d->mark.line)
            test_fault(x, "%s:%u: %s", d->mark.src->name, d->mark.line, d->message);
        else
            test_fault(x, "%s", d->message);
        if (d->hint)
            test_fault(x, "  %s", d->hint);
        for (size_t i = 0; i < d->nnotes; i++)
            test_fault(x, "  %s", d->notes[i]);
    }
}

/* Returns whether the rest is worth a look. */
static bool judge_verdict(struct trial *x) {
    const char *wanted = val_get_str(x->expect, "verdict", NULL), *seen = x->refused ? "refused" : "safe";
    const char *rule = val_get_str(x->expect, "rule", NULL);
    const struct explored *e = x->prepared.plan->explored;
    if (wanted && strcmp(wanted, seen) != 0) {
        test_fault(x, "expected a plan that is %s, and it is %s%s%s", wanted, seen, x->refused ? ": " : "", x->refused ? x->message : "");
        return false;
    }
    for (size_t i = 0; rule && e && i < e->nbreaches; i++)
        if (!strcmp(e->breaches[i].rule->name, rule))
            return true;
    if (rule)
        test_fault(x, "expected that %s is broken, and %s is", rule, e && e->nbreaches ? e->breaches[0].rule->name : "no rule");
    return true;
}

static void judge_plan(struct trial *x) {
    const struct val *wanted = val_get(x->expect, "plan");
    const struct plan *p = x->prepared.plan;
    for (size_t i = 0; i < val_len(wanted); i++) {
        const char *path = wanted->map.pairs[i].key, *want = val_cstr(wanted->map.pairs[i].val), *seen = "absent";
        for (size_t k = 0; k < p->nlines; k++)
            if (!strcmp(p->lines[k].path, path))
                seen = will_name(p->lines[k].will);
        if (!want || strcmp(want, seen) != 0)
            test_fault(x, "expected that the plan says of '%s': %s; it says: %s", path, want ? want : "?", seen);
    }
}

static void judge_exit(struct trial *x) {
    const char *verdict = val_get_str(x->expect, "verdict", "safe");
    const int64_t wanted = val_get_int(x->expect, "exit", strcmp(verdict, "refused") ? EXIT_DONE : EXIT_REFUSED);
    if (wanted != x->status)
        test_fault(x, "expected exit %lld, seen %d: %s", (long long)wanted, x->status, x->message);
    const char *message = val_get_str(x->expect, "message", NULL);
    if (message && !strstr(x->message, message))
        test_fault(x, "expected a message with: %s; seen: %s", message, x->message);
}

static void judge_order(struct trial *x) {
    const struct val *order = val_get(x->expect, "order"), *never = val_get(x->expect, "never");
    size_t at = 0;
    for (size_t i = 0; i < val_len(order); i++) {
        const char *path = val_cstr(val_at(order, i));
        const size_t from = at;
        while (path && at < x->nbegun && strcmp(x->begun[at], path) != 0)
            at++;
        if (path && at++ < x->nbegun)
            continue;
        struct buf b = BUF_INIT;
        for (size_t k = from; k < x->nbegun; k++)
            buf_printf(&b, "%s%s", k > from ? ", " : "", x->begun[k]);
        const char *before = i ? val_cstr(val_at(order, i - 1)) : NULL;
        test_fault(x, "expected that '%s' begins%s%s%s; what began%s: %s", path ? path : "?", before ? " after '" : "", before ? before : "", before ? "'" : "",
              before ? " then" : "", b.len ? b.data : "nothing");
        buf_done(&b);
        break;
    }
    for (size_t i = 0; i < val_len(never); i++)
        for (size_t k = 0; k < x->nbegun; k++)
            if (val_cstr(val_at(never, i)) && !strcmp(x->begun[k], val_cstr(val_at(never, i)))) {
                test_fault(x, "expected that '%s' never begins, and it did", x->begun[k]);
                break;
            }
}

static void judge_expr(struct trial *x, const struct val *v) {
    struct ctx *c = x->t->c;
    struct arena *a = x->arena;
    struct err *err = err_new(a);
    const char *text = val_is(v, VAL_BOOL) ? (v->boolean ? "true" : "false") : val_cstr(v);
    struct expr *e;
    if (!text) {
        test_fault(x, "'state' wants Lua expressions, and one is %s", val_kind_name(v->kind));
        return;
    }
    if (!expr_parse(c->box, c->arena, text, v->mark, &e, err)) {
        test_faults_of(x, err);
        return;
    }
    const struct scope sc = {.lib = c->lib, .state = runner_world_model(x->runner), .inputs = x->prepared.plan->inputs, .site = x->site, .run = x->run};
    struct call_signal sig = {0};
    bool holds = false;
    const enum call_result r = expr_test(c->box, e, &sc, a, &holds, &sig, err);
    if (r == CALL_OK && !holds)
        test_fault(x, "expected at the end: %s", text);
    else if (r == CALL_ERROR)
        test_faults_of(x, err);
    else if (r != CALL_OK)
        test_fault(x, "expected at the end: %s; but that is not known: %s", text, sig.text);
}

static void judge_state(struct trial *x) {
    const struct val *state = val_get(x->expect, "state");
    if (state && !val_is(state, VAL_LIST))
        judge_expr(x, state);
    for (size_t i = 0; val_is(state, VAL_LIST) && i < val_len(state); i++)
        judge_expr(x, val_at(state, i));
}

void test_judge(struct trial *x) {
    if (!judge_verdict(x))
        return;
    judge_plan(x);
    judge_exit(x);
    judge_order(x);
    judge_state(x);
}
