#include "task/host.h"

#include "io/process.h"

#include <stdio.h>
#include <string.h>

/* The node's files, by reading programs through the shell that reaches it: `cat`, `ls` and `df` are everywhere, and cannot change anything. */

static const size_t max_text = 1 << 20;
static const int64_t timeout_ms = 15 * 1000;

struct reading {
    struct task *task;
    struct process *process;
    void (*push)(lua_State *co, const struct process_result *r);
};

static void push_text(lua_State *co, const struct process_result *r) {
    lua_pushlstring(co, r->out.data, r->out.len);
}

static void push_lines(lua_State *co, const struct process_result *r) {
    lua_newtable(co);
    lua_Integer n = 0;
    for (const char *p = r->out.data; *p;) {
        const size_t len = strcspn(p, "\n");
        if (len) {
            lua_pushlstring(co, p, len);
            lua_rawseti(co, -2, ++n);
        }
        p += len + (p[len] == '\n');
    }
}

/* df -P -B1 PATH: the second line has device, total, used, free. */
static void push_disk(lua_State *co, const struct process_result *r) {
    const char *line = strchr(r->out.data, '\n');
    long long total = 0, used = 0, left = 0;
    if (!line || sscanf(line + 1, "%*s %lld %lld %lld", &total, &used, &left) != 3) {
        lua_pushnil(co);
        return;
    }
    lua_newtable(co);
    lua_pushinteger(co, total);
    lua_setfield(co, -2, "total");
    lua_pushinteger(co, left);
    lua_setfield(co, -2, "free");
}

static void ended(void *ud, const struct process_result *r) {
    struct reading *rd = ud;
    struct task *t = rd->task;
    lua_State *co = t->co;
    if (!r->error && !r->timed_out && !r->cancelled && !r->exit_status && !r->signal) {
        rd->push(co, r);
        task_resume(t, 1);
        return;
    }
    size_t n = r->err.len;
    while (n && r->err.data[n - 1] == '\n')
        n--;
    lua_pushnil(co);
    if (r->error)
        lua_pushstring(co, r->error);
    else if (r->timed_out)
        lua_pushliteral(co, "it did not answer in time");
    else if (n)
        lua_pushlstring(co, r->err.data, n);
    else
        lua_pushfstring(co, "it ended with status %d", r->exit_status);
    task_resume(t, 2);
}

static void cancel_reading(struct task *t) {
    struct reading *rd = t->op;
    t->cancel = NULL;
    process_cancel(rd->process);
}

static int start(lua_State *L, const char *const *argv, size_t max, void (*push)(lua_State *, const struct process_result *)) {
    struct task *t = host_current(L);
    const char *node = luaL_checkstring(L, 1), *path = luaL_checkstring(L, 2);
    struct engines *e = t->spec.world->engines;
    luaL_argcheck(L, *path == '/', 2, "an absolute path");
    if (!engines_has(e, node))
        return luaL_error(L, "the site has no node '%s'", node);
    argv = engines_argv(e, node, argv, t->arena);
    if (!argv) {
        lua_pushnil(L);
        lua_pushfstring(L, "no shell reaches %s: the site gives it neither unix:// nor ssh://", node);
        return 2;
    }
    static const char *const env[] = {"LC_ALL=C", NULL};
    struct reading *rd = arena_new_of(t->arena, struct reading);
    *rd = (struct reading){.task = t, .push = push};
    const struct process_spec spec = {.argv = argv, .env = env, .max_output = max, .timeout_ms = timeout_ms, .grace_ms = 1000, .done = ended, .ud = rd};
    rd->process = process_start(t->spec.world->loop, &spec);
    return host_wait(L, t, rd, cancel_reading);
}

static int host_read(lua_State *L) {
    const lua_Integer max = luaL_optinteger(L, 3, (lua_Integer)max_text);
    luaL_argcheck(L, max > 0 && max <= (lua_Integer)max_text, 3, "at most 1 MiB");
    const char *argv[] = {"cat", "--", luaL_checkstring(L, 2), NULL};
    return start(L, argv, (size_t)max, push_text);
}

static int host_list(lua_State *L) {
    const char *argv[] = {"ls", "-1A", "--", luaL_checkstring(L, 2), NULL};
    return start(L, argv, max_text, push_lines);
}

static int host_disk(lua_State *L) {
    const char *argv[] = {"df", "-P", "-B1", "--", luaL_checkstring(L, 2), NULL};
    return start(L, argv, 65536, push_disk);
}

const struct host_function host_file[] = {
    {"read", "node, path[, max]", "→ the text of a file of the node, or nil and why not", host_read, false},
    {"list", "node, path", "→ the names in a folder of the node, or nil and why not", host_list, false},
    {"disk", "node, path", "→ {total, free} in bytes of the file system there, or nil and why not", host_disk, false},
    {0},
};
