#include "cmd/cmd.h"

#include "base/clock.h"
#include "base/sha256.h"
#include "io/process.h"
#include "value/file.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const size_t max_tree = 64 << 20; /* bytes of a commit's files */
enum { patience_ms = 10000 };

struct answer {
    struct arena *arena;
    const char *text; /* NULL: it failed */
    size_t len;
    const char *why;  /* of a failure: what git said first */
    bool over;
};

static void take(void *ud, const struct process_result *r) {
    struct answer *w = ud;
    w->over = true;
    if (!r->error && !r->exit_status && !r->timed_out && !r->out.over) {
        w->text = arena_strndup(w->arena, r->out.data ? r->out.data : "", r->out.len);
        w->len = r->out.len;
        return;
    }
    const char *said = r->err.data ? r->err.data : "";
    w->why = r->error ? arena_strdup(w->arena, r->error) : r->timed_out ? "it took too long" : r->out.over ? "it is too large"
             : arena_strndup(w->arena, said, strcspn(said, "\n"));
}

/* With a loop of its own: that of a rehearsal has a clock that stands still. */
static struct answer ask_with(struct arena *a, const char *const *argv, const char *input, size_t len) {
    /* neither the index nor a watcher of the repository's choice is touched by looking */
    static const char *const env[] = {"GIT_OPTIONAL_LOCKS=0", "GIT_TERMINAL_PROMPT=0", "LC_ALL=C", NULL};
    struct loop *loop = loop_new(clock_system());
    struct answer w = {.arena = a};
    const struct process_spec spec = {.argv = argv, .env = env, .input = input, .input_len = len, .max_output = max_tree, .timeout_ms = patience_ms,
                                      .done = take, .ud = &w};
    process_start(loop, &spec);
    while (!w.over && loop_once(loop)) {
    }
    loop_free(loop);
    return w;
}

static const char *ask(struct arena *a, const char *const *argv) {
    return ask_with(a, argv, NULL, 0).text;
}

/* ---- what there is now ---- */

static const char *head_of(struct arena *a, const char *dir) {
    const char *const argv[] = {"git", "-C", dir, "rev-parse", "--verify", "HEAD", NULL};
    const char *text = ask(a, argv);
    return text ? arena_strndup(a, text, strcspn(text, "\n")) : NULL;
}

/* Whether a file, or all in a folder (what is "."), is as in the commit. What is in no work tree is not. */
static bool is_clean(struct arena *a, const char *dir, const char *what) {
    const char *const argv[] = {"git", "-C", dir, "-c", "core.fsmonitor=false", "status", "--porcelain", "--untracked-files=all", "--", what, NULL};
    const char *changes = ask(a, argv);
    return changes && !*changes;
}

static bool file_is_clean(struct arena *a, const char *path) {
    const char *slash = strrchr(path, '/');
    return is_clean(a, path_dir(a, path), slash ? slash + 1 : path);
}

/* Only a text that is really the file it is named after: what is embedded has such a name too. */
static bool is_file(struct ctx *c, const struct runbook *rb) {
    static const size_t max = 64 << 20;
    const struct source *src;
    char hex[65];
    if (access(rb->src->name, R_OK) || !file_read(c->arena, rb->src->name, NULL, max, &src, err_new(c->arena)))
        return false;
    sha256_hex(src->text, src->len, hex);
    return !strcmp(hex, rb->digest);
}

