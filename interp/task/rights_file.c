#define _GNU_SOURCE
#include "task/rights.h"

#include "lua/rights.h"
#include "value/file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A path is not judged and then opened: what is opened below the granted folder by the kernel's own rule (RESOLVE_BENEATH) is what is used
 * from then on, by its descriptor. */

enum { out_of_it = -2 }; /* a way out of the folder; -1: errno says why it cannot be opened */

static int open_beneath(const char *dir, const char *path, int flags) {
    size_t n = strlen(dir);
    while (n && dir[n - 1] == '/')
        n--;
    if (strncmp(dir, path, n) || (path[n] && path[n] != '/'))
        return out_of_it;
    const char *rest = path + n + strspn(path + n, "/");
    const int folder = open(n ? dir : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return -1;
    const struct open_how how = {.flags = (uint64_t)(flags | O_PATH | O_CLOEXEC), .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    const int fd = (int)syscall(SYS_openat2, folder, *rest ? rest : ".", &how, sizeof how);
    const int error = errno;
    close(folder);
    errno = error;
    return fd < 0 && (error == EXDEV || error == ELOOP || error == EAGAIN) ? out_of_it : fd;
}

/* DIR of "file.read:DIR" as an absolute path; one that is relative lies below the folder of the site's file. NULL: it is not there. */
static const char *folder_of(const struct task *t, struct arena *a, const char *dir) {
    if (*dir == '/')
        return dir;
    const char *base = t->spec.world->site_dir;
    char *real = realpath(base ? path_join(a, base, dir) : dir, NULL);
    const char *copy = real ? arena_strdup(a, real) : NULL;
    free(real);
    return copy;
}

/* The first folder of a list that the path is in: a descriptor, or as open_beneath. */
static int open_granted(const struct task *t, struct arena *a, const struct val *list, const char *kind, const char *path, int flags, bool *ret_any) {
    int result = out_of_it;
    for (size_t i = 0; i < val_len(list) && result < 0; i++) {
        const char *word = val_cstr(val_at(list, i));
        if (!word || strncmp(word, kind, strlen(kind)))
            continue;
        *ret_any = true;
        const char *dir = folder_of(t, a, word + strlen(kind));
        const int fd = dir ? open_beneath(dir, path, flags) : out_of_it;
        if (fd >= 0 || result == out_of_it)
            result = fd;
    }
    return result;
}

static const char *absolute(struct arena *a, const char *path) {
    while (!strncmp(path, "./", 2))
        path += 2 + strspn(path + 2, "/");
    if (*path == '/')
        return path;
    char *here = getcwd(NULL, 0);
    const char *whole = arena_printf(a, "%s/%s", here ? here : "", path);
    free(here);
    return whole;
}

static void keep(struct op *op, int fd) {
    for (size_t i = 0; i < max_op_fds; i++)
        if (!op->fds[i]) {
            op->fds[i] = fd + 1;
            return;
        }
    close(fd);
}

static void refuse(lua_State *L, const char *name, const struct task *t, const char *path, const char *kind) {
    luaL_error(L, "%s: the hook %s has no right to '%s': it is not below a folder that both its runbook (hooks, allow) and the site (hooks) name as %sDIR, "
                  "or is a link that leads out of it [right-not-granted]", name, t->spec.def->file, path, kind);
}

/* What the path is below both lists' folders; they must agree on what it is. */
static int open_for_both(lua_State *L, const char *name, struct op *op, const char *path, const char *shown, const char *kind, int flags) {
    const struct task *t = op->co->task;
    const struct val *lists[2];
    right_lists(t, lists);
    int fd[2];
    for (int i = 0; i < 2; i++) {
        bool any = false;
        fd[i] = open_granted(t, op->arena, lists[i], kind, path, flags, &any);
        const int error = errno;
        if (i && fd[i] == -1 && fd[0] >= 0)
            close(fd[0]);
        if (fd[i] == out_of_it) {
            if (i && fd[0] >= 0)
                close(fd[0]);
            refuse(L, name, t, shown, kind);
        }
        errno = error;
        if (fd[i] < 0 && i)
            return -1;
    }
    if (fd[0] < 0) {
        close(fd[1]);
        return -1;
    }
    struct stat one, other;
    const bool same = !fstat(fd[0], &one) && !fstat(fd[1], &other) && one.st_dev == other.st_dev && one.st_ino == other.st_ino;
    close(fd[0]);
    if (!same) {
        close(fd[1]);
        refuse(L, name, t, shown, kind);
    }
    return fd[1];
}

const char *right_path(lua_State *L, const char *name, struct op *op, const char *path, enum right_use use, const char **why) {
    struct arena *a = op->arena;
    *why = NULL;
    if (!op->co->task->spec.def->own)
        return path;
    const char *whole = absolute(a, path), *base = NULL;
    const char *kind = use == RIGHT_WRITE ? "file.write:" : "file.read:";
    if (use == RIGHT_WRITE) {
        const char *slash = strrchr(whole, '/');
        base = slash + 1;
        whole = slash == whole ? "/" : arena_strndup(a, whole, (size_t)(slash - whole));
        if (!*base || !strcmp(base, ".") || !strcmp(base, ".."))
            refuse(L, name, op->co->task, path, kind);
    }
    const int fd = open_for_both(L, name, op, whole, path, kind, use == RIGHT_WRITE ? O_DIRECTORY : 0);
    if (fd < 0) {
        *why = arena_printf(a, "%s: %s", path, strerror(errno));
        return NULL;
    }
    keep(op, fd);
    struct stat st;
    if (use == RIGHT_READ && !fstat(fd, &st) && !S_ISDIR(st.st_mode) && (!S_ISREG(st.st_mode) || st.st_nlink > 1)) {
        *why = arena_printf(a, S_ISREG(st.st_mode) ? "%s has a second name (a hard link), which may be out of what was granted" : "%s is no regular file", path);
        return NULL;
    }
    return base ? arena_printf(a, "/proc/self/fd/%d/%s", fd, base) : arena_printf(a, "/proc/self/fd/%d", fd);
}

/* ---- another machine ---- */

/* The folder there by its words, and then by where the path really leads. */
const char *const *right_remote(lua_State *L, const char *name, struct op *op, const char *path, const char *const *argv) {
    static const char script[] = "p=$(readlink -f -- \"$1\") && d=$(readlink -f -- \"$2\") && e=$(readlink -f -- \"$3\") || { echo 'no such file' >&2; exit 1; }\n"
                                 "case $p/ in \"${d%/}\"/*) ;; *) echo 'it leads out of what the site grants' >&2; exit 1 ;; esac\n"
                                 "case $p/ in \"${e%/}\"/*) ;; *) echo 'it leads out of what the runbook asks for' >&2; exit 1 ;; esac\n"
                                 "shift 3; exec \"$@\" \"$p\"";
    const struct task *t = op->co->task;
    struct arena *a = op->arena;
    size_t n = 0;
    while (argv[n])
        n++;
    const char **out = arena_array(a, const char *, n + 8);
    size_t k = 0;
    if (t->spec.def->own) {
        const struct val *lists[2];
        const char *dirs[2] = {NULL};
        right_lists(t, lists);
        for (int i = 0; i < 2; i++)
            for (size_t j = 0; j < val_len(lists[i]); j++) {
                const char *word = val_cstr(val_at(lists[i], j));
                if (word && !strncmp(word, "file.read:/", 11) && right_covers(word, arena_printf(a, "file.read:%s", path)))
                    dirs[i] = word + 10;
            }
        if (!dirs[0] || !dirs[1])
            refuse(L, name, t, path, "file.read:");
        const char *const head[] = {"sh", "-c", script, "sh", path, dirs[1], dirs[0]};
        for (; k < sizeof head / sizeof *head; k++)
            out[k] = head[k];
    }
    for (size_t i = 0; i < n; i++)
        out[k++] = argv[i];
    if (!t->spec.def->own)
        out[k++] = path;
    out[k] = NULL;
    return out;
}
