/* files.h: a read-only tree of files in layers: folders on disk, or as of a commit, before what is embedded in the binary.
 *
 * Names are relative with '/', such as "stdlib/swarm/leave.lua" and "runbooks/swarm/rebalance.yaml". The first layer that has a name wins. */
#ifndef VALUE_FILES_H
#define VALUE_FILES_H

#include "base/err.h"
#include "base/map.h"

struct embedded_file {
    const char *name;
    const unsigned char *data, *end;
};

struct files;

struct files *files_new(struct arena *a);
/* A folder whose content appears under `prefix` ("" or "stdlib/" …). Absent folders are an error at `at`. Only names ending in one of .lua .yaml
 * .yml are seen; symbolic links are followed; names with ".." never. */
bool files_add_dir(struct files *f, const char *dir, const char *prefix, struct mark at, struct err *err);
/* Texts that were read already, name → const struct source *, as a layer; only such names are seen. */
void files_add_sources(struct files *f, const struct map *sources);
/* Whether a file of that name is ever seen. */
bool files_sees(const char *name);
/* A table that ends with a NULL name. */
void files_add_embedded(struct files *f, const struct embedded_file *table);
/* The source (its name is the path for people), or NULL if there is none; unreadable: NULL and an error. */
const struct source *files_read(struct files *f, const char *name, struct err *err);
bool files_has(const struct files *f, const char *name);
/* Whether reading it gives what is embedded in the binary, and not somebody's file. */
bool files_is_embedded(const struct files *f, const char *name);
/* From here on, what is added is a site's own or is not. */
void files_own(struct files *f, bool own);
bool files_is_own(const struct files *f, const char *name);
/* Whether a file of the site's own hides one that is not. */
bool files_hides(const struct files *f, const char *name);
/* All names that start with prefix and end with suffix, sorted, each once. */
size_t files_list(const struct files *f, const char *prefix, const char *suffix, const char *const **ret);

#endif
