#include "task/rights.h"

#include <string.h>

/* What ctx is built from, and what the documentation says. */

static const struct host {
    struct task_help help;
    lua_CFunction fn;
} hosts[] = {
    {{"ctx.docker", "(node)", "the engine of a node, which has get, post, delete and attach", TASK_READ}, host_docker},
    {{"engine:get", "(path[, {timeout = seconds, to = FILE}])",
      "asks the engine; gives an answer {ok, status, body, message, failure, date, sent, elapsed}; `to`, in actions only, takes the body as a file, and gives {bytes}",
      TASK_READ}, host_engine_get},
    {{"engine:post", "(path[, body[, {timeout = seconds, file = FILE}]])",
      "asks for a change; a table as body is sent as JSON; `file` instead of a body is streamed, as a tar archive", TASK_CHANGE}, host_engine_post},
    {{"engine:delete", "(path[, {timeout = seconds}])", "asks for a removal", TASK_CHANGE}, host_engine_delete},
    {{"engine:attach", "(container[, {start, stdin = FILE, stdin_text, stdout = FILE, timeout}])",
      "the streams of a container until it closes them; gives {ok, status, stdout, stderr, bytes, sha256, message, failure}; POST …/wait tells how it ended",
      TASK_CHANGE}, host_engine_attach},
    {{"ctx.http", "{url, method, headers, body, timeout, ca, insecure, user, password, connect = \"HOST:PORT\"}", "one request; gives an answer as an engine does; in probes GET and HEAD only",
      TASK_READ}, host_http},
    {{"ctx.login", "{url, username, password, timeout, ca, insecure}", "signs in to UCP; gives {ok, token, status, message, failure}, the token as a secret",
      TASK_READ}, host_login},
    {{"ctx.exec", "{argv, on, stdin, stdin_file, stdout = FILE, env, timeout}",
      "a command, on the operator's machine or on a node; gives {ok, status, stdout, stderr, message, failure}, with stdout to a file {bytes, sha256} instead",
      TASK_CHANGE}, host_exec},
    {{"ctx.read", "(node, path[, max])", "the text of a node's file, or nil and why not", TASK_READ}, host_read},
    {{"ctx.list", "(node, path)", "the sorted names in a node's folder, or nil and why not", TASK_READ}, host_list},
    {{"ctx.disk", "(node, path)", "{total, free} bytes of the file system there, or nil and why not", TASK_READ}, host_disk},
    {{"ctx.stat", "(path)", "of a file on the operator's machine: {size, modified, kind, mode}, or nil and why not", TASK_READ}, host_stat},
    {{"ctx.text", "(path[, max])", "the text of a file on the operator's machine, or nil and why not", TASK_READ}, host_text},
    {{"ctx.sha256", "(path)", "the digest of a file on the operator's machine, or nil and why not", TASK_READ}, host_sha256},
    {{"ctx.archive", "(path[, {members = names}])", "reads a tar, tar.gz or zip to its end; gives {ok, message, format, entries, bytes, first, names, members}",
      TASK_READ}, host_archive},
    {{"ctx.write", "(path, text)", "writes a file on the operator's machine aside, syncs and renames it; true, or nil and why not", TASK_CHANGE}, host_write},
    {{"ctx.rename", "(from, to)", "renames a file on the operator's machine, durably", TASK_CHANGE}, host_rename},
    {{"ctx.remove", "(path)", "removes a file on the operator's machine, if it is there", TASK_CHANGE}, host_remove},
    {{"ctx.mkdir", "(path)", "makes a folder on the operator's machine, unless it is there", TASK_CHANGE}, host_mkdir},
    {{"ctx.sleep", "(seconds)", "waits", TASK_READ}, host_sleep},
    {{"ctx.now", "()", "milliseconds since 1970", TASK_READ}, host_now},
    {{"ctx.log", "(text)", "a line for the run's log", TASK_READ}, host_log},
    {{"ctx.secret", "(text)", "the text as a secret, which from now on is *** wherever it is printed; nil and why it cannot be masked", TASK_READ}, host_secret},
    {{"ctx.progress", "(text)", "what is being done at the moment", TASK_READ}, host_progress},
    {{"ctx.all", "{name = function, …}", "calls all at once and gives {name = result, …} when all have ended; fails if one fails", TASK_READ}, host_all},
    {{"ctx.fail", "(message[, {unknown = true}])", "ends the task; unknown: what was asked for may have happened", TASK_READ}, host_fail},
    {{"ctx.nodes", "", "{name = {name, address, labels, shell}}: the inventory", TASK_READ}, NULL},
    {{"ctx.site", "", "the site as expressions see it, and under ucp {url, username, password, ca, ca_text, insecure}", TASK_READ}, NULL},
    {{"ctx.run", "", "the run as expressions see it: id, attested; and of an act step and attempt", TASK_READ}, NULL},
};
enum { nhosts = sizeof hosts / sizeof *hosts };

