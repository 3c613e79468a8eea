#define _GNU_SOURCE /* pipe2, execvpe, environ */
#include "io/spawn.h"

#include "base/arena.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* The ends of the pipes, each -1 if it is not open. */
struct pipes {
    int in[2], out[2], err[2], report[2];
};

enum stage { STAGE_STREAMS, STAGE_INPUT, STAGE_OUTPUT, STAGE_FOLDER, STAGE_EXEC };
struct report {
    enum stage stage;
    int error;
};

/* In the child, between fork and exec: only what is safe there. */
static void child(const struct process_spec *spec, char **env, const struct pipes *ends, pid_t parent) {
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (int s = 1; s < NSIG; s++)
        signal(s, SIG_DFL);
    struct report r = {.stage = STAGE_STREAMS};
    if (dup2(ends->in[0], 0) >= 0 && dup2(ends->out[1], 1) >= 0 && dup2(ends->err[1], 2) >= 0) {
        r.stage = STAGE_FOLDER;
        if (!spec->cwd || !chdir(spec->cwd)) {
            r.stage = STAGE_EXEC;
            execvpe(spec->argv[0], (char *const *)(uintptr_t)spec->argv, env);
        }
    }
    r.error = errno;
    const ssize_t n = write(ends->report[1], &r, sizeof r);
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

static void close_end(int *fd) {
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void close_pipes(struct pipes *ends) {
    int *const all[] = {&ends->in[0], &ends->in[1], &ends->out[0], &ends->out[1], &ends->err[0], &ends->err[1], &ends->report[0], &ends->report[1]};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        close_end(all[i]);
}

/* Above the three standard ones, which may be closed in ourselves and would be in the way in the child. */
static bool out_of_the_way(int *fd) {
    if (*fd > 2)
        return true;
    const int higher = fcntl(*fd, F_DUPFD_CLOEXEC, 3);
    close_end(fd);
    *fd = higher;
    return higher >= 0;
}

static bool open_pair(int pair[2]) {
    return !pipe2(pair, O_CLOEXEC) && out_of_the_way(&pair[0]) && out_of_the_way(&pair[1]);
}

/* Never a device or a pipe, which could hold us up. */
static bool open_file(const char *path, int flags, int *ret) {
    struct stat st;
    *ret = open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600);
    if (*ret < 0 || fstat(*ret, &st))
        return false;
    if (!S_ISREG(st.st_mode)) {
        errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
        return false;
    }
    return out_of_the_way(ret);
}

/* On failure *ret_stage says at what. */
static bool open_streams(struct pipes *ends, const struct process_spec *spec, enum stage *ret_stage) {
    *ret_stage = STAGE_INPUT;
    if (spec->in_path) {
        if (!open_file(spec->in_path, O_RDONLY, &ends->in[0]))
            return false;
    } else if (spec->input && spec->input_len) {
        if (!open_pair(ends->in))
            return false;
    } else {
        ends->in[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (ends->in[0] < 0 || !out_of_the_way(&ends->in[0]))
            return false;
    }
    *ret_stage = STAGE_OUTPUT;
    if (spec->out_path ? !open_file(spec->out_path, O_WRONLY | O_CREAT | O_NOFOLLOW, &ends->out[1]) || ftruncate(ends->out[1], 0) : !open_pair(ends->out))
        return false;
    *ret_stage = STAGE_STREAMS;
    return open_pair(ends->err) && open_pair(ends->report);
}

static void explain(const struct process_spec *spec, const struct report *r, char *why, size_t size) {
    if (r->stage == STAGE_INPUT && spec->in_path)
        snprintf(why, size, "its input %s: %s", spec->in_path, strerror(r->error));
    else if (r->stage == STAGE_OUTPUT && spec->out_path)
        snprintf(why, size, "its output %s: %s", spec->out_path, strerror(r->error));
    else if (r->stage == STAGE_FOLDER)
        snprintf(why, size, "folder %s: %s", spec->cwd, strerror(r->error));
    else if (r->stage == STAGE_EXEC && r->error == ENOENT && !strchr(spec->argv[0], '/'))
        snprintf(why, size, "there is no such command in PATH");
    else
        snprintf(why, size, "%s", strerror(r->error));
}

/* Waits until exec has succeeded or failed; r->error is 0 if the child runs. */
static void await_exec(int fd, struct report *r) {
    ssize_t n;
    while ((n = read(fd, r, sizeof *r)) < 0 && errno == EINTR) {
    }
    if (n != (ssize_t)sizeof *r)
        r->error = 0; /* closed by exec */
}

bool spawn_start(const struct process_spec *spec, struct spawned *ret, char *why, size_t size) {
    struct pipes ends = {{-1, -1}, {-1, -1}, {-1, -1}, {-1, -1}};
    struct report r = {.stage = STAGE_STREAMS};
    pid_t pid = -1;
    if (!open_streams(&ends, spec, &r.stage)) {
        r.error = errno;
    } else {
        struct arena *a = arena_new();
        char **env = environment(a, spec->env);
        const pid_t parent = getpid();
        pid = fork();
        if (!pid)
            child(spec, env, &ends, parent);
        r.error = pid < 0 ? errno : 0;
        arena_free(a);
    }
    close_end(&ends.in[0]);
    close_end(&ends.out[1]);
    close_end(&ends.err[1]);
    close_end(&ends.report[1]);
    if (!r.error)
        await_exec(ends.report[0], &r);
    close_end(&ends.report[0]);
    if (!r.error) {
        *ret = (struct spawned){.pid = pid, .in = ends.in[1], .out = ends.out[0], .err = ends.err[0]};
        return true;
    }
    explain(spec, &r, why, size);
    close_pipes(&ends);
    while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
    }
    return false;
}
