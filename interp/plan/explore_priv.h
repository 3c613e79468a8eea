/* explore_priv.h: what explore.c (the search) and explore_tell.c (its findings, for people) share. */
#ifndef PLAN_EXPLORE_PRIV_H
#define PLAN_EXPLORE_PRIV_H

#include "plan/machine.h"

/* How a state was first come to. Kept for every state; what it has come to itself only until it was gone on from. */
struct record {
    uint32_t parent;         /* of the first: itself */
    uint32_t nnotes;
    const struct note *notes; /* what happened between the parent and it */
    const struct cluster *at;
};

struct search {
    const struct explore_spec *spec;
    struct arena *arena;     /* of the result */
    struct machine machine;
    struct cluster_set *set;
    struct table *seen;
    struct record *records;
    size_t n, cap;
    struct explored *out;
    size_t transitions;
    size_t copied;           /* bytes that the transitions so far have taken */
    int64_t since;           /* of processor time, ms */
    const char *machine_limit;
    size_t cap_breaches, cap_fails;
    struct map *failed;      /* "STEP#OUTCOME" of fails */
    struct err *err;
};

/* Notes a broken rule: the shortest way to it is kept. last: what happened in the breaking transition itself. */
void tell_breach(struct search *s, const struct breach *b, uint32_t parent, const struct note *last, size_t nlast, const struct cluster *from,
                 const struct cluster *to, bool finally);
/* Notes the ways in which a transition's acts ended that are not as they should. */
void tell_fails(struct search *s, const struct note *notes, size_t n);

#endif
