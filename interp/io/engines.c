#include "io/engines.h"

#include "base/map.h"
#include "io/endpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { our_major = 1, our_minor = 41 };
static const int64_t default_timeout_ms = 30 * 1000, ping_ms = 5 * 1000, ssh_ready_ms = 15 * 1000, ssh_look_ms = 100;

struct engine_request {
    struct engines *engines;
    struct node *node;
    struct engine_request *next, *prev; /* all of them */
    char *method, *path, *body;
    int64_t deadline;
    void (*done)(void *ud, const struct http_result *r);
    void *ud;
    struct http_request *http; /* under way */
    uint64_t timer;            /* of the deadline while a way in is looked for, or of a cancellation */
    bool waiting, retried, cancelled;
};

struct node {
    struct engines *engines;
    const char *name;
    struct endpoint *endpoints;
    size_t n;
    const char *ca, *cert, *key, *ssh_config;
    bool insecure;
    /* the way in */
    size_t current;    /* n: none yet */
    char version[16];  /* "v1.41" */
    bool finding;
    size_t trying;
    int64_t try_until; /* of the endpoint that is tried */
    struct buf why;    /* of each endpoint that did not answer */
    enum http_failure failure;
};

struct engines {
    struct loop *loop;
    struct http *http;
    struct arena *arena;
    const char *runtime_dir;
    bool dir_made;
    struct map *nodes;
    struct engine_request *all;
};

/* ---- the inventory ---- */

struct engines *engines_new(struct loop *l, struct http *h, const char *runtime_dir) {
    struct arena *a = arena_new();
    struct engines *e = arena_new_of(a, struct engines);
    *e = (struct engines){.loop = l, .http = h, .arena = a, .runtime_dir = arena_strdup(a, runtime_dir), .nodes = map_new(a)};
    return e;
}

static const char *kept(struct engines *e, const char *s) {
    return s ? arena_strdup(e->arena, s) : NULL;
}

void engines_add(struct engines *e, const struct engine_spec *spec) {
    struct node *n = arena_new_of(e->arena, struct node);
    *n = (struct node){.engines = e, .name = arena_strdup(e->arena, spec->name), .ca = kept(e, spec->ca), .cert = kept(e, spec->cert),
                       .key = kept(e, spec->key), .ssh_config = kept(e, spec->ssh_config), .insecure = spec->insecure};
    buf_init(&n->why, 0);
    size_t count = 0;
    while (spec->endpoints && spec->endpoints[count])
        count++;
    n->endpoints = arena_array(e->arena, struct endpoint, count + 1);
    for (size_t i = 0; i < count; i++) {
        const char *why;
        if (endpoint_parse(e->arena, spec->endpoints[i], &n->endpoints[n->n], &why))
            n->n++;
    }
    n->current = n->n;
    map_put(e->nodes, n->name, n);
}

void engines_add_from_env(struct engines *e, const char *name, const char *host, const char *tls_verify, const char *cert_path) {
    const char *endpoints[] = {host && *host ? host : "unix:///var/run/docker.sock", NULL};
    struct engine_spec spec = {.name = name, .endpoints = endpoints};
    if (tls_verify && *tls_verify && !strncmp(endpoints[0], "tcp://", 6)) {
        const char *home = getenv("HOME");
        const char *dir = cert_path && *cert_path ? cert_path : arena_printf(e->arena, "%s/.docker", home ? home : "");
        spec.ca = arena_printf(e->arena, "%s/ca.pem", dir);
        spec.cert = arena_printf(e->arena, "%s/cert.pem", dir);
        spec.key = arena_printf(e->arena, "%s/key.pem", dir);
    }
    engines_add(e, &spec);
}

bool engines_has(const struct engines *e, const char *name) {
    return map_get(e->nodes, name) != NULL;
}

bool engines_check_url(const char *url, const char **why) {
    struct arena *a = arena_new();
    struct endpoint e;
    const bool ok = endpoint_parse(a, url, &e, why); /* the reasons are literals */
    arena_free(a);
    return ok;
}

