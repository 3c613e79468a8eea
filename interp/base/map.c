#include "base/map.h"

#include <string.h>

/* Memory of uthash comes from malloc otherwise; here everything goes with the arena, so nothing is freed. */
#define uthash_malloc(size) arena_alloc(hash_arena, (size))
#define uthash_free(p, size) ((void)(p))
#define HASH_NONFATAL_OOM 0
#include <uthash.h>

struct entry {
    char *key;
    void *value;
    UT_hash_handle hh; /* also keeps the insertion order */
};

struct map {
    struct arena *arena;
    struct entry *entries;
};

struct map *map_new(struct arena *a) {
    struct map *m = arena_new_of(a, struct map);
    m->arena = a;
    return m;
}

static struct entry *find(const struct map *m, const char *key) {
    struct entry *e;
    HASH_FIND_STR(m->entries, key, e);
    return e;
}

void *map_get(const struct map *m, const char *key) {
    const struct entry *e = find(m, key);
    return e ? e->value : NULL;
}

void map_put(struct map *m, const char *key, void *value) {
    struct entry *e = find(m, key);
    if (!e) {
        struct arena *hash_arena = m->arena;
        e = arena_new_of(m->arena, struct entry);
        e->key = arena_strdup(m->arena, key);
        HASH_ADD_KEYPTR(hh, m->entries, e->key, strlen(e->key), e);
    }
    e->value = value;
}

size_t map_count(const struct map *m) {
    return HASH_COUNT(m->entries);
}

struct map_iter map_iter(const struct map *m) {
    return (struct map_iter){.next = m ? m->entries : NULL};
}

bool map_next(struct map_iter *it) {
    const struct entry *e = it->next;
    if (!e)
        return false;
    it->key = e->key;
    it->value = e->value;
    it->next = e->hh.next;
    return true;
}

/* ---- misspelt names ---- */

enum { max_word = 64 };

/* Edit distance with transpositions of neighbours, of words of at most max_word bytes. */
static size_t distance(const char *a, size_t na, const char *b, size_t nb) {
    size_t rows[3][max_word + 1], *before = rows[0], *last = rows[1], *row = rows[2];
    for (size_t j = 0; j <= nb; j++)
        last[j] = j;
    for (size_t i = 1; i <= na; i++) {
        row[0] = i;
        for (size_t j = 1; j <= nb; j++) {
            size_t d = last[j - 1] + (a[i - 1] != b[j - 1]);
            d = d < last[j] + 1 ? d : last[j] + 1;
            d = d < row[j - 1] + 1 ? d : row[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before[j - 2] + 1 < d)
                d = before[j - 2] + 1;
            row[j] = d;
        }
        size_t *t = before;
        before = last;
        last = row;
        row = t;
    }
    return last[nb];
}

const char *nearest_name(const char *word, const char *const *names, size_t n) {
    const size_t len = strlen(word);
    if (len > max_word || !len)
        return NULL;
    const char *best = NULL;
    size_t least = len / 3 > 1 ? len / 3 : 1;
    for (size_t i = 0; i < n; i++) {
        const size_t m = strlen(names[i]);
        if (m > max_word || (m > len ? m - len : len - m) > least)
            continue;
        const size_t d = distance(word, len, names[i], m);
        if (d < least || (d == least && !best)) {
            best = names[i];
            least = d;
        }
    }
    return best;
}
