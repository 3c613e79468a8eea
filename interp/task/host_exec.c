#include "task/rights.h"

#include "base/redact.h"
#include "base/sha256.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const int64_t default_timeout_ms = 600 * 1000;
static const size_t max_output = 4 << 20;

struct command {
    struct op op;
    struct process_spec spec;
    struct process *process;
    struct process_result r; /* texts copied */
    const char *program;
    bool over_ssh;
    const char *file, *file_real, *file_why; /* stdout went there; why it cannot be relied on */
    char sha256[65];
    int64_t bytes;
};

/* ---- stdout in a file: durable, and with its digest, before the script hears of it ---- */

static void work_file(void *ud) {
    struct command *c = ud;
    struct arena *a = c->op.arena;
    struct sha256 sum;
    enum { chunk = 64 << 10 };
    char *data = arena_alloc(a, chunk);
    ssize_t n;
    const int fd = open(c->file_real, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    if (fd < 0 || fsync(fd)) {
        c->file_why = arena_printf(a, "%s cannot be made durable: %s", c->file, strerror(errno));
    } else {
        sha256_init(&sum);
        while ((n = read(fd, data, chunk)) > 0) {
            sha256_add(&sum, data, (size_t)n);
            c->bytes += n;
        }
        if (n < 0)
            c->file_why = arena_printf(a, "%s cannot be read: %s", c->file, strerror(errno));
        sha256_end(&sum, c->sha256);
    }
    if (fd >= 0)
        close(fd);
}

static void file_worked(void *ud) {
    struct command *c = ud;
    op_finished(&c->op);
}

/* ---- the command ---- */

static void on_end(void *ud, const struct process_result *r) {
    struct command *c = ud;
    struct arena *a = c->op.arena;
    c->process = NULL;
    c->r = *r;
    c->r.error = r->error ? arena_strdup(a, r->error) : NULL;
    c->r.out.data = arena_strndup(a, r->out.data, r->out.len);
    c->r.err.data = arena_strndup(a, r->err.data, r->err.len);
    c->op.touched = !r->error;
    if (c->file && !r->error)
        loop_work(c->op.co->task->spec.world->loop, work_file, file_worked, c);
    else
        op_finished(&c->op);
}

static void command_start(struct op *op) {
    struct command *c = (struct command *)op;
    c->spec.done = on_end;
    c->spec.ud = c;
    c->process = process_start(op->co->task->spec.world->loop, &c->spec);
}

static void command_cancel(struct op *op) {
    struct command *c = (struct command *)op;
    if (c->process)
        process_cancel(c->process);
}

static const char *failure_of(const struct command *c) {
    const struct process_result *r = &c->r;
    return c->file_why ? "file" : r->error ? "start" : r->timed_out ? "timeout" : r->signal ? "signal" : c->over_ssh && r->exit_status == 255 ? "connect" : NULL;
}

static void set_string(lua_State *L, const char *key, const char *s, size_t len) {
    lua_pushlstring(L, s, len);
    lua_setfield(L, -2, key);
}

/* A reason, with the file's name as the script has it. */
static const char *shown(const struct command *c, const char *why) {
    const char *at = c->file_real ? strstr(why, c->file_real) : NULL;
    return at ? arena_printf(c->op.arena, "%.*s%s%s", (int)(at - why), why, c->file, at + strlen(c->file_real)) : why;
}

static int command_push(lua_State *L, struct op *op) {
    const struct command *c = (struct command *)op;
    const struct process_result *r = &c->r;
    const char *failure = failure_of(c), *message = NULL;
    const bool ok = !failure && r->exit_status == 0;
    const char *line = r->err.data;
    if (c->file_why)
        message = c->file_why;
    else if (r->error)
        message = arena_printf(op->arena, "%s could not be started: %s", c->program, shown(c, r->error));
    else if (r->timed_out)
        message = arena_printf(op->arena, "%s was ended: it took too long", c->program);
    else if (r->signal)
        message = arena_printf(op->arena, "%s was ended by signal %d", c->program, r->signal);
    else if (!ok)
        message = arena_printf(op->arena, "%s ended with status %d%s%.*s", c->program, r->exit_status, *line ? ": " : "",
                               (int)strcspn(line, "\n"), line);
    lua_createtable(L, 0, 6);
    lua_pushboolean(L, ok);
    lua_setfield(L, -2, "ok");
    if (r->exit_status >= 0) {
        lua_pushinteger(L, r->exit_status);
        lua_setfield(L, -2, "status");
    }
    if (!c->file) {
        set_string(L, "stdout", r->out.data, r->out.len);
    } else if (!r->error && !c->file_why) {
        lua_pushinteger(L, (lua_Integer)c->bytes);
        lua_setfield(L, -2, "bytes");
        set_string(L, "sha256", c->sha256, strlen(c->sha256));
    }
    set_string(L, "stderr", r->err.data, r->err.len);
    if (message)
        set_string(L, "message", message, strlen(message));
    if (failure)
        set_string(L, "failure", failure, strlen(failure));
    return 1;
}

static const struct op_kind command_kind = {.start = command_start, .cancel = command_cancel, .push = command_push};

/* argv is seen by everybody on the machine. */
static const char *const *words(lua_State *L, struct arena *a) {
    lua_getfield(L, 1, "argv");
    if (!lua_istable(L, -1) || !lua_rawlen(L, -1))
        luaL_error(L, "ctx.exec: argv must be a list of strings, as in argv = { \"df\", \"-k\" }");
    const size_t n = lua_rawlen(L, -1);
    const char **argv = arena_array(a, const char *, n + 1);
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, 2, (lua_Integer)i + 1);
        const char *what = lua_pushfstring(L, "ctx.exec: argv[%d]", (int)i + 1);
        const struct text t = arg_text(L, 3, a, what);
        if (t.secret || redact_found(t.s, t.len))
            luaL_error(L, "%s is a secret, and everybody on the machine could read it there; hand it over by env or stdin", what);
        argv[i] = t.s;
        lua_settop(L, 2);
    }
    lua_settop(L, 1);
    return argv;
}

