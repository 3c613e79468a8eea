#include "run/turn.h"

#include "base/clock.h"
#include "plan/explore.h"
#include "run/record.h"
#include "store/spool.h"

#include <assert.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* ---- what happened ---- */

struct happening *happening_new(struct exec *x, struct live *l, void (*handle)(struct exec *, struct happening *)) {
    (void)x;
    struct arena *a = arena_new();
    struct happening *h = arena_new_of(a, struct happening);
    *h = (struct happening){.arena = a, .handle = handle, .live = l};
    return h;
}

void happen(struct exec *x, struct happening *h) {
    *x->inbox_end = h;
    x->inbox_end = &h->next;
    loop_wake(x->spec->loop);
}

static void inbox_handle(struct exec *x) {
    while (x->inbox) {
        struct happening *h = x->inbox;
        x->inbox = h->next;
        if (!x->inbox)
            x->inbox_end = &x->inbox;
        h->handle(x, h);
        arena_free(h->arena);
    }
}

int64_t now_ms(const struct exec *x) {
    return loop_now(x->spec->loop);
}

/* ---- events and commands of a turn ---- */

struct val *fields(struct exec *x) {
    return val_map_new(x->scratch);
}

void field_str(struct exec *x, struct val *m, const char *key, const char *s) {
    if (s)
        val_map_set(x->scratch, m, key, val_str(x->scratch, s));
}

void emit(struct exec *x, enum event_type type, const char *path, int attempt, const struct val *data) {
    struct clock *c = loop_clock(x->spec->loop);
    const struct event *e = event_new(x->arena, type, c->wall_ms(c), path ? arena_strdup(x->arena, path) : NULL, attempt,
                                      data ? val_copy(x->arena, data) : NULL);
    bool ok = run_apply(x->run, e, x->err);
    assert(ok); /* the engine makes only events that fit */
    if (x->nbatch == x->capbatch) {
        x->capbatch = x->capbatch ? x->capbatch * 2 : 32;
        x->batch = mem_realloc(x->batch, x->capbatch * sizeof *x->batch);
    }
    x->batch[x->nbatch++] = e;
}

void later(struct live *l, void (*go)(struct live *l, void *arg), void *arg) {
    struct exec *x = l->x;
    if (x->ncommands == x->capcommands) {
        x->capcommands = x->capcommands ? x->capcommands * 2 : 32;
        x->commands = mem_realloc(x->commands, x->capcommands * sizeof *x->commands);
    }
    x->commands[x->ncommands++] = (struct command){.go = go, .live = l, .arg = arg};
}

struct live *live_of(struct exec *x, struct item *it) {
    struct live *l = map_get(x->lives, it->path);
    if (!l) {
        l = arena_new_of(x->arena, struct live);
        *l = (struct live){.x = x, .item = it};
        map_put(x->lives, it->path, l);
    }
    return l;
}

static void timer_handle(struct exec *x, struct happening *h) {
    (void)x;
    struct live *l = h->live;
    live_fn *next = l->next;
    l->next = NULL;
    if (next)
        next(l);
}

static void timer_fired(void *ud) {
    struct live *l = ud;
    l->timer = 0;
    happen(l->x, happening_new(l->x, l, timer_handle));
}

static void timer_go(struct live *l, void *arg) {
    l->timer = loop_timer(l->x->spec->loop, *(int64_t *)arg, timer_fired, l);
}

void live_timer(struct live *l, int64_t ms, live_fn *next) {
    int64_t *arg = arena_new_of(l->x->arena, int64_t);
    *arg = ms;
    l->next = next;
    later(l, timer_go, arg);
}

