/* rights.h: the gate between a hook and the world. What is shipped may do all that its kind may; a Lua file of the site's own may only do what both its
 * runbook asks for and the site grants (words in lua/rights.h). Every host function that reaches out asks here, with what it is going to use; the answer
 * is what it must use: a path that was opened already, a name whose addresses are looked at when it is connected. */
#ifndef TASK_RIGHTS_H
#define TASK_RIGHTS_H

#include "task/host.h"

/* All raise where the right is missing; name is the host function's, for the message. */
void right_need(lua_State *L, const char *name, const char *word);
/* A URL, and where it is connected to instead ("HOST:PORT" or NULL). */
void right_need_http(lua_State *L, const char *name, struct http_spec *spec);
/* A program, and the environment that it gets beside its own ("NAME=value", or NULL). */
void right_need_exec(lua_State *L, const char *name, const char *program, const char *const *env);

/* A file of this machine, below a folder that was granted: what to open in its place, which cannot be led elsewhere any more by links, "..", or a
 * rename; as it is where nothing is limited. It stays valid as long as op. NULL: it is not there, or no file: *why. A way out of the folder raises. */
enum right_use {
    RIGHT_READ,   /* a regular file */
    RIGHT_LOOK,   /* of any kind: stat, list, disk */
    RIGHT_WRITE,  /* a name in a folder that is there: made, replaced, removed */
};
const char *right_path(lua_State *L, const char *name, struct op *op, const char *path, enum right_use use, const char **why);
/* The same of another machine, reached over ssh: argv that runs the command with the path at its end, once that was found to be below the folder. */
const char *const *right_remote(lua_State *L, const char *name, struct op *op, const char *path, const char *const *argv);

/* The words that the runbook and the site have for the hook of a task, in this order; NULL: none. */
void right_lists(const struct task *t, const struct val *ret[2]);

/* ctx.site as the task may see it: the password of UCP only where UCP may be asked. */
const struct val *right_site(const struct task *t);

#endif
