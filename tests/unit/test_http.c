/* HTTP against peers that behave badly: what is told, how long it takes, and whether a request may have reached them. */
#include "base/arena.h"
#include "io/http.h"
#include "io/process.h"
#include "wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct bench {
    struct loop *loop;
    struct http *http;
    struct wire *wire;
    bool over;
    struct http_result r; /* texts copied */
    char *body, *message, date[64], api_version[16];
    char url[200];
    char dir[64]; /* of certificates, or of a socket */
    struct process *tls;
    int tls_port;
    char said[4096];
};

static int setup(void **state) {
    struct bench *b = calloc(1, sizeof *b);
    b->loop = loop_new(clock_system());
    b->http = http_new(b->loop);
    b->wire = wire_start(&(struct wire_spec){.api_version = "1.40"});
    strcpy(b->dir, "/tmp/quorate-http-XXXXXX");
    assert_non_null(mkdtemp(b->dir));
    *state = b;
    return 0;
}

static void remove_dir(const char *dir) {
    char cmd[128];
    snprintf(cmd, sizeof cmd, "rm -rf %s", dir);
    assert_int_equal(system(cmd), 0);
}

static int teardown(void **state) {
    struct bench *b = *state;
    if (b->tls)
        process_drop(b->tls);
    http_free(b->http);
    loop_free(b->loop);
    wire_stop(b->wire);
    remove_dir(b->dir);
    free(b->body);
    free(b->message);
    free(b);
    return 0;
}

static void on_done(void *ud, const struct http_result *r) {
    struct bench *b = ud;
    assert_false(b->over);
    b->over = true;
    b->r = *r;
    free(b->body);
    free(b->message);
    b->body = mem_strdup(r->body ? r->body : "");
    b->message = mem_strdup(r->message);
    snprintf(b->date, sizeof b->date, "%s", r->date ? r->date : "");
    snprintf(b->api_version, sizeof b->api_version, "%s", r->api_version ? r->api_version : "");
}

static const char *url(struct bench *b, const char *path) {
    snprintf(b->url, sizeof b->url, "http://127.0.0.1:%d%s", wire_port(b->wire), path);
    return b->url;
}

static void wait_for(struct bench *b) {
    while (!b->over)
        assert_true(loop_once(b->loop));
}

static void run(struct bench *b, struct http_spec spec) {
    b->over = false;
    spec.method = spec.method ? spec.method : "GET";
    spec.done = on_done;
    spec.ud = b;
    http_start(b->http, &spec);
    assert_false(b->over); /* never from inside */
    wait_for(b);
}

static void get(struct bench *b, const char *path) {
    run(b, (struct http_spec){.url = url(b, path), .timeout_ms = 10000});
}

/* ---- answers ---- */

static void an_answer_comes_with_what_it_says_of_itself(void **state) {
    struct bench *b = *state;
    get(b, "/hello");
    assert_int_equal(b->r.failure, HTTP_OK);
    assert_int_equal(b->r.status, 200);
    assert_string_equal(b->body, "hello");
    assert_int_equal(b->r.len, 5);
    assert_string_equal(b->date, "Thu, 01 Jan 2026 00:00:00 GMT");
    assert_string_equal(b->api_version, "1.40");
    assert_string_equal(b->message, "");
    assert_true(b->r.sent);
}

static void an_answer_in_chunks_is_put_together(void **state) {
    struct bench *b = *state;
    get(b, "/chunked");
    assert_int_equal(b->r.failure, HTTP_OK);
    assert_string_equal(b->body, "hello, world");
}

static void any_status_is_an_answer(void **state) {
    struct bench *b = *state;
    get(b, "/status/503");
    assert_int_equal(b->r.failure, HTTP_OK);
    assert_int_equal(b->r.status, 503);
    assert_string_equal(b->body, "{\"message\":\"as asked\"}");
}

static void redirects_are_not_followed(void **state) {
    struct bench *b = *state;
    get(b, "/redirect");
    assert_int_equal(b->r.status, 302);
    assert_int_equal(wire_requests(b->wire), 1);
}

