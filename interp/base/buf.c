#include "base/buf.h"

#include "base/arena.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buf_init(struct buf *b, size_t max) {
    *b = (struct buf)BUF_INIT;
    b->max = max;
}

void buf_done(struct buf *b) {
    if (b->cap)
        free(b->data);
    buf_init(b, b->max);
}

void buf_clear(struct buf *b) {
    b->len = 0;
    b->over = false;
    if (b->cap)
        b->data[0] = 0;
}

/* Room for n more bytes; less if the limit says so. Returns how many fit. */
static size_t grow(struct buf *b, size_t n) {
    if (b->max && (b->over || n > b->max - b->len)) {
        b->over = true;
        return 0;
    }
    if (b->len + n + 1 > b->cap) {
        size_t cap = b->cap ? b->cap : 64;
        while (cap < b->len + n + 1)
            cap *= 2;
        b->data = mem_realloc(b->cap ? b->data : NULL, cap);
        b->cap = cap;
    }
    return n;
}

void buf_add(struct buf *b, const void *p, size_t len) {
    if (!len || !grow(b, len))
        return;
    memcpy(b->data + b->len, p, len);
    b->len += len;
    b->data[b->len] = 0;
}

void buf_adds(struct buf *b, const char *s) {
    buf_add(b, s, strlen(s));
}

void buf_addc(struct buf *b, char c) {
    buf_add(b, &c, 1);
}

void buf_addrep(struct buf *b, char c, size_t n) {
    if (!n || !grow(b, n))
        return;
    memset(b->data + b->len, c, n);
    b->len += n;
    b->data[b->len] = 0;
}

void buf_vprintf(struct buf *b, const char *fmt, va_list ap) {
    va_list again;
    va_copy(again, ap);
    const int n = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    if (n <= 0 || !grow(b, (size_t)n))
        return;
    vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap);
    b->len += (size_t)n;
}

void buf_printf(struct buf *b, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(b, fmt, ap);
    va_end(ap);
}
