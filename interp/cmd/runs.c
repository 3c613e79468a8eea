#include "cmd/cmd.h"

#include "base/clock.h"
#include "store/store.h"
#include "ui/out.h"
#include "ui/screens.h"
#include "value/json.h"

#include <string.h>

static const char *when(struct arena *a, int64_t at) {
    struct buf b = BUF_INIT;
    time_print(&b, at);
    const char *s = arena_strdup(a, b.data);
    buf_done(&b);
    return s;
}

static void print_run(struct ctx *c, const struct store_run *r, bool json) {
    struct err *quiet = err_new(c->arena);
    struct event *first = NULL, *last = NULL;
    const bool ok = r->summary && event_parse(c->arena, r->summary, strlen(r->summary), &first, quiet) && r->last &&
                    event_parse(c->arena, r->last, strlen(r->last), &last, quiet);
    const bool ended = ok && last->type == EV_RUN_ENDED;
    const char *outcome = !ok ? "unreadable" : ended ? val_get_str(last->data, "outcome", "?") : "no end";
    if (json) {
        struct val *m = val_map_new(c->arena);
        val_map_set(c->arena, m, "type", val_str(c->arena, "run"));
        val_map_set(c->arena, m, "run", val_str(c->arena, r->id));
        val_map_set(c->arena, m, "outcome", val_str(c->arena, outcome));
        val_map_set(c->arena, m, "records", val_int(c->arena, r->records));
        if (ok) {
            val_map_set(c->arena, m, "runbook", val_str(c->arena, val_get_str(first->data, "runbook", "?")));
            val_map_set(c->arena, m, "started", val_int(c->arena, first->at));
        }
        if (ended)
            val_map_set(c->arena, m, "exit", val_int(c->arena, val_get_int(last->data, "exit", 9)));
        out_json(stdout, m, JSON_COMPACT);
        return;
    }
    struct buf b = BUF_INIT;
    style_add(&b, c->style, LOOK_BOLD, r->id, 22);
    style_add(&b, c->style, LOOK_PLAIN, ok ? when(c->arena, first->at) : "", 22);
    style_add(&b, c->style, !ok || !ended || strcmp(outcome, "ok") ? LOOK_BAD : LOOK_GOOD, outcome, 11);
    style_add(&b, c->style, LOOK_PLAIN, ok ? val_get_str(first->data, "runbook", "?") : "", 28);
    style_add(&b, c->style, LOOK_DIM, ended ? val_get_str(last->data, "message", "") : "", 0);
    out_printf(stdout, "%s\n", b.data);
    buf_done(&b);
}

int cmd_runs(struct ctx *c) {
    struct store *s = NULL;
    struct store_run *runs;
    size_t n;
    if (!ctx_language(c) || !journal_open(c, JOURNAL_READ, &s))
        return ctx_report(c);
    if (!s)
        return EXIT_DONE;
    if (!s->ops->runs(s, c->arena, &runs, &n, c->err)) {
        ctx_report(c);
        s->ops->close(s);
        return EXIT_JOURNAL;
    }
    const bool json = c->opt.output && !strcmp(c->opt.output, "json");
    if (json)
        json_version(stdout);
    for (size_t i = 0; i < n; i++)
        print_run(c, &runs[i], json);
    s->ops->close(s);
    return EXIT_DONE;
}

/* ---- show ---- */

static bool same_text(struct ctx *c, const char *name, const char *digest, const struct runbook **ret) {
    return runbook_load(&c->loader, name, mark_none(), ret, err_new(c->arena)) && !strcmp((*ret)->digest, digest);
}

/* The runbook of a run, if what there is under its name or file today is the same text: then times and outcomes can be told by folding. */
static struct run *fold_begin(struct ctx *c, const struct event *first, const char *id) {
    const struct runbook *rb;
    const char *name = val_get_str(first->data, "runbook", ""), *digest = val_get_str(first->data, "digest", "");
    if (same_text(c, name, digest, &rb) || same_text(c, val_get_str(first->data, "file", name), digest, &rb))
        return run_new(c->arena, id, rb);
    out_printf(stderr, "quorate: the runbook %s has changed since, or is not here; the events are shown as they were recorded\n", name);
    return NULL;
}

