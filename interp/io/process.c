#include "io/process.h"

#include "base/arena.h"
#include "base/redact.h"
#include "io/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const size_t default_output = 1 << 20;
static const int64_t default_grace_ms = 5000;
static const int64_t linger_ms = 500; /* what a child left behind may hold its streams open */
enum { line_max = 16384 }; /* a longer line is handed on in pieces */

struct stream {
    struct process *process;
    int fd; /* -1: closed */
    struct loop_fd *watch;
    struct buf text, line;
    bool is_err;
};

/* A child that has exited is reaped last of all: until then its process group cannot become somebody else's. */
struct process {
    struct loop *loop;
    struct loop_guest guest;
    struct process_spec spec; /* argv, env, cwd, input and paths are not kept */
    pid_t pid;
    struct loop_child child;
    struct stream out, err;
    int in;
    struct loop_fd *in_watch;
    char *input;
    size_t input_len, written;
    uint64_t timeout, kill_timer, linger;
    bool exited, timed_out, cancelled;
    int status;
    char error[256]; /* why it could not be started */
};

/* ---- the end ---- */

static void maybe_done(struct process *p);

static void close_stream(struct stream *s) {
    if (s->fd < 0)
        return;
    loop_fd_stop(s->watch);
    close(s->fd);
    s->fd = -1;
    if (s->line.len && s->process->spec.line)
        s->process->spec.line(s->process->spec.ud, s->is_err, s->line.data, s->line.len);
    buf_clear(&s->line);
}

static void close_input(struct process *p) {
    if (p->in < 0)
        return;
    loop_fd_stop(p->in_watch);
    close(p->in);
    p->in = -1;
}

static void process_free(struct process *p) {
    loop_leave(p->loop, &p->guest);
    loop_timer_stop(p->loop, p->timeout);
    loop_timer_stop(p->loop, p->kill_timer);
    loop_timer_stop(p->loop, p->linger);
    if (p->pid && !p->exited)
        loop_child_stop(p->loop, &p->child);
    buf_done(&p->out.text);
    buf_done(&p->err.text);
    buf_done(&p->out.line);
    buf_done(&p->err.line);
    free(p->input);
    free(p);
}

static void reap(struct process *p) {
    while (waitpid(p->pid, &p->status, 0) < 0 && errno == EINTR) {
    }
}

static void finish(struct process *p) {
    close_stream(&p->out);
    close_stream(&p->err);
    close_input(p);
    if (p->timed_out || p->cancelled)
        kill(-p->pid, SIGKILL); /* whoever of its group is left */
    reap(p);
    const struct process_result r = {.exit_status = WIFEXITED(p->status) ? WEXITSTATUS(p->status) : -1,
                                     .signal = WIFSIGNALED(p->status) ? WTERMSIG(p->status) : 0, .timed_out = p->timed_out,
                                     .cancelled = p->cancelled, .out = p->out.text, .err = p->err.text};
    if (p->spec.done)
        p->spec.done(p->spec.ud, &r);
    process_free(p);
}

void process_drop(struct process *p) {
    p->spec.line = NULL;
    close_stream(&p->out);
    close_stream(&p->err);
    close_input(p);
    if (p->pid) {
        kill(-p->pid, SIGKILL);
        reap(p);
    }
    process_free(p);
}

static void on_gone(void *ud) {
    process_drop(ud);
}

static void read_rest(struct stream *s);

/* A grandchild may hold the streams open for ever: once the child is gone they get a moment to end. */
static void on_linger(void *ud) {
    struct process *p = ud;
    p->linger = 0;
    read_rest(&p->out);
    read_rest(&p->err);
    finish(p);
}

/* On the ladder the rest of the group keeps its grace, as long as it shows that it is there by an open stream. */
static void maybe_done(struct process *p) {
    if (!p->exited)
        return;
    if (p->out.fd < 0 && p->err.fd < 0)
        finish(p);
    else if (!p->kill_timer && !p->linger)
        p->linger = loop_timer(p->loop, linger_ms, on_linger, p);
}

static void on_child_exit(void *ud) {
    struct process *p = ud;
    p->exited = true;
    loop_timer_stop(p->loop, p->timeout);
    p->timeout = 0;
    close_input(p);
    maybe_done(p);
}

/* ---- streams ---- */

/* What is left for the next piece: the beginning of a secret, perhaps, which nobody could find in two halves. */
static void line_keep(struct buf *line, size_t keep) {
    struct buf rest = BUF_INIT;
    buf_add(&rest, line->data + line->len - keep, keep);
    buf_clear(line);
    buf_add(line, rest.data, rest.len);
    buf_done(&rest);
}

static void take_lines(struct stream *s, const char *data, size_t len) {
    struct process *p = s->process;
    if (!p->spec.line)
        return;
    while (len) {
        const char *nl = memchr(data, '\n', len);
        size_t n = nl ? (size_t)(nl - data) : len;
        buf_add(&s->line, data, n);
        if (nl || s->line.len >= line_max) {
            const size_t keep = nl ? 0 : redact_tail(s->line.data, s->line.len);
            if (nl || s->line.len > keep)
                p->spec.line(p->spec.ud, s->is_err, s->line.data, s->line.len - keep);
            line_keep(&s->line, keep);
        }
        n += nl ? 1 : 0;
        data += n;
        len -= n;
    }
}

