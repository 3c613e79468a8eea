#include "ui/screens.h"

#include "base/clock.h"
#include "ui/out.h"

#include <string.h>
#include <time.h>

enum { word_width = 9, path_width = 26, continued = 20 /* columns */ };

/* ---- one line ---- */

struct line {
    const char *word;
    enum look look;
    const char *text;  /* NULL: the event is not shown */
    const char *more;  /* behind it, dimmed; or NULL */
};

static const char *clip(struct arena *a, const struct val *v, size_t max) {
    struct buf b = BUF_INIT;
    val_show(v, &b, max);
    const char *s = arena_strdup(a, b.data);
    buf_done(&b);
    return s;
}

static struct line line_run_started(struct arena *a, const struct event *e) {
    const struct val *d = e->data;
    const char *plan = val_get_str(val_get(d, "plan"), "id", NULL);
    const bool real = val_get_bool(d, "real", true);
    const struct val *git = real ? val_get(val_get(d, "about"), "git") : NULL;
    const char *from = git ? arena_printf(a, ", git %.12s%s", val_get_str(git, "commit", "?"), val_get_bool(git, "clean", false) ? "" : " with changes") : "";
    return (struct line){real ? "run" : "rehearse", LOOK_BOLD,
                         arena_printf(a, "%s %s, site %s, run %s%s%s%s", val_get_str(d, "runbook", "?"), val_get_str(d, "version", ""),
                                      val_get_str(d, "site", "?"), val_get_str(d, "run", "?"), plan ? ", plan " : "", plan ? plan : "", from),
                         val_len(val_get(d, "inputs")) ? clip(a, val_get(d, "inputs"), 200) : NULL};
}

static const char *took(struct arena *a, const struct event *e, const struct run *r) {
    const struct item *it = r ? run_item(r, e->path) : NULL;
    if (!it || !it->started_at)
        return NULL;
    struct buf b = BUF_INIT;
    duration_print(&b, e->at > it->started_at ? e->at - it->started_at : 0);
    const char *s = arena_strdup(a, b.data);
    buf_done(&b);
    return s;
}

static struct line line_ended(struct arena *a, const struct event *e, const struct run *r) {
    static const struct {
        const char *word;
        enum look look;
    } words[] = {[OUT_NONE] = {"ended", LOOK_PLAIN},    [OUT_OK] = {"ok", LOOK_GOOD},      [OUT_FAILED] = {"FAILED", LOOK_BAD},
                 [OUT_UNKNOWN] = {"UNKNOWN", LOOK_BAD}, [OUT_SKIPPED] = {"skip", LOOK_DIM}, [OUT_REFUSED] = {"REFUSED", LOOK_BAD}};
    const enum outcome o = outcome_of(val_get_str(e->data, "outcome", NULL));
    const struct item *it = r ? run_item(r, e->path) : NULL;
    const bool goes_on = o == OUT_FAILED && it && it->fan && it->fan->step->continue_on_failure;
    struct line l = {words[o].word, goes_on ? LOOK_WARN : words[o].look, val_get_str(e->data, "message", ""), took(a, e, r)};
    if (val_get_bool(e->data, "again", false)) {
        l.word = "again";
        l.look = LOOK_WARN;
    } else if (val_get_bool(e->data, "retry", false)) {
        struct buf b = BUF_INIT;
        duration_print(&b, val_get_int(e->data, "delay", 0));
        l.text = arena_printf(a, "%s; tried again in %s", l.text, b.data);
        l.look = LOOK_WARN;
        buf_done(&b);
    } else if (goes_on) {
        l.word = "failed";
        l.text = arena_printf(a, "%s%sthe runbook goes on", l.text, *l.text ? "; " : "");
    }
    return l;
}

