/* map.h: a hash map from strings to pointers, in insertion order. Lives in an arena; keys are copied into it. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/arena.h"

#include <stdbool.h>

struct map;

struct map *map_new(struct arena *a);
/* The value under key, or NULL. */
void *map_get(const struct map *m, const char *key);
/* Sets or replaces; value must not be NULL. */
void map_put(struct map *m, const char *key, void *value);
size_t map_count(const struct map *m);

/* Iteration in insertion order: for (struct map_iter it = map_iter(m); map_next(&it);) … it.key, it.value */
struct map_iter {
    const char *key;
    void *value;
    const void *next;
};
struct map_iter map_iter(const struct map *m);
bool map_next(struct map_iter *it);

/* The nearest of n names to a misspelt one, or NULL if none is near enough (edit distance at most a third of its length, at least
 * one). Ties go to the earlier name. */
const char *nearest_name(const char *word, const char *const *names, size_t n);

#endif
