/* runbook.h: a checked runbook: the second of the five types (val → runbook → plan → event → run). Const once made. */
#ifndef PLAN_RUNBOOK_H
#define PLAN_RUNBOOK_H

#include "lua/expr.h"
#include "lua/library.h"
#include "plan/site.h"

enum step_kind { STEP_ACTION, STEP_PROBE, STEP_RUNBOOK, STEP_COMMAND, STEP_GROUP, STEP_FIRST_OF, STEP_WAIT };

struct runbook;

struct step_retry {
    int attempts;      /* at least 1; 1: no retry */
    int64_t delay_ms;  /* before the second attempt */
    double backoff;    /* factor for each further one, at least 1 */
    int64_t max_delay_ms; /* 0: none */
};

struct step_effect {
    const char *path; /* "swarm" or "swarm.nodes.x": below `state` */
    struct mark mark;
    struct tmpl *value;
};

struct step_output {
    const char *name;
    struct tmpl *value;
};

struct step {
    const char *id;          /* unique in its list; made from the position ("step-3") if not written */
    struct mark mark;        /* of the step's first line */
    const struct val *doc;   /* what of its map could be read */
    struct mark uses_mark;   /* of the value of uses, command, … */
    enum step_kind kind;
    const struct runbook *in;
    struct step *parent;     /* the group it is in, NULL for the root group */
    size_t index;            /* in in->all */

    const struct def *def;   /* action, probe */
    const struct runbook *sub; /* runbook */
    struct tmpl *with;       /* map; NULL: none. For a command: NULL */
    struct tmpl *argv;       /* command: list of strings */
    struct tmpl *on;         /* command: node, or NULL for the operator's machine */
    struct expr *wait;       /* wait_for */
    int64_t every_ms;        /* wait_for; default 5 s */
    struct step **children;  /* group, first_of; the steps of a list, in its order */
    size_t nchildren;

    struct tmpl *title;      /* or NULL */
    struct tmpl *message;    /* wait_for: what people are to do meanwhile; or NULL */
    struct tmpl *approve;    /* or NULL */
    struct expr *cond;       /* if */
    struct expr *unless, *verify;
    struct tmpl *for_each;   /* or try_each */
    bool try_each;
    struct tmpl *timeout;    /* a duration; NULL: none (wait_for: 5m) */
    struct tmpl *parallel_tmpl;
    int parallel;            /* items at a time, default 1 */
    int max_failures;        /* of items; default 0 */
    struct step_retry retry;
    bool continue_on_failure;
    struct step **rescue, **undo;
    size_t nrescue, nundo;
    struct step_effect *effects;
    size_t neffects;
    struct step_output *outputs;
    size_t noutputs;

    struct step **needs;     /* siblings that must have ended before */
    size_t nneeds;
    struct step **users;     /* the reverse */
    size_t nusers;
};

struct input {
    const char *name;
    struct mark mark;
    const char *type;        /* "node", "integer", …: a word of the type table */
    const char *items;       /* type of the items of a list, or NULL */
    struct tmpl *def;        /* default, or NULL */
    bool required;
    const struct val *oneof; /* enum: list, or NULL */
    const char *pattern;     /* POSIX extended, whole value; or NULL */
    bool has_min, has_max;
    double min, max;         /* of numbers; of lengths for strings and lists; durations in ms, bytes in bytes */
    const char *description;
    const struct val *from;  /* list of "env:X", "file:X", "prompt", "command:…"; or NULL */
    struct mark type_mark;
};

struct part {                /* one entry of `state:` */
    const char *name;
    struct mark mark;
    const struct def *probe;
    struct tmpl *with;       /* or NULL */
    const struct val *hooks; /* of the runbook: what the probe may do, if it is the site's own; or NULL */
};

struct check {               /* one pre- or postcondition */
    struct expr *expr;
    struct tmpl *message;
    struct mark mark;
    const struct def *capability; /* for `requires`: expr and message are NULL */
};

struct runbook {
    const char *name, *version, *title, *description;
    const struct source *src;
    char digest[65];          /* SHA-256 of the text */
    const struct val *doc;    /* as parsed */
    const struct val *source; /* source: {document, section}, or NULL */
    bool routine;             /* it mends nothing, so it is no advice when something is wrong */
    struct input *inputs;
    size_t ninputs;
    struct part *parts;       /* those of `state:` first, then those that `requires` adds, by FAMILY.cluster */
    size_t nparts;
    struct check *requires, *pre, *post;
    size_t nrequires, npre, npost;
    struct step *root;        /* a group with id "" */
    struct step **all;        /* every step of it, depth first, rescue and undo steps after the step; not those of sub-runbooks */
    size_t nall;
};

extern const struct field runbook_fields[], step_fields[], input_fields[], state_fields[], check_fields[], retry_fields[], hook_fields[];
extern const char *const input_types[]; /* ended by NULL */

/* Where runbooks come from and what they are checked against. Not owned. */
struct loader {
    struct arena *arena;
    struct box *box;
    struct files *files;     /* "runbooks/NAME.yaml" */
    struct library *lib;
    const struct site *site; /* NULL: node names and hook rights are not checked */
    struct map *cache;       /* by name: runbooks that were loaded; or NULL. What is loaded with it is checked against the site of the first time */
};

/* Loads by name ("swarm/rebalance": from the site's library and the shipped ones) or by path (if it ends in .yaml or .yml, or is "-"), and checks
 * everything that needs no cluster. Sub-runbooks are loaded too; recursion is an error. Warnings may be added also on success: unfinished step forms (code not-yet)
 * are warnings here. */
bool runbook_load(struct loader *ld, const char *name, struct mark at, const struct runbook **ret, struct err *err);
/* Only what tells whether it applies: inputs, state and preconditions. Neither steps nor postconditions are read, nor the parts that only they need, so that
 * telling which of many runbooks do not apply costs a fraction of loading them. */
bool runbook_load_head(struct loader *ld, const char *name, struct mark at, const struct runbook **ret, struct err *err);
/* All runbook names, sorted. */
size_t runbook_names(struct loader *ld, const char *const **ret);
/* The first step form in it (or below it) that check reads but nothing carries out yet, or NULL: "first_of" */
const char *runbook_not_yet(const struct runbook *rb, const struct step **ret);
/* The first action in it (or below it) that can only be planned and rehearsed, or NULL. */
const struct def *runbook_planned_only(const struct runbook *rb);
/* Whether a value fits an input: type, enum, pattern, min, max, items. Text from the command line is converted: "3" for an integer, "a,b" for a list. Errors at `at`. */
bool input_convert(struct arena *a, const struct input *in, const struct site *site, const struct val *given, struct mark at,
                   const struct val **ret, struct err *err);
/* Where a value can come from: env:NAME file:PATH command:WORDS prompt; ended by NULL. Whether a word is such a place. */
extern const char *const input_sources[];
bool input_source_fits(const char *word);
/* It is a secret, or a list of some. */
bool input_is_secret(const struct input *in);
const struct part *runbook_part(const struct runbook *rb, const char *name);
/* The parts of the state that a reference reads through a capability (swarm.quorum, with or without a call): a list of names, or NULL. */
const struct val *capability_needs(struct loader *ld, const struct expr_ref *r);

#endif
