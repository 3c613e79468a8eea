#include "cmd/cmd.h"

#include "value/file.h"

#include <string.h>

static const size_t max_ca = 1 << 20; /* bytes of the file */

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

/* ---- who has a use for the password ---- */

static bool is_enterprise(const char *family) {
    return !strcmp(family, "ucp") || !strcmp(family, "dtr"); /* DTR is reached with UCP's account */
}

/* Whether the text has it as a word, in code or not. */
static bool mentions(const struct source *src, const char *word) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    const size_t n = strlen(word);
    for (const char *s = src->text; (s = strstr(s, word)); s += n)
        if ((s == src->text || !strchr(letters, s[-1])) && (!s[n] || !strchr(letters, s[n])))
            return true;
    return false;
}

/* Whether any Lua file of the site's own speaks of UCP or DTR: its definitions call one another. */
static bool own_mention(struct ctx *c) {
    const char *const *names;
    const size_t n = files_list(c->files, "stdlib/", ".lua", &names);
    for (size_t i = 0; i < n; i++) {
        const struct source *src = files_is_embedded(c->files, names[i]) ? NULL : files_read(c->files, names[i], err_new(c->arena));
        if (src && (mentions(src, "ucp") || mentions(src, "dtr")))
            return true;
    }
    return false;
}

static bool def_needs(struct ctx *c, const struct def *d) {
    if (!d || is_enterprise(d->family))
        return d != NULL;
    const char *dot = strchr(d->name, '.'); /* swarm.leave is stdlib/swarm/leave.lua */
    const char *file = arena_printf(c->arena, "stdlib/%.*s/%s.lua", dot ? (int)(dot - d->name) : 0, d->name, dot ? dot + 1 : d->name);
    return !files_is_embedded(c->files, file) && own_mention(c);
}

static bool runbook_needs(struct ctx *c, const struct runbook *rb) {
    bool needs = false;
    for (size_t i = 0; i < rb->nparts && !needs; i++)
        needs = def_needs(c, rb->parts[i].probe);
    for (size_t i = 0; i < rb->nall && !needs; i++)
        needs = def_needs(c, rb->all[i]->def) || (rb->all[i]->sub && runbook_needs(c, rb->all[i]->sub));
    return needs;
}

bool credentials_for(struct ctx *c, const struct runbook *rb) {
    const struct site_ucp *u = c->site->ucp;
    struct arena *a = c->arena;
    if (c->world || !u || !*u->password_from || (rb && !runbook_needs(c, rb)))
        return true;
    const struct val *ucp = val_get(c->task_world.site, "ucp");
    const char *secret;
    const char *what = arena_printf(a, "the password of %s at %s", u->username ? u->username : "the administrator", u->url);
    if (val_get(ucp, "password"))
        return true;
    struct val *tried = val_list_new(a);
    if (!secret_find(c, what, u->password_from, tried, &secret))
        return false;
    if (!secret) { /* tasks go on without it as far as they can */
        struct diag *d = err_warn(c->err, mark_none(), "no-password", "%s is not found", what);
        for (size_t i = 0; i < val_len(tried); i++)
            diag_note(c->err, d, "%s", val_cstr(val_at(tried, i)));
        return true;
    }
    ucp = val_map_with(a, ucp, "password", val_secret(a, val_str(a, secret)));
    c->task_world.site = val_map_with(a, c->task_world.site, "ucp", ucp);
    return true;
}
