#include "cmd/lock.h"

#include "base/clock.h"
#include "ui/out.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

/* ---- waiting on the loop ---- */

void lock_over(void *ud) {
    ((struct lock_waiting *)ud)->over = true;
}

void lock_wait(struct ctx *c, struct lock_waiting *w) {
    while (!w->over && loop_once(c->loop))
        ;
    w->over = false;
}

/* ---- words ---- */

void lock_visible(struct buf *b, const char *s) {
    buf_add_visible(b, s, strlen(s));
}

void lock_say(const struct buf *b) {
    fflush(stdout);
    out_buf(stderr, b);
}

void lock_add_name(struct buf *b, const char *name, bool first) {
    buf_adds(b, first ? "" : ", ");
    lock_visible(b, name);
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

const char *lock_own_host(struct arena *a) {
    char host[256] = "?";
    gethostname(host, sizeof host - 1);
    return arena_strdup(a, host);
}

/* The program that a process runs; "" if that cannot be told. */
static const char *program_of(struct arena *a, int64_t pid) {
    char path[4096];
    const ssize_t n = readlink(arena_printf(a, "/proc/%lld/exe", (long long)pid), path, sizeof path - 1);
    return n > 0 ? arena_strndup(a, path, (size_t)n) : "";
}

/* A number is given again to other processes; one that runs this program is taken for the holder. */
enum lock_process lock_process(const struct lock_holder *h) {
    struct arena *a = arena_new();
    enum lock_process p = LOCK_PROCESS_ELSEWHERE;
    if (*h->host && !strcmp(h->host, lock_own_host(a)) && h->pid > 0 && h->pid <= INT32_MAX) {
        const bool gone = kill((pid_t)h->pid, 0) && errno == ESRCH;
        const char *program = program_of(a, h->pid), *own = program_of(a, getpid());
        p = gone || (*program && strcmp(program, own) != 0) ? LOCK_PROCESS_GONE : LOCK_PROCESS_ALIVE;
    }
    arena_free(a);
    return p;
}

/* Each holder once, with the nodes that say so. */
void lock_show_holders(struct ctx *c, const struct lock_answer *answers, size_t n, struct buf *b) {
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
                lock_add_name(b, answers[j].node, first);
                first = false;
            }
        buf_addc(b, '\n');
        if (lock_process(&answers[i].holder) == LOCK_PROCESS_GONE)
            buf_printf(b, "    its process %lld is gone from this machine\n", (long long)answers[i].holder.pid);
    }
}

void lock_show_silent(const struct lock_answer *answers, size_t n, struct buf *b) {
    for (size_t i = 0; i < n; i++) {
        if (answers[i].seen != LOCK_SILENT)
            continue;
        buf_adds(b, "  silent: ");
        lock_visible(b, answers[i].node);
        buf_adds(b, ": ");
        lock_visible(b, answers[i].why);
        buf_addc(b, '\n');
    }
}

void lock_show_way(const struct lock_answer *answers, size_t n, struct buf *b) {
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
    lock_visible(b, run);
    buf_adds(b, " (where its journal is). If it will certainly never go on: quorate unlock ");
    lock_visible(b, run);
    buf_addc(b, '\n');
}
