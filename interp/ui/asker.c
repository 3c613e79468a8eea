#include "ui/asker.h"

#include "base/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

struct ui_asker {
    struct asker asker;
    struct loop *loop;
    bool yes;
};

struct asking {
    struct ui_asker *ui;
    struct question q;
    char *prompt, line[64];
    bool got;
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

/* On another thread: the loop goes on while a person thinks. */
static void read_answer(void *ud) {
    struct asking *k = ud;
    fputs(k->prompt, stderr);
    fflush(stderr);
    k->got = fgets(k->line, sizeof k->line, stdin) != NULL;
}

static void read_done(void *ud) {
    struct asking *k = ud;
    k->line[strcspn(k->line, "\r\n")] = 0;
    k->done(k->ud, k->got && !strcmp(k->line, "yes"), k->got ? "terminal" : "the terminal was closed");
    free(k->prompt);
    free(k);
}

static void ask(struct asker *a, const struct question *q, answer_fn *done, void *ud) {
    struct ui_asker *ui = (struct ui_asker *)a;
    struct asking *k = mem_alloc(sizeof *k);
    *k = (struct asking){.ui = ui, .q = *q, .done = done, .ud = ud};
    if (ui->yes && !q->attest) {
        loop_timer(ui->loop, 0, at_once_yes, k);
    } else if (!isatty(STDIN_FILENO)) {
        loop_timer(ui->loop, 0, at_once_no, k);
    } else {
        struct buf b = BUF_INIT;
        buf_addc(&b, '\n');
        buf_add_visible(&b, q->text, strlen(q->text));
        buf_adds(&b, "\nType yes to go on, anything else to stop: ");
        k->prompt = mem_strdup(b.data);
        buf_done(&b);
        loop_work(ui->loop, read_answer, read_done, k);
    }
}

struct asker *asker_new(struct arena *a, struct loop *l, bool yes) {
    struct ui_asker *ui = arena_new_of(a, struct ui_asker);
    *ui = (struct ui_asker){.asker = {.ask = ask}, .loop = l, .yes = yes};
    return &ui->asker;
}

char *asker_secret(struct arena *a, const char *prompt) {
    struct termios old, quiet;
    if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &old))
        return NULL;
    quiet = old;
    quiet.c_lflag &= (tcflag_t)~ECHO;
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
    fprintf(stderr, "%s: ", prompt);
    char line[1024];
    bool got = fgets(line, sizeof line, stdin) != NULL;
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &old);
    fputc('\n', stderr);
    char *s = NULL;
    if (got) {
        line[strcspn(line, "\r\n")] = 0;
        s = arena_strdup(a, line);
    }
    explicit_bzero(line, sizeof line);
    return s;
}
