#include "store/etcd_net.h"

#include "io/http.h"
#include "value/json.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { max_members = 16, round_pause_ms = 200, connect_ms = 2000, max_code = 16 };
static const size_t max_answer = 24 << 20; /* bytes */

struct member {
    const char *name; /* HOST:PORT */
    char why[200];    /* what its last failure was; "" if none since it answered */
    bool silent;      /* it did not answer at all, and */
    bool slow;        /* that was because its time was over, or */
    bool distrusted;  /* because we and it do not trust each other */
    bool told;        /* that it is passed over */
};

struct etcd_net {
    struct arena *arena;
    struct loop *loop;
    struct http *http;
    struct etcd_spec spec;
    struct member members[max_members];
    size_t n, current;
    char *token; /* that we have signed in with; NULL: not yet, or not at all */
    struct buf notes;
    int64_t ms; /* that the next request is given */
    atomic_bool stop;
};

struct etcd_net *etcd_net_new(const struct etcd_spec *spec) {
    struct etcd_net *n = mem_alloc(sizeof *n);
    struct arena *a = arena_new();
    n->arena = a;
    n->loop = loop_new(clock_system());
    n->http = http_new(n->loop);
#define COPY(field) .field = spec->field ? arena_strdup(a, spec->field) : NULL
    n->spec = (struct etcd_spec){COPY(ca), COPY(cert), COPY(key), COPY(username), COPY(password), .request_ms = spec->request_ms, .patience_ms = spec->patience_ms};
#undef COPY
    for (; spec->members[n->n] && n->n < max_members; n->n++)
        n->members[n->n].name = arena_strdup(a, spec->members[n->n]);
    assert(n->n);
    buf_init(&n->notes, 64 << 10);
    return n;
}

void etcd_net_free(struct etcd_net *n) {
    http_free(n->http);
    loop_free(n->loop);
    buf_done(&n->notes);
    free(n->token);
    arena_free(n->arena);
    free(n);
}

void etcd_net_stop(struct etcd_net *n) {
    atomic_store(&n->stop, true);
}

void etcd_net_patience(struct etcd_net *n, int64_t ms) {
    n->spec.patience_ms = ms;
}

const char *etcd_net_note(struct etcd_net *n, struct arena *a) {
    if (!n->notes.len)
        return NULL;
    const char *s = arena_strdup(a, n->notes.data);
    buf_clear(&n->notes);
    return s;
}

/* ---- one request to one member ---- */

struct answer {
    bool over;
    enum http_failure failure;
    long status;
    struct buf body;
    char message[200];
};

static void answered(void *ud, const struct http_result *r) {
    struct answer *an = ud;
    an->over = true;
    an->failure = r->failure;
    an->status = r->status;
    if (r->failure == HTTP_OK)
        buf_add(&an->body, r->body, r->len);
    snprintf(an->message, sizeof an->message, "%s", r->message);
}

static void post(struct etcd_net *n, const struct member *m, const char *path, const char *body, size_t len, int64_t ms, struct answer *an) {
    struct arena *a = arena_new();
    const bool tls = n->spec.ca || n->spec.cert;
    const char *headers[] = {"Content-Type: application/json", n->token ? arena_printf(a, "Authorization: %s", n->token) : NULL, NULL};
    const struct http_spec spec = {.method = "POST", .url = arena_printf(a, "%s://%s/v3/%s", tls ? "https" : "http", m->name, path), .headers = headers, .body = body,
                                   .len = len, .ca = n->spec.ca, .cert = n->spec.cert, .key = n->spec.key, .timeout_ms = ms,
                                   .connect_ms = connect_ms, .max_body = max_answer, .done = answered, .ud = an};
    *an = (struct answer){.body = BUF_INIT};
    http_start(n->http, &spec);
    while (!an->over && loop_once(n->loop)) {
    }
    arena_free(a);
}

