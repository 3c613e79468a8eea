#include "cmd/cmd.h"

#include "run/record.h"
#include "store/spool.h"
#include "ui/out.h"
#include "value/file.h"

#include <string.h>

/* A run is taken up: its records are read and held against the runbook, what its probes see is observed anew, and the engine goes on from there. */

struct taken {
    const char *id;
    struct event **events;
    size_t n;
    const struct val *first; /* data of run.started */
    const struct runbook *rb;
    struct prepared p;
};

static bool can_go_on(struct ctx *c, const struct taken *t) {
    const struct event *last = t->events[t->n - 1];
    if (last->type != EV_RUN_ENDED || c->opt.done.n || c->opt.skip.n)
        return true;
    const int64_t status = val_get_int(last->data, "exit", 9);
    if (status == EXIT_APPROVAL || status == 7 || status == EXIT_LOCKED || status == EXIT_JOURNAL || status == 130)
        return true;
    struct diag *d = err_add(c->err, mark_none(), "run-ended", "the run %s has ended with exit %lld: %s", t->id, (long long)status, val_get_str(last->data, "message", ""));
    if (status == EXIT_DONE)
        diag_hint(c->err, d, "there is nothing left to do in it");
    else
        diag_hint(c->err, d, "mend what is wrong, then say of the step that failed --done STEP or --skip STEP --because WHY; or make a new plan");
    return false;
}

static bool read_run(struct ctx *c, struct store *s, struct taken *t) {
    size_t kept;
    if (!find_run(c, s, c->argv[0], &t->id) || !s->ops->own(s, t->id, c->err) || !spool_reconcile(s, t->id, &kept, c->err))
        return false;
    if (kept)
        out_printf(stderr, "quorate: %zu record%s of what happened while the journal was gone %s now in it\n", kept, kept == 1 ? "" : "s", kept == 1 ? "is" : "are");
    if (!read_events(c, s, t->id, &t->events, &t->n))
        return false;
    if (!t->n || t->events[0]->type != EV_RUN_STARTED) {
        err_add(c->err, mark_none(), "journal-misfit", "the run %s does not begin with the record that a run begins with", t->id);
        return false;
    }
    t->first = t->events[0]->data;
    return can_go_on(c, t);
}

static bool same_site(struct ctx *c, const struct taken *t) {
    const char *was = val_get_str(t->first, "site", NULL), *now = c->site->name;
    if (!was || (now && !strcmp(was, now)))
        return true;
    struct diag *d = err_add(c->err, mark_none(), "other-site", "the run %s was made on the site '%s', and this is '%s'", t->id, was, now ? now : "none");
    diag_hint(c->err, d, "--site FILE, as it was run");
    return false;
}

/* The runbook as it was asked for. One that has changed will do if what was begun of it has not. */
static bool same_runbook(struct ctx *c, struct taken *t) {
    const char *name = val_get_str(t->first, "runbook", "?"), *asked = val_get_str(t->first, "asked", name), *was = val_get_str(t->first, "digest", "");
    const char *word = asked;
    const size_t len = strlen(asked);
    if (!strcmp(asked, "-")) {
        struct diag *d = err_add(c->err, mark_none(), "no-runbook", "the runbook of the run %s came through a pipe, so there is no text to go on with", t->id);
        diag_hint(c->err, d, "make a new plan from a file");
        return false;
    }
    if (len > 5 && (!strcmp(asked + len - 5, ".yaml") || !strcmp(asked + len - 4, ".yml")))
        word = path_join(c->arena, val_get_str(t->first, "folder", "."), asked);
    if (!runbook_load(&c->loader, word, mark_none(), &t->rb, c->err)) {
        err_while(c->err, NULL, "while looking for the runbook of the run %s", t->id);
        return false;
    }
    if (!strcmp(was, t->rb->digest))
        return true;
    struct run *r = run_new(c->arena, t->id, t->rb);
    const char *which = NULL;
    bool fits = true;
    for (size_t i = 0; fits && i < t->n; i++)
        fits = run_apply(r, t->events[i], err_new(c->arena));
    if (fits && steps_same(c->arena, val_get(t->first, "steps"), r, &which)) {
        out_printf(stderr, "quorate: the runbook %s has changed since, but nothing of what was begun; going on with it as it is now\n", name);
        return true;
    }
    struct diag *d = err_add(c->err, mark_none(), "runbook-changed", "the runbook %s is not the one that was run: %s%s%s", name,
                             which ? "its step '" : "its steps are others", which ? which : "", which ? "' has begun, and was another then" : "");
    diag_note(c->err, d, "SHA-256 then: %s", was);
    diag_note(c->err, d, "SHA-256 now:  %s", t->rb->digest);
    diag_hint(c->err, d, "put the runbook back as it was (--rev COMMIT takes it from git), or make a new plan");
    return false;
}

