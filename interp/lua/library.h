/* library.h: the definitions that Lua files make: actions, probes, rules, events, capabilities, funcs.
 *
 * One file, one definition: stdlib/swarm/leave.lua is swarm.leave. A file is loaded when its name is first asked for. Files come from
 * value/files.h, so that a site's own come before the embedded ones. Members of a family see its lib.lua as `lib`, the lib.lua
 * of another family as library "docker", and the funcs of all families by name (swarm.best_survivor). */
#ifndef LUA_LIBRARY_H
#define LUA_LIBRARY_H

#include "lua/box.h"
#include "value/files.h"
#include "value/schema.h"

enum def_kind { DEF_ACTION, DEF_PROBE, DEF_RULE, DEF_EVENT, DEF_CAPABILITY, DEF_FUNC };

/* The Lua functions that a definition may have; which kind has which is one table in library.c, with help texts. */
enum def_fn {
    FN_RUN,     /* action, probe: run(ctx, with) */
    FN_EFFECT,  /* action, event: effect(state, with) changes the copy it is given; may return predicted outputs */
    FN_BEFORE,  /* action: before(state, with) → value kept in the intent */
    FN_DONE,    /* action: done(state, with, before) → outputs | false | "pending" */
    FN_ATTESTS, /* action: attests(state, with) → {member = "why"} that need an attestation before the act */
    FN_FOLLOW,  /* action: follow(ctx, with): waits for what was begun and may still be going on */
    FN_IMAGES,  /* action: images(state, with) → {node = image or list of images} that it starts containers from */
    FN_HOLDS,   /* capability: holds(state) → boolean[, "why not"] */
    FN_NEVER,   /* rule: never(state, before, by) → message or nothing; by: "step" or "event" */
    FN_FINALLY, /* rule: finally(state) → message or nothing */
    FN_WHEN,    /* event: when(state) → boolean */
    FN_CALL,    /* func: call(…) */
    FN_COUNT
};

struct def_outcome {
    const char *name;
    int ref; /* Lua registry */
};

struct def {
    enum def_kind kind;
    const char *name;           /* "swarm.leave" */
    const char *family;
    const struct source *src;
    const char *file;           /* below stdlib/: "swarm/leave.lua", and "replica_id.lua" of a hook */
    bool own;                   /* a file of the site's own: it has the rights that it is granted, and no others */
    const struct val *decl;     /* everything declared that is data: summary, inputs, outputs, changes, destroys, on_unknown, membership,
                                   settle, schema, needs, why, describe */
    int fn[FN_COUNT];           /* Lua registry references; 0 = not declared */
    struct def_outcome *outcomes;
    size_t noutcomes;
};

/* decl.inputs / outputs / schema entries: {type = "node", required = true, default = …, enum = {…}, description = "…", items = …}.
 * schema of a probe: a tree: {type = "map", keys = {quorum = {type="map", keys={held={type="boolean"}}}}, of = {…for maps by ID…}}. */

struct library;

struct library *library_new(struct arena *a, struct box *box, const struct files *files);
/* The definition, loaded if need be. Unknown: NULL and an error at `at` (code unknown-<kind>) with the nearest of that kind's names.
 * A file that fails to load or is of another kind is an error too. */
const struct def *library_get(struct library *lib, const char *name, enum def_kind kind, struct mark at, struct err *err);
/* All definitions of that kind, in the order of their names: of rules and events, whose files say `return rule` or `return event` at the start of a
 * line, so that the others need not be loaded. false: one is broken. */
bool library_of_kind(struct library *lib, enum def_kind kind, const struct def *const **ret, size_t *ret_n, struct err *err);
/* Whether a file of that name exists, without loading it. */
bool library_has(const struct library *lib, const char *name);
/* All member names ("swarm.leave"), sorted; family NULL: of all families. */
size_t library_names(const struct library *lib, const char *family, const char *const **ret);
bool library_is_family(const struct library *lib, const char *name);
/* Digest over all files that have been loaded so far and their names (64 hex digits and NUL). */
void library_digest(const struct library *lib, char ret[65]);
/* The same, one by one: file → digest, sorted by name. */
const struct val *library_files(const struct library *lib, struct arena *a);
const char *def_kind_name(enum def_kind k);
/* What a definition of that kind may declare, functions included, with help texts: one table for checking and for `quorate doc`. */
const struct field *def_fields(enum def_kind k);
/* One of the strings of decl.changes etc. */
bool def_changes(const struct def *d, const char *part);

#endif
