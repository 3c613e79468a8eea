/* model_priv.h: what a model is. For model.c, model_parts.c. */
#ifndef LUA_MODEL_PRIV_H
#define LUA_MODEL_PRIV_H

#include "base/table.h"
#include "lua/box_priv.h"

struct model {
    struct box *box;
    int ref;      /* the table, in the registry; 0: a branch that nothing was applied to */
    size_t bytes; /* that it took when it was made: ours, and no script's */
    bool plain;   /* hashed, and nothing in it is unknown or unobserved: it may be read without a view that raises signals */
    const struct model *from;           /* of a branch */
    struct walk_parts parts; /* as last hashed */
    bool fresh;              /* these are of what an effect has changed just now: not to be gone through again */
};

/* Runs what makes our own structures: no script's limit applies, and it cannot fail for any other reason. */
void model_trusted(struct box *b, lua_CFunction fn, void *ud);

/* Pushes the table of a branch for the time of one function: what is not in it yet is copied into it when it is looked at. */
void branch_push(lua_State *L, struct model *m);
/* After that: what was not looked at is that of the model it came from, shared; m takes the table over. */
void branch_done(lua_State *L, int idx, struct model *m);

#endif
