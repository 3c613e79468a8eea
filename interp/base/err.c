#include "base/err.h"

#include "base/map.h"

#include <stdlib.h>
#include <string.h>

enum { default_max = 100, max_accepted = 12 };

/* ---- sources and marks ---- */

struct source *source_over(struct arena *a, const char *name, const char *text, size_t len) {
    size_t n = 1;
    for (const char *p = text; (p = memchr(p, '\n', len - (size_t)(p - text))); p++)
        n++;
    uint32_t *lines = arena_array(a, uint32_t, n);
    lines[0] = 0;
    n = 1;
    for (const char *p = text; (p = memchr(p, '\n', len - (size_t)(p - text))); p++)
        lines[n++] = (uint32_t)(p + 1 - text);
    struct source *s = arena_new_of(a, struct source);
    *s = (struct source){.name = name, .text = text, .len = len, .lines = lines, .nlines = n};
    return s;
}

struct source *source_new(struct arena *a, const char *name, const char *text, size_t len) {
    return source_over(a, arena_strdup(a, name), arena_strndup(a, text, len), len);
}

const char *source_line(const struct source *src, uint32_t line) {
    return line && line <= src->nlines ? src->text + src->lines[line - 1] : NULL;
}

struct mark mark_none(void) {
    return (struct mark){0};
}

struct mark mark_whole(const struct source *src) {
    return (struct mark){.src = src};
}

struct mark mark_at(const struct source *src, size_t off, size_t len) {
    if (off > src->len)
        off = src->len;
    size_t lo = 0, hi = src->nlines; /* the last line that begins at off or before */
    while (hi - lo > 1) {
        const size_t mid = lo + (hi - lo) / 2;
        if (src->lines[mid] <= off)
            lo = mid;
        else
            hi = mid;
    }
    struct mark m = {.src = src, .line = (uint32_t)(lo + 1), .col = (uint32_t)(off - src->lines[lo] + 1)};
    const char *end = memchr(src->text + off, '\n', src->len - off);
    const size_t left = (end ? (size_t)(end - src->text) : src->len) - off;
    m.len = (uint32_t)(len > left ? left : len);
    if (!m.len)
        m.len = 1;
    return m;
}

/* ---- diagnostics ---- */

struct err *err_new(struct arena *a) {
    struct err *e = arena_new_of(a, struct err);
    *e = (struct err){.arena = a, .max = default_max};
    return e;
}

__attribute__((format(printf, 5, 0))) static struct diag *add(struct err *e, struct mark at, enum severity severity, const char *code,
                                                              const char *fmt, va_list ap) {
    struct diag *d = arena_new_of(e->arena, struct diag);
    *d = (struct diag){.mark = at, .severity = severity, .code = code, .message = arena_vprintf(e->arena, fmt, ap)};
    size_t *n = severity == SEV_ERROR ? &e->nerrors : &e->nwarnings;
    if (++*n > e->max)
        return d; /* counted only; hints and notes still have a place to go */
    if (e->last)
        e->last->next = d;
    else
        e->first = d;
    e->last = d;
    return d;
}

struct diag *err_add(struct err *e, struct mark at, const char *code, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    struct diag *d = add(e, at, SEV_ERROR, code, fmt, ap);
    va_end(ap);
    return d;
}

struct diag *err_warn(struct err *e, struct mark at, const char *code, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    struct diag *d = add(e, at, SEV_WARNING, code, fmt, ap);
    va_end(ap);
    return d;
}

void diag_hint(struct err *e, struct diag *d, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    d->hint = arena_vprintf(e->arena, fmt, ap);
    va_end(ap);
}

static void note(struct err *e, struct diag *d, const char *text) {
    const char **notes = arena_array(e->arena, const char *, d->nnotes + 1);
    if (d->nnotes)
        memcpy(notes, d->notes, d->nnotes * sizeof *notes);
    notes[d->nnotes++] = text;
    d->notes = notes;
}

void diag_note(struct err *e, struct diag *d, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    note(e, d, arena_vprintf(e->arena, fmt, ap));
    va_end(ap);
}

void diag_accepted(struct err *e, struct diag *d, const char *word, const char *const *names, size_t n) {
    const char *near = nearest_name(word, names, n);
    if (near)
        diag_hint(e, d, "did you mean '%s'?", near);
    if (!n)
        return;
    struct buf b = BUF_INIT;
    buf_adds(&b, "accepted: ");
    for (size_t i = 0; i < n && i < max_accepted; i++)
        buf_printf(&b, "%s%s", i ? ", " : "", names[i]);
    if (n > max_accepted)
        buf_printf(&b, ", and %zu more", n - max_accepted);
    diag_note(e, d, "%s", b.data);
    buf_done(&b);
}

void err_while(struct err *e, const struct diag *since, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    const char *text = arena_vprintf(e->arena, fmt, ap);
    va_end(ap);
    for (struct diag *d = since ? since->next : e->first; d; d = d->next)
        note(e, d, text);
}

static int compare(const struct diag *a, const struct diag *b) {
    const char *na = a->mark.src ? a->mark.src->name : "", *nb = b->mark.src ? b->mark.src->name : "";
    const int by_name = strcmp(na, nb);
    if (by_name)
        return by_name;
    if (a->mark.line != b->mark.line)
        return a->mark.line < b->mark.line ? -1 : 1;
    return a->mark.col < b->mark.col ? -1 : a->mark.col > b->mark.col;
}

/* Insertion: the lists are short, and nearly in order. */
void err_sort(struct err *e) {
    struct diag *sorted = NULL;
    for (struct diag *d = e->first, *next; d; d = next) {
        next = d->next;
        struct diag **at = &sorted;
        while (*at && compare(*at, d) <= 0)
            at = &(*at)->next;
        d->next = *at;
        *at = d;
    }
    e->first = e->last = sorted;
    while (e->last && e->last->next)
        e->last = e->last->next;
}
