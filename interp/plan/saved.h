/* saved.h: plans that are kept in files, and whether a plan that is made again is still the same. Pure: nothing here reads or writes.
 *
 * A saved plan is one JSON document (the table in saved.c). What is compared is what would be done: the lines' path, will, with, destroys
 * and whom they attest, never titles, reasons and labels, which hold evidence. A secret is *** on both sides. */
#ifndef PLAN_SAVED_H
#define PLAN_SAVED_H

#include "plan/plan.h"

#define SAVED_FORMAT "1.0"

struct saved {
    const struct val *doc;      /* fits the table of fields */
    const char *id, *made, *folder;
    const struct val *runbook;  /* {name, asked, version, digest, subs: {name: digest}} */
    const struct val *library;  /* {folders, files: {file: digest}, digest} */
    const struct val *site;     /* {file, name, digest}, or NULL without a file */
    const char *world;          /* the world file it was made on, or NULL for the real world */
    const struct val *inputs;   /* name → {value} or {from}: those that were given */
    const struct val *attested; /* names */
    const struct val *lines, *before;
};

/* Takes a document apart; *ret points into it. Errors: bad-plan and those of schema_check. */
bool saved_parse(const struct val *doc, struct saved *ret, struct err *err);

/* The lines of a plan, as a document holds them. */
const struct val *saved_lines(struct arena *a, const struct plan *p);
/* What becomes of a value that is written as JSON, without secrets, and read again. */
const struct val *saved_normal(struct arena *a, const struct val *v);
/* The digests of the runbooks below one: name → digest. */
const struct val *saved_subs(struct arena *a, const struct runbook *rb);

/* One line of a plan that is not as it was; then or now is NULL for a line that is new or gone. */
struct saved_change {
    const char *path, *then, *now; /* "run  survivor: node1" */
};
/* Members in attested (a list of names) no longer need to be attested, which is no change. 0: the plans are the same. */
size_t saved_changes(struct arena *a, const struct val *then, const struct val *now, const struct val *attested, const struct saved_change **ret);

/* One fact that is not as it was. */
struct saved_fact {
    const char *path;       /* "swarm.engines.node3.answers" */
    const char *then, *now; /* "true"; NULL: it was, or is, not there */
    bool evidence;          /* for people only, says the probe's schema */
    unsigned depth;         /* of the path */
    enum val_kind kind;     /* of what it was or is */
};
/* The facts in which two observed states (part → value) differ; those that weigh most first: what is no evidence, then the shorter paths,
 * then truth values before others, then by path. schemas: part → schema of its probe, as far as there is one. */
size_t saved_facts(struct arena *a, const struct val *then, const struct val *now, const struct val *schemas, const struct saved_fact **ret);

#endif
