#include "task/rights.h"

#include "lua/rights.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* ---- who has which ---- */

struct lists {
    const struct val *of[2]; /* the runbook's, the site's; either may be NULL */
};
enum { of_runbook, of_site };

static bool limited(const struct task *t) {
    return t->spec.def->own;
}

static struct lists lists_of(const struct task *t) {
    struct lists l = {{NULL}};
    const char *file = t->spec.def->file;
    for (size_t i = 0; i < val_len(t->spec.hooks); i++) {
        const struct val *h = val_at(t->spec.hooks, i);
        if (val_is(h, VAL_MAP) && val_cstr(val_get(h, "file")) && !strcmp(val_cstr(val_get(h, "file")), file))
            l.of[of_runbook] = val_get(h, "allow");
    }
    if (t->spec.world->hooks)
        l.of[of_site] = val_get(t->spec.world->hooks, file);
    return l;
}

static void missing(lua_State *L, const struct task *t, const char *name, const char *word, bool runbook, bool site) {
    luaL_error(L, "%s: the hook %s has no right '%s': %s [right-not-granted]", name, t->spec.def->file, word,
               !runbook && !site ? "neither does its runbook ask for it (hooks, allow), nor does the site grant it (hooks)"
               : runbook         ? "its runbook asks for it, and the site does not grant it (hooks)"
                                 : "the site grants it, and its runbook does not ask for it (hooks, allow)");
}

void right_need(lua_State *L, const char *name, const char *word) {
    const struct task *t = co_of(L)->task;
    if (!limited(t))
        return;
    const struct lists l = lists_of(t);
    const bool runbook = right_in(l.of[of_runbook], word), site = right_in(l.of[of_site], word);
    if (!runbook || !site)
        missing(L, t, name, word, runbook, site);
}

void right_need_exec(lua_State *L, const char *name, const char *program, const char *const *env) {
    if (!limited(co_of(L)->task))
        return;
    right_need(L, name, lua_pushfstring(L, "exec:%s", program));
    lua_pop(L, 1);
    for (; env && *env; env++)
        if (!strncmp(*env, "PATH=", 5) || !strncmp(*env, "LD_", 3) || !strncmp(*env, "BASH_ENV=", 9) || !strncmp(*env, "ENV=", 4))
            luaL_error(L, "%s: a hook cannot set %s for a program: another one would run [right-not-granted]", name,
                       lua_pushlstring(L, *env, strcspn(*env, "=")));
}

void right_lists(const struct task *t, const struct val *ret[2]) {
    const struct lists l = lists_of(t);
    ret[0] = l.of[of_runbook];
    ret[1] = l.of[of_site];
}

/* ---- hosts ---- */

/* An address that names in the public DNS have no business to lead to. */
static bool is_inside(const struct sockaddr *sa, char *text) {
    unsigned char a[4];
    if (sa->sa_family == AF_INET) {
        memcpy(a, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, 4);
    } else if (sa->sa_family == AF_INET6) {
        const struct in6_addr *six = &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr;
        if (!IN6_IS_ADDR_V4MAPPED(six)) {
            inet_ntop(AF_INET6, six, text, right_host_size);
            return (six->s6_addr[0] & 0xe0) != 0x20 || (six->s6_addr[0] == 0x20 && six->s6_addr[1] == 0x02); /* all but global unicast, and 6to4 */
        }
        memcpy(a, six->s6_addr + 12, 4);
    } else {
        *text = '\0';
        return true;
    }
    inet_ntop(AF_INET, a, text, right_host_size);
    return a[0] == 0 || a[0] == 10 || a[0] == 127 || a[0] >= 224 || (a[0] == 100 && (a[1] & 0xc0) == 64) || (a[0] == 169 && a[1] == 254) ||
           (a[0] == 172 && (a[1] & 0xf0) == 16) || (a[0] == 192 && a[1] == 168) || (a[0] == 198 && (a[1] & 0xfe) == 18);
}

struct guard {
    const struct val *site;
    const char *host; /* in one spelling */
};

static bool address_granted(const struct val *site, const struct sockaddr *sa, const char *text) {
    char word[right_host_size + 16];
    const unsigned port = ntohs(sa->sa_family == AF_INET ? ((const struct sockaddr_in *)(const void *)sa)->sin_port
                                                         : ((const struct sockaddr_in6 *)(const void *)sa)->sin6_port);
    snprintf(word, sizeof word, strchr(text, ':') ? "http:[%s]:%u" : "http:%s:%u", text, port);
    return right_in(site, word);
}

