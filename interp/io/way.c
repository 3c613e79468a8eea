#include "io/way.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { our_major = 1, our_minor = 41 };
static const int64_t ping_ms = 5 * 1000, ssh_ready_ms = 15 * 1000, ssh_look_ms = 50;

static void try_endpoint(struct way *w);

void way_init(struct way *w) {
    buf_init(&w->why, 0);
    w->current = w->n;
}

void way_close(struct way *w) {
    if (w->ping)
        http_drop(w->ping);
    loop_timer_stop(w->loop, w->again);
    for (size_t i = 0; i < w->n; i++)
        endpoint_close(&w->endpoints[i]);
    buf_done(&w->why);
}

bool way_ready(const struct way *w) {
    return w->current < w->n;
}

void way_lost(struct way *w, size_t i) {
    if (w->current == i)
        w->current = w->n;
}

/* ---- what is asked of an endpoint ---- */

static void address(const struct way *w, const struct endpoint *e, const char *path, struct arena *a, struct http_spec *spec) {
    spec->ca = w->ca;
    spec->cert = w->cert;
    spec->key = w->key;
    spec->insecure = w->insecure;
    if (e->kind == ENDPOINT_TCP) {
        const bool tls = w->ca || w->cert || w->insecure, v6 = strchr(e->host, ':') != NULL;
        spec->url = arena_printf(a, "%s://%s%s%s:%s%s", tls ? "https" : "http", v6 ? "[" : "", e->host, v6 ? "]" : "", e->port, path);
    } else {
        spec->unix_socket = e->kind == ENDPOINT_UNIX ? e->path : e->local;
        spec->url = arena_printf(a, "http://engine%s", path);
    }
}

void way_address(const struct way *w, const char *path, struct arena *a, struct http_spec *spec) {
    address(w, &w->endpoints[w->current], arena_printf(a, "/%s%s", w->version, path), a, spec);
}

static void negotiate(struct way *w, const char *theirs) {
    int major, minor;
    if (!theirs || sscanf(theirs, "%d.%d", &major, &minor) != 2 || major != our_major || minor < 0 || minor > our_minor)
        minor = our_minor;
    snprintf(w->version, sizeof w->version, "v%d.%d", our_major, minor);
}

/* ---- the search ---- */

static void add_reason(struct buf *b, const struct endpoint *e, const char *why) {
    buf_printf(b, "%s%s: ", b->len ? "; " : "", e->url);
    for (; *why; why++) /* an answer may have several lines; it is told in one */
        buf_addc(b, (unsigned char)*why < ' ' ? ' ' : *why);
    while (b->data[b->len - 1] == ' ')
        b->data[--b->len] = 0;
}

void way_story(const struct way *w, struct buf *out) {
    buf_adds(out, w->why.data);
    if (w->finding)
        add_reason(out, &w->endpoints[w->trying], "no answer so far");
}

static void settle(struct way *w, size_t current) {
    w->finding = false;
    w->current = current;
    w->settled(w->ud);
}

static void try_next(struct way *w, enum http_failure failure, const char *why) {
    add_reason(&w->why, &w->endpoints[w->trying], why);
    w->failure = failure;
    if (++w->trying < w->n)
        try_endpoint(w);
    else
        settle(w, w->n);
}

static void ping(void *ud);

static void ssh_reason(struct endpoint *e, const struct http_result *r, char *why, size_t size) {
    if (e->ended)
        snprintf(why, size, "%s", e->why);
    else if (r->failure == HTTP_CONNECT)
        snprintf(why, size, "ssh was not through within %.0f s%s%s", (double)ssh_ready_ms / 1000, *e->said ? ": " : "", e->said);
    else
        snprintf(why, size, "ssh is through, but %s does not answer there: %s", e->path, *e->said ? e->said : r->message);
}

static void on_ping(void *ud, const struct http_result *r) {
    struct way *w = ud;
    struct endpoint *e = &w->endpoints[w->trying];
    char why[600];
    w->ping = NULL;
    if (r->failure == HTTP_OK && r->status == 200) {
        negotiate(w, r->api_version);
        settle(w, w->trying);
        return;
    }
    const bool ssh = e->kind == ENDPOINT_SSH, no_socket = ssh && r->failure == HTTP_CONNECT;
    if (no_socket && !e->ended && loop_now(w->loop) < w->try_until) {
        w->again = loop_timer(w->loop, ssh_look_ms, ping, w);
        return;
    }
    if (r->failure == HTTP_OK)
        snprintf(why, sizeof why, "GET /_ping answered %ld%s%.*s", r->status, r->len ? ": " : "", (int)(r->len > 200 ? 200 : r->len), r->body);
    else if (ssh)
        ssh_reason(e, r, why, sizeof why);
    else
        snprintf(why, sizeof why, "%s", r->message);
    if (no_socket)
        endpoint_close(e); /* it hangs somewhere before it is through; the next search starts another */
    try_next(w, r->failure == HTTP_OK ? HTTP_BROKEN : r->failure, why);
}

static void ping(void *ud) {
    struct way *w = ud;
    struct arena *a = arena_new();
    struct http_spec spec = {.method = "GET", .timeout_ms = ping_ms, .max_body = 64 * 1024, .done = on_ping, .ud = w};
    address(w, &w->endpoints[w->trying], "/_ping", a, &spec);
    w->again = 0;
    w->ping = http_start(w->http, &spec);
    arena_free(a);
}

/* The path of a new socket; NULL with errno if there cannot be one. A folder that is there already may be somebody else's: never used. */
static const char *new_socket(struct way *w) {
    struct way_folder *f = w->folder;
    if (!f->made && mkdir(f->path, 0700)) {
        if (errno != EEXIST)
            return NULL;
        char *other = arena_printf(w->arena, "%s-XXXXXX", f->path);
        if (!mkdtemp(other))
            return NULL;
        f->path = other;
    }
    f->made = true;
    return arena_printf(w->arena, "%s/%zu.sock", f->path, f->sockets++);
}

static void no_folder(void *ud) {
    struct way *w = ud;
    char why[600];
    snprintf(why, sizeof why, "no folder for its socket, %s: %s", w->folder->path, w->endpoints[w->trying].why);
    w->again = 0;
    try_next(w, HTTP_CONNECT, why);
}

static void try_endpoint(struct way *w) {
    struct endpoint *e = &w->endpoints[w->trying];
    if (e->kind == ENDPOINT_SSH) {
        const char *local = e->local ? e->local : new_socket(w);
        if (!local) {
            snprintf(e->why, sizeof e->why, "%s", strerror(errno));
            w->again = loop_timer(w->loop, 0, no_folder, w);
            return;
        }
        w->try_until = loop_now(w->loop) + ssh_ready_ms;
        endpoint_forward(e, w->loop, w->arena, local, w->ssh_config);
    }
    ping(w);
}

void way_find(struct way *w) {
    if (w->finding)
        return;
    w->finding = true;
    w->current = w->n;
    w->trying = 0;
    buf_clear(&w->why);
    try_endpoint(w);
}
