#include "store/owner.h"

#include "base/clock.h"
#include "value/json.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *text_of(struct arena *a, const char *path) {
    char text[1024];
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text);
    if (fd >= 0)
        close(fd);
    return n > 0 ? arena_strndup(a, text, strcspn(arena_strndup(a, text, (size_t)n), "\n")) : "";
}

static const char *space_of(struct arena *a) {
    char text[128];
    const ssize_t n = readlink("/proc/self/ns/pid", text, sizeof text);
    return n > 0 ? arena_strndup(a, text, (size_t)n) : "";
}

/* Field 22 of its stat, counted behind the name, which may have spaces and brackets in it; -1 if there is none. */
static int64_t started_of(struct arena *a, int64_t pid) {
    const char *s = strrchr(text_of(a, arena_printf(a, "/proc/%lld/stat", (long long)pid)), ')');
    for (int i = 0; s && i < 20; i++) {
        s = strchr(s, ' ');
        s = s ? s + 1 : NULL;
    }
    return s ? strtoll(s, NULL, 10) : -1;
}

const struct store_owner *owner_self(struct arena *a, int64_t since, const char *token) {
    struct store_owner *o = arena_new_of(a, struct store_owner);
    char host[256] = "?";
    gethostname(host, sizeof host - 1);
    const char *user = getenv("SUDO_USER") ? getenv("SUDO_USER") : getenv("USER");
    *o = (struct store_owner){.host = arena_strdup(a, host), .user = arena_strdup(a, user ? user : ""), .pid = getpid(), .since = since,
                              .boot = text_of(a, "/proc/sys/kernel/random/boot_id"), .space = space_of(a), .started = started_of(a, getpid()), .token = token};
    return o;
}

void owner_print(const struct store_owner *o, struct buf *json) {
    struct arena *a = arena_new();
    struct val *m = val_map_new(a);
    val_map_set(a, m, "host", val_str(a, o->host));
    val_map_set(a, m, "user", val_str(a, o->user));
    val_map_set(a, m, "pid", val_int(a, o->pid));
    val_map_set(a, m, "since", val_int(a, o->since));
    val_map_set(a, m, "boot", val_str(a, o->boot));
    val_map_set(a, m, "space", val_str(a, o->space));
    val_map_set(a, m, "started", val_int(a, o->started));
    val_map_set(a, m, "token", val_str(a, o->token));
    json_print(m, JSON_COMPACT, json);
    arena_free(a);
}

bool owner_parse(struct arena *a, const char *json, size_t len, struct store_owner *ret) {
    const struct val *m;
    if (!json_parse(a, "owner", json, len, &m, err_new(a)) || !val_is(m, VAL_MAP))
        return false;
    *ret = (struct store_owner){.host = val_get_str(m, "host", "?"), .user = val_get_str(m, "user", ""), .pid = val_get_int(m, "pid", 0),
                                .since = val_get_int(m, "since", 0), .boot = val_get_str(m, "boot", ""), .space = val_get_str(m, "space", ""),
                                .started = val_get_int(m, "started", -1), .token = val_get_str(m, "token", "")};
    return true;
}

bool owner_gone(const struct store_owner *o) {
    struct arena *a = arena_new();
    bool gone = false;
    if (*o->boot && *o->space && o->pid > 0 && !strcmp(o->boot, text_of(a, "/proc/sys/kernel/random/boot_id")) && !strcmp(o->space, space_of(a))) {
        const int64_t started = started_of(a, o->pid);
        gone = (kill((pid_t)o->pid, 0) && errno == ESRCH) || (started >= 0 && o->started >= 0 && started != o->started);
    }
    arena_free(a);
    return gone;
}

const char *owner_text(struct arena *a, const struct store_owner *o) {
    struct buf b = BUF_INIT;
    buf_printf(&b, "%s%s%s, process %lld, since ", o->user, *o->user ? "@" : "", o->host, (long long)o->pid);
    time_print(&b, o->since);
    const char *s = arena_strdup(a, b.data);
    buf_done(&b);
    return s;
}
