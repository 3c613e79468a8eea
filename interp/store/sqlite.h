/* sqlite.h: the journal in a file: WAL, synchronous=FULL, so that what append has confirmed survives kill -9 and a power cut. */
#ifndef STORE_SQLITE_H
#define STORE_SQLITE_H

#include "store/store.h"

/* loop NULL: appending is not possible. read_only: nothing is created; a file that is not there gives *ret = NULL and true. */
bool sqlite_open(struct arena *a, struct loop *loop, const char *path, const char *url, bool read_only, struct store **ret, struct err *err);

#endif
