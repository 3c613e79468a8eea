/* way.h: the way to one engine. Its endpoints are tried in order; the first that answers GET /_ping is kept until it is lost. One search
 * at a time, whoever waits for it. */
#ifndef IO_WAY_H
#define IO_WAY_H

#include "io/endpoint.h"
#include "io/http.h"

/* The private folder of forwarded sockets, made when the first is needed. */
struct way_folder {
    const char *path;
    bool made;
    size_t sockets; /* so far: their names are numbers, since a socket's path must be short */
};

struct way {
    struct loop *loop;
    struct http *http;
    struct arena *arena; /* owns all strings */
    struct way_folder *folder;
    struct endpoint *endpoints;
    size_t n;
    const char *ca, *cert, *key, *ssh_config; /* or NULL */
    bool insecure;
    void (*settled)(void *ud); /* a search has ended: way_ready says how. Never from inside way_find. */
    void *ud;
    /* below: its own */
    size_t current;   /* n: none yet */
    char version[16]; /* "v1.41": the lower of ours and the engine's */
    bool finding;
    size_t trying;
    int64_t try_until;         /* for the endpoint that is tried */
    struct http_request *ping; /* under way */
    uint64_t again;            /* timer of the next one */
    struct buf why;            /* "URL: reason" of each endpoint that did not answer, in one line */
    enum http_failure failure; /* of the last one */
};

void way_init(struct way *w);
void way_close(struct way *w); /* ends its ssh forwards at once */
bool way_ready(const struct way *w);
void way_find(struct way *w); /* unless a search is under way */
/* A connection to endpoint i failed: the next request searches anew. */
void way_lost(struct way *w, size_t i);
/* How far a search has come, for whoever gives up waiting: each endpoint and its reason. */
void way_story(const struct way *w, struct buf *out);
/* Fills in URL, socket and TLS files for a path of the current endpoint, with the version in front. */
void way_address(const struct way *w, const char *path, struct arena *a, struct http_spec *spec);

#endif
