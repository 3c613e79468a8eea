#include "cmd/cmd.h"

#include "cmd/embedded.h"
#include "store/store.h"
#include "ui/out.h"
#include "value/file.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const size_t max_world = 16 << 20; /* bytes of a world file */

int ctx_report(struct ctx *c) {
    struct buf b = BUF_INIT;
    err_sort(c->err);
    err_render(c->err, &b);
    fflush(stdout);
    out_buf(stderr, &b);
    buf_done(&b);
    static const struct {
        const char *code;
        int status;
    } special[] = {{"journal", EXIT_JOURNAL}, {"plan-stale", EXIT_MOVED}, {"plan-used", EXIT_REFUSED}, {"git-required", EXIT_REFUSED}, {"run-held", EXIT_LOCKED}, {"spool", EXIT_JOURNAL}, {"spool-conflict", EXIT_JOURNAL}};
    for (const struct diag *d = c->err->first; d; d = d->next)
        for (size_t i = 0; i < sizeof special / sizeof *special; i++)
            if (d->severity == SEV_ERROR && !strcmp(d->code, special[i].code))
                return special[i].status;
    return c->err->nerrors ? EXIT_INVALID : EXIT_DONE;
}

/* ---- the language ---- */

static bool load_site(struct ctx *c) {
    const char *path = c->opt.site;
    if (!path && getenv("QUORATE_SITE") && *getenv("QUORATE_SITE"))
        path = getenv("QUORATE_SITE");
    if (!path && access("site.yaml", F_OK) == 0)
        path = "site.yaml";
    if (path && !site_load(c->arena, path, engines_check_url, &c->site, c->err))
        return false;
    c->site_text = c->site ? c->site->src : NULL;
    const char *const *const passwords[] = {c->site && c->site->ucp ? c->site->ucp->password_from : NULL,
                                            c->site && c->site->store_access ? c->site->store_access->password_from : NULL};
    for (size_t i = 0; i < 2; i++) /* before any child is started */
        for (const char *const *from = passwords[i]; from && *from; from++)
            secret_hide(c, *from);
    return true;
}

/* A folder, once under each prefix. */
static bool add_folder(struct ctx *c, const char *dir, const char *const *prefixes, struct mark at) {
    if (c->opt.rev)
        return git_add_dir(c, dir, prefixes, at);
    bool ok = true;
    for (; ok && *prefixes; prefixes++)
        ok = files_add_dir(c->files, dir, *prefixes, at, c->err);
    return ok;
}

/* A site's folder holds runbooks (NAME.yaml) and definitions (FAMILY/NAME.lua, or NAME.lua for a hook) side by side. */
static bool add_site_folders(struct ctx *c) {
    static const char *const prefixes[] = {"runbooks/", "stdlib/", NULL};
    bool ok = true;
    files_own(c->files, true);
    for (size_t i = 0; c->site && c->site->library && c->site->library[i]; i++)
        ok &= add_folder(c, c->site->library[i], prefixes, c->site->library_marks[i]);
    files_own(c->files, false);
    return ok;
}

/* With --rev, what is read must be what is in the commit. */
static bool rev_is_used(struct ctx *c) {
    if (!c->opt.rev)
        return true;
    if (!c->commit) {
        struct diag *d = err_add(c->err, mark_none(), "usage", "--rev has no folder to read as of '%s'", c->opt.rev);
        diag_hint(c->err, d, "name the folders of the runbooks: `library` in the site, or --library");
        return false;
    }
    for (int i = 0; i < c->argc; i++) {
        const char *dot = strrchr(c->argv[i], '.');
        if (!dot || (strcmp(dot, ".yaml") && strcmp(dot, ".yml")))
            continue;
        struct diag *d = err_add(c->err, mark_none(), "usage", "'%s' is a file of the work tree, and --rev reads runbooks from a commit", c->argv[i]);
        diag_hint(c->err, d, "name the runbook as its folder in the library has it, without .yaml");
        return false;
    }
    return true;
}

bool ctx_language(struct ctx *c) {
    static const char *const no_prefix[] = {"", NULL};
    if (!load_site(c))
        return false;
    c->files = files_new(c->arena);
    bool ok = true;
    for (size_t i = 0; i < c->opt.library.n; i++)
        ok &= add_folder(c, c->opt.library.items[i], no_prefix, mark_none());
    const char *env = getenv("QUORATE_LIBRARY");
    if (env && *env && !c->opt.library.n)
        ok &= add_folder(c, env, no_prefix, mark_none());
    ok = add_site_folders(c) && ok;
    ok = ok && rev_is_used(c);
    files_add_embedded(c->files, embedded_files);
    c->box = box_new(NULL);
    c->lib = library_new(c->arena, c->box, c->files);
    c->loader = (struct loader){.arena = c->arena, .box = c->box, .files = c->files, .lib = c->lib, .site = c->site};
    return ok;
}

/* ---- the world ---- */

static bool world_load(struct ctx *c) {
    const char *name = c->opt.world;
    const struct source *src = NULL;
    const char *embedded = arena_printf(c->arena, "runbooks/%s", strncmp(name, "runbooks/", 9) ? name : name + 9);
    if (strcmp(name, "-") && access(name, F_OK) != 0 && files_has(c->files, embedded)) {
        src = files_read(c->files, embedded, c->err);
        if (!src)
            return false;
    } else if (!file_read(c->arena, name, NULL, max_world, &src, c->err)) {
        return false;
    }
    return world_parse(c->arena, src, &c->world, c->err);
}

