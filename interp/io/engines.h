/* engines.h: the Docker engines of an inventory and the ways to reach them.
 *
 * A node has one or more endpoints, tried in order: unix://PATH, tcp://HOST:PORT (TLS if the node has TLS files), ssh://[USER@]HOST[:PORT][/PATH].
 * The first that answers GET /_ping is kept until a connection to it fails. The API version is negotiated once per endpoint: the lower
 * of ours and the engine's. An ssh endpoint is `ssh -N -L` to the remote socket with BatchMode, ExitOnForwardFailure and strict host
 * keys; it is ready when /_ping answers through it and ends when we end. */
#ifndef IO_ENGINES_H
#define IO_ENGINES_H

#include "base/arena.h"
#include "io/http.h"
#include "io/process.h"

struct engine_spec {
    const char *name;               /* node name of the inventory */
    const char *const *endpoints;   /* URLs, ended by NULL */
    const char *ca, *cert, *key;    /* files for TLS, or NULL */
    bool insecure;                  /* TLS without verification, said by the site in so many words */
    const char *ssh_config;         /* file for ssh -F, or NULL */
};

struct engines;

/* All copied. runtime_dir is a private folder (0700) for forwarded sockets; created when first needed, removed by engines_free. */
struct engines *engines_new(struct loop *l, struct http *h, const char *runtime_dir);
void engines_free(struct engines *e); /* ends the ssh forwards */
void engines_add(struct engines *e, const struct engine_spec *spec);
/* From DOCKER_HOST, DOCKER_TLS_VERIFY, DOCKER_CERT_PATH (all may be NULL: then unix:///var/run/docker.sock). */
void engines_add_from_env(struct engines *e, const char *name, const char *host, const char *tls_verify, const char *cert_path);
bool engines_has(const struct engines *e, const char *name);

struct engine_call {
    const char *node;
    const char *method, *path;   /* "/nodes?filters=…", without the version prefix */
    const char *body;            /* JSON text, or NULL */
    const char *body_file;       /* instead of it: an archive (application/x-tar) that is streamed; or NULL */
    const char *to_file;         /* for the answer's body, as in http.h; or NULL */
    int64_t timeout_ms;          /* default 30 s; includes finding a way in */
    void (*done)(void *ud, const struct http_result *r);
    /* If set, only a connection is wanted: method, path and body do not matter, and done comes only if there is none. The connection (see http_fd)
     * is the asker's, to be dropped before engines_free; prefix is the version that paths begin with, as "/v1.41". */
    void (*connected)(void *ud, struct http_request *connection, const char *prefix);
    void *ud;
};
struct engine_request;
struct engine_request *engines_call(struct engines *e, const struct engine_call *call);
void engines_cancel(struct engine_request *r);

/* How commands and files on the node can be reached: locally (unix:// endpoint), over ssh, or not at all. */
enum engine_shell { SHELL_NONE, SHELL_LOCAL, SHELL_SSH };
enum engine_shell engines_shell(const struct engines *e, const char *node);
/* argv with the ssh words in front where needed; arguments are quoted for the remote shell. NULL for SHELL_NONE. Owned by the arena. */
const char *const *engines_argv(const struct engines *e, const char *node, const char *const *argv, struct arena *a);

/* Whether a URL is a way to an engine; if not, *why says what is wrong. Asks no network. */
bool engines_check_url(const char *url, const char **why);

#endif