static void a_request_says_what_it_was_given(void **state) {
    struct bench *b = *state;
    const char *headers[] = {"Content-Type: text/odd", "X-Word: w", NULL};
    run(b, (struct http_spec){.method = "PUT", .url = url(b, "/request"), .headers = headers, .body = "text", .len = 4, .user = "me", .password = "pw"});
    assert_non_null(strstr(b->body, "PUT /request HTTP/1.1\r\n"));
    assert_non_null(strstr(b->body, "Content-Type: text/odd\r\n"));
    assert_non_null(strstr(b->body, "X-Word: w\r\n"));
    assert_non_null(strstr(b->body, "Content-Length: 4\r\n"));
    assert_non_null(strstr(b->body, "Authorization: Basic bWU6cHc=\r\n"));
    assert_non_null(strstr(b->body, "\r\n\r\ntext"));
    assert_null(strstr(b->body, "Expect:"));
}

static void an_empty_post_is_no_form(void **state) {
    struct bench *b = *state;
    run(b, (struct http_spec){.method = "POST", .url = url(b, "/request")});
    assert_non_null(strstr(b->body, "Content-Length: 0\r\n"));
    assert_null(strstr(b->body, "Content-Type"));
}

static void a_head_request_needs_no_body(void **state) {
    struct bench *b = *state;
    run(b, (struct http_spec){.method = "HEAD", .url = url(b, "/hello"), .timeout_ms = 3000});
    assert_int_equal(b->r.failure, HTTP_OK);
    assert_int_equal(b->r.len, 0);
}

static void proxies_of_the_environment_are_not_used(void **state) {
    struct bench *b = *state;
    char proxy[64];
    snprintf(proxy, sizeof proxy, "http://127.0.0.1:%d", wire_dead_port());
    setenv("http_proxy", proxy, 1);
    setenv("ALL_PROXY", proxy, 1);
    get(b, "/hello");
    unsetenv("http_proxy");
    unsetenv("ALL_PROXY");
    assert_int_equal(b->r.failure, HTTP_OK);
}

static void a_unix_socket_is_spoken_to(void **state) {
    struct bench *b = *state;
    char path[100];
    snprintf(path, sizeof path, "%s/s", b->dir);
    run(b, (struct http_spec){.url = "http://engine/hello", .unix_socket = path});
    assert_int_equal(b->r.failure, HTTP_CONNECT);
    assert_string_equal(b->message, "there is no such socket");
    assert_false(b->r.sent);
    struct wire *w = wire_start(&(struct wire_spec){.path = path});
    run(b, (struct http_spec){.url = "http://engine/hello", .unix_socket = path});
    assert_int_equal(b->r.failure, HTTP_OK);
    assert_string_equal(b->body, "hello");
    wire_stop(w);
}

/* ---- failures ---- */

static void a_refused_connection_has_sent_nothing(void **state) {
    struct bench *b = *state;
    char text[64];
    snprintf(text, sizeof text, "http://127.0.0.1:%d/", wire_dead_port());
    run(b, (struct http_spec){.method = "POST", .url = text, .body = "x", .len = 1});
    assert_int_equal(b->r.failure, HTTP_CONNECT);
    assert_string_equal(b->message, "connection refused");
    assert_int_equal(b->r.status, 0);
    assert_false(b->r.sent);
}

static void a_name_that_does_not_resolve_is_said(void **state) {
    struct bench *b = *state;
    run(b, (struct http_spec){.url = "http://no-such-host.invalid/", .timeout_ms = 20000, .connect_ms = 20000});
    assert_int_equal(b->r.failure, HTTP_RESOLVE);
    assert_string_equal(b->message, "there is no such host");
    assert_false(b->r.sent);
}

static void a_peer_that_never_answers_costs_the_deadline(void **state) {
    struct bench *b = *state;
    run(b, (struct http_spec){.url = url(b, "/silent"), .timeout_ms = 150});
    assert_int_equal(b->r.failure, HTTP_TIMEOUT);
    assert_non_null(strstr(b->message, "connected, but no answer within 0."));
    assert_true(b->r.sent);
    assert_in_range(b->r.elapsed_ms, 140, 9000);
}

static void an_answer_that_stops_half_way_costs_the_deadline(void **state) {
    struct bench *b = *state;
    run(b, (struct http_spec){.url = url(b, "/half"), .timeout_ms = 150});
    assert_int_equal(b->r.failure, HTTP_TIMEOUT);
    assert_int_equal(b->r.status, 0);
    assert_true(b->r.sent);
}

