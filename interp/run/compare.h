/* compare.h: what a step was predicted to change, held against what was observed after it. Pure: values in, differences out.
 *
 * Only what a prediction changes is compared. What else moves in the world meanwhile is nobody's promise. */
#ifndef RUN_COMPARE_H
#define RUN_COMPARE_H

#include "value/val.h"

/* One place that is predicted to change: a leaf (anything but a map), an empty map, or a map that vanishes. Lists are leaves. */
struct change {
    const char **keys;           /* the way to it; keys[0] is the part of the state */
    size_t nkeys;
    size_t appears;              /* so many of the keys lead to the outermost map that appears; 0: its map was there before */
    const struct val *predicted; /* NULL: it vanishes */
    bool unordered;              /* of a list with a replaced symbol: where the real name sorts is not known */
};

struct changes {
    struct change *list;
    size_t n, cap;
};

/* Adds where before and after differ in a part. Left out: what the schema (or NULL) calls evidence or says moves by itself, and what is not
 * known on either side. The values are not copied. */
void compare_changes(struct arena *a, const char *part, const struct val *schema, const struct val *before, const struct val *after, struct changes *c);

/* Predicted outputs that are strings are symbols ("new-node3") for what only the world can choose. Wherever the changes have one, it becomes what the
 * act really returned under that name (outputs; what is not in it leaves the changes, since nobody can tell). A string that the state had before the act
 * (parts: name → value) is no symbol. */
void compare_symbols(struct arena *a, struct changes *c, const struct val *parts, const struct val *predicted, const struct val *outputs);

struct difference {
    const char *path;            /* "swarm.quorum.voters" */
    size_t nkeys;
    const struct val *predicted, *observed; /* NULL: nothing */
};

struct compared {
    size_t same;                 /* so many of the changes are there, as predicted */
    struct difference *list;     /* and where it is otherwise: the shortest paths first, then by their names */
    size_t n;
};

/* parts: name → what is observed now. What is not known there is left out. */
void compare_observed(struct arena *a, const struct changes *c, const struct val *parts, struct compared *ret);

/* "state.swarm.quorum.voters: predicted 3, observed 4; … and 2 more" */
const char *compare_text(struct arena *a, const struct compared *c);

#endif