static struct line line_of(struct arena *a, const struct event *e, const struct run *r, bool verbose) {
    const struct val *d = e->data;
    switch (e->type) {
    case EV_RUN_STARTED:
        return line_run_started(a, e);
    case EV_OBSERVED:
        if (!verbose)
            break;
        return (struct line){"observed", LOOK_DIM, clip(a, val_get(d, "value"), 300), val_get_str(d, "part", "?")};
    case EV_OPENED:
        if (!val_len(val_get(d, "items")))
            break;
        return (struct line){"each", LOOK_DIM, arena_printf(a, "%zu item(s)", val_len(val_get(d, "items"))), NULL};
    case EV_SKIPPED:
        return (struct line){"skip", val_get_bool(d, "blocked", false) ? LOOK_WARN : LOOK_DIM, val_get_str(d, "why", ""), NULL};
    case EV_ASKED:
        return (struct line){"ask", LOOK_WARN, val_get_str(d, "question", ""), NULL};
    case EV_ANSWERED:
        return (struct line){"answer", LOOK_WARN, val_get_bool(d, "yes", false) ? "yes" : "no", val_get_str(d, "how", NULL)};
    case EV_BOUND:
        if (!verbose)
            break;
        return (struct line){"bound", LOOK_DIM, clip(a, val_get(d, "inputs"), 300), NULL};
    case EV_STARTED:
        return (struct line){"start", LOOK_PLAIN, val_get_str(d, "title", ""), e->attempt > 1 ? arena_printf(a, "attempt %d", e->attempt) : NULL};
    case EV_ACTED:
        break;
    case EV_ENDED:
        return line_ended(a, e, r);
    case EV_LOG:
        return (struct line){"|", LOOK_DIM, val_get_str(d, "line", ""), NULL};
    case EV_NOTE:
        return (struct line){"note", LOOK_WARN, val_get_str(d, "text", ""), NULL};
    case EV_STOPPING:
        return (struct line){"stopping", LOOK_WARN, val_get_str(d, "why", ""), NULL};
    case EV_RUN_ENDED: {
        const enum outcome o = outcome_of(val_get_str(d, "outcome", NULL));
        return (struct line){o == OUT_OK ? "done" : outcome_name(o), o == OUT_OK ? LOOK_GOOD : LOOK_BAD, val_get_str(d, "message", ""),
                             arena_printf(a, "exit %d", (int)val_get_int(d, "exit", 9))};
    }
    case EV_LOCK:
        return (struct line){"lock", !strcmp(val_get_str(d, "what", ""), "lost") ? LOOK_BAD : LOOK_DIM, val_get_str(d, "text", ""), NULL};
    case EV_RESUMED: {
        const struct val *about = val_get(d, "about");
        return (struct line){"resumed", LOOK_BOLD, arena_printf(a, "by %s on %s", val_get_str(about, "user", "?"), val_get_str(about, "host", "?")),
                             val_len(val_get(d, "claimed")) ? clip(a, val_get(d, "claimed"), 200) : NULL};
    }
    case EV_COUNT:
        break;
    }
    return (struct line){NULL};
}

void event_line(const struct event *event, const struct run *r, struct style style, bool verbose, struct buf *out) {
    struct arena *a = arena_new();
    const struct event *e = event_redacted(a, event);
    const struct line l = line_of(a, e, r, verbose);
    if (l.word) {
        struct buf t = BUF_INIT;
        time_print(&t, e->at);
        style_add(out, style, LOOK_DIM, t.len >= 19 ? arena_strndup(a, t.data + 11, 8) : t.data, 10);
        buf_done(&t);
        style_add(out, style, l.look, l.word, word_width);
        buf_addc(out, ' ');
        style_add(out, style, LOOK_BOLD, e->path ? e->path : "", e->path ? path_width : 0);
        buf_adds(out, e->path ? "  " : "");
        style_add_lines(out, style, LOOK_PLAIN, l.text ? l.text : "", continued);
        if (l.more) {
            buf_adds(out, l.text && *l.text ? "  (" : "(");
            style_add(out, style, LOOK_DIM, l.more, 0);
            buf_addc(out, ')');
        }
        buf_addc(out, '\n');
    }
    arena_free(a);
}

/* ---- the screen ---- */

struct plain {
    struct screen screen;
    FILE *out;
    struct style style;
    bool verbose;
};

static void plain_event(struct screen *s, const struct event *e, const struct run *r) {
    struct plain *p = (struct plain *)s;
    struct buf b = BUF_INIT;
    event_line(e, r, p->style, p->verbose, &b);
    out_buf(p->out, &b);
    fflush(p->out);
    buf_done(&b);
}

struct screen *screen_plain(struct arena *a, FILE *out, struct style style, bool verbose) {
    struct plain *p = arena_new_of(a, struct plain);
    *p = (struct plain){.screen = {.event = plain_event}, .out = out, .style = style, .verbose = verbose};
    return &p->screen;
}