void end_item(struct live *l, enum outcome outcome, const struct val *outputs, const char *message, const char *cause) {
    struct exec *x = l->x;
    struct item *it = l->item;
    const struct step_retry *retry = &it->fan->step->retry;
    struct val *d = fields(x);
    field_str(x, d, "outcome", outcome_name(outcome));
    if (outputs)
        val_map_set(x->scratch, d, "outputs", outputs);
    field_str(x, d, "message", message);
    field_str(x, d, "cause", cause);
    if (outcome == OUT_FAILED && it->attempt && it->attempt < retry->attempts && !it->rescuing && !it->claimed && !x->run->stopping) {
        double delay = (double)retry->delay_ms;
        for (int i = 1; i < it->attempt; i++)
            delay *= retry->backoff;
        if (retry->max_delay_ms && delay > (double)retry->max_delay_ms)
            delay = (double)retry->max_delay_ms;
        val_map_set(x->scratch, d, "retry", val_bool(x->scratch, true));
        val_map_set(x->scratch, d, "delay", val_int(x->scratch, (int64_t)delay));
    } else if ((outcome == OUT_FAILED || (outcome == OUT_REFUSED && run_harmless(cause))) && it->fan->step->nrescue && !it->rescuing && !x->run->stopping) {
        val_map_set(x->scratch, d, "rescue", val_bool(x->scratch, true));
    }
    slot_free(l);
    l->outcome = OUT_NONE;
    emit(x, EV_ENDED, it->path, it->attempt, d);
}

/* ---- the turn ---- */

struct commit {
    struct exec *x;
    const struct event **events;
    size_t nevents;
    struct command *commands;
    size_t ncommands;
};

static void carry_out(struct commit *c) {
    struct exec *x = c->x;
    for (size_t i = 0; i < c->nevents; i++)
        for (struct screen **s = x->spec->screens; *s; s++)
            (*s)->event(*s, c->events[i], x->run);
    for (size_t i = 0; i < c->ncommands; i++)
        c->commands[i].go(c->commands[i].live, c->commands[i].arg);
    free(c->events);
    free(c->commands);
    free(c);
}

static const char **printed(struct arena *a, const struct event *const *events, size_t n) {
    const char **texts = arena_array(a, const char *, n + 1);
    for (size_t i = 0; i < n; i++) {
        struct buf b = BUF_INIT;
        event_print(events[i], &b);
        texts[i] = arena_strndup(a, b.data, b.len);
        buf_done(&b);
    }
    return texts;
}

static const char not_begun[] = "the journal failed before it was begun";

/* What the journal did not take is kept on this machine; what cannot be kept either is at least told: how the acts ended. */
static void keep_unrecorded(struct exec *x, const struct event *const *events, size_t n) {
    struct arena *a = arena_new();
    struct err *why = err_new(a);
    if (n && x->spec->runner->real && spool_write(x->run->id, x->recorded, printed(a, events, n), n, why)) {
        if (!x->spooled)
            diag_note(x->err, x->err->last, "what happened from there on is kept in %s; quorate resume %s puts it into the journal", spool_path(x->arena, x->run->id), x->run->id);
        x->spooled = true;
        x->recorded += (int64_t)n;
        n = 0;
    }
    for (size_t i = 0; i < n; i++)
        if (events[i]->type == EV_ACTED && strcmp(val_get_str(events[i]->data, "message", ""), not_begun) != 0)
            diag_note(x->err, x->err->last, "not recorded: '%s' ended: %s", events[i]->path, val_get_str(events[i]->data, "outcome", "?"));
    arena_free(a);
}

/* Acts whose intent may be recorded, and that were not begun: nobody is to be asked about them later. */
static void never_begun(struct exec *x, const struct event *const *events, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const struct item *it = events[i]->type == EV_STARTED ? run_item(x->run, events[i]->path) : NULL;
        if (!it || it->status != ITEM_ACTING || it->fan->step->kind == STEP_WAIT)
            continue;
        struct val *acted = fields(x), *ended = fields(x);
        field_str(x, acted, "outcome", outcome_name(OUT_UNKNOWN));
        field_str(x, acted, "message", not_begun);
        emit(x, EV_ACTED, it->path, it->attempt, acted);
        field_str(x, ended, "outcome", outcome_name(OUT_UNKNOWN));
        field_str(x, ended, "message", not_begun);
        val_map_set(x->scratch, ended, "again", val_bool(x->scratch, true));
        emit(x, EV_ENDED, it->path, it->attempt, ended);
    }
}

static void committed(void *ud, bool ok, const char *message) {
    struct commit *c = ud;
    struct exec *x = c->x;
    x->committing = false;
    if (ok) {
        x->recorded += (int64_t)c->nevents;
        carry_out(c);
        loop_wake(x->spec->loop);
        return;
    }
    /* Nothing of this batch is done. Acts that the runner has already go on to their end, and their results are told below. */
    x->broken = true;
    struct diag *d = err_add(x->err, mark_none(), "journal", "%s", message);
    diag_note(x->err, d, "nothing new was begun after it; what was under way was waited for");
    keep_unrecorded(x, c->events, c->nevents);
    never_begun(x, c->events, c->nevents);
    free(c->events);
    free(c->commands);
    free(c);
}

