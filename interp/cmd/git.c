#include "cmd/cmd.h"

#include "base/clock.h"
#include "io/process.h"

#include <string.h>

enum { patience_ms = 10000 };

struct answer {
    struct arena *arena;
    const char *text; /* NULL: it failed */
    bool over;
};

static void take(void *ud, const struct process_result *r) {
    struct answer *w = ud;
    w->over = true;
    if (!r->error && !r->exit_status && !r->timed_out)
        w->text = arena_strndup(w->arena, r->out.data ? r->out.data : "", r->out.len);
}

/* With a loop of its own: that of a rehearsal has a clock that stands still. */
static const char *ask(struct arena *a, const char *const *argv) {
    /* neither the index nor a watcher of the repository's choice is touched by looking */
    static const char *const env[] = {"GIT_OPTIONAL_LOCKS=0", "GIT_TERMINAL_PROMPT=0", "LC_ALL=C", NULL};
    struct loop *loop = loop_new(clock_system());
    struct answer w = {.arena = a};
    const struct process_spec spec = {.argv = argv, .env = env, .timeout_ms = patience_ms, .done = take, .ud = &w};
    process_start(loop, &spec);
    while (!w.over && loop_once(loop)) {
    }
    loop_free(loop);
    return w.text;
}

const struct val *git_state(struct arena *a, const char *dir) {
    const char *const head[] = {"git", "-C", dir, "rev-parse", "--verify", "HEAD", NULL};
    const char *const status[] = {"git", "-C", dir, "-c", "core.fsmonitor=false", "status", "--porcelain", "--", ".", NULL};
    const char *commit = ask(a, head), *changes = commit ? ask(a, status) : NULL;
    if (!commit || !changes)
        return NULL;
    struct val *m = val_map_new(a);
    val_map_set(a, m, "commit", val_strn(a, commit, strcspn(commit, "\n")));
    val_map_set(a, m, "clean", val_bool(a, !*changes));
    return m;
}
