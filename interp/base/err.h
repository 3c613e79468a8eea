/* err.h: diagnostics with positions.
 *
 * A function that can fail is `bool f(…, T **ret, struct err *err)`: false means that at least one error was added to err, and *ret is
 * untouched. Functions go on after an error where they can, so that several are told at once. Only ui/ prints. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include "base/arena.h"
#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

/* A text that positions point into: a file's content, an argument of the command line, an answer of an engine. */
struct source {
    const char *name; /* as shown to people: a path relative to the working directory, "--input", "node1 GET /info" */
    const char *text; /* terminated */
    size_t len;
    const uint32_t *lines; /* the offset at which each line begins; never empty */
    size_t nlines;
};

/* A stretch of one line. line and col count from 1, col in bytes; line 0 means "the source as a whole". src may be NULL: no position. */
struct mark {
    const struct source *src;
    uint32_t line, col;
    uint32_t len; /* bytes to underline, at least 1; never past the end of the line */
};

enum severity { SEV_ERROR, SEV_WARNING };

struct diag {
    struct mark mark;
    enum severity severity;
    const char *code;    /* stable, kebab-case: "unknown-action" */
    const char *message; /* one line, no full stop, names in '…' */
    const char *hint;    /* printed behind the caret: "did you mean 'dtr.remove'?", or NULL */
    const char **notes;  /* lines below: "while …", "accepted: …" */
    size_t nnotes;
    struct diag *next;
};

struct err {
    struct arena *arena; /* owns all texts */
    struct diag *first, *last;
    size_t nerrors, nwarnings;
    size_t max; /* errors kept (default 100); further ones are only counted */
};

struct err *err_new(struct arena *a);
/* Adds an error and returns it, so that hint and notes can be set. */
struct diag *err_add(struct err *e, struct mark at, const char *code, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
struct diag *err_warn(struct err *e, struct mark at, const char *code, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void diag_hint(struct err *e, struct diag *d, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void diag_note(struct err *e, struct diag *d, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Sets the hint "did you mean 'x'?" when one of the names is near, and always the note "accepted: a, b, c" (at most 12 names). */
void diag_accepted(struct err *e, struct diag *d, const char *word, const char *const *names, size_t n);
/* Adds the note to every diagnostic that was added after `since` (NULL: to all): how a level above says "while …". */
void err_while(struct err *e, const struct diag *since, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Stable sort by source name, line and column. */
void err_sort(struct err *e);
/* "file:line:col: error: message [code]", the quoted line, the caret with the hint, the notes: as in DESIGN section 7. Control
 * characters in the quoted line and in messages are made visible, so that no text can move the cursor. */
void diag_render(const struct diag *d, struct buf *out);
void err_render(const struct err *e, struct buf *out);

/* Appends s without secrets, and with control characters, escapes and invalid UTF-8 made visible (\x1b, \u202e); tabs become one space. No
 * text of others reaches a screen but through this. */
void buf_add_visible(struct buf *b, const char *s, size_t len);
/* The same for a text that may have several lines: those after the first begin with indent spaces and ": ", where no line of ours does, so that
 * none can be taken for one of ours. */
void buf_add_lines(struct buf *b, const char *s, size_t len, size_t indent);

struct mark mark_none(void);
struct mark mark_whole(const struct source *src);
/* The position of byte offset off in the source, len bytes long (clipped at the end of the line). */
struct mark mark_at(const struct source *src, size_t off, size_t len);
/* Copies both. */
struct source *source_new(struct arena *a, const char *name, const char *text, size_t len);
/* The same without copying: both must live as long. len < 4 GiB. */
struct source *source_over(struct arena *a, const char *name, const char *text, size_t len);
/* The text from the line on (from 1); NULL: it has fewer. */
const char *source_line(const struct source *src, uint32_t line);

#endif
