/* etcd_net.h: one request at a time to whichever member of an etcd answers, over its JSON gateway. Blocking, on a loop of its own: it may be
 * used on any thread, by one at a time.
 *
 * What is asked may be asked several times, of several members, and the answer to the first may have been lost: so each request that changes
 * something is a transaction that can happen only once, and whose other branch tells whether it was ours. */
#ifndef STORE_ETCD_NET_H
#define STORE_ETCD_NET_H

#include "base/arena.h"
#include "value/val.h"

struct etcd_spec {
    const char *const *members; /* "HOST:PORT", ended by NULL */
    const char *ca, *cert, *key; /* files, or NULL; with any of them https */
    const char *username, *password; /* or NULL */
    int64_t first_ms;    /* one member is given in the first round: a request is lost with a leader that goes, and another member has it sooner */
    int64_t request_ms;  /* and in the following ones; more than etcd's own 5 s, after which it says why it has not been carried out */
    int64_t patience_ms; /* all of them together, at least one round */
};

enum etcd_end {
    ETCD_OK,
    ETCD_REFUSED, /* it answered, and nobody else would answer otherwise */
    ETCD_LARGE,   /* request or answer is too large for it */
    ETCD_NOBODY,  /* nobody who can speak for a majority has answered in time; the request may have been carried out, or may yet be */
};

struct etcd_net;

struct etcd_net *etcd_net_new(const struct etcd_spec *spec); /* copied */
void etcd_net_free(struct etcd_net *n);
/* *ret_why is for people, and lives in a. */
enum etcd_end etcd_ask(struct etcd_net *n, struct arena *a, const char *path, const char *body, size_t len, const struct val **ret, const char **ret_why);
/* A line for people about a member that was passed over since the last call, or NULL. */
const char *etcd_net_note(struct etcd_net *n, struct arena *a);
void etcd_net_patience(struct etcd_net *n, int64_t ms);
/* From another thread: the request that is under way is the last. */
void etcd_net_stop(struct etcd_net *n);

#endif
