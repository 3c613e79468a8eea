#include "peer.h"

#include <assert.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { max_clients = 64, max_request = 65536 };

struct client {
    int fd;
    char *text;
    size_t len;
    bool waits; /* it was read whole */
    int meets;  /* N of meet/N */
    size_t counted; /* of a body that is only counted */
};

struct peer {
    pthread_t thread;
    int listener, stop[2];
    char path[108];
    struct client clients[max_clients];
    size_t n;
    atomic_int requests;
    char last[600], last_body[4096];
};

static void drop(struct peer *p, size_t i) {
    close(p->clients[i].fd);
    free(p->clients[i].text);
    p->clients[i] = p->clients[--p->n];
}

static void answer(struct client *c, int status, const char *body, size_t len) {
    char head[256];
    const int n = snprintf(head, sizeof head,
                           "HTTP/1.1 %d X\r\nApi-Version: 1.41\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
                           status, len);
    if (write(c->fd, head, (size_t)n) < 0 || (len && write(c->fd, body, len) < 0))
        return; /* the client has gone */
}

/* The body, if the request is whole; else NULL. */
static const char *whole(const struct client *c) {
    const char *end = strstr(c->text, "\r\n\r\n"), *length = strstr(c->text, "Content-Length: ");
    if (!end)
        return NULL;
    const size_t want = length && length < end ? (size_t)atoi(length + 16) : 0;
    return c->len - (size_t)(end + 4 - c->text) >= want ? end + 4 : NULL;
}

/* true: answered, to be dropped */
static bool act(struct peer *p, struct client *c, const char *body) {
    char method[16] = "", path[512] = "";
    if (sscanf(c->text, "%15s %511s", method, path) != 2)
        return true;
    const char *rest = strncmp(path, "/v1.", 4) ? path : strchr(path + 1, '/');
    if (!strcmp(rest, "/_ping")) {
        answer(c, 200, "OK", 2);
        return true;
    }
    snprintf(p->last, sizeof p->last, "%s %s", method, path);
    snprintf(p->last_body, sizeof p->last_body, "%s", body);
    atomic_fetch_add(&p->requests, 1);
    c->waits = true;
    if (!strncmp(rest, "/silent", 7))
        return false;
    if (sscanf(rest, "/meet/%d", &c->meets) == 1)
        return false;
    int status;
    size_t zeros;
    if (sscanf(rest, "/zeros/%zu", &zeros) == 1) {
        char *text = calloc(1, zeros + 1);
        answer(c, 200, text, zeros);
        free(text);
    } else if (sscanf(rest, "/status/%d", &status) == 1) {
        char text[64];
        answer(c, status, text, (size_t)snprintf(text, sizeof text, "{\"message\":\"status %d\"}", status));
    } else if (!strcmp(rest, "/echo")) {
        answer(c, 200, body, strlen(body));
    } else {
        answer(c, 404, "no such page\n", 13);
    }
    return true;
}

static void let_meet(struct peer *p) {
    int there = 0, wanted = 0;
    for (size_t i = 0; i < p->n; i++)
        if (p->clients[i].meets) {
            there++;
            wanted = p->clients[i].meets;
        }
    for (size_t i = p->n; there && there >= wanted && i > 0; i--)
        if (p->clients[i - 1].meets) {
            answer(&p->clients[i - 1], 200, "{\"met\":true}", 12);
            drop(p, i - 1);
        }
}

/* A body that is longer than what is kept of a request. true: answered, to be dropped */
static bool count(struct peer *p, struct client *c) {
    const char *end = strstr(c->text, "\r\n\r\n"), *length = strstr(c->text, "Content-Length: "), *line = strstr(c->text, "/count ");
    if (!end || !length || !line || line > strchr(c->text, '\n'))
        return false;
    const size_t head = (size_t)(end + 4 - c->text);
    c->counted += c->len - head;
    c->len = head;
    c->text[head] = 0;
    if (c->counted < strtoull(length + 16, NULL, 10))
        return false;
    char text[64];
    snprintf(p->last, sizeof p->last, "%s", strstr(c->text, "application/x-tar") ? "an archive" : "something");
    atomic_fetch_add(&p->requests, 1);
    answer(c, 200, text, (size_t)snprintf(text, sizeof text, "{\"bytes\":%zu}", c->counted));
    return true;
}

static void serve(struct peer *p, size_t i) {
    struct client *c = &p->clients[i];
    const ssize_t n = read(c->fd, c->text + c->len, max_request - 1 - c->len);
    if (n <= 0) {
        drop(p, i);
        return;
    }
    c->len += (size_t)n;
    c->text[c->len] = 0;
    if (count(p, c)) {
        drop(p, i);
        return;
    }
    const char *body = c->waits ? NULL : whole(c);
    if (body && act(p, c, body))
        drop(p, i);
}

static void *run(void *ud) {
    struct peer *p = ud;
    for (;;) {
        struct pollfd fds[max_clients + 2] = {{.fd = p->listener, .events = POLLIN}, {.fd = p->stop[0], .events = POLLIN}};
        const size_t n = p->n;
        for (size_t i = 0; i < n; i++)
            fds[i + 2] = (struct pollfd){.fd = p->clients[i].fd, .events = POLLIN};
        poll(fds, n + 2, -1);
        if (fds[1].revents)
            return NULL;
        for (size_t i = n; i > 0; i--)
            if (fds[i + 1].revents)
                serve(p, i - 1);
        let_meet(p);
        if (fds[0].revents && p->n < max_clients) {
            const int fd = accept(p->listener, NULL, NULL);
            if (fd >= 0)
                p->clients[p->n++] = (struct client){.fd = fd, .text = calloc(1, max_request)};
        }
    }
}

struct peer *peer_start(const char *path) {
    struct peer *p = calloc(1, sizeof *p);
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    assert(p && strlen(path) < sizeof addr.sun_path);
    snprintf(addr.sun_path, sizeof addr.sun_path, "%s", path);
    snprintf(p->path, sizeof p->path, "%s", path);
    p->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int rc = bind(p->listener, (struct sockaddr *)&addr, sizeof addr);
    assert(!rc);
    rc = listen(p->listener, max_clients);
    assert(!rc);
    rc = pipe(p->stop);
    assert(!rc);
    rc = pthread_create(&p->thread, NULL, run, p);
    assert(!rc);
    return p;
}

void peer_stop(struct peer *p) {
    if (write(p->stop[1], "x", 1) != 1)
        abort();
    pthread_join(p->thread, NULL);
    while (p->n)
        drop(p, 0);
    close(p->listener);
    close(p->stop[0]);
    close(p->stop[1]);
    unlink(p->path);
    free(p);
}

int peer_requests(const struct peer *p) {
    return atomic_load(&p->requests);
}

const char *peer_last(const struct peer *p) {
    return p->last;
}

const char *peer_last_body(const struct peer *p) {
    return p->last_body;
}
