#include "cmd/cmd.h"

#include "base/sha256.h"
#include "store/store.h"
#include "ui/out.h"
#include "ui/screens.h"
#include "value/file.h"
#include "value/json.h"
#include "value/redacted.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const size_t max_plan = 64 << 20; /* bytes of a file */
enum { max_values = 4 << 20, max_told = 10 };

static bool ends_with(const char *s, const char *end) {
    const size_t n = strlen(s), k = strlen(end);
    return n > k && !strcmp(s + n - k, end);
}

static struct diag *stale(struct ctx *c, const char *what) {
    struct diag *d = err_add(c->err, mark_none(), "plan-stale", "refused, %s since the plan %s was made; nothing was changed", what, c->saved->id);
    diag_hint(c->err, d, "make a new plan");
    return d;
}

static void digests(struct ctx *c, struct diag *d, const char *then, const char *now) {
    diag_note(c->err, d, "SHA-256 then: %s", then ? then : "none");
    diag_note(c->err, d, "SHA-256 now:  %s", now ? now : "none");
}

/* ---- reading ---- */

static bool begins_as_plan(const char *path) {
    struct stat st;
    char head[64] = "";
    const int fd = stat(path, &st) || !S_ISREG(st.st_mode) ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    const ssize_t n = read(fd, head, sizeof head - 1);
    close(fd);
    if (n <= 0)
        return false;
    const char *s = head + strspn(head, " \t\r\n");
    if (*s++ != '{')
        return false;
    return !strncmp(s + strspn(s, " \t\r\n"), "\"quorate-plan\"", 14);
}

static bool is_plan(const char *word) {
    if (!strcmp(word, "-") || ends_with(word, ".yaml") || ends_with(word, ".yml"))
        return false;
    return ends_with(word, ".plan") || ends_with(word, ".json") || begins_as_plan(word);
}

/* Memory is taken for each value: a file of nothing but brackets would need many times its size. */
static bool has_few_values(const struct source *src) {
    size_t n = 0;
    for (size_t i = 0; i < src->len; i++)
        n += src->text[i] == ',' || src->text[i] == '[' || src->text[i] == '{';
    return n <= max_values;
}

static bool read_plan(struct ctx *c, const char *path, struct saved *ret) {
    const struct source *src;
    const struct val *doc;
    if (!file_read(c->arena, path, NULL, max_plan, &src, c->err))
        return false;
    if (!has_few_values(src)) {
        err_add(c->err, mark_none(), "too-large", "'%s' is no saved plan: it has more than %d values", path, max_values);
        return false;
    }
    const struct diag *since = c->err->last;
    if (!json_parse(c->arena, path, src->text, src->len, &doc, c->err) || !saved_parse(doc, ret, c->err)) {
        err_while(c->err, since, "while reading the saved plan '%s'", path);
        return false;
    }
    char *hex = arena_alloc(c->arena, 65);
    sha256_hex(src->text, src->len, hex);
    c->saved_digest = hex;
    return true;
}

static void words_from(struct ctx *c, struct words *w, const struct val *list) {
    const char **items = arena_array(c->arena, const char *, w->n + val_len(list) + 1);
    size_t n = 0;
    for (size_t i = 0; i < val_len(list); i++)
        items[n++] = val_cstr(val_at(list, i));
    for (size_t i = 0; i < w->n; i++)
        items[n++] = w->items[i];
    *w = (struct words){items, n};
}

