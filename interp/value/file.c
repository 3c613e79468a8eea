#include "value/file.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char *path_join(struct arena *a, const char *dir, const char *rel) {
    if (*rel == '/' || !*dir || !strcmp(dir, "."))
        return arena_strdup(a, rel);
    return arena_printf(a, "%s%s%s", dir, dir[strlen(dir) - 1] == '/' ? "" : "/", rel);
}

char *path_dir(struct arena *a, const char *path) {
    const char *slash = strrchr(path, '/');
    if (!slash)
        return arena_strdup(a, ".");
    return arena_strndup(a, path, slash == path ? 1 : (size_t)(slash - path));
}

static bool cannot(struct err *err, const char *what, const char *path, int error) {
    err_add(err, mark_none(), "file", "cannot %s '%s': %s", what, path, strerror(error));
    return false;
}

bool file_read(struct arena *a, const char *path, const char *name, size_t max, const struct source **ret, struct err *err) {
    const bool standard = !strcmp(path, "-");
    const int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO without a writer must not hang us */
    if (fd < 0)
        return cannot(err, "read", path, errno);
    struct stat st;
    if (!standard && !fstat(fd, &st) && !S_ISREG(st.st_mode) && !S_ISFIFO(st.st_mode)) {
        close(fd);
        err_add(err, mark_none(), "file", "cannot read '%s': it is %s", path, S_ISDIR(st.st_mode) ? "a folder" : "not a plain file");
        return false;
    }
    if (!standard)
        fcntl(fd, F_SETFL, 0);
    struct buf b;
    buf_init(&b, max);
    char block[65536];
    ssize_t n;
    while ((n = read(fd, block, sizeof block)) > 0 || (n < 0 && errno == EINTR))
        if (n > 0) {
            buf_add(&b, block, (size_t)n);
            if (b.over)
                break;
        }
    const int error = errno;
    if (!standard)
        close(fd);
    bool ok = true;
    if (n < 0) {
        ok = cannot(err, "read", path, error);
    } else if (b.over) {
        err_add(err, mark_none(), "too-large", "'%s' is larger than %zu bytes", path, max);
        ok = false;
    } else {
        *ret = source_new(a, name ? name : standard ? "standard input" : path, b.data, b.len);
    }
    buf_done(&b);
    return ok;
}

static bool write_all(int fd, const char *data, size_t len) {
    while (len) {
        const ssize_t n = write(fd, data, len);
        if (n < 0 && errno != EINTR)
            return false;
        if (n > 0) {
            data += n;
            len -= (size_t)n;
        }
    }
    return true;
}

/* A device or a pipe is written to as it is: renaming over /dev/null would replace it. */
static bool write_into(const char *path, const char *data, size_t len, struct err *err) {
    const int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return cannot(err, "write", path, errno);
    const int error = write_all(fd, data, len) ? 0 : errno;
    close(fd);
    return error ? cannot(err, "write", path, error) : true;
}

/* A name beside path that nobody has: what a crash left behind must not be in the way of the next run. */
static int open_aside(struct arena *a, const char *path, unsigned mode, char **ret) {
    struct clock *c = clock_system();
    for (int tries = 0;; tries++) {
        *ret = arena_printf(a, "%s.new-%08x", path, (unsigned)c->random(c));
        const int fd = open(*ret, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
        if (fd >= 0 || errno != EEXIST || tries == 10)
            return fd;
    }
}

static bool replace(const char *path, const char *target, unsigned mode, const char *data, size_t len, struct err *err);

bool file_write(const char *path, unsigned mode, const char *data, size_t len, struct err *err) {
    struct stat st;
    const bool exists = !stat(path, &st);
    if (exists && !S_ISREG(st.st_mode))
        return write_into(path, data, len, err);
    char *real = exists ? realpath(path, NULL) : NULL; /* behind a symbolic link, the file changes and not the link */
    const char *target = real ? arena_strdup(err->arena, real) : path;
    free(real);
    return replace(path, target, mode, data, len, err);
}

bool file_write_there(const char *path, unsigned mode, const char *data, size_t len, struct err *err) {
    struct stat st;
    if (!lstat(path, &st) && !S_ISREG(st.st_mode)) {
        err_add(err, mark_none(), "write", "it is no regular file");
        return false;
    }
    return replace(path, path, mode, data, len, err);
}

static bool replace(const char *path, const char *target, unsigned mode, const char *data, size_t len, struct err *err) {
    char *aside;
    const int fd = open_aside(err->arena, target, mode, &aside);
    if (fd < 0)
        return cannot(err, "create", aside, errno);
    int error = 0;
    if (!write_all(fd, data, len) || fsync(fd))
        error = errno;
    if (close(fd) && !error)
        error = errno;
    if (!error && rename(aside, target))
        error = errno;
    if (error) {
        unlink(aside);
        return cannot(err, "write", path, error);
    }
    const int dir = open(path_dir(err->arena, target), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir >= 0) { /* the new name is durable, too */
        fsync(dir);
        close(dir);
    }
    return true;
}
