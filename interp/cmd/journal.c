#include "cmd/cmd.h"

#include "store/store.h"
#include "ui/out.h"

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
    struct val *tried = val_list_new(c->arena);
    const char *what = arena_printf(c->arena, "the password of %s at %s", a->username, spec->url);
    if (!c->store_password && !secret_find(c, what, a->password_from, tried, &c->store_password))
        return false;
    spec->password = c->store_password;
    if (!spec->password) {
        struct diag *d = err_add(c->err, spec->at, "journal", "%s is not found", what);
        for (size_t i = 0; i < val_len(tried); i++)
            diag_note(c->err, d, "%s", val_cstr(val_at(tried, i)));
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
