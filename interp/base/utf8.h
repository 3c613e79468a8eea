/* utf8.h: reading UTF-8 one character at a time. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The length in bytes of the character at s (len > 0) and its number; 0 if the bytes there are not UTF-8: overlong forms, surrogates
 * and a character that the end cuts off are not. */
size_t utf8_decode(const char *s, size_t len, uint32_t *ret);

/* Characters that move the cursor, end a line, turn the writing direction, or cannot be seen: no text of others may bring one to a screen. */
bool utf8_hidden(uint32_t c);

#endif
