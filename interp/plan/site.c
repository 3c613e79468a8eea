#include "plan/site.h"

#include "lua/rights.h"
#include "plan/runbook.h"
#include "value/file.h"
#include "value/yaml.h"

#include <string.h>

static const size_t max_site = 4 << 20; /* bytes */

static const struct field tls_fields[] = {
    {"ca", F_STRING, false, "file with the certificates that are trusted", NULL, NULL},
    {"cert", F_STRING, false, "file with our certificate", NULL, NULL},
    {"key", F_STRING, false, "file with its key", NULL, NULL},
    {"verify", F_BOOL, false, "false: anybody may answer in the node's place", NULL, NULL},
    {0},
};

static const struct field ssh_fields[] = {
    {"config", F_STRING, false, "file for ssh -F", NULL, NULL},
    {0},
};

static const struct field node_fields[] = {
    {"engine", F_STRING | F_LIST, false, "ways to its engine, tried in order: unix://PATH tcp://HOST:PORT ssh://[USER@]HOST[:PORT][/PATH]", NULL, NULL},
    {"address", F_STRING, false, "the address at which other nodes reach it", NULL, NULL},
    {"tls", F_MAP, false, "files for tcp:// with TLS", tls_fields, NULL},
    {"ssh", F_MAP, false, "settings for ssh://", ssh_fields, NULL},
    {"labels", F_MAP, false, "for runbooks", NULL, NULL},
    {0},
};

static const struct field password_fields[] = {
    {"from", F_LIST | F_STRING, true, "where it is found: env:NAME, file:PATH, command:WORDS, prompt", NULL, NULL},
    {0},
};

static const struct field ucp_fields[] = {
    {"url", F_STRING, true, "as https://host:port", NULL, NULL},
    {"username", F_STRING, false, "who signs in", NULL, NULL},
    {"password", F_MAP, false, "where the password is found", password_fields, NULL},
    {"ca", F_STRING, false, "file with the certificates that are trusted", NULL, NULL},
    {"verify", F_BOOL, false, "false: anybody may answer in its place", NULL, NULL},
    {0},
};

static const struct field dtr_fields[] = {
    {"url", F_STRING, true, "as https://host[:port]: what images of it begin with", NULL, NULL},
    {"ca", F_STRING, false, "file with the certificates that are trusted; without one, no password is sent to a replica", NULL, NULL},
    {"verify", F_BOOL, false, "false: anybody may answer in its place, and gets the password", NULL, NULL},
    {0},
};

static const struct field store_fields[] = {
    {"url", F_STRING, true, "sqlite:PATH or etcd://HOST:PORT[,HOST:PORT...][/PREFIX]", NULL, NULL},
    {"ca", F_STRING, false, "file with the certificates that are trusted; with it, or with 'cert', etcd is asked over TLS", NULL, NULL},
    {"cert", F_STRING, false, "file with our certificate", NULL, NULL},
    {"key", F_STRING, false, "file with its key", NULL, NULL},
    {"username", F_STRING, false, "who signs in to etcd", NULL, NULL},
    {"password", F_MAP, false, "where the password is found", password_fields, NULL},
    {0},
};

static const struct field require_fields[] = {
    {"clean", F_BOOL, false, "true: runbook, library and site are as committed", NULL, NULL},
    {"signed", F_BOOL, false, "true: the commit has a signature that git verify-commit accepts", NULL, NULL},
    {0},
};

const struct field site_fields[] = {
    {"site", F_STRING, true, "its name", NULL, NULL},
    {"nodes", F_MAP, true, "the inventory: name: {engine, address, tls, labels}", NULL, NULL},
    {"ucp", F_MAP, false, "how to reach UCP", ucp_fields, NULL},
    {"dtr", F_MAP, false, "what the registry is called", dtr_fields, NULL},
    {"store", F_STRING | F_MAP, false, "where the journal lives: sqlite:PATH or etcd://HOST:PORT,...; a map for TLS and a password", store_fields, NULL},
    {"library", F_LIST, false, "folders of the site's own, before what is shipped", NULL, NULL},
    {"inputs", F_MAP, false, "runbook: inputs", NULL, NULL},
    {"hooks", F_MAP, false, "hook file: its rights", NULL, NULL},
    {"require", F_MAP, false, "what must be so in git before anything is run", require_fields, NULL},
    {0},
};