static bool take_plan(struct ctx *c) {
    struct saved *s = arena_new_of(c->arena, struct saved);
    const char *path = c->argv[0];
    if (c->opt.inputs.n || c->opt.inputs_file) {
        struct diag *d = err_add(c->err, mark_none(), "usage", "a saved plan has its inputs: --input and --inputs go with making one");
        diag_hint(c->err, d, "quorate plan RUNBOOK --input NAME=VALUE --out %s", path);
        return false;
    }
    if (!read_plan(c, path, s))
        return false;
    if (s->world && !c->opt.world) {
        struct diag *d = err_add(c->err, mark_none(), "plan-world", "the plan %s was made on the world file %s, so it can only be rehearsed", s->id, s->world);
        diag_hint(c->err, d, "quorate rehearse %s --world %s", path, s->world);
        return false;
    }
    c->saved = s;
    c->argv[0] = arena_strdup(c->arena, val_get_str(s->runbook, "asked", ""));
    if (s->site && !c->opt.site)
        c->opt.site = val_get_str(s->site, "file", NULL);
    if (!c->opt.library.n)
        words_from(c, &c->opt.library, val_get(s->library, "folders"));
    if (!c->opt.rev)
        c->opt.rev = val_get_str(val_get(s->doc, "git"), "rev", NULL);
    words_from(c, &c->opt.attest, s->attested);
    words_from(c, &c->opt.accept_risk, val_get(s->doc, "accepted"));
    const struct val *explored = val_get(s->doc, "explore");
    if (!c->opt.events)
        c->opt.events = val_get_str(explored, "events", NULL);
    if (!c->opt.max_states)
        c->opt.max_states = val_get_str(explored, "max-states", NULL);
    return true;
}

/* ---- what it was made from ---- */

static bool site_same(struct ctx *c) {
    const struct saved *s = c->saved;
    char now[65] = "";
    if (c->site_text)
        sha256_hex(c->site_text->text, c->site_text->len, now);
    const char *then = val_get_str(s->site, "digest", NULL);
    if (then ? !strcmp(then, now) : !*now)
        return true;
    if (then) {
        digests(c, stale(c, arena_printf(c->arena, "the site %s has changed", val_get_str(s->site, "file", "?"))), then, *now ? now : NULL);
        return false;
    }
    struct diag *d = err_add(c->err, mark_none(), "plan-stale", "refused, the plan %s was made without a site, and %s was found now; nothing was changed",
                             s->id, c->site_text->name);
    diag_hint(c->err, d, "go where it was made (%s), or make a new plan", s->folder);
    return false;
}

/* A quick answer; what counts is what the store says when the run is created. */
static bool still_free(struct ctx *c) {
    struct store *store;
    const char *run = NULL;
    if (!journal_open(c, JOURNAL_LOOK, &store))
        return false;
    if (!store)
        return true;
    bool ok = store->ops->plan_taken(store, c->saved->id, c->arena, &run, c->err);
    store->ops->close(store);
    if (!run)
        return ok;
    struct diag *d = err_add(c->err, mark_none(), "plan-used", "refused, nothing was changed: the plan %s was used by the run %s", c->saved->id, run);
    diag_hint(c->err, d, "a plan is good for one run: make a new one");
    return false;
}

bool saved_begin(struct ctx *c) {
    if (!is_plan(c->argv[0]))
        return ctx_language(c);
    return take_plan(c) && ctx_language(c) && site_same(c) && (c->opt.world || still_free(c));
}

static void subs_same(struct ctx *c, const struct runbook *rb) {
    const struct val *then = val_get(c->saved->runbook, "subs"), *now = saved_subs(c->arena, rb);
    for (size_t i = 0; i < val_len(now); i++) {
        const struct val_pair *p = &now->map.pairs[i];
        const char *old = val_get_str(then, p->key, NULL);
        if (!old || strcmp(old, val_cstr(p->val)))
            digests(c, stale(c, arena_printf(c->arena, "the runbook %s has changed", p->key)), old, val_cstr(p->val));
    }
}

static void library_same(struct ctx *c) {
    const struct val *then = val_get(c->saved->library, "files");
    for (size_t i = 0; i < val_len(then); i++) {
        const struct val_pair *p = &then->map.pairs[i];
        char now[65] = "";
        const struct source *src = files_has(c->files, p->key) ? files_read(c->files, p->key, err_new(c->arena)) : NULL;
        if (src)
            sha256_hex(src->text, src->len, now);
        if (strcmp(val_cstr(p->val), now))
            digests(c, stale(c, arena_printf(c->arena, "the library's %s has changed", p->key)), val_cstr(p->val), *now ? now : NULL);
    }
}

