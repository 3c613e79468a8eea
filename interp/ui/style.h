/* style.h: colour, where the output is a terminal and nobody asked for none. */
#ifndef UI_STYLE_H
#define UI_STYLE_H

#include "base/buf.h"

#include <stdio.h>

enum look { LOOK_PLAIN, LOOK_GOOD, LOOK_BAD, LOOK_WARN, LOOK_DIM, LOOK_BOLD };

/* What switches a look on, and the last one off: the only escapes that reach a screen. Ended by NULL. */
extern const char *const style_codes[];

struct style {
    bool color;
};

/* mode: "always", "never", or NULL/"auto": a terminal, NO_COLOR unset, TERM not "dumb". */
struct style style_for(FILE *out, const char *mode);
/* Appends text (made visible: control characters cannot act) in that look, padded with spaces to at least width columns. */
void style_add(struct buf *b, struct style s, enum look look, const char *text, size_t width);

/* The same for a text that may have several lines; those after the first begin with indent spaces and ": ", as in buf_add_lines. */
void style_add_lines(struct buf *b, struct style s, enum look look, const char *text, size_t indent);

#endif