struct reading {
    struct arena *arena;
    struct site *site;
    struct err *err;
    bool (*check_url)(const char *url, const char **why);
};

static const char *path_in(struct reading *r, const struct val *map, const char *key) {
    const char *s = val_get_str(map, key, NULL);
    return s ? path_join(r->arena, r->site->dir, s) : NULL;
}

static const char *url_in(struct reading *r, const struct val *v) {
    const char *why = NULL;
    if (!val_cstr(v)) {
        err_add(r->err, v->mark, "wrong-type", "a way to an engine is a string, and this is %s", val_kind_name(v->kind));
        return NULL;
    }
    if (r->check_url && !r->check_url(val_cstr(v), &why)) {
        struct diag *d = err_add(r->err, v->mark, "bad-url", "'%s' is no way to an engine: %s", val_cstr(v), why);
        diag_note(r->err, d, "accepted: unix://PATH, tcp://HOST:PORT, ssh://[USER@]HOST[:PORT][/PATH]");
        return NULL;
    }
    return val_cstr(v);
}

static void read_node(struct reading *r, const struct val_pair *p, struct site_node *n) {
    *n = (struct site_node){.name = p->key, .mark = p->mark, .labels = val_map_new(r->arena)};
    n->engines = arena_array(r->arena, const char *, 1);
    if (!*p->key || p->key[strcspn(p->key, " ,[]#/\t\n")])
        err_add(r->err, p->mark, "bad-name", "'%s' cannot be the name of a node", p->key);
    if (!schema_check(p->val, node_fields, NULL, arena_printf(r->arena, "the node '%s'", p->key), r->err))
        return;
    const struct val *v = p->val, *engine = val_get(v, "engine"), *tls = val_get(v, "tls");
    const size_t count = val_is(engine, VAL_LIST) ? val_len(engine) : engine ? 1 : 0;
    n->engines = arena_array(r->arena, const char *, count + 1);
    size_t k = 0;
    for (size_t i = 0; i < count; i++) {
        const char *url = url_in(r, val_is(engine, VAL_LIST) ? val_at(engine, i) : engine);
        if (url)
            n->engines[k++] = url;
    }
    n->address = val_get_str(v, "address", NULL);
    n->ca = path_in(r, tls, "ca");
    n->cert = path_in(r, tls, "cert");
    n->key = path_in(r, tls, "key");
    n->tls_insecure = tls && !val_get_bool(tls, "verify", true);
    n->ssh_config = path_in(r, val_get(v, "ssh"), "config");
    if (!n->cert != !n->key)
        err_add(r->err, val_pair(v, "tls")->mark, "missing-key", "the node '%s' has one of 'cert' and 'key', and needs both", n->name);
    if (val_get(v, "labels"))
        n->labels = val_get(v, "labels");
}

/* Relative paths are relative to the file, so that a site can be used from anywhere. */
static const char *store_in(struct reading *r, const char *url) {
    static const char scheme[] = "sqlite:";
    const char *path = url + sizeof scheme - 1;
    if (strncmp(url, scheme, sizeof scheme - 1) || *path == '/' || *path == ':')
        return url;
    return arena_printf(r->arena, "%s%s", scheme, path_join(r->arena, r->site->dir, path));
}

static void read_library(struct reading *r, const struct val *list) {
    struct site *s = r->site;
    s->library = arena_array(r->arena, const char *, val_len(list) + 1);
    s->library_marks = arena_array(r->arena, struct mark, val_len(list) + 1);
    size_t n = 0;
    for (size_t i = 0; i < val_len(list); i++) {
        const struct val *v = val_at(list, i);
        if (!val_cstr(v)) {
            err_add(r->err, v->mark, "wrong-type", "a folder of the library is a string, and this is %s", val_kind_name(v->kind));
            continue;
        }
        s->library[n] = path_join(r->arena, s->dir, val_cstr(v));
        s->library_marks[n++] = v->mark;
    }
}

