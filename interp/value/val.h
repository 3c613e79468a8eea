/* val.h: the one value type. YAML, JSON, Lua tables, Docker's answers, outputs and journal records all meet in it.
 *
 * Invariants: a val is immutable once its builder has handed it out, and owned by the arena it was made in (a val may point into another
 * arena that lives longer). Strings are byte strings with a length and a NUL behind it. Maps keep insertion order and have no key
 * twice. The secret flag survives copying; a string made from a secret is secret. Converters exist only to and from val. */
#ifndef VALUE_VAL_H
#define VALUE_VAL_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

enum val_kind { VAL_NULL, VAL_BOOL, VAL_INT, VAL_DOUBLE, VAL_STRING, VAL_LIST, VAL_MAP };

struct val_pair;

struct val {
    enum val_kind kind;
    bool secret;
    struct mark mark; /* where it was written; mark_none() if nowhere */
    union {
        bool boolean;
        int64_t integer;
        double number;
        struct {
            const char *s;
            size_t len;
        } string;
        struct {
            const struct val **items;
            size_t n;
        } list;
        struct {
            struct val_pair *pairs;
            size_t n;
            const struct map *index; /* key → pair, only for larger maps */
        } map;
    };
};

struct val_pair {
    const char *key;
    struct mark mark; /* of the key */
    const struct val *val;
};

/* Makers. Strings are copied. */
const struct val *val_null(void);
const struct val *val_bool(struct arena *a, bool b);
const struct val *val_int(struct arena *a, int64_t i);
const struct val *val_double(struct arena *a, double d);
const struct val *val_str(struct arena *a, const char *s);
const struct val *val_strn(struct arena *a, const char *s, size_t len);
const struct val *val_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The same value with another mark / with the secret flag set (on it and everything below). */
const struct val *val_marked(struct arena *a, const struct val *v, struct mark m);
const struct val *val_secret(struct arena *a, const struct val *v);
/* A deep copy into another arena; marks keep pointing to their source. */
const struct val *val_copy(struct arena *a, const struct val *v);

/* Builders: make one, add to it, then use the val. Adding to a map under a key that is there replaces it in place. */
struct val *val_list_new(struct arena *a);
void val_list_add(struct arena *a, struct val *list, const struct val *v);
struct val *val_map_new(struct arena *a);
void val_map_set(struct arena *a, struct val *map, const char *key, const struct val *v);
void val_map_set_marked(struct arena *a, struct val *map, const char *key, struct mark keymark, const struct val *v);
/* A copy of map with one key set (sharing the other values). */
const struct val *val_map_with(struct arena *a, const struct val *map, const char *key, const struct val *v);

/* Readers. All take NULL for v and answer as for null. */
const struct val *val_get(const struct val *map, const char *key);              /* NULL if absent or not a map */
const struct val_pair *val_pair(const struct val *map, const char *key);
const struct val *val_at(const struct val *list, size_t i);                     /* NULL past the end */
size_t val_len(const struct val *v);                                            /* of a list or map, else 0 */
const char *val_cstr(const struct val *v);                                      /* NULL unless a string */
const char *val_get_str(const struct val *map, const char *key, const char *fallback);
int64_t val_get_int(const struct val *map, const char *key, int64_t fallback);
bool val_get_bool(const struct val *map, const char *key, bool fallback);
bool val_is(const struct val *v, enum val_kind kind);
bool val_is_null(const struct val *v); /* NULL or null */

/* Deep equality; maps compare without regard to order, 1 and 1.0 are equal, marks and secrecy do not count. */
bool val_equal(const struct val *a, const struct val *b);
/* 128-bit FNV-like digest of the value, the same for equal values; 32 hex digits and NUL. */
void val_digest(const struct val *v, char ret_hex[33]);
const char *val_kind_name(enum val_kind k); /* "a string", "a list", … for messages */
/* For people: lists and maps in one line, strings bare, secrets as ***, long ones shortened to about max bytes (0: no limit). Control
 * characters stay; whoever prints makes them visible. */
void val_show(const struct val *v, struct buf *out, size_t max);

#endif
