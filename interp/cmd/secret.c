#include "cmd/cmd.h"

#include "base/clock.h"
#include "base/redact.h"
#include "io/process.h"
#include "ui/asker.h"
#include "value/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where secrets are found. A source that is not there leaves it to the next; one that is there and cannot be used is an error: a password that is
 * silently another one costs more than a message. What a secret is read into on the way is overwritten. */

enum { patience_ms = 60 * 1000, max_words = 32 };

struct looking {
    struct ctx *c;
    const char *what; /* "the input 'password'" */
    const char *from; /* the source at hand */
    struct val *tried; /* why each did not have it */
    bool is_plain;     /* no secret at all: nothing to be masked */
};

static bool unusable(const struct looking *l, const char *why) {
    struct diag *d = err_add(l->c->err, mark_none(), "secret-source", "%s cannot be read from %s: %s", l->what, l->from, why);
    diag_hint(l->c->err, d, "mend it, or take it out of 'from'");
    return false;
}

static bool absent(const struct looking *l, const char *why) {
    val_list_add(l->c->arena, l->tried, val_printf(l->c->arena, "%s: %s", l->from, why));
    return true;
}

/* Without the line's end. Overwrites the text. */
static bool take(const struct looking *l, char *text, size_t len, const char **ret) {
    const size_t all = len;
    const char *why = NULL;
    while (len && (text[len - 1] == '\n' || text[len - 1] == '\r'))
        len--;
    if (!len)
        why = "it is empty";
    else if (memchr(text, 0, len))
        why = "it has a NUL byte in it";
    else if (l->is_plain || redact_add(text, len, &why))
        *ret = arena_strndup(l->c->arena, text, len);
    explicit_bzero(text, all);
    return !why || unusable(l, why);
}

/* ---- the environment ---- */

/* Taken out of it, so that no child inherits it and /proc does not show it; kept here for whoever asks again. */
static const char *take_env(struct ctx *c, const char *name) {
    if (!c->env_secrets)
        c->env_secrets = map_new(c->arena);
    char *s = getenv(name);
    if (s && *s) {
        arena_wipe(c->arena);
        map_put(c->env_secrets, name, arena_strdup(c->arena, s));
        explicit_bzero(s, strlen(s));
        unsetenv(name);
    }
    return map_get(c->env_secrets, name);
}

void secret_hide(struct ctx *c, const char *from) {
    if (!strncmp(from, "env:", 4))
        (void)take_env(c, from + 4);
}

static bool from_env(const struct looking *l, const char *name, const char **ret) {
    const char *s = take_env(l->c, name);
    if (!s)
        return absent(l, "it is not set");
    char *copy = mem_strdup(s);
    const bool ok = take(l, copy, strlen(copy), ret);
    free(copy);
    return ok;
}

/* ---- a file ---- */

static bool from_file(const struct looking *l, const char *word, const char **ret) {
    const char *path = path_join(l->c->arena, l->c->site ? l->c->site->dir : ".", word);
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO without a writer must not hang us */
    if (fd < 0)
        return errno == ENOENT ? absent(l, "there is no such file") : unusable(l, strerror(errno));
    struct stat st;
    const bool kind = !fstat(fd, &st) && (S_ISREG(st.st_mode) || S_ISFIFO(st.st_mode));
    fcntl(fd, F_SETFL, 0);
    char *text = mem_alloc(REDACT_MAX + 1);
    size_t len = 0;
    ssize_t n = 0;
    while (kind && len <= REDACT_MAX && ((n = read(fd, text + len, REDACT_MAX + 1 - len)) > 0 || (n < 0 && errno == EINTR)))
        len += n > 0 ? (size_t)n : 0;
    const int error = errno;
    close(fd);
    const bool ok = !kind ? unusable(l, "it is not a plain file") : n < 0 ? unusable(l, strerror(error)) : take(l, text, len, ret);
    explicit_bzero(text, REDACT_MAX + 1);
    free(text);
    return ok;
}

/* ---- a command ---- */

