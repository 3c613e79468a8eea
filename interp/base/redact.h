/* redact.h: the secrets of this process, and the one function that takes them out of a text.
 *
 * A secret is known by its value. Whoever makes one (an input, a credential, a token that a peer hands out) tells its bytes here once; from
 * then on every gate out of the process (journal, screens, diagnostics, files) hands its texts to redact_text. Found are the value itself, its
 * base64 in both alphabets at all three offsets, its hexadecimal digits, its quoted forms of the shell, and all of these again inside URL
 * encoding, backslash escapes (JSON, C, the shell, our own \x0a) and character references of XML, each up to two levels deep. Of a value of several lines each
 * longer line is a secret of its own, because logs come by the line.
 *
 * Cost: an automaton of all forms (Aho-Corasick) reads each byte once, and once more for each kind of escape that occurs in the text.
 *
 * This is the one piece of global state of the program: a secret that some gate does not know would be printed by it. Used by the loop's
 * thread only. The memory is locked, left out of core dumps, and wiped by redact_wipe, as far as the system allows. */
#ifndef BASE_REDACT_H
#define BASE_REDACT_H

#include "base/arena.h"
#include "base/buf.h"

#include <stdbool.h>

enum {
    REDACT_MIN = 4,         /* bytes: masking a shorter one would mask half the log */
    REDACT_MAX = 32 << 10,  /* bytes of one secret */
    REDACT_ALL = 128 << 10, /* bytes of all secrets */
};

/* Makes it known; once is enough. false: it cannot be masked, and *ret_why (static) says why; then it must not be used. */
bool redact_add(const char *secret, size_t len, const char **ret_why);
/* Whether there is any, so that nobody copies a text in vain. */
bool redact_any(void);
/* Whether one occurs in the text. */
bool redact_found(const char *text, size_t len);
/* Appends the text with each occurrence, or run of them, replaced by ***. */
void redact_text(const char *text, size_t len, struct buf *out);
/* The same as a string: text itself if there is nothing to replace. */
const char *redact_str(struct arena *a, const char *text);
/* For who cuts a stream: how many bytes at the end may be the beginning of a secret, or be a secret that goes on. A cut before them splits none; they
 * belong to the next piece, or are dropped. At most six times redact_longest() and 16. */
size_t redact_tail(const char *text, size_t len);
/* Bytes of the longest form of a secret; a form in escapes may be longer. */
size_t redact_longest(void);
/* Forgets all and overwrites them: at the end of the process, and in tests. */
void redact_wipe(void);

#endif
