/* screens.h: who watches a run. A screen is told of an event only once it is durable. */
#ifndef UI_SCREENS_H
#define UI_SCREENS_H

#include "run/exec.h"
#include "ui/style.h"

#include <stdio.h>

/* One line per event, for people and for logs; verbose also shows what was observed and where the values came from. */
struct screen *screen_plain(struct arena *a, FILE *out, struct style style, bool verbose);
/* JSON Lines: the version record first, then each event as the journal has it. */
struct screen *screen_json(struct arena *a, FILE *out);

/* The same line for an event of a journal that was read: for `show`. Appends nothing for events that are not shown. */
void event_line(const struct event *e, const struct run *r, struct style style, bool verbose, struct buf *out);
/* The first record of any JSON Lines output. */
void json_version(FILE *out);

#endif
