#include "io/http.h"

#include "base/arena.h"
#include "io/http_file.h"

#include <ctype.h>
#include <curl/curl.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const int64_t default_timeout_ms = 30 * 1000, default_connect_ms = 5 * 1000;
static const size_t default_body = (size_t)64 << 20;

/* ---- libcurl, loaded when it is first used: it brings 33 libraries and 5 ms ---- */

#define CURL_FUNCTIONS(X)                                                                                                              \
    X(curl_global_init) X(curl_easy_init) X(curl_easy_setopt) X(curl_easy_getinfo) X(curl_easy_cleanup) X(curl_easy_strerror)          \
    X(curl_slist_append) X(curl_slist_free_all) X(curl_multi_init) X(curl_multi_setopt) X(curl_multi_add_handle)                       \
    X(curl_easy_send) X(curl_easy_recv) X(curl_multi_remove_handle) X(curl_multi_socket_action) X(curl_multi_assign) X(curl_multi_info_read) X(curl_multi_cleanup)

/* curl.h wraps these as macros that check types; here their plain form is wanted. */
#undef curl_easy_setopt
#undef curl_easy_getinfo
#undef curl_multi_setopt

struct curl {
#define X(name) __typeof__(&name) name;
    CURL_FUNCTIONS(X)
#undef X
};

struct http {
    struct loop *loop;
    struct curl curl;
    void *library;
    CURLM *multi;
    bool tried;
    uint64_t timer;
    struct http_request *all;
};

struct http_request {
    struct http *http;
    struct http_request *next, *prev;
    CURL *easy;
    struct curl_slist *headers, *connect_to;
    struct buf body, date, api_version;
    char *sent_body;
    struct http_file from, to; /* the body that is sent, and where that of the answer goes */
    char error[CURL_ERROR_SIZE];
    int64_t started;
    bool cancelled, sent, connect_only;
    uint64_t soon; /* an outcome that needs no transfer */
    enum http_failure early;
    void (*done)(void *ud, const struct http_result *r);
    void *ud;
    bool (*may_connect)(void *ud, const struct sockaddr *sa);
    void *connect_ud;
    bool kept_off;
};

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *ud, void *socket_ud);
static int on_timer_wanted(CURLM *multi, long ms, void *ud);

static bool load(struct http *h) {
    if (h->tried)
        return h->multi != NULL;
    h->tried = true;
    static const char *const names[] = {"libcurl.so.4", "libcurl-gnutls.so.4"};
    for (size_t i = 0; !h->library && i < sizeof names / sizeof *names; i++)
        h->library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    if (!h->library)
        return false;
#define X(name)                                                                                                                        \
    *(void **)&h->curl.name = dlsym(h->library, #name);                                                                                \
    if (!h->curl.name)                                                                                                                 \
        return false;
    CURL_FUNCTIONS(X)
#undef X
    if (h->curl.curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return false;
    h->multi = h->curl.curl_multi_init();
    if (!h->multi)
        return false;
    h->curl.curl_multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    h->curl.curl_multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h);
    h->curl.curl_multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, on_timer_wanted);
    h->curl.curl_multi_setopt(h->multi, CURLMOPT_TIMERDATA, h);
    return true;
}

/* ---- ends ---- */

const char *http_failure_name(enum http_failure f) {
    static const char *const names[] = {"ok", "resolve", "connect", "tls", "timeout", "cancelled", "too-large", "broken", "unavailable", "file"};
    return names[f];
}

static void unlink_request(struct http_request *r) {
    *(r->prev ? &r->prev->next : &r->http->all) = r->next;
    if (r->next)
        r->next->prev = r->prev;
}

static void request_free(struct http_request *r) {
    struct http *h = r->http;
    if (r->easy) {
        h->curl.curl_multi_remove_handle(h->multi, r->easy);
        h->curl.curl_easy_cleanup(r->easy);
    }
    if (r->headers)
        h->curl.curl_slist_free_all(r->headers);
    if (r->connect_to)
        h->curl.curl_slist_free_all(r->connect_to);
    buf_done(&r->body);
    buf_done(&r->date);
    buf_done(&r->api_version);
    free(r->sent_body);
    http_file_close(&r->from);
    http_file_close(&r->to);
    free(r);
}

