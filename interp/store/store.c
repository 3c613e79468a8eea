#include "store/store.h"

#include "store/etcd.h"
#include "store/sqlite.h"

#include <stdlib.h>
#include <string.h>

static bool open_sqlite(struct arena *a, const struct store_spec *spec, const char *path, struct store **ret, struct err *err) {
    return sqlite_open(a, spec->loop, path, spec->url, spec->read_only, ret, err);
}

static const struct scheme {
    const char *name;
    bool (*open)(struct arena *a, const struct store_spec *spec, const char *rest, struct store **ret, struct err *err);
} schemes[] = {{"sqlite:", open_sqlite}, {"etcd://", etcd_open}};
enum { nschemes = sizeof schemes / sizeof *schemes };

bool store_open_spec(struct arena *a, const struct store_spec *spec, struct store **ret, struct err *err) {
    const char *names[nschemes], *url = spec->url;
    for (int i = 0; i < nschemes; i++) {
        names[i] = schemes[i].name;
        const size_t n = strlen(schemes[i].name);
        if (strncmp(url, schemes[i].name, n) != 0 || !url[n])
            continue;
        struct store_spec mine = *spec;
        mine.url = arena_strdup(a, url);
        return schemes[i].open(a, &mine, mine.url + n, ret, err);
    }
    struct diag *d = err_add(err, spec->at, "unknown-store", "'%s' is no journal", url);
    diag_accepted(err, d, arena_strndup(err->arena, url, strcspn(url, ":") + 1), names, nschemes);
    diag_hint(err, d, "write it as in sqlite:journal.db or etcd://host:2379,host:2379");
    return false;
}

bool store_open(struct arena *a, struct loop *loop, const char *url, struct mark at, struct store **ret, struct err *err) {
    return store_open_spec(a, &(struct store_spec){.url = url, .at = at, .loop = loop}, ret, err);
}

bool store_open_read(struct arena *a, const char *url, struct mark at, struct store **ret, struct err *err) {
    return store_open_spec(a, &(struct store_spec){.url = url, .at = at, .read_only = true}, ret, err);
}

struct waiting {
    bool over, ok;
    struct err *err;
};

static void appended(void *ud, bool ok, const char *message) {
    struct waiting *w = ud;
    w->over = true;
    w->ok = ok;
    if (!ok)
        err_add(w->err, mark_none(), "journal", "%s", message);
}

bool store_append_wait(struct store *s, const char *run_id, const char *const *json, size_t n, struct err *err) {
    struct waiting w = {.err = err};
    s->ops->append(s, run_id, json, n, appended, &w);
    while (!w.over && loop_once(s->loop)) {
    }
    return w.ok;
}

void store_held(struct store *s, const char *run_id, const struct store_owner *by, struct err *err) {
    struct diag *d = err_add(err, mark_none(), "run-held", "the run %s is held by %s", run_id, by ? owner_text(err->arena, by) : "another process");
    diag_note(err, d, "the journal is %s", s->url);
    diag_hint(err, d, "only one process at a time goes on with a run: wait until that one has ended");
}

bool store_is_run_id(const char *s) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    const size_t n = strspn(s, letters);
    return n && !s[n] && n <= 100 && *s != '.' && *s != '-';
}

const char *store_state_dir(struct arena *a) {
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    if (state && *state)
        return arena_printf(a, "%s/quorate", state);
    return arena_printf(a, "%s/.local/state/quorate", home && *home ? home : "/root");
}

const char *store_default_url(struct arena *a) {
    return arena_printf(a, "sqlite:%s/journal.db", store_state_dir(a));
}
