/* bind.h: inputs and probes bound in dependency order.
 *
 * A default may read the state, and what a probe is asked with may read inputs, so both form one graph. Binding is pulled: bind_step
 * says which probes are wanted next; the caller asks the world (or a world file) and hands the answers in with bind_observed. */
#ifndef PLAN_BIND_H
#define PLAN_BIND_H

#include "plan/runbook.h"

struct bind;

enum bind_status { BIND_WANTS, BIND_DONE, BIND_FAILED };

struct bind_want {
    const struct part *part;
    const struct val *with; /* may be NULL */
};

struct bind_spec {
    struct loader *ld;
    const struct runbook *rb;
    const struct val *given;  /* input name → value (text from the command line is converted), or NULL */
    struct model *state;      /* parts that it has already are not asked for again; observed parts are set in it */
    const struct val *site, *run;
    bool lenient;             /* an input that cannot be bound is unknown to whoever reads it, and no end of it all: err tells, and it is BIND_DONE */
};

struct bind *bind_new(struct arena *a, const struct bind_spec *spec);
/* Binds what can be bound. BIND_WANTS: *ret holds the probes to ask now (each is named once). Errors: missing-input, unknown-input,
 * those of input_convert, and a default that reads a fact that could not be observed. */
enum bind_status bind_step(struct bind *b, const struct bind_want **ret, size_t *ret_n, struct err *err);
void bind_observed(struct bind *b, const struct part *part, const struct val *value);
const struct val *bind_inputs(const struct bind *b); /* after BIND_DONE: every input; a map */
/* Whether an input's value came from the state rather than from a person or the file. */
bool bind_from_state(const struct bind *b, const char *input);
/* Where an input came from, for people: "given", "default", "site". */
const char *bind_origin(const struct bind *b, const char *input);

#endif
