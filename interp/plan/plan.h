/* plan.h: a runbook bound to inputs and to an observed state: the third of the five types. Const once made.
 *
 * The plan is made by walking the steps as a run would, folding each step's effect into a predicted state. Every line says how it is
 * known: the weakest of the facts that its decision rests on. */
#ifndef PLAN_PLAN_H
#define PLAN_PLAN_H

#include "plan/bind.h"

struct explored;

enum known {
    KNOWN_PROVED,    /* follows from the file and the inputs alone */
    KNOWN_PROBED,    /* rests on what was observed just now */
    KNOWN_PREDICTED, /* rests on the effects of earlier steps */
    KNOWN_ASSUMED,   /* rests on an assumption: that a wait ends well, that a command does what its `effect` says */
    KNOWN_UNKNOWN,   /* only the run will know */
};
const char *known_name(enum known k);

enum will {
    WILL_RUN,
    WILL_SKIP,    /* its `if` is false */
    WILL_ALREADY, /* its `unless` is true */
    WILL_MAYBE,   /* depends on what only the run will know */
    WILL_NOT,     /* a step that it needs is predicted to fail */
    WILL_WAIT,    /* a wait_for that is predicted to hold, or assumed to */
    WILL_TIME_OUT, /* a wait_for that nothing in the plan makes true */
    WILL_EACH,    /* a for_each: the number of its items */
    WILL_ELSE,    /* only if what is predicted to end well fails: a later alternative, a rescue */
};
const char *will_name(enum will w);

struct plan_line {
    const char *path;         /* "return[node2].leave" */
    const struct step *step;
    unsigned depth;           /* 0 for top-level steps */
    enum will will;
    enum known known;
    const char *title;
    const char *why;          /* the reason, or NULL */
    const struct val *with;   /* bound values, val_unknown where only the run will know; or NULL */
    const char *destroys;     /* what is lost, or NULL */
    const char *approve;      /* the question that will be asked, or NULL */
    const struct val *attests; /* {member: why}, or NULL */
    size_t items;             /* WILL_EACH */
    bool no_return;           /* what it destroys does not come back */
    bool arrival;             /* a runbook that is planned when the run comes to it */
};

struct plan_check {
    const char *message, *text; /* text: the expression, or the capability's name */
    struct mark mark;
    bool held;
    const char *untold; /* the fact that it rests on and that is not known, and then it does not hold; else NULL */
    enum known known;
};

/* An image that a container is to be started from. Nothing is pulled in a recovery, since the registry may be what is down. */
enum image_there { IMAGE_THERE, IMAGE_MISSING, IMAGE_UNTOLD };
struct plan_image {
    const char *node, *image;
    const char *path;         /* of the first line that needs it */
    enum image_there there;   /* as state.docker (probe docker.images) tells; untold where that is not observed */
};

struct plan {
    const struct runbook *rb;
    const struct val *inputs;
    const struct bind *bind;
    const struct val *before, *after;  /* observed and predicted state: maps by part */
    struct plan_check *pre, *post;     /* `requires` first */
    size_t npre, npost;
    bool refused;                      /* a precondition does not hold: there are no lines */
    struct plan_line *lines;
    size_t nlines;
    struct plan_image *images;         /* that its acts need, by node, then by name */
    size_t nimages;
    const struct val *attests;         /* all members that need an attestation: {member: why} */
    size_t changes;                    /* lines that will change something */
    const struct plan_line *exit;      /* the last act before the first point of no return; NULL: there is none, or nothing is done before it */
    bool no_return;                    /* there is such a point */
    size_t modelled, acts;             /* acts whose effect is modelled, all acts: the fidelity of the plan */
    const struct explored *explored;   /* NULL: refused before, or not asked for */
};

struct plan_spec {
    struct loader *ld;
    const struct bind *bind;     /* done */
    const struct runbook *rb;
    const struct model *state;   /* observed; not changed */
    const struct val *site, *run; /* run.attested: list of names */
    const char *path;            /* of the step that the runbook is the work of; NULL: none */
};

/* false only if an expression or an effect raised an error; a refusal is a plan. A precondition that reads an unobserved fact counts as
 * not held, and its message names the probe and the node. */
bool plan_make(struct arena *a, const struct plan_spec *spec, const struct plan **ret, struct err *err);

/* The pre- or postconditions on a state. */
bool plan_checks(struct arena *a, struct loader *ld, const struct runbook *rb, bool post, const struct scope *scope, enum known known,
                 struct plan_check **ret, size_t *ret_n, struct err *err);
/* What a line says for a step: its title, or what its definition describes, or its id. */
const char *step_title(struct arena *a, struct loader *ld, const struct step *st, const struct scope *scope, const struct val *with);
/* The values that an action or a probe gets: those that were given, and the defaults that it declares. */
const struct val *step_with(struct arena *a, const struct step *st, const struct val *with);
/* The members in an action's attests that run.attested does not name; NULL if none. */
bool plan_attests(struct arena *a, const struct step *st, const struct model *state, const struct val *with, const struct val *attested,
                  const struct val **ret_missing, struct err *err);
/* What the lines' actions say that they need, held against state.docker. Of one whose values only the run will know nothing is told. */
void plan_images(struct arena *a, const struct model *state, struct plan *p);
/* Whether a value, or anything in it, is one that only the run will know. */
bool plan_has_unknown(const struct val *v);
/* The path of a step instance below an owner: "owner.id"; of item number index (from 0) of a list: "path[key]", key from a name, node or id in
 * it; "path[#N]", N from 1, if it has none, or if one before it has the same. */
const char *path_step(struct arena *a, const char *owner, const struct step *st);
const char *path_item(struct arena *a, const char *path, const struct val *list, size_t index);

#endif
