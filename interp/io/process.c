#define _GNU_SOURCE /* pipe2, execvpe, environ */
#include "io/process.h"

#include "base/arena.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static const size_t default_output = 1 << 20;
static const int64_t default_grace_ms = 5000;
enum { line_max = 16384 }; /* a longer line is handed on in pieces */

struct stream {
    struct process *process;
    int fd; /* -1: closed */
    struct loop_fd *watch;
    struct buf text, line;
    bool is_err;
};

struct process {
    struct loop *loop;
    struct process_spec spec; /* argv, env, cwd and input are not kept */
    pid_t pid;
    int pidfd;
    struct loop_fd *exit_watch;
    struct stream out, err;
    int in;
    struct loop_fd *in_watch;
    char *input;
    size_t input_len, written;
    uint64_t timeout, kill_timer;
    bool exited, timed_out, cancelled;
    int status;
    const char *error;
    char error_text[128];
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
    buf_done(&p->out.text);
    buf_done(&p->err.text);
    buf_done(&p->out.line);
    buf_done(&p->err.line);
    free(p->input);
    free(p);
}

static void finish(struct process *p) {
    loop_timer_stop(p->loop, p->timeout);
    loop_timer_stop(p->loop, p->kill_timer);
    close_stream(&p->out);
    close_stream(&p->err);
    close_input(p);
    loop_fd_stop(p->exit_watch);
    if (p->pidfd >= 0)
        close(p->pidfd);
    const struct process_result r = {.error = p->error, .exit_status = WIFEXITED(p->status) ? WEXITSTATUS(p->status) : -1,
                                     .signal = WIFSIGNALED(p->status) ? WTERMSIG(p->status) : 0, .timed_out = p->timed_out,
                                     .cancelled = p->cancelled, .out = p->out.text, .err = p->err.text};
    if (p->spec.done)
        p->spec.done(p->spec.ud, &r);
    process_free(p);
}

/* A grandchild may hold the streams open for ever: once the child is gone they get a moment to end. */
static void streams_late(void *ud) {
    struct process *p = ud;
    p->kill_timer = 0;
    close_stream(&p->out);
    close_stream(&p->err);
    maybe_done(p);
}

static void maybe_done(struct process *p) {
    if (!p->exited)
        return;
    if (p->out.fd < 0 && p->err.fd < 0)
        finish(p);
    else if (!p->kill_timer)
        p->kill_timer = loop_timer(p->loop, 500, streams_late, p);
}

static void on_exit_event(void *ud, unsigned events) {
    (void)events;
    struct process *p = ud;
    if (p->exited || waitpid(p->pid, &p->status, WNOHANG) != p->pid)
        return;
    p->exited = true;
    loop_fd_stop(p->exit_watch);
    p->exit_watch = NULL;
    loop_timer_stop(p->loop, p->timeout);
    loop_timer_stop(p->loop, p->kill_timer);
    p->kill_timer = 0;
    if (p->timed_out || p->cancelled)
        kill(-p->pid, SIGKILL); /* whoever of its group is left */
    close_input(p);
    maybe_done(p);
}

/* ---- streams ---- */

static void take_lines(struct stream *s, const char *data, size_t len) {
    struct process *p = s->process;
    if (!p->spec.line)
        return;
    while (len) {
        const char *nl = memchr(data, '\n', len);
        size_t n = nl ? (size_t)(nl - data) : len;
        buf_add(&s->line, data, n);
        if (nl || s->line.len >= line_max) {
            p->spec.line(p->spec.ud, s->is_err, s->line.data, s->line.len);
            buf_clear(&s->line);
        }
        n += nl ? 1 : 0;
        data += n;
        len -= n;
    }
}

