#include "run/coverage.h"

#include <string.h>

/* ---- the branches of a runbook ---- */

static void add(struct coverage *c, const char *where, const char *what) {
    if (c->n == c->cap) {
        c->cap = c->cap ? 2 * c->cap : 64;
        struct branch *all = arena_array(c->arena, struct branch, c->cap);
        if (c->n)
            memcpy(all, c->branches, c->n * sizeof *all);
        c->branches = all;
    }
    const char *name = arena_printf(c->arena, "%s: %s", where, what);
    for (int i = 2; map_get(c->by_name, name); i++) /* the same condition twice */
        name = arena_printf(c->arena, "%s: %s (%d)", where, what, i);
    size_t *at = arena_new_of(c->arena, size_t);
    *at = c->n;
    map_put(c->by_name, name, at);
    c->branches[c->n++] = (struct branch){.name = name};
}

static bool can_fail(const struct step *st) {
    return st->kind == STEP_ACTION || st->kind == STEP_COMMAND || st->kind == STEP_PROBE || st->kind == STEP_RUNBOOK;
}

static void add_list(struct coverage *c, const char *owner, struct step *const *steps, size_t n);

static void add_step(struct coverage *c, const char *owner, const struct step *st) {
    const char *path = path_step(c->arena, owner, st);
    if (st->cond) {
        add(c, path, "if true");
        add(c, path, "if false");
    }
    if (st->for_each) {
        add(c, path, "list empty");
        add(c, path, "list not empty");
    }
    if (st->for_each && st->try_each)
        add(c, path, "second item tried");
    if (st->unless)
        add(c, path, "unless true");
    if (can_fail(st)) {
        add(c, path, "ok");
        add(c, path, "failed");
        for (size_t i = 0; st->kind == STEP_ACTION && i < st->def->noutcomes; i++)
            add(c, path, st->def->outcomes[i].name);
    } else if (st->kind == STEP_WAIT) {
        add(c, path, "holds");
        add(c, path, "timeout");
    }
    for (size_t i = 0; st->kind == STEP_FIRST_OF && i < st->nchildren; i++)
        add(c, path, arena_printf(c->arena, "taken %s", st->children[i]->id));
    if (st->nrescue)
        add(c, path, "rescue");
    add_list(c, path, st->children, st->nchildren);
    add_list(c, path, st->rescue, st->nrescue);
}

static void add_list(struct coverage *c, const char *owner, struct step *const *steps, size_t n) {
    for (size_t i = 0; i < n; i++)
        add_step(c, owner, steps[i]);
}

static const char *check_text(const struct check *k) {
    return k->expr ? k->expr->text : k->capability->name;
}

struct coverage *coverage_new(struct arena *a, const struct runbook *rb) {
    struct coverage *c = arena_new_of(a, struct coverage);
    *c = (struct coverage){.arena = a, .rb = rb, .by_name = map_new(a)};
    c->first_pre = c->n;
    for (size_t i = 0; i < rb->nrequires; i++)
        add(c, "requires", check_text(&rb->requires[i]));
    for (size_t i = 0; i < rb->npre; i++)
        add(c, "precondition", check_text(&rb->pre[i]));
    add_list(c, "", rb->root->children, rb->root->nchildren);
    c->first_post = c->n;
    for (size_t i = 0; i < rb->npost; i++)
        add(c, "postcondition", check_text(&rb->post[i]));
    return c;
}

/* ---- visits ---- */

static void visit(struct coverage *c, const char *where, const char *what) {
    struct buf b = BUF_INIT;
    buf_printf(&b, "%s: %s", where, what);
    const size_t *at = map_get(c->by_name, b.data);
    buf_done(&b);
    if (at)
        c->branches[*at].visited = true;
}

void coverage_plan(struct coverage *c, const struct plan *p) {
    if (p->rb != c->rb || !p->refused)
        return;
    for (size_t i = 0; i < p->npre; i++)
        if (!p->pre[i].held) { /* the first one is the one that is told */
            c->branches[c->first_pre + i].visited = true;
            return;
        }
}

/* The path of a step without items. */
static const char *step_path(struct arena *a, const struct step *st) {
    return st->parent && *st->parent->id ? path_step(a, step_path(a, st->parent), st) : st->id;
}

static bool declared(const struct step *st, const struct injection *in) {
    for (size_t i = 0; in && in->outcome && st->kind == STEP_ACTION && i < st->def->noutcomes; i++)
        if (!strcmp(st->def->outcomes[i].name, in->outcome))
            return true;
    return false;
}

