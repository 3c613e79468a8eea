/* rights.h: the words for what a hook may do: "docker.read", "docker.write", "http:HOST[:PORT]", "exec:PROGRAM", "file.read:DIR", "file.write:DIR".
 *
 * A hook is a Lua file of the site's own. It may do what its runbook asks for and what the site grants, see task/rights.c. */
#ifndef LUA_RIGHTS_H
#define LUA_RIGHTS_H

#include "value/val.h"

enum { right_words = 6 };
extern const char *const right_word[right_words]; /* as people read them */

bool right_is_one(const char *s);
/* Whether having one is enough for the other: docker.write reads too, a host is all of its ports, a folder is what is in it. */
bool right_covers(const char *granted, const char *wanted);
/* Whether one of a list is enough. */
bool right_in(const struct val *list, const char *wanted);

/* A host in one spelling: lower case, without a last dot; addresses as inet_ntop writes them, IPv4 in IPv6 as IPv4. false: what no resolver
 * reads in one way, such as 0x7f.1, 2130706433 and 010.0.0.1. out has room for right_host_size. */
enum { right_host_size = 256 };
bool right_host(const char *s, size_t len, char *out);

#endif
