/* base64.h: base64 as in RFC 4648 section 4. */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include "base/arena.h"
#include "base/buf.h"

void base64_add(struct buf *out, const void *data, size_t len);
/* NULL if it is not base64. The result is terminated by a NUL that *ret_len does not count. */
char *base64_decode(struct arena *a, const char *text, size_t len, size_t *ret_len);

#endif