bool saved_sources(struct ctx *c, const struct runbook *rb) {
    if (!c->saved)
        return rb != NULL;
    if (!rb) {
        err_while(c->err, NULL, "while looking for what the plan %s was made from, in %s", c->saved->id, c->saved->folder);
        return false;
    }
    const size_t errors = c->err->nerrors;
    const char *then = val_get_str(c->saved->runbook, "digest", "");
    if (strcmp(then, rb->digest))
        digests(c, stale(c, arena_printf(c->arena, "the runbook %s has changed", rb->name)), then, rb->digest);
    subs_same(c, rb);
    library_same(c);
    return c->err->nerrors == errors;
}

/* ---- whether the world has moved ---- */

static const struct val *schemas(struct ctx *c, const struct runbook *rb) {
    struct val *m = val_map_new(c->arena);
    for (size_t i = 0; i < rb->nparts; i++) {
        const struct val *s = rb->parts[i].probe ? val_get(rb->parts[i].probe->decl, "schema") : NULL;
        if (s)
            val_map_set(c->arena, m, rb->parts[i].name, s);
    }
    return m;
}

static void visible(struct buf *b, const char *s) {
    buf_add_visible(b, s, strlen(s));
}

static void tell_line(struct buf *b, char sign, const char *path, const char *text) {
    if (!text)
        return;
    buf_printf(b, "  %c ", sign);
    visible(b, path);
    for (size_t n = strlen(path); n < 28; n++)
        buf_addc(b, ' ');
    buf_addc(b, ' ');
    visible(b, text);
    buf_addc(b, '\n');
}

static void tell_rest(struct buf *b, size_t n, size_t told) {
    if (n > told)
        buf_printf(b, "  and %zu more\n", n - told);
}

static void tell_facts(struct buf *b, const struct saved_fact *facts, size_t n) {
    size_t weighty = 0;
    while (weighty < n && !facts[weighty].evidence)
        weighty++;
    if (weighty) /* what is for people only is told if nothing else is */
        n = weighty;
    buf_adds(b, n ? "what was seen then, and now:\n" : "no fact that was probed has changed\n");
    for (size_t i = 0; i < n && i < max_told; i++) {
        buf_adds(b, "  ");
        visible(b, facts[i].path);
        buf_adds(b, ": ");
        visible(b, facts[i].then ? facts[i].then : "(absent)");
        buf_adds(b, " -> ");
        visible(b, facts[i].now ? facts[i].now : "(absent)");
        buf_addc(b, '\n');
    }
    tell_rest(b, n, max_told);
}

static void set_text(struct ctx *c, struct val *m, const char *key, const char *s) {
    if (s)
        val_map_set(c->arena, m, key, val_str(c->arena, s));
}

static void print_json(struct ctx *c, const char *id, const struct saved_change *changes, size_t nchanges, const struct saved_fact *facts, size_t nfacts) {
    struct val *m = val_map_new(c->arena), *lines = val_list_new(c->arena), *list = val_list_new(c->arena);
    for (size_t i = 0; i < nchanges; i++) {
        struct val *one = val_map_new(c->arena);
        set_text(c, one, "path", changes[i].path);
        set_text(c, one, "then", changes[i].then);
        set_text(c, one, "now", changes[i].now);
        val_list_add(c->arena, lines, one);
    }
    for (size_t i = 0; i < nfacts; i++) {
        struct val *one = val_map_new(c->arena);
        set_text(c, one, "path", facts[i].path);
        set_text(c, one, "then", facts[i].then);
        set_text(c, one, "now", facts[i].now);
        val_map_set(c->arena, one, "evidence", val_bool(c->arena, facts[i].evidence));
        val_list_add(c->arena, list, one);
    }
    set_text(c, m, "type", "moved");
    set_text(c, m, "plan", id);
    val_map_set(c->arena, m, "lines", lines);
    val_map_set(c->arena, m, "facts", list);
    json_version(stdout);
    out_json(stdout, m, JSON_COMPACT);
}

