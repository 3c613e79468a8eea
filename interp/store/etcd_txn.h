/* etcd_txn.h: a transaction of etcd put together, carried out and taken apart: conditions, what is done if they hold, what is looked at if not. */
#ifndef STORE_ETCD_TXN_H
#define STORE_ETCD_TXN_H

#include "store/etcd_net.h"

/* What one may hold (the server's --max-txn-ops and --max-request-bytes, 128 and 1.5 MiB, less some room). */
enum { txn_max_ops = 120, txn_max_bytes = 1 << 20 };

struct etcd_txn {
    struct buf compare, success, failure;
    size_t ops, bytes; /* of success */
};

/* One key as it was found; key NULL: not there. */
struct etcd_kv {
    const char *key, *value;
    size_t len;
    int64_t mod, created, lease; /* revisions; a lease's ID, or 0 */
};

struct etcd_result {
    bool held;               /* the conditions did */
    int64_t revision;        /* of the store, after it */
    const struct val *responses;
};

void txn_init(struct etcd_txn *t);
void txn_done(struct etcd_txn *t);
void txn_if_mod(struct etcd_txn *t, const char *key, int64_t mod); /* last changed by that revision; 0: is not there */
void txn_put(struct etcd_txn *t, const char *key, const char *value, size_t len, int64_t lease);
void txn_delete(struct etcd_txn *t, const char *key);
void txn_get(struct etcd_txn *t, const char *key);
void txn_else_get(struct etcd_txn *t, const char *key);
enum etcd_end txn_run(struct etcd_net *n, struct arena *a, const struct etcd_txn *t, struct etcd_result *ret, const char **ret_why);
/* What the i-th operation of the branch that was taken has found; a single key. */
struct etcd_kv txn_found(struct arena *a, const struct etcd_result *r, size_t i);

/* All keys from `from` up to, not including, `to` (NULL: only that key), at most limit, in order; newest made first if by_created. */
struct etcd_range {
    const char *from, *to;
    int64_t limit;
    bool by_created, keys_only;
};
enum etcd_end etcd_get(struct etcd_net *n, struct arena *a, const struct etcd_range *range, struct etcd_kv **ret, size_t *ret_n, bool *ret_more,
                       const char **ret_why);
/* The first key behind all that begin with the prefix. */
const char *etcd_behind(struct arena *a, const char *prefix);

#endif
