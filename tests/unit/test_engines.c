/* The ways to an engine: in order, shared by all that wait, told by name when none is open, and over a real ssh where there is an sshd. */
#include "base/arena.h"
#include "io/engines.h"
#include "io/process.h"
#include "wire.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct call {
    bool over;
    struct http_result r; /* texts copied */
    char *body, *message;
};

struct bench {
    struct loop *loop;
    struct http *http;
    struct engines *engines;
    struct wire *tcp, *unix_socket, *mute;
    char dir[64], runtime[80], socket[80];
    char to_tcp[64], to_socket[100], to_mute[64], to_nobody[64];
    /* sshd */
    struct process *sshd;
    int port;
    bool listens;
    char to_ssh[100], config[80], sshd_config[80];
};

static int setup(void **state) {
    struct bench *b = calloc(1, sizeof *b);
    strcpy(b->dir, "/tmp/quorate-engines-XXXXXX");
    assert_non_null(mkdtemp(b->dir));
    snprintf(b->runtime, sizeof b->runtime, "%s/run", b->dir);
    snprintf(b->socket, sizeof b->socket, "%s/docker.sock", b->dir);
    b->tcp = wire_start(&(struct wire_spec){.api_version = "1.38"});
    b->unix_socket = wire_start(&(struct wire_spec){.path = b->socket, .api_version = "1.45"});
    b->mute = wire_start(&(struct wire_spec){.mute = true});
    snprintf(b->to_tcp, sizeof b->to_tcp, "tcp://127.0.0.1:%d", wire_port(b->tcp));
    snprintf(b->to_mute, sizeof b->to_mute, "tcp://127.0.0.1:%d", wire_port(b->mute));
    snprintf(b->to_nobody, sizeof b->to_nobody, "tcp://127.0.0.1:%d", wire_dead_port());
    snprintf(b->to_socket, sizeof b->to_socket, "unix://%s", b->socket);
    b->loop = loop_new(clock_system());
    b->http = http_new(b->loop);
    b->engines = engines_new(b->loop, b->http, b->runtime);
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
    if (b->engines)
        engines_free(b->engines);
    assert_int_not_equal(access(b->runtime, F_OK), 0); /* nothing is left of it */
    if (b->sshd)
        process_drop(b->sshd);
    http_free(b->http);
    assert_false(loop_once(b->loop));
    loop_free(b->loop);
    wire_stop(b->tcp);
    wire_stop(b->unix_socket);
    wire_stop(b->mute);
    remove_dir(b->dir);
    free(b);
    return 0;
}

static void add(struct bench *b, const char *name, const char *first, const char *second) {
    const char *endpoints[] = {first, second, NULL};
    engines_add(b->engines, &(struct engine_spec){.name = name, .endpoints = endpoints, .ssh_config = *b->config ? b->config : NULL});
}

static void on_done(void *ud, const struct http_result *r) {
    struct call *c = ud;
    assert_false(c->over);
    c->over = true;
    c->r = *r;
    c->body = mem_strdup(r->body ? r->body : "");
    c->message = mem_strdup(r->message);
}

static void forget(struct call *c) {
    free(c->body);
    free(c->message);
    *c = (struct call){0};
}

static struct engine_request *start(struct bench *b, struct call *c, const char *node, const char *path, int64_t ms) {
    forget(c);
    struct engine_request *r = engines_call(
        b->engines, &(struct engine_call){.node = node, .method = "GET", .path = path, .timeout_ms = ms, .done = on_done, .ud = c});
    assert_false(c->over); /* never from inside */
    return r;
}

static void wait_for(struct bench *b, const struct call *c) {
    while (!c->over)
        assert_true(loop_once(b->loop));
}

static void call(struct bench *b, struct call *c, const char *node, const char *path, int64_t ms) {
    start(b, c, node, path, ms);
    wait_for(b, c);
}

static void assert_ok(const struct call *c, const char *body) {
    assert_string_equal(c->message, "");
    assert_int_equal(c->r.failure, HTTP_OK);
    assert_int_equal(c->r.status, 200);
    assert_string_equal(c->body, body);
}

/* ---- finding ---- */

static void the_first_that_answers_is_kept(void **state) {
    struct bench *b = *state;
    struct call c = {0};
    add(b, "n", b->to_nobody, b->to_socket);
    for (int i = 0; i < 3; i++) {
        call(b, &c, "n", "/hello", 0);
        assert_ok(&c, "hello");
    }
    assert_int_equal(wire_pings(b->unix_socket), 1);
    forget(&c);
}