void site_rights_check(const struct val *rights, struct err *err) {
    for (size_t i = 0; i < val_len(rights); i++) {
        const struct val *v = val_at(rights, i);
        const char *s = val_cstr(v);
        if (s && right_is_one(s))
            continue;
        struct diag *d = err_add(err, v->mark, "unknown-right", "'%s' is no right that a hook can have", s ? s : val_kind_name(v->kind));
        diag_accepted(err, d, s ? s : "", right_word, right_words);
    }
}

static void read_hooks(struct reading *r, const struct val *hooks) {
    r->site->hooks = hooks;
    for (size_t i = 0; i < val_len(hooks); i++) {
        const struct val_pair *p = &hooks->map.pairs[i];
        if (val_is(p->val, VAL_LIST))
            site_rights_check(p->val, r->err);
        else
            err_add(r->err, p->val->mark, "wrong-type", "the rights of the hook '%s' are a list", p->key);
    }
}

/* "https://host[:port]" without a path: what is asked there is appended to it. */
static const char *https_url(struct reading *r, const struct val *map) {
    const struct val *v = val_get(map, "url");
    const char *s = val_cstr(v);
    if (!s)
        return NULL;
    size_t n = strlen(s);
    while (n && s[n - 1] == '/')
        n--;
    if (!strncmp(s, "https://", 8) && n > 8 && !memchr(s + 8, '/', n - 8) && !strpbrk(s, " \t@?#"))
        return arena_strndup(r->arena, s, n);
    struct diag *d = err_add(r->err, v->mark, "bad-url", "'%s' is not of the form https://host or https://host:port", s);
    diag_hint(r->err, d, "credentials are given as username and password, never in the URL");
    return NULL;
}

/* Where a password may come from. */
static const char **password_words(struct reading *r, const struct val *owner) {
    const struct val *from = val_get(val_get(owner, "password"), "from");
    const size_t n = val_is(from, VAL_LIST) ? val_len(from) : from ? 1 : 0;
    const char **out = arena_array(r->arena, const char *, n + 1);
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        const struct val *v = val_is(from, VAL_LIST) ? val_at(from, i) : from;
        const char *s = val_cstr(v);
        if (s && input_source_fits(s))
            out[k++] = s;
        else
            diag_accepted(r->err, err_add(r->err, v->mark, "unknown-source", "'%s' is no place where a password is found", s ? s : val_kind_name(v->kind)), s ? s : "",
                          input_sources, 4);
    }
    return out;
}

static void read_store(struct reading *r, const struct val *v) {
    struct site *s = r->site;
    const struct val *url = val_is(v, VAL_MAP) ? val_get(v, "url") : v;
    if (!val_cstr(url)) /* told by the schema */
        return;
    s->store = store_in(r, val_cstr(url));
    s->store_mark = url->mark;
    if (!val_is(v, VAL_MAP))
        return;
    struct site_store *a = arena_new_of(r->arena, struct site_store);
    *a = (struct site_store){.ca = path_in(r, v, "ca"), .cert = path_in(r, v, "cert"), .key = path_in(r, v, "key"), .username = val_get_str(v, "username", NULL),
                             .password_from = password_words(r, v)};
    if (!a->cert != !a->key)
        err_add(r->err, v->mark, "missing-key", "the store has one of 'cert' and 'key', and needs both");
    if (!a->username != !*a->password_from)
        err_add(r->err, v->mark, "missing-key", "the store has one of 'username' and 'password', and needs both");
    s->store_access = a;
}

