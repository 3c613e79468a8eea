/* attach.h: the streams of a container, over a connection that Docker upgrades from HTTP (POST /containers/ID/attach).
 *
 * Standard input comes from a file or a text and is half-closed at its end, so that the container sees it. Standard output goes to a file or is
 * kept up to a limit, standard error is kept up to a limit (its end is what counts). Memory is the same for a backup of any size. */
#ifndef IO_ATTACH_H
#define IO_ATTACH_H

#include "io/engines.h"

struct attach;

struct attach_result {
    enum http_failure failure; /* HTTP_OK: the container has closed its streams, or the engine has refused: see status */
    const char *message;       /* what went wrong, for people; "" if nothing */
    long status;               /* 101 or 200: attached (and started, if that was asked for); else the engine's refusal */
    const char *body;          /* of a refusal */
    size_t body_len;
    bool started;              /* the engine was told to start the container: it may have run */
    const struct buf *out, *err; /* what was kept; out is empty with a file */
    uint64_t bytes;            /* of standard output */
    char sha256[65];           /* of standard output */
};

struct attach_spec {
    const char *node, *container;
    bool start;                /* start the container once it is attached to, so that nothing of it is missed */
    const char *input_file;    /* for standard input; or NULL */
    const char *input;         /* the same as a text; or NULL. With neither, standard input is not attached */
    size_t input_len;
    const char *output_file;   /* made anew with mode 0600, synced at the end; NULL: kept */
    size_t max_out, max_err;   /* bytes kept; default 1 MiB and 256 KiB */
    int64_t timeout_ms;        /* of the whole; 0: none */
    void (*line)(void *ud, bool is_err, const char *line, size_t len); /* each line that goes to no file, as it comes; cut at 4 KiB; may be NULL */
    void (*done)(void *ud, const struct attach_result *r); /* once, from the loop; valid only inside */
    void *ud;
};

/* All of spec is copied. Never fails: what goes wrong arrives in done. */
struct attach *attach_start(struct loop *l, struct engines *e, const struct attach_spec *spec);
void attach_cancel(struct attach *a); /* done comes with HTTP_CANCELLED; the container goes on */

#endif