struct answer {
    const struct looking *l;
    const char **ret;
    bool over, ok;
};

static void command_over(void *ud, const struct process_result *r) {
    struct answer *w = ud;
    struct arena *a = w->l->c->arena;
    w->over = true;
    const char *said = r->err.data ? r->err.data : "";
    if (r->error)
        w->ok = strstr(r->error, "no such command") ? absent(w->l, r->error) : unusable(w->l, r->error);
    else if (r->timed_out)
        w->ok = unusable(w->l, "it took more than a minute");
    else if (r->signal || r->exit_status)
        w->ok = unusable(w->l, r->signal ? arena_printf(a, "it was ended by signal %d", r->signal)
                                         : arena_printf(a, "it ended with status %d%s%.*s", r->exit_status, *said ? ": " : "", (int)strcspn(said, "\n"), said));
    else
        w->ok = r->out.over ? unusable(w->l, "it says more than 32 KiB") : take(w->l, r->out.data, r->out.len, w->ret);
    if (r->out.len)
        explicit_bzero(r->out.data, r->out.len);
}

/* Words apart by blanks, without a shell; run in the site's folder, with a loop of its own: that of a rehearsal has a clock that stands still. */
static bool from_command(const struct looking *l, const char *text, const char **ret) {
    struct arena *a = l->c->arena;
    const char *argv[max_words + 1] = {NULL};
    size_t n = 0;
    for (const char *s = text + strspn(text, " \t"); *s && n < max_words; s += strspn(s, " \t")) {
        const size_t len = strcspn(s, " \t");
        argv[n++] = arena_strndup(a, s, len);
        s += len;
    }
    if (!n || n == max_words)
        return unusable(l, n ? "it has more than 31 words" : "it names no program");
    struct answer w = {.l = l, .ret = ret};
    struct loop *loop = loop_new(clock_system());
    const struct process_spec spec = {.argv = argv, .cwd = l->c->site ? l->c->site->dir : NULL, .max_output = REDACT_MAX, .timeout_ms = patience_ms,
                                      .done = command_over, .ud = &w};
    process_start(loop, &spec);
    while (!w.over && loop_once(loop)) {
    }
    loop_free(loop);
    return w.ok;
}

/* ---- a person ---- */

static bool from_prompt(const struct looking *l, const char *unused, const char **ret) {
    (void)unused;
    char *s = asker_secret(l->what);
    if (!s)
        return absent(l, "there is no terminal to ask on");
    const bool ok = *s ? take(l, s, strlen(s), ret) : absent(l, "nothing was typed");
    free(s);
    return ok;
}

/* ---- all ---- */

static const struct {
    const char *prefix;
    bool (*look)(const struct looking *l, const char *word, const char **ret);
} sources[] = {{"env:", from_env}, {"file:", from_file}, {"command:", from_command}, {"prompt", from_prompt}};

static bool look(const struct looking *l, const char **ret) {
    *ret = NULL;
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++)
        if (!strncmp(l->from, sources[i].prefix, strlen(sources[i].prefix)))
            return sources[i].look(l, l->from + strlen(sources[i].prefix), ret);
    return absent(l, "it is no source of values");
}

bool secret_from(struct ctx *c, const char *what, const char *from, struct val *tried, const char **ret) {
    const struct looking l = {.c = c, .what = what, .from = from, .tried = tried};
    arena_wipe(c->arena);
    return look(&l, ret);
}

bool secret_from_plain(struct ctx *c, const char *what, const char *from, struct val *tried, const char **ret) {
    const struct looking l = {.c = c, .what = what, .from = from, .tried = tried, .is_plain = true};
    return look(&l, ret);
}

bool secret_find(struct ctx *c, const char *what, const char *const *from, struct val *tried, const char **ret) {
    *ret = NULL;
    for (const char *const *f = from; *f; f++)
        secret_hide(c, *f);
    for (; *from && !*ret; from++)
        if (!secret_from(c, what, *from, tried, ret))
            return false;
    return true;
}
