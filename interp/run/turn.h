/* turn.h: what the files of the engine share. Private to run/.
 *
 * The engine's transient things hang on items: a `live` for each item that was taken up. Nothing here is needed to understand a journal. */
#ifndef RUN_TURN_H
#define RUN_TURN_H

#include "run/exec.h"

struct live;
struct exec;
typedef void live_fn(struct live *l);

/* Something that happened outside; handled at the start of the next turn. Its values live in its own arena. */
struct happening {
    struct happening *next;
    struct arena *arena;
    void (*handle)(struct exec *x, struct happening *h);
    struct live *live;            /* or NULL: the run as a whole */
    const struct part *part;      /* of a probe */
    uint64_t order;               /* of a probe: which one it was … */
    int64_t at;                   /* … and when it was asked; monotonic ms */
    bool yes;                     /* of an answer; of a probe: it answered */
    enum outcome outcome;         /* of an act */
    const struct val *value;      /* outputs, or what was observed */
    const char *text;
};

/* What a batch asked for; carried out once the batch is durable. */
struct command {
    void (*go)(struct live *l, void *arg);
    struct live *live;
    void *arg;
};

struct live {
    struct exec *x;
    struct item *item;
    bool acting;             /* between STARTED and the end of the attempt: holds one of the run's slots */
    bool in_act;             /* the runner has the act */
    bool queued;             /* waits for a slot, or for the membership */
    bool looked;             /* what it reads was fresh when it was taken up */
    const char *membership;  /* held while acting, or NULL */
    size_t probes;           /* answers that are still under way */
    live_fn *next;           /* goes on when they are all there */
    int lines;               /* that the attempt has printed */
    uint64_t timer;
    int64_t deadline;        /* of a wait or of settling; monotonic ms, 0: none */
    bool announced;          /* of a wait: people were told what to do meanwhile */
    bool asked;              /* whether it happened: a person was */
    const char *why;         /* why what is waited for did not hold at the last look */
    enum outcome outcome;    /* of the attempt so far */
    const struct val *outputs;
    const char *message;
    struct prediction *prediction; /* of the attempt; NULL: nothing is predicted */
    int64_t settle_ms;       /* how long its change may take to show */
    struct bind *bind;       /* of a runbook step, while it is being bound */
    struct bind *bound;      /* and afterwards */
};

struct asked { /* a part: the newest answer about it that was taken */
    uint64_t order;          /* of the probe */
    int64_t at;              /* when it was asked; monotonic ms */
};

struct exec {
    struct arena *arena;     /* of the run */
    struct arena *scratch;   /* of the turn */
    const struct exec_spec *spec;
    struct err *err;
    struct run *run;
    struct happening *inbox, **inbox_end;
    const struct event **batch;
    size_t nbatch, capbatch;
    struct command *commands;
    size_t ncommands, capcommands;
    struct map *lives;       /* path → struct live * */
    struct map *lines;       /* path → const struct plan_line * */
    struct map *asked;       /* part → struct asked *; a part that is not there was observed when the run was planned */
    struct map *members;     /* membership → struct holder * */
    struct live **queue;     /* items that wait for a slot, in order */
    size_t nqueue, capqueue;
    int acts;                /* slots in use */
    bool slots_freed;        /* since the queue was last looked at */
    uint64_t order;
    const struct val *run_val;
    size_t catching_up;      /* of a run that is taken up: runbooks whose parts are not observed again yet */
    int64_t recorded;        /* records of the run so far, in the journal or kept for it */
    bool committing, broken, finishing, spooled;
    int interrupts;
};

/* ---- exec.c ---- */

/* Makes an event of it, folds it, and adds it to the batch. data may lie in the scratch arena. */
void emit(struct exec *x, enum event_type type, const char *path, int attempt, const struct val *data);
struct val *fields(struct exec *x); /* a new map in the scratch arena */
void field_str(struct exec *x, struct val *m, const char *key, const char *s); /* nothing if s is NULL */
void later(struct live *l, void (*go)(struct live *l, void *arg), void *arg);
struct happening *happening_new(struct exec *x, struct live *l, void (*handle)(struct exec *, struct happening *));
void happen(struct exec *x, struct happening *h);
/* The live of an item, made when first asked for. */
struct live *live_of(struct exec *x, struct item *it);
/* next(l) in the turn after ms. */
void live_timer(struct live *l, int64_t ms, live_fn *next);
/* Ends an item, or, with retries left, the attempt. cause: of a refusal, or NULL. */
void end_item(struct live *l, enum outcome outcome, const struct val *outputs, const char *message, const char *cause);
int64_t now_ms(const struct exec *x);
/* Nothing new is begun from here, and waits end; what runs may end. */
void run_stop(struct exec *x, const char *why);

/* ---- scope.c: what expressions of an item or of its list see ---- */

