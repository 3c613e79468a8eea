#include "store/etcd_priv.h"

#include <inttypes.h>
#include <string.h>

static const size_t piece = 512 << 10; /* bytes of one value */

/* A put of the batch, in order. */
struct put {
    const char *key, *value;
    size_t len;
};

static size_t pieces_of(size_t len) {
    return len <= piece ? 1 : (len + piece - 1) / piece;
}

static size_t puts_of(struct etcd *s, struct arena *a, const struct etcd_batch *b, int64_t seq, struct put **ret) {
    size_t n = 0;
    for (size_t i = 0; i < b->n; i++)
        n += pieces_of(strlen(b->texts[i])) + 1;
    struct put *puts = arena_array(a, struct put, n + 1);
    size_t k = 0;
    for (size_t i = 0; i < b->n; i++) {
        const size_t len = strlen(b->texts[i]), np = pieces_of(len);
        const char *key = etcd_record_key(s, a, b->run_id, seq + 1 + (int64_t)i), *value = b->texts[i];
        for (size_t p = 0; np > 1 && p < np; p++)
            puts[k++] = (struct put){arena_printf(a, "%s/piece/%s/%012" PRId64 "/%04zu", s->prefix, b->run_id, seq + 1 + (int64_t)i, p), value + p * piece,
                                     p + 1 < np ? piece : len - p * piece};
        if (np > 1)
            value = arena_printf(a, "pieces %zu %zu", np, len);
        puts[k++] = (struct put){key, value, strlen(value)};
    }
    *ret = puts;
    return k;
}

/* How many of them go into one transaction, beside the head. */
static size_t fitting(const struct put *puts, size_t n) {
    size_t bytes = 0, k = 0;
    while (k < n && k < txn_max_ops - 1 && (k == 0 || bytes + puts[k].len <= txn_max_bytes)) {
        bytes += puts[k].len + strlen(puts[k].key);
        k++;
    }
    return k;
}

/* The head was not as we have left it, or we do not hold the run. */
static bool moved(struct etcd *s, struct arena *a, const char *run_id, const struct etcd_kv *owner, bool head_stands, const char **ret_why) {
    struct store_owner by;
    if (owner->key && owner_parse(a, owner->value, owner->len, &by))
        *ret_why = arena_printf(a, "the run %s is held by %s now: this process may append nothing more to it (%s)", run_id, owner_text(a, &by), s->store.url);
    else if (head_stands)
        *ret_why = arena_printf(a, "this process does not hold the run %s any more (%s)", run_id, s->store.url);
    else
        *ret_why = arena_printf(a, "another process has appended to the run %s: its journal is not as this one has left it (%s)", run_id, s->store.url);
    return false;
}

static bool cannot(struct etcd *s, struct arena *a, enum etcd_end end, const char *why, size_t records, const char **ret_why) {
    static const char *const hints[] = {
        [ETCD_REFUSED] = "",
        [ETCD_LARGE] = ": a request is larger than it allows; its --max-request-bytes and --max-txn-ops must not be below their defaults",
        [ETCD_NOBODY] = ": no majority of it answers",
    };
    *ret_why = arena_printf(a, "cannot write the journal %s%s: %s%s", s->store.url, hints[end], why,
                            end == ETCD_NOBODY ? arena_printf(a, "; whether the last %zu record%s arrived will be seen when it is back", records, records == 1 ? "" : "s") : "");
    return false;
}

/* One transaction; *r is as it leaves the head. */
static bool put_some(struct etcd *s, struct arena *a, const struct etcd_batch *b, struct etcd_run *r, const struct put *puts, size_t n, int64_t seq,
                     const char **ret_why) {
    const char *head = etcd_key(s, a, "head", b->run_id), *owner = etcd_key(s, a, "owner", b->run_id), *token = etcd_token(s, a);
    const char *value = arena_printf(a, "%" PRId64 " %s", seq, token);
    for (int tries = 0;; tries++) {
        struct etcd_txn t;
        struct etcd_result res = {0};
        txn_init(&t);
        txn_if_mod(&t, head, r->mod);
        if (r->hold)
            txn_if_mod(&t, owner, r->hold);
        for (size_t i = 0; i < n; i++)
            txn_put(&t, puts[i].key, puts[i].value, puts[i].len, 0);
        txn_put(&t, head, value, strlen(value), 0);
        txn_else_get(&t, head);
        txn_else_get(&t, owner);
        const enum etcd_end end = txn_run(s->net, a, &t, &res, ret_why);
        txn_done(&t);
        if (end != ETCD_OK)
            return cannot(s, a, end, *ret_why, b->n, ret_why);
        const struct etcd_kv now = res.held ? (struct etcd_kv){.mod = res.revision} : txn_found(a, &res, 0);
        int64_t found;
        const char *by = "";
        /* an answer was lost, and what we had asked for has happened */
        const bool ours = res.held || (etcd_head_parse(&now, &found, &by) && !strcmp(by, token));
        if (ours) {
            r->mod = now.mod;
            r->seq = seq;
            return true;
        }
        const struct etcd_kv holder = txn_found(a, &res, 1);
        if (now.mod != r->mod || !r->hold || holder.key || tries)
            return moved(s, a, b->run_id, &holder, now.mod == r->mod, ret_why);
        /* The lease ran out while the machine slept or was cut off, and nobody has done anything to the run: it is taken again. */
        const struct store_owner *other = NULL;
        if (etcd_hold(s, a, b->run_id, &other, ret_why) != ETCD_OK)
            return moved(s, a, b->run_id, &holder, true, ret_why);
    }
}

static bool know_head(struct etcd *s, struct arena *a, const char *run_id, struct etcd_run *r, const char **ret_why) {
    struct etcd_kv *kv;
    size_t n;
    bool more;
    const char *token;
    const enum etcd_end end = etcd_get(s->net, a, &(struct etcd_range){.from = etcd_key(s, a, "head", run_id)}, &kv, &n, &more, ret_why);
    if (end != ETCD_OK)
        return cannot(s, a, end, *ret_why, 1, ret_why);
    if (!n || !etcd_head_parse(kv, &r->seq, &token)) {
        *ret_why = arena_printf(a, "the journal %s has no run '%s'", s->store.url, run_id);
        return false;
    }
    r->mod = kv->mod;
    return true;
}

bool etcd_commit(struct etcd *s, struct arena *a, const struct etcd_batch *b, const char **ret_why) {
    struct etcd_run *r = etcd_run_of(s, b->run_id);
    if (!r->mod && !know_head(s, a, b->run_id, r, ret_why))
        return false;
    struct put *puts;
    const size_t n = puts_of(s, a, b, r->seq, &puts);
    const int64_t before = r->seq;
    for (size_t at = 0; at < n;) {
        const size_t k = fitting(puts + at, n - at);
        if (!put_some(s, a, b, r, puts + at, k, at + k < n ? before : before + (int64_t)b->n, ret_why))
            return false;
        at += k;
    }
    return true;
}