static void the_lower_version_is_spoken(void **state) {
    struct bench *b = *state;
    struct call c = {0};
    add(b, "old", b->to_tcp, NULL);
    add(b, "new", b->to_socket, NULL);
    call(b, &c, "old", "/request", 0);
    assert_non_null(strstr(c.body, "GET /v1.38/request HTTP/1.1"));
    call(b, &c, "new", "/request", 0);
    assert_non_null(strstr(c.body, "GET /v1.41/request HTTP/1.1"));
    forget(&c);
}

static void a_body_is_json(void **state) {
    struct bench *b = *state;
    struct call c = {0};
    add(b, "n", b->to_tcp, NULL);
    engines_call(b->engines, &(struct engine_call){.node = "n", .method = "POST", .path = "/request", .body = "{}", .done = on_done, .ud = &c});
    wait_for(b, &c);
    assert_non_null(strstr(c.body, "POST /v1.38/request"));
    assert_non_null(strstr(c.body, "Content-Type: application/json\r\n"));
    assert_non_null(strstr(c.body, "\r\n\r\n{}"));
    forget(&c);
}

static void without_a_way_each_endpoint_is_named_with_its_reason(void **state) {
    struct bench *b = *state;
    struct call c = {0};
    char want[400];
    add(b, "n", b->to_nobody, "unix:///no/such/socket");
    call(b, &c, "n", "/hello", 0);
    snprintf(want, sizeof want, "%s: connection refused; unix:///no/such/socket: there is no such socket", b->to_nobody);
    assert_string_equal(c.message, want);
    assert_int_equal(c.r.failure, HTTP_CONNECT);
    assert_false(c.r.sent);
    call(b, &c, "n", "/hello", 0); /* and once more */
    assert_string_equal(c.message, want);
    forget(&c);
}

static void an_engine_that_says_no_to_a_ping_is_no_way(void **state) {
    struct bench *b = *state;
    struct call c = {0};
    struct wire *w = wire_start(&(struct wire_spec){.ping_status = 503});
    char to[64], want[400];
    snprintf(to, sizeof to, "tcp://127.0.0.1:%d", wire_port(w));
    add(b, "n", to, NULL);
    call(b, &c, "n", "/hello", 0);
    snprintf(want, sizeof want, "%s: GET /_ping answered 503: OK", to);
    assert_string_equal(c.message, want);
    assert_int_equal(c.r.failure, HTTP_BROKEN);
    assert_false(c.r.sent);
    wire_stop(w);
    forget(&c);
}

static void nodes_that_are_not_there_or_have_no_way_say_so(void **state) {
    struct bench *b = *state;
    struct call c = {0};
    add(b, "n", NULL, NULL);
    call(b, &c, "n", "/hello", 0);
    assert_string_equal(c.message, "the site names no way to its engine");
    call(b, &c, "nobody", "/hello", 0);
    assert_string_equal(c.message, "there is no such node");
    assert_int_equal(c.r.failure, HTTP_CONNECT);
    assert_true(engines_has(b->engines, "n"));
    assert_false(engines_has(b->engines, "nobody"));
    engines_cancel(start(b, &c, "nobody", "/hello", 0));
    wait_for(b, &c);
    assert_int_equal(c.r.failure, HTTP_CANCELLED);
    forget(&c);
}

static void an_engine_that_hangs_costs_the_deadline_of_the_call(void **state) {
    struct bench *b = *state;
    struct call c = {0};
    char want[400];
    add(b, "n", b->to_nobody, b->to_mute);
    const int64_t from = loop_now(b->loop);
    call(b, &c, "n", "/hello", 200);
    assert_in_range(loop_now(b->loop) - from, 190, 3000);
    assert_int_equal(c.r.failure, HTTP_TIMEOUT);
    assert_false(c.r.sent);
    snprintf(want, sizeof want, "no way to the engine was found in time: %s: connection refused; %s: no answer so far", b->to_nobody, b->to_mute);
    assert_string_equal(c.message, want);
    forget(&c);
}

