#include "store/sqlite.h"

#include "store/hold.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { format = 1, busy_ms = 5000, wal_tries = 100 };

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
    sqlite3 *db;
    pthread_mutex_t lock; /* whoever uses db holds it: a transaction of the worker must not take in a statement of ours */
    struct loop *loop;
    struct batch *waiting, **waiting_end;
    struct batch *under_way;
    struct holds *holds;  /* NULL for a journal in memory, which nobody else sees */
    bool broken;          /* a commit has failed: nothing may follow what is missing */
    char message[512];
};

/* What to do about an error of SQLite, or NULL. */
static const char *advice(sqlite3 *db) {
    switch (sqlite3_errcode(db) & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return "it is damaged, or no journal: move it away, or name another one with --store";
    case SQLITE_FULL:
    case SQLITE_IOERR:
        return "is the disk full? make room, then look at what has happened";
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
        return "it cannot be written here: name another one with --store";
    case SQLITE_BUSY:
        return "another process holds it: wait until it has ended, or name another one with --store";
    default:
        return NULL;
    }
}

static bool fail(struct sqlite *s, struct err *err, const char *what) {
    struct diag *d = err_add(err, mark_none(), "journal", "%s %s: %s", what, s->store.url, sqlite3_errmsg(s->db));
    const char *hint = advice(s->db);
    if (hint)
        diag_hint(err, d, "%s", hint);
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

/* How many rows the statement counts; -1 if it cannot be told. */
static int64_t count(struct sqlite *s, const char *sql, const char *run_id) {
    sqlite3_stmt *st = prepare(s, sql, run_id);
    const int64_t n = st && sqlite3_step(st) == SQLITE_ROW ? sqlite3_column_int64(st, 0) : -1;
    sqlite3_finalize(st);
    return n;
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
    if (s->broken)
        return;
    pthread_mutex_lock(&s->lock);
    bool ok = exec(s, "BEGIN IMMEDIATE");
    for (const struct batch *b = s->under_way; b && ok; b = b->next)
        ok = write_batch(s, b);
    if (!ok || !exec(s, "COMMIT")) {
        const char *hint = advice(s->db);
        s->broken = true;
        snprintf(s->message, sizeof s->message, "cannot write the journal %s: %s%s%s", s->store.url, sqlite3_errmsg(s->db), hint ? "; " : "", hint ? hint : "");
        exec(s, "ROLLBACK");
    }
    pthread_mutex_unlock(&s->lock);
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
    const bool ok = !s->broken; /* once broken, the message stays as it is */
    s->under_way = NULL;
    commit_start(s);
    while (done) { /* a callback may append again */
        struct batch *b = done;
        done = b->next;
        b->done(b->ud, ok, ok ? NULL : s->message);
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

static bool create(struct sqlite *s, const char *run_id, struct err *err) {
    sqlite3_stmt *st = prepare(s, "INSERT INTO runs (id, created) VALUES (?1, ?2)", run_id);
    if (!st)
        return fail(s, err, "cannot write the journal");
    struct clock *clock = s->loop ? loop_clock(s->loop) : clock_system();
    sqlite3_bind_int64(st, 2, clock->wall_ms(clock));
    if (step_done(st))
        return true;
    if ((sqlite3_errcode(s->db) & 0xff) != SQLITE_CONSTRAINT)
        return fail(s, err, "cannot write the journal");
    err_add(err, mark_none(), "run-exists", "the journal %s has a run '%s' already", s->store.url, run_id);
    return false;
}

static bool sqlite_create(struct store *store, const char *run_id, struct err *err) {
    struct sqlite *s = (struct sqlite *)store;
    pthread_mutex_lock(&s->lock);
    const bool ok = create(s, run_id, err);
    pthread_mutex_unlock(&s->lock);
    return ok;
}

/* ---- plans that were taken ---- */

/* Made when the first plan is taken, so that journals of versions that knew no saved plans need no change of format. */
static bool have_plans(struct sqlite *s) {
    return exec(s, "CREATE TABLE IF NOT EXISTS plans (id TEXT PRIMARY KEY, run TEXT NOT NULL REFERENCES runs (id))");
}

/* false if that cannot be told. */
static bool taker(struct sqlite *s, const char *plan_id, struct arena *a, const char **ret) {
    *ret = NULL;
    const int64_t tables = count(s, "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'plans'", NULL);
    if (tables < 1)
        return tables == 0;
    sqlite3_stmt *st = prepare(s, "SELECT run FROM plans WHERE id = ?1", plan_id);
    const int rc = st ? sqlite3_step(st) : SQLITE_ERROR;
    const char *run = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(st, 0) : NULL;
    if (run)
        *ret = arena_strdup(a, run);
    sqlite3_finalize(st);
    return rc == SQLITE_ROW || rc == SQLITE_DONE;
}

static bool take_plan(struct sqlite *s, const char *run_id, const char *plan_id) {
    sqlite3_stmt *st = prepare(s, "INSERT INTO plans (id, run) VALUES (?1, ?2)", plan_id);
    if (!st)
        return false;
    sqlite3_bind_text(st, 2, run_id, -1, SQLITE_TRANSIENT);
    return step_done(st);
}

/* Inside a transaction that nobody else can write beside. */
static bool create_and_take(struct sqlite *s, const char *run_id, const char *plan_id, struct err *err) {
    const char *other;
    if (!have_plans(s) || !taker(s, plan_id, err->arena, &other))
        return fail(s, err, "cannot write the journal");
    if (!other)
        return create(s, run_id, err) && (take_plan(s, run_id, plan_id) || fail(s, err, "cannot write the journal"));
    struct diag *d = err_add(err, mark_none(), "plan-used", "the plan %s was used by the run %s", plan_id, other);
    diag_hint(err, d, "a plan is good for one run: make a new one");
    return false;
}

static bool sqlite_create_from(struct store *store, const char *run_id, const char *plan_id, struct err *err) {
    struct sqlite *s = (struct sqlite *)store;
    pthread_mutex_lock(&s->lock);
    bool ok = exec(s, "BEGIN IMMEDIATE") || fail(s, err, "cannot write the journal");
    if (ok) {
        ok = create_and_take(s, run_id, plan_id, err) && (exec(s, "COMMIT") || fail(s, err, "cannot write the journal"));
        if (!ok)
            exec(s, "ROLLBACK");
    }
    pthread_mutex_unlock(&s->lock);
    return ok;
}

static bool sqlite_plan_taken(struct store *store, const char *plan_id, struct arena *a, const char **ret, struct err *err) {
    struct sqlite *s = (struct sqlite *)store;
    pthread_mutex_lock(&s->lock);
    const bool ok = taker(s, plan_id, a, ret) || fail(s, err, "cannot read the journal");
    pthread_mutex_unlock(&s->lock);
    return ok;
}

/* ---- reading ---- */

static bool read_records(struct sqlite *s, const char *run_id, struct arena *a, struct store_record **ret, size_t *ret_n) {
    const int64_t n = count(s, "SELECT count(*) FROM records WHERE run = ?1", run_id);
    sqlite3_stmt *st = n < 0 ? NULL : prepare(s, "SELECT seq, json FROM records WHERE run = ?1 ORDER BY seq", run_id);
    struct store_record *records = arena_array(a, struct store_record, (n > 0 ? n : 0) + 1);
    int64_t k = 0;
    int rc = SQLITE_ROW;
    while (st && k < n && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(st, 1);
        const size_t len = (size_t)sqlite3_column_bytes(st, 1);
        records[k++] = (struct store_record){.seq = sqlite3_column_int64(st, 0), .json = arena_strndup(a, text ? text : "", text ? len : 0), .len = len};
    }
    *ret = records;
    *ret_n = (size_t)k;
    const bool ok = st && (rc == SQLITE_ROW || rc == SQLITE_DONE);
    sqlite3_finalize(st);
    return ok;
}

static bool sqlite_read(struct store *store, const char *run_id, struct arena *a, struct store_record **ret, size_t *ret_n, struct err *err) {
    struct sqlite *s = (struct sqlite *)store;
    pthread_mutex_lock(&s->lock);
    const bool ok = read_records(s, run_id, a, ret, ret_n) || fail(s, err, "cannot read the journal");
    pthread_mutex_unlock(&s->lock);
    return ok;
}

static bool read_runs(struct sqlite *s, struct arena *a, struct store_run **ret, size_t *ret_n) {
    const int64_t n = count(s, "SELECT count(*) FROM runs", NULL);
    sqlite3_stmt *st =
        n < 0 ? NULL
              : prepare(s,
                        "SELECT id, (SELECT json FROM records WHERE run = id ORDER BY seq LIMIT 1), "
                        "(SELECT json FROM records WHERE run = id ORDER BY seq DESC LIMIT 1), (SELECT count(*) FROM records WHERE run = id) "
                        "FROM runs ORDER BY created DESC, rowid DESC",
                        NULL);
    struct store_run *runs = arena_array(a, struct store_run, (n > 0 ? n : 0) + 1);
    int64_t k = 0;
    int rc = SQLITE_ROW;
    while (st && k < n && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        const char *text[3];
        for (int i = 0; i < 3; i++)
            text[i] = sqlite3_column_text(st, i) ? arena_strdup(a, (const char *)sqlite3_column_text(st, i)) : NULL;
        runs[k++] = (struct store_run){.id = text[0], .summary = text[1], .last = text[2], .records = sqlite3_column_int64(st, 3)};
    }
    *ret = runs;
    *ret_n = (size_t)k;
    const bool ok = st && (rc == SQLITE_ROW || rc == SQLITE_DONE);
    sqlite3_finalize(st);
    return ok;
}

static bool sqlite_runs(struct store *store, struct arena *a, struct store_run **ret, size_t *ret_n, struct err *err) {
    struct sqlite *s = (struct sqlite *)store;
    pthread_mutex_lock(&s->lock);
    const bool ok = read_runs(s, a, ret, ret_n) || fail(s, err, "cannot read the journal");
    pthread_mutex_unlock(&s->lock);
    return ok;
}

/* ---- holding ---- */

static bool sqlite_own(struct store *store, const char *run_id, struct err *err) {
    struct sqlite *s = (struct sqlite *)store;
    const struct store_owner *by;
    if (!s->holds || hold_take(s->holds, run_id, &by, err))
        return true;
    if (by)
        store_held(store, run_id, by, err);
    return false;
}

static void sqlite_disown(struct store *store, const char *run_id) {
    struct sqlite *s = (struct sqlite *)store;
    if (s->holds)
        hold_drop(s->holds, run_id);
}

static bool sqlite_owner(struct store *store, const char *run_id, struct arena *a, const struct store_owner **ret, struct err *err) {
    struct sqlite *s = (struct sqlite *)store;
    (void)err;
    *ret = s->holds ? hold_by(s->holds, run_id, a) : NULL;
    return true;
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
    if (s->holds)
        holds_drop_all(s->holds);
    pthread_mutex_destroy(&s->lock);
}

static const struct store_ops ops = {
    .create = sqlite_create, .create_from = sqlite_create_from, .plan_taken = sqlite_plan_taken, .append = sqlite_append, .read = sqlite_read,
    .runs = sqlite_runs, .own = sqlite_own, .disown = sqlite_disown, .owner = sqlite_owner, .close = sqlite_close_store};

/* ---- opening ---- */

static void make_folder(struct arena *a, const char *path) {
    char *copy = arena_strdup(a, path);
    for (char *p = copy + 1; (p = strchr(p, '/')); p++) {
        *p = 0;
        mkdir(copy, 0700); /* what is there stays as it is */
        *p = '/';
    }
}

/* Another process that opens the file at the same moment makes the change of mode fail at once, whatever the busy timeout is. */
static bool set_wal(struct sqlite *s) {
    for (int i = 0; i < wal_tries; i++) {
        if (exec(s, "PRAGMA journal_mode = WAL"))
            return true;
        if ((sqlite3_errcode(s->db) & 0xff) != SQLITE_BUSY)
            return false;
        sqlite3_sleep(busy_ms / wal_tries);
    }
    return false;
}

static bool make_tables(struct sqlite *s) {
    return exec(s, "BEGIN IMMEDIATE;"
                   "CREATE TABLE IF NOT EXISTS runs (id TEXT PRIMARY KEY, created INTEGER NOT NULL);" /* ms since 1970 */
                   "CREATE TABLE IF NOT EXISTS records (run TEXT NOT NULL REFERENCES runs (id), seq INTEGER NOT NULL, json TEXT NOT NULL,"
                   " PRIMARY KEY (run, seq)) WITHOUT ROWID;"
                   "PRAGMA user_version = 1;"
                   "COMMIT");
}

static bool refuse(struct sqlite *s, struct err *err, const char *what, const char *hint) {
    struct diag *d = err_add(err, mark_none(), "journal", "the journal %s %s", s->store.url, what);
    diag_hint(err, d, "%s", hint);
    return false;
}

/* *ret_empty: nothing was ever written there. */
static bool set_up(struct sqlite *s, bool read_only, bool *ret_empty, struct err *err) {
    sqlite3_busy_timeout(s->db, busy_ms);
    /* in this order: another process may be setting it up, and does both at once */
    const int64_t tables = count(s, "SELECT count(*) FROM sqlite_master", NULL);
    const int64_t version = tables < 0 ? -1 : count(s, "PRAGMA user_version", NULL);
    if (version < 0)
        return fail(s, err, read_only ? "cannot read the journal" : "cannot open the journal");
    if (version > format) {
        char what[80];
        snprintf(what, sizeof what, "has the format %lld, and this program knows up to %d", (long long)version, format);
        return refuse(s, err, what, "use the version of the program that wrote it, or a newer one");
    }
    if (version == 0 && tables > 0)
        return refuse(s, err, "is a database of something else", "name another file with --store");
    *ret_empty = version == 0;
    if (read_only)
        return true;
    if (!set_wal(s) || !exec(s, "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON") || (version < format && !make_tables(s)))
        return fail(s, err, "cannot set up the journal");
    return true;
}

/* Made before SQLite would make it with other rights. */
static bool make_file(const char *path) {
    const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    close(fd);
    return true;
}

bool sqlite_open(struct arena *a, struct loop *loop, const char *path, const char *url, bool read_only, struct store **ret, struct err *err) {
    const bool memory = !strcmp(path, ":memory:") || !strcmp(path, "file::memory:");
    if (read_only && (memory || access(path, F_OK))) {
        *ret = NULL;
        return true;
    }
    if (!memory && !read_only) {
        make_folder(a, path);
        if (!make_file(path)) {
            struct diag *d = err_add(err, mark_none(), "journal", "cannot open the journal %s: %s", url, strerror(errno));
            diag_hint(err, d, "it cannot be written here: name another one with --store");
            return false;
        }
    }
    struct sqlite *s = arena_new_of(a, struct sqlite);
    *s = (struct sqlite){.store = {.ops = &ops, .url = url, .loop = loop}, .loop = loop, .holds = memory ? NULL : holds_new(a, arena_printf(a, "%s-held", path))};
    s->waiting_end = &s->waiting;
    pthread_mutex_init(&s->lock, NULL);
    /* reading a WAL that nobody has open needs its index, which only a writer may make; SQLite falls back by itself where it may not write */
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_FULLMUTEX | (memory ? SQLITE_OPEN_CREATE : 0);
    const int rc = sqlite3_open_v2(memory ? ":memory:" : path, &s->db, flags, NULL);
    bool empty = false;
    if (rc != SQLITE_OK || !set_up(s, read_only, &empty, err)) {
        if (rc != SQLITE_OK)
            fail(s, err, "cannot open the journal");
        sqlite3_close(s->db);
        pthread_mutex_destroy(&s->lock);
        return false;
    }
    if (read_only && empty) {
        sqlite3_close(s->db);
        pthread_mutex_destroy(&s->lock);
        *ret = NULL;
        return true;
    }
    *ret = &s->store;
    return true;
}
