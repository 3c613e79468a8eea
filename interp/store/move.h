/* move.h: a run as one file of JSON Lines, to be carried from one journal to another:
 *
 *   {"type":"export","format":"1.0","run":"ID","records":N}
 *   … N records as they are in the journal …
 *   {"type":"end","sha256":"…"}           of all bytes before this line
 *
 * The same run gives the same file, to the byte. A file of a later 1.x may say more in its first line; of a later major version it is refused. */
#ifndef STORE_MOVE_H
#define STORE_MOVE_H

#include "base/buf.h"
#include "store/store.h"

#define MOVE_FORMAT "1.0"

struct moved {
    const char *run_id;
    const char **records; /* one line each */
    size_t n;
    char digest[65];      /* SHA-256 of the records and their lines' ends: the same wherever they are */
};

void move_print(const char *run_id, const char *const *records, size_t n, struct buf *out);
/* Checks all there is to check but what the records say. */
bool move_parse(struct arena *a, const struct source *src, struct moved *ret, struct err *err);
void move_digest(const char *const *records, size_t n, char ret_hex[65]);

#endif
