/* endpoint.h: one way to an engine: its URL taken apart, and for ssh:// the forward that belongs to it. */
#ifndef IO_ENDPOINT_H
#define IO_ENDPOINT_H

#include "base/arena.h"
#include "io/process.h"

enum endpoint_kind { ENDPOINT_UNIX, ENDPOINT_TCP, ENDPOINT_SSH };

struct endpoint {
    enum endpoint_kind kind;
    const char *url;
    const char *user;   /* ssh; or NULL */
    const char *host;   /* without brackets */
    const char *port;   /* digits; ssh: or NULL */
    const char *path;   /* unix: the socket; ssh: the remote socket */
    /* ssh */
    struct process *ssh;
    const char *local;  /* the forwarded socket */
    bool ended;         /* ssh has ended; why is set */
    char said[256];     /* its last line on stderr, or "" */
    char why[320];
};

bool endpoint_parse(struct arena *a, const char *url, struct endpoint *ret, const char **why);
/* Starts `ssh -N -L`, unless it runs. The socket is there once ssh is through. */
void endpoint_forward(struct endpoint *e, struct loop *l, struct arena *a, const char *local, const char *ssh_config);
/* Ends ssh at once, if it runs, and removes the socket. */
void endpoint_close(struct endpoint *e);
/* ssh and its options up to the destination, ended by NULL; room for more behind. */
size_t endpoint_ssh_words(const struct endpoint *e, struct arena *a, const char *ssh_config, size_t room, const char ***ret);

#endif