static void ended(struct coverage *c, const struct step *st, const char *path, const struct event *e, struct injections *l) {
    const enum outcome o = outcome_of(val_get_str(e->data, "outcome", NULL));
    const bool well = o == OUT_OK, badly = o == OUT_FAILED || o == OUT_REFUSED;
    const char *cause = val_get_str(e->data, "cause", "");
    if (o == OUT_SKIPPED && !strcmp(cause, "if"))
        visit(c, path, "if false");
    else if (o == OUT_SKIPPED && st->unless)
        visit(c, path, "unless true");
    if (st->kind == STEP_WAIT && (well || badly))
        visit(c, path, well ? "holds" : "timeout");
    if (well && st->parent && st->parent->kind == STEP_FIRST_OF)
        visit(c, step_path(c->arena, st->parent), arena_printf(c->arena, "taken %s", st->id));
    const struct injection *in = st->kind == STEP_ACTION ? inject_outcome(l, e->path, e->attempt) : NULL;
    const bool unsettled = o == OUT_UNKNOWN && declared(st, in); /* an outcome may be that nobody knows */
    if (!can_fail(st) || !(well || badly || unsettled) || (o == OUT_REFUSED && st->kind != STEP_RUNBOOK))
        return;
    if (!declared(st, in))
        visit(c, path, well ? "ok" : "failed");
    else if (in->done && !in->problem)
        visit(c, path, in->outcome);
}

static bool is_rescue(const struct step *st) {
    for (size_t i = 0; st->parent && i < st->parent->nrescue; i++)
        if (st->parent->rescue[i] == st)
            return true;
    return false;
}

void coverage_event(struct coverage *c, const struct run *r, const struct event *e, struct injections *l) {
    if (e->type == EV_NOTE && !e->path) {
        const char *text = val_get_str(e->data, "check", NULL);
        for (size_t i = 0; text && i < c->rb->npost; i++)
            if (!strcmp(check_text(&c->rb->post[i]), text))
                c->branches[c->first_post + i].visited = true;
        return;
    }
    const struct item *it = e->path ? run_item(r, e->path) : NULL;
    const struct fan *f = e->path ? run_fan(r, e->path) : NULL;
    const struct step *st = f ? f->step : it && it->fan ? it->fan->step : NULL;
    if (!st || st->in != c->rb)
        return;
    const char *path = step_path(c->arena, st);
    switch (e->type) {
    case EV_OPENED:
        visit(c, path, "if true");
        visit(c, path, "list not empty");
        break;
    case EV_SKIPPED: {
        if (val_get_bool(e->data, "blocked", false))
            break;
        const bool no = st->cond && !strncmp(val_get_str(e->data, "why", ""), "not: ", 5);
        visit(c, path, no ? "if false" : "if true");
        if (!no)
            visit(c, path, "list empty");
        break;
    }
    case EV_STARTED:
        if (it && it->index > 1)
            visit(c, path, "second item tried");
        if (is_rescue(st))
            visit(c, step_path(c->arena, st->parent), "rescue");
        break;
    case EV_ENDED:
        /* what its rescue steps came to is no end of the step's own */
        if (it && it->rescuing && !val_get_bool(e->data, "rescue", false) && !val_get_bool(e->data, "retry", false))
            break;
        ended(c, st, path, e, l);
        break;
    default:
        break;
    }
}

/* ---- the sum ---- */

size_t coverage_total(const struct coverage *c) {
    size_t n = 0;
    for (size_t i = 0; i < c->n; i++)
        n += !c->branches[i].unreachable;
    return n;
}

size_t coverage_visited(const struct coverage *c) {
    size_t n = 0;
    for (size_t i = 0; i < c->n; i++)
        n += c->branches[i].visited && !c->branches[i].unreachable;
    return n;
}

int coverage_percent(const struct coverage *c) {
    const size_t total = coverage_total(c);
    return total ? (int)(100 * coverage_visited(c) / total) : 100;
}

bool coverage_exclude(struct coverage *c, const char *name, const char *why, struct mark at, struct err *err) {
    const size_t *i = map_get(c->by_name, name);
    if (i) {
        c->branches[*i].unreachable = why;
        return true;
    }
    const char **names = arena_array(err->arena, const char *, c->n + 1);
    for (size_t k = 0; k < c->n; k++)
        names[k] = c->branches[k].name;
    struct diag *d = err_add(err, at, "unknown-branch", "%s has no branch '%s'", c->rb->name, name);
    diag_accepted(err, d, name, names, c->n);
    return false;
}
