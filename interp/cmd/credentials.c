#include "cmd/cmd.h"

#include "base/redact.h"
#include "ui/asker.h"
#include "value/file.h"

#include <stdlib.h>
#include <string.h>

static const size_t max_password = 4096, max_ca = 1 << 20; /* bytes of the files */

/* A file's text without the line's end; NULL if there is none. */
static const char *line_of(struct arena *a, const char *path) {
    const struct source *src;
    if (!file_read(a, path, NULL, max_password, &src, err_new(a)))
        return NULL;
    size_t n = src->len;
    while (n && (src->text[n - 1] == '\n' || src->text[n - 1] == '\r'))
        n--;
    return n ? arena_strndup(a, src->text, n) : NULL;
}

const char *secret_from(struct ctx *c, const char *const *from, const char *question) {
    const char *s = NULL;
    for (; !s && *from; from++)
        if (!strncmp(*from, "env:", 4)) {
            s = getenv(*from + 4);
            s = s && *s ? s : NULL;
        } else if (!strncmp(*from, "file:", 5)) {
            s = line_of(c->arena, *from + 5);
        } else {
            s = asker_secret(c->arena, question);
        }
    return s && *s ? s : NULL;
}

/* {url, ca, insecure} */
static const struct val *dtr_of(struct ctx *c) {
    const struct site_dtr *d = c->site->dtr;
    struct arena *a = c->arena;
    const struct val *dtr = val_map_with(a, val_get(c->site_val, "dtr"), "insecure", val_bool(a, d->insecure));
    return d->ca ? val_map_with(a, dtr, "ca", val_str(a, d->ca)) : dtr;
}

bool credentials(struct ctx *c, const struct val **ret) {
    struct arena *a = c->arena;
    *ret = c->site->dtr ? val_map_with(a, c->site_val, "dtr", dtr_of(c)) : c->site_val;
    const struct site_ucp *u = c->site->ucp;
    if (!u)
        return true;
    const struct val *ucp = val_get(c->site_val, "ucp");
    const char *question = arena_printf(a, "password of %s at %s", u->username ? u->username : "the administrator", u->url);
    const char *secret = secret_from(c, u->password_from, question), *why;
    if (secret && !redact_add(secret, strlen(secret), &why)) {
        err_add(c->err, mark_none(), "secret-unmaskable", "the password of UCP cannot be used: %s", why);
        return false;
    }
    if (secret)
        ucp = val_map_with(a, ucp, "password", val_secret(a, val_str(a, secret)));
    if (u->ca) {
        const struct source *src;
        if (!file_read(a, u->ca, NULL, max_ca, &src, c->err))
            return false;
        ucp = val_map_with(a, ucp, "ca", val_str(a, u->ca));
        ucp = val_map_with(a, ucp, "ca_text", val_strn(a, src->text, src->len));
    }
    ucp = val_map_with(a, ucp, "insecure", val_bool(a, u->insecure));
    *ret = val_map_with(a, *ret, "ucp", ucp);
    return true;
}
