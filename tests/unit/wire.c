#include "wire.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { max_clients = 256, max_request = 1 << 18 };

struct client {
    int fd;
    char *text;
    size_t len;
    bool once;  /* closes at its next request */
    bool stuck; /* answers nothing any more */
};

struct wire {
    struct wire_spec spec;
    pthread_t thread;
    int listener, stop[2], port;
    char path[108], version[32];
    struct client clients[max_clients];
    size_t n;
    atomic_int connections, requests, pings;
};

static void drop(struct wire *w, size_t i) {
    close(w->clients[i].fd);
    free(w->clients[i].text);
    w->clients[i] = w->clients[--w->n];
}

static void send_all(const struct client *c, const char *data, size_t len) {
    while (len) {
        const ssize_t n = send(c->fd, data, len, MSG_NOSIGNAL);
        if (n <= 0)
            return; /* the client has gone */
        data += n;
        len -= (size_t)n;
    }
}

static void head(const struct wire *w, const struct client *c, int status, size_t len) {
    char text[400];
    const int n = snprintf(text, sizeof text, "HTTP/1.1 %d Word\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n%s%s%s%sContent-Length: %zu\r\n\r\n", status,
                           *w->version ? "Api-Version: " : "", w->version, *w->version ? "\r\n" : "", status == 302 ? "Location: /hello\r\n" : "", len);
    send_all(c, text, (size_t)n);
}

static void answer(const struct wire *w, const struct client *c, int status, const char *body, size_t len) {
    head(w, c, status, len);
    send_all(c, body, len);
}

static void large(const struct wire *w, const struct client *c, size_t len) {
    static const char block[4096] = {'x'};
    head(w, c, 200, len);
    for (size_t n; len; len -= n) {
        n = len < sizeof block ? len : sizeof block;
        send_all(c, block, n);
    }
}

