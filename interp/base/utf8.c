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

bool utf8_hidden(uint32_t c) {
    static const struct {
        uint32_t from, to;
    } ranges[] = {{0x0, 0x1f},       {0x7f, 0x9f},     {0xad, 0xad},     {0x34f, 0x34f},   {0x61c, 0x61c},   {0x115f, 0x1160}, {0x17b4, 0x17b5},
                  {0x180b, 0x180f},  {0x200b, 0x200f}, {0x2028, 0x202e}, {0x2060, 0x206f}, {0x3164, 0x3164}, {0xfe00, 0xfe0e}, {0xfeff, 0xfeff},
                  {0xffa0, 0xffa0},  {0xfff0, 0xfffb}, {0xfffe, 0xffff}, {0xe0000, 0xe0fff}};
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges && c >= ranges[i].from; i++)
        if (c <= ranges[i].to)
            return true;
    return false;
}
