/* http.h: HTTP over TCP, TLS and unix sockets, many at a time. libcurl is loaded when the first request is made. Redirects are never
 * followed, proxies from the environment never used, and TLS is verified unless the request says otherwise. */
#ifndef IO_HTTP_H
#define IO_HTTP_H

#include "base/buf.h"
#include "io/loop.h"

#include <sys/socket.h>

struct http;
struct http_request;

enum http_failure {
    HTTP_OK,          /* an answer came; look at status */
    HTTP_RESOLVE,     /* the name does not resolve */
    HTTP_CONNECT,     /* refused, unreachable, no such socket */
    HTTP_TLS,         /* certificate or handshake */
    HTTP_TIMEOUT,     /* the deadline was over */
    HTTP_CANCELLED,
    HTTP_TOO_LARGE,   /* the answer was longer than max_body */
    HTTP_BROKEN,      /* anything else on the way */
    HTTP_UNAVAILABLE, /* libcurl cannot be loaded */
    HTTP_FILE,        /* a file that was to be sent or written: the message names it */
};

struct http_result {
    enum http_failure failure;
    const char *message;    /* for people; "" if none */
    long status;            /* 0 without an answer */
    const char *body;
    size_t len;
    uint64_t file_bytes;    /* written to to_file */
    const char *date;       /* of the Date header, or NULL */
    const char *api_version; /* of the Api-Version header, or NULL */
    int64_t elapsed_ms;
    bool sent;              /* false: surely nothing reached the peer (no connection was made), so a changing request has not happened */
};

struct http_spec {
    const char *method;          /* "GET" */
    const char *url;
    const char *unix_socket;     /* path, or NULL */
    const char *connect_to;      /* "HOST:PORT" that is connected to instead of the URL's, whose certificate is still to be that of the URL; or NULL */
    const char *const *headers;  /* "Name: value", ended by NULL; may be NULL */
    const char *body;
    size_t len;
    const char *body_file;       /* a plain file that is streamed as the body, instead of body; or NULL */
    const char *to_file;         /* made anew (0600), takes the body of an answer 2xx and is synced; the caller puts it in its place. NULL: body is kept */
    const char *ca, *cert, *key; /* files, or NULL */
    bool insecure;               /* do not verify the peer */
    const char *user, *password; /* basic authentication, or NULL */
    int64_t timeout_ms;          /* whole exchange; default 30 s */
    int64_t connect_ms;          /* default 5 s */
    size_t max_body;             /* default 64 MiB */
    bool (*may_connect)(void *ud, const struct sockaddr *sa); /* asked about each address before it is connected to; no connection is shared with
                                    other requests then. NULL: any */
    void *connect_ud;            /* valid until done */
    bool connect_only;           /* only connects, with TLS where there is any; see http_fd */
    void (*done)(void *ud, const struct http_result *r); /* once, from the loop; r is valid only inside */
    void *ud;
};

struct http *http_new(struct loop *l);
void http_free(struct http *h);
/* All of spec is copied. Never fails: what goes wrong arrives in done. */
struct http_request *http_start(struct http *h, const struct http_spec *spec);
void http_cancel(struct http_request *r); /* done comes with HTTP_CANCELLED */
void http_drop(struct http_request *r);   /* forgets it; done does not come */
/* Of a request that is connect_only, once done has told of success (HTTP_OK, status 0): it stays, as a connection, until http_drop. */
int http_fd(struct http_request *r); /* to watch; -1 if it is gone */
enum { HTTP_AGAIN = -1, HTTP_GONE = -2 };
long http_send(struct http_request *r, const void *data, size_t len); /* bytes taken, HTTP_AGAIN or HTTP_GONE */
long http_recv(struct http_request *r, void *data, size_t len);       /* bytes that came, 0 at the peer's end, HTTP_AGAIN or HTTP_GONE */
const char *http_failure_name(enum http_failure f); /* "timeout", "connect", … */

#endif
