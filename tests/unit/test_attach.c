/* The streams of a container: both at once, in pieces of any size, cut off, refused, and far larger than memory. */
#include "base/sha256.h"
#include "io/attach.h"

#include <pthread.h>
#include <stdatomic.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- an engine that only attaches, by the name of the container ---- */

struct server {
    pthread_t thread;
    int fd, started;
    size_t flood;    /* bytes */
    atomic_int refs; /* the bench, and each guest that is still served */
};

static void leave(struct server *s) {
    if (atomic_fetch_sub(&s->refs, 1) == 1)
        free(s);
}

static void say(int fd, const void *data, size_t len) {
    for (const char *p = data; len;) {
        const ssize_t n = send(fd, p, len, MSG_NOSIGNAL);
        if (n <= 0)
            return;
        p += n;
        len -= (size_t)n;
    }
}

static void says(int fd, const char *text) {
    say(fd, text, strlen(text));
}

static void frame(int fd, int which, const void *data, size_t len) {
    const unsigned char head[8] = {(unsigned char)which, 0, 0, 0, (unsigned char)(len >> 24), (unsigned char)(len >> 16), (unsigned char)(len >> 8), (unsigned char)len};
    say(fd, head, sizeof head);
    say(fd, data, len);
}

static void echo(int fd) {
    char data[30000];
    size_t total = 0;
    for (ssize_t n; (n = recv(fd, data, sizeof data, 0)) > 0; total += (size_t)n)
        frame(fd, 1, data, (size_t)n);
    const int len = snprintf(data, sizeof data, "end of input after %zu bytes\n", total);
    frame(fd, 2, data, (size_t)len);
}

static void in_pieces(int fd) {
    static const char all[] = "\1\0\0\0\0\0\0\3abc\2\0\0\0\0\0\0\6no\nend\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\2d\n";
    for (size_t i = 0; i < sizeof all - 1; i++)
        say(fd, all + i, 1);
}

static void flood(int fd, size_t bytes) {
    static const char block[64 << 10];
    for (size_t i = 0; i < bytes; i += sizeof block)
        frame(fd, 1, block, sizeof block);
}

static void wait_for_end(int fd) {
    char c;
    while (recv(fd, &c, 1, 0) > 0) {
    }
}

static bool named(const char *request, const char *name) {
    char path[80];
    snprintf(path, sizeof path, "/containers/%s/attach?", name);
    return strstr(request, path) != NULL;
}

