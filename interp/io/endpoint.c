#include "io/endpoint.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char default_socket[] = "/var/run/docker.sock";

static bool digits(const char *s) {
    const long n = strlen(s) <= 5 ? strtol(s, NULL, 10) : 0;
    return *s && !s[strspn(s, "0123456789")] && n >= 1 && n <= 65535;
}

/* HOST[:PORT], HOST in brackets if it has colons. */
static bool host_port(struct arena *a, const char *s, size_t n, struct endpoint *e, const char **why) {
    const char *text = arena_strndup(a, s, n), *colon;
    if (*text == '[') {
        const char *close = strchr(text, ']');
        if (!close || (close[1] && close[1] != ':')) {
            *why = "a bracket is open";
            return false;
        }
        e->host = arena_strndup(a, text + 1, (size_t)(close - text - 1));
        colon = close[1] ? close + 1 : NULL;
    } else {
        colon = strchr(text, ':');
        if (colon && strchr(colon + 1, ':')) {
            *why = "an IPv6 address stands in brackets";
            return false;
        }
        e->host = colon ? arena_strndup(a, text, (size_t)(colon - text)) : text;
    }
    if (!*e->host || *e->host == '-') { /* a host that begins so would be an option of ssh */
        *why = "it has no host";
        return false;
    }
    if (colon && !digits(colon + 1)) {
        *why = "its port is not a number from 1 to 65535";
        return false;
    }
    e->port = colon ? colon + 1 : NULL;
    return true;
}

bool endpoint_parse(struct arena *a, const char *url, struct endpoint *ret, const char **why) {
    struct endpoint e = {.url = arena_strdup(a, url)};
    for (const char *s = url; *s; s++)
        if (isspace((unsigned char)*s) || iscntrl((unsigned char)*s)) {
            *why = "it has spaces in it";
            return false;
        }
    if (!strncmp(url, "unix://", 7)) {
        e.kind = ENDPOINT_UNIX;
        e.path = arena_strdup(a, url + 7);
        if (*e.path != '/') {
            *why = "the path of a socket begins with /";
            return false;
        }
    } else if (!strncmp(url, "tcp://", 6)) {
        e.kind = ENDPOINT_TCP;
        const char *rest = url + 6;
        size_t n = strlen(rest);
        while (n && rest[n - 1] == '/')
            n--;
        if (!host_port(a, rest, n, &e, why))
            return false;
        if (!e.port) {
            *why = "it has no port: 2376 with TLS, 2375 without";
            return false;
        }
    } else if (!strncmp(url, "ssh://", 6)) {
        e.kind = ENDPOINT_SSH;
        const char *rest = url + 6, *slash = strchr(rest, '/');
        size_t n = slash ? (size_t)(slash - rest) : strlen(rest);
        const char *at = memchr(rest, '@', n);
        if (at) {
            e.user = arena_strndup(a, rest, (size_t)(at - rest));
            n -= (size_t)(at + 1 - rest);
            rest = at + 1;
        }
        if (e.user && (!*e.user || *e.user == '-')) {
            *why = "its user is empty or begins with '-'";
            return false;
        }
        if (!host_port(a, rest, n, &e, why))
            return false;
        e.path = slash && slash[1] ? arena_strdup(a, slash) : default_socket;
        if (strchr(e.path, ':')) { /* ssh -L would take it for a separator */
            *why = "the path of its socket has a ':'";
            return false;
        }
    } else {
        *why = "it begins with none of unix://, tcp:// and ssh://";
        return false;
    }
    *ret = e;
    return true;
}

size_t endpoint_ssh_words(const struct endpoint *e, struct arena *a, const char *ssh_config, size_t room, const char ***ret) {
    static const char *const options[] = {"ssh", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o", "ConnectTimeout=5",
                                          "-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=3"};
    const size_t n = sizeof options / sizeof *options;
    const char **words = arena_array(a, const char *, n + room + 8);
    size_t k = 0;
    for (; k < n; k++)
        words[k] = options[k];
    if (ssh_config) {
        words[k++] = "-F";
        words[k++] = ssh_config;
    }
    if (e->port) {
        words[k++] = "-p";
        words[k++] = e->port;
    }
    if (e->user) {
        words[k++] = "-l";
        words[k++] = e->user;
    }
    *ret = words;
    return k;
}

/* The last line says what is wrong, as "ssh: connect to host …" or "user@host: Permission denied (publickey)." */
static void ssh_says(void *ud, bool is_err, const char *line, size_t len) {
    struct endpoint *e = ud;
    while (len && isspace((unsigned char)line[len - 1]))
        len--;
    if (is_err && len)
        snprintf(e->said, sizeof e->said, "%.*s", (int)len, line);
}

static void ssh_ended(void *ud, const struct process_result *r) {
    struct endpoint *e = ud;
    e->ssh = NULL;
    e->ended = true;
    if (r->error)
        snprintf(e->why, sizeof e->why, "ssh could not be started: %s", r->error);
    else if (*e->said)
        snprintf(e->why, sizeof e->why, "%s%s", strncmp(e->said, "ssh: ", 5) ? "ssh: " : "", e->said);
    else if (r->signal)
        snprintf(e->why, sizeof e->why, "ssh was ended by signal %d", r->signal);
    else
        snprintf(e->why, sizeof e->why, "ssh ended with status %d", r->exit_status);
}

void endpoint_forward(struct endpoint *e, struct loop *l, struct arena *a, const char *local, const char *ssh_config) {
    if (e->ssh)
        return;
    const char **words;
    size_t k = endpoint_ssh_words(e, a, ssh_config, 12, &words);
    words[k++] = "-N";
    words[k++] = "-o";
    words[k++] = "ExitOnForwardFailure=yes";
    words[k++] = "-o";
    words[k++] = "StreamLocalBindUnlink=yes";
    words[k++] = "-o";
    words[k++] = "ControlPath=none"; /* a shared connection would keep the forward when we are gone */
    words[k++] = "-L";
    words[k++] = arena_printf(a, "%s:%s", local, e->path);
    words[k++] = e->host;
    e->local = local;
    e->ended = false;
    e->said[0] = e->why[0] = 0;
    const struct process_spec spec = {.argv = words, .max_output = 4096, .line = ssh_says, .done = ssh_ended, .ud = e};
    e->ssh = process_start(l, &spec);
}

void endpoint_close(struct endpoint *e) {
    if (e->ssh)
        process_drop(e->ssh);
    e->ssh = NULL;
    if (e->local)
        unlink(e->local);
}