static void read_enterprise(struct reading *r, const struct val *site) {
    const struct val *ucp = val_get(site, "ucp");
    if (ucp) {
        struct site_ucp *u = arena_new_of(r->arena, struct site_ucp);
        *u = (struct site_ucp){.url = https_url(r, ucp), .username = val_get_str(ucp, "username", NULL), .ca = path_in(r, ucp, "ca"),
                               .insecure = !val_get_bool(ucp, "verify", true)};
        u->password_from = password_words(r, ucp);
        r->site->ucp = u;
    }
    const struct val *dtr = val_get(site, "dtr");
    if (dtr) {
        struct site_dtr *d = arena_new_of(r->arena, struct site_dtr);
        *d = (struct site_dtr){.url = https_url(r, dtr), .ca = path_in(r, dtr, "ca"), .insecure = !val_get_bool(dtr, "verify", true)};
        r->site->dtr = d;
    }
}

bool site_load(struct arena *a, const char *path, bool (*check_url)(const char *url, const char **why), struct site **ret, struct err *err) {
    struct site *s = arena_new_of(a, struct site);
    struct reading r = {.arena = a, .site = s, .err = err, .check_url = check_url};
    const size_t errors = err->nerrors;
    const struct val *v;
    if (!file_read(a, path, NULL, max_site, &s->src, err) || !yaml_parse(a, s->src, NULL, &v, err) ||
        !schema_check(v, site_fields, NULL, "the site", err))
        return false;
    s->dir = path_dir(a, path);
    s->name = val_get_str(v, "site", "?");
    const struct val *nodes = val_get(v, "nodes");
    s->nodes = arena_array(a, struct site_node, val_len(nodes) + 1);
    for (size_t i = 0; i < val_len(nodes); i++)
        read_node(&r, &nodes->map.pairs[i], &s->nodes[s->nnodes++]);
    if (!s->nnodes)
        err_add(err, val_pair(v, "nodes")->mark, "no-nodes", "the site has no nodes");
    read_store(&r, val_get(v, "store"));
    read_library(&r, val_get(v, "library"));
    s->inputs = val_get(v, "inputs");
    for (size_t i = 0; i < val_len(s->inputs); i++)
        if (!val_is(s->inputs->map.pairs[i].val, VAL_MAP))
            err_add(err, s->inputs->map.pairs[i].mark, "wrong-type", "the inputs of a runbook are a map");
    read_hooks(&r, val_get(v, "hooks"));
    read_enterprise(&r, v);
    if (val_pair(v, "require"))
        s->require_mark = val_pair(v, "require")->mark;
    s->require_clean = val_get_bool(val_get(v, "require"), "clean", false);
    s->require_signed = val_get_bool(val_get(v, "require"), "signed", false);
    if (err->nerrors != errors)
        return false;
    *ret = s;
    return true;
}

struct site *site_none(struct arena *a) {
    struct site *s = arena_new_of(a, struct site);
    *s = (struct site){.name = "local", .dir = ".", .nodes = arena_array(a, struct site_node, 1), .nnodes = 1};
    s->nodes[0] = (struct site_node){.name = "local", .engines = arena_array(a, const char *, 1), .labels = val_map_new(a)};
    s->library = arena_array(a, const char *, 1);
    s->library_marks = arena_array(a, struct mark, 1);
    return s;
}

const struct site_node *site_node(const struct site *s, const char *name) {
    for (size_t i = 0; i < s->nnodes; i++)
        if (!strcmp(s->nodes[i].name, name))
            return &s->nodes[i];
    return NULL;
}

const struct val *site_nodes_val(const struct site *s, struct arena *a) {
    struct val *all = val_map_new(a);
    for (size_t i = 0; i < s->nnodes; i++) {
        struct val *n = val_map_new(a);
        val_map_set(a, n, "name", val_str(a, s->nodes[i].name));
        if (s->nodes[i].address)
            val_map_set(a, n, "address", val_str(a, s->nodes[i].address));
        val_map_set(a, n, "labels", s->nodes[i].labels);
        val_map_set(a, all, s->nodes[i].name, n);
    }
    return all;
}
