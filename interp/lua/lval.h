/* lval.h: val ↔ Lua.
 *
 * Maps become tables, lists become tables marked as lists (so that empty ones stay lists), null is absent (in a list, where
 * a hole would end it, an unobserved value stands), integers stay integers. Secret strings become opaque handles: tostring gives ***, `..` builds another secret, == compares
 * identity of content without telling it, nothing else works. */
#ifndef LUA_LVAL_H
#define LUA_LVAL_H

#include "value/val.h"

struct lua_State;

void lval_push(struct lua_State *L, const struct val *v);
/* A read-only view of the table at idx (pushed): reading an unknown or unobserved value in it raises its signal; #, pairs, ipairs, ==
 * work; writing raises. Values that are not tables are pushed as they are. */
void lval_push_view(struct lua_State *L, int idx);
/* The value at idx as a val. Views are looked through. An error (code not-data) for functions, handles of the host, cycles, holes,
 * keys that are neither strings nor (in lists) 1..n, more than 64 levels or 1,000,000 nodes. `what` names it in messages. A table without list mark
 * and without keys is a map. */
bool lval_to(struct lua_State *L, int idx, struct arena *a, const char *what, const struct val **ret, struct err *err);

#endif