/* A plan that is refused now has no lines: what counts is why. */
static size_t refusals(struct ctx *c, const struct plan *p, const struct saved_change **ret) {
    struct saved_change *out = arena_array(c->arena, struct saved_change, p->npre + 1);
    size_t n = 0;
    for (size_t i = 0; i < p->npre; i++)
        if (!p->pre[i].held)
            out[n++] = (struct saved_change){"precondition", NULL, p->pre[i].message};
    *ret = out;
    return n;
}

static int moved(struct ctx *c, const struct saved *then, const struct prepared *p) {
    const struct val *now = saved_normal(c->arena, saved_lines(c->arena, p->plan)), *attested = val_get(c->run_val, "attested");
    const struct saved_change *changes;
    const struct saved_fact *facts;
    const size_t nchanges =
        p->plan->refused ? refusals(c, p->plan, &changes) : saved_changes(c->arena, then->lines, now, attested, &changes);
    if (!nchanges)
        return 0;
    const size_t nfacts = saved_facts(c->arena, then->before, saved_normal(c->arena, p->plan->before), schemas(c, p->rb), &facts);
    if (c->opt.output && !strcmp(c->opt.output, "json"))
        print_json(c, then->id, changes, nchanges, facts, nfacts);
    struct buf b = BUF_INIT;
    buf_adds(&b, "quorate: refused, the world has moved since the plan was made; nothing was changed\nthe plan ");
    visible(&b, then->id ? then->id : "as it was");
    buf_adds(&b, then->id ? " of " : " ");
    visible(&b, then->id ? then->made : "before the lock was taken");
    buf_adds(&b, " (-), and what it would be now (+):\n");
    for (size_t i = 0; i < nchanges && i < max_told; i++) {
        tell_line(&b, '-', changes[i].path, changes[i].then);
        tell_line(&b, '+', changes[i].path, changes[i].now);
    }
    tell_rest(&b, nchanges, max_told);
    tell_facts(&b, facts, nfacts);
    fflush(stdout);
    out_buf(stderr, &b);
    buf_done(&b);
    return EXIT_MOVED;
}

int saved_moved(struct ctx *c, const struct prepared *p) {
    return c->saved ? moved(c, c->saved, p) : 0;
}

int saved_moved_since(struct ctx *c, const struct prepared *then, const struct prepared *now) {
    const struct saved s = {.lines = saved_normal(c->arena, saved_lines(c->arena, then->plan)), .before = saved_normal(c->arena, then->plan->before)};
    return moved(c, &s, now);
}

/* ---- writing ---- */

bool saved_writable(struct ctx *c) {
    if (!c->opt.out)
        return true;
    const char *runbook = c->argv[0], *out = c->opt.out;
    if (!strcmp(runbook, "-")) {
        err_add(c->err, mark_none(), "usage", "a saved plan names its runbook, so it cannot come from standard input");
        return false;
    }
    if (is_plan(runbook)) {
        err_add(c->err, mark_none(), "usage", "'%s' is a saved plan already; a new one is made from a runbook", runbook);
        return false;
    }
    if (!*out || !strcmp(out, "-") || ends_with(out, ".yaml") || ends_with(out, ".yml")) {
        struct diag *d = err_add(c->err, mark_none(), "usage", "--out wants the name of a file, and '%s' %s", out,
                                 !*out || !strcmp(out, "-") ? "is none" : "would be taken for a runbook");
        diag_hint(c->err, d, "name it as in recovery.plan");
        return false;
    }
    return true;
}

