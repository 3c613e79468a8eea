/* store.h: where journals live. An asynchronous, append-only log of records for each run.
 *
 * A record is one JSON text; its position in the run (1, 2, …) is given by the store. append is durable when done is called with ok: acts
 * hang on that callback. Batches of one run are appended in the order of the calls, whole or not at all: also where a store must send a long
 * one in several pieces, no reader sees any of it before all of it is there. An append that has failed may yet have happened, if those who
 * keep the store could not be reached; message says so, and reading tells. After one has failed, all that follow fail.
 *
 * A run is held by one process (own), and only it appends: two that try at the same moment, on one machine or, with a shared store, on
 * several, never both do. */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/err.h"
#include "io/loop.h"
#include "store/owner.h"

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
    /* This process holds the run from here until disown, close, or its end, however it comes: a file's lock goes with the process, a lease in etcd
     * is over some time after the machine was last heard of (at once, if the next is on the same machine and sees that the process is no more). The
     * run need not be there yet. Held by somebody else: an error (code run-held) that tells who, where and since when. Before resuming: own, then read. */
    bool (*own)(struct store *s, const char *run_id, struct err *err);
    void (*disown)(struct store *s, const char *run_id); /* nothing happens if it is not held */
    /* Who holds a run; *ret is NULL if nobody does. */
    bool (*owner)(struct store *s, const char *run_id, struct arena *a, const struct store_owner **ret, struct err *err);
    void (*close)(struct store *s); /* waits for what was handed in */
};

struct store {
    const struct store_ops *ops;
    const char *url;
    struct loop *loop; /* may be NULL: then nothing can be appended */
};

struct store_spec {
    const char *url;
    struct mark at;    /* of the URL, for errors */
    struct loop *loop; /* NULL: for reading only */
    bool read_only;    /* never creates anything; a file that is not there: *ret = NULL and true */
    /* Of a store on the network. */
    const char *ca, *cert, *key;     /* files, or NULL */
    const char *username, *password; /* or NULL */
    int64_t patience_ms;             /* how long an append may take before it fails; default 20 s. Questions have 6 s at most */
    int64_t lease_ms;                /* how long a run stays held when its holder is not heard of; default 30 s */
    /* Lines for people: a member that was passed over. From the loop, or from inside a call. May be NULL. */
    void (*note)(void *ud, const char *text);
    void *note_ud;
};

/* "sqlite:PATH" (created with mode 0600, its folder with 0700 if missing; WAL, synchronous=FULL), ":memory:" works too; or
 * "etcd://HOST:PORT[,HOST:PORT…][/PREFIX]". Unknown schemes are an error that lists the known ones. */
bool store_open_spec(struct arena *a, const struct store_spec *spec, struct store **ret, struct err *err);
/* The same where nothing but the URL is known. loop may be NULL for reading only. */
bool store_open(struct arena *a, struct loop *loop, const char *url, struct mark at, struct store **ret, struct err *err);
/* Read-only. */
bool store_open_read(struct arena *a, const char *url, struct mark at, struct store **ret, struct err *err);
/* append, waited for on the store's loop. A failure is an error (code journal). */
bool store_append_wait(struct store *s, const char *run_id, const char *const *json, size_t n, struct err *err);
/* "sqlite:$XDG_STATE_HOME/quorate/journal.db", or below ~/.local/state. */
const char *store_default_url(struct arena *a);
/* $XDG_STATE_HOME/quorate, or below ~/.local/state. */
const char *store_state_dir(struct arena *a);
/* Letters, digits, '.', '_' and '-', at most 100, not beginning with '.' or '-': so it can be a file's name. */
bool store_is_run_id(const char *s);
/* The error that a run is held, for stores. */
void store_held(struct store *s, const char *run_id, const struct store_owner *by, struct err *err);

#endif