enum verdict { GOOD, NEXT, FINAL, TOO_LARGE, SIGN_IN };

/* What an answer other than 200 means. The numbers are those of gRPC. */
static enum verdict refused(const struct val *v, long status, const char **ret_why) {
    static const struct {
        const char *part; /* of the message */
        enum verdict verdict;
    } words[] = {
        {"invalid auth token", SIGN_IN},    {"revision in header is old", SIGN_IN}, {"user name is empty", SIGN_IN},
        {"request is too large", TOO_LARGE}, {"larger than max", TOO_LARGE},         {"too many operations", TOO_LARGE},
        {"no leader", NEXT},                {"request timed out", NEXT},            {"leader changed", NEXT},
        {"server stopped", NEXT},           {"not ready", NEXT},                    {"unhealthy cluster", NEXT},
        {"context deadline exceeded", NEXT}, {"context canceled", NEXT},
    };
    static const enum verdict codes[max_code + 1] = {[4] = NEXT, [14] = NEXT, [16] = SIGN_IN};
    const char *why = val_get_str(v, "message", val_get_str(v, "error", NULL));
    if (!why) {
        *ret_why = status == 404 ? "it has no gateway below /v3: etcd 3.4 or later is needed, without --enable-grpc-gateway=false" : "what answers is no etcd";
        return FINAL;
    }
    *ret_why = why;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strstr(why, words[i].part))
            return words[i].verdict;
    const int64_t code = val_get_int(v, "code", 0);
    return code >= 0 && code <= max_code && codes[code] ? codes[code] : FINAL;
}

static enum verdict one(struct etcd_net *n, struct arena *a, struct member *m, const char *path, const char *body, size_t len, const struct val **ret,
                        const char **ret_why) {
    struct answer an;
    const struct val *v = NULL;
    enum verdict verdict = NEXT;
    post(n, m, path, body, len, n->ms, &an);
    m->silent = an.failure != HTTP_OK;
    m->slow = an.failure == HTTP_TIMEOUT;
    m->distrusted = an.failure == HTTP_TLS;
    *ret_why = "";
    if (an.failure == HTTP_TOO_LARGE)
        verdict = TOO_LARGE;
    else if (an.failure == HTTP_UNAVAILABLE)
        verdict = FINAL;
    if (an.failure != HTTP_OK) {
        *ret_why = arena_strdup(a, an.message);
    } else if (!json_parse(a, m->name, an.body.data, an.body.len, &v, err_new(a))) {
        v = NULL;
        /* trailers may stand behind an error, and what is behind a proxy may say anything */
        const char *end = memchr(an.body.data, '}', an.body.len);
        if (end && !json_parse(a, m->name, an.body.data, (size_t)(end + 1 - an.body.data), &v, err_new(a)))
            v = NULL;
    }
    buf_done(&an.body);
    if (an.failure == HTTP_OK && an.status == 200 && v) {
        *m = (struct member){.name = m->name};
        *ret = v;
        return GOOD;
    }
    if (an.failure == HTTP_OK)
        verdict = refused(v, an.status, ret_why);
    snprintf(m->why, sizeof m->why, "%s", *ret_why);
    return verdict;
}

/* ---- whichever answers ---- */

static void sleep_over(void *ud) {
    *(bool *)ud = true;
}

static void pause_for(struct etcd_net *n, int64_t ms) {
    bool over = false;
    loop_timer(n->loop, ms, sleep_over, &over);
    while (!over && loop_once(n->loop)) {
    }
}