static void on_readable(void *ud, unsigned events) {
    (void)events;
    struct stream *s = ud;
    char block[16384];
    const ssize_t n = read(s->fd, block, sizeof block);
    if (n > 0) {
        const size_t room = s->text.max - s->text.len;
        if ((size_t)n > room) { /* what fits is kept */
            buf_add(&s->text, block, room);
            s->text.over = true;
        } else if (!s->text.over) {
            buf_add(&s->text, block, (size_t)n);
        }
        take_lines(s, block, (size_t)n);
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
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
}

static void end_group(struct process *p) {
    if (p->exited || !p->pid || p->kill_timer)
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
    p->cancelled = true;
    end_group(p);
}

int process_pid(const struct process *p) {
    return p->pid;
}

/* ---- the start ---- */

static void never_started(void *ud) {
    struct process *p = ud;
    p->status = 0;
    const struct process_result r = {.error = p->error_text, .exit_status = -1, .out = p->out.text, .err = p->err.text};
    if (p->spec.done)
        p->spec.done(p->spec.ud, &r);
    process_free(p);
}

/* In the child, between fork and exec: only what is safe there. */
static void child(const struct process_spec *spec, char **env, const int in, const int out, const int err, int report, pid_t parent) {
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (int s = 1; s < NSIG; s++)
        signal(s, SIG_DFL);
    if (dup2(in, 0) >= 0 && dup2(out, 1) >= 0 && dup2(err, 2) >= 0 && (!spec->cwd || !chdir(spec->cwd)))
        execvpe(spec->argv[0], (char *const *)(uintptr_t)spec->argv, env);
    const int error = errno;
    ssize_t n = write(report, &error, sizeof error);
    (void)n;
    _exit(127);
}

static char **environment(struct arena *a, const char *const *more) {
    size_t n = 0, m = 0;
    while (environ[n])
        n++;
    while (more && more[m])
        m++;
    char **env = arena_array(a, char *, n + m + 1);
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        const size_t len = strcspn(environ[i], "=") + 1;
        bool replaced = false;
        for (size_t j = 0; j < m; j++)
            replaced |= !strncmp(more[j], environ[i], len);
        if (!replaced)
            env[k++] = environ[i];
    }
    for (size_t j = 0; j < m; j++)
        env[k++] = (char *)(uintptr_t)more[j];
    return env;
}

static bool spawn(struct process *p, const struct process_spec *spec, int fds[3]) {
    int in[2], out[2], err[2], report[2];
    if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC) || pipe2(report, O_CLOEXEC)) {
        snprintf(p->error_text, sizeof p->error_text, "%s", strerror(errno)); /* descriptors are short: those that were made go with the process */
        return false;
    }
    struct arena *a = arena_new();
    char **env = environment(a, spec->env);
    const pid_t parent = getpid();
    p->pid = fork();
    if (!p->pid)
        child(spec, env, in[0], out[1], err[1], report[1], parent);
    const int fork_error = errno;
    arena_free(a);
    close(in[0]);
    close(out[1]);
    close(err[1]);
    close(report[1]);
    int error = 0;
    if (p->pid < 0)
        error = fork_error;
    else if (read(report[0], &error, sizeof error) != (ssize_t)sizeof error)
        error = 0; /* closed by exec: it runs */
    close(report[0]);
    if (!error) {
        fds[0] = in[1];
        fds[1] = out[0];
        fds[2] = err[0];
        return true;
    }
    close(in[1]);
    close(out[0]);
    close(err[0]);
    if (p->pid > 0)
        waitpid(p->pid, &p->status, 0);
    p->pid = 0;
    snprintf(p->error_text, sizeof p->error_text, "%s", strerror(error));
    return false;
}

struct process *process_start(struct loop *l, const struct process_spec *spec) {
    struct process *p = mem_alloc(sizeof *p);
    *p = (struct process){.loop = l, .spec = *spec, .pidfd = -1, .in = -1};
    if (!p->spec.max_output)
        p->spec.max_output = default_output;
    if (!p->spec.grace_ms)
        p->spec.grace_ms = default_grace_ms;
    buf_init(&p->out.text, 0);
    buf_init(&p->err.text, 0);
    buf_init(&p->out.line, 0);
    buf_init(&p->err.line, 0);
    p->out.fd = p->err.fd = -1;
    int fds[3];
    if (!spawn(p, spec, fds)) {
        p->pid = 0;
        loop_timer(l, 0, never_started, p);
        return p;
    }
    p->spec.argv = p->spec.env = NULL;
    p->spec.cwd = p->spec.input = NULL;
    p->pidfd = pidfd_open(p->pid, 0);
    assert(p->pidfd >= 0); /* Linux 5.3 and later */
    p->exit_watch = loop_fd_watch(l, p->pidfd, LOOP_READ, on_exit_event, p);
    stream_start(p, &p->out, fds[1], false, p->spec.max_output);
    stream_start(p, &p->err, fds[2], true, p->spec.max_output);
    if (spec->input && spec->input_len) {
        p->input = mem_alloc(spec->input_len);
        memcpy(p->input, spec->input, spec->input_len);
        p->input_len = spec->input_len;
        p->in = fds[0];
        fcntl(p->in, F_SETFL, O_NONBLOCK);
        p->in_watch = loop_fd_watch(l, p->in, LOOP_WRITE, on_writable, p);
    } else {
        close(fds[0]);
    }
    if (p->spec.timeout_ms > 0)
        p->timeout = loop_timer(l, p->spec.timeout_ms, on_timeout, p);
    return p;
}
