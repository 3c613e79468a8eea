#include "io/attach.h"

#include "base/redact.h"
#include "base/sha256.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { chunk = 64 << 10, reads_a_turn = 64, max_head = 64 << 10, max_line = 4 << 10, frame_head = 8 };
static const size_t default_out = 1 << 20, default_err = 256 << 10;
static const int64_t engine_ms = 60 * 1000; /* to connect, and to start the container */

enum stage { CONNECTING, HEAD, REFUSAL, STARTING, STREAMING, OVER };

struct stream { /* one of standard output and standard error */
    struct buf kept, line;
    bool is_err;
};

struct attach {
    struct loop *loop;
    struct engines *engines;
    enum stage stage;
    char *node, *container;
    bool start, has_input, sent_all, half_closed;
    int in_fd, out_fd;
    char *output_file;
    char input[chunk];            /* what is to be sent next */
    size_t in_len, in_at;
    char *text;                   /* of a text as standard input: what is left of it */
    size_t text_len, text_at;
    struct buf head;              /* the request until it is sent, then the answer's head or the body of a refusal */
    size_t head_sent;
    long status;
    size_t refusal_len;           /* of a refusal's body, or 0 if the engine does not say */
    bool started;
    unsigned char frame[frame_head];
    size_t frame_len;
    uint32_t frame_left;
    struct stream out, err;
    uint64_t bytes;
    struct sha256 sha;
    struct engine_request *call;  /* of the connection, or of the start */
    struct http_request *connection;
    struct loop_fd *watch;
    uint64_t deadline, soon;
    enum http_failure failure;
    char message[512];
    void (*line)(void *ud, bool is_err, const char *line, size_t len);
    void (*done)(void *ud, const struct attach_result *r);
    void *ud;
};

/* ---- the end ---- */

static void stream_line(struct attach *a, struct stream *s) {
    if (s->line.len == max_line) /* cut: half of a secret could not be found any more */
        s->line.len -= redact_tail(s->line.data, s->line.len);
    if (a->line && s->line.len)
        a->line(a->ud, s->is_err, s->line.data, s->line.len);
    buf_clear(&s->line);
}

static void close_all(struct attach *a) {
    loop_fd_stop(a->watch);
    a->watch = NULL;
    if (a->connection)
        http_drop(a->connection);
    a->connection = NULL;
    if (a->in_fd >= 0)
        close(a->in_fd);
    a->in_fd = -1;
}

static void attach_free(struct attach *a) {
    loop_timer_stop(a->loop, a->deadline);
    loop_timer_stop(a->loop, a->soon);
    if (a->text)
        explicit_bzero(a->text, a->text_len);
    explicit_bzero(a->input, sizeof a->input);
    free(a->text);
    buf_done(&a->head);
    buf_done(&a->out.kept);
    buf_done(&a->out.line);
    buf_done(&a->err.kept);
    buf_done(&a->err.line);
    free(a->node);
    free(a->container);
    free(a->output_file);
    free(a);
}

static void note(struct attach *a, enum http_failure failure, const char *message) {
    if (a->failure != HTTP_OK || *a->message)
        return; /* the first is the reason of the others */
    a->failure = failure;
    snprintf(a->message, sizeof a->message, "%s", message);
}

/* What a file could not take is lost, whenever it is noticed. */
static void output_sync(struct attach *a) {
    if (a->out_fd < 0)
        return;
    char why[300];
    if (fsync(a->out_fd) && errno != EINVAL) {
        snprintf(why, sizeof why, "%s could not be written: %s", a->output_file, strerror(errno));
        note(a, HTTP_BROKEN, why);
    }
    close(a->out_fd);
    a->out_fd = -1;
}

static void on_over(void *ud) {
    struct attach *a = ud;
    a->soon = 0;
    if (a->out.kept.over) /* cut, too */
        a->out.kept.len -= redact_tail(a->out.kept.data, a->out.kept.len);
    struct attach_result r = {.failure = a->failure, .message = a->message, .status = a->status, .body = a->stage == OVER && a->head.data ? a->head.data : "",
                              .body_len = a->head.len, .started = a->started, .out = &a->out.kept, .err = &a->err.kept, .bytes = a->bytes};
    sha256_end(&a->sha, r.sha256);
    a->done(a->ud, &r);
    attach_free(a);
}

/* From here on nothing but done comes. */
static void over(struct attach *a, enum http_failure failure, const char *message) {
    if (a->stage == OVER)
        return;
    if (failure != HTTP_OK || *message)
        note(a, failure, message);
    stream_line(a, &a->out);
    stream_line(a, &a->err);
    a->stage = OVER;
    close_all(a);
    output_sync(a);
    loop_timer_stop(a->loop, a->soon);
    a->soon = 0;
    if (a->call)
        engines_cancel(a->call); /* its answer comes from the loop, and ends this */
    else
        a->soon = loop_timer(a->loop, 0, on_over, a);
}

