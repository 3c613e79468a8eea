/* walk_priv.h: what the files of the walk share: walk.c (lists, items), walk_step.c (the kinds of steps), known.c (labels). */
#ifndef PLAN_WALK_PRIV_H
#define PLAN_WALK_PRIV_H

#include "base/map.h"
#include "plan/walk.h"

/* What later steps may read of a step, as its predicted end. */
struct result {
    const struct val *val; /* {ok, failed, skipped, outputs, with[, items]} */
    enum known known;
    bool failed;           /* stops those that need it */
};

/* The names that an expression sees: those of the item it is in, then outwards to the root of its runbook. */
struct frame {
    struct frame *parent; /* NULL at the root of a runbook */
    struct map *results;  /* step id → struct result */
    const struct val *item;
    int64_t index;
    enum known item_known;
    const struct val *inputs;
    const struct bind *bind;
    const char *path;
    unsigned depth;
    bool maybe; /* what is below may not run at all */
};

struct walk {
    struct arena *arena;
    struct loader *ld;
    struct model *state;
    struct map *parts; /* part name → enum known *, how the predicted part is known; absent: probed */
    const struct val *site, *run;
    struct plan_line *lines;
    size_t nlines, cap;
    struct val *attests;
};

struct item {
    struct frame *f; /* of the item: its own `item` and results */
    const struct step *st;
    const char *path;
    enum known known; /* of the decision to run it */
};

/* ---- known.c ---- */

enum known known_worst(enum known a, enum known b);
/* How what an expression or a template reads is known at this point. NULL: nothing is read. */
enum known known_expr(const struct walk *w, const struct frame *f, const struct expr *e);
enum known known_tmpl(const struct walk *w, const struct frame *f, const struct tmpl *t);
/* From here on the part is known no better than k. */
void part_taint(struct walk *w, const char *part, enum known k);
const struct result *result_of(const struct frame *f, const char *id);

/* ---- walk.c ---- */

struct scope frame_scope(const struct walk *w, struct frame *f);
struct plan_line *line_add(struct walk *w, const struct frame *f, const struct step *st, const char *path, enum will will, enum known known);
/* how: "ok", "failed" or "skipped". */
const struct val *result_val(struct walk *w, const char *how, const struct val *outputs, const struct val *with);
/* Of a step that only the run will decide on: whoever reads its outcome gets an unknown. */
const struct val *result_unknown(struct walk *w, const char *path);
/* Walks a list. *ret_failed: a step that is not allowed to fail is predicted to. */
bool walk_list(struct walk *w, struct frame *f, struct step *const *steps, size_t n, bool *ret_failed, struct err *err);

/* The same for the alternatives of a first_of: the first that is not predicted to fail is taken. */
void walk_alternatives(struct walk *w, struct frame *f, struct step *const *steps, size_t n, bool *ret_failed, struct err *err);
/* The rescue of a step at path that ended as r. Returns whether it is predicted to be rescued; if r did not fail, what is there only gets its lines. */
bool walk_rescue(struct walk *w, struct frame *f, const struct step *st, const char *path, const struct result *r, struct err *err);

/* ---- walk_step.c ---- */

/* One item of a step whose time has come: fills its line, folds its effect, and says how it is predicted to end. */
struct result walk_item(struct walk *w, const struct item *it, struct err *err);

#endif
