#include "store/sqlite.h"

#include <assert.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { format = 1, busy_ms = 5000 };

/* Batches that wait while one commit is under way go into the next one together. */
struct batch {
    struct batch *next;
    char *run_id;
    char **texts;
    size_t n;
    store_done *done;
    void *ud;
};

struct sqlite {
    struct store store;
    sqlite3 *db;          /* used by one thread at a time: the worker while committing, else ours */
    struct loop *loop;
    struct batch *waiting, **waiting_end;
    struct batch *under_way;
    bool ok;              /* of the commit under way */
    char message[256];
};

static bool fail(struct sqlite *s, struct err *err, const char *what) {
    struct diag *d = err_add(err, mark_none(), "journal", "%s %s: %s", what, s->store.url, sqlite3_errmsg(s->db));
    const int code = sqlite3_errcode(s->db) & 0xff;
    if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB)
        diag_hint(err, d, "it is damaged, or no journal: move it away, or name another one with --store");
    else if (code == SQLITE_FULL || code == SQLITE_IOERR)
        diag_hint(err, d, "is the disk full?");
    else if (code == SQLITE_READONLY || code == SQLITE_CANTOPEN || code == SQLITE_PERM)
        diag_hint(err, d, "may it be written here? name another one with --store");
    else if (code == SQLITE_BUSY)
        diag_hint(err, d, "another process holds it");
    return false;
}

/* ---- statements ---- */

static bool step_done(sqlite3_stmt *st) {
    const bool ok = sqlite3_step(st) == SQLITE_DONE;
    sqlite3_finalize(st);
    return ok;
}

static sqlite3_stmt *prepare(struct sqlite *s, const char *sql, const char *run_id) {
    sqlite3_stmt *st = NULL;
    if (sqlite3_prepare_v2(s->db, sql, -1, &st, NULL) != SQLITE_OK)
        return NULL;
    if (run_id)
        sqlite3_bind_text(st, 1, run_id, -1, SQLITE_TRANSIENT);
    return st;
}

