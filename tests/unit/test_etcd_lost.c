#define _GNU_SOURCE 1 /* accept4 */

/* Requests and answers that are lost on the way to etcd: whatever is asked again happens once. */
#include "etcd_kit.h"
#include "store/store.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- a proxy that loses what it is told to lose ---- */

enum loss { PASS, LOSE_REQUEST, LOSE_ANSWER };

struct proxy {
    pthread_t thread;
    int listener, port, upstream;
    atomic_uint pattern; /* of the next transactions, two bits each: enum loss */
    atomic_int changes;  /* transactions that have reached etcd */
};

static void transfer(struct proxy *p, int client) {
    char *text = calloc(1, 4 << 20);
    size_t n = 0, want = 0;
    for (ssize_t got; (!want || n < want) && (got = read(client, text + n, (4 << 20) - 1 - n)) > 0;) {
        n += (size_t)got;
        const char *end = strstr(text, "\r\n\r\n"), *len = strstr(text, "Content-Length: ");
        if (end && len)
            want = (size_t)(end + 4 - text) + strtoul(len + 16, NULL, 10);
    }
    const bool txn = strstr(text, "/v3/kv/txn") != NULL;
    const enum loss loss = txn ? (enum loss)(atomic_load(&p->pattern) & 3) : PASS;
    if (txn)
        atomic_store(&p->pattern, atomic_load(&p->pattern) >> 2);
    char *version = strstr(text, "HTTP/1.1");
    if (want && loss != LOSE_REQUEST && version) {
        memcpy(version, "HTTP/1.0", 8); /* so that the answer ends with the connection */
        struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)p->upstream)};
        const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(fd, (struct sockaddr *)&at, sizeof at) == 0 && send(fd, text, n, MSG_NOSIGNAL) == (ssize_t)n) {
            atomic_fetch_add(&p->changes, txn);
            for (ssize_t got; (got = read(fd, text, 4 << 20)) > 0;)
                if (loss == PASS && send(client, text, (size_t)got, MSG_NOSIGNAL) != got)
                    break;
        }
        close(fd);
    }
    close(client);
    free(text);
}

static void *serve(void *ud) {
    struct proxy *p = ud;
    for (int fd; (fd = accept4(p->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0;)
        transfer(p, fd);
    return NULL;
}

static void proxy_start(struct proxy *p, const char *member) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    p->upstream = (int)strtol(strrchr(member, ':') + 1, NULL, 10);
    p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(p->listener, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(p->listener, 16), 0);
    assert_int_equal(getsockname(p->listener, (struct sockaddr *)&at, &len), 0);
    p->port = ntohs(at.sin_port);
    assert_int_equal(pthread_create(&p->thread, NULL, serve, p), 0);
}

/* ---- */

struct lab {
    struct arena *a;
    struct err *err;
    struct loop *loop;
    struct store *store;
};

static struct etcd_kit *kit;
static struct proxy proxy;

static int begin(void **state) {
    (void)state;
    if (etcd_kit_why_not())
        return 0;
    kit = etcd_kit_start(1);
    proxy_start(&proxy, etcd_kit_member(kit, 0));
    return 0;
}

static int end(void **state) {
    (void)state;
    if (!kit)
        return 0;
    shutdown(proxy.listener, SHUT_RDWR);
    pthread_join(proxy.thread, NULL);
    close(proxy.listener);
    etcd_kit_stop(kit);
    return 0;
}

static int setup(void **state) {
    struct lab *lab = calloc(1, sizeof *lab);
    lab->a = arena_new();
    lab->err = err_new(lab->a);
    lab->loop = loop_new(clock_system());
    *state = lab;
    return 0;
}

static int teardown(void **state) {
    struct lab *lab = *state;
    atomic_store(&proxy.pattern, 0);
    if (lab->store)
        lab->store->ops->close(lab->store);
    loop_free(lab->loop);
    arena_free(lab->a);
    free(lab);
    return 0;
}

static void ok(struct lab *lab, bool well) {
    if (well)
        return;
    struct buf b = BUF_INIT;
    err_render(lab->err, &b);
    fail_msg("%s", b.data);
}

static struct store *open_store(struct lab *lab) {
    if (!kit)
        skip();
    const char *url = arena_printf(lab->a, "etcd://127.0.0.1:%d", proxy.port);
    ok(lab, store_open(lab->a, lab->loop, url, mark_none(), &lab->store, lab->err));
    return lab->store;
}

/* The next transactions: the first in the lowest bits. */
static void lose(unsigned pattern) {
    atomic_store(&proxy.pattern, pattern);
}

static const char *content(struct lab *lab, const char *run) {
    struct store_record *records;
    size_t n;
    struct buf b = BUF_INIT;
    ok(lab, lab->store->ops->read(lab->store, run, lab->a, &records, &n, lab->err));
    for (size_t i = 0; i < n; i++)
        buf_printf(&b, "%s%s", i ? " " : "", records[i].len > 40 ? "(long)" : records[i].json);
    const char *text = arena_strdup(lab->a, b.data);
    buf_done(&b);
    return text;
}

static void append(struct lab *lab, const char *run, int n) {
    const char *text = arena_printf(lab->a, "{\"n\":%d}", n);
    ok(lab, store_append_wait(lab->store, run, &text, 1, lab->err));
}

static void an_append_whose_answer_is_lost_happens_once(void **state) {
    struct lab *lab = *state;
    struct store *s = open_store(lab);
    ok(lab, s->ops->own(s, "answer", lab->err));
    ok(lab, s->ops->create(s, "answer", lab->err));
    const int before = atomic_load(&proxy.changes);
    lose(LOSE_ANSWER);
    append(lab, "answer", 1);
    assert_int_equal(atomic_load(&proxy.changes), before + 2); /* asked again, and told that it was ours */
    lose(LOSE_ANSWER | LOSE_ANSWER << 2 | LOSE_ANSWER << 4);
    append(lab, "answer", 2);
    append(lab, "answer", 3);
    assert_string_equal(content(lab, "answer"), "{\"n\":1} {\"n\":2} {\"n\":3}");
}

static void a_request_that_is_lost_is_made_again(void **state) {
    struct lab *lab = *state;
    struct store *s = open_store(lab);
    ok(lab, s->ops->create(s, "request", lab->err));
    lose(LOSE_REQUEST | LOSE_REQUEST << 2);
    append(lab, "request", 1);
    lose(LOSE_REQUEST | LOSE_ANSWER << 2 | LOSE_REQUEST << 4);
    append(lab, "request", 2);
    assert_string_equal(content(lab, "request"), "{\"n\":1} {\"n\":2}");
}

static void a_batch_in_several_transactions_is_there_once_whatever_is_lost(void **state) {
    struct lab *lab = *state;
    struct store *s = open_store(lab);
    static const unsigned patterns[] = {LOSE_ANSWER, LOSE_ANSWER << 2, LOSE_REQUEST | LOSE_ANSWER << 4, LOSE_ANSWER | LOSE_ANSWER << 4 | LOSE_REQUEST << 8};
    char *fill = calloc(1, (700 << 10) + 1);
    memset(fill, 'x', 700 << 10);
    const char *texts[3] = {arena_printf(lab->a, "{\"a\":\"%s\"}", fill), arena_printf(lab->a, "{\"b\":\"%s\"}", fill), "{\"c\":1}"};
    free(fill);
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        const char *run = arena_printf(lab->a, "several%zu", i);
        ok(lab, s->ops->create(s, run, lab->err));
        append(lab, run, 0);
        lose(patterns[i]);
        ok(lab, store_append_wait(s, run, texts, 3, lab->err));
        append(lab, run, 9);
        assert_string_equal(content(lab, run), "{\"n\":0} (long) (long) {\"c\":1} {\"n\":9}");
    }
}

