/* expr.h: Lua expressions and ${{ … }} templates.
 *
 * References are found by a token scan, without evaluating: chains of names such as inputs.x, state.swarm.quorum.held, steps.join.outputs.id,
 * item.name, swarm.best_survivor(…). Chains behind a local name (function parameters in an expression) are left out. */
#ifndef LUA_EXPR_H
#define LUA_EXPR_H

#include "lua/box.h"
#include "lua/library.h"
#include "lua/model.h"

struct expr_ref {
    const char **names; /* "state", "swarm", "quorum", "held" */
    size_t n;
    bool call;    /* a call follows: the last name is a function */
    bool dynamic; /* an index [ … ] follows: what comes after is not known */
    struct mark mark;      /* of the whole chain */
    struct mark *marks;    /* of each name */
};

struct expr {
    const char *text;
    struct mark mark; /* of its first byte; positions in messages are computed from it when it stands on one line */
    struct expr_ref *refs;
    size_t nrefs;
    int ref; /* compiled function in the registry; compiled on first evaluation */
};

/* Scans and checks the syntax (by compiling, without running). Codes: expr-syntax with hints for !=, &&, ||, !, null, True, += and a
 * single =. box may not be NULL. */
bool expr_parse(struct box *box, struct arena *a, const char *text, struct mark at, struct expr **ret, struct err *err);

/* A value of a runbook in which strings may hold ${{ … }}: maps and lists are walked. */
struct tmpl;
bool tmpl_parse(struct box *box, struct arena *a, const struct val *v, struct tmpl **ret, struct err *err);
bool tmpl_is_const(const struct tmpl *t);         /* no ${{ … }} in it */
const struct val *tmpl_source(const struct tmpl *t); /* as written */
/* What stands under a key of a map; NULL if there is none, or no ${{ … }} in the whole. */
const struct tmpl *tmpl_at(const struct tmpl *t, const char *key);
/* Calls fn for each expression in it. */
void tmpl_each(const struct tmpl *t, void (*fn)(void *ud, const struct expr *e), void *ud);

/* What an expression may see. All members may be NULL. */
struct scope {
    struct library *lib;
    const struct model *state;
    const struct val *inputs, *site, *run, *item;
    int64_t index; /* counts from 1; 0: there is none */
    /* steps.<id> as a val map {ok, failed, skipped, outputs, with, items, item}; may hold val_unknown; NULL: no such step */
    const struct val *(*step)(void *ud, struct arena *a, const char *id);
    void *ud;
};

/* Evaluates; on CALL_OK *ret is set (null for nil). */
enum call_result expr_eval(struct box *box, const struct expr *e, const struct scope *s, struct arena *a, const struct val **ret,
                           struct call_signal *sig, struct err *err);
/* Must be a boolean: anything else is an error (code not-boolean; the hint for 0: "0 is true in Lua"). */
enum call_result expr_test(struct box *box, const struct expr *e, const struct scope *s, struct arena *a, bool *ret, struct call_signal *sig,
                           struct err *err);
/* A string that is nothing but one ${{ … }} keeps its type; otherwise the parts are joined as text (maps and lists as JSON); a secret part makes the whole
 * secret. With keep_unknown, an unknown part yields val_unknown in its place instead of ending it (the result is then CALL_OK). */
enum call_result tmpl_eval(struct box *box, const struct tmpl *t, const struct scope *s, bool keep_unknown, struct arena *a,
                           const struct val **ret, struct call_signal *sig, struct err *err);

#endif
