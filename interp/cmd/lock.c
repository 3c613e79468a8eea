#include "cmd/cmd.h"

#include "base/clock.h"
#include "ui/asker.h"
#include "ui/out.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- waiting on the loop ---- */

struct waiting {
    struct locker *lock;
    bool over, interrupted;
    bool asking; /* a person, who is not waited for after an interrupt */
    bool yes;
    const char *how;
};

static void over(void *ud) {
    ((struct waiting *)ud)->over = true;
}

static void interrupted(void *ud, int signo) {
    (void)signo;
    struct waiting *w = ud;
    w->interrupted = true;
    w->over |= w->asking;
    locker_stop(w->lock);
}

static void wait_for(struct ctx *c, struct waiting *w) {
    while (!w->over && loop_once(c->loop))
        ;
    w->over = false;
}

/* ---- words ---- */

static void visible(struct buf *b, const char *s) {
    buf_add_visible(b, s, strlen(s));
}

static void say(const struct buf *b) {
    fflush(stdout);
    out_buf(stderr, b);
}

static void add_name(struct buf *b, const char *name, bool first) {
    buf_adds(b, first ? "" : ", ");
    visible(b, name);
}

static bool same_holder(const struct lock_holder *a, const struct lock_holder *b) {
    return !strcmp(a->run, b->run) && !strcmp(a->token, b->token);
}

static void age(struct ctx *c, const struct lock_holder *h, struct buf *b) {
    const int64_t ms = c->clock->wall_ms(c->clock) - h->since;
    if (!h->since || ms < 0)
        return;
    buf_adds(b, ", for ");
    duration_print(b, ms / 1000 * 1000);
}

static const char *own_host(struct arena *a) {
    char host[256] = "?";
    gethostname(host, sizeof host - 1);
    return arena_strdup(a, host);
}

/* Of a holder on this machine: whether its process is gone. */
static bool is_dead(const struct lock_holder *h) {
    struct arena *a = arena_new();
    const bool here = *h->host && !strcmp(h->host, own_host(a));
    arena_free(a);
    return here && h->pid > 0 && kill((pid_t)h->pid, 0) && errno == ESRCH;
}

/* Each holder once, with the nodes that say so. */
static void tell_holders(struct ctx *c, const struct lock_answer *answers, size_t n, struct buf *b) {
    for (size_t i = 0; i < n; i++) {
        bool told = answers[i].seen != LOCK_OTHERS, first = true;
        for (size_t j = 0; j < i && !told; j++)
            told = answers[j].seen == LOCK_OTHERS && same_holder(&answers[i].holder, &answers[j].holder);
        if (told)
            continue;
        buf_adds(b, "  ");
        lock_describe(&answers[i].holder, b);
        age(c, &answers[i].holder, b);
        buf_adds(b, "; on ");
        for (size_t j = i; j < n; j++)
            if (answers[j].seen == LOCK_OTHERS && same_holder(&answers[i].holder, &answers[j].holder)) {
                add_name(b, answers[j].node, first);
                first = false;
            }
        buf_addc(b, '\n');
        if (is_dead(&answers[i].holder))
            buf_printf(b, "    process %lld is gone from this machine\n", (long long)answers[i].holder.pid);
    }
}

static void tell_silent(const struct lock_answer *answers, size_t n, struct buf *b) {
    for (size_t i = 0; i < n; i++) {
        if (answers[i].seen != LOCK_SILENT)
            continue;
        buf_adds(b, "  silent: ");
        visible(b, answers[i].node);
        buf_adds(b, ": ");
        visible(b, answers[i].why);
        buf_addc(b, '\n');
    }
}

static void tell_what_to_do(const struct lock_answer *answers, size_t n, struct buf *b) {
    const char *run = NULL;
    for (size_t i = 0; i < n && !run; i++)
        if (answers[i].seen == LOCK_OTHERS)
            run = answers[i].holder.run;
    if (!run)
        return;
    if (!*run) {
        buf_adds(b, "Nobody knows whose volume that is; if it is nobody's: docker volume rm " LOCK_VOLUME "\n");
        return;
    }
    buf_adds(b, "What it does: quorate show ");
    visible(b, run);
    buf_adds(b, " (where its journal is). If it will certainly never go on: quorate unlock ");
    visible(b, run);
    buf_addc(b, '\n');
}

/* ---- taking it ---- */

static bool changes(const struct runbook *rb, bool only_actions) {
    for (size_t i = 0; i < rb->nall; i++) {
        const struct step *st = rb->all[i];
        if (st->kind == STEP_ACTION || (st->kind == STEP_COMMAND && !only_actions) || (st->sub && changes(st->sub, only_actions)))
            return true;
    }
    return false;
}

/* The nodes that have an engine. Without a site there is one, which is only of interest to a runbook whose actions ask it. */
static const char *const *inventory(struct ctx *c, const struct runbook *rb) {
    const char **names = arena_array(c->arena, const char *, c->site->nnodes + 1);
    size_t n = 0;
    for (size_t i = 0; i < c->site->nnodes; i++)
        if (!c->site->src || c->site->nodes[i].engines[0])
            names[n++] = c->site->nodes[i].name;
    names[n] = NULL;
    return n && c->runner->real && (!rb || changes(rb, !c->site->src)) ? names : NULL;
}

