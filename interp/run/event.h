/* event.h: what happened, the fourth of the five types. An event is what the journal keeps; everything else about a run is folded from
 * its events. */
#ifndef RUN_EVENT_H
#define RUN_EVENT_H

#include "value/val.h"

enum event_type {
    EV_RUN_STARTED,
    EV_OBSERVED,
    EV_OPENED,
    EV_SKIPPED,
    EV_ASKED,
    EV_ANSWERED,
    EV_BOUND,
    EV_STARTED,
    EV_ACTED,
    EV_ENDED,
    EV_LOG,
    EV_NOTE,
    EV_STOPPING,
    EV_RUN_ENDED,
    EV_LOCK,
    EV_RESUMED,
    EV_COUNT
};

struct event {
    enum event_type type;
    int64_t at;             /* wall clock, ms since 1970 */
    const char *path;       /* step instance; NULL for the run as a whole */
    int attempt;            /* 0: does not apply */
    const struct val *data; /* map of the fields that the table in event.c names for this type */
};

/* The format of a record; only grows within a major version. Records of another major version are refused. */
#define EVENT_FORMAT "1.0"

struct event_field {
    const char *name, *text;
};
struct event_info {
    const char *name; /* "step.started" */
    const char *text;
    struct event_field fields[20]; /* of data; ends with {0} */
};
extern const struct event_info event_infos[EV_COUNT];

/* Ways in which a step instance, or the run, can end. */
enum outcome { OUT_NONE, OUT_OK, OUT_FAILED, OUT_UNKNOWN, OUT_SKIPPED, OUT_REFUSED };
const char *outcome_name(enum outcome o); /* "ok"; "" for OUT_NONE */
enum outcome outcome_of(const char *name);

struct event *event_new(struct arena *a, enum event_type type, int64_t at, const char *path, int attempt, const struct val *data);
/* The event as it may leave the process: what is secret is ***, whether it is flagged or only looks like one. Before anything cuts its texts. */
const struct event *event_redacted(struct arena *a, const struct event *e);
/* One line of JSON without a line end, redacted. */
void event_print(const struct event *e, struct buf *out);
bool event_parse(struct arena *a, const char *json, size_t len, struct event **ret, struct err *err);

#endif
