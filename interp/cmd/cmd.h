/* cmd.h: what the sub-commands share: the table of commands, the options, and how a program is put together. */
#ifndef CMD_CMD_H
#define CMD_CMD_H

#include "io/engines.h"
#include "plan/explore.h"
#include "plan/saved.h"
#include "run/exec.h"
#include "ui/style.h"

#include <stdio.h>

#define QUORATE_VERSION "0.1.0"

/* Exit statuses that more than one command uses; the whole list is in main.c's help. */
enum { EXIT_DONE = 0, EXIT_STEP = 1, EXIT_USAGE = 2, EXIT_INVALID = 3, EXIT_REFUSED = 4, EXIT_APPROVAL = 5, EXIT_MOVED = 6,
       EXIT_UNKNOWN = 7, EXIT_LOCKED = 8, EXIT_JOURNAL = 9, EXIT_CHANGES = 10 };

struct words { /* of an option that may be given several times */
    const char **items;
    size_t n;
};

struct options {
    const char *site, *store, *world, *output, *color, *inputs_file, *parallel, *seed, *events, *max_states, *out, *min_coverage, *rev, *because;
    struct words inputs, attest, library, fail, event, accept_risk, approve, done, skip;
    bool yes, verbose, help, detailed;
};

/* Bits of the options that a command takes. */
enum {
    OPT_SITE = 1,
    OPT_LIBRARY = 2,
    OPT_STORE = 4,
    OPT_INPUT = 8,
    OPT_WORLD = 16,
    OPT_OUTPUT = 32,
    OPT_YES = 64,
    OPT_ATTEST = 128,
    OPT_PARALLEL = 256,
    OPT_VERBOSE = 512,
    OPT_SEED = 1024,
    OPT_INJECT = 2048,
    OPT_EXPLORE = 4096,
    OPT_SAVE = 8192,
    OPT_COVERAGE = 16384,
    OPT_REV = 32768,
    OPT_RESUME = 65536,
};

/* One invocation: made by main, filled by the ctx_ functions as far as a command needs it, taken down by ctx_close. */
struct ctx {
    struct arena *arena;
    struct err *err;
    struct options opt;
    int argc;
    char **argv; /* the words behind the command's name */
    struct style style; /* of standard output */
    /* the language */
    struct site *site;
    const struct source *site_text; /* of the site's file, also in a rehearsal; or NULL */
    const char *commit; /* what --rev names, or NULL */
    struct files *files;
    struct box *box;
    struct library *lib;
    struct loader loader;
    const char *store_password; /* once it was asked for */
    struct map *env_secrets; /* name → value: taken out of the environment; or NULL */
    /* the world */
    struct clock *clock;
    struct clock_virtual virtual_clock;
    struct loop *loop;
    struct http *http;
    struct engines *engines;
    struct task_world task_world;
    struct runner *runner;
    const struct val *world; /* of --world, or NULL */
    const struct val *site_val, *run_val; /* what expressions see */
    /* saved plans */
    const struct val *inputs_doc; /* for plan --out: the inputs as a saved plan holds them */
    const struct saved *saved;    /* the plan that is carried out, or NULL */
    const char *saved_digest;     /* SHA-256 of its file */
};

struct command_info {
    const char *name, *args, *text;
    unsigned options;
    int min_args, max_args; /* max -1: any number */
    int (*run)(struct ctx *c);
};
extern const struct command_info command_infos[]; /* ends with {0} */

/* ---- ctx.c ---- */

/* Site, library and loader. false: told in err. */
bool ctx_language(struct ctx *c);
/* Loop, engines and runner: the real world, or that of --world. */
bool ctx_world(struct ctx *c, bool may_change);
/* Loop and engines of the real world, and nothing that needs a password. */
void ctx_engines(struct ctx *c);
void ctx_close(struct ctx *c);
/* Prints what is in err to standard error; the exit status for it. */
int ctx_report(struct ctx *c);
/* The journal's URL: of --store, of the site, or the default; *ret_mark for errors. */
const char *ctx_store(struct ctx *c, struct mark *ret_mark);

/* ---- world.c ---- */

/* A world file's text. */
bool world_parse(struct arena *a, const struct source *src, const struct val **ret, struct err *err);
/* Whether it is a world; an inline one needs no name. */
bool world_check(const struct val *world, bool named, struct err *err);
/* Its inventory as a site without engines; the library and the inputs of the real one (may be NULL) are kept. */
struct site *world_site(struct arena *a, const struct val *world, const struct site *real);
/* What expressions see as `site` and `run` where no engine is reached. */
const struct val *site_seen(struct arena *a, const struct site *s, const struct val *nodes);
const struct val *run_seen(struct arena *a, const struct val *attested, bool rehearsal);

