#include "cmd/lock.h"

#include "ui/out.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

/* ---- taking it ---- */

static void interrupted(void *ud, int signo) {
    (void)signo;
    struct lock_waiting *w = ud;
    w->interrupted = true;
    w->over |= w->asking;
    locker_stop(w->lock);
}

static bool changes(const struct runbook *rb, bool only_actions) {
    for (size_t i = 0; i < rb->nall; i++) {
        const struct step *st = rb->all[i];
        if (st->kind == STEP_ACTION || (st->kind == STEP_COMMAND && !only_actions) || (st->sub && changes(st->sub, only_actions)))
            return true;
    }
    return false;
}

const char *const *lock_inventory(struct ctx *c) {
    const char **names = arena_array(c->arena, const char *, c->site->nnodes + 1);
    size_t n = 0;
    for (size_t i = 0; i < c->site->nnodes; i++)
        if (!c->site->src || c->site->nodes[i].engines[0])
            names[n++] = c->site->nodes[i].name;
    names[n] = NULL;
    return names;
}

struct locker *lock_new(struct ctx *c, const char *const *nodes, const char *run_id, bool resume) {
    const char *user = user_name();
    const struct locker_spec spec = {.loop = c->loop, .wire = lock_wire_engines(c->arena, c->engines), .nodes = nodes, .resume = resume,
                                     .who = {.run = run_id, .user = user ? user : "", .host = lock_own_host(c->arena), .pid = getpid()}};
    return locker_new(c->arena, &spec);
}

static void answered(void *ud, bool yes, const char *how) {
    struct lock_waiting *w = ud;
    w->over = true;
    w->yes = yes;
    w->how = how;
}

static const struct val *names_of(struct ctx *c, const struct lock_answer *answers, size_t n, enum lock_seen seen) {
    struct val *list = val_list_new(c->arena);
    for (size_t i = 0; i < n; i++)
        if (answers[i].seen == seen)
            val_list_add(c->arena, list, val_str(c->arena, answers[i].node));
    return list;
}

static const struct val *silent_of(struct ctx *c, const struct lock_answer *answers, size_t n) {
    struct val *m = val_map_new(c->arena);
    for (size_t i = 0; i < n; i++)
        if (answers[i].seen == LOCK_SILENT)
            val_map_set(c->arena, m, answers[i].node, val_str(c->arena, answers[i].why));
    return m;
}

static const struct val *told(struct ctx *c, const struct locker *k, const char *how) {
    size_t n;
    const struct lock_answer *answers = locker_answers(k, &n);
    struct val *m = val_map_new(c->arena);
    const struct val *on = names_of(c, answers, n, LOCK_OURS), *silent = silent_of(c, answers, n);
    struct buf b = BUF_INIT;
    buf_printf(&b, "held on %zu of %zu engine(s)%s", val_len(on), n, val_len(on) || val_len(silent) ? ": " : "");
    for (size_t i = 0; i < val_len(on); i++)
        lock_add_name(&b, val_cstr(val_at(on, i)), !i);
    for (size_t i = 0; i < val_len(silent); i++) {
        buf_adds(&b, i ? ", " : val_len(on) ? "; silent: " : "silent: ");
        lock_visible(&b, silent->map.pairs[i].key);
    }
    if (how)
        buf_printf(&b, "; lock.minority approved by %s", how);
    val_map_set(c->arena, m, "what", val_str(c->arena, how ? "minority" : "held"));
    val_map_set(c->arena, m, "fence", val_int(c->arena, locker_holder(k)->fence));
    val_map_set(c->arena, m, "on", on);
    if (val_len(silent))
        val_map_set(c->arena, m, "silent", silent);
    if (how)
        val_map_set(c->arena, m, "how", val_str(c->arena, how));
    val_map_set(c->arena, m, "text", val_str(c->arena, b.data));
    buf_done(&b);
    return m;
}

static int refused(struct ctx *c, const struct locker *k, const struct lock_waiting *w) {
    size_t n;
    const struct lock_answer *answers = locker_answers(k, &n);
    struct buf b = BUF_INIT;
    if (w->interrupted) {
        buf_adds(&b, "quorate: interrupted while it took the lock; nothing was changed\n");
    } else {
        buf_adds(&b, "quorate: refused, nothing was changed: another run holds the lock of this cluster\n");
        lock_show_holders(c, answers, n, &b);
        lock_show_way(answers, n, &b);
    }
    lock_say(&b);
    buf_done(&b);
    return w->interrupted ? 130 : EXIT_LOCKED;
}

