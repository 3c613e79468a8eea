#include "base/table.h"

#include "base/arena.h"

#include <stdlib.h>
#include <string.h>

struct entry {
    struct key key;
    void *value; /* NULL: free */
};

struct table {
    struct entry *entries;
    size_t n, cap; /* cap: a power of two */
};

static uint64_t mix(uint64_t x) {
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93u;
    x ^= x >> 29;
    x *= 0x9fb21c651e98df25u;
    return x ^ x >> 32;
}

struct key key_of(const char *tag) {
    struct key k = {{0x243f6a8885a308d3u, 0x13198a2e03707344u}};
    uint64_t w = 0;
    memcpy(&w, tag, strnlen(tag, sizeof w));
    key_add(&k, w);
    return k;
}

void key_add(struct key *k, uint64_t word) {
    k->h[0] = mix(k->h[0] ^ word) + 0x9e3779b97f4a7c15u;
    k->h[1] = mix(k->h[1] + (word ^ 0xa4093822299f31d0u)) ^ (k->h[0] >> 7);
}

void key_add_ptr(struct key *k, const void *p) {
    key_add(k, (uint64_t)(uintptr_t)p);
}

void key_add_key(struct key *k, struct key other) {
    key_add(k, other.h[0]);
    key_add(k, other.h[1]);
}

struct table *table_new(void) {
    struct table *t = mem_alloc(sizeof *t);
    t->cap = 256;
    t->entries = mem_alloc(t->cap * sizeof *t->entries);
    return t;
}

void table_free(struct table *t) {
    if (!t)
        return;
    free(t->entries);
    free(t);
}

size_t table_count(const struct table *t) {
    return t->n;
}

static struct entry *find(const struct table *t, struct key k) {
    for (size_t i = k.h[0] & (t->cap - 1);; i = (i + 1) & (t->cap - 1)) {
        struct entry *e = &t->entries[i];
        if (!e->value || (e->key.h[0] == k.h[0] && e->key.h[1] == k.h[1]))
            return e;
    }
}

void *table_get(const struct table *t, struct key k) {
    return find(t, k)->value;
}

static void grow(struct table *t) {
    struct table old = *t;
    t->cap *= 2;
    t->entries = mem_alloc(t->cap * sizeof *t->entries);
    for (size_t i = 0; i < old.cap; i++)
        if (old.entries[i].value)
            *find(t, old.entries[i].key) = old.entries[i];
    free(old.entries);
}

void **table_slot(struct table *t, struct key k) {
    if (t->n >= t->cap / 2)
        grow(t);
    struct entry *e = find(t, k);
    if (!e->value) {
        e->key = k;
        t->n++;
    }
    return &e->value;
}
