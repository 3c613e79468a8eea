#include "ui/out.h"

#include "base/redact.h"
#include "ui/style.h"
#include "value/json.h"
#include "value/redacted.h"

#include <string.h>

void out_record(FILE *to, const char *json, size_t len) {
    fwrite(json, 1, len, to);
}

/* How long the escape of ours is that begins here; 0: it is not of ours. */
static size_t our_escape(const char *s, size_t len) {
    for (const char *const *code = style_codes; *code; code++) {
        const size_t n = strlen(*code);
        if (n && n <= len && !memcmp(s, *code, n))
            return n;
    }
    return 0;
}

/* Whoever made the text has made visible what came from others; if that was forgotten somewhere, it still cannot act. */
void out_add(FILE *to, const char *text, size_t len) {
    struct buf masked = BUF_INIT, b = BUF_INIT;
    redact_text(text, len, &masked);
    for (size_t i = 0, start = 0; i <= masked.len; i++) {
        const char *s = masked.data + i;
        const size_t ours = i < masked.len && *s == '\x1b' ? our_escape(s, masked.len - i) : 0;
        if (i < masked.len && *s != '\n' && !ours)
            continue;
        buf_add_visible(&b, masked.data + start, i - start);
        if (i < masked.len)
            buf_add(&b, s, ours ? ours : 1);
        i += ours ? ours - 1 : 0;
        start = i + 1;
    }
    out_record(to, b.data, b.len);
    buf_done(&masked);
    buf_done(&b);
}

void out_adds(FILE *to, const char *text) {
    out_add(to, text, strlen(text));
}

void out_buf(FILE *to, const struct buf *b) {
    out_add(to, b->data, b->len);
}

void out_printf(FILE *to, const char *fmt, ...) {
    struct buf b = BUF_INIT;
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&b, fmt, ap);
    va_end(ap);
    out_buf(to, &b);
    buf_done(&b);
}

void out_json(FILE *to, const struct val *v, unsigned flags) {
    struct arena *a = arena_new();
    struct buf b = BUF_INIT;
    json_print(redacted(a, v), flags, &b);
    buf_addc(&b, '\n');
    out_record(to, b.data, b.len);
    buf_done(&b);
    arena_free(a);
}