static void many_calls_share_one_search(void **state) {
    struct bench *b = *state;
    struct call each[20] = {0};
    add(b, "n", b->to_nobody, b->to_tcp);
    add(b, "dead", b->to_mute, NULL);
    for (int i = 0; i < 20; i++)
        start(b, &each[i], i % 2 ? "n" : "dead", "/hello", 300);
    for (int i = 0; i < 20; i++) {
        wait_for(b, &each[i]);
        assert_int_equal(each[i].r.failure, i % 2 ? HTTP_OK : HTTP_TIMEOUT);
        forget(&each[i]);
    }
    assert_int_equal(wire_pings(b->tcp), 1);
    assert_int_equal(wire_connections(b->mute), 1);
}

struct again {
    struct bench *b;
    struct call first, second, other;
    struct engine_request *cancel;
};

static void call_again(void *ud, const struct http_result *r) {
    struct again *a = ud;
    engines_cancel(a->cancel);
    start(a->b, &a->second, "n", "/hello", 0);
    on_done(&a->first, r); /* its message is still there */
}

static void a_callback_may_call_again_and_cancel_others_that_fail_with_it(void **state) {
    struct bench *b = *state;
    struct again a = {.b = b};
    add(b, "n", b->to_nobody, NULL);
    a.cancel = start(b, &a.other, "n", "/hello", 0);
    engines_call(b->engines, &(struct engine_call){.node = "n", .method = "GET", .path = "/x", .done = call_again, .ud = &a});
    wait_for(b, &a.first);
    wait_for(b, &a.second);
    wait_for(b, &a.other);
    assert_string_equal(a.first.message, a.second.message);
    assert_int_equal(a.other.r.failure, HTTP_CANCELLED);
    forget(&a.first);
    forget(&a.second);
    forget(&a.other);
}

/* ---- losing ---- */

static void a_way_that_is_lost_is_replaced_within_the_call(void **state) {
    struct bench *b = *state;
    struct call c = {0};
    char path[100], to[110];
    snprintf(path, sizeof path, "%s/first.sock", b->dir);
    snprintf(to, sizeof to, "unix://%s", path);
    struct wire *w = wire_start(&(struct wire_spec){.path = path});
    add(b, "n", to, b->to_socket);
    call(b, &c, "n", "/hello", 0);
    assert_ok(&c, "hello");
    assert_int_equal(wire_requests(b->unix_socket), 0);
    wire_stop(w);
    call(b, &c, "n", "/hello", 0);
    assert_ok(&c, "hello");
    assert_int_equal(wire_requests(b->unix_socket), 1);
    w = wire_start(&(struct wire_spec){.path = path}); /* kept: the first is not tried as long as the second works */
    call(b, &c, "n", "/hello", 0);
    assert_int_equal(wire_requests(b->unix_socket), 2);
    wire_stop(w);
    forget(&c);
}

static void what_may_have_reached_the_engine_is_not_sent_again(void **state) {
    struct bench *b = *state;
    struct call c = {0};
    add(b, "n", b->to_tcp, b->to_socket);
    engines_call(b->engines, &(struct engine_call){.node = "n", .method = "POST", .path = "/close", .done = on_done, .ud = &c});
    wait_for(b, &c);
    assert_int_equal(c.r.failure, HTTP_BROKEN);
    assert_true(c.r.sent);
    assert_int_equal(wire_requests(b->tcp) + wire_requests(b->unix_socket), 1);
    call(b, &c, "n", "/hello", 0);
    assert_ok(&c, "hello");
    assert_int_equal(wire_pings(b->tcp), 2); /* looked at again after it failed */
    forget(&c);
}

static void cancelling_is_told_whatever_it_waits_for(void **state) {
    struct bench *b = *state;
    struct call finding = {0}, asking = {0};
    add(b, "mute", b->to_mute, NULL);
    add(b, "n", b->to_tcp, NULL);
    struct engine_request *f = start(b, &finding, "mute", "/hello", 0), *a = start(b, &asking, "n", "/silent", 0);
    while (!wire_requests(b->tcp))
        loop_once(b->loop);
    engines_cancel(f);
    engines_cancel(f);
    engines_cancel(a);
    engines_cancel(a);
    wait_for(b, &finding);
    wait_for(b, &asking);
    assert_int_equal(finding.r.failure, HTTP_CANCELLED);
    assert_false(finding.r.sent);
    assert_int_equal(asking.r.failure, HTTP_CANCELLED);
    assert_true(asking.r.sent);
    forget(&finding);
    forget(&asking);
}