/* ---- what comes ---- */

static void stream_add(struct attach *a, struct stream *s, const char *data, size_t len) {
    if (s->is_err && s->kept.len + len > s->kept.max) { /* the end of what was said is what counts */
        size_t drop = s->kept.len / 2;
        const char *nl = memchr(s->kept.data + drop, '\n', s->kept.len - drop);
        if (nl) /* a line is kept whole or not at all */
            drop = (size_t)(nl + 1 - s->kept.data);
        memmove(s->kept.data, s->kept.data + drop, s->kept.len - drop);
        s->kept.len -= drop;
    }
    buf_add(&s->kept, data, len);
    while (len) {
        const char *end = memchr(data, '\n', len);
        const size_t n = end ? (size_t)(end - data) : len, room = max_line - s->line.len;
        buf_add(&s->line, data, n < room ? n : room);
        if (end)
            stream_line(a, s);
        len -= n + (end != NULL);
        data += n + (end != NULL);
    }
}

static bool file_add(struct attach *a, const char *data, size_t len) {
    while (len) {
        const ssize_t n = write(a->out_fd, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            char why[300];
            snprintf(why, sizeof why, "%s could not be written: %s", a->output_file, strerror(errno));
            over(a, HTTP_BROKEN, why);
            return false;
        }
        data += n;
        len -= (size_t)n;
    }
    return true;
}

static bool stream_take(struct attach *a, int which, const char *data, size_t len) {
    if (which == 2) {
        stream_add(a, &a->err, data, len);
        return true;
    }
    if (which != 1)
        return true; /* 0 would be standard input; it is never sent */
    a->bytes += len;
    sha256_add(&a->sha, data, len);
    if (a->out_fd >= 0)
        return file_add(a, data, len);
    stream_add(a, &a->out, data, len);
    return true;
}

/* Frames of Docker: one byte that names the stream, three of nothing, four of length. */
static bool frames(struct attach *a, const char *data, size_t len) {
    while (len) {
        if (a->frame_len < frame_head) {
            a->frame[a->frame_len++] = (unsigned char)*data++;
            len--;
            if (a->frame_len < frame_head)
                continue;
            if (a->frame[0] > 2 || a->frame[1] || a->frame[2] || a->frame[3]) {
                over(a, HTTP_BROKEN, "what the engine sends is no stream of a container without a terminal");
                return false;
            }
            a->frame_left = (uint32_t)a->frame[4] << 24 | (uint32_t)a->frame[5] << 16 | (uint32_t)a->frame[6] << 8 | a->frame[7];
        }
        const size_t n = len < a->frame_left ? len : a->frame_left;
        if (n && !stream_take(a, a->frame[0], data, n))
            return false;
        a->frame_left -= (uint32_t)n;
        data += n;
        len -= n;
        if (!a->frame_left)
            a->frame_len = 0;
    }
    return true;
}

/* ---- standard input ---- */

/* Takes the next piece; false at the end, or when it cannot be read. */
static bool input_next(struct attach *a) {
    a->in_at = a->in_len = 0;
    if (a->text) {
        a->in_len = a->text_len - a->text_at < sizeof a->input ? a->text_len - a->text_at : sizeof a->input;
        memcpy(a->input, a->text + a->text_at, a->in_len);
        a->text_at += a->in_len;
        return a->in_len > 0;
    }
    const ssize_t n = a->in_fd < 0 ? 0 : read(a->in_fd, a->input, sizeof a->input);
    if (n < 0) {
        char why[200];
        snprintf(why, sizeof why, "what is to be sent cannot be read: %s", strerror(errno));
        over(a, HTTP_BROKEN, why);
        return false;
    }
    a->in_len = (size_t)n;
    return n > 0;
}

static void half_close(struct attach *a) {
    a->half_closed = true;
    if (a->has_input)
        shutdown(http_fd(a->connection), SHUT_WR);
}

/* A bounded piece of it, so that what comes back is read in between. */
static void input_send(struct attach *a) {
    for (int i = 0; i < reads_a_turn && !a->half_closed && a->stage == STREAMING; i++) {
        if (a->in_at == a->in_len && !input_next(a)) {
            if (a->stage == STREAMING)
                half_close(a);
            break;
        }
        const long n = http_send(a->connection, a->input + a->in_at, a->in_len - a->in_at);
        if (n == HTTP_AGAIN)
            return;
        if (n < 0) { /* the container may have ended without reading all; what it said is still to come */
            a->half_closed = true;
            return;
        }
        a->in_at += (size_t)n;
    }
}

/* ---- stages ---- */

static void pump(struct attach *a);

