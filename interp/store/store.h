/* store.h: where journals live. An asynchronous, append-only log of records for each run.
 *
 * A record is one JSON text; its position in the run (1, 2, …) is given by the store. append is durable when done is called with ok: acts
 * hang on that callback. Batches of one run are appended in the order of the calls, whole or not at all. */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/err.h"
#include "io/loop.h"

struct store;

struct store_record {
    int64_t seq;
    const char *json;
    size_t len;
};

struct store_run {
    const char *id;
    const char *summary; /* JSON of the run's first record, and of its last: enough for a list */
    const char *last;
    int64_t records;
};

typedef void store_done(void *ud, bool ok, const char *message);

struct store_ops {
    /* Creates the run; an id that is there already is an error (code run-exists). */
    bool (*create)(struct store *s, const char *run_id, struct err *err);
    /* As create, and the run takes the plan: one that another run has taken is an error (code plan-used) that names that run. Both happen or
     * neither, whoever else tries at the same moment. */
    bool (*create_from)(struct store *s, const char *run_id, const char *plan_id, struct err *err);
    /* The run that has taken a plan; *ret is NULL if none has. */
    bool (*plan_taken)(struct store *s, const char *plan_id, struct arena *a, const char **ret, struct err *err);
    void (*append)(struct store *s, const char *run_id, const char *const *json, size_t n, store_done *done, void *ud);
    /* All records in order. */
    bool (*read)(struct store *s, const char *run_id, struct arena *a, struct store_record **ret, size_t *ret_n, struct err *err);
    /* Newest first. */
    bool (*runs)(struct store *s, struct arena *a, struct store_run **ret, size_t *ret_n, struct err *err);
    void (*close)(struct store *s);
};

struct store {
    const struct store_ops *ops;
    const char *url;
};

/* "sqlite:PATH" (created with mode 0600, its folder with 0700 if missing; WAL, synchronous=FULL); ":memory:" works too. Unknown schemes
 * are an error that lists the known ones. loop may be NULL for reading only. */
bool store_open(struct arena *a, struct loop *loop, const char *url, struct mark at, struct store **ret, struct err *err);
/* Read-only: never creates anything. A file that is not there: *ret = NULL and true. */
bool store_open_read(struct arena *a, const char *url, struct mark at, struct store **ret, struct err *err);
/* "sqlite:$XDG_STATE_HOME/quorate/journal.db", or below ~/.local/state. */
const char *store_default_url(struct arena *a);

#endif