static void the_end_drops_what_is_under_way(void **state) {
    struct bench *b = *state;
    struct call finding = {0}, asking = {0}, nowhere = {0};
    add(b, "mute", b->to_mute, NULL);
    add(b, "n", b->to_tcp, NULL);
    start(b, &finding, "mute", "/hello", 0);
    start(b, &asking, "n", "/silent", 0);
    while (!wire_requests(b->tcp))
        loop_once(b->loop);
    start(b, &nowhere, "nobody", "/hello", 0);
    engines_free(b->engines);
    b->engines = NULL;
    assert_false(loop_once(b->loop));
    assert_false(finding.over || asking.over || nowhere.over);
}

/* ---- URLs and the environment ---- */

static void urls_are_checked_without_asking_anyone(void **state) {
    (void)state;
    static const char *const good[] = {"unix:///var/run/docker.sock", "tcp://node1:2376",      "tcp://10.0.0.1:2375/",  "tcp://[fd00::1]:2376",
                                       "ssh://node1",                 "ssh://root@node1:2222", "ssh://a@[::1]:22/run/d.sock"};
    static const struct {
        const char *url, *why;
    } bad[] = {
        {"", "it begins with none of unix://, tcp:// and ssh://"},
        {"node1:2376", "it begins with none of unix://, tcp:// and ssh://"},
        {"http://node1:2376", "it begins with none of unix://, tcp:// and ssh://"},
        {"unix://docker.sock", "the path of a socket begins with /"},
        {"tcp://node1", "it has no port: 2376 with TLS, 2375 without"},
        {"tcp://:2376", "it has no host"},
        {"tcp://node1:0", "its port is not a number from 1 to 65535"},
        {"tcp://node1:65536", "its port is not a number from 1 to 65535"},
        {"tcp://node1:2376x", "its port is not a number from 1 to 65535"},
        {"tcp://fd00::1:2376", "an IPv6 address stands in brackets"},
        {"tcp://[fd00::1:2376", "a bracket is open"},
        {"ssh://", "it has no host"},
        {"ssh://-oProxyCommand=x", "it has no host"},
        {"ssh://@node1", "its user is empty or begins with '-'"},
        {"ssh://-l@node1", "its user is empty or begins with '-'"},
        {"ssh://node1/a:b", "the path of its socket has a ':'"},
        {"ssh://node 1", "it has spaces in it"},
        {"tcp://node1:2376\n", "it has spaces in it"},
    };
    const char *why = NULL;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(engines_check_url(good[i], &why));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(engines_check_url(bad[i].url, &why));
        assert_string_equal(why, bad[i].why);
    }
}

static void the_environment_names_one_engine(void **state) {
    struct bench *b = *state;
    struct call c = {0};
    engines_add_from_env(b->engines, "here", b->to_tcp, NULL, NULL);
    engines_add_from_env(b->engines, "plain", b->to_tcp, "", "/no/such");
    engines_add_from_env(b->engines, "tls", b->to_tcp, "1", "/no/such");
    engines_add_from_env(b->engines, "local", NULL, NULL, NULL);
    call(b, &c, "here", "/hello", 0);
    assert_ok(&c, "hello");
    call(b, &c, "plain", "/hello", 0);
    assert_ok(&c, "hello");
    call(b, &c, "tls", "/hello", 0);
    assert_int_equal(c.r.failure, HTTP_TLS);
    assert_int_equal(engines_shell(b->engines, "local"), SHELL_LOCAL);
    assert_int_equal(engines_shell(b->engines, "here"), SHELL_NONE);
    forget(&c);
}

static void commands_go_where_there_is_a_shell(void **state) {
    struct bench *b = *state;
    struct arena *a = arena_new();
    const char *argv[] = {"sh", "-c", "echo 'a b'", NULL};
    add(b, "tcp", b->to_tcp, NULL);
    add(b, "unix", b->to_tcp, b->to_socket);
    strcpy(b->config, "/etc/some/config");
    add(b, "ssh", b->to_tcp, "ssh://me@host:2222");
    assert_int_equal(engines_shell(b->engines, "tcp"), SHELL_NONE);
    assert_int_equal(engines_shell(b->engines, "nobody"), SHELL_NONE);
    assert_null(engines_argv(b->engines, "tcp", argv, a));
    assert_int_equal(engines_shell(b->engines, "unix"), SHELL_LOCAL);
    assert_string_equal(engines_argv(b->engines, "unix", argv, a)[0], "sh");
    assert_int_equal(engines_shell(b->engines, "ssh"), SHELL_SSH);
    const char *const *words = engines_argv(b->engines, "ssh", argv, a);
    struct buf line = BUF_INIT;
    for (; *words; words++)
        buf_printf(&line, "%s ", *words);
    assert_non_null(strstr(line.data, "ssh -o BatchMode=yes -o StrictHostKeyChecking=yes "));
    assert_non_null(strstr(line.data, " -F /etc/some/config -p 2222 -l me host -- 'sh' '-c' 'echo '\\''a b'\\''' "));
    buf_done(&line);
    arena_free(a);
}