static bool exec(struct sqlite *s, const char *sql) {
    return sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

static int64_t next_seq(struct sqlite *s, const char *run_id) {
    sqlite3_stmt *st = prepare(s, "SELECT coalesce(max(seq), 0) + 1 FROM records WHERE run = ?1", run_id);
    const int64_t seq = st && sqlite3_step(st) == SQLITE_ROW ? sqlite3_column_int64(st, 0) : 0;
    sqlite3_finalize(st);
    return seq;
}

/* ---- appending: on another thread, one transaction for all that waited ---- */

static bool write_batch(struct sqlite *s, const struct batch *b) {
    int64_t seq = next_seq(s, b->run_id);
    bool ok = seq > 0;
    for (size_t i = 0; ok && i < b->n; i++) {
        sqlite3_stmt *st = prepare(s, "INSERT INTO records (run, seq, json) VALUES (?1, ?2, ?3)", b->run_id);
        if (!st)
            return false;
        sqlite3_bind_int64(st, 2, seq++);
        sqlite3_bind_text(st, 3, b->texts[i], -1, SQLITE_TRANSIENT);
        ok = step_done(st);
    }
    return ok;
}

static void commit_work(void *ud) {
    struct sqlite *s = ud;
    s->ok = exec(s, "BEGIN IMMEDIATE");
    for (const struct batch *b = s->under_way; b && s->ok; b = b->next)
        s->ok = write_batch(s, b);
    s->ok = s->ok && exec(s, "COMMIT");
    if (!s->ok) {
        snprintf(s->message, sizeof s->message, "%s", sqlite3_errmsg(s->db));
        exec(s, "ROLLBACK");
    }
}

static void batch_free(struct batch *b) {
    for (size_t i = 0; i < b->n; i++)
        free(b->texts[i]);
    free(b->texts);
    free(b->run_id);
    free(b);
}

static void commit_done(void *ud);

static void commit_start(struct sqlite *s) {
    if (s->under_way || !s->waiting)
        return;
    s->under_way = s->waiting;
    s->waiting = NULL;
    s->waiting_end = &s->waiting;
    loop_work(s->loop, commit_work, commit_done, s);
}

static void commit_done(void *ud) {
    struct sqlite *s = ud;
    struct batch *done = s->under_way;
    s->under_way = NULL;
    const bool ok = s->ok;
    char message[sizeof s->message];
    memcpy(message, s->message, sizeof message);
    commit_start(s);
    while (done) { /* a callback may append again */
        struct batch *b = done;
        done = b->next;
        b->done(b->ud, ok, ok ? NULL : message);
        batch_free(b);
    }
}

static void sqlite_append(struct store *store, const char *run_id, const char *const *json, size_t n, store_done *done, void *ud) {
    struct sqlite *s = (struct sqlite *)store;
    assert(s->loop);
    struct batch *b = mem_alloc(sizeof *b);
    *b = (struct batch){.run_id = mem_strdup(run_id), .texts = mem_alloc((n + 1) * sizeof *b->texts), .n = n, .done = done, .ud = ud};
    for (size_t i = 0; i < n; i++)
        b->texts[i] = mem_strdup(json[i]);
    *s->waiting_end = b;
    s->waiting_end = &b->next;
    commit_start(s);
}

/* ---- the rest ---- */

static bool sqlite_create(struct store *store, const char *run_id, struct err *err) {
    struct sqlite *s = (struct sqlite *)store;
    sqlite3_stmt *st = prepare(s, "INSERT INTO runs (id, created) VALUES (?1, ?2)", run_id);
    if (!st)
        return fail(s, err, "cannot write the journal");
    sqlite3_bind_int64(st, 2, (int64_t)time(NULL));
    if (step_done(st))
        return true;
    if ((sqlite3_errcode(s->db) & 0xff) != SQLITE_CONSTRAINT)
        return fail(s, err, "cannot write the journal");
    err_add(err, mark_none(), "run-exists", "the journal %s has a run '%s' already", store->url, run_id);
    return false;
}

static bool sqlite_read(struct store *store, const char *run_id, struct arena *a, struct store_record **ret, size_t *ret_n, struct err *err) {
    struct sqlite *s = (struct sqlite *)store;
    sqlite3_stmt *st = prepare(s, "SELECT count(*) FROM records WHERE run = ?1", run_id);
    const size_t n = st && sqlite3_step(st) == SQLITE_ROW ? (size_t)sqlite3_column_int64(st, 0) : 0;
    sqlite3_finalize(st);
    struct store_record *records = arena_array(a, struct store_record, n + 1);
    size_t k = 0;
    int rc = SQLITE_DONE;
    st = prepare(s, "SELECT seq, json FROM records WHERE run = ?1 ORDER BY seq", run_id);
    while (st && k < n && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        const size_t len = (size_t)sqlite3_column_bytes(st, 1);
        records[k++] = (struct store_record){.seq = sqlite3_column_int64(st, 0),
                                             .json = arena_strndup(a, (const char *)sqlite3_column_text(st, 1), len), .len = len};
    }
    const bool ok = st && (rc == SQLITE_DONE || rc == SQLITE_ROW);
    if (!ok)
        fail(s, err, "cannot read the journal");
    sqlite3_finalize(st);
    *ret = records;
    *ret_n = k;
    return ok;
}

static bool sqlite_runs(struct store *store, struct arena *a, struct store_run **ret, size_t *ret_n, struct err *err) {
    struct sqlite *s = (struct sqlite *)store;
    sqlite3_stmt *st = prepare(s, "SELECT count(*) FROM runs", NULL);
    const size_t n = st && sqlite3_step(st) == SQLITE_ROW ? (size_t)sqlite3_column_int64(st, 0) : 0;
    sqlite3_finalize(st);
    struct store_run *runs = arena_array(a, struct store_run, n + 1);
    size_t k = 0;
    int rc = SQLITE_DONE;
    st = prepare(s,
                 "SELECT id, (SELECT json FROM records WHERE run = id ORDER BY seq LIMIT 1), "
                 "(SELECT json FROM records WHERE run = id ORDER BY seq DESC LIMIT 1), (SELECT count(*) FROM records WHERE run = id) "
                 "FROM runs ORDER BY created DESC, rowid DESC",
                 NULL);
    while (st && k < n && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        const char *text[3];
        for (int i = 0; i < 3; i++)
            text[i] = sqlite3_column_text(st, i) ? arena_strdup(a, (const char *)sqlite3_column_text(st, i)) : NULL;
        runs[k++] = (struct store_run){.id = text[0], .summary = text[1], .last = text[2], .records = sqlite3_column_int64(st, 3)};
    }
    const bool ok = st && (rc == SQLITE_DONE || rc == SQLITE_ROW);
    if (!ok)
        fail(s, err, "cannot read the journal");
    sqlite3_finalize(st);
    *ret = runs;
    *ret_n = k;
    return ok;
}

static void sqlite_close_store(struct store *store) {
    struct sqlite *s = (struct sqlite *)store;
    while (s->under_way && loop_once(s->loop)) { /* what was handed in is written */
    }
    for (struct batch *b = s->waiting; b;) {
        struct batch *next = b->next;
        batch_free(b);
        b = next;
    }
    sqlite3_close(s->db);
}

static const struct store_ops ops = {
    .create = sqlite_create, .append = sqlite_append, .read = sqlite_read, .runs = sqlite_runs, .close = sqlite_close_store};

/* ---- opening ---- */

static void make_folder(struct arena *a, const char *path) {
    char *copy = arena_strdup(a, path);
    for (char *p = copy + 1; (p = strchr(p, '/')); p++) {
        *p = 0;
        mkdir(copy, 0700); /* what is there stays as it is */
        *p = '/';
    }
}

static bool set_up(struct sqlite *s, bool read_only, struct err *err) {
    sqlite3_busy_timeout(s->db, busy_ms);
    sqlite3_extended_result_codes(s->db, 0);
    sqlite3_stmt *st = prepare(s, "PRAGMA user_version", NULL);
    if (!st || sqlite3_step(st) != SQLITE_ROW) {
        const bool ok = fail(s, err, "cannot read the journal");
        sqlite3_finalize(st);
        return ok;
    }
    const int version = sqlite3_column_int(st, 0);
    sqlite3_finalize(st);
    if (version > format) {
        struct diag *d = err_add(err, mark_none(), "journal", "the journal %s has the format %d, and this program knows up to %d", s->store.url, version, format);
        diag_hint(err, d, "use the version of the program that wrote it, or a newer one");
        return false;
    }
    if (read_only)
        return true;
    if (!exec(s, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON") ||
        !exec(s, "BEGIN IMMEDIATE;"
                 "CREATE TABLE IF NOT EXISTS runs (id TEXT PRIMARY KEY, created INTEGER NOT NULL);"
                 "CREATE TABLE IF NOT EXISTS records (run TEXT NOT NULL REFERENCES runs (id), seq INTEGER NOT NULL, json TEXT NOT NULL,"
                 " PRIMARY KEY (run, seq)) WITHOUT ROWID;"
                 "PRAGMA user_version = 1;"
                 "COMMIT"))
        return fail(s, err, "cannot set up the journal");
    return true;
}

bool sqlite_open(struct arena *a, struct loop *loop, const char *path, const char *url, bool read_only, struct store **ret, struct err *err) {
    const bool memory = !strcmp(path, ":memory:");
    if (read_only && (memory || access(path, F_OK))) {
        *ret = NULL;
        return true;
    }
    if (!memory && !read_only) {
        make_folder(a, path);
        const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600); /* before SQLite would make it with other rights */
        if (fd >= 0)
            close(fd);
    }
    struct sqlite *s = arena_new_of(a, struct sqlite);
    *s = (struct sqlite){.store = {.ops = &ops, .url = url}, .loop = loop};
    s->waiting_end = &s->waiting;
    const int flags = (read_only ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE) | SQLITE_OPEN_FULLMUTEX;
    int rc = sqlite3_open_v2(path, &s->db, flags, NULL);
    if (rc != SQLITE_OK && read_only) { /* a read-only file system, where a WAL without its index cannot be read otherwise */
        sqlite3_close(s->db);
        rc = sqlite3_open_v2(path, &s->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_FULLMUTEX, NULL);
    }
    if (rc != SQLITE_OK || !set_up(s, read_only, err)) {
        if (rc != SQLITE_OK)
            fail(s, err, "cannot open the journal");
        sqlite3_close(s->db);
        return false;
    }
    *ret = &s->store;
    return true;
}