static enum verdict sign_in(struct etcd_net *n, struct arena *a, struct member *m, const char **ret_why) {
    struct buf body = BUF_INIT;
    struct val *who = val_map_new(a);
    val_map_set(a, who, "name", val_str(a, n->spec.username));
    val_map_set(a, who, "password", val_str(a, n->spec.password ? n->spec.password : ""));
    json_print(who, JSON_COMPACT, &body);
    free(n->token);
    n->token = NULL;
    const struct val *v;
    enum verdict verdict = one(n, a, m, "auth/authenticate", body.data, body.len, &v, ret_why);
    if (verdict == GOOD)
        n->token = mem_strdup(val_get_str(v, "token", ""));
    else if (verdict == FINAL && strstr(*ret_why, "authentication is not enabled"))
        verdict = GOOD; /* nobody asks who we are */
    memset(body.data, 0, body.len);
    buf_done(&body);
    return verdict;
}

static enum verdict ask_member(struct etcd_net *n, struct arena *a, struct member *m, const char *path, const char *body, size_t len, const struct val **ret,
                               const char **ret_why) {
    enum verdict verdict = GOOD;
    if (n->spec.username && !n->token)
        verdict = sign_in(n, a, m, ret_why);
    if (verdict == GOOD)
        verdict = one(n, a, m, path, body, len, ret, ret_why);
    if (verdict != SIGN_IN)
        return verdict;
    if (!n->spec.username) {
        *ret_why = "it wants to know who we are: give the store a username and a password";
        return FINAL;
    }
    verdict = sign_in(n, a, m, ret_why); /* the token was too old */
    if (verdict == GOOD)
        verdict = one(n, a, m, path, body, len, ret, ret_why);
    return verdict == SIGN_IN ? FINAL : verdict;
}

/* Members that did not answer, now that another one has. One that was slow while another one was gone has only waited for the election of a
 * new leader. */
static void note_silent(struct etcd_net *n) {
    bool gone = false;
    for (size_t i = 0; i < n->n; i++)
        gone |= n->members[i].silent && !n->members[i].slow;
    for (size_t i = 0; i < n->n; i++) {
        struct member *m = &n->members[i];
        if (!m->silent || m->told || (gone && m->slow))
            continue;
        m->told = true;
        buf_printf(&n->notes, "%sthe journal's member %s is passed over: %s; %s answers", n->notes.len ? "\n" : "", m->name, m->why, n->members[n->current].name);
    }
}

/* Certificates do not become right by waiting. */
static bool all_distrusted(const struct etcd_net *n) {
    for (size_t i = 0; i < n->n; i++)
        if (!n->members[i].distrusted)
            return false;
    return true;
}

static const char *all_why(const struct etcd_net *n, struct arena *a) {
    struct buf b = BUF_INIT;
    for (size_t i = 0; i < n->n; i++)
        buf_printf(&b, "%s%s: %s", i ? "; " : "", n->members[i].name, *n->members[i].why ? n->members[i].why : "not asked");
    const char *s = arena_strdup(a, b.data);
    buf_done(&b);
    return s;
}

enum etcd_end etcd_ask(struct etcd_net *n, struct arena *a, const char *path, const char *body, size_t len, const struct val **ret, const char **ret_why) {
    const int64_t until = loop_now(n->loop) + n->spec.patience_ms;
    const char *why;
    for (size_t asked = 0;; asked++) {
        if (asked && asked % n->n == 0) {
            if (loop_now(n->loop) >= until || all_distrusted(n))
                break;
            pause_for(n, round_pause_ms);
        }
        if (atomic_load(&n->stop))
            break;
        n->ms = asked < n->n ? n->spec.first_ms : n->spec.request_ms;
        const enum verdict verdict = ask_member(n, a, &n->members[n->current], path, body, len, ret, &why);
        if (verdict == GOOD) {
            note_silent(n);
            return ETCD_OK;
        }
        if (verdict == FINAL || verdict == TOO_LARGE) {
            *ret_why = arena_printf(a, "%s: %s", n->members[n->current].name, why);
            return verdict == FINAL ? ETCD_REFUSED : ETCD_LARGE;
        }
        n->current = (n->current + 1) % n->n;
    }
    *ret_why = all_why(n, a);
    return ETCD_NOBODY;
}