static void a_handshake_that_never_ends_has_sent_nothing(void **state) {
    struct bench *b = *state;
    struct wire *mute = wire_start(&(struct wire_spec){.mute = true});
    char text[64];
    snprintf(text, sizeof text, "https://127.0.0.1:%d/", wire_port(mute));
    run(b, (struct http_spec){.method = "POST", .url = text, .connect_ms = 150});
    assert_int_equal(b->r.failure, HTTP_TIMEOUT);
    assert_false(b->r.sent);
    assert_in_range(b->r.elapsed_ms, 140, 4900); /* not the 5 s that it would be otherwise; TLS takes its time to get ready under valgrind */
    wire_stop(mute);
}

static void broken_answers_may_have_been_asked_for(void **state) {
    struct bench *b = *state;
    const char *const paths[] = {"/close", "/cut", "/reset"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        run(b, (struct http_spec){.method = "POST", .url = url(b, paths[i]), .timeout_ms = 10000});
        assert_int_equal(b->r.failure, HTTP_BROKEN);
        assert_true(b->r.sent);
        assert_int_not_equal(*b->message, 0);
    }
    get(b, "/close");
    assert_string_equal(b->message, "the connection was closed without an answer");
}

static void what_does_not_speak_http_is_said(void **state) {
    struct bench *b = *state;
    struct wire *w = wire_start(&(struct wire_spec){.greeting = "SSH-2.0-OpenSSH_9.2\r\n"});
    char text[64];
    snprintf(text, sizeof text, "http://127.0.0.1:%d/", wire_port(w));
    run(b, (struct http_spec){.url = text, .timeout_ms = 5000});
    assert_int_equal(b->r.failure, HTTP_BROKEN);
    snprintf(text, sizeof text, "https://127.0.0.1:%d/", wire_port(w));
    run(b, (struct http_spec){.url = text, .timeout_ms = 5000});
    assert_int_equal(b->r.failure, HTTP_TLS);
    assert_string_equal(b->message, "what answers does not speak TLS");
    assert_false(b->r.sent);
    wire_stop(w);
}

static void too_long_an_answer_is_cut_off(void **state) {
    struct bench *b = *state;
    run(b, (struct http_spec){.url = url(b, "/large/100000"), .max_body = 100000});
    assert_int_equal(b->r.failure, HTTP_OK);
    assert_int_equal(b->r.len, 100000);
    run(b, (struct http_spec){.url = url(b, "/large/100001"), .max_body = 100000});
    assert_int_equal(b->r.failure, HTTP_TOO_LARGE);
    assert_string_equal(b->message, "the answer is longer than 100000 bytes");
    assert_true(b->r.len <= 100000);
}

static void only_http_is_spoken(void **state) {
    struct bench *b = *state;
    run(b, (struct http_spec){.url = "file:///etc/passwd"});
    assert_int_equal(b->r.failure, HTTP_BROKEN);
    assert_string_equal(b->message, "the URL begins with neither http:// nor https://");
    assert_int_equal(b->r.len, 0);
    assert_false(b->r.sent);
    run(b, (struct http_spec){.url = "http://"});
    assert_int_equal(b->r.failure, HTTP_BROKEN);
    assert_false(b->r.sent);
}

/* ---- connections ---- */

static void connections_are_kept_for_reading(void **state) {
    struct bench *b = *state;
    for (int i = 0; i < 5; i++)
        get(b, "/hello");
    assert_int_equal(wire_connections(b->wire), 1);
}

static void nothing_that_changes_is_sent_twice(void **state) {
    struct bench *b = *state;
    get(b, "/once");
    assert_int_equal(b->r.failure, HTTP_OK);
    const int before = wire_requests(b->wire);
    run(b, (struct http_spec){.method = "POST", .url = url(b, "/close"), .body = "x", .len = 1, .timeout_ms = 10000});
    assert_int_equal(b->r.failure, HTTP_BROKEN);
    assert_int_equal(wire_requests(b->wire) - before, 1);
}

static void a_kept_connection_that_has_gone_is_no_failure_of_reading(void **state) {
    struct bench *b = *state;
    get(b, "/once");
    get(b, "/hello");
    assert_int_equal(b->r.failure, HTTP_OK);
    assert_string_equal(b->body, "hello");
}

