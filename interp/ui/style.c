#include "ui/style.h"

#include "base/err.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct style style_for(FILE *out, const char *mode) {
    if (mode && !strcmp(mode, "always"))
        return (struct style){true};
    if (mode && !strcmp(mode, "never"))
        return (struct style){false};
    const char *none = getenv("NO_COLOR"), *term = getenv("TERM");
    return (struct style){isatty(fileno(out)) && !(none && *none) && term && strcmp(term, "dumb")};
}

static size_t columns(const char *s) {
    size_t n = 0;
    for (; *s; s++)
        n += ((unsigned char)*s & 0xc0) != 0x80;
    return n;
}

void style_add(struct buf *b, struct style s, enum look look, const char *text, size_t width) {
    static const char *const codes[] = {"", "\x1b[32m", "\x1b[31m", "\x1b[33m", "\x1b[2m", "\x1b[1m"};
    struct buf seen = BUF_INIT;
    buf_add_visible(&seen, text, strlen(text));
    bool on = s.color && look != LOOK_PLAIN;
    if (on)
        buf_adds(b, codes[look]);
    buf_adds(b, seen.data);
    if (on)
        buf_adds(b, "\x1b[0m");
    size_t n = columns(seen.data);
    if (n < width)
        buf_addrep(b, ' ', width - n);
    buf_done(&seen);
}
