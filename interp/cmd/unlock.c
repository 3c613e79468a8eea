#include "cmd/lock.h"

#include "ui/asker.h"
#include "ui/out.h"

#include <string.h>
#include <unistd.h>

static bool has(const struct lock_answer *ans, const char *run) {
    return ans->seen == LOCK_OTHERS && !strcmp(ans->holder.run, run);
}

static size_t count(const struct lock_answer *answers, size_t n, const char *run) {
    size_t k = 0;
    for (size_t i = 0; i < n; i++)
        k += run ? has(&answers[i], run) : answers[i].seen == LOCK_OTHERS;
    return k;
}

static void tell(struct ctx *c, const struct lock_answer *answers, size_t n) {
    struct buf b = BUF_INIT;
    size_t free_ones = 0;
    lock_show_holders(c, answers, n, &b);
    for (size_t i = 0; i < n; i++)
        if (answers[i].seen == LOCK_FREE) {
            if (!free_ones)
                buf_adds(&b, "  free: ");
            lock_add_name(&b, answers[i].node, !free_ones++);
        }
    if (free_ones)
        buf_addc(&b, '\n');
    lock_show_silent(answers, n, &b);
    out_printf(stdout, "The lock of site ");
    struct buf head = BUF_INIT;
    lock_visible(&head, c->site->name);
    buf_adds(&head, !count(answers, n, NULL) ? " is free, as far as the engines answer:\n" : ", as the engines tell:\n");
    out_buf(stdout, &head);
    out_buf(stdout, &b);
    buf_done(&head);
    buf_done(&b);
}

static void answered(void *ud, bool yes, const char *how) {
    struct lock_waiting *w = ud;
    w->over = true;
    w->yes = yes;
    w->how = how;
}

static int none_of(const struct lock_answer *answers, size_t n, const char *run) {
    struct buf b = BUF_INIT;
    buf_adds(&b, "quorate: no engine that answers has a lock of the run ");
    lock_visible(&b, run);
    buf_adds(&b, "; nothing was changed\n");
    lock_show_way(answers, n, &b);
    lock_say(&b);
    buf_done(&b);
    return EXIT_INVALID;
}

/* 0: it may be removed. */
static int ask(struct ctx *c, const struct lock_answer *answers, size_t n, const char *run, struct lock_waiting *w) {
    struct buf b = BUF_INIT;
    const struct lock_holder *h = NULL;
    for (size_t i = 0; i < n && !h; i++)
        if (has(&answers[i], run))
            h = &answers[i].holder;
    if (lock_process(h) == LOCK_PROCESS_ALIVE) {
        buf_printf(&b, "quorate: refused, nothing was changed: process %lld of this machine goes on with that run; end it first\n", (long long)h->pid);
        lock_say(&b);
        buf_done(&b);
        return EXIT_LOCKED;
    }
    buf_adds(&b, "Remove the lock of ");
    lock_describe(h, &b);
    buf_adds(&b, "? Only if it will certainly never go on: two that act on one cluster can destroy it.");
    const struct question q = {.path = "unlock", .text = arena_strdup(c->arena, b.data)};
    buf_done(&b);
    if (!c->opt.yes && (isatty(STDOUT_FILENO) || !isatty(STDIN_FILENO))) /* else it is shown where it is asked */
        out_printf(stderr, "%s\n", q.text);
    struct asker *asker = asker_of(c);
    w->over = false;
    asker->ask(asker, &q, answered, w);
    lock_wait(c, w);
    if (w->yes)
        return 0;
    out_printf(stderr, "quorate: nothing was changed: not confirmed (%s)%s\n", w->how, strstr(w->how, "no terminal") ? "; --yes confirms it" : "");
    return EXIT_APPROVAL;
}

static int report(const struct lock_answer *answers, const bool *had, size_t n) {
    struct buf b = BUF_INIT;
    int status = EXIT_DONE;
    for (size_t i = 0; i < n; i++) {
        if (!had[i] && answers[i].seen != LOCK_SILENT)
            continue;
        const bool gone = had[i] && answers[i].seen != LOCK_SILENT;
        lock_visible(&b, answers[i].node);
        if (gone && answers[i].seen == LOCK_FREE) {
            buf_adds(&b, ": removed\n");
        } else if (gone) {
            buf_adds(&b, ": another has it by now: ");
            lock_describe(&answers[i].holder, &b);
            buf_addc(&b, '\n');
        } else {
            buf_adds(&b, had[i] ? ": NOT removed: " : ": silent, so it may still have it: ");
            lock_visible(&b, answers[i].why);
            buf_addc(&b, '\n');
        }
        if (had[i] && answers[i].seen == LOCK_SILENT)
            status = EXIT_STEP;
    }
    out_buf(stdout, &b);
    buf_done(&b);
    return status;
}

static int unlock(struct ctx *c, const char *run) {
    size_t n;
    struct locker *k = lock_new(c, lock_inventory(c), "", false);
    struct lock_waiting *w = arena_new_of(c->arena, struct lock_waiting);
    *w = (struct lock_waiting){.lock = k};
    locker_look(k, lock_over, w);
    lock_wait(c, w);
    const struct lock_answer *answers = locker_answers(k, &n);
    tell(c, answers, n);
    if (!run) {
        struct buf b = BUF_INIT;
        lock_show_way(answers, n, &b);
        lock_say(&b);
        buf_done(&b);
        return count(answers, n, NULL) ? EXIT_LOCKED : EXIT_DONE;
    }
    if (!*run || !count(answers, n, run))
        return none_of(answers, n, run);
    const int status = ask(c, answers, n, run, w);
    if (status)
        return status;
    bool *had = arena_array(c->arena, bool, n + 1);
    for (size_t i = 0; i < n; i++)
        had[i] = has(&answers[i], run);
    locker_break(k, run, lock_over, w);
    lock_wait(c, w);
    return report(answers, had, n);
}

int cmd_unlock(struct ctx *c) {
    if (!ctx_language(c))
        return ctx_report(c);
    ctx_engines(c);
    if (!lock_inventory(c)[0]) {
        out_printf(stderr, "quorate: no node of this site has an engine, so there is no lock\n");
        return EXIT_INVALID;
    }
    return unlock(c, c->argc ? c->argv[0] : NULL);
}