/* ---- secret.c ---- */

/* The secret that one source has: env:NAME, file:PATH (relative to the site's folder, or to the working directory), command:WORD WORD … (without a shell,
 * in that folder), prompt. *ret is NULL if the source is not there, and then tried (a list) gets a line that says so. false: it is there and
 * cannot be used (unreadable, empty, too long, too short to be masked); told in err. `what` is for people: "the input 'password'". */
bool secret_from(struct ctx *c, const char *what, const char *from, struct val *tried, const char **ret);
/* The same for a value that is no secret. */
bool secret_from_plain(struct ctx *c, const char *what, const char *from, struct val *tried, const char **ret);
/* The first of several that has it; from ends with NULL. Passwords of any kind come this way: of runbooks, of the site, of a store. */
bool secret_find(struct ctx *c, const char *what, const char *const *from, struct val *tried, const char **ret);
/* If from is env:NAME, takes the variable out of our environment, so that no child inherits it. secret_from still finds it. */
void secret_hide(struct ctx *c, const char *from);

/* ---- credentials.c ---- */

/* The site as tasks see it: what expressions see, and under `ucp` and `dtr` also the certificates and whether they matter. false: told in err. */
bool credentials(struct ctx *c, const struct val **ret);
/* Finds the password of UCP and adds it for tasks, as a secret, if the runbook (NULL: whatever is probed) can have a use for it: nobody is asked for
 * what nothing needs. After ctx_world; nothing in a rehearsal. false: told in err. */
bool credentials_for(struct ctx *c, const struct runbook *rb);

/* ---- journal.c ---- */

/* The journal of --store, of the site, or the default; in a rehearsal one in memory. To write, on the context's loop. Otherwise *ret is NULL if there
 * is none yet, and people were told, unless it is only for a look. false: told in err. */
enum journal_use { JOURNAL_LOOK, JOURNAL_READ, JOURNAL_WRITE };
bool journal_open(struct ctx *c, enum journal_use use, struct store **ret);

/* ---- inputs.c ---- */

/* The inputs given for a runbook: the site's, then the file's, then the command line's, then those that `from` finds. */
bool inputs_given(struct ctx *c, const struct runbook *rb, const struct val **ret);

/* The inputs that a saved plan was made with. A secret is looked for where it was found then. */
bool inputs_saved(struct ctx *c, const struct runbook *rb, const struct val **ret);

/* ---- explore.c ---- */

/* How far is explored, and which risks are accepted, by the command line. */
bool explore_options(struct ctx *c, struct explore_limits *ret_limits, const char *const **ret_accepted);

/* ---- prepare.c ---- */

struct prepared {
    const struct runbook *rb;
    struct model *state;   /* observed */
    struct bind *bind;
    const struct plan *plan; /* explored, unless it is refused */
    struct explored *explored; /* what the plan points to */
    const struct val *given;   /* the inputs as they were given */
};
struct prepare_spec {
    struct loader *ld;
    struct runner *runner;
    const struct runbook *rb;
    const struct val *given, *site, *run;
    struct explore_limits limits;
    const char *const *accepted; /* names of rules, ended by NULL; or NULL */
};
/* Binds and probes: `plan` holds no more than inputs and observed state. false: told in err. */
bool prepare_bind(struct arena *a, const struct prepare_spec *spec, struct prepared *ret, struct err *err);
/* Binds, probes and plans. false: told in err. */
bool prepare_plan(struct arena *a, const struct prepare_spec *spec, struct prepared *ret, struct err *err);
/* Explores the plan; *ret is NULL for one that is refused before. */
bool prepare_explore(struct arena *a, const struct prepare_spec *spec, const struct prepared *p, struct explored **ret, struct err *err);
/* The same plan, explored. */
const struct plan *plan_with(struct arena *a, const struct plan *p, const struct explored *e);
void prepared_free(struct prepared *p);
/* Why the plan must not be carried out, in one line, or NULL: a precondition, or a rule that is broken on some way. */
const char *plan_refusal(struct arena *a, const struct plan *p);
/* The same with what the command line says, and loads the runbook. */
bool prepare(struct ctx *c, const char *name, struct prepared *ret);

/* Probes and plans again, with the same inputs. *ret_same: nothing that was observed has changed, and the new one was not explored. */
bool prepare_again(struct ctx *c, const struct prepared *p, bool *ret_same, struct prepared *ret);