const struct task_help *task_help(size_t i) {
    return i < nhosts ? &hosts[i].help : NULL;
}

static bool has_prefix(const char *s, const char *prefix) {
    return !strncmp(s, prefix, strlen(prefix));
}

static int unknown_member(lua_State *L) {
    const char *names[nhosts];
    size_t n = 0;
    for (size_t i = 0; i < nhosts; i++)
        if (has_prefix(hosts[i].help.name, "ctx."))
            names[n++] = hosts[i].help.name + strlen("ctx.");
    const char *name = luaL_tolstring(L, 2, NULL);
    return luaL_error(L, "ctx has no '%s'%s", name, push_near(L, name, names, n));
}

static int read_only(lua_State *L) {
    return luaL_error(L, "ctx cannot be changed");
}

static void push_data(lua_State *L, const struct val *v) {
    if (val_is(v, VAL_MAP))
        lval_push(L, v);
    else
        lua_newtable(L);
}

void ctx_push_methods(lua_State *L) {
    lua_newtable(L);
    for (size_t i = 0; i < nhosts; i++)
        if (has_prefix(hosts[i].help.name, "engine:")) {
            lua_pushcfunction(L, hosts[i].fn);
            lua_setfield(L, -2, hosts[i].help.name + strlen("engine:"));
        }
}

static int refused(lua_State *L) {
    co_may_change(L, lua_tostring(L, lua_upvalueindex(1)));
    return 0;
}

void ctx_push(lua_State *L, struct task *t) {
    const struct task_world *w = t->spec.world;
    luaL_checkstack(L, 8, NULL);
    lua_newtable(L);
    for (size_t i = 0; i < nhosts; i++) {
        const struct task_help *h = &hosts[i].help;
        if (!hosts[i].fn || !has_prefix(h->name, "ctx."))
            continue;
        if (h->rights == TASK_CHANGE && t->spec.rights == TASK_READ) {
            lua_pushstring(L, h->name);
            lua_pushcclosure(L, refused, 1);
        } else {
            lua_pushcfunction(L, hosts[i].fn);
        }
        lua_setfield(L, -2, h->name + strlen("ctx."));
    }
    push_data(L, w->nodes);
    lua_setfield(L, -2, "nodes");
    push_data(L, right_site(t));
    lua_setfield(L, -2, "site");
    push_data(L, w->run);
    if (t->spec.step) {
        lua_pushstring(L, t->spec.step);
        lua_setfield(L, -2, "step");
        lua_pushinteger(L, t->spec.attempt);
        lua_setfield(L, -2, "attempt");
    }
    lua_setfield(L, -2, "run");
    lua_createtable(L, 0, 2);
    lua_pushcfunction(L, unknown_member);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, read_only);
    lua_setfield(L, -2, "__newindex");
    lua_setmetatable(L, -2);
}
