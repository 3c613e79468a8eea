/* archive.h: what is in an archive (tar, tar.gz, zip), read to its end, so that one that was cut off is told from a whole one. libarchive is loaded when
 * the first is read. */
#ifndef IO_ARCHIVE_H
#define IO_ARCHIVE_H

#include "base/arena.h"

#include <stdbool.h>
#include <stdint.h>

struct archive_member {
    const char *name; /* as asked for */
    bool seen;        /* set once it was met; of several of one name the first counts */
    const char *text; /* NULL: it is not there, or too long */
    size_t len;       /* at most 1 MiB; longer ones are not taken */
};

struct archive_report {
    bool whole;         /* every byte of it could be read, and its end is there; of an encrypted one: it begins as one */
    const char *why;    /* not whole: why, for people */
    const char *format; /* "tar", "tar.gz", "zip", "openpgp" or "unknown" */
    uint64_t bytes, entries;
    const char **names; /* the first 1000, as they are in the archive */
    size_t nnames;
};

/* Blocking, in constant memory: for another thread than the loop's. Members (n of them, may be 0) are looked up by name, with or without "./". */
void archive_read(struct arena *a, const char *path, struct archive_member *members, size_t n, struct archive_report *ret);

#endif
