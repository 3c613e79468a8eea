#include "io/engines.h"

#include "base/map.h"
#include "io/way.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const int64_t default_timeout_ms = 30 * 1000;

struct engine_request {
    struct node *node;
    struct engine_request *next, *prev; /* of the node */
    char *method, *path, *body, *body_file, *to_file;
    int64_t deadline;
    void (*done)(void *ud, const struct http_result *r);
    void (*connected)(void *ud, struct http_request *connection, const char *prefix);
    void *ud;
    struct http_request *http; /* under way */
    size_t endpoint;           /* by which it went */
    uint64_t timer;            /* of the deadline while a way in is looked for, or of an end without any */
    bool waiting, failing, retried, cancelled;
};

struct node {
    struct engines *engines;
    const char *name;
    struct way way;
    struct engine_request *requests;
};

struct engines {
    struct loop *loop;
    struct http *http;
    struct arena *arena;
    struct way_folder folder;
    struct map *nodes;
    struct node nowhere; /* for calls to a node that is not there */
};

static void on_settled(void *ud);

/* ---- the inventory ---- */

struct engines *engines_new(struct loop *l, struct http *h, const char *runtime_dir) {
    struct arena *a = arena_new();
    struct engines *e = arena_new_of(a, struct engines);
    *e = (struct engines){.loop = l, .http = h, .arena = a, .folder = {.path = arena_strdup(a, runtime_dir)}, .nodes = map_new(a)};
    e->nowhere.engines = e;
    return e;
}

static const char *kept(struct engines *e, const char *s) {
    return s ? arena_strdup(e->arena, s) : NULL;
}

void engines_add(struct engines *e, const struct engine_spec *spec) {
    struct node *n = arena_new_of(e->arena, struct node);
    *n = (struct node){.engines = e, .name = arena_strdup(e->arena, spec->name)};
    struct way *w = &n->way;
    *w = (struct way){.loop = e->loop, .http = e->http, .arena = e->arena, .folder = &e->folder, .ca = kept(e, spec->ca),
                      .cert = kept(e, spec->cert), .key = kept(e, spec->key), .ssh_config = kept(e, spec->ssh_config),
                      .insecure = spec->insecure, .settled = on_settled, .ud = n};
    size_t count = 0;
    while (spec->endpoints && spec->endpoints[count])
        count++;
    w->endpoints = arena_array(e->arena, struct endpoint, count + 1);
    for (size_t i = 0; i < count; i++) {
        const char *why; /* was told when the site was checked */
        if (endpoint_parse(e->arena, spec->endpoints[i], &w->endpoints[w->n], &why))
            w->n++;
    }
    way_init(w);
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
    *(r->prev ? &r->prev->next : &r->node->requests) = r->next;
    if (r->next)
        r->next->prev = r->prev;
    loop_timer_stop(r->node->engines->loop, r->timer);
    free(r->method);
    free(r->path);
    free(r->body);
    free(r->body_file);
    free(r->to_file);
    free(r);
}

static void request_fail(struct engine_request *r, enum http_failure failure, const char *message) {
    const struct http_result result = {.failure = failure, .message = message, .body = ""};
    r->done(r->ud, &result);
    request_free(r);
}

static void request_wait(struct engine_request *r);

static void on_answer(void *ud, const struct http_result *result) {
    struct engine_request *r = ud;
    const enum http_failure f = result->failure;
    struct http_request *http = r->http;
    r->http = NULL;
    if (r->connected && f == HTTP_OK) {
        char prefix[32];
        snprintf(prefix, sizeof prefix, "/%s", r->node->way.version);
        r->connected(r->ud, http, prefix);
        request_free(r);
        return;
    }
    const bool broken = f == HTTP_CONNECT || f == HTTP_TLS || f == HTTP_RESOLVE || f == HTTP_BROKEN || f == HTTP_TIMEOUT;
    if (broken)
        way_lost(&r->node->way, r->endpoint);
    if (broken && !result->sent && !r->retried && loop_now(r->node->engines->loop) < r->deadline) {
        r->retried = true; /* nothing has reached the engine, so another way may be tried */
        request_wait(r);
        return;
    }
    r->done(r->ud, result);
    request_free(r);
}

static void request_send(struct engine_request *r) {
    const struct way *w = &r->node->way;
    struct engines *e = r->node->engines;
    r->waiting = false;
    r->endpoint = w->current;
    loop_timer_stop(e->loop, r->timer);
    r->timer = 0;
    struct arena *a = arena_new();
    static const char *const json[] = {"Content-Type: application/json", NULL}, *const tar[] = {"Content-Type: application/x-tar", NULL};
    const int64_t left = r->deadline - loop_now(e->loop);
    struct http_spec spec = {.method = r->method, .headers = r->body_file ? tar : r->body ? json : NULL, .body = r->body, .len = r->body ? strlen(r->body) : 0,
                             .body_file = r->body_file, .to_file = r->to_file,
                             .timeout_ms = left > 1 ? left : 1, .connect_only = r->connected != NULL, .done = on_answer, .ud = r};
    way_address(w, r->path, a, &spec);
    r->http = http_start(e->http, &spec);
    arena_free(a);
}