static struct locker *make(struct ctx *c, const char *const *nodes, const char *run_id, bool resume) {
    const char *user = getenv("SUDO_USER") ? getenv("SUDO_USER") : getenv("USER");
    const struct locker_spec spec = {.loop = c->loop, .wire = lock_wire_engines(c->arena, c->engines), .nodes = nodes, .resume = resume,
                                     .who = {.run = run_id, .user = user ? user : "", .host = own_host(c->arena), .pid = getpid()}};
    return locker_new(c->arena, &spec);
}

static void answered(void *ud, bool yes, const char *how) {
    struct waiting *w = ud;
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
        add_name(&b, val_cstr(val_at(on, i)), !i);
    for (size_t i = 0; i < val_len(silent); i++) {
        buf_adds(&b, i ? ", " : val_len(on) ? "; silent: " : "silent: ");
        visible(&b, silent->map.pairs[i].key);
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

static int refused(struct ctx *c, const struct locker *k, const struct waiting *w) {
    size_t n;
    const struct lock_answer *answers = locker_answers(k, &n);
    struct buf b = BUF_INIT;
    if (w->interrupted) {
        buf_adds(&b, "quorate: interrupted while it took the lock; nothing was changed\n");
    } else {
        buf_adds(&b, "quorate: refused, nothing was changed: another run holds the lock of this cluster\n");
        tell_holders(c, answers, n, &b);
        tell_what_to_do(answers, n, &b);
    }
    say(&b);
    buf_done(&b);
    return w->interrupted ? 130 : EXIT_LOCKED;
}

/* Asks whether to go on without a majority. */
static bool minority(struct ctx *c, const struct locker *k, struct asker *asker, struct waiting *w) {
    size_t n;
    const struct lock_answer *answers = locker_answers(k, &n);
    struct buf b = BUF_INIT;
    buf_printf(&b, "Another operator cannot be excluded: the lock is held on %zu of %zu engines of site ", val_len(names_of(c, answers, n, LOCK_OURS)), n);
    visible(&b, c->site->name);
    buf_printf(&b, ", and %zu would be a majority.\n", lock_majority(n));
    tell_silent(answers, n, &b);
    buf_adds(&b, "Go on without a majority?");
    const struct question q = {.path = "lock.minority", .text = arena_strdup(c->arena, b.data)};
    if (!c->opt.yes && isatty(STDOUT_FILENO)) { /* no screen has shown it */
        buf_addc(&b, '\n');
        say(&b);
    }
    buf_done(&b);
    w->asking = true;
    asker->ask(asker, &q, answered, w);
    wait_for(c, w);
    w->asking = false;
    if (w->yes)
        return true;
    b = (struct buf)BUF_INIT;
    if (!isatty(STDIN_FILENO))
        buf_printf(&b, "%s\n", q.text);
    buf_printf(&b, "quorate: refused, nothing was changed: lock.minority was not approved (%s); --yes approves it\n", w->how ? w->how : "interrupted");
    say(&b);
    buf_done(&b);
    return false;
}

int lock_begin(struct ctx *c, const struct runbook *rb, const char *run_id, bool resume, struct asker *asker, struct locker **ret_lock,
               const struct val **ret_told) {
    *ret_lock = NULL;
    *ret_told = NULL;
    const char *const *nodes = inventory(c, rb);
    if (!nodes)
        return 0;
    struct locker *k = make(c, nodes, run_id, resume);
    struct waiting *w = arena_new_of(c->arena, struct waiting); /* the loop keeps the handlers */
    *w = (struct waiting){.lock = k};
    loop_signal(c->loop, SIGINT, interrupted, w);
    loop_signal(c->loop, SIGTERM, interrupted, w);
    locker_take(k, over, w);
    wait_for(c, w);
    if (locker_verdict(k) == LOCK_REFUSED)
        return refused(c, k, w);
    locker_watch(k);
    if (locker_verdict(k) == LOCK_MINORITY && !minority(c, k, asker, w)) {
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
    struct waiting w = {.lock = k};
    struct buf b = BUF_INIT;
    if (locker_kept(k)) {
        buf_printf(&b, "quorate: the lock stays, since it is not known how the run ended: go on with quorate resume %s, or give it up with quorate unlock %s\n",
                   run, run);
    } else {
        bool first = true;
        locker_release(k, over, &w);
        wait_for(c, &w);
        for (size_t i = 0; i < n; i++)
            if (locker_left(k, i)) {
                buf_adds(&b, first ? "quorate: the lock could not be given back on " : ", ");
                visible(&b, answers[i].node);
                first = false;
            }
        if (!first)
            buf_printf(&b, "; once it answers: quorate unlock %s\n", run);
    }
    if (b.len)
        say(&b);
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
        visible(&b, why);
        buf_addc(&b, '\n');
        say(&b);
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