static void wants(struct attach *a) {
    const bool writes = (a->stage == HEAD && a->head_sent < a->head.len) || (a->stage == STREAMING && !a->half_closed);
    if (a->watch && a->stage != OVER)
        loop_fd_change(a->watch, (a->stage == STARTING ? 0 : LOOP_READ) | (writes ? LOOP_WRITE : 0));
}

static void stream_begins(struct attach *a) {
    a->stage = STREAMING;
    a->half_closed = !a->has_input;
    struct buf rest = a->head; /* frames that came with the answer's head */
    a->head = (struct buf)BUF_INIT;
    if (rest.len)
        frames(a, rest.data, rest.len);
    buf_done(&rest);
}

static void on_started(void *ud, const struct http_result *r) {
    struct attach *a = ud;
    a->call = NULL;
    if (a->stage == OVER) {
        a->started |= r->sent;
        a->soon = loop_timer(a->loop, 0, on_over, a);
        return;
    }
    const bool ok = r->failure == HTTP_OK && ((r->status >= 200 && r->status < 300) || r->status == 304);
    a->started = r->sent && !(r->failure == HTTP_OK && r->status >= 400 && r->status < 500);
    if (!ok) {
        a->status = r->status;
        buf_clear(&a->head);
        buf_add(&a->head, r->body ? r->body : "", r->len);
        over(a, r->failure, r->failure == HTTP_OK ? "" : r->message);
        return;
    }
    stream_begins(a);
    pump(a);
}

static void start_container(struct attach *a) {
    char path[300];
    snprintf(path, sizeof path, "/containers/%s/start", a->container);
    const struct engine_call call = {.node = a->node, .method = "POST", .path = path, .timeout_ms = engine_ms, .done = on_started, .ud = a};
    a->stage = STARTING;
    a->call = engines_call(a->engines, &call);
}

/* The answer's head is in: attached, or refused. */
static void head_taken(struct attach *a, size_t head_len) {
    if (sscanf(a->head.data, "HTTP/1.%*d %ld", &a->status) != 1) {
        over(a, HTTP_BROKEN, "what answers does not speak HTTP");
        return;
    }
    for (const char *line = strchr(a->head.data, '\n'); line; line = strchr(line + 1, '\n'))
        if (!strncasecmp(line + 1, "Content-Length:", 15))
            a->refusal_len = strtoull(line + 16, NULL, 10);
    memmove(a->head.data, a->head.data + head_len, a->head.len - head_len);
    a->head.len -= head_len;
    a->head.data[a->head.len] = 0;
    if (a->status != 101 && a->status != 200) {
        a->stage = REFUSAL; /* the connection was asked to be closed behind it */
    } else if (a->start) {
        start_container(a);
    } else {
        stream_begins(a);
    }
}

static bool head_add(struct attach *a, const char *data, size_t len) {
    buf_add(&a->head, data, len);
    if (a->head.over || a->head.len > max_head) {
        over(a, HTTP_BROKEN, "the engine's answer is too long");
        return false;
    }
    const char *end = a->stage == HEAD ? strstr(a->head.data, "\r\n\r\n") : NULL;
    if (end)
        head_taken(a, (size_t)(end + 4 - a->head.data));
    /* engines keep the connection open behind a refusal, which is one line of JSON */
    if (a->stage == REFUSAL && (a->refusal_len ? a->head.len >= a->refusal_len : memchr(a->head.data, '\n', a->head.len) != NULL))
        over(a, HTTP_OK, "");
    return a->stage != OVER;
}

static void ended_by_peer(struct attach *a) {
    if (a->stage == STREAMING && (a->frame_len || a->frame_left))
        over(a, HTTP_BROKEN, "the stream of the container was cut off");
    else if (a->stage == STREAMING || a->stage == REFUSAL)
        over(a, HTTP_OK, "");
    else
        over(a, HTTP_BROKEN, "the connection was closed without an answer");
}

static void request_send(struct attach *a) {
    while (a->head_sent < a->head.len) {
        const long n = http_send(a->connection, a->head.data + a->head_sent, a->head.len - a->head_sent);
        if (n == HTTP_AGAIN)
            return;
        if (n < 0) {
            over(a, HTTP_BROKEN, "the connection was closed");
            return;
        }
        a->head_sent += (size_t)n;
    }
}

static void on_more(void *ud) {
    struct attach *a = ud;
    a->soon = 0;
    pump(a);
}

