/* machine.h: one transition of a plan that is explored. Private to exploration.
 *
 * A transition is plain code that calls machine_choose wherever things can go in more than one way; the explorer runs it again and again
 * from the same state until every sequence of choices was taken. */
#ifndef PLAN_MACHINE_H
#define PLAN_MACHINE_H

#include "plan/control.h"
#include "plan/explore.h"

enum { max_choices = 64, max_notes = 16 };

struct note { /* what happens in a transition, for people */
    const char *step, *how; /* path of a step, or the text of an event; how: NULL: it ends well */
    const char *outcome;    /* "failed", …: an act ended so; or NULL */
    enum x_end end;         /* how the step took it */
    bool event;
    const struct cluster *after;
};

struct machine {
    const struct explore_spec *spec;
    struct arena *arena;     /* as long as the exploration: interned things */
    struct arena *scratch;   /* of the transition */
    struct cluster_set *set;
    struct table *memo;      /* what expressions yielded, how acts can end */
    struct table *names;     /* paths */
    struct map *read;        /* ids of steps that some expression reads */
    struct map *left_out;    /* paths that are planned on arrival */
    struct err *err;
    bool calm;               /* only what happens if nothing goes wrong */
    bool bounded;            /* an unknown list was met */
    const char *limit;       /* what was too much for one transition, or NULL: not every way was taken */
    /* the transition */
    struct xlist *root;
    const struct cluster *at;
    int events;
    struct note notes[max_notes];
    size_t nnotes;
    unsigned choice[max_choices], of[max_choices];
    size_t nchoices, pos;
};

void machine_init(struct machine *m, const struct explore_spec *spec, struct cluster_set *set, struct arena *a, struct err *err);
void machine_done(struct machine *m);
/* The first state: nothing has begun. */
void machine_start(struct machine *m);
/* One transition from root, at and events (root is changed). false: nothing can happen any more. */
bool machine_step(struct machine *m);
/* 0 … n-1; n at least 1. */
unsigned machine_choose(struct machine *m, unsigned n);
/* Makes ready for the next sequence of choices; false when all were taken. */
bool machine_next(struct machine *m);

/* ---- for the files of the machine ---- */

enum x_end machine_end(const struct xitem *it, enum x_end end);
void machine_note(struct machine *m, const char *step, const char *how, const char *outcome, enum x_end end);
const char *machine_path(struct machine *m, const char *owner, const struct step *st, const struct val *list, size_t index);
bool machine_reads(const struct machine *m, const struct step *st);

/* machine_eval.c: expressions, remembered. from: the item whose names they see; inside: of a step in its list. */
struct scope machine_scope(struct machine *m, const struct xitem *from, const struct xlist *list);
enum call_result machine_test(struct machine *m, const struct expr *e, const struct xitem *from, const struct xlist *list, bool *ret);
/* keep: unknown parts stay in the value. */
enum call_result machine_value(struct machine *m, const struct tmpl *t, bool keep, const struct xitem *from, const struct xlist *list,
                               const struct val **ret);
/* The same for a value that is used once and not kept: not remembered, and in the scratch arena. */
enum call_result machine_value_once(struct machine *m, const struct tmpl *t, const struct xitem *from, const struct val **ret);
/* What such a value follows from. */
struct key machine_value_key(struct machine *m, const struct tmpl *t, const struct xitem *from);
const struct val *machine_item_val(struct machine *m, const struct xitem *it, enum x_end end);

/* machine_act.c: how an act can end. */
struct act_end {
    const char *outcome, *how; /* "ok": how is NULL */
    const struct cluster *to;
    enum x_end end;
    const struct val *outputs;
};
struct act_ends {
    struct act_end *ends;
    size_t n;
};
const struct act_ends *machine_act_ends(struct machine *m, struct xitem *it);
/* The cluster once what a wait_for waits for has come to be, as far as its effects say; NULL: they cannot be told. */
const struct cluster *machine_effects(struct machine *m, const struct xitem *it, const struct cluster *c);

/* machine_step.c: items. */
void item_begin(struct machine *m, struct xitem *it);   /* in XITEM_READY */
void item_finish(struct machine *m, struct xitem *it);  /* in XITEM_ACTING or XITEM_WAITING: chooses how it ends */
void item_inside_over(struct machine *m, struct xitem *it); /* its list is over */
/* machine.c */
void item_over(struct machine *m, struct xitem *it, enum x_end end);
const struct step *item_step(const struct xitem *it);
bool item_is_home(const struct xitem *it);              /* its list is that of a runbook of its own */
struct xitem *item_home(const struct xitem *it);        /* the runbook item that it is in, NULL: the runbook itself */

#endif
