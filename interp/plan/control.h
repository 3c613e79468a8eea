/* control.h: what the steps have come to, in a form that can be copied and compared quickly. Private to exploration.
 *
 * The same fans and items as in run/run.h, without what only people read. A fan that is over keeps of its items only what an expression
 * may still read; so ways that end alike become one state. Values are interned (cluster_val) and paths too, so both compare by address. */
#ifndef PLAN_CONTROL_H
#define PLAN_CONTROL_H

#include "base/table.h"
#include "plan/cluster.h"
#include "plan/runbook.h"

enum x_end { X_NONE, X_OK, X_FAILED, X_UNKNOWN, X_SKIPPED, X_REFUSED, X_ENDS };
enum x_fan_status { XFAN_WAITING, XFAN_OPEN, XFAN_OVER };
enum x_item_status {
    XITEM_READY,   /* an act that can begin, or begin again */
    XITEM_ACTING,  /* begun; its effect is still to come */
    XITEM_WAITING, /* a wait_for that did not hold when last looked at */
    XITEM_INSIDE,  /* its list is being carried out */
    XITEM_OVER
};

static inline bool x_end_bad(enum x_end e) {
    return e == X_FAILED || e == X_UNKNOWN || e == X_REFUSED;
}

struct xlist;
struct xopen;

struct xfan {
    uint8_t status, end;
    bool blocked, need_failed;
    uint32_t waits;          /* needs that are not over */
    struct xopen *open;      /* while it is open */
    const struct val *val;   /* over: what steps.<id> reads; NULL if nothing reads it */
};

struct xitem {
    struct xopen *of;
    uint32_t index;          /* in of->items */
    uint8_t status, end;
    bool rescuing;           /* its list is that of `rescue` */
    int attempt;             /* that have failed */
    const char *path;
    const struct val *item;  /* of for_each; NULL without */
    const struct val *with, *outputs;
    const struct val *inputs; /* of a runbook, once bound */
    const struct cluster *begun; /* an act: the cluster when it began */
    struct xlist *inside;
};

struct xopen { /* what an open fan has */
    struct xlist *list;
    uint32_t fan;            /* index in list */
    const char *path;
    const struct val *list_val; /* of for_each, or NULL */
    size_t nitems, begun, over, failed;
    size_t ends[X_ENDS];     /* how many ended so */
    struct xitem **items;    /* nitems; NULL: not begun, or over */
    const struct val **vals; /* nitems, of those that are over, if something reads the step; or NULL */
    const struct val *winner; /* of try_each: steps.<id> */
};

struct xlist {
    struct xitem *owner;     /* NULL: the runbook's own steps */
    struct step *const *steps;
    size_t n, over;
    size_t from;             /* all fans before it are over */
    bool bad, unknown, refused; /* a fan ended so and may not */
    bool any_ok;             /* of first_of: an alternative has ended well */
    size_t alt;              /* of first_of: the alternative whose turn it is */
    bool first_of;
    struct xfan fans[];
};

struct xlist *control_list(struct arena *a, struct xitem *owner, struct step *const *steps, size_t n, bool first_of);
/* A deep copy; owners point into the copy. */
struct xlist *control_copy(struct arena *a, const struct xlist *l);
/* Adds everything that tells two controls apart. */
void control_key(struct key *k, const struct xlist *l);

#endif
