/* cluster.h: the states that the cluster can be in, each kept once, and what leads from one to another.
 *
 * An effect, a rule or an event is a pure function, so for one state it is asked once; what it said is remembered. All of it lives as
 * long as the set. Private to exploration (explore.c, machine*.c). */
#ifndef PLAN_CLUSTER_H
#define PLAN_CLUSTER_H

#include "base/table.h"
#include "lua/model.h"

struct occurrence;

/* Compared by address. */
struct cluster {
    struct model *model;
    struct key key;
    const struct occurrence *events; /* what can happen by itself; once looked at */
    size_t nevents;
    bool looked;
    const char *picture; /* once asked for */
};

struct occurrence { /* an event as it can happen now */
    const struct def *event;
    const char *text; /* "old managers return: node2, node3" */
    const struct cluster *to;
};

struct breach { /* a rule that a change breaks */
    const struct def *rule;
    const char *message;
};

struct cluster_set {
    struct arena *arena;
    struct arena *scratch; /* of one call */
    struct box *box;
    struct library *lib;
    struct table *clusters, *changes, *vals;
    struct table *parts; /* of states, and their hashes */
    struct cluster **all;
    size_t n, cap;
    const struct def **rules, **events;
    size_t nrules, nevents;
    struct err *err; /* where faults of the library are told */
};

/* Rules and events are those of the library of which every part that they need is in the state. */
bool cluster_set_new(struct box *box, struct library *lib, const struct model *state, struct err *err, struct cluster_set **ret);
/* Whether every state is still as it was made: rules and events may look at one, and must not change it. Of our own files' functions the tests tell
 * that they do not, and only the first states are looked at. */
bool cluster_set_check(struct cluster_set *s);
void cluster_set_free(struct cluster_set *s); /* with every cluster; NULL is fine */

/* The cluster of that content. The model is taken over. */
const struct cluster *cluster_intern(struct cluster_set *s, struct model *m);
/* The one value of that content; NULL for NULL. */
const struct val *cluster_val(struct cluster_set *s, const struct val *v);
/* The same cluster with more members attested ({name: why}). */
const struct cluster *cluster_attested(struct cluster_set *s, const struct cluster *c, const struct val *members);
/* Rules that are broken by the change, in the order of their names; NULL with *ret_n = 0 if none, or if nothing changed. */
const struct breach *cluster_judge(struct cluster_set *s, const struct cluster *from, const struct cluster *to, const char *by, size_t *ret_n);
/* The `finally` rules that do not hold. */
const struct breach *cluster_finally(struct cluster_set *s, const struct cluster *c, size_t *ret_n);
const struct occurrence *cluster_events(struct cluster_set *s, const struct cluster *c, size_t *ret_n);
/* One line: what <part>.picture of each part says, or "". */
const char *cluster_picture(struct cluster_set *s, const struct cluster *c);

#endif