/* ---- ssh ---- */

static void sshd_says(void *ud, bool is_err, const char *line, size_t len) {
    struct bench *b = ud;
    (void)is_err, (void)len;
    if (!strncmp(line, "Server listening on ", 20))
        b->listens = true;
}

static void sshd_ended(void *ud, const struct process_result *r) {
    (void)r;
    ((struct bench *)ud)->sshd = NULL;
}

/* In debug mode it serves exactly one connection and ends with it. */
static bool sshd_run(struct bench *b) {
    const char *argv[] = {"/usr/sbin/sshd", "-d", "-e", "-f", b->sshd_config, NULL};
    b->listens = false;
    b->sshd = process_start(b->loop, &(struct process_spec){.argv = argv, .line = sshd_says, .done = sshd_ended, .ud = b});
    while (b->sshd && !b->listens)
        assert_true(loop_once(b->loop));
    return b->listens;
}

static const char keys[] =
    "cd %s && exec >/dev/null 2>&1 && ssh-keygen -q -t ed25519 -N '' -f host && ssh-keygen -q -t ed25519 -N '' -f me && cp me.pub keys &&"
    "chmod 600 keys && { [ \"$(id -u)\" != 0 ] || mkdir -p -m 755 /run/sshd; } &&"
    "printf '[127.0.0.1]:%d %%s\\n' \"$(cut -d' ' -f1,2 host.pub)\" >known &&"
    "printf 'Port %d\\nListenAddress 127.0.0.1\\nHostKey %s/host\\nAuthorizedKeysFile %s/keys\\nStrictModes no\\nPermitRootLogin yes\\n"
    "UsePAM no\\nPidFile none\\nPasswordAuthentication no\\nKbdInteractiveAuthentication no\\n' >sshd_config &&"
    "printf 'IdentityFile %s/me\\nIdentitiesOnly yes\\nUserKnownHostsFile %s/known\\nGlobalKnownHostsFile none\\n' >config";

static bool sshd_start(struct bench *b) {
    char cmd[2000];
    if (access("/usr/sbin/sshd", X_OK) || system("command -v ssh ssh-keygen >/dev/null"))
        return false;
    b->port = wire_dead_port();
    snprintf(cmd, sizeof cmd, keys, b->dir, b->port, b->port, b->dir, b->dir, b->dir, b->dir);
    assert_int_equal(system(cmd), 0);
    snprintf(b->config, sizeof b->config, "%s/config", b->dir);
    snprintf(b->sshd_config, sizeof b->sshd_config, "%s/sshd_config", b->dir);
    snprintf(b->to_ssh, sizeof b->to_ssh, "ssh://127.0.0.1:%d%s", b->port, b->socket);
    return sshd_run(b);
}

