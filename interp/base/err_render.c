#include "base/err.h"

#include "base/redact.h"
#include "base/utf8.h"

#include <string.h>

/* A quoted line longer than this many bytes is cut to a window around the mark. */
enum { window = 120, before_mark = 60 };
enum { max_lines = 100, continued = 6 }; /* of one message; columns before those after the first */

/* The bytes as they are; redacted ones have been looked for. */
static void add_shown(struct buf *b, const char *s, size_t len) {
    for (size_t i = 0; i < len;) {
        uint32_t c = 0;
        const size_t n = utf8_decode(s + i, len - i, &c);
        if (!n)
            buf_printf(b, "\\x%02x", (unsigned char)s[i]);
        else if (c == '\t')
            buf_addc(b, ' ');
        else if (utf8_hidden(c))
            buf_printf(b, c < 0x100 ? "\\x%02x" : "\\u%04x", c);
        else
            buf_add(b, s + i, n);
        i += n ? n : 1;
    }
}

/* Secrets are looked for in what is meant, before it is changed for the screen. */
void buf_add_visible(struct buf *b, const char *s, size_t len) {
    if (!redact_found(s, len)) {
        add_shown(b, s, len);
        return;
    }
    struct buf masked = BUF_INIT;
    redact_text(s, len, &masked);
    add_shown(b, masked.data, masked.len);
    buf_done(&masked);
}

static void add_lines(struct buf *b, const char *s, size_t len, size_t indent) {
    while (len && (s[len - 1] == '\n' || s[len - 1] == '\r' || s[len - 1] == ' '))
        len--;
    for (size_t n, told = 0;; s += n + 1, len -= n + 1, told++) {
        const char *nl = memchr(s, '\n', len);
        n = nl ? (size_t)(nl - s) : len;
        if (told == max_lines) {
            buf_adds(b, "(and more lines)");
            return;
        }
        add_shown(b, s, n && s[n - 1] == '\r' ? n - 1 : n);
        if (!nl)
            return;
        buf_addc(b, '\n');
        buf_addrep(b, ' ', indent);
        buf_adds(b, ": ");
    }
}

void buf_add_lines(struct buf *b, const char *s, size_t len, size_t indent) {
    struct buf masked = BUF_INIT;
    redact_text(s, len, &masked);
    add_lines(b, masked.data, masked.len, indent);
    buf_done(&masked);
}

/* Columns that the text takes once it was made visible; wide characters count as one. */
static size_t width(const char *s, size_t len) {
    struct buf b = BUF_INIT;
    buf_add_visible(&b, s, len);
    size_t n = 0;
    for (size_t i = 0; i < b.len; i++)
        n += ((unsigned char)b.data[i] & 0xc0) != 0x80;
    buf_done(&b);
    return n;
}

static const char *line_start(const struct source *src, uint32_t line) {
    const char *p = src->text;
    for (uint32_t i = 1; i < line; i++) {
        const char *end = memchr(p, '\n', src->len - (size_t)(p - src->text));
        if (!end)
            return NULL;
        p = end + 1;
    }
    return p;
}

/* The start of the character that byte i is part of; i itself where the bytes are no UTF-8. */
static size_t char_start(const char *s, size_t len, size_t i) {
    for (size_t back = 1; back <= 3 && back <= i && i < len; back++) {
        uint32_t c;
        if (utf8_decode(s + i - back, len - i + back, &c) > back)
            return i - back;
    }
    return i;
}

static size_t char_end(const char *s, size_t len, size_t i) {
    uint32_t c;
    const size_t start = char_start(s, len, i);
    return start == i ? i : start + utf8_decode(s + start, len - start, &c);
}

static void remark(const char *text, struct buf *out) {
    buf_adds(out, "      = ");
    buf_add_lines(out, text, strlen(text), continued + 2);
    buf_addc(out, '\n');
}

/* The line with the mark and the hint below it; false if the source has no such line. */
static bool quote(const struct diag *d, struct buf *out) {
    const struct mark *m = &d->mark;
    const char *line = line_start(m->src, m->line);
    if (!line)
        return false;
    const char *nl = memchr(line, '\n', m->src->len - (size_t)(line - m->src->text));
    size_t len = nl ? (size_t)(nl - line) : m->src->len - (size_t)(line - m->src->text);
    if (len && line[len - 1] == '\r')
        len--;
    size_t col = m->col - 1 < len ? m->col - 1 : len;
    size_t end = char_end(line, len, m->len < len - col ? col + m->len : len);
    col = char_start(line, len, col);
    size_t from = 0, to = len;
    if (redact_found(line, len))
        return false; /* a caret would point into what is not shown */
    if (len > window) {
        from = col > before_mark ? char_start(line, len, col - before_mark) : 0;
        to = from + window < len ? char_end(line, len, from + window) : len;
    }
    if (end > to)
        end = to;
    const size_t before = out->len;
    buf_printf(out, "%5u", m->line);
    const size_t margin = out->len - before;
    buf_printf(out, " | %s", from ? "…" : "");
    buf_add_visible(out, line + from, to - from);
    buf_printf(out, "%s\n%*s | ", to < len ? "…" : "", (int)margin, "");
    buf_addrep(out, ' ', (from ? 1 : 0) + width(line + from, col - from));
    buf_addc(out, '^');
    const size_t under = end > col ? width(line + col, end - col) : 1;
    buf_addrep(out, '~', under > 1 ? under - 1 : 0);
    if (d->hint) {
        buf_addc(out, ' ');
        buf_add_visible(out, d->hint, strlen(d->hint));
    }
    buf_addc(out, '\n');
    return true;
}

void diag_render(const struct diag *d, struct buf *out) {
    const struct mark *m = &d->mark;
    if (m->src) {
        buf_add_visible(out, m->src->name, strlen(m->src->name));
        if (m->line)
            buf_printf(out, ":%u:%u", m->line, m->col);
        buf_adds(out, ": ");
    }
    buf_adds(out, d->severity == SEV_ERROR ? "error: " : "warning: ");
    struct buf message = BUF_INIT;
    buf_add_lines(&message, d->message, strlen(d->message), continued);
    const size_t first = strcspn(message.data, "\n"); /* the code belongs to the first line */
    buf_add(out, message.data, first);
    buf_printf(out, " [%s]", d->code);
    buf_adds(out, message.data + first);
    buf_addc(out, '\n');
    buf_done(&message);
    const bool quoted = m->src && m->line && quote(d, out);
    if (!quoted && d->hint)
        remark(d->hint, out);
    for (size_t i = 0; i < d->nnotes; i++)
        remark(d->notes[i], out);
}

static void further(size_t n, size_t max, const char *what, struct buf *out) {
    if (n > max)
        buf_printf(out, "%zu further %s%s\n", n - max, what, n - max > 1 ? "s" : "");
}

void err_render(const struct err *e, struct buf *out) {
    for (const struct diag *d = e->first; d; d = d->next)
        diag_render(d, out);
    further(e->nerrors, e->max, "error", out);
    further(e->nwarnings, e->max, "warning", out);
}
