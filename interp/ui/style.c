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

const char *const style_codes[] = {"", "\x1b[32m", "\x1b[31m", "\x1b[33m", "\x1b[2m", "\x1b[1m", "\x1b[0m", NULL};
enum { look_end = LOOK_BOLD + 1 };

static void add(struct buf *b, struct style s, enum look look, const char *text) {
    const bool on = s.color && look != LOOK_PLAIN;
    if (on)
        buf_adds(b, style_codes[look]);
    buf_adds(b, text);
    if (on)
        buf_adds(b, style_codes[look_end]);
}

void style_add_lines(struct buf *b, struct style s, enum look look, const char *text, size_t indent) {
    struct buf seen = BUF_INIT;
    buf_add_lines(&seen, text, strlen(text), indent);
    add(b, s, look, seen.data);
    buf_done(&seen);
}

void style_add(struct buf *b, struct style s, enum look look, const char *text, size_t width) {
    struct buf seen = BUF_INIT;
    buf_add_visible(&seen, text, strlen(text));
    add(b, s, look, seen.data);
    size_t n = columns(seen.data);
    if (n < width)
        buf_addrep(b, ' ', width - n);
    buf_done(&seen);
}