static void many_calls_share_one_ssh(void **state) {
    struct bench *b = *state;
    struct call each[10] = {0};
    struct stat st;
    if (!sshd_start(b))
        skip();
    add(b, "n", b->to_nobody, b->to_ssh);
    for (int i = 0; i < 10; i++)
        start(b, &each[i], "n", "/hello", 20000);
    for (int i = 0; i < 10; i++) {
        wait_for(b, &each[i]);
        assert_ok(&each[i], "hello"); /* a second ssh would have found no sshd */
        forget(&each[i]);
    }
    assert_int_equal(stat(b->runtime, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
}

static void a_forward_that_ended_is_replaced_within_the_call(void **state) {
    struct bench *b = *state;
    struct call c = {0};
    if (!sshd_start(b))
        skip();
    add(b, "n", b->to_ssh, NULL);
    call(b, &c, "n", "/hello", 20000);
    assert_ok(&c, "hello");
    process_cancel(b->sshd);
    while (b->sshd)
        assert_true(loop_once(b->loop));
    assert_true(sshd_run(b));
    for (int i = 0; i < 3 && (!i || c.r.failure != HTTP_OK); i++) /* one call may notice the loss after it was sent */
        call(b, &c, "n", "/hello", 20000);
    assert_ok(&c, "hello");
    forget(&c);
}

static void ssh_that_fails_is_told_in_its_own_words(void **state) {
    struct bench *b = *state;
    struct call c = {0};
    char want[400], cmd[300];
    if (!sshd_start(b))
        skip();
    snprintf(cmd, sizeof cmd, "echo '[127.0.0.1]:%d ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA' >%s/known", b->port, b->dir);
    assert_int_equal(system(cmd), 0);
    add(b, "n", b->to_ssh, NULL);
    call(b, &c, "n", "/hello", 20000);
    snprintf(want, sizeof want, "%s: ssh: Host key verification failed.", b->to_ssh);
    assert_string_equal(c.message, want);
    assert_false(c.r.sent);
    snprintf(b->to_ssh, sizeof b->to_ssh, "ssh://127.0.0.1:%d", wire_dead_port());
    add(b, "dead", b->to_ssh, NULL);
    call(b, &c, "dead", "/hello", 20000);
    assert_non_null(strstr(c.message, ": ssh: connect to host 127.0.0.1 port "));
    assert_non_null(strstr(c.message, "Connection refused"));
    forget(&c);
}

static void an_engine_that_is_down_behind_ssh_is_told_apart(void **state) {
    struct bench *b = *state;
    struct call c = {0};
    if (!sshd_start(b))
        skip();
    snprintf(b->to_ssh, sizeof b->to_ssh, "ssh://127.0.0.1:%d/no/such.sock", b->port);
    add(b, "n", b->to_ssh, NULL);
    const int64_t from = loop_now(b->loop);
    call(b, &c, "n", "/hello", 20000);
    assert_non_null(strstr(c.message, ": ssh is through, but /no/such.sock does not answer there: "));
    assert_in_range(loop_now(b->loop) - from, 0, 10000);
    call(b, &c, "n", "/hello", 20000); /* through the same ssh: the sshd serves one */
    assert_non_null(strstr(c.message, ": ssh is through, but"));
    forget(&c);
}

static void a_folder_of_somebody_else_is_not_used(void **state) {
    struct bench *b = *state;
    struct call c = {0};
    char file[100];
    if (!sshd_start(b))
        skip();
    assert_int_equal(mkdir(b->runtime, 0777), 0);
    add(b, "n", b->to_ssh, NULL);
    call(b, &c, "n", "/hello", 20000);
    assert_ok(&c, "hello");
    snprintf(file, sizeof file, "%s/0.sock", b->runtime);
    assert_int_not_equal(access(file, F_OK), 0);
    engines_free(b->engines);
    b->engines = NULL;
    assert_int_equal(rmdir(b->runtime), 0);
    int left = 0;
    DIR *d = opendir(b->dir);
    for (struct dirent *e; (e = readdir(d));)
        left += !strncmp(e->d_name, "run-", 4);
    closedir(d);
    assert_int_equal(left, 0);
    forget(&c);
}

#define test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        test(the_first_that_answers_is_kept),
        test(the_lower_version_is_spoken),
        test(a_body_is_json),
        test(without_a_way_each_endpoint_is_named_with_its_reason),
        test(an_engine_that_says_no_to_a_ping_is_no_way),
        test(nodes_that_are_not_there_or_have_no_way_say_so),
        test(an_engine_that_hangs_costs_the_deadline_of_the_call),
        test(many_calls_share_one_search),
        test(a_callback_may_call_again_and_cancel_others_that_fail_with_it),
        test(a_way_that_is_lost_is_replaced_within_the_call),
        test(what_may_have_reached_the_engine_is_not_sent_again),
        test(cancelling_is_told_whatever_it_waits_for),
        test(the_end_drops_what_is_under_way),
        test(urls_are_checked_without_asking_anyone),
        test(the_environment_names_one_engine),
        test(commands_go_where_there_is_a_shell),
        test(many_calls_share_one_ssh),
        test(a_forward_that_ended_is_replaced_within_the_call),
        test(ssh_that_fails_is_told_in_its_own_words),
        test(an_engine_that_is_down_behind_ssh_is_told_apart),
        test(a_folder_of_somebody_else_is_not_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
