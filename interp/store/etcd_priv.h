/* etcd_priv.h: what the files of the etcd store share. */
#ifndef STORE_ETCD_PRIV_H
#define STORE_ETCD_PRIV_H

#include "base/map.h"
#include "store/etcd.h"
#include "store/etcd_lease.h"
#include "store/etcd_txn.h"

#include <pthread.h>

/* Batches that wait their turn. */
struct etcd_batch {
    struct etcd_batch *next;
    char *run_id;
    char **texts;
    size_t n;
    store_done *done;
    void *ud;
};

/* What this process knows of a run that it appends to. */
struct etcd_run {
    int64_t seq, mod; /* of the head as we have left or read it; mod 0: not known */
    int64_t hold;     /* revision at which our hold was written; 0: not held */
    const char *owner, *owner_token; /* as written */
};

struct etcd {
    struct store store;
    struct arena *arena;
    struct etcd_spec spec;
    const char *prefix;      /* "quorate" */
    int64_t lease_ms;
    pthread_mutex_t lock;    /* whoever uses what is below holds it: the worker appends while the loop goes on */
    struct etcd_net *net;
    struct etcd_lease *lease; /* NULL: nothing was ever held */
    struct map *runs;        /* id → struct etcd_run */
    uint64_t session, tokens; /* for tokens */
    /* only the loop's */
    struct etcd_batch *waiting, **waiting_end, *under_way;
    void (*note)(void *ud, const char *text);
    void *note_ud;
    bool broken;             /* an append has failed: nothing may follow what is missing */
    char message[1024];
};

struct etcd_run *etcd_run_of(struct etcd *s, const char *run_id);
const char *etcd_key(struct etcd *s, struct arena *a, const char *kind, const char *run_id);
const char *etcd_record_key(struct etcd *s, struct arena *a, const char *run_id, int64_t seq);
/* A text that no transaction of anybody had before. */
const char *etcd_token(struct etcd *s, struct arena *a);
/* "SEQ TOKEN"; false for a head that is not there or is none. */
bool etcd_head_parse(const struct etcd_kv *kv, int64_t *ret_seq, const char **ret_token);
bool etcd_fail(struct etcd *s, struct err *err, const char *what, enum etcd_end end, const char *why);

/* ---- etcd_append.c ---- */

/* One batch. false: *ret_why is the whole message. */
bool etcd_commit(struct etcd *s, struct arena *a, const struct etcd_batch *b, const char **ret_why);

/* ---- etcd_own.c ---- */

/* Under the lock. ETCD_REFUSED with *ret_by set: somebody else holds it. */
enum etcd_end etcd_hold(struct etcd *s, struct arena *a, const char *run_id, const struct store_owner **ret_by, const char **ret_why);
bool etcd_own(struct store *store, const char *run_id, struct err *err);
void etcd_disown(struct store *store, const char *run_id);
bool etcd_owner(struct store *store, const char *run_id, struct arena *a, const struct store_owner **ret, struct err *err);

/* ---- etcd_read.c ---- */

bool etcd_read(struct store *store, const char *run_id, struct arena *a, struct store_record **ret, size_t *ret_n, struct err *err);
bool etcd_runs(struct store *store, struct arena *a, struct store_run **ret, size_t *ret_n, struct err *err);

#endif