static void finish(struct http_request *r, enum http_failure failure, const char *message) {
    struct http *h = r->http;
    long status = 0;
    if (r->easy)
        h->curl.curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &status);
    if (r->soon)
        loop_timer_stop(h->loop, r->soon);
    if (failure == HTTP_OK && r->to.fd >= 0 && !http_file_sync(&r->to)) {
        failure = HTTP_FILE;
        message = r->to.error;
    }
    const struct http_result result = {.failure = failure, .message = message, .status = failure == HTTP_OK ? status : 0, .body = r->body.data,
                                       .len = r->body.len, .file_bytes = r->to.bytes, .date = r->date.len ? r->date.data : NULL,
                                       .api_version = r->api_version.len ? r->api_version.data : NULL,
                                       .elapsed_ms = loop_now(h->loop) - r->started, .sent = r->sent};
    unlink_request(r);
    r->done(r->ud, &result);
    request_free(r);
}

static enum http_failure failure_of(const struct http_request *r, CURLcode code) {
    if (code != CURLE_OK && (*r->from.error || *r->to.error))
        return HTTP_FILE;
    switch (code) {
    case CURLE_OK:
        return HTTP_OK;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
        return HTTP_RESOLVE;
    case CURLE_COULDNT_CONNECT:
        return HTTP_CONNECT;
    case CURLE_OPERATION_TIMEDOUT:
        return HTTP_TIMEOUT;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
        return HTTP_TLS;
    case CURLE_WRITE_ERROR:
        return r->body.over ? HTTP_TOO_LARGE : HTTP_BROKEN;
    default:
        return HTTP_BROKEN;
    }
}

/* What went wrong, for people. libcurl says "Failed to connect to 10.0.0.1 port 2375 after 0 ms: Couldn't connect to server", and keeps
 * the reason apart from it. */
static void message_of(const struct http_request *r, CURLcode code, char *text, size_t size) {
    const struct http *h = r->http;
    static const struct {
        CURLcode code;
        const char *text;
    } words[] = {
        {CURLE_COULDNT_RESOLVE_HOST, "there is no such host"},
        {CURLE_GOT_NOTHING, "the connection was closed without an answer"},
        {CURLE_PARTIAL_FILE, "the connection was closed in the middle of the answer"},
        {CURLE_URL_MALFORMAT, "the URL is malformed"},
        {CURLE_UNSUPPORTED_PROTOCOL, "the URL begins with neither http:// nor https://"},
        {CURLE_WEIRD_SERVER_REPLY, "what answers does not speak HTTP"},
    };
    const double seconds = (double)(loop_now(h->loop) - r->started) / 1000;
    double connected = 0;
    long os = 0;
    h->curl.curl_easy_getinfo(r->easy, CURLINFO_OS_ERRNO, &os);
    h->curl.curl_easy_getinfo(r->easy, CURLINFO_CONNECT_TIME, &connected);
    snprintf(text, size, "%s", *r->error ? r->error : h->curl.curl_easy_strerror(code));
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (words[i].code == code)
            snprintf(text, size, "%s", words[i].text);
    if (code == CURLE_COULDNT_CONNECT && os) {
        snprintf(text, size, "%s", os == ENOENT ? "there is no such socket" : strerror((int)os));
        *text = (char)tolower((unsigned char)*text);
    }
    if (code == CURLE_COULDNT_CONNECT && r->kept_off)
        snprintf(text, size, "the name leads to an address inside (loopback, link-local or private) that the site does not grant as http:ADDRESS [right-not-granted]");
    if (code == CURLE_OPERATION_TIMEDOUT)
        snprintf(text, size, connected > 0 ? "connected, but no answer within %.1f s" : "no connection within %.1f s", seconds);
    else if (code == CURLE_WRITE_ERROR && r->body.over)
        snprintf(text, size, "the answer is longer than %zu bytes", r->body.max);
    else if (code == CURLE_SSL_CONNECT_ERROR && strstr(text, "wrong version number"))
        snprintf(text, size, "what answers does not speak TLS");
    if (*r->from.error || *r->to.error)
        snprintf(text, size, "%s", *r->from.error ? r->from.error : r->to.error);
}

/* The connection and TLS were there, so the request may have gone out. */
static bool may_be_sent(const struct http_request *r) {
    double ready = 0;
    long bytes = 0;
    r->http->curl.curl_easy_getinfo(r->easy, CURLINFO_PRETRANSFER_TIME, &ready);
    r->http->curl.curl_easy_getinfo(r->easy, CURLINFO_REQUEST_SIZE, &bytes);
    return ready > 0 || bytes > 0;
}

