/* buf.h: a growable run of bytes with a limit.
 *
 * data is always terminated by a NUL that len does not count (data is "" when empty). A buffer that is asked to grow past its limit
 * keeps what it has, sets over, and ignores what follows: whoever reads a peer checks over and reports it. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
    char *data;
    size_t len, cap;
    size_t max; /* 0: no limit */
    bool over;
};

#define BUF_INIT {.data = (char *)""}

void buf_init(struct buf *b, size_t max);
void buf_done(struct buf *b); /* frees the content; the buffer can be used again */
void buf_clear(struct buf *b);
void buf_add(struct buf *b, const void *p, size_t len);
void buf_adds(struct buf *b, const char *s);
void buf_addc(struct buf *b, char c);
void buf_addrep(struct buf *b, char c, size_t n);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *b, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));

#endif