/* ---- requests ---- */

static void request_free(struct engine_request *r) {
    *(r->prev ? &r->prev->next : &r->engines->all) = r->next;
    if (r->next)
        r->next->prev = r->prev;
    loop_timer_stop(r->engines->loop, r->timer);
    free(r->method);
    free(r->path);
    free(r->body);
    free(r);
}

static void request_fail(struct engine_request *r, enum http_failure failure, const char *message) {
    const struct http_result result = {.failure = failure, .message = message, .body = ""};
    r->done(r->ud, &result);
    request_free(r);
}

static void find_way(struct node *n);

static bool has_tls(const struct node *n) {
    return n->ca || n->cert || n->insecure;
}

/* The URL and the socket by which an endpoint is spoken to. */
static const char *base_url(struct arena *a, const struct node *n, const struct endpoint *e, const char **ret_socket) {
    *ret_socket = e->kind == ENDPOINT_UNIX ? e->path : e->kind == ENDPOINT_SSH ? e->local : NULL;
    if (e->kind != ENDPOINT_TCP)
        return "http://engine";
    const bool v6 = strchr(e->host, ':') != NULL;
    return arena_printf(a, "%s://%s%s%s:%s", has_tls(n) ? "https" : "http", v6 ? "[" : "", e->host, v6 ? "]" : "", e->port);
}

static void request_wait(struct engine_request *r);

static void on_answer(void *ud, const struct http_result *result) {
    struct engine_request *r = ud;
    struct node *n = r->node;
    r->http = NULL;
    const bool no_way = !result->sent && (result->failure == HTTP_CONNECT || result->failure == HTTP_TLS || result->failure == HTTP_RESOLVE ||
                                          result->failure == HTTP_BROKEN || result->failure == HTTP_TIMEOUT);
    if (no_way) {
        n->current = n->n; /* looked for again, once for this call */
        if (!r->retried && !r->cancelled && loop_now(r->engines->loop) < r->deadline) {
            r->retried = true;
            request_wait(r);
            return;
        }
    }
    r->done(r->ud, result);
    request_free(r);
}

static void request_send(struct engine_request *r) {
    struct node *n = r->node;
    struct engines *e = r->engines;
    const struct endpoint *ep = &n->endpoints[n->current];
    r->waiting = false;
    loop_timer_stop(e->loop, r->timer);
    r->timer = 0;
    struct arena *a = arena_new();
    static const char *const json[] = {"Content-Type: application/json", NULL};
    const char *socket;
    const char *base = base_url(a, n, ep, &socket);
    const int64_t left = r->deadline - loop_now(e->loop);
    const struct http_spec spec = {.method = r->method, .url = arena_printf(a, "%s/%s%s", base, n->version, r->path), .unix_socket = socket,
                                   .headers = r->body ? json : NULL, .body = r->body, .len = r->body ? strlen(r->body) : 0,
                                   .ca = n->ca, .cert = n->cert, .key = n->key, .insecure = n->insecure, .timeout_ms = left > 1 ? left : 1,
                                   .done = on_answer, .ud = r};
    r->http = http_start(e->http, &spec);
    arena_free(a);
}

static void on_deadline(void *ud) {
    struct engine_request *r = ud;
    r->timer = 0;
    request_fail(r, r->cancelled ? HTTP_CANCELLED : HTTP_TIMEOUT, r->cancelled ? "cancelled" : "no way to the engine was found in time");
}

static void request_wait(struct engine_request *r) {
    const int64_t left = r->deadline - loop_now(r->engines->loop);
    r->waiting = true;
    r->timer = loop_timer(r->engines->loop, left > 0 ? left : 0, on_deadline, r);
    find_way(r->node);
}

static void on_unknown_node(void *ud) {
    struct engine_request *r = ud;
    r->timer = 0;
    request_fail(r, r->cancelled ? HTTP_CANCELLED : HTTP_CONNECT, r->node ? "the site names no way to its engine" : "there is no such node");
}