static void many_at_once_are_all_answered(void **state) {
    struct bench *b = *state;
    struct bench *each = calloc(200, sizeof *each);
    for (int i = 0; i < 200; i++)
        http_start(b->http, &(struct http_spec){.method = "GET", .url = url(b, i % 2 ? "/hello" : "/chunked"), .done = on_done, .ud = &each[i]});
    while (loop_once(b->loop)) {
    }
    for (int i = 0; i < 200; i++) {
        assert_true(each[i].over);
        assert_int_equal(each[i].r.failure, HTTP_OK);
        assert_string_equal(each[i].body, i % 2 ? "hello" : "hello, world");
        free(each[i].body);
        free(each[i].message);
    }
    free(each);
}

/* ---- ends ---- */

static void cancelling_is_told_in_the_next_turn(void **state) {
    struct bench *b = *state;
    struct http_request *r =
        http_start(b->http, &(struct http_spec){.method = "POST", .url = url(b, "/silent"), .done = on_done, .ud = b});
    while (!wire_requests(b->wire))
        loop_once(b->loop);
    http_cancel(r);
    http_cancel(r);
    assert_false(b->over);
    wait_for(b);
    assert_int_equal(b->r.failure, HTTP_CANCELLED);
    assert_true(b->r.sent);
    assert_false(loop_once(b->loop));
}

static void cancelling_before_a_connection_has_sent_nothing(void **state) {
    struct bench *b = *state;
    struct http_request *r =
        http_start(b->http, &(struct http_spec){.method = "POST", .url = url(b, "/hello"), .done = on_done, .ud = b});
    http_cancel(r);
    wait_for(b);
    assert_int_equal(b->r.failure, HTTP_CANCELLED);
    assert_false(b->r.sent);
    assert_int_equal(wire_requests(b->wire), 0);
}

static void a_dropped_request_tells_nobody(void **state) {
    struct bench *b = *state;
    struct http_spec spec = {.method = "GET", .url = url(b, "/silent"), .done = on_done, .ud = b};
    struct http_request *r = http_start(b->http, &spec);
    http_start(b->http, &spec); /* goes with http_free */
    while (wire_requests(b->wire) < 2)
        loop_once(b->loop);
    http_drop(r);
    http_cancel(http_start(b->http, &spec));
    http_free(b->http);
    assert_false(loop_once(b->loop));
    assert_false(b->over);
    b->http = http_new(b->loop);
}

static void start_another(void *ud, const struct http_result *r) {
    struct bench *b = ud;
    assert_int_equal(r->failure, HTTP_OK);
    http_start(b->http, &(struct http_spec){.method = "GET", .url = url(b, "/hello"), .done = on_done, .ud = b});
}

static void a_callback_may_start_another(void **state) {
    struct bench *b = *state;
    http_start(b->http, &(struct http_spec){.method = "GET", .url = url(b, "/hello"), .done = start_another, .ud = b});
    wait_for(b);
    assert_int_equal(b->r.failure, HTTP_OK);
}

/* ---- TLS ---- */

static const char certificates[] =
    "cd %s && exec 2>openssl.log && new() { openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \"$@\"; } &&"
    "new -x509 -days 2 -subj /CN=ca -keyout ca.key -out ca.pem &&"
    "for n in server client; do"
    "  new -subj /CN=$n -keyout $n.key -out $n.csr && printf 'subjectAltName=IP:127.0.0.1\\n' >ext &&"
    "  openssl x509 -req -days 2 -in $n.csr -CA ca.pem -CAkey ca.key -CAcreateserial -extfile ext -out $n.pem || exit 1; done";

static void tls_says(void *ud, bool is_err, const char *line, size_t len) {
    struct bench *b = ud;
    (void)is_err, (void)len;
    const char *colon = strncmp(line, "ACCEPT ", 7) ? NULL : strrchr(line, ':');
    if (colon)
        b->tls_port = (int)strtol(colon + 1, NULL, 10);
}

static void tls_ended(void *ud, const struct process_result *r) {
    struct bench *b = ud;
    fprintf(stderr, "%s", r->err.data);
    b->tls = NULL;
}

static bool tls_start(struct bench *b, bool ask) {
    char cmd[1200];
    if (system("command -v openssl >/dev/null"))
        return false;
    snprintf(cmd, sizeof cmd, certificates, b->dir);
    assert_int_equal(system(cmd), 0);
    const char *argv[] = {"openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", "server.pem", "-key", "server.key", "-www",
                          ask ? "-Verify" : NULL, "1", "-CAfile", "ca.pem", "-verify_return_error", NULL};
    const struct process_spec spec = {.argv = argv, .cwd = b->dir, .line = tls_says, .done = tls_ended, .ud = b};
    b->tls = process_start(b->loop, &spec);
    while (!b->tls_port) {
        assert_non_null(b->tls);
        assert_true(loop_once(b->loop));
    }
    snprintf(b->url, sizeof b->url, "https://127.0.0.1:%d/", b->tls_port);
    return true;
}

