#include "io/lock.h"

#include "base/clock.h"
#include "value/json.h"

#include <stdlib.h>
#include <string.h>

enum { max_label = 128 }; /* bytes of a foreign label that are kept */

size_t lock_majority(size_t inventory) {
    return inventory / 2 + 1;
}

/* A run that took its lock twice is two holders. */
static bool same(const struct lock_holder *a, const struct lock_holder *b) {
    return !strcmp(a->run, b->run) && !strcmp(a->token, b->token);
}

static size_t count_of(const struct lock_answer *answers, size_t n, const struct lock_holder *h) {
    size_t k = 0;
    for (size_t i = 0; i < n; i++)
        k += answers[i].seen == LOCK_OTHERS && same(&answers[i].holder, h);
    return k;
}

static size_t count(const struct lock_answer *answers, size_t n, enum lock_seen seen) {
    size_t k = 0;
    for (size_t i = 0; i < n; i++)
        k += answers[i].seen == seen;
    return k;
}

enum lock_verdict lock_judge(const struct lock_answer *answers, size_t n, const char *us) {
    const size_t ours = count(answers, n, LOCK_OURS);
    if (!count(answers, n, LOCK_OTHERS))
        return ours >= lock_majority(n) ? LOCK_HELD : LOCK_MINORITY;
    bool lower = false;
    for (size_t i = 0; i < n; i++) {
        if (answers[i].seen != LOCK_OTHERS)
            continue;
        if (count_of(answers, n, &answers[i].holder) >= lock_majority(n))
            return LOCK_REFUSED;
        lower |= strcmp(answers[i].holder.run, us) <= 0; /* one without our labels does not step back either */
    }
    return ours < lock_majority(n) && lower ? LOCK_REFUSED : LOCK_WAIT;
}

bool lock_lost(const struct lock_answer *answers, const bool *had, size_t n, bool minority) {
    if (!minority)
        return count(answers, n, LOCK_OURS) < lock_majority(n);
    for (size_t i = 0; i < n; i++)
        if (answers[i].seen == LOCK_OTHERS || (had[i] && answers[i].seen != LOCK_OURS))
            return true;
    return false;
}

int64_t lock_fence(const struct lock_answer *answers, size_t n, int64_t wall_ms) {
    int64_t fence = wall_ms;
    for (size_t i = 0; i < n; i++)
        if ((answers[i].seen == LOCK_OTHERS || answers[i].seen == LOCK_OURS) && answers[i].holder.fence >= fence && answers[i].holder.fence < INT64_MAX)
            fence = answers[i].holder.fence + 1;
    return fence;
}

/* ---- labels ---- */

static const char *number(struct arena *a, int64_t n) {
    return arena_printf(a, "%lld", (long long)n);
}

void lock_request(const struct lock_holder *h, struct buf *out) {
    struct arena *a = arena_new();
    struct val *labels = val_map_new(a), *m = val_map_new(a);
    const struct {
        const char *name, *text;
    } all[] = {{"quorate.run", h->run},          {"quorate.user", h->user},
               {"quorate.host", h->host},        {"quorate.pid", number(a, h->pid)},
               {"quorate.since", number(a, h->since)}, {"quorate.fence", number(a, h->fence)},
               {"quorate.token", h->token}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        val_map_set(a, labels, all[i].name, val_str(a, all[i].text));
    val_map_set(a, m, "Name", val_str(a, LOCK_VOLUME));
    val_map_set(a, m, "Labels", labels);
    json_print(m, JSON_COMPACT, out);
    arena_free(a);
}

static const char *label(struct arena *a, const struct val *labels, const char *name) {
    const char *s = val_get_str(labels, name, "");
    return arena_strndup(a, s, strnlen(s, max_label));
}

static int64_t label_number(const struct val *labels, const char *name) {
    const char *s = val_get_str(labels, name, "");
    char *end;
    const long long n = strtoll(s, &end, 10);
    return *s && !*end && n > 0 ? n : 0;
}

bool lock_read(struct arena *a, const char *json, size_t len, struct lock_holder *ret) {
    struct arena *scratch = arena_new();
    const struct val *v;
    const bool ok = json_parse(scratch, "volume", json, len, &v, err_new(scratch)) && val_get_str(v, "Name", NULL);
    if (ok) {
        const struct val *labels = val_get(v, "Labels");
        *ret = (struct lock_holder){.run = label(a, labels, "quorate.run"),      .user = label(a, labels, "quorate.user"),
                                    .host = label(a, labels, "quorate.host"),    .token = label(a, labels, "quorate.token"),
                                    .pid = label_number(labels, "quorate.pid"),  .since = label_number(labels, "quorate.since"),
                                    .fence = label_number(labels, "quorate.fence")};
    }
    arena_free(scratch);
    return ok;
}

static void visible(struct buf *b, const char *s) {
    buf_add_visible(b, *s ? s : "?", *s ? strlen(s) : 1);
}

void lock_describe(const struct lock_holder *h, struct buf *out) {
    if (!*h->run) {
        buf_adds(out, "a volume " LOCK_VOLUME " without our labels");
        return;
    }
    buf_adds(out, "run ");
    visible(out, h->run);
    buf_adds(out, " of ");
    visible(out, h->user);
    buf_adds(out, " on ");
    visible(out, h->host);
    buf_printf(out, " (process %lld)", (long long)h->pid);
    if (h->since) {
        buf_adds(out, ", since ");
        time_print(out, h->since);
    }
}