/* Called with each address before it is connected to. One that is inside must be known to the site: as what was asked for, or beside it. */
static bool may_connect(void *ud, const struct sockaddr *sa) {
    const struct guard *g = ud;
    char text[right_host_size] = "";
    if (!is_inside(sa, text))
        return true;
    return !strcmp(text, g->host) || (!strcmp(g->host, "localhost") && (!strcmp(text, "::1") || !strncmp(text, "127.", 4))) ||
           (*text && address_granted(g->site, sa, text));
}

/* "host[:port]" of a URL's authority, or of connect: the right that is asked for, pushed, and the host in one spelling. */
static const char *word_of(lua_State *L, const char *name, const char *s, size_t len, const char *default_port, char *host) {
    const char *close = len && *s == '[' ? memchr(s, ']', len) : NULL, *from = close ? close : s;
    const char *colon = memchr(from, ':', len - (size_t)(from - s));
    const size_t n = colon ? (size_t)(colon - s) : len;
    const char *port = colon && n + 1 < len ? lua_pushlstring(L, colon + 1, len - n - 1) : lua_pushstring(L, default_port);
    if (port[strspn(port, "0123456789")] || *port == '0' || strlen(port) > 5 || !right_host(s, n, host))
        luaL_error(L, "%s: '%s' is not a host as a hook must spell it: a name, an IPv4 address of four decimal numbers, or an IPv6 address in [] "
                      "[right-not-granted]", name, lua_pushlstring(L, s, len));
    return lua_pushfstring(L, strchr(host, ':') ? "http:[%s]:%s" : "http:%s:%s", host, port);
}

void right_need_http(lua_State *L, const char *name, struct http_spec *spec) {
    struct co *co = co_of(L);
    const struct task *t = co->task;
    if (!limited(t))
        return;
    struct guard *g = arena_new_of(co->op->arena, struct guard);
    char host[right_host_size];
    const bool tls = !strncmp(spec->url, "https://", 8);
    const char *s = strstr(spec->url, "://") + 3;
    const size_t len = strcspn(s, "/?#");
    for (size_t i = 0; spec->url[i]; i++)
        if ((unsigned char)spec->url[i] <= ' ' || spec->url[i] == '\\' || spec->url[i] == 0x7f)
            luaL_error(L, "%s: the URL has a character in it that must be written as %%XX [right-not-granted]", name);
    if (memchr(s, '@', len))
        luaL_error(L, "%s: the URL must not have a user in it; credentials are given as user and password [right-not-granted]", name);
    right_need(L, name, word_of(L, name, s, len, tls ? "443" : "80", host));
    if (spec->connect_to)
        right_need(L, name, word_of(L, name, spec->connect_to, strlen(spec->connect_to), "0", host));
    for (const char *const *h = spec->headers; h && *h; h++)
        if (!strncasecmp(*h, "Host:", 5))
            luaL_error(L, "%s: a hook cannot send a Host header of its own: another host would be asked [right-not-granted]", name);
    *g = (struct guard){.site = lists_of(t).of[of_site], .host = arena_strdup(co->op->arena, host)};
    spec->may_connect = may_connect;
    spec->connect_ud = g;
    if (spec->ca) {
        const struct val *ucp = val_get(t->spec.world->site, "ucp");
        const char *known = ucp ? val_get_str(ucp, "ca", NULL) : NULL, *why = NULL;
        if (!known || strcmp(known, spec->ca)) {
            spec->ca = right_path(L, name, co->op, spec->ca, RIGHT_READ, &why);
            if (!spec->ca)
                luaL_error(L, "%s: ca: %s", name, why);
        }
    }
}

const struct val *right_site(const struct task *t) {
    const struct val *site = t->spec.world->site, *ucp = val_is(site, VAL_MAP) ? val_get(site, "ucp") : NULL;
    if (!limited(t) || !val_is(ucp, VAL_MAP) || !val_get(ucp, "password"))
        return site;
    const struct lists l = lists_of(t);
    const char *url = val_get_str(ucp, "url", ""), *s = strstr(url, "://");
    const char *word = s ? arena_printf(t->arena, "http:%.*s", (int)strcspn(s + 3, "/?#"), s + 3) : "http:";
    if (!strchr(word + 5, ':'))
        word = arena_printf(t->arena, "%s:443", word);
    if (right_in(l.of[of_runbook], word) && right_in(l.of[of_site], word))
        return site;
    struct val *without = val_map_new(t->arena);
    for (size_t i = 0; i < val_len(ucp); i++)
        if (strcmp(ucp->map.pairs[i].key, "password"))
            val_map_set(t->arena, without, ucp->map.pairs[i].key, ucp->map.pairs[i].val);
    return val_map_with(t->arena, site, "ucp", without);
}