static const char *const *environment(lua_State *L, struct arena *a, bool remote) {
    lua_getfield(L, 1, "env");
    if (lua_isnil(L, -1))
        return NULL;
    if (remote)
        luaL_error(L, "ctx.exec: env does not reach another machine; write it as argv = { \"env\", \"NAME=value\", … }");
    const struct val *m = arg_val(L, lua_gettop(L), a, "ctx.exec: env");
    const size_t n = val_len(m);
    const char **env = arena_array(a, const char *, n + 1);
    for (size_t i = 0; i < n; i++) {
        const char *s = m->kind == VAL_MAP ? val_cstr(m->map.pairs[i].val) : NULL;
        if (!s || !*m->map.pairs[i].key || strchr(m->map.pairs[i].key, '='))
            luaL_error(L, "ctx.exec: env must be a map from names to strings");
        env[i] = arena_printf(a, "%s=%s", m->map.pairs[i].key, s);
    }
    lua_settop(L, 1);
    return env;
}

/* A file of the operator's machine. */
static const char *path_of(lua_State *L, struct arena *a, const char *option) {
    lua_settop(L, 1);
    lua_getfield(L, 1, option);
    if (lua_isnil(L, -1))
        return NULL;
    const char *what = lua_pushfstring(L, "ctx.exec: %s", option);
    const struct text t = arg_text(L, 2, a, what);
    if (!*t.s || t.secret)
        luaL_error(L, "%s is %s", what, t.secret ? "a secret" : "empty; it is the path of a file");
    lua_settop(L, 1);
    return t.s;
}

static const char *file_path(lua_State *L, struct op *op, const char *path, enum right_use use) {
    const char *why, *real = path ? right_path(L, "ctx.exec", op, path, use, &why) : NULL;
    if (path && !real)
        luaL_error(L, "ctx.exec: %s", why);
    return real;
}

int host_exec(lua_State *L) {
    static const char *const accepted[] = {"argv", "on", "stdin", "stdin_file", "stdout", "env", "timeout"};
    co_may_change(L, "ctx.exec");
    struct command *c = op_new(L, &command_kind, sizeof *c);
    struct arena *a = c->op.arena;
    const struct task_world *w = c->op.co->task->spec.world;
    lua_settop(L, 1);
    if (!lua_istable(L, 1))
        return luaL_error(L, "ctx.exec takes a table, as in ctx.exec{ argv = { \"df\", \"-k\" } }");
    arg_options(L, 1, "ctx.exec", accepted, sizeof accepted / sizeof *accepted);
    const char *const *argv = words(L, a);
    c->program = argv[0];
    lua_getfield(L, 1, "on");
    const char *node = lua_isnil(L, -1) ? NULL : arg_node(L, lua_gettop(L), a, "ctx.exec: on");
    lua_settop(L, 1);
    if (node) {
        c->over_ssh = engines_shell(w->engines, node) == SHELL_SSH;
        argv = engines_argv(w->engines, node, argv, a);
        if (!argv)
            return luaL_error(L, "ctx.exec: commands cannot be run on %s: the site names no ssh:// or unix:// way to it", node);
    }
    c->spec.argv = argv;
    c->spec.env = environment(L, a, c->over_ssh);
    right_need_exec(L, "ctx.exec", c->program, c->spec.env);
    lua_settop(L, 1);
    lua_getfield(L, 1, "stdin");
    const struct text input = arg_body(L, 2, a, "ctx.exec: stdin");
    c->spec.input = input.s;
    c->spec.input_len = input.len;
    c->spec.in_path = path_of(L, a, "stdin_file");
    if (c->spec.in_path && input.s)
        return luaL_error(L, "ctx.exec: stdin and stdin_file are two inputs for one command");
    c->file = path_of(L, a, "stdout");
    c->spec.in_path = file_path(L, &c->op, c->spec.in_path, RIGHT_READ);
    c->spec.out_path = c->file_real = file_path(L, &c->op, c->file, RIGHT_WRITE);
    lua_settop(L, 1);
    c->spec.timeout_ms = arg_timeout(L, 1, "ctx.exec", default_timeout_ms);
    c->spec.max_output = max_output;
    c->op.changing = true;
    c->op.label = arena_printf(a, "%s%s%s", node ? node : "", node ? ": " : "", c->program);
    return op_wait(L, &c->op);
}
