/* sha256.h: SHA-256 (FIPS 180-4), for digests of runbooks and libraries. */
#ifndef BASE_SHA256_H
#define BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

struct sha256 {
    uint32_t h[8];
    uint64_t bytes;
    unsigned char block[64];
};

void sha256_init(struct sha256 *s);
void sha256_add(struct sha256 *s, const void *data, size_t len);
void sha256_end(struct sha256 *s, char ret_hex[65]); /* 64 hex digits and NUL */
void sha256_hex(const void *data, size_t len, char ret_hex[65]);

#endif
