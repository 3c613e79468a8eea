/* table.h: a hash table from 128-bit keys to pointers, for what is found again by its content.
 *
 * Keys are made by mixing words; two different contents with one key are as unlikely as two equal SHA-1 sums, and are not looked for. */
#ifndef BASE_TABLE_H
#define BASE_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct key {
    uint64_t h[2];
};

struct key key_of(const char *tag);                  /* a different start for each kind of content */
void key_add(struct key *k, uint64_t word);
void key_add_ptr(struct key *k, const void *p);
void key_add_key(struct key *k, struct key other);

struct table;

struct table *table_new(void);
void table_free(struct table *t); /* not what the pointers point to; NULL is fine */
size_t table_count(const struct table *t);
/* What is under a key, or NULL. */
void *table_get(const struct table *t, struct key k);
/* The place of a key: *slot is NULL for a new one, and must be filled before the table is used again. */
void **table_slot(struct table *t, struct key k);

#endif
