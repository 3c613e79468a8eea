/* etcd.h: the journal in an etcd, shared by several machines. Keys, below PREFIX ("quorate" unless the URL names another one):
 *
 *   runs/RUN           when it was made                   plans/PLAN         the run that has taken it
 *   head/RUN           "SEQ TOKEN": the last record       owner/RUN          who holds it, bound to a lease
 *   record/RUN/SEQ     the JSON; or "pieces N LENGTH", for one that is longer than a request may be, and then
 *   piece/RUN/SEQ/I    its pieces
 *
 * A record counts once the head is at or behind it. Each transaction changes the head, on the condition that it is as this process has left
 * or read it and that this process holds the run; the token tells whether it was ours when the answer was lost. */
#ifndef STORE_ETCD_H
#define STORE_ETCD_H

#include "store/store.h"

/* rest: the URL behind "etcd://". */
bool etcd_open(struct arena *a, const struct store_spec *spec, const char *rest, struct store **ret, struct err *err);

#endif