static void serve(struct server *s, int fd) {
    static const char upgraded[] = "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n";
    char request[4096];
    size_t len = 0;
    request[0] = 0;
    while (!strstr(request, "\r\n\r\n")) {
        const ssize_t n = recv(fd, request + len, sizeof request - 1 - len, 0);
        if (n <= 0)
            return;
        len += (size_t)n;
        request[len] = 0;
    }
    if (strstr(request, "/_ping")) {
        says(fd, "HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nContent-Length: 2\r\nConnection: close\r\n\r\nOK");
    } else if (strstr(request, "/start")) {
        s->started++;
        says(fd, strstr(request, "/bad/") ? "HTTP/1.1 400 Bad Request\r\nContent-Length: 27\r\nConnection: close\r\n\r\n{\"message\":\"no such file\"}\n"
                                          : "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
    } else if (named(request, "gone")) {
        says(fd, "HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\n\r\n{\"message\":\"No such container: gone\"}\n");
        wait_for_end(fd);
    } else if (named(request, "mute")) {
        wait_for_end(fd);
    } else if (!named(request, "shut")) {
        says(fd, upgraded);
        if (named(request, "echo"))
            echo(fd);
        else if (named(request, "pieces"))
            in_pieces(fd);
        else if (named(request, "cut"))
            say(fd, "\1\0\0\0\0\0\0\11half", 12);
        else if (named(request, "terminal"))
            says(fd, "hello from a terminal\n");
        else if (named(request, "flood"))
            flood(fd, s->flood);
        else
            wait_for_end(fd);
    }
}

struct guest {
    struct server *server;
    int fd;
};

static void *serve_one(void *ud) {
    struct guest g = *(struct guest *)ud;
    free(ud);
    serve(g.server, g.fd);
    close(g.fd);
    leave(g.server);
    return NULL;
}

static void *accept_all(void *ud) {
    struct server *s = ud;
    for (int fd; (fd = accept(s->fd, NULL, NULL)) >= 0;) {
        struct guest *g = malloc(sizeof *g);
        pthread_t t;
        *g = (struct guest){s, fd};
        atomic_fetch_add(&s->refs, 1);
        pthread_create(&t, NULL, serve_one, g);
        pthread_detach(t);
    }
    return NULL;
}

/* ---- the bench ---- */

struct bench {
    struct server *server;
    struct loop *loop;
    struct http *http;
    struct engines *engines;
    char dir[64], in[90], out[90];
    /* what came */
    bool over;
    enum http_failure failure;
    long status;
    char message[600], body[200], kept[200], err[200], lines[400], sha[65];
    uint64_t bytes;
    bool started;
};

static int setup(void **state) {
    struct bench *b = calloc(1, sizeof *b);
    b->server = calloc(1, sizeof *b->server);
    atomic_init(&b->server->refs, 1);
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    char url[120];
    strcpy(b->dir, "/tmp/quorate-attach-XXXXXX");
    assert_non_null(mkdtemp(b->dir));
    snprintf(at.sun_path, sizeof at.sun_path, "%s/s", b->dir);
    snprintf(b->in, sizeof b->in, "%s/in", b->dir);
    snprintf(b->out, sizeof b->out, "%s/out", b->dir);
    b->server->fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(b->server->fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(b->server->fd, 16), 0);
    pthread_create(&b->server->thread, NULL, accept_all, b->server);
    b->loop = loop_new(clock_system());
    b->http = http_new(b->loop);
    b->engines = engines_new(b->loop, b->http, b->dir);
    snprintf(url, sizeof url, "unix://%s", at.sun_path);
    engines_add(b->engines, &(struct engine_spec){.name = "node1", .endpoints = (const char *[]){url, NULL}});
    *state = b;
    return 0;
}

static int teardown(void **state) {
    struct bench *b = *state;
    char cmd[100];
    shutdown(b->server->fd, SHUT_RDWR);
    close(b->server->fd);
    pthread_join(b->server->thread, NULL);
    leave(b->server);
    engines_free(b->engines);
    http_free(b->http);
    assert_false(loop_once(b->loop));
    loop_free(b->loop);
    snprintf(cmd, sizeof cmd, "rm -rf %s", b->dir);
    assert_int_equal(system(cmd), 0);
    free(b);
    return 0;
}

static void on_line(void *ud, bool is_err, const char *line, size_t len) {
    struct bench *b = ud;
    const size_t at = strlen(b->lines);
    snprintf(b->lines + at, sizeof b->lines - at, "%s:%.*s|", is_err ? "err" : "out", (int)len, line);
}

static void on_done(void *ud, const struct attach_result *r) {
    struct bench *b = ud;
    b->over = true;
    b->failure = r->failure;
    b->status = r->status;
    b->started = r->started;
    b->bytes = r->bytes;
    snprintf(b->message, sizeof b->message, "%s", r->message);
    snprintf(b->body, sizeof b->body, "%.*s", (int)r->body_len, r->body);
    snprintf(b->kept, sizeof b->kept, "%.*s", (int)r->out->len, r->out->data);
    snprintf(b->err, sizeof b->err, "%.*s", (int)r->err->len, r->err->data);
    memcpy(b->sha, r->sha256, sizeof b->sha);
}

static void attach(struct bench *b, struct attach_spec spec) {
    spec.node = "node1";
    spec.line = on_line;
    spec.done = on_done;
    spec.ud = b;
    if (!spec.timeout_ms)
        spec.timeout_ms = 60000;
    attach_start(b->loop, b->engines, &spec);
    while (!b->over)
        assert_true(loop_once(b->loop));
}

static long peak_kib(void) {
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return u.ru_maxrss;
}

/* ---- tests ---- */

static void test_streams_are_told_apart_however_they_are_cut_into_pieces(void **state) {
    struct bench *b = *state;
    attach(b, (struct attach_spec){.container = "pieces"});
    assert_int_equal(b->failure, HTTP_OK);
    assert_int_equal(b->status, 101);
    assert_string_equal(b->kept, "abcd\n");
    assert_string_equal(b->err, "no\nend");
    assert_string_equal(b->lines, "err:no|out:abcd|err:end|");
    assert_int_equal(b->bytes, 5);
}

static void test_input_ends_so_that_the_container_sees_it(void **state) {
    struct bench *b = *state;
    attach(b, (struct attach_spec){.container = "echo", .input = "a few\nwords", .input_len = 11});
    assert_string_equal(b->kept, "a few\nwords");
    assert_string_equal(b->err, "end of input after 11 bytes\n");
}

static void test_a_file_goes_in_and_another_comes_out_without_loss(void **state) {
    struct bench *b = *state;
    const size_t size = getenv("QUORATE_FEW") ? 2 << 20 : 40 << 20;
    char *data = malloc(size), hex[65];
    for (size_t i = 0; i < size; i++)
        data[i] = (char)(i * 2654435761u >> 13);
    FILE *f = fopen(b->in, "w");
    assert_int_equal(fwrite(data, 1, size, f), size);
    fclose(f);
    sha256_hex(data, size, hex);
    free(data);
    attach(b, (struct attach_spec){.container = "echo", .input_file = b->in, .output_file = b->out});
    assert_int_equal(b->failure, HTTP_OK);
    assert_int_equal(b->bytes, size);
    assert_string_equal(b->sha, hex);
    assert_string_equal(b->lines + strlen(b->lines) - 7, " bytes|");
    struct stat st;
    assert_int_equal(stat(b->out, &st), 0);
    assert_int_equal(st.st_size, size);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void test_a_flood_takes_no_memory(void **state) {
    struct bench *b = *state;
    b->server->flood = (size_t)(getenv("QUORATE_FEW") ? 8 : 400) << 20;
    const long before = peak_kib();
    attach(b, (struct attach_spec){.container = "flood", .output_file = "/dev/null"});
    assert_int_equal(b->bytes, b->server->flood);
    assert_true(peak_kib() - before < 64 << 10);
}

static void test_a_container_is_started_once_it_is_attached_to(void **state) {
    struct bench *b = *state;
    attach(b, (struct attach_spec){.container = "echo", .start = true, .input = "x", .input_len = 1});
    assert_int_equal(b->server->started, 1);
    assert_true(b->started);
    assert_string_equal(b->kept, "x");
}

static void test_a_container_that_does_not_start_says_why(void **state) {
    struct bench *b = *state;
    attach(b, (struct attach_spec){.container = "bad", .start = true});
    assert_int_equal(b->failure, HTTP_OK);
    assert_int_equal(b->status, 400);
    assert_string_equal(b->body, "{\"message\":\"no such file\"}\n");
    assert_false(b->started);
}

static void test_a_refusal_is_told_though_the_engine_keeps_the_connection(void **state) {
    struct bench *b = *state;
    attach(b, (struct attach_spec){.container = "gone"});
    assert_int_equal(b->status, 404);
    assert_string_equal(b->body, "{\"message\":\"No such container: gone\"}\n");
}

static void test_a_stream_that_is_cut_off_has_failed(void **state) {
    struct bench *b = *state;
    attach(b, (struct attach_spec){.container = "cut"});
    assert_int_equal(b->failure, HTTP_BROKEN);
    assert_string_equal(b->message, "the stream of the container was cut off");
    assert_string_equal(b->kept, "half");
}

static void test_a_connection_that_is_closed_without_an_answer_has_failed(void **state) {
    struct bench *b = *state;
    attach(b, (struct attach_spec){.container = "shut"});
    assert_int_equal(b->failure, HTTP_BROKEN);
    assert_string_equal(b->message, "the connection was closed without an answer");
}

static void test_a_terminal_is_no_pair_of_streams(void **state) {
    struct bench *b = *state;
    attach(b, (struct attach_spec){.container = "terminal"});
    assert_int_equal(b->failure, HTTP_BROKEN);
    assert_non_null(strstr(b->message, "no stream of a container without a terminal"));
}

static void test_time_runs_out_for_an_engine_and_for_a_container(void **state) {
    struct bench *b = *state;
    attach(b, (struct attach_spec){.container = "mute", .timeout_ms = 50});
    assert_int_equal(b->failure, HTTP_TIMEOUT);
    assert_string_equal(b->message, "the engine had not answered in time");
    b->over = false;
    attach(b, (struct attach_spec){.container = "endless", .timeout_ms = 50});
    assert_int_equal(b->failure, HTTP_TIMEOUT);
    assert_string_equal(b->message, "the container had not ended in time");
}

static void test_files_that_cannot_be_used_are_told_before_anything_is_asked(void **state) {
    struct bench *b = *state;
    attach(b, (struct attach_spec){.container = "echo", .start = true, .input_file = b->dir});
    assert_int_equal(b->failure, HTTP_BROKEN);
    assert_non_null(strstr(b->message, "it is no regular file"));
    b->over = false;
    attach(b, (struct attach_spec){.container = "echo", .start = true, .output_file = "/nowhere/out"});
    assert_string_equal(b->message, "/nowhere/out cannot be written: No such file or directory");
    assert_int_equal(b->server->started, 0);
}

static void test_a_full_disk_is_a_failure(void **state) {
    struct bench *b = *state;
    b->server->flood = 1 << 20;
    attach(b, (struct attach_spec){.container = "flood", .output_file = "/dev/full"});
    assert_int_equal(b->failure, HTTP_BROKEN);
    assert_string_equal(b->message, "/dev/full could not be written: No space left on device");
}

static void cancel(void *ud) {
    attach_cancel(ud);
}

static void test_it_can_be_cancelled_at_any_stage(void **state) {
    struct bench *b = *state;
    static const char *const names[] = {"mute", "endless", "echo"};
    for (int64_t ms = 0; ms < 3; ms++)
        for (size_t i = 0; i < 3; i++) {
            b->over = false;
            struct attach *a = attach_start(b->loop, b->engines, &(struct attach_spec){.node = "node1", .container = names[i], .input = i == 2 ? "" : NULL, .start = i == 2,
                                            .done = on_done, .ud = b});
            const uint64_t t = loop_timer(b->loop, ms, cancel, a);
            while (!b->over)
                assert_true(loop_once(b->loop));
            loop_timer_stop(b->loop, t);
            assert_true(b->failure == HTTP_CANCELLED || (i == 2 && b->failure == HTTP_OK));
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_streams_are_told_apart_however_they_are_cut_into_pieces, setup, teardown),
        cmocka_unit_test_setup_teardown(test_input_ends_so_that_the_container_sees_it, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_file_goes_in_and_another_comes_out_without_loss, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_flood_takes_no_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_container_is_started_once_it_is_attached_to, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_container_that_does_not_start_says_why, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_refusal_is_told_though_the_engine_keeps_the_connection, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_stream_that_is_cut_off_has_failed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_connection_that_is_closed_without_an_answer_has_failed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_terminal_is_no_pair_of_streams, setup, teardown),
        cmocka_unit_test_setup_teardown(test_time_runs_out_for_an_engine_and_for_a_container, setup, teardown),
        cmocka_unit_test_setup_teardown(test_files_that_cannot_be_used_are_told_before_anything_is_asked, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_full_disk_is_a_failure, setup, teardown),
        cmocka_unit_test_setup_teardown(test_it_can_be_cancelled_at_any_stage, setup, teardown),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
