/* observe.h: everything that a site's runbooks and library read, probed once. */
#ifndef CMD_OBSERVE_H
#define CMD_OBSERVE_H

#include "cmd/cmd.h"
#include "plan/advise.h"

enum seen_how {
    SEEN_PROBED,
    SEEN_UNOBSERVED, /* it could not be learnt */
    SEEN_UNASKED,    /* what it is asked with needs an input that nobody has given */
    SEEN_ABSENT,     /* it is no part of this world or site */
};
const char *seen_name(enum seen_how how);

struct seen {
    struct part part;      /* how it was asked for */
    enum seen_how how;
    const struct val *val; /* if probed */
    const char *why;       /* if not */
};

struct observed {
    struct model *state;  /* what was observed, and marks where it was not; absent parts are not in it */
    struct seen *parts;   /* in the order of layers */
    struct part *decls;   /* the same parts, as advise_on wants them */
    size_t n;
};

/* The parts of all runbooks, each once: by FAMILY.cluster if some runbook declares that, else as the first one does; and what the library can probe
 * by a FAMILY.cluster that needs no inputs. What cannot be learnt is an answer too. The state is to be freed. */
struct observed observe_all(struct ctx *c, const struct advisor *ad);

#endif
