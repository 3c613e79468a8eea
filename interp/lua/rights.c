#include "lua/rights.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>

const char *const right_word[right_words] = {"docker.read", "docker.write", "http:HOST", "exec:PROGRAM", "file.read:DIR", "file.write:DIR"};

/* ---- hosts ---- */

static bool as_address(const char *s, char *out) {
    unsigned char a[16];
    static const unsigned char mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    if (inet_pton(AF_INET, s, a) == 1)
        return inet_ntop(AF_INET, a, out, right_host_size) != NULL;
    if (inet_pton(AF_INET6, s, a) != 1)
        return false;
    if (!memcmp(a, mapped, sizeof mapped))
        return inet_ntop(AF_INET, a + 12, out, right_host_size) != NULL;
    return inet_ntop(AF_INET6, a, out, right_host_size) != NULL;
}

bool right_host(const char *s, size_t len, char *out) {
    char host[right_host_size];
    const bool bracketed = len > 2 && s[0] == '[' && s[len - 1] == ']';
    if (bracketed) {
        s++;
        len -= 2;
    }
    if (!bracketed && len > 1 && s[len - 1] == '.')
        len--;
    if (!len || len >= sizeof host)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (!isalnum((unsigned char)s[i]) && !strchr(bracketed ? ":." : ".-_:", s[i]))
            return false;
        host[i] = (char)tolower((unsigned char)s[i]);
    }
    host[len] = '\0';
    if (as_address(host, out))
        return true;
    /* a name whose last label is a number is an address in a spelling that resolvers take for different ones */
    const char *label = strrchr(host, '.') ? strrchr(host, '.') + 1 : host;
    if (bracketed || strchr(host, ':') || !*label || !label[strspn(label, "0123456789")] || !strncmp(label, "0x", 2))
        return false;
    memcpy(out, host, len + 1);
    return true;
}

/* "HOST", "HOST:PORT", "[V6]:PORT", and a bare V6 → where the host ends. */
static size_t host_length(const char *s) {
    const char *close = *s == '[' ? strchr(s, ']') : NULL, *colon = strchr(s, ':');
    if (close)
        return (size_t)(close + 1 - s);
    return colon && !strchr(colon + 1, ':') ? (size_t)(colon - s) : strlen(s);
}

static bool host_covers(const char *granted, const char *wanted) {
    char a[right_host_size], b[right_host_size];
    const size_t n = host_length(granted), m = host_length(wanted);
    return right_host(granted, n, a) && right_host(wanted, m, b) && !strcmp(a, b) && (!granted[n] || !strcmp(granted + n, wanted + m));
}

/* ---- words ---- */

bool right_is_one(const char *s) {
    for (size_t i = 0; i < right_words; i++) {
        const size_t fixed = strcspn(right_word[i], ":"); /* what follows a colon is the asker's own */
        if (!right_word[i][fixed] ? !strcmp(s, right_word[i]) : !strncmp(s, right_word[i], fixed + 1) && s[fixed + 1]) {
            char host[right_host_size];
            return strncmp(s, "http:", 5) || right_host(s + 5, host_length(s + 5), host);
        }
    }
    return false;
}

static bool folder_covers(const char *granted, const char *wanted) {
    size_t n = strlen(granted);
    while (n > 1 && granted[n - 1] == '/')
        n--;
    if (!strcmp(granted, "/"))
        return *wanted == '/';
    return !strncmp(granted, wanted, n) && (!wanted[n] || wanted[n] == '/') && !strstr(wanted, "..");
}

bool right_covers(const char *granted, const char *wanted) {
    if (!strcmp(granted, wanted) || (!strcmp(granted, "docker.write") && !strcmp(wanted, "docker.read")))
        return true;
    const size_t kind = strcspn(granted, ":") + 1;
    if (strncmp(granted, wanted, kind))
        return false;
    if (!strncmp(granted, "http:", kind))
        return host_covers(granted + kind, wanted + kind);
    return !strncmp(granted, "file.", 5) && folder_covers(granted + kind, wanted + kind);
}

bool right_in(const struct val *list, const char *wanted) {
    for (size_t i = 0; i < val_len(list); i++)
        if (val_cstr(val_at(list, i)) && right_covers(val_cstr(val_at(list, i)), wanted))
            return true;
    return false;
}