static void put_digest(struct ctx *c, struct val *m, const struct source *src) {
    char hex[65];
    sha256_hex(src->text, src->len, hex);
    set_text(c, m, "digest", hex);
}

static const struct val *runbook_doc(struct ctx *c, const struct runbook *rb) {
    struct val *m = val_map_new(c->arena);
    set_text(c, m, "name", rb->name);
    set_text(c, m, "asked", c->argv[0]);
    set_text(c, m, "version", rb->version);
    set_text(c, m, "digest", rb->digest);
    val_map_set(c->arena, m, "subs", saved_subs(c->arena, rb));
    return m;
}

static const struct val *words_val(struct arena *a, const struct words *w) {
    struct val *list = val_list_new(a);
    for (size_t i = 0; i < w->n; i++)
        val_list_add(a, list, val_str(a, w->items[i]));
    return list;
}

static const struct val *library_doc(struct ctx *c) {
    struct val *m = val_map_new(c->arena);
    char hex[65];
    library_digest(c->lib, hex);
    val_map_set(c->arena, m, "folders", words_val(c->arena, &c->opt.library));
    val_map_set(c->arena, m, "files", library_files(c->lib, c->arena));
    set_text(c, m, "digest", hex);
    return m;
}

static const char *time_text(struct arena *a, int64_t ms) {
    struct buf b = BUF_INIT;
    time_print(&b, ms);
    const char *s = arena_strdup(a, b.data);
    buf_done(&b);
    return s;
}

static const struct val *plan_doc(struct ctx *c, const struct prepared *p, const char *id) {
    struct val *m = val_map_new(c->arena);
    const struct val *git = git_of(c, p->rb);
    struct clock *wall = clock_system(); /* that of a rehearsal stands at its beginning */
    char *folder = realpath(".", NULL);
    set_text(c, m, "quorate-plan", SAVED_FORMAT);
    set_text(c, m, "id", id);
    set_text(c, m, "quorate", QUORATE_VERSION);
    set_text(c, m, "made", time_text(c->arena, wall->wall_ms(wall)));
    set_text(c, m, "folder", folder ? folder : "?");
    free(folder);
    val_map_set(c->arena, m, "runbook", runbook_doc(c, p->rb));
    val_map_set(c->arena, m, "library", library_doc(c));
    if (c->site_text) {
        struct val *site = val_map_new(c->arena);
        set_text(c, site, "file", c->site_text->name);
        set_text(c, site, "name", c->site->name);
        put_digest(c, site, c->site_text);
        val_map_set(c->arena, m, "site", site);
    }
    set_text(c, m, "world", c->opt.world);
    if (git)
        val_map_set(c->arena, m, "git", git);
    val_map_set(c->arena, m, "inputs", redacted(c->arena, c->inputs_doc));
    val_map_set(c->arena, m, "attested", val_get(c->run_val, "attested"));
    val_map_set(c->arena, m, "accepted", words_val(c->arena, &c->opt.accept_risk));
    struct val *explored = val_map_new(c->arena);
    set_text(c, explored, "events", c->opt.events);
    set_text(c, explored, "max-states", c->opt.max_states);
    val_map_set(c->arena, m, "explore", explored);
    val_map_set(c->arena, m, "lines", redacted(c->arena, saved_lines(c->arena, p->plan)));
    val_map_set(c->arena, m, "before", redacted(c->arena, p->plan->before));
    return m;
}

bool saved_write(struct ctx *c, const struct prepared *p, const char **ret_id) {
    *ret_id = exec_run_id(c->arena, clock_system());
    struct buf b = BUF_INIT;
    json_print(plan_doc(c, p, *ret_id), JSON_INDENT, &b);
    buf_addc(&b, '\n');
    const bool ok = file_write(c->opt.out, 0600, b.data, b.len, c->err);
    buf_done(&b);
    return ok;
}
