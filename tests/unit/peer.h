/* peer.h: an HTTP server on a unix socket, in a thread, for tests of what talks to engines.
 *
 *   …/_ping          OK                           …/silent      reads the request and never answers
 *   …/echo           200, the request's body      …/status/N    status N, {"message": "status N"}
 *   …/meet/N         answers once N such requests are there: proof that they were under way together
 *   …/count          {"bytes": N}: how long the request's body is, whatever its length
 *   …/zeros/N        200, N bytes of 0 */
#ifndef UNIT_PEER_H
#define UNIT_PEER_H

struct peer;

struct peer *peer_start(const char *path);
void peer_stop(struct peer *p);
/* Requests read so far, without pings. */
int peer_requests(const struct peer *p);
/* "POST /v1.41/echo" of the last one, and its body. */
const char *peer_last(const struct peer *p);
const char *peer_last_body(const struct peer *p);

#endif