static void finished(struct http_request *r, CURLcode code) {
    char text[512] = "";
    r->sent = may_be_sent(r);
    if (r->cancelled) {
        finish(r, HTTP_CANCELLED, "cancelled");
        return;
    }
    if (r->connect_only && code == CURLE_OK) { /* from now on it is the asker's */
        const struct http_result result = {.failure = HTTP_OK, .message = "", .body = "", .elapsed_ms = loop_now(r->http->loop) - r->started};
        r->done(r->ud, &result);
        return;
    }
    if (code != CURLE_OK)
        message_of(r, code, text, sizeof text);
    finish(r, failure_of(r, code), text);
}

static void look_for_finished(struct http *h) {
    CURLMsg *m;
    int left;
    while ((m = h->curl.curl_multi_info_read(h->multi, &left)))
        if (m->msg == CURLMSG_DONE) {
            struct http_request *r = NULL;
            const CURLcode code = m->data.result; /* m is gone once the handle is removed */
            h->curl.curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &r);
            finished(r, code);
        }
}

/* ---- libcurl on the loop ---- */

static void act(struct http *h, curl_socket_t fd, int events) {
    int running;
    h->curl.curl_multi_socket_action(h->multi, fd, events, &running);
    look_for_finished(h);
}

struct watch {
    struct http *http;
    curl_socket_t fd;
    struct loop_fd *poll;
};

static void on_fd(void *ud, unsigned events) {
    struct watch *w = ud;
    act(w->http, w->fd, (events & LOOP_READ ? CURL_CSELECT_IN : 0) | (events & LOOP_WRITE ? CURL_CSELECT_OUT : 0));
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *ud, void *socket_ud) {
    (void)easy;
    struct http *h = ud;
    struct watch *w = socket_ud;
    if (what == CURL_POLL_REMOVE) {
        if (w) {
            loop_fd_stop(w->poll);
            free(w);
        }
        h->curl.curl_multi_assign(h->multi, fd, NULL);
        return 0;
    }
    const unsigned events = (what & CURL_POLL_IN ? LOOP_READ : 0) | (what & CURL_POLL_OUT ? LOOP_WRITE : 0);
    if (!w) {
        w = mem_alloc(sizeof *w);
        *w = (struct watch){.http = h, .fd = fd};
        w->poll = loop_fd_watch(h->loop, fd, events, on_fd, w);
        h->curl.curl_multi_assign(h->multi, fd, w);
    } else {
        loop_fd_change(w->poll, events);
    }
    return 0;
}

static void on_timer(void *ud) {
    struct http *h = ud;
    h->timer = 0;
    act(h, CURL_SOCKET_TIMEOUT, 0);
}

static int on_timer_wanted(CURLM *multi, long ms, void *ud) {
    (void)multi;
    struct http *h = ud;
    loop_timer_stop(h->loop, h->timer);
    h->timer = ms < 0 ? 0 : loop_timer(h->loop, ms, on_timer, h);
    return 0;
}

struct http *http_new(struct loop *l) {
    struct http *h = mem_alloc(sizeof *h);
    h->loop = l;
    return h;
}

void http_drop(struct http_request *r) {
    if (r->soon)
        loop_timer_stop(r->http->loop, r->soon);
    unlink_request(r);
    request_free(r);
}

void http_free(struct http *h) {
    while (h->all)
        http_drop(h->all);
    if (h->multi)
        h->curl.curl_multi_cleanup(h->multi);
    loop_timer_stop(h->loop, h->timer); /* cleaning up may have started it once more */
    /* the library stays loaded: it has registered things of its own with the process */
    free(h);
}

/* ---- a request ---- */

static size_t on_body(char *data, size_t size, size_t n, void *ud) {
    struct http_request *r = ud;
    long status = 0;
    if (r->to.fd >= 0)
        r->http->curl.curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status >= 200 && status < 300) /* a refusal is no content */
        return http_file_write(&r->to, data, size * n);
    buf_add(&r->body, data, size * n);
    return r->body.over ? 0 : size * n;
}

