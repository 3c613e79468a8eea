#include "cmd/cmd.h"

#include "base/redact.h"
#include "store/store.h"
#include "ui/out.h"

#include <string.h>

static void on_note(void *ud, const char *text) {
    (void)ud;
    out_printf(stderr, "quorate: %s\n", text);
}

/* What the site says of its own store; a URL of the command line stands for itself. */
static bool access_of(struct ctx *c, struct store_spec *spec) {
    const struct site_store *a = c->opt.store || !c->site ? NULL : c->site->store_access;
    if (!a)
        return true;
    spec->ca = a->ca;
    spec->cert = a->cert;
    spec->key = a->key;
    spec->username = a->username;
    if (!a->username)
        return true;
    const char *why;
    if (!c->store_password)
        c->store_password = secret_from(c, a->password_from, arena_printf(c->arena, "password of %s at %s", a->username, spec->url));
    spec->password = c->store_password;
    if (!spec->password) {
        err_add(c->err, spec->at, "journal", "there is no password for %s at %s", a->username, spec->url);
        return false;
    }
    if (!redact_add(spec->password, strlen(spec->password), &why)) {
        err_add(c->err, spec->at, "secret-unmaskable", "the password of the journal cannot be used: %s", why);
        return false;
    }
    return true;
}

bool journal_open(struct ctx *c, enum journal_use use, struct store **ret) {
    const bool write = use == JOURNAL_WRITE;
    struct store_spec spec = {.loop = write ? c->loop : NULL, .read_only = !write, .note = on_note};
    spec.url = c->world ? "sqlite::memory:" : ctx_store(c, &spec.at);
    *ret = NULL;
    if ((!c->world && !access_of(c, &spec)) || !store_open_spec(c->arena, &spec, ret, c->err))
        return false;
    if (!*ret && use != JOURNAL_LOOK)
        out_printf(stderr, "quorate: there is no journal at %s yet: nothing was run\n", spec.url);
    return true;
}