static void show_open(struct ctx *c, struct store *s, const char *id, const struct map *open) {
    const struct store_owner *by = NULL;
    if (!s->ops->owner(s, id, c->arena, &by, err_new(c->arena)))
        out_adds(stdout, "\nThis run has no end: it is still going on, or its process died.\n");
    else if (by)
        out_printf(stdout, "\nThis run has no end: it is held by %s.\n", owner_text(c->arena, by));
    else
        out_printf(stdout, "\nThis run has no end, and nobody holds it: its process died. quorate resume %s goes on with it.\n", id);
    for (struct map_iter it = map_iter(open); map_next(&it);)
        if (*(bool *)it.value)
            out_printf(stdout, "  started without an end%s: %s\n", by ? "" : ", so its outcome is unknown", it.key);
}

static void show_events(struct ctx *c, struct store *s, struct event **events, size_t n, const char *id) {
    struct map *open = map_new(c->arena);
    struct run *r = n ? fold_begin(c, events[0], id) : NULL;
    for (size_t i = 0; i < n; i++) {
        const struct event *e = events[i];
        if (r && !run_apply(r, e, err_new(c->arena)))
            r = NULL;
        if (e->path && (e->type == EV_STARTED || e->type == EV_ENDED)) {
            bool *is_open = arena_new_of(c->arena, bool);
            *is_open = e->type == EV_STARTED;
            map_put(open, e->path, is_open);
        }
        struct buf b = BUF_INIT;
        event_line(e, r, c->style, c->opt.verbose, &b);
        out_buf(stdout, &b);
        buf_done(&b);
    }
    if (!n || events[n - 1]->type != EV_RUN_ENDED)
        show_open(c, s, id, open);
}

bool find_run(struct ctx *c, struct store *s, const char *word, const char **ret_id) {
    struct store_run *runs;
    size_t n;
    if (!s->ops->runs(s, c->arena, &runs, &n, c->err))
        return false;
    const char **names = arena_array(c->arena, const char *, n + 1);
    *ret_id = n && !strcmp(word, "last") ? runs[0].id : NULL;
    for (size_t i = 0; i < n; i++) {
        names[i] = runs[i].id;
        if (!strcmp(runs[i].id, word))
            *ret_id = runs[i].id;
    }
    if (*ret_id)
        return true;
    struct diag *d = err_add(c->err, mark_none(), "unknown-run", "the journal %s has no run '%s'", s->url, word);
    diag_accepted(c->err, d, word, names, n);
    return false;
}

static bool parse_events(struct ctx *c, const struct store_record *records, size_t n, struct event **ret) {
    for (size_t i = 0; i < n; i++)
        if (!event_parse(c->arena, records[i].json, records[i].len, &ret[i], c->err))
            return false;
    return true;
}

bool read_events(struct ctx *c, struct store *s, const char *id, struct event ***ret, size_t *ret_n) {
    struct store_record *records;
    if (!s->ops->read(s, id, c->arena, &records, ret_n, c->err))
        return false;
    *ret = arena_array(c->arena, struct event *, *ret_n + 1);
    return parse_events(c, records, *ret_n, *ret);
}

static bool show_run(struct ctx *c, struct store *s, const char *word) {
    struct store_record *records;
    const char *id;
    size_t n;
    if (!find_run(c, s, word, &id) || !s->ops->read(s, id, c->arena, &records, &n, c->err))
        return false;
    if (c->opt.output && !strcmp(c->opt.output, "json")) {
        json_version(stdout);
        for (size_t i = 0; i < n; i++) {
            out_record(stdout, records[i].json, records[i].len);
            out_adds(stdout, "\n");
        }
        return true;
    }
    struct event **events = arena_array(c->arena, struct event *, n + 1);
    if (!parse_events(c, records, n, events))
        return false;
    show_events(c, s, events, n, id);
    return true;
}

int cmd_show(struct ctx *c) {
    struct store *s = NULL;
    if (!ctx_language(c) || !journal_open(c, JOURNAL_READ, &s))
        return ctx_report(c);
    if (!s)
        return EXIT_INVALID;
    const bool ok = show_run(c, s, c->argv[0]);
    s->ops->close(s);
    const int status = ctx_report(c);
    return ok ? EXIT_DONE : status ? status : EXIT_INVALID;
}