static const struct val *nodes_with_shells(struct ctx *c) {
    const struct val *nodes = site_nodes_val(c->site, c->arena);
    struct val *out = val_map_new(c->arena);
    for (size_t i = 0; i < val_len(nodes); i++) {
        const struct val_pair *p = &nodes->map.pairs[i];
        static const char *const shells[] = {[SHELL_NONE] = NULL, [SHELL_LOCAL] = "local", [SHELL_SSH] = "ssh"};
        const char *shell = c->engines ? shells[engines_shell(c->engines, p->key)] : NULL;
        val_map_set(c->arena, out, p->key, shell ? val_map_with(c->arena, p->val, "shell", val_str(c->arena, shell)) : p->val);
    }
    return out;
}

static const char *runtime_dir(struct ctx *c) {
    const char *base = getenv("XDG_RUNTIME_DIR");
    return arena_printf(c->arena, "%s/quorate-%ld", base && *base ? base : "/tmp", (long)getpid());
}

static void add_engines(struct ctx *c) {
    c->http = http_new(c->loop);
    c->engines = engines_new(c->loop, c->http, runtime_dir(c));
    if (!c->site->src) {
        engines_add_from_env(c->engines, c->site->nodes[0].name, getenv("DOCKER_HOST"), getenv("DOCKER_TLS_VERIFY"), getenv("DOCKER_CERT_PATH"));
        return;
    }
    for (size_t i = 0; i < c->site->nnodes; i++) {
        const struct site_node *n = &c->site->nodes[i];
        const struct engine_spec spec = {.name = n->name, .endpoints = n->engines, .ca = n->ca, .cert = n->cert, .key = n->key,
                                         .insecure = n->tls_insecure, .ssh_config = n->ssh_config};
        engines_add(c->engines, &spec);
    }
}

static const struct val *attested(struct ctx *c) {
    struct val *list = val_list_new(c->arena);
    for (size_t i = 0; i < c->opt.attest.n; i++)
        for (const char *s = c->opt.attest.items[i]; *s;) {
            size_t n = strcspn(s, ",");
            if (n)
                val_list_add(c->arena, list, val_strn(c->arena, s, n));
            s += n + (s[n] == ',');
        }
    return list;
}

static void attested_known(struct ctx *c, const struct val *list) {
    const char **names = arena_array(c->arena, const char *, c->site->nnodes + 1);
    for (size_t i = 0; i < c->site->nnodes; i++)
        names[i] = c->site->nodes[i].name;
    for (size_t i = 0; i < val_len(list); i++) {
        const char *name = val_cstr(val_at(list, i));
        if (site_node(c->site, name) || !c->site->src)
            continue; /* without a site, members are named by their host names */
        struct diag *d = err_warn(c->err, mark_none(), "attest-unknown", "--attest names '%s', which is no node of the site", name);
        diag_accepted(c->err, d, name, names, c->site->nnodes);
    }
}

bool ctx_world(struct ctx *c, bool may_change) {
    if (c->opt.world && !world_load(c))
        return false;
    if (c->opt.world)
        c->site = world_site(c->arena, c->world, c->site); /* the site's engines are not asked */
    else if (!c->site)
        c->site = site_none(c->arena);
    c->loader.site = c->site;
    c->clock = clock_system();
    if (c->world) {
        const char *seed = c->opt.seed ? c->opt.seed : "1";
        char *end;
        const unsigned long long n = strtoull(seed, &end, 10);
        if (!*seed || *end) {
            err_add(c->err, mark_none(), "usage", "--seed wants a number, not '%s'", seed);
            return false;
        }
        clock_virtual_init(&c->virtual_clock, 1767225600000 /* 2026-01-01 */, n);
        c->clock = &c->virtual_clock.base;
    }
    c->loop = loop_new(c->clock);
    if (!c->world)
        add_engines(c);
    const struct val *names = attested(c);
    attested_known(c, names);
    c->site_val = site_seen(c->arena, c->site, nodes_with_shells(c));
    c->run_val = run_seen(c->arena, names, c->world != NULL);
    if (c->world) {
        c->runner = runner_world(c->arena, c->loop, c->box, val_get(c->world, "state"));
        return true;
    }
    const struct val *site;
    if (!credentials(c, &site))
        return false;
    c->task_world = (struct task_world){.loop = c->loop, .http = c->http, .engines = c->engines, .box = c->box,
                                        .nodes = val_get(c->site_val, "nodes"), .site = site, .run = c->run_val,
                                        .hooks = c->site->hooks, .site_dir = c->site->dir};
    c->runner = runner_live(c->arena, &c->task_world, may_change);
    return true;
}

void ctx_engines(struct ctx *c) {
    if (!c->site)
        c->site = site_none(c->arena);
    c->clock = clock_system();
    c->loop = loop_new(c->clock);
    add_engines(c);
}

void ctx_close(struct ctx *c) {
    if (c->runner)
        c->runner->ops->close(c->runner);
    if (c->engines)
        engines_free(c->engines);
    if (c->http)
        http_free(c->http);
    if (c->loop)
        loop_free(c->loop);
    box_free(c->box);
}

const char *ctx_store(struct ctx *c, struct mark *ret_mark) {
    *ret_mark = mark_none();
    if (c->opt.store)
        return c->opt.store;
    if (c->site && c->site->store) {
        *ret_mark = c->site->store_mark;
        return c->site->store;
    }
    return store_default_url(c->arena);
}
