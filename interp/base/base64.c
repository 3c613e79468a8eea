#include "base/base64.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_add(struct buf *out, const void *data, size_t len) {
    const unsigned char *p = data;
    for (; len >= 3; p += 3, len -= 3) {
        const char four[4] = {digits[p[0] >> 2], digits[(p[0] & 3) << 4 | p[1] >> 4], digits[(p[1] & 15) << 2 | p[2] >> 6], digits[p[2] & 63]};
        buf_add(out, four, sizeof four);
    }
    if (len) {
        const unsigned second = len > 1 ? p[1] : 0;
        const char four[4] = {digits[p[0] >> 2], digits[(p[0] & 3) << 4 | second >> 4], len > 1 ? digits[(second & 15) << 2] : '=', '='};
        buf_add(out, four, sizeof four);
    }
}

static int value_of(char c) {
    return c >= 'A' && c <= 'Z' ? c - 'A' : c >= 'a' && c <= 'z' ? c - 'a' + 26 : c >= '0' && c <= '9' ? c - '0' + 52 : c == '+' ? 62 : c == '/' ? 63 : -1;
}

char *base64_decode(struct arena *a, const char *text, size_t len, size_t *ret_len) {
    if (len % 4)
        return NULL;
    for (int i = 0; i < 2 && len && text[len - 1] == '='; i++)
        len--;
    char *out = arena_alloc(a, len / 4 * 3 + 3);
    size_t n = 0;
    unsigned bits = 0, held = 0;
    for (size_t i = 0; i < len; i++) {
        const int v = value_of(text[i]);
        if (v < 0)
            return NULL;
        bits = (bits << 6 | (unsigned)v) & 0xffff;
        held += 6;
        if (held >= 8) {
            held -= 8;
            out[n++] = (char)(bits >> held & 0xff);
        }
    }
    if (held == 6) /* one digit of four says less than a byte */
        return NULL;
    *ret_len = n;
    return out;
}
