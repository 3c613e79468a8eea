/* clock.h: time and randomness, through one interface, so that rehearsals and tests are exact. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

struct clock {
    int64_t (*mono_ms)(struct clock *c);  /* never goes back; for deadlines */
    int64_t (*wall_ms)(struct clock *c);  /* since 1970 UTC; for people */
    uint64_t (*random)(struct clock *c);
};

struct clock *clock_system(void);

/* A clock that moves only when told to; random numbers follow from the seed. */
struct clock_virtual {
    struct clock base;
    int64_t mono, wall;
    uint64_t seed;
};
void clock_virtual_init(struct clock_virtual *c, int64_t wall_ms, uint64_t seed);

/* Durations as the language writes them: "500ms" "30s" "5m" "2h" "1h30m". false if s is not one. */
bool duration_parse(const char *s, int64_t *ret_ms);
void duration_print(struct buf *b, int64_t ms); /* "1.5s" "2m" "1h5m" */
void time_print(struct buf *b, int64_t wall_ms); /* "2026-03-01T12:00:00Z" */

#endif
