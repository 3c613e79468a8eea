/* box_priv.h: what the files of lua/ know of each other. Nothing outside includes it.
 *
 * Lua leaves C functions by longjmp. So whatever a C function called from Lua needs lives in an arena that somebody else owns, or in a
 * userdata with __gc (struct scratch); never in a heap block that only the frame knows. */
#ifndef LUA_BOX_PRIV_H
#define LUA_BOX_PRIV_H

#include "lua/box.h"
#include "lua/expr.h"
#include "lua/library.h"
#include "lua/model.h"

#include <lauxlib.h>
#include <lua.h>

enum { max_frames = 6, hook_step = 200 };

/* Where a Lua error came from; filled by the message handler, read once by whoever caught the error. */
struct fault {
    struct fault_frame {
        char where[LUA_IDSIZE]; /* as in messages: "stdlib/swarm/leave.lua" */
        char name[64];          /* "" if Lua knows none */
        int line;
    } frames[max_frames];
    int n;
};

struct box {
    lua_State *L;
    struct arena *arena;  /* as long as the box */
    struct pool *pool;    /* of the Lua state's objects */
    struct map *sources;  /* chunk name → struct source */
    size_t used, max;
    size_t models;        /* bytes held by models: they are ours, so they do not count against scripts */
    int trusted;          /* > 0: our own structures are made, which no limit may stop */
    size_t refused;       /* size that the allocator has last refused, 0: none since */
    int64_t budget, left; /* instructions */
    int64_t deadline;     /* on the monotonic clock, ms */
    bool over;
    int depth;            /* of protected calls */
    uint64_t rng;
    bool foreign;         /* a file of somebody else was loaded: instructions are always counted */
    int untidy;           /* > 0: garbage is collected by box_tidy alone */
    size_t tidy_at;       /* bytes in use at which it is */
    struct fault fault;

    int globals, lists, intern, families, expr_env, scope_names; /* registry references */
    int branches, kept;   /* also: the metatable of branches; what is remembered of parts that cannot change */
    const void *mt_list, *mt_view, *mt_opaque, *mt_secret, *mt_def, *mt_branch;
    const struct model *branch; /* what a branch that a function is applied to came from, or NULL */
    const void *branch_table, *branch_copied[8]; /* the parts that it has got copies of */
    size_t nbranch_copied;

    struct library *lib;
    const struct scope *scope;   /* of the expression that is being evaluated, or NULL */
    struct arena *scope_arena;
    const struct model *model;   /* the state that capabilities are asked about, or NULL */
};

/* Whether the instructions of what runs are counted; false does nothing unless many states are being made, and every file was ours. Counting takes a
 * call for each instruction, and our own files come to an end. */
void box_count(struct box *b, bool on);
void box_foreign(struct box *b); /* a file of somebody else is being loaded */
/* Collects garbage if it is time to and the collector does not do so by itself, see box_many_states. */
void box_tidy(struct box *b);

/* box.c: protected calls. box_run runs a C function with ud as its only argument. */
enum call_result box_pcall(struct box *b, lua_State *L, int nargs, int nret, struct arena *a, struct call_signal *sig, struct err *err);
enum call_result box_run(struct box *b, lua_State *L, lua_CFunction fn, void *ud, struct arena *a, struct call_signal *sig, struct err *err);
bool box_has_mt(lua_State *L, int idx, const void *mt);
int box_new_metatable(lua_State *L, const char *name, const luaL_Reg *methods, const void **ret);
void box_source(struct box *b, const struct source *src);
/* The mark of a whole line without its indentation. */
struct mark box_line_mark(const struct source *src, int line);

/* A heap arena and a buffer that the collector frees if the function is left by an error. */
struct scratch {
    struct arena *arena;
    struct buf buf;
    struct err *err;
};
struct scratch *scratch_push(lua_State *L);
void scratch_done(struct scratch *s);

/* box_lib.c, box_string.c, box_pattern.c, box_order.c, box_data.c: what scripts see. */
void box_open_libs(struct box *b, lua_State *L);
void box_open_strings(lua_State *L, int globals);
void box_open_patterns(lua_State *L);
void box_open_order(lua_State *L, int globals);
void box_open_data(lua_State *L, int globals);
extern const char box_prelude[];
/* Pushes an array of the keys of the raw table at idx, in order: numbers before strings. */
void order_keys(lua_State *L, int idx);

/* opaque.c: values that are not data. */
void opaque_open(struct box *b, lua_State *L);
void opaque_push(lua_State *L, bool unobserved, const char *text);
const char *opaque_text(lua_State *L, int idx, bool *ret_unobserved); /* NULL unless unknown or unobserved */
void opaque_raise(lua_State *L, int idx);                             /* does nothing for other values */
void secret_push(lua_State *L, const struct val *v);
const struct val *secret_val(lua_State *L, int idx, struct arena *a); /* NULL unless a secret */

/* view.c */
void view_open(struct box *b, lua_State *L);
/* If the value at idx is a view, pushes the table behind it and returns true. */
bool view_raw(lua_State *L, int idx);
/* Replaces the value on top by what an expression may see of it: a view for a table, the signal for what is unknown. */
void view_read(lua_State *L);
/* "table" for views, "unknown", "unobserved", "secret"; otherwise Lua's own. */
const char *view_type(lua_State *L, int idx);

/* model.c: model_push on any Lua thread of the box. */
void model_push_on(lua_State *L, const struct model *m);

/* lval.c */
void lval_mark_list(lua_State *L, int idx);
bool lval_is_list(lua_State *L, int idx); /* of a raw table: marked, or its keys start at 1 */

/* model_walk.c: whole tables. All raise Lua errors. */
void walk_clone(lua_State *L, int idx, bool reading);
/* Of any value. opaque is set if something in it is unknown or unobserved, and left alone otherwise. */
struct walk_hash {
    uint64_t h[2];
    bool opaque;
};
void walk_hash(lua_State *L, int idx, struct walk_hash *ret);
enum { most_parts = 8 };
struct walk_parts { /* tables that are values of a table, and their hashes: the first few */
    struct part_hash {
        const void *table;
        struct walk_hash hash;
    } of[most_parts];
    size_t n;
};
/* Whether a table is data; if not, an error is raised. *ret (may be NULL): the hashes of its parts. */
void walk_check(lua_State *L, int idx, const char *what, struct walk_parts *ret);
/* Adds an entry, whose value has that hash, to that of the whole. The order does not matter. */
void walk_hash_add(lua_State *L, int key, const struct walk_hash *value, struct walk_hash *sum);

/* model_parts.c: `once`, and branches. A branch is the state that an effect is given, whose parts are copied when it looks at them; whoever goes through
 * such a table without asking its metatable makes it whole before. Does nothing for others. */
void parts_open(struct box *b, lua_State *L, int globals);
void branch_whole(lua_State *L, int idx);

/* library_env.c: the environments of library files (family, or NULL) and of expressions. */
void env_open(struct box *b, lua_State *L);
void env_push(lua_State *L, const char *family);

/* library_load.c */
const struct def *library_load(struct library *lib, lua_State *L, const char *name, struct err *err);
bool library_push_lib(struct library *lib, lua_State *L, const char *family); /* false: the family has none. Raises. */
const struct def *library_find(struct library *lib, lua_State *L, const char *name); /* NULL: no such file. Raises. */

#endif