static void commit(struct exec *x) {
    struct commit *c = mem_alloc(sizeof *c);
    *c = (struct commit){.x = x, .events = x->batch, .nevents = x->nbatch, .commands = x->commands, .ncommands = x->ncommands};
    x->batch = NULL;
    x->commands = NULL;
    x->nbatch = x->capbatch = x->ncommands = x->capcommands = 0;
    if (!c->nevents) {
        carry_out(c);
        return;
    }
    x->committing = true;
    x->spec->store->ops->append(x->spec->store, x->run->id, printed(x->scratch, c->events, c->nevents), c->nevents, committed, c);
}

/* Whether anything is still going on for an item that must end before the run can. */
static bool busy(const struct exec *x) {
    for (struct map_iter it = map_iter(x->lives); map_next(&it);) {
        const struct live *l = it.value;
        if (x->broken || x->interrupts > 1 ? l->in_act : l->in_act || l->acting || l->probes || l->item->status == ITEM_ACTED)
            return true;
    }
    return false;
}

static void turn(struct exec *x) {
    inbox_handle(x);
    if (x->broken) {
        keep_unrecorded(x, x->batch, x->nbatch);
        x->nbatch = 0;
        return;
    }
    advance(x);
    const struct item *root = &x->run->root;
    bool over = root->fans_over == root->nfans || (x->run->stopping && !busy(x));
    if (over && !x->finishing && !x->run->ended) {
        x->finishing = true;
        finish(x);
        advance(x);
    }
    commit(x);
    arena_free(x->scratch);
    x->scratch = arena_new();
}

/* ---- interrupts ---- */

static void cancel_go(struct live *l, void *arg) {
    (void)arg;
    if (l->in_act)
        l->x->spec->runner->ops->cancel(l->x->spec->runner, l->item->path);
}

void run_stop(struct exec *x, const char *why) {
    if (!x->run->stopping) {
        struct val *d = fields(x);
        field_str(x, d, "why", why);
        emit(x, EV_STOPPING, NULL, 0, d);
    }
    for (struct map_iter it = map_iter(x->lives); map_next(&it);) {
        struct live *l = it.value;
        if (l->item->status == ITEM_ACTING && l->item->fan->step->kind == STEP_WAIT)
            wait_stop(l, x->interrupts ? "interrupted" : "the run was stopped");
    }
}

static void interrupt_handle(struct exec *x, struct happening *h) {
    (void)h;
    if (x->run->ended)
        return;
    run_stop(x, "interrupted; what runs may end, again to cancel it");
    for (struct map_iter it = map_iter(x->lives); x->interrupts > 1 && map_next(&it);)
        later(it.value, cancel_go, NULL);
}

static void interrupted(void *ud, int signo) {
    (void)signo;
    struct exec *x = ud;
    x->interrupts++;
    if (x->broken)
        return;
    happen(x, happening_new(x, NULL, interrupt_handle));
}

/* ---- the run ---- */

/* Risks that somebody has accepted by name belong into every report. */
static const struct val *accepted_risks(struct exec *x) {
    const struct explored *e = x->spec->plan->explored;
    struct val *m = fields(x);
    for (size_t i = 0; e && i < e->nbreaches; i++)
        if (e->breaches[i].accepted)
            field_str(x, m, e->breaches[i].rule->name, e->breaches[i].message);
    return val_len(m) ? m : NULL;
}

