/* box.h: the sandbox: one Lua state with limits, and the names that scripts see.
 *
 * Inside there is no os, io, debug, package, load, require, coroutine, pcall, xpcall, getmetatable, setmetatable, collectgarbage, print,
 * raw access or bytecode; string.rep, string.format and table.concat hold to the memory limit; pairs and next go in sorted order
 * (numbers before strings). Given besides: math (random seeded by us), string, table, utf8, tostring, tonumber, type, select, ipairs, error, assert,
 * json {encode, decode}, base64 {encode, decode}, list{…} (a list that stays a list when empty), and the helpers
 * seen(t, key) (nil and why for a fact that could not be observed) count take sorted any all quorum odd_at_most keys values map filter find contains copy, once(part, fn): fn(part), worked out once for a part of a state that does not change any more (what it gives
 * is not to be changed).
 *
 * Limits are latched: once the instructions of a call are used up, every further instruction raises too, so no script can go on. A call
 * that was ended by a limit reports so; the box stays usable for other calls. */
#ifndef LUA_BOX_H
#define LUA_BOX_H

#include "base/arena.h"
#include "base/err.h"
#include "value/val.h"

#include <stdbool.h>
#include <stdint.h>

struct lua_State;
struct box;

struct box_limits {
    int64_t instructions; /* per pure call: expression, effect, rule, func (default 10,000,000) */
    size_t memory;        /* bytes of the whole state (default 256 MiB) */
};

struct box *box_new(const struct box_limits *limits); /* NULL: defaults */
void box_free(struct box *b);
struct lua_State *box_lua(struct box *b); /* for lua/ and task/ only */
struct box *box_of(struct lua_State *L);

/* Values that are not data. In a val each is a map with one key, "$unknown" or "$unobserved", so that world files and journals can hold
 * them; in Lua each is an opaque value, equal only to itself, that raises its signal when an expression reads it. */
const struct val *val_unknown(struct arena *a, const char *provider);  /* "steps.join.outputs.node_id": who will provide it */
const struct val *val_unobserved(struct arena *a, const char *why);    /* "node2: connection refused" */
const char *val_unknown_provider(const struct val *v);                 /* NULL unless unknown */
const char *val_unobserved_why(const struct val *v);                   /* NULL unless unobserved */

/* Runs the function on top of the stack below its nargs arguments under the limits of a pure call; on success leaves nret results.
 * On failure adds an error (code lua-error, instruction-limit or memory-limit; at the place in the Lua file) or, if a signal was raised
 * by reading an unknown or unobserved value, returns it. Errors raised by `error{…}` or `error("…")` keep their text. */
enum call_result { CALL_OK, CALL_UNKNOWN, CALL_UNOBSERVED, CALL_ERROR };
struct call_signal {
    const char *text; /* the provider, or why it was not observed */
};
enum call_result box_call(struct box *b, int nargs, int nret, struct arena *a, struct call_signal *sig, struct err *err);

/* Between the two calls the box makes many models and keeps most of them, so looking for garbage all the time would be looking at the same models
 * again and again: that is only done when memory in use has grown by much. */
void box_many_states(struct box *b);
void box_few_states(struct box *b);
bool box_is_foreign(const struct box *b); /* whether a file that is not embedded was loaded */

/* Arms a coroutine with the limit of a task (instructions between two resumes); box_limit_hit tells whether the last resume was ended by a limit. */
void box_arm(struct box *b, struct lua_State *co, int64_t instructions);
const char *box_limit_hit(struct box *b); /* "instruction-limit", "memory-limit" or NULL */

#endif
