#include "store/spool.h"

#include "value/file.h"
#include "value/json.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const size_t max_spool = (size_t)1 << 30; /* bytes */

const char *spool_path(struct arena *a, const char *run_id) {
    return arena_printf(a, "%s/spool/%s.jsonl", store_state_dir(a), run_id);
}

/* ---- reading ---- */

struct spooled {
    int64_t after;
    const char **records;
    size_t n;
    size_t whole; /* bytes of the lines that were written to their end */
};

/* {"seq":N,"record":…}: the record is kept byte by byte. */
static bool line_of(struct arena *a, const char *line, size_t len, int64_t *ret_seq, const char **ret) {
    static const char head[] = "{\"seq\":", middle[] = ",\"record\":";
    char *end;
    if (len < sizeof head || strncmp(line, head, sizeof head - 1) != 0 || line[len - 1] != '}')
        return false;
    *ret_seq = strtoll(line + sizeof head - 1, &end, 10);
    if (strncmp(end, middle, sizeof middle - 1) != 0)
        return false;
    end += sizeof middle - 1;
    *ret = arena_strndup(a, end, (size_t)(line + len - 1 - end));
    const struct val *v;
    return json_parse(a, "spool", *ret, strlen(*ret), &v, err_new(a));
}

static bool bad(const char *path, struct err *err, const char *what) {
    struct diag *d = err_add(err, mark_none(), "spool", "%s %s", path, what);
    diag_hint(err, d, "it keeps what happened while the journal was gone; look at it, and move it away only if the journal tells the same");
    return false;
}

static bool load(struct arena *a, const char *path, struct spooled *ret, struct err *err) {
    const struct source *src;
    *ret = (struct spooled){0};
    if (access(path, F_OK) != 0 && errno == ENOENT)
        return true;
    if (!file_read(a, path, NULL, max_spool, &src, err))
        return false;
    size_t lines = 0;
    for (size_t i = 0; i < src->len; i++)
        lines += src->text[i] == '\n';
    ret->records = arena_array(a, const char *, lines + 1);
    for (const char *s = src->text, *end; (end = memchr(s, '\n', (size_t)(src->text + src->len - s))); s = end + 1) {
        int64_t seq = 0;
        if (!line_of(a, s, (size_t)(end - s), &seq, &ret->records[ret->n]))
            return bad(path, err, "has a line that is no record");
        if (!ret->n)
            ret->after = seq - 1;
        if (seq != ret->after + (int64_t)ret->n + 1 || seq < 1)
            return bad(path, err, "has records that do not follow one another");
        ret->n++;
        ret->whole = (size_t)(end + 1 - src->text);
    }
    return true;
}

bool spool_read(const char *run_id, struct arena *a, int64_t *ret_after, const char ***ret, size_t *ret_n, struct err *err) {
    struct spooled s;
    if (!store_is_run_id(run_id)) {
        *ret_n = 0;
        return true;
    }
    if (!load(a, spool_path(a, run_id), &s, err))
        return false;
    *ret_after = s.after;
    *ret = s.records;
    *ret_n = s.n;
    return true;
}

/* ---- writing ---- */

static bool make_folders(struct arena *a, const char *path) {
    char *copy = arena_strdup(a, path);
    for (char *p = copy + 1; (p = strchr(p, '/')); p++) {
        *p = 0;
        mkdir(copy, 0700); /* what is there stays as it is */
        *p = '/';
    }
    return true;
}

/* So that the name of a new file, or that it is gone, survives a power cut. */
static void sync_folder(struct arena *a, const char *path) {
    const int fd = open(path_dir(a, path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
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

static bool add_lines(struct arena *a, const char *path, size_t whole, const struct buf *lines, struct err *err) {
    make_folders(a, path);
    const int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    const bool ok = fd >= 0 && ftruncate(fd, (off_t)whole) == 0 && write_all(fd, lines->data, lines->len) && fsync(fd) == 0;
    if (!ok)
        err_add(err, mark_none(), "spool", "cannot write %s: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    if (ok)
        sync_folder(a, path);
    return ok;
}

bool spool_write(const char *run_id, int64_t after_seq, const char *const *json, size_t n, struct err *err) {
    struct arena *a = arena_new();
    struct spooled s;
    if (!store_is_run_id(run_id)) {
        arena_free(a);
        err_add(err, mark_none(), "spool", "'%s' is no name of a run", run_id);
        return false;
    }
    const char *path = spool_path(a, run_id);
    bool ok = load(a, path, &s, err);
    if (ok && s.n && after_seq != s.after + (int64_t)s.n)
        ok = bad(path, err, "has records of the same run that do not go before these");
    struct buf lines = BUF_INIT;
    for (size_t i = 0; ok && i < n; i++)
        buf_printf(&lines, "{\"seq\":%" PRId64 ",\"record\":%s}\n", after_seq + 1 + (int64_t)i, json[i]);
    ok = ok && add_lines(a, path, s.whole, &lines, err);
    buf_done(&lines);
    arena_free(a);
    return ok;
}

/* ---- back into the journal ---- */

static bool conflict(struct store *s, const char *run_id, const char *path, struct err *err, const char *how) {
    struct diag *d = err_add(err, mark_none(), "spool-conflict", "the run %s %s", run_id, how);
    diag_note(err, d, "the journal is %s", s->url);
    diag_note(err, d, "what happened while it was gone is in %s", path);
    diag_hint(err, d, "compare the two; when the journal tells all that matters, move the file away");
    return false;
}

static bool reconcile(struct store *s, const char *run_id, struct arena *a, size_t *ret_n, struct err *err) {
    struct spooled k;
    struct store_record *records;
    size_t n;
    const char *path = spool_path(a, run_id);
    *ret_n = 0;
    if (!load(a, path, &k, err))
        return false;
    if (k.n) {
        if (!s->ops->read(s, run_id, a, &records, &n, err))
            return false;
        if ((int64_t)n < k.after)
            return conflict(s, run_id, path, err, "has fewer records in the journal than it had when the journal was lost");
        const size_t there = n - (size_t)k.after;
        for (size_t i = 0; i < there; i++)
            if (i >= k.n || strcmp(records[(size_t)k.after + i].json, k.records[i]) != 0)
                return conflict(s, run_id, path, err, i >= k.n ? "has gone on in the journal since" : "has gone on in the journal without what happened here");
        if (there < k.n && !store_append_wait(s, run_id, k.records + there, k.n - there, err))
            return false;
        *ret_n = k.n - there;
    }
    if (unlink(path) == 0)
        sync_folder(a, path);
    return true;
}

bool spool_reconcile(struct store *s, const char *run_id, size_t *ret_n, struct err *err) {
    *ret_n = 0;
    if (!store_is_run_id(run_id))
        return true;
    struct arena *a = arena_new();
    const bool ok = reconcile(s, run_id, a, ret_n, err);
    arena_free(a);
    return ok;
}