static bool start(struct exec *x) {
    const struct exec_spec *s = x->spec;
    const struct runbook *rb = s->plan->rb;
    if (s->plan_id ? !s->store->ops->create_from(s->store, s->run_id, s->plan_id, x->err) : !s->store->ops->create(s->store, s->run_id, x->err))
        return false;
    struct val *d = fields(x);
    char library[65];
    library_digest(s->ld->lib, library);
    field_str(x, d, "run", s->run_id);
    field_str(x, d, "runbook", rb->name);
    field_str(x, d, "version", rb->version);
    field_str(x, d, "file", rb->src->name);
    field_str(x, d, "digest", rb->digest);
    field_str(x, d, "library", library);
    field_str(x, d, "site", s->ld->site ? s->ld->site->name : NULL);
    field_str(x, d, "asked", s->asked);
    field_str(x, d, "folder", s->folder);
    val_map_set(x->scratch, d, "planned", planned_record(x->scratch, s->plan));
    val_map_set(x->scratch, d, "steps", steps_record(x->scratch, rb));
    val_map_set(x->scratch, d, "inputs", s->plan->inputs);
    const struct val *attested = val_get(s->run, "attested");
    if (attested)
        val_map_set(x->scratch, d, "attested", attested);
    const struct val *accepted = accepted_risks(x);
    if (accepted)
        val_map_set(x->scratch, d, "accepted", accepted);
    if (s->plan_id) {
        struct val *plan = fields(x);
        field_str(x, plan, "id", s->plan_id);
        field_str(x, plan, "digest", s->plan_digest);
        val_map_set(x->scratch, d, "plan", plan);
    }
    val_map_set(x->scratch, d, "about", s->about);
    val_map_set(x->scratch, d, "real", val_bool(x->scratch, s->runner->real));
    emit(x, EV_RUN_STARTED, NULL, 0, d);
    for (size_t i = 0; i < val_len(accepted); i++) {
        struct val *note = fields(x);
        field_str(x, note, "text", arena_printf(x->scratch, "accepted risk, %s: %s", accepted->map.pairs[i].key, val_cstr(accepted->map.pairs[i].val)));
        emit(x, EV_NOTE, NULL, 0, note);
    }
    for (size_t i = 0; i < rb->nparts; i++) {
        const struct val *v = val_get(s->plan->before, rb->parts[i].name);
        if (!v)
            continue;
        struct val *o = fields(x);
        field_str(x, o, "part", rb->parts[i].name);
        val_map_set(x->scratch, o, "value", v);
        emit(x, EV_OBSERVED, NULL, 0, o);
    }
    return true;
}

static void exec_free(struct exec *x) {
    while (x->inbox) {
        struct happening *h = x->inbox;
        x->inbox = h->next;
        arena_free(h->arena);
    }
    free(x->batch);
    free(x->commands);
    free(x->queue);
    arena_free(x->scratch);
}

int exec_run(struct arena *a, const struct exec_spec *spec, struct err *err) {
    struct exec *x = arena_new_of(a, struct exec);
    *x = (struct exec){.arena = a, .scratch = arena_new(), .spec = spec, .err = err, .run = run_new(a, spec->run_id, spec->plan->rb),
                           .lives = map_new(a), .lines = map_new(a), .asked = map_new(a), .members = map_new(a), .run_val = spec->run};
    x->inbox_end = &x->inbox;
    for (size_t i = 0; i < spec->plan->nlines; i++)
        map_put(x->lines, spec->plan->lines[i].path, &spec->plan->lines[i]);
    loop_signal(spec->loop, SIGINT, interrupted, x);
    loop_signal(spec->loop, SIGTERM, interrupted, x);
    int status = 9;
    if (spec->resume ? resume_start(x) : start(x)) {
        locked_started(x);
        turn(x);
        while (!(x->run->ended && !x->committing)) {
            if (x->broken && !busy(x))
                break;
            if (!loop_once(spec->loop)) {
                err_add(err, mark_none(), "internal", "the run waits for something that nothing will bring about");
                x->broken = true;
                break;
            }
            if (!x->committing)
                turn(x);
        }
        if (x->broken) {
            keep_unrecorded(x, x->batch, x->nbatch);
        } else {
            status = x->run->exit_status;
            for (struct screen **s = spec->screens; *s; s++)
                if ((*s)->done)
                    (*s)->done(*s, x->run);
        }
    }
    locked_ended(x);
    exec_free(x);
    return status;
}

const char *exec_run_id(struct arena *a, struct clock *c) {
    struct buf b = BUF_INIT;
    time_print(&b, c->wall_ms(c)); /* 2026-03-01T12:00:00Z */
    assert(b.len >= 19);
    const char *id = arena_printf(a, "%.4s%.2s%.2s-%.2s%.2s%.2s-%04x", b.data, b.data + 5, b.data + 8, b.data + 11, b.data + 14, b.data + 17,
                                  (unsigned)(c->random(c) & 0xffff));
    buf_done(&b);
    return id;
}