/* ---- lock.c ---- */

/* Takes the lock on the engines, if this runbook changes anything there; a minority is asked for. *ret_lock and *ret_told stay NULL if none is
 * needed. resume: a lock of the same run is taken over. 0, or the exit status, and people were told; then nothing is held. */
int lock_begin(struct ctx *c, const struct runbook *rb, const char *run_id, bool resume, struct asker *asker, struct locker **ret_lock,
               const struct val **ret_told);
/* Gives it back, unless the run keeps it for a resume; tells where that was not possible. NULL is fine. */
void lock_end(struct ctx *c, struct locker *lock);
/* Since the plan was made another may have been at work: 0 if a plan made now is the same (*p is then that one), else EXIT_MOVED or EXIT_REFUSED, and
 * people were told. */
int lock_look_again(struct ctx *c, struct prepared *p);

/* ---- run.c ---- */

/* Who runs this, also behind sudo; NULL if nobody knows. */
const char *user_name(void);

struct execution {
    struct store *store;
    const char *run_id;
    const struct plan *plan;
    struct model *state;
    const struct resume *resume; /* NULL: a new run */
    struct asker *asker;
    struct locker *lock;         /* of lock_begin; or NULL */
    const struct val *locked;
};
/* Who answers its questions, as the command line says. */
struct asker *asker_of(struct ctx *c);
/* Carries it out, with the screens and options of the command line; the exit status. */
int execute(struct ctx *c, const struct execution *e);

/* ---- runs.c ---- */

/* The run that a word means ("last": the newest), which is in the store. */
bool find_run(struct ctx *c, struct store *s, const char *word, const char **ret_id);
/* All of its records. */
bool read_events(struct ctx *c, struct store *s, const char *id, struct event ***ret, size_t *ret_n);

/* ---- saved.c ---- */

/* ctx_language, and before it: if the command's word is a saved plan (*.plan, *.json, or a file that begins as one), reads it and makes word and
 * options those that it was made with. Then whether this is the site it was made for, and whether the journal has seen it. */
bool saved_begin(struct ctx *c);
/* Before anything is probed: whether the texts that it was made from are as they were (code plan-stale). NULL: the runbook could not be
 * read; then it is told where the plan was made. true without a saved plan, if there is a runbook. */
bool saved_sources(struct ctx *c, const struct runbook *rb);
/* Compares it with the plan that was made again: 0, or EXIT_MOVED, and people were told. */
int saved_moved(struct ctx *c, const struct prepared *p);
/* The same for a plan that was made a moment ago by this process. */
int saved_moved_since(struct ctx *c, const struct prepared *then, const struct prepared *now);
/* Whether a plan of this runbook could be written at all, so that nobody waits for a probe in vain. */
bool saved_writable(struct ctx *c);
bool saved_write(struct ctx *c, const struct prepared *p, const char **ret_id);

/* ---- git.c ---- */

/* {commit, clean[, rev]}: the commit that --rev names, or that of the work tree which the runbook's file (else the site's) is in; `clean` if
 * runbook, library and, where it is in git, the site are as committed. NULL: it is in none, or git cannot tell. */
const struct val *git_of(struct ctx *c, const struct runbook *rb);
/* Whether git has it as the site requires (`require:`): the runbook, the library and the site as committed, in commits that are signed. false: told in err
 * (code git-required), and nothing may be run, probes of the site's own included. */
bool git_required(struct ctx *c, const struct runbook *rb);
/* Adds a folder's files as they are in the commit that --rev names, once under each prefix (ended by NULL). The work tree is not touched. */
bool git_add_dir(struct ctx *c, const char *dir, const char *const *prefixes, struct mark at);

/* ---- test_file.c ---- */

extern const struct field test_fields[]; /* of a *.test.yaml */

/* ---- the commands ---- */

int cmd_export(struct ctx *c);
int cmd_import(struct ctx *c);

int cmd_check(struct ctx *c);
int cmd_diagnose(struct ctx *c);
int cmd_plan(struct ctx *c);
int cmd_run(struct ctx *c);
int cmd_rehearse(struct ctx *c);
int cmd_resume(struct ctx *c);
int cmd_test(struct ctx *c);
int cmd_capture(struct ctx *c);
int cmd_runs(struct ctx *c);
int cmd_show(struct ctx *c);
int cmd_unlock(struct ctx *c);
int cmd_doc(struct ctx *c);
int cmd_schema(struct ctx *c);

#endif