/* What was bound then counts, but for secrets, which the journal does not hold: those are found as for a new run. */
static bool inputs_again(struct ctx *c, const struct taken *t, const struct val **ret) {
    const struct val *now = NULL, *then = val_get(t->first, "inputs");
    if (!inputs_given(c, t->rb, &now))
        return false;
    struct val *given = val_map_new(c->arena);
    for (size_t i = 0; i < t->rb->ninputs; i++) {
        const char *name = t->rb->inputs[i].name;
        const struct val *v = val_get(input_is_secret(&t->rb->inputs[i]) || !val_get(then, name) ? now : then, name);
        if (v && !val_is_null(v))
            val_map_set(c->arena, given, name, v);
    }
    *ret = given;
    return true;
}

static bool because(struct ctx *c) {
    if (!c->opt.skip.n == !c->opt.because)
        return true;
    err_add(c->err, mark_none(), "usage", c->opt.skip.n ? "--skip wants a reason for the journal: --because WHY" : "--because goes with --skip");
    return false;
}

static const char *const *ended_by_null(struct arena *a, const struct words *w) {
    const char **list = arena_array(a, const char *, w->n + 1);
    if (w->n)
        memcpy(list, w->items, w->n * sizeof *list);
    list[w->n] = NULL;
    return list;
}

static int go_on(struct ctx *c, struct taken *t, struct execution *e) {
    struct plan *plan = arena_new_of(c->arena, struct plan);
    *plan = *t->p.plan;
    plan->lines = planned_lines(c->arena, val_get(t->first, "planned"), &plan->nlines);
    const char *user = user_name();
    struct resume *resume = arena_new_of(c->arena, struct resume);
    *resume = (struct resume){.events = (const struct event *const *)t->events, .n = t->n, .done = ended_by_null(c->arena, &c->opt.done),
                                  .skip = ended_by_null(c->arena, &c->opt.skip),
                                  .because = c->opt.because ? arena_printf(c->arena, "%s (%s)", c->opt.because, user ? user : "?") : NULL};
    e->plan = plan;
    e->state = t->p.state;
    e->resume = resume;
    return execute(c, e);
}

static bool look_again(struct ctx *c, struct taken *t) {
    struct prepare_spec spec = {.ld = &c->loader, .runner = c->runner, .rb = t->rb, .site = c->site_val, .run = c->run_val};
    return credentials_for(c, t->rb) && inputs_again(c, t, &spec.given) && prepare_bind(c->arena, &spec, &t->p, c->err);
}

static int resume(struct ctx *c, struct store *s) {
    struct taken t = {0};
    if (!because(c) || !read_run(c, s, &t) || !same_site(c, &t) || !same_runbook(c, &t) || !git_required(c, t.rb))
        return 0;
    struct execution e = {.store = s, .run_id = t.id, .asker = asker_of(c)};
    int status = lock_begin(c, t.rb, t.id, true, e.asker, &e.lock, &e.locked);
    if (!status && look_again(c, &t)) {
        status = go_on(c, &t, &e);
        prepared_free(&t.p);
    }
    lock_end(c, e.lock);
    return status;
}

int cmd_resume(struct ctx *c) {
    struct store *s = NULL;
    if (!ctx_language(c) || !ctx_world(c, true) || !journal_open(c, JOURNAL_READ, &s))
        return ctx_report(c);
    if (!s)
        return EXIT_INVALID;
    s->ops->close(s);
    if (!journal_open(c, JOURNAL_WRITE, &s))
        return ctx_report(c);
    const int status = resume(c, s);
    s->ops->close(s);
    const bool held = c->err->first && !strcmp(c->err->first->code, "run-held");
    const int told = ctx_report(c);
    return status ? status : held ? EXIT_LOCKED : told;
}
