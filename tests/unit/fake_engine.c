#include "fake_engine.h"

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

enum { max_clients = 32 };

struct fake_engine {
    pthread_t thread;
    int listener, stop[2];
    char path[108], node_id[64];
    atomic_int reads, changes;
    char first_change[256];
    atomic_bool keeps_volume;
    char volume[2048]; /* as it was asked for; "": there is none. The thread's own */
};

static const char no_leader[] = "{\"message\":\"rpc error: code = Unknown desc = The swarm does not have a leader. It's possible that too few managers "
                                "are online. Make sure more than half of the managers are online.\"}";

static void answer(const struct fake_engine *f, int fd, const char *method, const char *path) {
    char body[2048];
    int status = 200;
    const char *p = strncmp(path, "/v1.", 4) ? path : strchr(path + 1, '/');
    if (!p)
        p = path;
    if (!strncmp(p, "/_ping", 6)) {
        snprintf(body, sizeof body, "OK");
    } else if (!strncmp(p, "/info", 5)) {
        snprintf(body, sizeof body,
                 "{\"ID\":\"X\",\"Name\":\"node1\",\"ServerVersion\":\"20.10.24\",\"SystemTime\":\"2026-01-01T00:00:00Z\","
                 "\"DockerRootDir\":\"/nonexistent\",\"Swarm\":{\"NodeID\":\"%s\",\"NodeAddr\":\"10.0.0.1\",\"LocalNodeState\":\"active\","
                 "\"ControlAvailable\":true,\"Error\":\"rpc error: code = Unknown desc = The swarm does not have a leader. It's possible that too few "
                 "managers are online.\",\"RemoteManagers\":[{\"NodeID\":\"%s\",\"Addr\":\"10.0.0.1:2377\"},{\"NodeID\":\"id2\",\"Addr\":"
                 "\"10.0.0.2:2377\"},{\"NodeID\":\"id3\",\"Addr\":\"10.0.0.3:2377\"}]}}",
                 f->node_id, f->node_id);
    } else if (!strncmp(p, "/nodes", 6) || !strncmp(p, "/swarm", 6) || !strncmp(p, "/services", 9) || !strncmp(p, "/tasks", 6)) {
        status = 500;
        snprintf(body, sizeof body, "%s", no_leader);
    } else if (!strncmp(p, "/version", 8)) {
        snprintf(body, sizeof body, "{\"Version\":\"20.10.24\",\"ApiVersion\":\"1.41\"}");
    } else {
        status = 404;
        snprintf(body, sizeof body, "{\"message\":\"page not found\"}");
    }
    char head[256];
    const int n = snprintf(head, sizeof head,
                           "HTTP/1.1 %d X\r\nApi-Version: 1.41\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nContent-Type: application/json\r\n"
                           "Content-Length: %zu\r\nConnection: close\r\n\r\n",
                           status, strlen(body));
    const bool no_body = !strcmp(method, "HEAD");
    if (write(fd, head, (size_t)n) < 0 || (!no_body && write(fd, body, strlen(body)) < 0))
        return; /* the client has gone */
}

static void reply(int fd, int status, const char *body) {
    char head[128];
    const int n = snprintf(head, sizeof head, "HTTP/1.1 %d X\r\nApi-Version: 1.41\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n", status, strlen(body));
    if (write(fd, head, (size_t)n) < 0 || write(fd, body, strlen(body)) < 0)
        return; /* the client has gone */
}

/* The one volume, as a real engine keeps it: whoever creates what is there gets what is there. */
static bool serve_volume(struct fake_engine *f, int fd, const char *method, const char *path, const char *body) {
    if (!atomic_load(&f->keeps_volume) || !strstr(path, "/volumes/"))
        return false;
    if (!strcmp(method, "POST")) {
        if (!*f->volume)
            snprintf(f->volume, sizeof f->volume, "%s", body);
        reply(fd, 201, f->volume);
    } else if (!*f->volume) {
        reply(fd, 404, "{\"message\":\"get: no such volume\"}");
    } else if (!strcmp(method, "DELETE")) {
        *f->volume = 0;
        reply(fd, 204, "");
    } else {
        reply(fd, 200, f->volume);
    }
    return true;
}

/* Whether head and body are there. */
static bool is_whole(const char *request) {
    const char *end = strstr(request, "\r\n\r\n"), *length = strstr(request, "Content-Length: ");
    return end && (!length || length > end || strlen(end + 4) >= strtoul(length + 16, NULL, 10));
}

static void serve(struct fake_engine *f, int fd) {
    char request[8192];
    size_t len = 0;
    while (len < sizeof request - 1) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        const ssize_t n = poll(&p, 1, 5000) > 0 ? read(fd, request + len, sizeof request - 1 - len) : 0;
        if (n <= 0)
            return;
        len += (size_t)n;
        request[len] = 0;
        if (is_whole(request))
            break;
    }
    char method[16] = "", path[512] = "";
    if (sscanf(request, "%15s %511s", method, path) != 2)
        return;
    if (serve_volume(f, fd, method, path, strstr(request, "\r\n\r\n") ? strstr(request, "\r\n\r\n") + 4 : ""))
        return;
    if (!strcmp(method, "GET") || !strcmp(method, "HEAD")) {
        atomic_fetch_add(&f->reads, 1);
        answer(f, fd, method, path);
        return;
    }
    if (!atomic_fetch_add(&f->changes, 1))
        snprintf(f->first_change, sizeof f->first_change, "%s %.200s", method, path);
    static const char refusal[] = "HTTP/1.1 500 X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    if (write(fd, refusal, sizeof refusal - 1) < 0)
        return;
}

static void *run(void *ud) {
    struct fake_engine *f = ud;
    for (;;) {
        struct pollfd p[2] = {{.fd = f->listener, .events = POLLIN}, {.fd = f->stop[0], .events = POLLIN}};
        poll(p, 2, -1);
        if (p[1].revents)
            return NULL;
        const int fd = accept(f->listener, NULL, NULL);
        if (fd >= 0) {
            serve(f, fd);
            close(fd);
        }
    }
}

struct fake_engine *fake_engine_start(const char *path, const char *node_id) {
    struct fake_engine *f = calloc(1, sizeof *f);
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    assert(f && strlen(path) < sizeof addr.sun_path);
    snprintf(addr.sun_path, sizeof addr.sun_path, "%s", path);
    snprintf(f->path, sizeof f->path, "%s", path);
    snprintf(f->node_id, sizeof f->node_id, "%s", node_id);
    f->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int rc = bind(f->listener, (struct sockaddr *)&addr, sizeof addr);
    assert(!rc);
    rc = listen(f->listener, max_clients);
    assert(!rc);
    rc = pipe(f->stop);
    assert(!rc);
    rc = pthread_create(&f->thread, NULL, run, f);
    assert(!rc);
    return f;
}

void fake_engine_stop(struct fake_engine *f) {
    if (write(f->stop[1], "x", 1) != 1)
        abort();
    pthread_join(f->thread, NULL);
    close(f->listener);
    close(f->stop[0]);
    close(f->stop[1]);
    unlink(f->path);
    free(f);
}

int fake_engine_reads(const struct fake_engine *f) {
    return atomic_load(&f->reads);
}

int fake_engine_changes(const struct fake_engine *f) {
    return atomic_load(&f->changes);
}

const char *fake_engine_first_change(const struct fake_engine *f) {
    return f->first_change;
}

void fake_engine_keep_volume(struct fake_engine *f) {
    atomic_store(&f->keeps_volume, true);
}