/* TLS may hold what the descriptor does not show, so all of it is read; but others have their turn in between. */
static void pump(struct attach *a) {
    static const size_t size = chunk;
    char *data = mem_alloc(size);
    long n = HTTP_AGAIN;
    if (a->stage == STREAMING)
        input_send(a);
    for (int i = 0; i < reads_a_turn && a->stage != OVER && a->stage != STARTING; i++) {
        n = http_recv(a->connection, data, size);
        if (n == HTTP_AGAIN)
            break;
        if (n == HTTP_GONE) {
            over(a, HTTP_BROKEN, "the connection was lost");
        } else if (!n) {
            ended_by_peer(a);
        } else if (a->stage == STREAMING) {
            if (!frames(a, data, (size_t)n))
                break;
        } else if (!head_add(a, data, (size_t)n)) {
            break;
        }
    }
    free(data);
    if (a->stage == OVER)
        return;
    if (n > 0 && !a->soon && a->stage != STARTING)
        a->soon = loop_timer(a->loop, 0, on_more, a);
    wants(a);
}

static void on_fd(void *ud, unsigned events) {
    struct attach *a = ud;
    (void)events;
    if (a->stage == HEAD && a->head_sent < a->head.len) {
        request_send(a);
        if (a->stage != OVER && a->head_sent == a->head.len) { /* from here on it holds the answer */
            buf_clear(&a->head);
            a->head_sent = 0;
        }
        wants(a);
        return;
    }
    pump(a);
}

static void on_connected(void *ud, struct http_request *connection, const char *prefix) {
    struct attach *a = ud;
    a->call = NULL;
    if (a->stage == OVER) {
        http_drop(connection);
        a->soon = loop_timer(a->loop, 0, on_over, a);
        return;
    }
    a->connection = connection;
    a->stage = HEAD;
    buf_printf(&a->head, "POST %s/containers/%s/attach?stream=1&stdout=1&stderr=1%s HTTP/1.1\r\nHost: engine\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
               "Content-Length: 0\r\n\r\n", prefix, a->container, a->has_input ? "&stdin=1" : "");
    a->watch = loop_fd_watch(a->loop, http_fd(connection), LOOP_WRITE, on_fd, a);
}

static void on_no_connection(void *ud, const struct http_result *r) {
    struct attach *a = ud;
    a->call = NULL;
    if (a->stage == OVER)
        a->soon = loop_timer(a->loop, 0, on_over, a);
    else
        over(a, r->failure, r->message && *r->message ? r->message : "no connection");
}

/* ---- the beginning ---- */

static void on_deadline(void *ud) {
    struct attach *a = ud;
    a->deadline = 0;
    over(a, HTTP_TIMEOUT, a->stage == STREAMING ? "the container had not ended in time" : "the engine had not answered in time");
}

static bool open_files(struct attach *a, const struct attach_spec *spec) {
    char why[400];
    struct stat st;
    if (spec->input_file) {
        a->in_fd = open(spec->input_file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        if (a->in_fd < 0 || fstat(a->in_fd, &st) || !S_ISREG(st.st_mode)) {
            snprintf(why, sizeof why, "%s cannot be read: %s", spec->input_file, a->in_fd < 0 ? strerror(errno) : "it is no regular file");
            over(a, HTTP_BROKEN, why);
            return false;
        }
    }
    if (spec->output_file) {
        a->output_file = mem_strdup(spec->output_file);
        a->out_fd = open(spec->output_file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (a->out_fd < 0) {
            snprintf(why, sizeof why, "%s cannot be written: %s", spec->output_file, strerror(errno));
            over(a, HTTP_BROKEN, why);
            return false;
        }
    }
    return true;
}

struct attach *attach_start(struct loop *l, struct engines *e, const struct attach_spec *spec) {
    struct attach *a = mem_alloc(sizeof *a);
    *a = (struct attach){.loop = l, .engines = e, .node = mem_strdup(spec->node), .container = mem_strdup(spec->container), .start = spec->start,
                         .has_input = spec->input_file || spec->input, .in_fd = -1, .out_fd = -1, .head = BUF_INIT, .err = {.is_err = true},
                         .line = spec->line, .done = spec->done, .ud = spec->ud};
    buf_init(&a->out.kept, spec->max_out ? spec->max_out : default_out);
    buf_init(&a->err.kept, spec->max_err ? spec->max_err : default_err);
    buf_init(&a->out.line, 0);
    buf_init(&a->err.line, 0);
    sha256_init(&a->sha);
    if (!spec->input_file && spec->input) {
        a->text_len = spec->input_len;
        a->text = mem_alloc(spec->input_len + 1);
        memcpy(a->text, spec->input, spec->input_len);
    }
    if (!open_files(a, spec))
        return a;
    if (spec->timeout_ms > 0)
        a->deadline = loop_timer(l, spec->timeout_ms, on_deadline, a);
    const struct engine_call call = {.node = spec->node, .timeout_ms = engine_ms, .done = on_no_connection, .connected = on_connected, .ud = a};
    a->call = engines_call(e, &call);
    return a;
}

void attach_cancel(struct attach *a) {
    over(a, HTTP_CANCELLED, "cancelled");
}