/* Asks whether to go on without a majority. */
static bool minority(struct ctx *c, const struct locker *k, bool resume, struct asker *asker, struct lock_waiting *w) {
    size_t n;
    const struct lock_answer *answers = locker_answers(k, &n);
    struct buf b = BUF_INIT;
    buf_printf(&b, "Another operator cannot be excluded: the lock is held on %zu of %zu engines of site ", val_len(names_of(c, answers, n, LOCK_OURS)), n);
    lock_visible(&b, c->site->name);
    buf_printf(&b, ", and %zu would be a majority.\n", lock_majority(n));
    lock_show_silent(answers, n, &b);
    buf_adds(&b, "Go on without a majority?");
    const struct question q = {.path = "lock.minority", .text = arena_strdup(c->arena, b.data)};
    if (!c->opt.yes && isatty(STDOUT_FILENO)) { /* no screen has shown it */
        buf_addc(&b, '\n');
        lock_say(&b);
    }
    buf_done(&b);
    w->asking = true;
    asker->ask(asker, &q, answered, w);
    lock_wait(c, w);
    w->asking = false;
    if (w->yes)
        return true;
    b = (struct buf)BUF_INIT;
    if (!isatty(STDIN_FILENO))
        buf_printf(&b, "%s\n", q.text);
    buf_printf(&b, "quorate: refused, nothing was changed: lock.minority was not approved (%s); --yes approves it%s\n", w->how ? w->how : "interrupted",
               resume ? ", or --approve lock.minority" : "");
    lock_say(&b);
    buf_done(&b);
    return false;
}

/* A run that is to be resumed may be alive: then its lock must not be taken from it. Of other machines the journal tells. */
static bool goes_on(struct ctx *c, struct locker *k, struct lock_waiting *w) {
    size_t n;
    locker_look(k, lock_over, w);
    lock_wait(c, w);
    const struct lock_answer *answers = locker_answers(k, &n);
    for (size_t i = 0; i < n; i++) {
        const struct lock_holder *h = &answers[i].holder;
        if (answers[i].seen != LOCK_OTHERS || strcmp(h->run, locker_holder(k)->run) != 0 || lock_process(h) != LOCK_PROCESS_ALIVE)
            continue;
        out_printf(stderr, "quorate: refused, nothing was changed: the run %s goes on in process %lld of this machine\n", locker_holder(k)->run, (long long)h->pid);
        return true;
    }
    return false;
}

int lock_begin(struct ctx *c, const struct runbook *rb, const char *run_id, bool resume, struct asker *asker, struct locker **ret_lock,
               const struct val **ret_told) {
    *ret_lock = NULL;
    *ret_told = NULL;
    const char *const *nodes = lock_inventory(c);
    /* without a site there is one engine, which is only of interest to a runbook whose actions ask it */
    if (!nodes[0] || !c->runner->real || !changes(rb, !c->site->src))
        return 0;
    struct locker *k = lock_new(c, nodes, run_id, resume);
    struct lock_waiting *w = arena_new_of(c->arena, struct lock_waiting); /* the loop keeps the handlers */
    *w = (struct lock_waiting){.lock = k};
    loop_signal(c->loop, SIGINT, interrupted, w);
    loop_signal(c->loop, SIGTERM, interrupted, w);
    if (resume && goes_on(c, k, w))
        return EXIT_LOCKED;
    locker_take(k, lock_over, w);
    lock_wait(c, w);
    if (locker_verdict(k) == LOCK_REFUSED)
        return refused(c, k, w);
    locker_watch(k);
    if (locker_verdict(k) == LOCK_MINORITY && !minority(c, k, resume, asker, w)) {
        lock_end(c, k);
        return w->interrupted ? 130 : EXIT_APPROVAL;
    }
    c->task_world.lock = k;
    *ret_lock = k;
    *ret_told = told(c, k, w->how);
    return 0;
}

void lock_end(struct ctx *c, struct locker *k) {
    if (!k)
        return;
    size_t n;
    const struct lock_answer *answers = locker_answers(k, &n);
    const char *run = locker_holder(k)->run;
    struct lock_waiting w = {.lock = k};
    struct buf b = BUF_INIT;
    if (locker_untouched(k))
        locker_keep(k);
    if (locker_kept(k)) {
        buf_printf(&b, "quorate: the lock stays, since it is not known how the run ended: go on with quorate resume %s, or give it up with quorate unlock %s\n",
                   run, run);
    } else {
        bool first = true;
        locker_release(k, lock_over, &w);
        lock_wait(c, &w);
        for (size_t i = 0; i < n; i++)
            if (locker_left(k, i)) {
                buf_adds(&b, first ? "quorate: the lock could not be given back on " : ", ");
                lock_visible(&b, answers[i].node);
                first = false;
            }
        if (!first)
            buf_printf(&b, "; once it answers: quorate unlock %s\n", run);
    }
    if (b.len)
        lock_say(&b);
    buf_done(&b);
}

int lock_look_again(struct ctx *c, struct prepared *p) {
    struct prepared now;
    bool same;
    if (!prepare_again(c, p, &same, &now))
        return EXIT_INVALID;
    if (same) {
        prepared_free(&now);
        return 0;
    }
    int status = saved_moved_since(c, p, &now);
    const char *why = status ? NULL : plan_refusal(c->arena, now.plan);
    if (why) {
        struct buf b = BUF_INIT;
        buf_adds(&b, "quorate: refused, nothing was changed; it has turned out when the lock was taken: ");
        lock_visible(&b, why);
        buf_addc(&b, '\n');
        lock_say(&b);
        buf_done(&b);
        status = EXIT_REFUSED;
    }
    if (status) {
        prepared_free(&now);
        return status;
    }
    prepared_free(p);
    *p = now;
    return 0;
}
