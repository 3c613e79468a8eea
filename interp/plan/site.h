/* site.h: one site.yaml: the inventory, defaults, where the journal lives, what hooks may do. */
#ifndef PLAN_SITE_H
#define PLAN_SITE_H

#include "base/map.h"
#include "value/schema.h"

struct site_node {
    const char *name;
    struct mark mark;
    const char **engines; /* endpoint URLs in order, ended by NULL; empty: none */
    const char *address;  /* or NULL */
    const char *ca, *cert, *key; /* paths, already relative to the working directory; or NULL */
    bool tls_insecure;    /* tls: { verify: false } */
    const char *ssh_config; /* path or NULL */
    const struct val *labels; /* map, maybe empty */
};

struct site_ucp {
    const char *url;       /* "https://ucp.example:443", without a path */
    const char *username;  /* or NULL */
    const char **password_from; /* "env:NAME", "file:PATH" (relative to dir), "command:WORDS", "prompt", as written, in order, ended by NULL */
    const char *ca;        /* file, or NULL */
    bool insecure;         /* verify: false */
};

/* How a journal on the network is reached. */
struct site_store {
    const char *ca, *cert, *key;  /* files, or NULL */
    const char *username;         /* or NULL */
    const char **password_from;   /* as that of UCP; empty: none */
};

struct site_dtr {
    const char *url;       /* "https://dtr.example", without a path */
    const char *ca;        /* file, or NULL */
    bool insecure;         /* verify: false */
};

struct site {
    const char *name;       /* "production"; "local" without a file */
    const struct source *src; /* NULL without a file */
    const char *dir;        /* paths in the file are relative to it */
    struct site_node *nodes;
    size_t nnodes;
    const char *store;      /* URL with its path made relative to the working directory, or NULL */
    struct mark store_mark;
    const struct site_store *store_access; /* NULL where the store is only a URL */
    const char **library;   /* folders, in order, ended by NULL */
    struct mark *library_marks;
    const struct val *inputs; /* runbook name → map of inputs, or NULL */
    const struct val *hooks;  /* hook file → list of rights, or NULL */
    bool require_clean, require_signed; /* what must be so in git before anything is run */
    struct mark require_mark;
    const struct site_ucp *ucp; /* or NULL */
    const struct site_dtr *dtr; /* or NULL */
};

extern const struct field site_fields[];

/* Reads and checks one. Endpoint URLs are checked through check_url (io/ lies below another folder, so the caller hands it in; may be NULL). */
bool site_load(struct arena *a, const char *path, bool (*check_url)(const char *url, const char **why), struct site **ret, struct err *err);
/* The words of a list of rights (code unknown-right). */
void site_rights_check(const struct val *rights, struct err *err);
/* The site without a file: one node "local" with no endpoint. */
struct site *site_none(struct arena *a);
const struct site_node *site_node(const struct site *s, const char *name);
/* {name → {name, address, labels}}: what tasks and expressions see; no endpoints, no secrets. */
const struct val *site_nodes_val(const struct site *s, struct arena *a);

#endif
