/* inject.h: what is to go wrong in a rehearsal: steps that end otherwise than well, and events of the cluster's own.
 *
 * A step is named by its path as plans and runs print it ("replace[node2].join"). A part without [item] stands for every item of that step,
 * and a single id for every step of that id, wherever it is. #N limits it to the Nth attempt. Where several fit, one that names the attempt
 * goes first, then the one given first. */
#ifndef RUN_INJECT_H
#define RUN_INJECT_H

#include "plan/runbook.h"

struct injection {
    const char *text;        /* as written, for messages */
    struct mark mark;
    const char *step;        /* pattern of paths */
    int attempt;             /* 0: every one; of an event: the first */
    bool is_event;
    const char *outcome;     /* "failed", "lost", "lost-before", one that the action declares, "timeout", "holds"; NULL until checked: the default */
    const char *event_name, *choice; /* choice: one of those that the event offers, as text; NULL: the first */
    const struct def *event; /* once checked */
    const struct val *set;   /* instead of an event of the library: state path → value */
    bool met;                /* the run came by the step */
    bool done;               /* it took place */
    const char *problem;     /* why it could not */
};

struct injections {
    struct arena *arena;
    struct injection *items;
    size_t n, cap;
};

struct injections *injections_new(struct arena *a);
/* "STEP[#ATTEMPT][:OUTCOME]", and "STEP[#ATTEMPT]:EVENT[=CHOICE]". */
bool inject_parse(struct injections *l, bool is_event, const char *text, struct mark at, struct err *err);
/* The same in two words: the step with its attempt, and the outcome or the event (NULL: the default outcome). */
bool inject_add(struct injections *l, bool is_event, const char *step, const char *what, struct mark at, struct err *err);
/* What a test changes in the world by itself when the step begins: a map of paths below `state` → value. */
bool inject_set(struct injections *l, const char *step, const struct val *set, struct mark at, struct err *err);
/* Whether the runbook has such steps, whether they can end so, and whether there are such events. Fills in defaults. */
bool inject_check(struct injections *l, const struct runbook *rb, struct library *lib, struct err *err);
/* What the step is to come to at this attempt; NULL: nothing special. l may be NULL. */
struct injection *inject_outcome(struct injections *l, const char *path, int attempt);
/* The next event, not yet met, that is to happen when this attempt begins; NULL: none (any more). l may be NULL. */
struct injection *inject_event(struct injections *l, const char *path, int attempt);
/* After the run: an error for each that could not take place, and for each that the run never came by. */
bool inject_judge(const struct injections *l, struct err *err);
/* How a choice of an event reads: "node2", "node2, node3". */
const char *inject_choice_text(struct arena *a, const struct val *choice);

#endif