static void take_header(struct buf *out, const char *line, size_t len, const char *name) {
    const size_t n = strlen(name);
    if (len <= n || strncasecmp(line, name, n) || line[n] != ':')
        return;
    line += n + 1;
    len -= n + 1;
    while (len && (*line == ' ' || *line == '\t'))
        line++, len--;
    while (len && (line[len - 1] == '\r' || line[len - 1] == '\n' || line[len - 1] == ' '))
        len--;
    buf_clear(out);
    buf_add(out, line, len);
}

static size_t on_header(char *data, size_t size, size_t n, void *ud) {
    struct http_request *r = ud;
    take_header(&r->date, data, size * n, "Date");
    take_header(&r->api_version, data, size * n, "Api-Version");
    return size * n;
}

static void on_soon(void *ud) {
    struct http_request *r = ud;
    r->soon = 0;
    const char *file = *r->from.error ? r->from.error : r->to.error;
    finish(r, r->cancelled ? HTTP_CANCELLED : r->early, r->cancelled ? "cancelled" : *file ? file : "libcurl cannot be loaded: install libcurl4");
}

static curl_socket_t on_open(void *ud, curlsocktype purpose, struct curl_sockaddr *to) {
    struct http_request *r = ud;
    if (purpose != CURLSOCKTYPE_IPCXN || !r->may_connect(r->connect_ud, &to->addr)) {
        r->kept_off = true;
        return CURL_SOCKET_BAD;
    }
    return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

static void set_body(struct http_request *r, const struct http_spec *spec) {
    const struct curl *c = &r->http->curl;
    if (spec->body_file) {
        c->curl_easy_setopt(r->easy, CURLOPT_POST, 1L);
        c->curl_easy_setopt(r->easy, CURLOPT_READFUNCTION, http_file_read);
        c->curl_easy_setopt(r->easy, CURLOPT_READDATA, &r->from);
        c->curl_easy_setopt(r->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->from.size);
        return;
    }
    if (!spec->body && strcmp(spec->method, "POST"))
        return;
    r->sent_body = mem_alloc(spec->len + 1);
    if (spec->len)
        memcpy(r->sent_body, spec->body, spec->len);
    c->curl_easy_setopt(r->easy, CURLOPT_POSTFIELDS, r->sent_body);
    c->curl_easy_setopt(r->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)spec->len);
}

static void set_tls(const struct curl *c, CURL *e, const struct http_spec *spec) {
    if (spec->ca)
        c->curl_easy_setopt(e, CURLOPT_CAINFO, spec->ca);
    if (spec->cert)
        c->curl_easy_setopt(e, CURLOPT_SSLCERT, spec->cert);
    if (spec->key)
        c->curl_easy_setopt(e, CURLOPT_SSLKEY, spec->key);
    c->curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, spec->insecure ? 0L : 1L);
    c->curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, spec->insecure ? 0L : 2L);
}

