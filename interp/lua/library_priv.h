/* library_priv.h: what the files of the library share. */
#ifndef LUA_LIBRARY_PRIV_H
#define LUA_LIBRARY_PRIV_H

#include "lua/box_priv.h"

#include "base/map.h"
#include "base/sha256.h"

struct entry { /* one name, loaded or not */
    const char *name, *family, *file; /* "swarm.leave", "swarm", "stdlib/swarm/leave.lua" */
    enum { ENTRY_NEW, ENTRY_LOADING, ENTRY_READY, ENTRY_BROKEN } state;
    struct def *def;
    struct err *why; /* of a broken one: what was wrong, to be told again */
};

struct family {
    const char *name, *lib; /* lib: file, or NULL */
    bool loading;
    int ref; /* of what lib.lua returned; 0: not loaded */
    const char **names;
    size_t n;
};

struct library {
    struct arena *arena;
    struct box *box;
    const struct files *files;
    bool listed;
    struct map *entries, *families; /* name → entry; name → family */
    const char **names;
    size_t nnames;
    struct map *loaded; /* file → its digest */
};

void library_list(struct library *lib); /* reads the names of the files, once */
struct entry *library_entry(const struct library *lib, const char *name);
struct family *library_family(const struct library *lib, const char *name);

/* library_decl.c: which keys a declaration may have. kind is one of enum def_kind. */
const char *def_fn_key(enum def_fn fn);
bool def_fn_allowed(enum def_kind kind, enum def_fn fn);
/* Checks the data part (functions stand in it as strings); marks are looked up in src. */
bool decl_check(struct arena *a, enum def_kind kind, const struct val *decl, const struct source *src, struct err *err);

#endif