struct engine_request *engines_call(struct engines *e, const struct engine_call *call) {
    struct engine_request *r = mem_alloc(sizeof *r);
    *r = (struct engine_request){.engines = e, .node = map_get(e->nodes, call->node), .next = e->all, .method = mem_strdup(call->method),
                                 .path = mem_strdup(call->path), .body = call->body ? mem_strdup(call->body) : NULL, .done = call->done, .ud = call->ud};
    r->deadline = loop_now(e->loop) + (call->timeout_ms > 0 ? call->timeout_ms : default_timeout_ms);
    if (e->all)
        e->all->prev = r;
    e->all = r;
    if (!r->node || !r->node->n)
        r->timer = loop_timer(e->loop, 0, on_unknown_node, r);
    else if (r->node->current < r->node->n)
        request_send(r);
    else
        request_wait(r);
    return r;
}

void engines_cancel(struct engine_request *r) {
    r->cancelled = true;
    if (r->http) {
        http_cancel(r->http);
        return;
    }
    r->waiting = false;
    loop_timer_stop(r->engines->loop, r->timer);
    r->timer = loop_timer(r->engines->loop, 0, on_deadline, r);
}

/* ---- finding a way in: one endpoint after the other, once for all that wait ---- */

static void try_endpoint(struct node *n);

static void negotiate(struct node *n, const char *theirs) {
    int major = our_major, minor = our_minor;
    if (!theirs || sscanf(theirs, "%d.%d", &major, &minor) != 2 || major != our_major || minor > our_minor)
        minor = our_minor;
    snprintf(n->version, sizeof n->version, "v%d.%d", our_major, minor);
}

static void found(struct node *n) {
    n->finding = false;
    n->current = n->trying;
    for (struct engine_request *r = n->engines->all, *next; r; r = next) {
        next = r->next;
        if (r->node == n && r->waiting)
            request_send(r);
    }
}

static void not_found(struct node *n) {
    n->finding = false;
    struct engine_request *r;
    do { /* a callback may start and stop others */
        for (r = n->engines->all; r && !(r->node == n && r->waiting); r = r->next) {
        }
        if (r) {
            r->waiting = false;
            request_fail(r, n->failure, n->why.data);
        }
    } while (r && !n->finding);
}

static void try_next(struct node *n, enum http_failure failure, const char *why) {
    const struct endpoint *e = &n->endpoints[n->trying];
    buf_printf(&n->why, "%s%s: %s", n->why.len ? "; " : "", e->url, why);
    n->failure = failure;
    if (++n->trying < n->n)
        try_endpoint(n);
    else
        not_found(n);
}

static void try_again(void *ud);

static void on_ping(void *ud, const struct http_result *r) {
    struct node *n = ud;
    struct endpoint *e = &n->endpoints[n->trying];
    char why[400];
    if (r->failure == HTTP_OK && r->status == 200) {
        negotiate(n, r->api_version);
        found(n);
        return;
    }
    if (e->kind == ENDPOINT_SSH && !e->ended && loop_now(n->engines->loop) < n->try_until) {
        loop_timer(n->engines->loop, ssh_look_ms, try_again, n); /* the forward is not there yet */
        return;
    }
    if (e->kind == ENDPOINT_SSH && e->ended)
        snprintf(why, sizeof why, "%s", e->why);
    else if (r->failure == HTTP_OK)
        snprintf(why, sizeof why, "GET /_ping answered %ld%s%.*s", r->status, r->len ? ": " : "", (int)(r->len > 200 ? 200 : r->len), r->body);
    else
        snprintf(why, sizeof why, "%s", r->message);
    try_next(n, r->failure == HTTP_OK ? HTTP_BROKEN : r->failure, why);
}