static void set_options(struct http_request *r, const struct http_spec *spec) {
    const struct curl *c = &r->http->curl;
    CURL *e = r->easy;
    bool typed = spec->body != NULL;
    for (size_t i = 0; spec->headers && spec->headers[i]; i++) {
        r->headers = c->curl_slist_append(r->headers, spec->headers[i]);
        typed |= !strncasecmp(spec->headers[i], "Content-Type:", 13);
    }
    if (!typed)
        r->headers = c->curl_slist_append(r->headers, "Content-Type:"); /* libcurl takes an empty POST for a form; engines refuse that */
    r->headers = c->curl_slist_append(r->headers, "Expect:"); /* no round trip before a body */
    c->curl_easy_setopt(e, CURLOPT_PRIVATE, r);
    c->curl_easy_setopt(e, CURLOPT_URL, spec->url);
    c->curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    c->curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    c->curl_easy_setopt(e, CURLOPT_HTTPHEADER, r->headers);
    c->curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
    c->curl_easy_setopt(e, CURLOPT_PROXY, "");
    c->curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    c->curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L); /* giving up does not wait for a resolver that hangs */
    /* On a kept connection that turns out to be closed, libcurl sends again what may have been carried out already. */
    const bool repeatable = !strcmp(spec->method, "GET") || !strcmp(spec->method, "HEAD");
    c->curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, repeatable ? 0L : 1L);
    c->curl_easy_setopt(e, CURLOPT_ERRORBUFFER, r->error);
    c->curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)(spec->timeout_ms > 0 ? spec->timeout_ms : default_timeout_ms));
    c->curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)(spec->connect_ms > 0 ? spec->connect_ms : default_connect_ms));
    c->curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
    c->curl_easy_setopt(e, CURLOPT_WRITEDATA, r);
    c->curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
    c->curl_easy_setopt(e, CURLOPT_HEADERDATA, r);
    if (spec->unix_socket)
        c->curl_easy_setopt(e, CURLOPT_UNIX_SOCKET_PATH, spec->unix_socket);
    if (spec->connect_to) {
        struct buf b = BUF_INIT;
        buf_printf(&b, "::%s", spec->connect_to);
        r->connect_to = c->curl_slist_append(NULL, b.data);
        buf_done(&b);
        c->curl_easy_setopt(e, CURLOPT_CONNECT_TO, r->connect_to);
    }
    set_tls(c, e, spec);
    if (spec->may_connect) {
        c->curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, on_open);
        c->curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, r);
        c->curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, 1L);
        c->curl_easy_setopt(e, CURLOPT_FORBID_REUSE, 1L);
    }
    if (spec->connect_only) {
        c->curl_easy_setopt(e, CURLOPT_CONNECT_ONLY, 1L);
        c->curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, 1L);
    }
    if (spec->user) {
        c->curl_easy_setopt(e, CURLOPT_USERNAME, spec->user);
        c->curl_easy_setopt(e, CURLOPT_PASSWORD, spec->password ? spec->password : "");
        c->curl_easy_setopt(e, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
    }
    set_body(r, spec);
    if (!strcmp(spec->method, "HEAD"))
        c->curl_easy_setopt(e, CURLOPT_NOBODY, 1L);
    else
        c->curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, spec->method);
}

struct http_request *http_start(struct http *h, const struct http_spec *spec) {
    struct http_request *r = mem_alloc(sizeof *r);
    *r = (struct http_request){.http = h, .next = h->all, .started = loop_now(h->loop), .connect_only = spec->connect_only,
                                .may_connect = spec->may_connect, .connect_ud = spec->connect_ud, .done = spec->done, .ud = spec->ud};
    buf_init(&r->body, spec->max_body ? spec->max_body : default_body);
    buf_init(&r->date, 0);
    buf_init(&r->api_version, 0);
    if (h->all)
        h->all->prev = r;
    h->all = r;
    http_file_init(&r->from);
    http_file_init(&r->to);
    const bool files = (!spec->body_file || http_file_send(&r->from, spec->body_file)) && (!spec->to_file || http_file_take(&r->to, spec->to_file));
    r->easy = files && load(h) ? h->curl.curl_easy_init() : NULL;
    if (!r->easy) {
        r->early = files ? HTTP_UNAVAILABLE : HTTP_FILE;
        r->soon = loop_timer(h->loop, 0, on_soon, r);
        return r;
    }
    set_options(r, spec);
    h->curl.curl_multi_add_handle(h->multi, r->easy);
    return r;
}

void http_cancel(struct http_request *r) {
    struct http *h = r->http;
    if (r->cancelled)
        return;
    r->cancelled = true;
    if (r->easy) { /* taken out of its transfer; told in the next turn */
        r->sent = may_be_sent(r);
        h->curl.curl_multi_remove_handle(h->multi, r->easy);
    }
    if (!r->soon)
        r->soon = loop_timer(h->loop, 0, on_soon, r);
}

/* ---- connections ---- */

int http_fd(struct http_request *r) {
    curl_socket_t fd = CURL_SOCKET_BAD;
    if (r->http->curl.curl_easy_getinfo(r->easy, CURLINFO_ACTIVESOCKET, &fd) != CURLE_OK || fd == CURL_SOCKET_BAD)
        return -1;
    return fd;
}

long http_send(struct http_request *r, const void *data, size_t len) {
    size_t n = 0;
    const CURLcode code = r->http->curl.curl_easy_send(r->easy, data, len, &n);
    return code == CURLE_OK ? (long)n : code == CURLE_AGAIN ? HTTP_AGAIN : HTTP_GONE;
}

long http_recv(struct http_request *r, void *data, size_t len) {
    size_t n = 0;
    const CURLcode code = r->http->curl.curl_easy_recv(r->easy, data, len, &n);
    return code == CURLE_OK ? (long)n : code == CURLE_AGAIN ? HTTP_AGAIN : HTTP_GONE;
}
