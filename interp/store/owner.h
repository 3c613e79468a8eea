/* owner.h: who holds a run: written into the store for the others to read. */
#ifndef STORE_OWNER_H
#define STORE_OWNER_H

#include "base/arena.h"
#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

struct store_owner {
    const char *host, *user;
    int64_t pid;
    int64_t since;     /* ms since 1970 */
    const char *boot;  /* the machine's boot, and */
    const char *space; /* the namespace that pid is of: where both are ours, it can be told whether the process lives */
    int64_t started;   /* of the process, in ticks since the boot: its number may have been given to another one since */
    const char *token; /* tells two holds of one process apart; may be "" */
};

/* This process. */
const struct store_owner *owner_self(struct arena *a, int64_t since, const char *token);
void owner_print(const struct store_owner *o, struct buf *json);
bool owner_parse(struct arena *a, const char *json, size_t len, struct store_owner *ret);
/* Whether the process surely is no more: it was one of this machine. false where it cannot be told. */
bool owner_gone(const struct store_owner *o);
/* "ann@host1, process 123, since 2026-03-01T12:00:00Z" */
const char *owner_text(struct arena *a, const struct store_owner *o);

#endif
