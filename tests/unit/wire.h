/* wire.h: a server on loopback or a unix socket, in a thread, that behaves as badly as asked. Its paths, with or without a version in front:
 *
 *   /_ping    200 OK             /hello    200 "hello"           /request  200, the request as it came
 *   /chunked  200 in chunks      /large/N  200, N bytes          /status/N status N
 *   /redirect 302 to /hello      /silent   no answer             /half     half the body, then nothing
 *   /cut      half, then closed  /reset    half, then reset      /close    closed without an answer
 *   /once     200, and the connection is closed when the next request has been read from it */
#ifndef UNIT_WIRE_H
#define UNIT_WIRE_H

#include <stdbool.h>

struct wire;

struct wire_spec {
    const char *path;        /* unix socket; NULL: loopback, any port */
    const char *api_version; /* NULL: no such header */
    int ping_status;         /* 0: 200 */
    bool mute;               /* accepts and never answers anything */
    const char *greeting;    /* sent to whoever connects, then closed: no HTTP at all */
};

struct wire *wire_start(const struct wire_spec *spec);
void wire_stop(struct wire *w);
int wire_port(const struct wire *w);
int wire_connections(const struct wire *w);
int wire_requests(const struct wire *w); /* without pings */
int wire_pings(const struct wire *w);
/* A port on loopback where nobody listens. */
int wire_dead_port(void);

#endif