static void ping(struct node *n) {
    struct arena *a = arena_new();
    const struct endpoint *e = &n->endpoints[n->trying];
    const char *socket;
    const char *base = base_url(a, n, e, &socket);
    const struct http_spec spec = {.method = "GET", .url = arena_printf(a, "%s/_ping", base), .unix_socket = socket, .ca = n->ca, .cert = n->cert,
                                   .key = n->key, .insecure = n->insecure, .timeout_ms = ping_ms, .done = on_ping, .ud = n};
    http_start(n->engines->http, &spec);
    arena_free(a);
}

static void try_again(void *ud) {
    ping(ud);
}

static const char *local_socket(struct node *n) {
    struct engines *e = n->engines;
    if (!e->dir_made) {
        mkdir(e->runtime_dir, 0700);
        e->dir_made = true;
    }
    return arena_printf(e->arena, "%s/%s-%zu.sock", e->runtime_dir, n->name, n->trying);
}

static void try_endpoint(struct node *n) {
    struct endpoint *e = &n->endpoints[n->trying];
    n->try_until = loop_now(n->engines->loop) + (e->kind == ENDPOINT_SSH ? ssh_ready_ms : ping_ms);
    if (e->kind == ENDPOINT_SSH)
        endpoint_forward(e, n->engines->loop, n->engines->arena, e->local ? e->local : local_socket(n), n->ssh_config);
    ping(n);
}

static void find_way(struct node *n) {
    if (n->finding)
        return;
    n->finding = true;
    n->trying = 0;
    buf_clear(&n->why);
    try_endpoint(n);
}

/* ---- commands on the node ---- */

static const struct endpoint *shell_endpoint(const struct node *n) {
    for (size_t i = 0; n && i < n->n; i++)
        if (n->endpoints[i].kind != ENDPOINT_TCP)
            return &n->endpoints[i];
    return NULL;
}

enum engine_shell engines_shell(const struct engines *e, const char *node) {
    const struct endpoint *ep = shell_endpoint(map_get(e->nodes, node));
    return !ep ? SHELL_NONE : ep->kind == ENDPOINT_UNIX ? SHELL_LOCAL : SHELL_SSH;
}

/* A word for the remote shell, which sees one line. */
static const char *quoted(struct arena *a, const char *word) {
    struct buf b = BUF_INIT;
    buf_addc(&b, '\'');
    for (; *word; word++)
        if (*word == '\'')
            buf_adds(&b, "'\\''");
        else
            buf_addc(&b, *word);
    buf_addc(&b, '\'');
    const char *s = arena_strdup(a, b.data);
    buf_done(&b);
    return s;
}

const char *const *engines_argv(const struct engines *e, const char *node, const char *const *argv, struct arena *a) {
    const struct node *n = map_get(e->nodes, node);
    const struct endpoint *ep = shell_endpoint(n);
    if (!ep)
        return NULL;
    if (ep->kind == ENDPOINT_UNIX)
        return argv;
    size_t count = 0;
    while (argv[count])
        count++;
    const char **words;
    size_t k = endpoint_ssh_words(ep, a, n->ssh_config, count + 2, &words);
    words[k++] = ep->host;
    words[k++] = "--";
    for (size_t i = 0; i < count; i++)
        words[k++] = quoted(a, argv[i]);
    return words;
}

/* ---- the end ---- */

static void ignore(void *ud, const struct http_result *r) {
    (void)ud, (void)r;
}

void engines_free(struct engines *e) {
    for (struct engine_request *r = e->all; r; r = r->next)
        r->done = ignore; /* whoever asked has gone */
    for (struct map_iter it = map_iter(e->nodes); map_next(&it);) {
        struct node *n = it.value;
        for (size_t i = 0; i < n->n; i++) {
            if (n->endpoints[i].ssh)
                process_cancel(n->endpoints[i].ssh);
            while (n->endpoints[i].ssh && loop_once(e->loop)) { /* at most its grace of a second */
            }
            if (n->endpoints[i].local)
                unlink(n->endpoints[i].local);
        }
        buf_done(&n->why);
    }
    while (e->all)
        request_free(e->all);
    if (e->dir_made)
        rmdir(e->runtime_dir);
    arena_free(e->arena);
}
