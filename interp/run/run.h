/* run.h: the state of a run, the last of the five types: what its events fold into.
 *
 * run_apply is the one place that changes it: live, on resume, in reports and in tests. It holds no handles, timers or callbacks; those
 * are the engine's, and hang on paths.
 *
 * A step in a scope is a `fan` of one or more `item`s: one without for_each has exactly one item with the same path. The items of groups and
 * runbooks own the fans of the steps below.
 *
 *   fan:  WAITING -(EV_OPENED)-> OPEN -(last item ended)-> OVER        WAITING -(EV_SKIPPED)-> OVER
 *   item: NEW -(EV_ASKED)-> ASKED -(EV_ANSWERED yes)-> NEW
 *         NEW -(EV_STARTED)-> ACTING -(EV_ACTED)-> ACTED -(EV_ENDED)-> OVER, or, with attempts left, RETRYING -(EV_STARTED)-> ACTING
 *         a group, first_of or runbook: NEW -(EV_STARTED)-> INSIDE -(EV_ENDED)-> OVER; a runbook is bound before: NEW -(EV_BOUND)-> NEW
 *         any that failed and has `rescue`: -(EV_ENDED rescue)-> INSIDE, with the fans of its rescue steps, -(EV_ENDED)-> OVER
 *         NEW -(EV_ENDED skipped|refused|failed)-> OVER
 *   A run that is taken up again (EV_RESUMED, reopen.c): OVER goes back to ACTED if nobody knows how it ended, and to NEW if it was stopped or not
 *   approved; ACTED -(EV_ASKED whether it happened)-> ASKED -(EV_ANSWERED)-> ACTED; ACTED -(EV_ENDED again)-> NEW if it did not happen. */
#ifndef RUN_RUN_H
#define RUN_RUN_H

#include "plan/plan.h"
#include "run/event.h"

enum fan_status { FAN_WAITING, FAN_OPEN, FAN_OVER };
enum item_status { ITEM_NEW, ITEM_ASKED, ITEM_ACTING, ITEM_ACTED, ITEM_INSIDE, ITEM_RETRYING, ITEM_OVER };

struct item;

struct fan {
    const char *path;
    const struct step *step;
    struct item *owner;      /* the item it is in; never NULL (the root item owns the top-level fans) */
    enum fan_status status;
    enum outcome outcome;
    bool blocked;            /* skipped because something it needs did not end well: those that need it are skipped too */
    const char *why;
    size_t waits;            /* needs that are not over */
    bool need_failed;
    const char *failed_need; /* id of one that did */
    struct item *items;
    size_t nitems, over, failed;
    size_t begun;            /* items that the engine has taken up; they are taken up in order */
    bool each;               /* has for_each or try_each: `items` is what it yielded */
    const struct item *winner; /* of try_each: the one that ended well */
};

struct item {
    const char *path;
    struct fan *fan;         /* NULL for the root item */
    const struct val *item;  /* NULL without for_each */
    int64_t index;           /* from 1; 0 without for_each */
    enum item_status status;
    enum outcome outcome;
    int attempt;             /* of the act under way or last; 0: none yet */
    bool approved, denied;
    bool asked_after;        /* what is asked is whether it happened, not whether it may begin */
    bool orphan;             /* its act was under way when the run broke off, or ended in a way that nobody knows; it has not begun anew since */
    bool claimed;            /* somebody says that it is done */
    const char *question;    /* while ASKED */
    const struct val *with, *before, *outputs;
    const char *message;
    const char *cause;       /* of a refusal: "approval", "precondition", "rule", "moved"; or NULL */
    int64_t started_at, ended_at;
    /* groups and runbooks */
    struct fan *fans;
    size_t nfans, fans_over;
    bool inside_failed;      /* a fan below ended badly and may not */
    bool inside_over;        /* nothing below is begun any more */
    bool rescuing;           /* the fans are those of its `rescue` */
    const struct runbook *rb; /* of the root item and of runbook steps that are not being rescued: a scope of its own */
    const struct val *inputs;
};

struct run {
    struct arena *arena;
    const char *id;
    const struct runbook *rb;
    struct item root;
    struct map *fans, *items; /* by path */
    struct map *state;        /* part → const struct val * as last observed */
    const struct val *started; /* data of EV_RUN_STARTED */
    bool stopping, ended;
    const char *stop_why;
    enum outcome outcome;
    int exit_status;
    const char *message;
    size_t acting;            /* items in ITEM_ACTING */
    size_t unknown;           /* items that ended unknown */
    const char *cause;        /* "prediction" or "lock" if that is what stops the run */
    const struct val *attested; /* members attested so far: a list of names */
    size_t events;
    /* fans and items that an event has touched since the engine last looked; in order */
    struct touched {
        struct fan *fan;
        struct item *item;
    } *touched;
    size_t ntouched, captouched;
};

struct run *run_new(struct arena *a, const char *id, const struct runbook *rb);
/* Folds one event. The event and its data must live as long as the run. An event that does not fit the state (an unknown path, an end without
 * a start) is an error and changes nothing: a journal that was tampered with, or made by another runbook. */
bool run_apply(struct run *r, const struct event *e, struct err *err);
/* Marks everything that is not over as touched, and what of each for_each was taken up: after the events of a run that is taken up again. */
void run_look_at_all(struct run *r);
struct item *run_item(const struct run *r, const char *path);
struct fan *run_fan(const struct run *r, const char *path);
/* The step instance whose refusal makes an item (or the root) refused, as far down as it goes; NULL if none does. */
const struct item *run_refused(const struct item *it);
/* A refusal that leaves the world as it was, so that an alternative may be tried. */
bool run_harmless(const char *cause);
/* The fan of a step id as seen from an item: its own list, then outwards to the root of the runbook. */
const struct fan *run_lookup(const struct item *from, const char *id);
/* What expressions read as steps.<id>, or NULL. */
const struct val *run_step_val(struct arena *a, const struct item *from, const char *id);

#endif
