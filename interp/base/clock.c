#include "base/clock.h"

#include <stdio.h>
#include <sys/random.h>
#include <time.h>

static int64_t now(clockid_t id) {
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int64_t system_mono(struct clock *c) {
    (void)c;
    return now(CLOCK_MONOTONIC);
}

static int64_t system_wall(struct clock *c) {
    (void)c;
    return now(CLOCK_REALTIME);
}

static uint64_t system_random(struct clock *c) {
    (void)c;
    uint64_t r = 0;
    if (getrandom(&r, sizeof r, 0) != (ssize_t)sizeof r)
        r = (uint64_t)now(CLOCK_REALTIME) * 2654435761u ^ (uint64_t)now(CLOCK_MONOTONIC);
    return r;
}

struct clock *clock_system(void) {
    static struct clock c = {system_mono, system_wall, system_random}; /* holds no state */
    return &c;
}

static int64_t virtual_mono(struct clock *c) {
    return ((struct clock_virtual *)c)->mono;
}

static int64_t virtual_wall(struct clock *c) {
    return ((struct clock_virtual *)c)->wall;
}

/* splitmix64 */
static uint64_t virtual_random(struct clock *c) {
    uint64_t z = ((struct clock_virtual *)c)->seed += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

void clock_virtual_init(struct clock_virtual *c, int64_t wall_ms, uint64_t seed) {
    *c = (struct clock_virtual){.base = {virtual_mono, virtual_wall, virtual_random}, .wall = wall_ms, .seed = seed};
}

/* ---- texts ---- */

static const struct unit {
    const char *name;
    int64_t ms;
} units[] = {{"h", 3600 * 1000}, {"m", 60 * 1000}, {"s", 1000}, {"ms", 1}};
enum { nunits = sizeof units / sizeof *units };

bool duration_parse(const char *s, int64_t *ret_ms) {
    int64_t sum = 0;
    int last = -1; /* units must fall: 1h30m, never 30m1h */
    if (!*s)
        return false;
    while (*s) {
        if (*s < '0' || *s > '9')
            return false;
        int64_t n = 0;
        for (; *s >= '0' && *s <= '9'; s++) {
            n = n * 10 + (*s - '0');
            if (n > INT64_C(1000000000000))
                return false;
        }
        const int unit = s[0] == 'h' ? 0 : s[0] == 'm' && s[1] == 's' ? 3 : s[0] == 'm' ? 1 : s[0] == 's' ? 2 : -1;
        if (unit < 0 || unit <= last)
            return false;
        s += unit == 3 ? 2 : 1;
        last = unit;
        sum += n * units[unit].ms;
        if (sum > INT64_C(1000000000000000))
            return false;
    }
    *ret_ms = sum;
    return true;
}

void duration_print(struct buf *b, int64_t ms) {
    if (ms < 0)
        ms = 0;
    if (ms < 1000) {
        buf_printf(b, "%dms", (int)ms);
        return;
    }
    if (ms < 60 * 1000) { /* tenths, where there are any */
        const int tenths = (int)(ms / 100);
        if (tenths % 10)
            buf_printf(b, "%d.%ds", tenths / 10, tenths % 10);
        else
            buf_printf(b, "%ds", tenths / 10);
        return;
    }
    for (int i = 0; i < 3; i++) {
        const int64_t n = ms / units[i].ms;
        if (n)
            buf_printf(b, "%lld%s", (long long)n, units[i].name);
        ms %= units[i].ms;
    }
}

void time_print(struct buf *b, int64_t wall_ms) {
    const time_t t = (time_t)(wall_ms / 1000);
    struct tm tm;
    char s[32];
    if (!gmtime_r(&t, &tm) || !strftime(s, sizeof s, "%Y-%m-%dT%H:%M:%SZ", &tm))
        snprintf(s, sizeof s, "%lldms", (long long)wall_ms);
    buf_adds(b, s);
}