static void making_and_holding_a_run_happen_once_too(void **state) {
    struct lab *lab = *state;
    struct store *s = open_store(lab);
    const char *by;
    lose(LOSE_ANSWER);
    ok(lab, s->ops->create_from(s, "made", "plan", lab->err));
    ok(lab, s->ops->plan_taken(s, "plan", lab->a, &by, lab->err));
    assert_string_equal(by, "made");
    lose(LOSE_ANSWER);
    ok(lab, s->ops->own(s, "made", lab->err));
    append(lab, "made", 1);
    lose(LOSE_ANSWER);
    s->ops->disown(s, "made");
    ok(lab, s->ops->own(s, "made", lab->err));
    append(lab, "made", 2);
    assert_string_equal(content(lab, "made"), "{\"n\":1} {\"n\":2}");
}

static void at_random(void **state) {
    struct lab *lab = *state;
    struct store *s = open_store(lab);
    const char *given = getenv("QUORATE_SEED");
    unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)getpid(), r = seed;
    print_message("# QUORATE_SEED=%u\n", seed);
    struct buf want = BUF_INIT;
    ok(lab, s->ops->own(s, "random", lab->err));
    ok(lab, s->ops->create(s, "random", lab->err));
    const int rounds = getenv("QUORATE_FEW") ? 8 : 24;
    for (int i = 0; i < rounds; i++) {
        unsigned pattern = 0;
        for (int k = 0; k < 3; k++) {
            r = r * 1103515245 + 12345;
            pattern = pattern << 2 | (r >> 16) % 3;
        }
        lose(pattern);
        append(lab, "random", i);
        buf_printf(&want, "%s{\"n\":%d}", i ? " " : "", i);
    }
    lose(0);
    assert_string_equal(content(lab, "random"), want.data);
    buf_done(&want);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    static const struct CMUnitTest tests[] = {
        T(an_append_whose_answer_is_lost_happens_once),
        T(a_request_that_is_lost_is_made_again),
        T(a_batch_in_several_transactions_is_there_once_whatever_is_lost),
        T(making_and_holding_a_run_happen_once_too),
        T(at_random),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
