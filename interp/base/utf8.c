/* utf8.c: see utf8.h. */
#include "base/utf8.h"

/* By the first byte: how many bytes follow, which bits of it count, and the smallest number that needs so many. */
static const struct {
    unsigned char from, to, more, mask;
    uint32_t least;
} leads[] = {
    {0x00, 0x7f, 0, 0x7f, 0},
    {0xc2, 0xdf, 1, 0x1f, 0x80},
    {0xe0, 0xef, 2, 0x0f, 0x800},
    {0xf0, 0xf4, 3, 0x07, 0x10000},
};

size_t utf8_decode(const char *s, size_t len, uint32_t *ret) {
    unsigned char first = (unsigned char)s[0];
    for (size_t i = 0; i < sizeof leads / sizeof *leads; i++) {
        if (first < leads[i].from || first > leads[i].to)
            continue;
        if (leads[i].more >= len)
            return 0;
        uint32_t c = first & leads[i].mask;
        for (size_t k = 1; k <= leads[i].more; k++) {
            unsigned char byte = (unsigned char)s[k];
            if ((byte & 0xc0) != 0x80)
                return 0;
            c = c << 6 | (byte & 0x3f);
        }
        if (c < leads[i].least || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
            return 0;
        *ret = c;
        return leads[i].more + 1u;
    }
    return 0;
}
