/* etcd_kit.h: a real etcd of one or three members on this machine, with its data in a temporary folder. */
#ifndef UNIT_ETCD_KIT_H
#define UNIT_ETCD_KIT_H

#include <stdbool.h>
#include <stddef.h>

struct etcd_kit;

/* Why there can be none here, or NULL. */
const char *etcd_kit_why_not(void);
/* Started, and healthy. */
struct etcd_kit *etcd_kit_start(size_t members);
void etcd_kit_stop(struct etcd_kit *k);
/* "etcd://127.0.0.1:N,…" of all members, or of one. */
const char *etcd_kit_url(const struct etcd_kit *k);
const char *etcd_kit_member_url(const struct etcd_kit *k, size_t i);
const char *etcd_kit_member(const struct etcd_kit *k, size_t i); /* "127.0.0.1:N" */
void etcd_kit_kill(struct etcd_kit *k, size_t i); /* -9 */
void etcd_kit_freeze(struct etcd_kit *k, size_t i, bool frozen);
void etcd_kit_all(struct etcd_kit *k); /* starts again those that were killed, until all are healthy */

#endif
