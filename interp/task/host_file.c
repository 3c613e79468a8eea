#include "task/rights.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* Files of a node, read only: by our own hands where its engine is on this machine, else by a small command over ssh. */

static const int64_t ssh_timeout_ms = 30 * 1000;
static const lua_Integer default_max = 1 << 20, most = 16 << 20;
enum { max_names = 10000 };

struct file {
    struct op op;
    const char *node, *path, *name;
    const char *real; /* what is opened here in place of path; NULL: why */
    size_t max;
    int (*push_output)(lua_State *L, struct file *f, const char *text, size_t len);
    struct process_spec spec;
    struct process *process;
    const char *why; /* it could not be read */
    const char *text;
    size_t len;
    bool over;
};

static int push_why(lua_State *L, const char *why) {
    lua_pushnil(L);
    lua_pushstring(L, why);
    return 2;
}

/* ---- what was read, as Lua values ---- */

static int push_text(lua_State *L, struct file *f, const char *text, size_t len) {
    if (len > f->max)
        return push_why(L, arena_printf(f->op.arena, "%s is larger than %zu bytes", f->path, f->max));
    lua_pushlstring(L, text, len);
    return 1;
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* One name a line. */
static int push_names(lua_State *L, struct file *f, const char *text, size_t len) {
    const char **names = arena_array(f->op.arena, const char *, max_names);
    int n = 0;
    for (const char *end = text + len; text < end;) {
        const char *nl = memchr(text, '\n', (size_t)(end - text));
        const size_t size = (size_t)((nl ? nl : end) - text);
        if (size && n == max_names)
            return push_why(L, arena_printf(f->op.arena, "%s has more than %d names", f->path, max_names));
        if (size)
            names[n++] = arena_strndup(f->op.arena, text, size);
        text += size + 1;
    }
    qsort(names, (size_t)n, sizeof *names, by_name);
    struct val *list = val_list_new(f->op.arena);
    for (int i = 0; i < n; i++)
        val_list_add(f->op.arena, list, val_str(f->op.arena, names[i]));
    lval_push(L, list);
    return 1;
}

static int push_space(lua_State *L, lua_Integer total, lua_Integer available) {
    lua_createtable(L, 0, 2);
    lua_pushinteger(L, total);
    lua_setfield(L, -2, "total");
    lua_pushinteger(L, available);
    lua_setfield(L, -2, "free");
    return 1;
}

/* df -Pk: a line of titles, then "device blocks used available capacity% folder". */
static int push_df(lua_State *L, struct file *f, const char *text, size_t len) {
    (void)len;
    const char *line = strchr(text, '\n');
    long long total, used, available;
    if (!line || sscanf(line + 1, "%*s %lld %lld %lld", &total, &used, &available) != 3)
        return push_why(L, arena_printf(f->op.arena, "df does not tell the space of %s", f->path));
    return push_space(L, total * 1024, available * 1024);
}

/* ---- over ssh ---- */

static void on_end(void *ud, const struct process_result *r) {
    struct file *f = ud;
    struct arena *a = f->op.arena;
    f->process = NULL;
    if (r->error)
        f->why = arena_printf(a, "%s could not be started: %s", "ssh", r->error);
    else if (r->timed_out)
        f->why = arena_printf(a, "no answer over ssh within %d s", (int)(ssh_timeout_ms / 1000));
    else if (r->exit_status)
        f->why = r->err.len ? arena_strndup(a, r->err.data, strcspn(r->err.data, "\r\n")) : arena_printf(a, "ssh ended with status %d", r->exit_status);
    else if (r->out.over)
        f->why = arena_printf(a, "%s is too large", f->path);
    f->text = arena_strndup(a, r->out.data, r->out.len);
    f->len = r->out.len;
    op_finished(&f->op);
}

static void file_start(struct op *op) {
    struct file *f = (struct file *)op;
    f->spec.done = on_end;
    f->spec.ud = f;
    f->spec.timeout_ms = ssh_timeout_ms;
    f->process = process_start(op->co->task->spec.world->loop, &f->spec);
}

static void file_cancel(struct op *op) {
    process_cancel(((struct file *)op)->process);
}

static int file_push(lua_State *L, struct op *op) {
    struct file *f = (struct file *)op;
    return f->why ? push_why(L, f->why) : f->push_output(L, f, f->text, f->len);
}

static const struct op_kind file_kind = {.start = file_start, .cancel = file_cancel, .push = file_push};

/* The arguments node and path, and how the node is reached: for SHELL_NONE the reason is pushed. */
static struct file *file_new(lua_State *L, const char *name, enum engine_shell *ret_shell, enum right_use use) {
    struct file *f = op_new(L, &file_kind, sizeof *f);
    struct arena *a = f->op.arena;
    const struct task_world *w = f->op.co->task->spec.world;
    f->node = arg_node(L, 1, a, name);
    const struct text path = arg_text(L, 2, a, "the path");
    f->path = path.s;
    if (path.s[0] != '/' || path.secret)
        luaL_error(L, "%s: the path must begin with '/': '%s'", name, path.secret ? "***" : path.s);
    f->op.label = arena_printf(a, "%s: %s", f->node, f->path);
    f->name = name;
    *ret_shell = engines_shell(w->engines, f->node);
    if (*ret_shell == SHELL_LOCAL)
        f->real = right_path(L, name, &f->op, f->path, use, &f->why);
    return f;
}

static int no_way(lua_State *L, struct file *f) {
    const char *why = arena_printf(f->op.arena, "the files of %s cannot be reached: the site names no ssh:// or unix:// way to it", f->node);
    const int n = push_why(L, why);
    op_free(&f->op);
    return n;
}

static int over_ssh(lua_State *L, struct file *f, const char *path, const char *const *argv, size_t max_output,
                    int (*push_output)(lua_State *L, struct file *f, const char *text, size_t len)) {
    f->spec.argv = engines_argv(f->op.co->task->spec.world->engines, f->node, right_remote(L, f->name, &f->op, path, argv), f->op.arena);
    f->spec.max_output = max_output;
    f->push_output = push_output;
    return op_wait(L, &f->op);
}

/* A local result is told at once. */
static int told(lua_State *L, struct file *f, int n) {
    (void)L;
    op_free(&f->op);
    return n;
}

static int told_errno(lua_State *L, struct file *f) {
    return told(L, f, push_why(L, arena_printf(f->op.arena, "%s: %s", f->path, strerror(errno))));
}

/* ---- the functions ---- */

static bool read_local(struct file *f) {
    struct stat st;
    const int fd = open(f->real, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return false;
    bool ok = !fstat(fd, &st);
    if (ok && !S_ISREG(st.st_mode)) {
        errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
        ok = false;
    }
    char *text = ok ? arena_alloc(f->op.arena, f->max + 2) : NULL;
    while (ok && f->len <= f->max) {
        const ssize_t n = read(fd, text + f->len, f->max + 1 - f->len);
        if (n < 0 && errno == EINTR)
            continue;
        ok = n >= 0;
        if (n <= 0)
            break;
        f->len += (size_t)n;
    }
    const int error = errno;
    close(fd);
    errno = error;
    f->text = text;
    return ok;
}

int host_read(lua_State *L) {
    enum engine_shell shell;
    const lua_Integer max = luaL_optinteger(L, 3, default_max);
    if (max < 1 || max > most)
        return luaL_error(L, "ctx.read: max must be from 1 to %d bytes", (int)most);
    struct file *f = file_new(L, "ctx.read", &shell, RIGHT_READ);
    f->max = (size_t)max;
    if (shell == SHELL_NONE)
        return no_way(L, f);
    if (shell == SHELL_SSH) {
        const char *limit = arena_printf(f->op.arena, "%zu", f->max + 1);
        const char *const argv[] = {"env", "LC_ALL=C", "head", "-c", limit, "--", NULL};
        return over_ssh(L, f, f->path, argv, f->max + 1, push_text);
    }
    if (!f->real)
        return told(L, f, push_why(L, f->why));
    if (!read_local(f))
        return told_errno(L, f);
    return told(L, f, push_text(L, f, f->text, f->len));
}

int host_list(lua_State *L) {
    enum engine_shell shell;
    struct file *f = file_new(L, "ctx.list", &shell, RIGHT_LOOK);
    if (shell == SHELL_NONE)
        return no_way(L, f);
    if (shell == SHELL_SSH) {
        const char *const argv[] = {"env", "LC_ALL=C", "ls", "-1A", "--", NULL};
        return over_ssh(L, f, arena_printf(f->op.arena, "%s/.", f->path), argv, 4 << 20, push_names);
    }
    if (!f->real)
        return told(L, f, push_why(L, f->why));
    DIR *d = opendir(f->real);
    if (!d)
        return told_errno(L, f);
    struct buf b = BUF_INIT;
    for (const struct dirent *e; (e = readdir(d));)
        if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
            buf_printf(&b, "%s\n", e->d_name);
    closedir(d);
    const char *text = arena_strndup(f->op.arena, b.data, b.len);
    const size_t len = b.len;
    buf_done(&b);
    return told(L, f, push_names(L, f, text, len));
}

int host_disk(lua_State *L) {
    enum engine_shell shell;
    struct file *f = file_new(L, "ctx.disk", &shell, RIGHT_LOOK);
    if (shell == SHELL_NONE)
        return no_way(L, f);
    if (shell == SHELL_SSH) {
        const char *const argv[] = {"env", "LC_ALL=C", "df", "-Pk", "--", NULL};
        return over_ssh(L, f, f->path, argv, 64 << 10, push_df);
    }
    if (!f->real)
        return told(L, f, push_why(L, f->why));
    struct statvfs s;
    if (statvfs(f->real, &s))
        return told_errno(L, f);
    return told(L, f, push_space(L, (lua_Integer)(s.f_blocks * s.f_frsize), (lua_Integer)(s.f_bavail * s.f_frsize)));
}
