#include "io/http_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void http_file_init(struct http_file *f) {
    *f = (struct http_file){.fd = -1};
}

static bool failed(struct http_file *f, const char *why) {
    snprintf(f->error, sizeof f->error, "%s: %s", f->path, why);
    http_file_close(f);
    return false;
}

static bool opened(struct http_file *f, const char *path, int flags) {
    const size_t len = strlen(path), most = sizeof f->path - 1;
    snprintf(f->path, sizeof f->path, "%s", path + (len > most ? len - most : 0));
    f->fd = open(path, flags | O_CLOEXEC | O_NOCTTY, 0600);
    return f->fd >= 0 || failed(f, strerror(errno));
}

bool http_file_send(struct http_file *f, const char *path) {
    struct stat st;
    if (!opened(f, path, O_RDONLY | O_NONBLOCK)) /* a fifo without a writer must not hold the loop */
        return false;
    if (fstat(f->fd, &st))
        return failed(f, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return failed(f, "is not a plain file");
    f->size = (uint64_t)st.st_size;
    return true;
}

bool http_file_take(struct http_file *f, const char *path) {
    struct stat st;
    if (!opened(f, path, O_WRONLY | O_CREAT | O_NONBLOCK | O_NOFOLLOW))
        return false;
    if (fstat(f->fd, &st))
        return failed(f, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return failed(f, "is not a plain file");
    if (fchmod(f->fd, 0600) || ftruncate(f->fd, 0)) /* also of one that was there: closed to others before anything is in it */
        return failed(f, strerror(errno));
    return true;
}

size_t http_file_read(char *data, size_t size, size_t n, void *ud) {
    struct http_file *f = ud;
    const uint64_t left = f->size - f->bytes;
    const size_t room = size * n, want = left < room ? (size_t)left : room;
    if (!want)
        return 0;
    ssize_t got;
    do
        got = read(f->fd, data, want);
    while (got < 0 && errno == EINTR);
    if (got <= 0) { /* fewer bytes than were promised: the peer must not take what came for the whole */
        failed(f, got < 0 ? strerror(errno) : "became shorter while it was sent");
        return HTTP_FILE_ABORT;
    }
    f->bytes += (uint64_t)got;
    return (size_t)got;
}

size_t http_file_write(struct http_file *f, const char *data, size_t len) {
    for (size_t done = 0; done < len;) {
        const ssize_t n = write(f->fd, data + done, len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            failed(f, n < 0 ? strerror(errno) : "nothing more can be written");
            return 0;
        }
        done += (size_t)n;
    }
    f->bytes += len;
    return len;
}

bool http_file_sync(struct http_file *f) {
    return !fsync(f->fd) || failed(f, strerror(errno));
}

void http_file_close(struct http_file *f) {
    if (f->fd >= 0)
        close(f->fd);
    f->fd = -1;
}
