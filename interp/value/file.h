/* file.h: whole files in and out. */
#ifndef VALUE_FILE_H
#define VALUE_FILE_H

#include "base/err.h"

/* Reads a file into a source named `name` (or path, if NULL); "-" is standard input. Larger than max bytes is an error. */
bool file_read(struct arena *a, const char *path, const char *name, size_t max, const struct source **ret, struct err *err);
/* Written aside, synced and renamed, so that a reader never sees half a file. */
bool file_write(const char *path, unsigned mode, const char *data, size_t len, struct err *err);
/* The same for exactly that name: a link there is not followed, and what is no regular file is not written to. */
bool file_write_there(const char *path, unsigned mode, const char *data, size_t len, struct err *err);
/* dir/rel, unless rel is absolute. */
char *path_join(struct arena *a, const char *dir, const char *rel);
/* The folder part of a path, "." if it has none. */
char *path_dir(struct arena *a, const char *path);

#endif
