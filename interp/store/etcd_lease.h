/* etcd_lease.h: a lease that is kept alive on a thread of its own for as long as the process lives, whatever the loop is busy with. */
#ifndef STORE_ETCD_LEASE_H
#define STORE_ETCD_LEASE_H

#include "store/etcd_net.h"

struct etcd_lease;

/* Grants one and begins to keep it. The spec is copied. */
enum etcd_end etcd_lease_new(struct etcd_net *n, struct arena *a, const struct etcd_spec *spec, int64_t ttl_ms, struct etcd_lease **ret, const char **ret_why);
int64_t etcd_lease_id(const struct etcd_lease *l);
/* Whether etcd has told that there is no such lease any more. */
bool etcd_lease_lost(struct etcd_lease *l);
/* Ends it, and with it what is bound to it. n NULL: it expires by itself. */
void etcd_lease_free(struct etcd_lease *l, struct etcd_net *n);

#endif
