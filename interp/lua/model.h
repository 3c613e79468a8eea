/* model.h: a state of the world as Lua tables inside the sandbox.
 *
 * A model is what expressions read as `state` and what effects change. Copying and hashing are done here, in C, so that exploration pays
 * no conversion per state. Parts are top-level keys: state.swarm, state.dtr. */
#ifndef LUA_MODEL_H
#define LUA_MODEL_H

#include "lua/box.h"
#include "lua/library.h"

struct model;
struct table;

struct model *model_new(struct box *box);
struct model *model_clone(const struct model *m); /* deep */
/* One to apply an effect to: each part is copied when the effect looks at it, and the others are shared. m stays as it is until the last branch is freed,
 * and nothing is set in a branch. What an effect does to the state that it is told to have been before changes m: who branches hashes m again in the end. */
struct model *model_branch(const struct model *m);
/* The same state with one part another; the other parts are shared, so of both nothing may be changed from here on. */
struct model *model_with(const struct model *m, const char *part, const struct val *v);
void model_free(struct model *m);
void model_push(const struct model *m); /* the raw table, on the box's stack: for lua/ and task/ only */

void model_set(struct model *m, const char *part, const struct val *v);
bool model_has(const struct model *m, const char *part);
/* The part as a val (NULL if there is none). An error only if a script has put something there that is not data. */
bool model_get(const struct model *m, const char *part, struct arena *a, const struct val **ret, struct err *err);
/* A 128-bit hash over the content; equal states have equal hashes. A model that was hashed and is not changed since is handed to pure functions as it is
 * (to those that were not, as a read-only view): who hashed it must hash it again in the end, and not trust it if it differs. */
void model_hash(const struct model *m, uint64_t ret[2]);
/* The same; parts that are known (NULL: none) are not gone through again. */
void model_hash_known(const struct model *m, const struct table *known, uint64_t ret[2]);
/* Of a model that was hashed and will neither be changed nor freed before `known` is: its parts become known, and functions may remember what they have
 * found out about them (`once`). */
void model_keep(struct model *m, struct table *known, struct arena *a);

/* Applies an action's effect(state, with, before) (outcome NULL or "ok"), one of its named outcomes, or an event's effect (with: the way) to m itself: clone first if
 * the old state is still needed. *ret_outputs: the outputs that it predicted, or NULL. *ret_ends: what else it returned, how the step then ends:
 * "ok", "unknown", "impossible" (false: it cannot end like this on such a state; the model is then to be thrown away), or NULL. Both may be NULL. Inside, unknown values in `with` are opaque
 * symbols; an effect that computes with one is an error with the code unpredictable. */
bool model_apply(struct model *m, const struct def *d, const char *outcome, const struct val *with, struct arena *a,
                 const struct val **ret_outputs, const char **ret_ends, struct err *err);
/* Calls one of the pure functions of a definition as fn(state, args…) with state a copy nobody keeps; results that are absent are NULL. args are vals. */
enum call_result model_call(const struct model *m, const struct def *d, enum def_fn fn, const struct val *const *args, size_t nargs,
                            struct arena *a, const struct val **ret, const struct val **ret_second, struct call_signal *sig, struct err *err);
/* The same for a rule: the state, the one before it (NULL for none) and by what it changed ("step", "event"; NULL for FN_FINALLY). *ret_message is
 * NULL if the rule holds. */
bool model_rule(const struct model *m, const struct model *before, const struct def *rule, enum def_fn fn, const char *by, struct arena *a,
                const char **ret_message, struct err *err);
/* Sets one path ("swarm.nodes.x.role") to a value: the `effect:` map of a command. Missing maps on the way are an error. */
bool model_set_path(struct model *m, const char *path, const struct val *v, struct mark at, struct err *err);

#endif
