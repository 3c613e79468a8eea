#include "base/err.h"

#include <string.h>

/* A quoted line longer than this many bytes is cut to a window around the mark. */
enum { window = 120, before_mark = 60 };

/* The length of the well-formed UTF-8 sequence at s, and its code point; 0 if there is none. */
static size_t utf8_at(const char *s, size_t len, uint32_t *ret) {
    const unsigned char *p = (const unsigned char *)s;
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const size_t n = p[0] < 0x80 ? 1 : p[0] >= 0xf0 && p[0] < 0xf5 ? 4 : p[0] >= 0xe0 && p[0] < 0xf0 ? 3 : p[0] >= 0xc2 && p[0] < 0xe0 ? 2 : 0;
    if (!n || n > len)
        return 0;
    uint32_t c = n == 1 ? p[0] : p[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (p[i] & 0x3f);
    }
    if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return 0;
    *ret = c;
    return n;
}

/* Characters that move the cursor, turn the writing direction, or cannot be seen. */
static bool hidden(uint32_t c) {
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) ||
           c == 0xfeff || c == 0xad || (c >= 0xfff9 && c <= 0xfffb) || (c >= 0xe0000 && c <= 0xe007f);
}

void buf_add_visible(struct buf *b, const char *s, size_t len) {
    for (size_t i = 0; i < len;) {
        uint32_t c = 0;
        const size_t n = utf8_at(s + i, len - i, &c);
        if (!n)
            buf_printf(b, "\\x%02x", (unsigned char)s[i]);
        else if (c == '\t')
            buf_addc(b, ' ');
        else if (hidden(c))
            buf_printf(b, c < 0x100 ? "\\x%02x" : "\\u%04x", c);
        else
            buf_add(b, s + i, n);
        i += n ? n : 1;
    }
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

static bool continues(const char *s, size_t i) {
    return ((unsigned char)s[i] & 0xc0) == 0x80;
}

static void quote(const struct diag *d, struct buf *out) {
    const struct mark *m = &d->mark;
    const char *line = line_start(m->src, m->line);
    if (!line)
        return;
    const char *nl = memchr(line, '\n', m->src->len - (size_t)(line - m->src->text));
    size_t len = nl ? (size_t)(nl - line) : m->src->len - (size_t)(line - m->src->text);
    if (len && line[len - 1] == '\r')
        len--;
    size_t col = m->col - 1 < len ? m->col - 1 : len;
    size_t from = 0, to = len;
    if (len > window) {
        from = col > before_mark ? col - before_mark : 0;
        to = from + window < len ? from + window : len;
        while (from && continues(line, from))
            from--;
        while (to < len && continues(line, to))
            to++;
    }
    size_t end = col + m->len < to ? col + m->len : to;
    buf_printf(out, "%5u | %s", m->line, from ? "…" : "");
    buf_add_visible(out, line + from, to - from);
    buf_printf(out, "%s\n      | ", to < len ? "…" : "");
    buf_addrep(out, ' ', (from ? 1 : 0) + width(line + from, col - from));
    buf_addc(out, '^');
    const size_t under = end > col ? width(line + col, end - col) : 1;
    buf_addrep(out, '~', under > 1 ? under - 1 : 0);
    if (d->hint) {
        buf_addc(out, ' ');
        buf_add_visible(out, d->hint, strlen(d->hint));
    }
    buf_addc(out, '\n');
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
    buf_add_visible(out, d->message, strlen(d->message));
    buf_printf(out, " [%s]\n", d->code);
    if (m->src && m->line)
        quote(d, out);
    else if (d->hint) {
        buf_adds(out, "      = ");
        buf_add_visible(out, d->hint, strlen(d->hint));
        buf_addc(out, '\n');
    }
    for (size_t i = 0; i < d->nnotes; i++) {
        buf_adds(out, "      = ");
        buf_add_visible(out, d->notes[i], strlen(d->notes[i]));
        buf_addc(out, '\n');
    }
}

void err_render(const struct err *e, struct buf *out) {
    for (const struct diag *d = e->first; d; d = d->next)
        diag_render(d, out);
    if (e->nerrors > e->max)
        buf_printf(out, "%zu further errors\n", e->nerrors - e->max);
}
