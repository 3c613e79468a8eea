#include "task/rights.h"

#include "base/sha256.h"
#include "io/archive.h"
#include "value/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Files of the operator's machine: archives, manifests, bundles. On a thread of its own, for a backup of gigabytes takes a while to read. */

static const lua_Integer default_text = 1 << 20, most_text = 16 << 20;
enum { max_members = 64, chunk = 64 << 10 };

struct local {
    struct op op;
    const struct local_fn *fn;
    const char *path, *to;     /* to: of rename; the text of write */
    const char *real, *to_real; /* what is used in their place, see task/rights.h */
    size_t len;                /* of the text, or the most that is read */
    const char *why;           /* it did not work */
    struct stat st;
    char *text;
    char sha256[65];
    struct archive_member members[max_members];
    size_t nmembers;
    struct archive_report report;
};

struct local_fn {
    void (*work)(struct local *l);
    int (*push)(lua_State *L, const struct local *l); /* of what worked; NULL: true */
};

static void cannot(struct local *l, const char *what) {
    l->why = arena_printf(l->op.arena, "%s cannot be %s: %s", l->path, what, strerror(errno));
}

/* ---- reading ---- */

static int open_regular(struct local *l) {
    const int fd = open(l->real, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 || fstat(fd, &l->st)) {
        cannot(l, "read");
    } else if (!S_ISREG(l->st.st_mode)) {
        l->why = arena_printf(l->op.arena, "%s is %s", l->path, S_ISDIR(l->st.st_mode) ? "a folder" : "no regular file");
    } else {
        return fd;
    }
    if (fd >= 0)
        close(fd);
    return -1;
}

static void work_stat(struct local *l) {
    if (stat(l->real, &l->st))
        cannot(l, "looked at");
}

static int push_stat(lua_State *L, const struct local *l) {
    const struct stat *st = &l->st;
    lua_createtable(L, 0, 4);
    lua_pushinteger(L, (lua_Integer)st->st_size);
    lua_setfield(L, -2, "size");
    lua_pushinteger(L, (lua_Integer)st->st_mtim.tv_sec * 1000 + st->st_mtim.tv_nsec / 1000000);
    lua_setfield(L, -2, "modified");
    lua_pushstring(L, S_ISREG(st->st_mode) ? "file" : S_ISDIR(st->st_mode) ? "directory" : "other");
    lua_setfield(L, -2, "kind");
    lua_pushinteger(L, st->st_mode & 07777);
    lua_setfield(L, -2, "mode");
    return 1;
}

static void work_text(struct local *l) {
    const int fd = open_regular(l);
    if (fd < 0)
        return;
    if ((uint64_t)l->st.st_size > l->len) {
        l->why = arena_printf(l->op.arena, "%s is larger than %zu bytes", l->path, l->len);
    } else {
        const size_t size = (size_t)l->st.st_size;
        l->text = arena_alloc(l->op.arena, size + 1);
        size_t n = 0;
        ssize_t k = 1;
        while (n < size && (k = read(fd, l->text + n, size - n)) > 0)
            n += (size_t)k;
        if (k < 0)
            cannot(l, "read");
        l->len = n;
    }
    close(fd);
}

static int push_text(lua_State *L, const struct local *l) {
    lua_pushlstring(L, l->text, l->len);
    return 1;
}

static void work_sha256(struct local *l) {
    const int fd = open_regular(l);
    if (fd < 0)
        return;
    struct sha256 s;
    char *data = arena_alloc(l->op.arena, chunk);
    ssize_t n;
    sha256_init(&s);
    while ((n = read(fd, data, chunk)) > 0)
        sha256_add(&s, data, (size_t)n);
    if (n < 0)
        cannot(l, "read");
    sha256_end(&s, l->sha256);
    close(fd);
}

static int push_sha256(lua_State *L, const struct local *l) {
    lua_pushstring(L, l->sha256);
    return 1;
}

/* ---- archives ---- */

static void work_archive(struct local *l) {
    archive_read(l->op.arena, l->real, l->members, l->nmembers, &l->report);
}

static void set_string(lua_State *L, const char *key, const char *s, size_t len) {
    lua_pushlstring(L, s, len);
    lua_setfield(L, -2, key);
}

static int push_archive(lua_State *L, const struct local *l) {
    const struct archive_report *r = &l->report;
    lua_createtable(L, 0, 8);
    lua_pushboolean(L, r->whole);
    lua_setfield(L, -2, "ok");
    if (r->why)
        set_string(L, "message", r->why, strlen(r->why));
    set_string(L, "format", r->format, strlen(r->format));
    lua_pushinteger(L, (lua_Integer)r->entries);
    lua_setfield(L, -2, "entries");
    lua_pushinteger(L, (lua_Integer)r->bytes);
    lua_setfield(L, -2, "bytes");
    if (r->nnames)
        set_string(L, "first", r->names[0], strlen(r->names[0]));
    struct val *names = val_list_new(l->op.arena);
    for (size_t i = 0; i < r->nnames; i++)
        val_list_add(l->op.arena, names, val_str(l->op.arena, r->names[i]));
    lval_push(L, names);
    lua_setfield(L, -2, "names");
    lua_createtable(L, 0, (int)l->nmembers);
    for (size_t i = 0; i < l->nmembers; i++)
        if (l->members[i].text)
            set_string(L, l->members[i].name, l->members[i].text, l->members[i].len);
    lua_setfield(L, -2, "members");
    return 1;
}

/* ---- changing ---- */