static void on_deadline(void *ud) {
    struct engine_request *r = ud;
    struct buf story = BUF_INIT, message = BUF_INIT;
    r->timer = 0;
    way_story(&r->node->way, &story);
    buf_printf(&message, "no way to the engine was found in time: %s", story.data);
    request_fail(r, HTTP_TIMEOUT, message.data);
    buf_done(&story);
    buf_done(&message);
}

static void request_wait(struct engine_request *r) {
    struct node *n = r->node;
    const int64_t left = r->deadline - loop_now(n->engines->loop);
    r->waiting = true;
    r->timer = loop_timer(n->engines->loop, left > 0 ? left : 0, on_deadline, r);
    way_find(&n->way);
}

/* The search for a node's way has ended, for all that wait. A callback may start and cancel other requests, also of this node. */
static void on_settled(void *ud) {
    struct node *n = ud;
    if (way_ready(&n->way)) {
        for (struct engine_request *r = n->requests; r; r = r->next)
            if (r->waiting)
                request_send(r);
        return;
    }
    char *why = mem_strdup(n->way.why.data);
    const enum http_failure failure = n->way.failure;
    for (struct engine_request *r = n->requests; r; r = r->next) {
        r->failing |= r->waiting;
        r->waiting = false;
    }
    for (struct engine_request *r = n->requests; r;) {
        if (!r->failing) {
            r = r->next;
            continue;
        }
        request_fail(r, failure, why);
        r = n->requests;
    }
    free(why);
}

static void on_no_way(void *ud) {
    struct engine_request *r = ud;
    r->timer = 0;
    if (r->cancelled)
        request_fail(r, HTTP_CANCELLED, "cancelled");
    else
        request_fail(r, HTTP_CONNECT, r->node->name ? "the site names no way to its engine" : "there is no such node");
}

struct engine_request *engines_call(struct engines *e, const struct engine_call *call) {
    struct node *n = map_get(e->nodes, call->node);
    if (!n)
        n = &e->nowhere;
    struct engine_request *r = mem_alloc(sizeof *r);
    *r = (struct engine_request){.node = n, .next = n->requests, .method = mem_strdup(call->connected ? "GET" : call->method),
                                 .path = mem_strdup(call->connected ? "/" : call->path), .body = call->body ? mem_strdup(call->body) : NULL,
                                 .body_file = call->body_file ? mem_strdup(call->body_file) : NULL, .to_file = call->to_file ? mem_strdup(call->to_file) : NULL,
                                 .done = call->done, .connected = call->connected, .ud = call->ud};
    r->deadline = loop_now(e->loop) + (call->timeout_ms > 0 ? call->timeout_ms : default_timeout_ms);
    if (n->requests)
        n->requests->prev = r;
    n->requests = r;
    if (!n->way.n)
        r->timer = loop_timer(e->loop, 0, on_no_way, r);
    else if (way_ready(&n->way))
        request_send(r);
    else
        request_wait(r);
    return r;
}

void engines_cancel(struct engine_request *r) {
    if (r->cancelled)
        return;
    r->cancelled = true;
    if (r->http) {
        http_cancel(r->http);
        return;
    }
    struct loop *l = r->node->engines->loop;
    r->waiting = r->failing = false;
    loop_timer_stop(l, r->timer);
    r->timer = loop_timer(l, 0, on_no_way, r);
}

/* ---- commands on the node ---- */

static const struct endpoint *shell_endpoint(const struct node *n) {
    for (size_t i = 0; n && i < n->way.n; i++)
        if (n->way.endpoints[i].kind != ENDPOINT_TCP)
            return &n->way.endpoints[i];
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
    size_t k = endpoint_ssh_words(ep, a, n->way.ssh_config, count + 2, &words);
    words[k++] = ep->host;
    words[k++] = "--";
    for (size_t i = 0; i < count; i++)
        words[k++] = quoted(a, argv[i]);
    return words;
}

/* ---- the end ---- */

static void drop_requests(struct node *n) { /* whoever asked has gone */
    while (n->requests) {
        if (n->requests->http)
            http_drop(n->requests->http);
        request_free(n->requests);
    }
}

void engines_free(struct engines *e) {
    for (struct map_iter it = map_iter(e->nodes); map_next(&it);) {
        struct node *n = it.value;
        drop_requests(n);
        way_close(&n->way);
    }
    drop_requests(&e->nowhere);
    if (e->folder.made)
        rmdir(e->folder.path);
    arena_free(e->arena);
}