/* false: the connection is to be closed */
static bool serve(struct wire *w, struct client *c) {
    char method[16] = "", path[256] = "";
    size_t size;
    int status;
    if (sscanf(c->text, "%15s %255s", method, path) != 2)
        return false;
    const char *p = strncmp(path, "/v1.", 4) ? path : strchr(path + 1, '/');
    if (!strcmp(p, "/_ping")) {
        atomic_fetch_add(&w->pings, 1);
        answer(w, c, w->spec.ping_status ? w->spec.ping_status : 200, "OK", 2);
        return true;
    }
    atomic_fetch_add(&w->requests, 1);
    if (c->once)
        return false;
    if (!strcmp(p, "/hello")) {
        answer(w, c, 200, "hello", strcmp(method, "HEAD") ? 5 : 0);
    } else if (!strcmp(p, "/request")) {
        answer(w, c, 200, c->text, c->len);
    } else if (!strcmp(p, "/once")) {
        c->once = true;
        answer(w, c, 200, "once", 4);
    } else if (!strcmp(p, "/chunked")) {
        const char text[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n7\r\n, world\r\n0\r\n\r\n";
        send_all(c, text, sizeof text - 1);
    } else if (!strcmp(p, "/redirect")) {
        answer(w, c, 302, "", 0);
    } else if (sscanf(p, "/large/%zu", &size) == 1) {
        large(w, c, size);
    } else if (sscanf(p, "/status/%d", &status) == 1) {
        answer(w, c, status, "{\"message\":\"as asked\"}", 22);
    } else if (!strcmp(p, "/silent")) {
        c->stuck = true;
    } else if (!strcmp(p, "/close")) {
        return false;
    } else {
        head(w, c, 200, 10);
        send_all(c, "half ", 5);
        c->stuck = !strcmp(p, "/half");
        if (!strcmp(p, "/reset")) {
            const struct linger now = {.l_onoff = 1};
            setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        }
        return c->stuck;
    }
    return true;
}

static bool whole(const struct client *c) {
    const char *end = strstr(c->text, "\r\n\r\n"), *length = strstr(c->text, "Content-Length: ");
    if (!end)
        return false;
    const size_t want = length && length < end ? strtoul(length + 16, NULL, 10) : 0;
    return c->len - (size_t)(end + 4 - c->text) >= want;
}

static bool take(struct wire *w, struct client *c) {
    const ssize_t n = read(c->fd, c->text + c->len, max_request - 1 - c->len);
    if (n <= 0)
        return false;
    if (c->stuck || w->spec.mute)
        return true;
    c->len += (size_t)n;
    c->text[c->len] = 0;
    if (!whole(c))
        return true;
    const bool stays = serve(w, c);
    c->len = 0;
    return stays;
}

static void welcome(struct wire *w) {
    const int fd = accept(w->listener, NULL, NULL);
    if (fd < 0)
        return;
    atomic_fetch_add(&w->connections, 1);
    if (w->spec.greeting) {
        char block[1024];
        send_all(&(struct client){.fd = fd}, w->spec.greeting, strlen(w->spec.greeting));
        shutdown(fd, SHUT_WR);
        while (read(fd, block, sizeof block) > 0) {
        }
        close(fd);
        return;
    }
    w->clients[w->n++] = (struct client){.fd = fd, .text = calloc(1, max_request)};
}

static void *run(void *ud) {
    struct wire *w = ud;
    for (;;) {
        struct pollfd fds[max_clients + 2] = {{.fd = w->stop[0], .events = POLLIN}, {.fd = w->n < max_clients ? w->listener : -1, .events = POLLIN}};
        const size_t n = w->n;
        for (size_t i = 0; i < n; i++)
            fds[i + 2] = (struct pollfd){.fd = w->clients[i].fd, .events = POLLIN};
        poll(fds, n + 2, -1);
        if (fds[0].revents)
            return NULL;
        for (size_t i = n; i > 0; i--)
            if (fds[i + 1].revents && !take(w, &w->clients[i - 1]))
                drop(w, i - 1);
        if (fds[1].revents)
            welcome(w);
    }
}

static int listen_tcp(int *ret_port) {
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof in;
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int rc = bind(fd, (struct sockaddr *)&in, sizeof in);
    assert(!rc);
    rc = getsockname(fd, (struct sockaddr *)&in, &len);
    assert(!rc);
    *ret_port = ntohs(in.sin_port);
    return fd;
}

int wire_dead_port(void) {
    int port;
    close(listen_tcp(&port));
    return port;
}

struct wire *wire_start(const struct wire_spec *spec) {
    struct wire *w = calloc(1, sizeof *w);
    assert(w);
    w->spec = *spec;
    snprintf(w->version, sizeof w->version, "%s", spec->api_version ? spec->api_version : "");
    if (spec->path) {
        struct sockaddr_un un = {.sun_family = AF_UNIX};
        snprintf(w->path, sizeof w->path, "%s", spec->path);
        snprintf(un.sun_path, sizeof un.sun_path, "%s", spec->path);
        w->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const int rc = bind(w->listener, (struct sockaddr *)&un, sizeof un);
        assert(!rc);
    } else {
        w->listener = listen_tcp(&w->port);
    }
    int rc = listen(w->listener, max_clients);
    assert(!rc);
    rc = pipe(w->stop);
    assert(!rc);
    rc = pthread_create(&w->thread, NULL, run, w);
    assert(!rc);
    return w;
}

void wire_stop(struct wire *w) {
    if (write(w->stop[1], "x", 1) != 1)
        abort();
    pthread_join(w->thread, NULL);
    while (w->n)
        drop(w, 0);
    close(w->listener);
    close(w->stop[0]);
    close(w->stop[1]);
    if (*w->path)
        unlink(w->path);
    free(w);
}

int wire_port(const struct wire *w) {
    return w->port;
}

int wire_connections(const struct wire *w) {
    return atomic_load(&w->connections);
}

int wire_requests(const struct wire *w) {
    return atomic_load(&w->requests);
}

int wire_pings(const struct wire *w) {
    return atomic_load(&w->pings);
}
