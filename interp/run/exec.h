/* exec.h: one run, from its first event to its last.
 *
 * A turn: callbacks have put happenings into the inbox; the turn makes events out of them and of what has become possible, folds them,
 * and commits the batch. When the store says that it is durable, screens are told and what the batch asked for is carried out. Record, then
 * act, then tell. While a commit is under way nothing new is begun. */
#ifndef RUN_EXEC_H
#define RUN_EXEC_H

#include "io/locker.h"
#include "plan/explore.h"
#include "run/run.h"
#include "run/runner.h"
#include "store/store.h"

/* A question to a person. */
struct question {
    const char *path;
    const char *text;
    const char *attest;   /* the member that must be attested, or NULL for an approval */
    bool fact;            /* not whether it may be done, but whether it happened: never implied by --yes */
};
/* yes: how tells in what way ("--yes", "terminal"); no: how is "denied" or "no terminal"; of a fact that is not one: ANSWER_NO. */
#define ANSWER_NO "no"
typedef void answer_fn(void *ud, bool yes, const char *how);

struct screen {
    void (*event)(struct screen *s, const struct event *e, const struct run *r);
    void (*done)(struct screen *s, const struct run *r); /* after the last event; may be NULL */
};

struct asker {
    void (*ask)(struct asker *a, const struct question *q, answer_fn *done, void *ud);
};

/* A run that had broken off, or could not go on. */
struct resume {
    const struct event *const *events; /* all that it has recorded */
    size_t n;
    /* Paths of steps of which a person says that they are done, which counts only if the state shows it; and that they are not wanted. */
    const char *const *done, *const *skip; /* ended by NULL */
    const char *because;      /* of skip: the reason; and who says so */
};

struct exec_spec {
    struct loader *ld;
    struct loop *loop;
    struct store *store;
    struct runner *runner;
    struct asker *asker;
    struct screen **screens; /* ended by NULL */
    const char *run_id;
    const struct plan *plan;      /* not refused */
    struct model *state;          /* observed; changed as probes answer */
    const struct val *site, *run; /* what expressions see; run.attested */
    const struct val *about;      /* host, user, version, … for the first record */
    int parallel;                 /* acts at a time in the whole run */
    struct explore_limits limits; /* of what is planned on arrival */
    const char *const *accepted;  /* rules that may be broken, ended by NULL; or NULL */
    struct locker *lock;          /* held, and watched; NULL: none is needed */
    const struct val *locked;     /* of it: the data of the EV_LOCK that tells how it was taken */
    const struct resume *resume;  /* the run that is taken up, with its run_id; NULL: a new one */
    const char *asked, *folder;   /* the word on the command line, and where files are looked for: for a later resume */
    const char *plan_id, *plan_digest; /* of the saved plan that is carried out, which the store takes once; or NULL */
};

/* Runs to the end and returns the exit status of DESIGN section 7. What went wrong with the journal or the program itself is in err (exit 9).
 * SIGINT and SIGTERM: at the first nothing new is begun and waits end; at the second the acts under way are cancelled. */
int exec_run(struct arena *a, const struct exec_spec *spec, struct err *err);

/* A new run id: time and randomness, sortable: "20260301-120000-3f9a". */
const char *exec_run_id(struct arena *a, struct clock *c);

#endif