/* from: an item for its own expressions; owner for `if` and `for_each` of a step in it. */
struct scope scope_from(struct exec *x, struct item *from, bool inside);
/* Message of an evaluation that did not end well, in the scratch arena. */
const char *eval_why(struct exec *x, enum call_result r, const struct call_signal *sig, const struct err *errs);
bool live_test(struct live *l, const struct expr *e, bool *ret, const char **ret_why);
bool live_eval(struct live *l, const struct tmpl *t, const struct val **ret, const char **ret_why);
/* A duration template; fallback without one. */
bool live_duration(struct live *l, const struct tmpl *t, int64_t fallback, int64_t *ret_ms, const char **ret_why);
/* The runbook that an item's step belongs to: its root or runbook item. */
struct item *home_of(const struct item *it);
/* Adds the parts that an expression reads to a set. */
void parts_of_expr(struct loader *ld, const struct runbook *rb, const struct expr *e, struct map *set);
void parts_of_changes(const struct runbook *rb, const struct def *d, struct map *set);
void parts_of_effects(const struct runbook *rb, const struct step *st, struct map *set);
void parts_all(const struct runbook *rb, struct map *set);

/* ---- observe.c ---- */

/* Asks the probes of the set (name → const struct part *); next(l) when all have answered and their answers were taken. home: whose inputs they
 * are asked with. An empty set: next at once. */
void observe(struct live *l, const struct item *home, struct map *set, live_fn *next);
/* The same for what a binding wants. */
void observe_wants(struct live *l, const struct bind_want *wants, size_t n, live_fn *next);

/* ---- advance.c ---- */

void advance(struct exec *x); /* until nothing is touched */

/* ---- slot.c ---- */

/* A slot for an act, and the membership that it changes. false: it is queued, and begun again when one is free. */
bool slot_take(struct live *l);
/* The same for one that has it already, in a run that is taken up: it does not wait. */
void slot_hold(struct live *l);
void slot_free(struct live *l);
void queue_retry(struct exec *x);     /* those that wait for a slot, in order */

/* ---- resume.c ---- */

/* Folds what was recorded, and takes up what was under way. false: told in err. */
bool resume_start(struct exec *x);
/* What an act that was under way when the run broke off is to be done with: as recorded, with the secrets that the journal does not hold. */
const struct val *recorded_with(struct live *l);
/* Of an orphan in ITEM_ACTED whose outcome nobody knows: what its action says is to be done. Returns whether that is all; otherwise its `done` is asked. */
bool orphan_begin(struct live *l);
/* And after that: happened: what the state shows; NULL and why: it cannot be told. */
void orphan_end(struct live *l, bool told, const char *why);

/* ---- question.c ---- */

/* Asks whether an act happened of which nobody knows. */
void ask_fact(struct live *l, const char *text);

/* Asks what must be asked before the act. Returns whether the act must wait, or will not be. */
bool questions(struct live *l, const struct val *with, const char *title);

/* ---- afresh.c ---- */

/* If what an act reads was observed too long ago, it is probed again and the step's `if` asked once more; then it begins. Returns whether it is so. */
bool look_afresh(struct live *l);

/* ---- moved.c ---- */

/* In which way the act is not the one that was planned, or NULL. Only what the plan claimed to know counts. */
const char *moved(struct exec *x, const struct item *it, const struct val *with);

/* ---- begin.c ---- */

void begin(struct live *l);           /* an item in ITEM_NEW */

/* ---- arrive.c ---- */

/* Plans and explores a runbook step that the plan had to leave open. false: a rule could be broken, so it was refused. */
bool arrive(struct live *l);

/* ---- act.c ---- */

/* Follows the act of an orphan that may still be going on, instead of beginning it. */
void follow_act(struct live *l);

/* Records the intent, and acts once it is durable. The item has its slot. */
void attempt(struct live *l, const struct val *with);
void begin_attempt(struct live *l);   /* of an item in ITEM_RETRYING */

/* ---- predict.c: what an attempt is predicted to change, and whether it did ---- */

/* Works out the prediction of an attempt that is about to begin; effects: what the step itself declares (path → value), or NULL. */
void predict(struct live *l, const struct val *with, const struct val *effects);
enum seen { SEEN_NONE, SEEN_SOME, SEEN_ALL };
/* What of it shows in the state as last observed; *ret_text: where it is otherwise, in the scratch arena. */
enum seen predict_seen(struct live *l, const char **ret_text);
/* The rule that the change breaks as it was observed, with its message; NULL: none. Risks that were accepted are only noted. */
const char *predict_broken_rule(struct live *l);

/* ---- settle.c ---- */

void after_act(struct live *l);       /* an item in ITEM_ACTED */
void group_over(struct live *l);      /* all steps inside are over */
/* Probes the parts that the step changes or reads. */
void observe_step(struct live *l, live_fn *next);
/* base and what the step's `outputs` say; NULL if one cannot be worked out. */
const struct val *own_outputs(struct live *l, const struct val *base, const char **ret_why);

/* ---- wait.c ---- */

void wait_start(struct live *l);      /* a wait_for in ITEM_ACTING */
void wait_stop(struct live *l, const char *why);

/* ---- locked.c: what the run does about its lock on the engines ---- */

void locked_started(struct exec *x); /* tells how it was taken, and listens for its loss */
void locked_ending(struct exec *x);  /* before the last event: whether it is given back, or stays for a resume */
void locked_ended(struct exec *x);

/* ---- finish.c ---- */

void finish(struct exec *x);      /* all steps are over, or the run stops */

#endif