/* The name in its folder is durable, too. */
static void sync_folder(struct local *l, const char *path) {
    const int fd = open(path_dir(l->op.arena, path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    fsync(fd);
    close(fd);
}

static void work_write(struct local *l) {
    struct err *err = err_new(l->op.arena);
    if (l->real != l->path ? !file_write_there(l->real, 0600, l->to, l->len, err) : !file_write(l->real, 0600, l->to, l->len, err))
        l->why = l->real != l->path ? arena_printf(l->op.arena, "%s cannot be written: %s", l->path, err->first->message) : err->first->message;
}

static void work_rename(struct local *l) {
    if (rename(l->real, l->to_real)) {
        cannot(l, arena_printf(l->op.arena, "renamed to %s", l->to));
        return;
    }
    sync_folder(l, l->to_real);
}

static void work_remove(struct local *l) {
    if (unlink(l->real) && errno != ENOENT)
        cannot(l, "removed");
}

static void work_mkdir(struct local *l) {
    if (mkdir(l->real, 0700) && errno != EEXIST)
        cannot(l, "made");
    else
        sync_folder(l, l->real);
}

/* ---- as operations ---- */

static void work(void *ud) {
    struct local *l = ud;
    if (!l->why)
        l->fn->work(l);
}

static void worked(void *ud) {
    struct local *l = ud;
    l->op.touched = l->op.changing;
    op_finished(&l->op);
}

static void local_start(struct op *op) {
    loop_work(op->co->task->spec.world->loop, work, worked, op);
}

static int local_push(lua_State *L, struct op *op) {
    const struct local *l = (struct local *)op;
    if (l->why) {
        lua_pushnil(L);
        lua_pushstring(L, l->why);
        return 2;
    }
    if (l->fn->push)
        return l->fn->push(L, l);
    lua_pushboolean(L, true);
    return 1;
}

static const struct op_kind local_kind = {.start = local_start, .push = local_push};

static struct local *local_new(lua_State *L, const char *name, const struct local_fn *fn, enum right_use use) {
    const bool changing = use == RIGHT_WRITE;
    if (changing)
        co_may_change(L, name);
    struct local *l = op_new(L, &local_kind, sizeof *l);
    const struct text path = arg_text(L, 1, l->op.arena, "the path");
    if (!*path.s || path.secret)
        luaL_error(L, "%s: the path is %s", name, path.secret ? "a secret" : "empty");
    l->fn = fn;
    l->path = path.s;
    l->real = right_path(L, name, &l->op, l->path, use, &l->why);
    l->op.changing = changing;
    l->op.label = arena_printf(l->op.arena, "%s %s", name, l->path);
    return l;
}

int host_stat(lua_State *L) {
    static const struct local_fn fn = {work_stat, push_stat};
    return op_wait(L, &local_new(L, "ctx.stat", &fn, RIGHT_LOOK)->op);
}

int host_text(lua_State *L) {
    static const struct local_fn fn = {work_text, push_text};
    const lua_Integer max = luaL_optinteger(L, 2, default_text);
    if (max < 1 || max > most_text)
        return luaL_error(L, "ctx.text: max must be from 1 to %d bytes", (int)most_text);
    struct local *l = local_new(L, "ctx.text", &fn, RIGHT_READ);
    l->len = (size_t)max;
    return op_wait(L, &l->op);
}

int host_sha256(lua_State *L) {
    static const struct local_fn fn = {work_sha256, push_sha256};
    return op_wait(L, &local_new(L, "ctx.sha256", &fn, RIGHT_READ)->op);
}

int host_archive(lua_State *L) {
    static const struct local_fn fn = {work_archive, push_archive};
    static const char *const accepted[] = {"members"};
    struct local *l = local_new(L, "ctx.archive", &fn, RIGHT_READ);
    lua_settop(L, 2);
    arg_options(L, 2, "ctx.archive", accepted, 1);
    if (lua_istable(L, 2)) {
        lua_getfield(L, 2, "members");
        const struct val *names = lua_isnil(L, -1) ? NULL : arg_val(L, 3, l->op.arena, "ctx.archive: members");
        if (val_len(names) > max_members)
            return luaL_error(L, "ctx.archive: at most %d members at a time", max_members);
        for (size_t i = 0; i < val_len(names); i++) {
            const char *name = val_cstr(val_at(names, i));
            if (!name)
                return luaL_error(L, "ctx.archive: members is a list of names");
            l->members[l->nmembers++].name = name;
        }
    }
    return op_wait(L, &l->op);
}

int host_write(lua_State *L) {
    static const struct local_fn fn = {work_write, NULL};
    struct local *l = local_new(L, "ctx.write", &fn, RIGHT_WRITE);
    const struct text text = arg_text(L, 2, l->op.arena, "the text");
    l->to = text.s;
    l->len = text.len;
    return op_wait(L, &l->op);
}

int host_rename(lua_State *L) {
    static const struct local_fn fn = {work_rename, NULL};
    struct local *l = local_new(L, "ctx.rename", &fn, RIGHT_WRITE);
    const struct text to = arg_text(L, 2, l->op.arena, "the new path");
    if (!*to.s || to.secret)
        return luaL_error(L, "ctx.rename: the new path is %s", to.secret ? "a secret" : "empty");
    l->to = to.s;
    if (l->real)
        l->to_real = right_path(L, "ctx.rename", &l->op, l->to, RIGHT_WRITE, &l->why);
    return op_wait(L, &l->op);
}

int host_remove(lua_State *L) {
    static const struct local_fn fn = {work_remove, NULL};
    return op_wait(L, &local_new(L, "ctx.remove", &fn, RIGHT_WRITE)->op);
}

int host_mkdir(lua_State *L) {
    static const struct local_fn fn = {work_mkdir, NULL};
    return op_wait(L, &local_new(L, "ctx.mkdir", &fn, RIGHT_WRITE)->op);
}
