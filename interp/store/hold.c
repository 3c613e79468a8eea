#define _GNU_SOURCE 1 /* locks that belong to an open file, not to the process */

#include "store/hold.h"

#include "base/clock.h"
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct held {
    struct held *next;
    const char *run_id, *path;
    int fd;
};

struct holds {
    struct arena *arena;
    const char *folder;
    struct held *all;
};

struct holds *holds_new(struct arena *a, const char *folder) {
    struct holds *h = arena_new_of(a, struct holds);
    *h = (struct holds){.arena = a, .folder = folder};
    return h;
}

static struct flock whole(short type) {
    return (struct flock){.l_type = type, .l_whence = SEEK_SET};
}

/* Written while the lock is being taken, so for a moment it may be empty, or of one who is gone: then "another process" must do. */
static const struct store_owner *read_owner(int fd, struct arena *a) {
    char text[2048];
    struct store_owner *o = arena_new_of(a, struct store_owner);
    const ssize_t n = pread(fd, text, sizeof text, 0);
    if (n > 0 && owner_parse(a, text, (size_t)n, o))
        return o;
    *o = (struct store_owner){.host = "this machine", .user = "", .boot = "", .space = "", .token = ""};
    return o;
}

/* The file that the path names is still the one that is open: who lets go of a run removes its file. */
static bool still_there(int fd, const char *path) {
    struct stat a, b;
    return fstat(fd, &a) == 0 && stat(path, &b) == 0 && a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

static bool write_owner(int fd) {
    struct arena *a = arena_new();
    struct clock *clock = clock_system();
    struct buf b = BUF_INIT;
    owner_print(owner_self(a, clock->wall_ms(clock), ""), &b);
    const bool ok = ftruncate(fd, 0) == 0 && pwrite(fd, b.data, b.len, 0) == (ssize_t)b.len;
    buf_done(&b);
    arena_free(a);
    return ok;
}

bool hold_take(struct holds *h, const char *run_id, const struct store_owner **ret_by, struct err *err) {
    *ret_by = NULL;
    for (const struct held *e = h->all; e; e = e->next)
        if (!strcmp(e->run_id, run_id))
            return true;
    if (!store_is_run_id(run_id)) {
        err_add(err, mark_none(), "unknown-run", "'%s' is no name of a run", run_id);
        return false;
    }
    const char *path = arena_printf(h->arena, "%s/%s", h->folder, run_id), *what = "open";
    mkdir(h->folder, 0700);
    for (;;) {
        struct flock lock = whole(F_WRLCK);
        const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
            break;
        if (fcntl(fd, F_OFD_SETLK, &lock) == 0) {
            if (!still_there(fd, path)) {
                close(fd);
                continue;
            }
            what = "write";
            if (!write_owner(fd)) {
                close(fd);
                break;
            }
            struct held *e = arena_new_of(h->arena, struct held);
            *e = (struct held){.next = h->all, .run_id = arena_strdup(h->arena, run_id), .path = path, .fd = fd};
            h->all = e;
            return true;
        }
        what = "lock";
        if (errno == EAGAIN || errno == EACCES) {
            *ret_by = read_owner(fd, err->arena);
            close(fd);
            return false;
        }
        close(fd);
        break;
    }
    struct diag *d = err_add(err, mark_none(), "journal", "cannot %s %s: %s", what, path, strerror(errno));
    diag_hint(err, d, "it tells other processes that this one holds the run");
    return false;
}

void hold_drop(struct holds *h, const char *run_id) {
    for (struct held **at = &h->all; *at; at = &(*at)->next)
        if (!strcmp((*at)->run_id, run_id)) {
            unlink((*at)->path); /* while it is locked */
            close((*at)->fd);
            *at = (*at)->next;
            return;
        }
}

void holds_drop_all(struct holds *h) {
    while (h->all)
        hold_drop(h, h->all->run_id);
}

const struct store_owner *hold_by(struct holds *h, const char *run_id, struct arena *a) {
    const struct store_owner *o = NULL;
    struct flock lock = whole(F_WRLCK);
    if (!store_is_run_id(run_id))
        return NULL;
    const int fd = open(arena_printf(a, "%s/%s", h->folder, run_id), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd >= 0 && fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK)
        o = read_owner(fd, a);
    if (fd >= 0)
        close(fd);
    return o;
}