/* Reads once. false if nothing more will come, or nothing is there now. */
static bool read_some(struct stream *s, bool *ret_ended) {
    char block[16384];
    const ssize_t n = read(s->fd, block, sizeof block);
    *ret_ended = n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
    if (n <= 0)
        return false;
    const size_t room = s->text.max - s->text.len;
    if ((size_t)n > room) { /* what fits is kept */
        buf_add(&s->text, block, room);
        s->text.len -= redact_tail(s->text.data, s->text.len);
        s->text.data[s->text.len] = 0;
        s->text.over = true;
    } else if (!s->text.over) {
        buf_add(&s->text, block, (size_t)n);
    }
    take_lines(s, block, (size_t)n);
    return true;
}

/* What was written before the child ended; whoever goes on writing is not waited for. */
static void read_rest(struct stream *s) {
    bool ended = s->fd < 0;
    for (int i = 0; i < 64 && !ended && read_some(s, &ended); i++) {
    }
}

static void on_readable(void *ud, unsigned events) {
    (void)events;
    struct stream *s = ud;
    bool ended;
    read_some(s, &ended);
    if (ended) {
        close_stream(s);
        maybe_done(s->process);
    }
}

static void on_writable(void *ud, unsigned events) {
    (void)events;
    struct process *p = ud;
    const ssize_t n = write(p->in, p->input + p->written, p->input_len - p->written);
    if (n > 0)
        p->written += (size_t)n;
    if (p->written == p->input_len || (n < 0 && errno != EAGAIN && errno != EINTR))
        close_input(p);
}

static void stream_start(struct process *p, struct stream *s, int fd, bool is_err, size_t max) {
    *s = (struct stream){.process = p, .fd = fd, .is_err = is_err};
    buf_init(&s->text, max);
    buf_init(&s->line, 0);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    s->watch = loop_fd_watch(p->loop, fd, LOOP_READ, on_readable, s);
}

/* ---- the ladder ---- */

static void on_kill(void *ud) {
    struct process *p = ud;
    p->kill_timer = 0;
    kill(-p->pid, SIGKILL);
    maybe_done(p);
}

static void end_group(struct process *p) {
    if (p->kill_timer)
        return;
    kill(-p->pid, SIGTERM);
    kill(-p->pid, SIGCONT);
    p->kill_timer = loop_timer(p->loop, p->spec.grace_ms, on_kill, p);
}

static void on_timeout(void *ud) {
    struct process *p = ud;
    p->timeout = 0;
    p->timed_out = true;
    end_group(p);
}

void process_cancel(struct process *p) {
    if (p->exited || !p->pid)
        return; /* its end is on the way */
    p->cancelled = true;
    end_group(p);
}

int process_pid(const struct process *p) {
    return p->pid;
}

/* ---- the start ---- */

static void never_started(void *ud) {
    struct process *p = ud;
    const struct process_result r = {.error = p->error, .exit_status = -1, .out = p->out.text, .err = p->err.text};
    if (p->spec.done)
        p->spec.done(p->spec.ud, &r);
    process_free(p);
}

struct process *process_start(struct loop *l, const struct process_spec *spec) {
    struct process *p = mem_alloc(sizeof *p);
    *p = (struct process){.loop = l, .spec = *spec, .in = -1};
    if (!p->spec.max_output)
        p->spec.max_output = default_output;
    if (!p->spec.grace_ms)
        p->spec.grace_ms = default_grace_ms;
    buf_init(&p->out.text, 0);
    buf_init(&p->err.text, 0);
    buf_init(&p->out.line, 0);
    buf_init(&p->err.line, 0);
    p->out.fd = p->err.fd = -1;
    p->guest = (struct loop_guest){.gone = on_gone, .ud = p};
    loop_join(l, &p->guest);
    struct spawned c;
    if (!spawn_start(spec, &c, p->error, sizeof p->error)) {
        p->timeout = loop_timer(l, 0, never_started, p);
        return p;
    }
    p->pid = c.pid;
    p->spec.argv = p->spec.env = NULL;
    p->spec.cwd = p->spec.input = p->spec.in_path = p->spec.out_path = NULL;
    p->child = (struct loop_child){.pid = p->pid, .fn = on_child_exit, .ud = p};
    loop_child_watch(l, &p->child);
    if (c.out >= 0)
        stream_start(p, &p->out, c.out, false, p->spec.max_output);
    stream_start(p, &p->err, c.err, true, p->spec.max_output);
    if (c.in >= 0) {
        p->input = mem_alloc(spec->input_len);
        memcpy(p->input, spec->input, spec->input_len);
        p->input_len = spec->input_len;
        p->in = c.in;
        fcntl(p->in, F_SETFL, O_NONBLOCK);
        p->in_watch = loop_fd_watch(l, p->in, LOOP_WRITE, on_writable, p);
    }
    if (p->spec.timeout_ms > 0)
        p->timeout = loop_timer(l, p->spec.timeout_ms, on_timeout, p);
    return p;
}
