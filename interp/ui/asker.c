#include "ui/asker.h"

#include "base/err.h"
#include "ui/out.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

struct asking;

struct ui_asker {
    struct asker asker;
    struct loop *loop;
    bool yes;
    const char *const *approved;
    size_t napproved;
    struct asking *first, **end; /* questions for the terminal: the first is on it, the others wait */
};

struct asking {
    struct asking *next;
    struct ui_asker *ui;
    struct question q;
    struct loop_fd *watch; /* of the terminal, while a person thinks */
    answer_fn *done;
    void *ud;
};

static void at_once_no(void *ud) {
    struct asking *k = ud;
    k->done(k->ud, false, k->q.attest ? "an attestation is needed and there is no terminal to ask on: --attest NAME" : "no terminal to ask on");
    free(k);
}

static void at_once_yes(void *ud) {
    struct asking *k = ud;
    k->done(k->ud, true, "--yes");
    free(k);
}

static void at_once_approved(void *ud) {
    struct asking *k = ud;
    k->done(k->ud, true, "--approve");
    free(k);
}

static bool is_approved(const struct ui_asker *ui, const char *path) {
    for (size_t i = 0; i < ui->napproved; i++)
        if (!strcmp(ui->approved[i], path))
            return true;
    return false;
}

static void put_question(struct asking *k);

/* The terminal hands over whole lines. The loop goes on meanwhile, so that an interrupt ends the waiting. */
static void on_line(void *ud, unsigned events) {
    (void)events;
    struct asking *k = ud;
    struct ui_asker *ui = k->ui;
    char line[64];
    const ssize_t n = read(STDIN_FILENO, line, sizeof line - 1);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    loop_fd_stop(k->watch);
    ui->first = k->next;
    if (!ui->first)
        ui->end = &ui->first;
    line[n > 0 ? n : 0] = 0;
    line[strcspn(line, "\r\n")] = 0;
    const bool yes = n > 0 && !strcmp(line, "yes"), no = k->q.fact && n > 0 && !strcmp(line, "no");
    k->done(k->ud, yes, yes ? "terminal" : no ? ANSWER_NO : n > 0 ? "denied on the terminal" : "the terminal was closed");
    free(k);
    if (ui->first)
        put_question(ui->first);
}

static void put_question(struct asking *k) {
    struct buf b = BUF_INIT;
    if (!isatty(STDOUT_FILENO)) { /* else the screen has just shown the question */
        buf_add_lines(&b, k->q.text, strlen(k->q.text), 2);
        buf_addc(&b, '\n');
    }
    buf_printf(&b, k->q.fact ? "%s: type yes if it did, no if it did not, anything else to stop: " : "%s: type yes to go on, anything else to stop: ", k->q.path);
    tcflush(STDIN_FILENO, TCIFLUSH); /* what was typed before the question is no answer to it */
    out_adds(stderr, b.data);
    fflush(stderr);
    buf_done(&b);
    k->watch = loop_fd_watch(k->ui->loop, STDIN_FILENO, LOOP_READ, on_line, k);
}

static void ask(struct asker *a, const struct question *q, answer_fn *done, void *ud) {
    struct ui_asker *ui = (struct ui_asker *)a;
    struct asking *k = mem_alloc(sizeof *k);
    *k = (struct asking){.ui = ui, .q = *q, .done = done, .ud = ud};
    const bool approval = !q->attest && !q->fact;
    if (approval && (ui->yes || is_approved(ui, q->path))) {
        loop_timer(ui->loop, 0, ui->yes ? at_once_yes : at_once_approved, k);
        return;
    }
    if (!isatty(STDIN_FILENO)) {
        loop_timer(ui->loop, 0, at_once_no, k);
        return;
    }
    const bool busy = ui->first != NULL;
    *ui->end = k;
    ui->end = &k->next;
    if (!busy)
        put_question(k);
}

struct asker *asker_new(struct arena *a, struct loop *l, bool yes, const char *const *approved, size_t n) {
    struct ui_asker *ui = arena_new_of(a, struct ui_asker);
    *ui = (struct ui_asker){.asker = {.ask = ask}, .loop = l, .yes = yes, .approved = approved, .napproved = n};
    ui->end = &ui->first;
    return &ui->asker;
}

/* Past the buffer of stdio, which would keep it. An interrupt ends the line, so that the echo is back before it is acted upon. */
char *asker_secret(const char *prompt) {
    enum { max = 4096 };
    struct termios old, quiet;
    if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &old))
        return NULL;
    const char interrupt = (char)old.c_cc[VINTR];
    quiet = old;
    quiet.c_lflag &= (tcflag_t) ~(ECHO | ISIG);
    quiet.c_cc[VEOL] = old.c_cc[VINTR];
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
    fflush(stdout);
    out_printf(stderr, "%s: ", prompt);
    fflush(stderr);
    char *line = mem_alloc(max);
    ssize_t n;
    while ((n = read(STDIN_FILENO, line, max - 1)) < 0 && errno == EINTR) {
    }
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &old);
    out_adds(stderr, "\n");
    const bool stopped = n > 0 && line[n - 1] == interrupt;
    if (n <= 0 || stopped) {
        explicit_bzero(line, max);
        free(line);
        if (stopped)
            raise(SIGINT);
        return NULL;
    }
    line[strcspn(line, "\r\n")] = 0;
    return line;
}
