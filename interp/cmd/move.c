#include "cmd/cmd.h"

#include "store/move.h"
#include "ui/out.h"
#include "value/file.h"

#include <string.h>

static const size_t max_file = (size_t)512 << 20; /* bytes */

static const char **texts_of(struct arena *a, const struct store_record *records, size_t n) {
    const char **texts = arena_array(a, const char *, n + 1);
    for (size_t i = 0; i < n; i++)
        texts[i] = records[i].json;
    return texts;
}

static bool export_run(struct ctx *c, struct store *s) {
    const char *id;
    struct store_record *records;
    size_t n;
    if (!find_run(c, s, c->argv[0], &id) || !s->ops->read(s, id, c->arena, &records, &n, c->err))
        return false;
    struct buf b = BUF_INIT;
    move_print(id, texts_of(c->arena, records, n), n, &b);
    out_record(stdout, b.data, b.len);
    buf_done(&b);
    return true;
}

int cmd_export(struct ctx *c) {
    struct store *s = NULL;
    if (!ctx_language(c) || !journal_open(c, JOURNAL_READ, &s))
        return ctx_report(c);
    if (!s)
        return EXIT_INVALID;
    const bool ok = export_run(c, s);
    s->ops->close(s);
    const int status = ctx_report(c);
    return ok ? EXIT_DONE : status ? status : EXIT_INVALID;
}

/* ---- import ---- */

static bool records_known(struct ctx *c, const struct moved *m) {
    const size_t errors = c->err->nerrors;
    for (size_t i = 0; i < m->n && c->err->nerrors == errors; i++) {
        struct event *e;
        if (!event_parse(c->arena, m->records[i], strlen(m->records[i]), &e, c->err))
            err_while(c->err, NULL, "while reading the record %zu of the run %s", i + 1, m->run_id);
    }
    return c->err->nerrors == errors;
}

/* 1: is the same. 0: is there, but for its records. -1: is another one; told in err. */
static int compare(struct ctx *c, struct store *s, const struct moved *m) {
    struct store_record *records;
    size_t n;
    char digest[65];
    if (!s->ops->read(s, m->run_id, c->arena, &records, &n, c->err))
        return -1;
    move_digest(texts_of(c->arena, records, n), n, digest);
    if (!strcmp(digest, m->digest))
        return 1;
    if (!n)
        return 0;
    struct diag *d = err_add(c->err, mark_none(), "run-differs", "the journal %s has a run %s with other records", s->url, m->run_id);
    diag_note(c->err, d, "SHA-256 of its %zu record%s: %s", n, n == 1 ? "" : "s", digest);
    diag_note(c->err, d, "SHA-256 of the file's %zu:  %s", m->n, m->digest);
    diag_hint(c->err, d, "if one of them went on after the export, the longer one is right; nothing was changed");
    return -1;
}

static bool is_there(struct ctx *c, struct store *s, const char *id, bool *ret) {
    struct store_run *runs;
    size_t n;
    if (!s->ops->runs(s, c->arena, &runs, &n, c->err))
        return false;
    *ret = false;
    for (size_t i = 0; i < n; i++)
        *ret |= !strcmp(runs[i].id, id);
    return true;
}

static bool import_run(struct ctx *c, struct store *s, const struct moved *m) {
    bool there;
    if (!is_there(c, s, m->run_id, &there))
        return false;
    const int same = there ? compare(c, s, m) : 0;
    if (same > 0)
        out_printf(stdout, "the run %s is in %s already, with the same %zu record%s; nothing was changed\n", m->run_id, s->url, m->n, m->n == 1 ? "" : "s");
    if (same)
        return same > 0;
    if (!s->ops->own(s, m->run_id, c->err) || (!there && !s->ops->create(s, m->run_id, c->err)))
        return false;
    const bool ok = !m->n || store_append_wait(s, m->run_id, m->records, m->n, c->err);
    if (ok)
        out_printf(stdout, "the run %s is now in %s: %zu record%s, SHA-256 %s\n", m->run_id, s->url, m->n, m->n == 1 ? "" : "s", m->digest);
    s->ops->disown(s, m->run_id);
    return ok;
}

int cmd_import(struct ctx *c) {
    struct store *s = NULL;
    const struct source *src;
    struct moved m;
    if (!file_read(c->arena, c->argv[0], NULL, max_file, &src, c->err) || !move_parse(c->arena, src, &m, c->err) || !records_known(c, &m) || !ctx_language(c))
        return ctx_report(c);
    c->loop = loop_new(clock_system());
    if (!journal_open(c, JOURNAL_WRITE, &s))
        return ctx_report(c);
    const bool ok = import_run(c, s, &m);
    s->ops->close(s);
    const int status = ctx_report(c);
    return ok ? EXIT_DONE : status ? status : EXIT_INVALID;
}
