/* none.h: a journal that keeps nothing, for rehearsals that nobody will ever read of. */
#ifndef STORE_NONE_H
#define STORE_NONE_H

#include "store/store.h"

struct store *store_none(struct arena *a, struct loop *loop);

#endif