const struct val *git_of(struct ctx *c, const struct runbook *rb) {
    if (c->commit) {
        struct val *m = val_map_new(c->arena);
        val_map_set(c->arena, m, "commit", val_str(c->arena, c->commit));
        val_map_set(c->arena, m, "clean", val_bool(c->arena, true));
        val_map_set(c->arena, m, "rev", val_str(c->arena, c->opt.rev));
        return m;
    }
    const bool on_disk = is_file(c, rb);
    const char *file = on_disk ? rb->src->name : c->site_text ? c->site_text->name : NULL;
    const char *commit = file ? head_of(c->arena, path_dir(c->arena, file)) : NULL;
    if (!commit)
        return NULL;
    bool clean = file_is_clean(c->arena, file);
    if (on_disk && c->site_text && head_of(c->arena, path_dir(c->arena, c->site_text->name))) /* machines are often described elsewhere */
        clean = clean && file_is_clean(c->arena, c->site_text->name);
    for (size_t i = 0; clean && c->site && c->site->library && c->site->library[i]; i++)
        clean = is_clean(c->arena, c->site->library[i], ".");
    for (size_t i = 0; clean && i < c->opt.library.n; i++)
        clean = is_clean(c->arena, c->opt.library.items[i], ".");
    const char *env = getenv("QUORATE_LIBRARY");
    if (clean && env && *env && !c->opt.library.n)
        clean = is_clean(c->arena, env, ".");
    struct val *m = val_map_new(c->arena);
    val_map_set(c->arena, m, "commit", val_str(c->arena, commit));
    val_map_set(c->arena, m, "clean", val_bool(c->arena, clean));
    return m;
}

/* ---- what the site requires ---- */

static bool refuse(struct ctx *c, const char *path, const char *what, const char *why) {
    struct diag *d = err_add(c->err, c->site->require_mark, "git-required", "refused, nothing was changed: the site requires %s, and '%s' %s", what, path, why);
    diag_hint(c->err, d, "%s", "commit what was changed, and sign it; --rev COMMIT runs what was committed before");
    return false;
}

/* A file, or all in a folder; commit NULL: what is checked out. */
static bool required(struct ctx *c, const char *path, bool folder, const char *commit) {
    static const char clean[] = "a clean work tree (clean: true)", signature[] = "a signed commit (signed: true)";
    const struct site *s = c->site;
    const char *dir = folder ? path : path_dir(c->arena, path), *head = commit ? commit : head_of(c->arena, dir);
    if (!head)
        return refuse(c, path, s->require_clean ? clean : signature, "is in no git repository that has a commit");
    /* without a clean tree, a signature says nothing about what is run */
    if (!commit && !(folder ? is_clean(c->arena, dir, ".") : file_is_clean(c->arena, path)))
        return refuse(c, path, s->require_clean ? clean : signature, folder ? "holds changes that are not committed" : "has changes that are not committed");
    if (!s->require_signed)
        return true;
    const char *const verify[] = {"git", "-C", dir, "verify-commit", head, NULL};
    const struct answer w = ask_with(c->arena, verify, NULL, 0);
    return w.text || refuse(c, path, signature, arena_printf(c->arena, "is at %.12s, which git verify-commit does not accept: %s", head,
                                                             w.why && *w.why ? w.why : "it has no signature"));
}

bool git_required(struct ctx *c, const struct runbook *rb) {
    if (!c->site || (!c->site->require_clean && !c->site->require_signed))
        return true;
    bool ok = c->commit || !is_file(c, rb) || required(c, rb->src->name, false, NULL);
    ok = ok && (!c->site_text || required(c, c->site_text->name, false, NULL));
    for (size_t i = 0; ok && c->site->library && c->site->library[i]; i++)
        ok = required(c, c->site->library[i], true, c->commit);
    for (size_t i = 0; ok && i < c->opt.library.n; i++)
        ok = required(c, c->opt.library.items[i], true, c->commit);
    const char *env = getenv("QUORATE_LIBRARY");
    return ok && (!env || !*env || c->opt.library.n || required(c, env, true, c->commit));
}

/* ---- as of a commit ---- */

static struct diag *failed(struct ctx *c, struct mark at, const char *dir, const char *why) {
    return err_add(c->err, at, "git", "the folder '%s' cannot be read as of '%s': %s", dir, c->opt.rev, why && *why ? why : "git cannot tell");
}