static void a_peer_that_cannot_be_verified_gets_nothing(void **state) {
    struct bench *b = *state;
    char ca[100];
    if (!tls_start(b, false))
        skip();
    snprintf(ca, sizeof ca, "%s/ca.pem", b->dir);
    run(b, (struct http_spec){.url = b->url, .timeout_ms = 10000});
    assert_int_equal(b->r.failure, HTTP_TLS);
    assert_non_null(strstr(b->message, "certificate"));
    assert_false(b->r.sent);
    run(b, (struct http_spec){.url = b->url, .ca = ca, .timeout_ms = 10000});
    assert_int_equal(b->r.failure, HTTP_OK);
    assert_true(b->r.sent);
    run(b, (struct http_spec){.url = b->url, .insecure = true, .timeout_ms = 10000});
    assert_int_equal(b->r.failure, HTTP_OK);
    snprintf(b->url, sizeof b->url, "https://localhost:%d/", b->tls_port); /* not a name of the certificate */
    run(b, (struct http_spec){.url = b->url, .ca = ca, .timeout_ms = 10000});
    assert_int_equal(b->r.failure, HTTP_TLS);
    assert_false(b->r.sent);
}

static void a_certificate_of_ours_is_shown(void **state) {
    struct bench *b = *state;
    char ca[100], cert[100], key[100];
    if (!tls_start(b, true))
        skip();
    snprintf(ca, sizeof ca, "%s/ca.pem", b->dir);
    snprintf(cert, sizeof cert, "%s/client.pem", b->dir);
    snprintf(key, sizeof key, "%s/client.key", b->dir);
    run(b, (struct http_spec){.url = b->url, .ca = ca, .cert = cert, .key = key, .timeout_ms = 10000});
    assert_int_equal(b->r.failure, HTTP_OK);
    run(b, (struct http_spec){.url = b->url, .ca = ca, .timeout_ms = 10000});
    assert_int_not_equal(b->r.failure, HTTP_OK);
    run(b, (struct http_spec){.url = b->url, .ca = ca, .cert = "/no/such/file", .key = key, .timeout_ms = 10000});
    assert_int_equal(b->r.failure, HTTP_TLS);
    assert_false(b->r.sent);
}

static void every_failure_has_a_name(void **state) {
    (void)state;
    assert_string_equal(http_failure_name(HTTP_OK), "ok");
    assert_string_equal(http_failure_name(HTTP_TIMEOUT), "timeout");
    assert_string_equal(http_failure_name(HTTP_UNAVAILABLE), "unavailable");
}

#define test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        test(an_answer_comes_with_what_it_says_of_itself),
        test(an_answer_in_chunks_is_put_together),
        test(any_status_is_an_answer),
        test(redirects_are_not_followed),
        test(a_request_says_what_it_was_given),
        test(an_empty_post_is_no_form),
        test(a_head_request_needs_no_body),
        test(proxies_of_the_environment_are_not_used),
        test(a_unix_socket_is_spoken_to),
        test(a_refused_connection_has_sent_nothing),
        test(a_name_that_does_not_resolve_is_said),
        test(a_peer_that_never_answers_costs_the_deadline),
        test(an_answer_that_stops_half_way_costs_the_deadline),
        test(a_handshake_that_never_ends_has_sent_nothing),
        test(broken_answers_may_have_been_asked_for),
        test(what_does_not_speak_http_is_said),
        test(too_long_an_answer_is_cut_off),
        test(only_http_is_spoken),
        test(connections_are_kept_for_reading),
        test(nothing_that_changes_is_sent_twice),
        test(a_kept_connection_that_has_gone_is_no_failure_of_reading),
        test(many_at_once_are_all_answered),
        test(cancelling_is_told_in_the_next_turn),
        test(cancelling_before_a_connection_has_sent_nothing),
        test(a_dropped_request_tells_nobody),
        test(a_callback_may_start_another),
        test(a_peer_that_cannot_be_verified_gets_nothing),
        test(a_certificate_of_ours_is_shown),
        test(every_failure_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
