#include "store/store.h"

#include "store/sqlite.h"

#include <stdlib.h>
#include <string.h>

static const struct scheme {
    const char *name;
    bool (*open)(struct arena *a, struct loop *loop, const char *path, const char *url, bool read_only, struct store **ret, struct err *err);
} schemes[] = {{"sqlite:", sqlite_open}};
enum { nschemes = sizeof schemes / sizeof *schemes };

static bool open_any(struct arena *a, struct loop *loop, const char *url, bool read_only, struct mark at, struct store **ret, struct err *err) {
    const char *names[nschemes];
    for (int i = 0; i < nschemes; i++) {
        names[i] = schemes[i].name;
        const size_t n = strlen(schemes[i].name);
        if (!strncmp(url, schemes[i].name, n) && url[n])
            return schemes[i].open(a, loop, url + n, arena_strdup(a, url), read_only, ret, err);
    }
    struct diag *d = err_add(err, at, "unknown-store", "'%s' is no journal", url);
    diag_accepted(err, d, arena_strndup(err->arena, url, strcspn(url, ":") + 1), names, nschemes);
    diag_hint(err, d, "write it as in sqlite:journal.db");
    return false;
}

bool store_open(struct arena *a, struct loop *loop, const char *url, struct mark at, struct store **ret, struct err *err) {
    return open_any(a, loop, url, false, at, ret, err);
}

bool store_open_read(struct arena *a, const char *url, struct mark at, struct store **ret, struct err *err) {
    return open_any(a, NULL, url, true, at, ret, err);
}

const char *store_default_url(struct arena *a) {
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    if (state && *state)
        return arena_printf(a, "sqlite:%s/quorate/journal.db", state);
    return arena_printf(a, "sqlite:%s/.local/state/quorate/journal.db", home && *home ? home : "/root");
}