/* --rev names one commit, whatever folders it is read from. */
static bool resolve(struct ctx *c, const char *dir, struct mark at) {
    /* a name that begins with '-' must not be an option, and one without a commit behind it is none */
    const char *const argv[] = {"git", "-C", dir, "rev-parse", "--verify", "--end-of-options", arena_printf(c->arena, "%s^{commit}", c->opt.rev), NULL};
    const struct answer w = ask_with(c->arena, argv, NULL, 0);
    if (!w.text) {
        diag_hint(c->err, failed(c, at, dir, w.why), "--rev takes what git takes: a commit, a tag, a branch");
        return false;
    }
    const char *commit = arena_strndup(c->arena, w.text, strcspn(w.text, "\n"));
    if (c->commit && strcmp(c->commit, commit)) {
        failed(c, at, dir, arena_printf(c->arena, "there it is the commit %.12s, and in a folder before %.12s", commit, c->commit));
        return false;
    }
    c->commit = commit;
    return true;
}

/* One entry of ls-tree -r -z: "MODE TYPE ID\tNAME". Symbolic links and submodules are not followed. */
static bool wanted(const char *entry, const char **ret_id, const char **ret_name) {
    const char *tab = strchr(entry, '\t');
    if (strncmp(entry, "100", 3) || !tab || strstr(tab, "/.") || tab[1] == '.' || !files_sees(tab + 1))
        return false;
    const char *space = strchr(entry, ' ');
    space = space ? strchr(space + 1, ' ') : NULL;
    if (!space || space > tab)
        return false;
    *ret_id = space + 1;
    *ret_name = tab + 1;
    return true;
}

/* What cat-file --batch answers for one: "ID blob SIZE\n", the text, "\n". Moves *at behind it; NULL: it is not that. */
static const struct source *next_blob(struct ctx *c, const struct answer *w, size_t *at, const char *name) {
    const char *head = w->text + *at, *size = *at < w->len ? strstr(head, " blob ") : NULL, *line = *at < w->len ? strchr(head, '\n') : NULL;
    if (!size || !line || size > line)
        return NULL;
    const size_t len = strtoull(size + strlen(" blob "), NULL, 10), from = (size_t)(line + 1 - w->text);
    if (len > w->len || from + len + 1 > w->len)
        return NULL;
    *at = from + len + 1;
    return source_new(c->arena, arena_printf(c->arena, "%.12s:%s", c->commit, name), w->text + from, len);
}

bool git_add_dir(struct ctx *c, const char *dir, const char *const *prefixes, struct mark at) {
    if (!resolve(c, dir, at))
        return false;
    const char *const list[] = {"git", "-C", dir, "ls-tree", "-r", "-z", c->commit, "--", ".", NULL};
    const char *const cat[] = {"git", "-C", dir, "cat-file", "--batch", NULL};
    const struct answer tree = ask_with(c->arena, list, NULL, 0);
    struct buf ids = BUF_INIT;
    struct map *names = map_new(c->arena);
    const char *id, *name;
    for (size_t i = 0; tree.text && i < tree.len; i += strlen(tree.text + i) + 1)
        if (wanted(tree.text + i, &id, &name)) {
            buf_add(&ids, id, strcspn(id, "\t"));
            buf_addc(&ids, '\n');
            map_put(names, name, &names);
        }
    if (!map_count(names)) {
        failed(c, at, dir, tree.text ? "there are no runbooks and no library in it" : tree.why);
        buf_done(&ids);
        return false;
    }
    const struct answer w = ask_with(c->arena, cat, ids.data, ids.len);
    buf_done(&ids);
    if (!w.text) {
        failed(c, at, dir, w.why);
        return false;
    }
    size_t k = 0;
    struct map *sources = map_new(c->arena);
    for (struct map_iter it = map_iter(names); map_next(&it);) {
        const struct source *src = next_blob(c, &w, &k, it.key);
        if (!src) {
            failed(c, at, dir, "git's answer makes no sense");
            return false;
        }
        for (const char *const *p = prefixes; *p; p++)
            map_put(sources, arena_printf(c->arena, "%s%s", *p, it.key), (void *)(uintptr_t)src);
    }
    files_add_sources(c->files, sources);
    return true;
}
