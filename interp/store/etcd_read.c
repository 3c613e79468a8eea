#include "store/etcd_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { page = 512, heads_page = 40 }; /* keys; of a list, three questions a run */

/* Fewer at a time where the answer would be too large. */
static enum etcd_end get_page(struct etcd *s, struct arena *a, struct etcd_range range, struct etcd_kv **ret, size_t *ret_n, bool *ret_more, const char **ret_why) {
    enum etcd_end end;
    while ((end = etcd_get(s->net, a, &range, ret, ret_n, ret_more, ret_why)) == ETCD_LARGE && range.limit > 1)
        range.limit /= 4;
    return end;
}

/* "pieces N LENGTH" put together; *ret NULL if they are not all there. */
static enum etcd_end whole(struct etcd *s, struct arena *a, const char *run_id, int64_t seq, const struct etcd_kv *kv, const char **ret, size_t *ret_len,
                           const char **ret_why) {
    size_t n = 0, len = 0;
    if (sscanf(kv->value, "pieces %zu %zu", &n, &len) != 2) {
        *ret = kv->value;
        *ret_len = kv->len;
        return ETCD_OK;
    }
    struct buf b = BUF_INIT;
    enum etcd_end end = ETCD_OK;
    for (size_t i = 0; i < n && end == ETCD_OK; i++) {
        struct etcd_kv *part;
        size_t found = 0;
        bool more;
        const char *key = arena_printf(a, "%s/piece/%s/%012" PRId64 "/%04zu", s->prefix, run_id, seq, i);
        end = etcd_get(s->net, a, &(struct etcd_range){.from = key}, &part, &found, &more, ret_why);
        if (end == ETCD_OK && found)
            buf_add(&b, part->value, part->len);
    }
    *ret = b.len == len ? arena_strndup(a, b.data, b.len) : NULL;
    *ret_len = b.len;
    buf_done(&b);
    return end;
}

static bool hole(struct etcd *s, struct err *err, const char *run_id, int64_t seq) {
    struct diag *d = err_add(err, mark_none(), "journal", "the journal %s has no record %" PRId64 " of the run %s, and must have it", s->store.url, seq, run_id);
    diag_hint(err, d, "somebody has deleted keys below /%s, or it was restored from an old backup", s->prefix);
    return false;
}

/* Records that are at or before the head do not change, so they may be read page by page. */
static bool read_records(struct etcd *s, const char *run_id, int64_t head, struct arena *a, struct store_record *records, struct err *err) {
    const char *why = "";
    for (int64_t seq = 1; seq <= head;) {
        struct etcd_kv *kv = NULL;
        size_t n = 0;
        bool more;
        const struct etcd_range range = {.from = etcd_record_key(s, a, run_id, seq), .to = etcd_record_key(s, a, run_id, head + 1), .limit = page};
        const enum etcd_end end = get_page(s, a, range, &kv, &n, &more, &why);
        if (end != ETCD_OK)
            return etcd_fail(s, err, "cannot read the journal", end, why);
        if (!n)
            return hole(s, err, run_id, seq);
        for (size_t i = 0; i < n; i++, seq++) {
            struct store_record *r = &records[seq - 1];
            if (strcmp(kv[i].key, etcd_record_key(s, a, run_id, seq)))
                return hole(s, err, run_id, seq);
            r->seq = seq;
            const enum etcd_end e = whole(s, a, run_id, seq, &kv[i], &r->json, &r->len, &why);
            if (e != ETCD_OK)
                return etcd_fail(s, err, "cannot read the journal", e, why);
            if (!r->json)
                return hole(s, err, run_id, seq);
        }
    }
    return true;
}

static bool read_run(struct etcd *s, const char *run_id, struct arena *a, struct store_record **ret, size_t *ret_n, struct err *err) {
    struct etcd_kv *kv = NULL;
    size_t n = 0;
    bool more;
    const char *why, *token;
    const enum etcd_end end = etcd_get(s->net, a, &(struct etcd_range){.from = etcd_key(s, a, "head", run_id)}, &kv, &n, &more, &why);
    if (end != ETCD_OK)
        return etcd_fail(s, err, "cannot read the journal", end, why);
    int64_t head = 0;
    if (n && etcd_head_parse(kv, &head, &token)) { /* what is appended from now on goes behind what was read */
        struct etcd_run *r = etcd_run_of(s, run_id);
        r->mod = kv->mod;
        r->seq = head;
    }
    struct store_record *records = arena_array(a, struct store_record, (size_t)head + 1);
    if (!read_records(s, run_id, head, a, records, err))
        return false;
    *ret = records;
    *ret_n = (size_t)head;
    return true;
}

bool etcd_read(struct store *store, const char *run_id, struct arena *a, struct store_record **ret, size_t *ret_n, struct err *err) {
    struct etcd *s = (struct etcd *)store;
    pthread_mutex_lock(&s->lock);
    const bool ok = read_run(s, run_id, a, ret, ret_n, err);
    pthread_mutex_unlock(&s->lock);
    return ok;
}

/* ---- the list ---- */

/* First and last record of some runs, in one question. */
static enum etcd_end ends_of(struct etcd *s, struct arena *a, struct store_run *runs, size_t n, const char **ret_why) {
    struct etcd_txn t;
    struct etcd_result res = {0};
    txn_init(&t);
    for (size_t i = 0; i < n; i++) {
        txn_get(&t, etcd_record_key(s, a, runs[i].id, 1));
        txn_get(&t, etcd_record_key(s, a, runs[i].id, runs[i].records));
    }
    enum etcd_end end = txn_run(s->net, a, &t, &res, ret_why);
    txn_done(&t);
    for (size_t i = 0; i < n && end == ETCD_OK; i++) {
        const char **out[] = {&runs[i].summary, &runs[i].last};
        for (size_t k = 0; k < 2 && end == ETCD_OK; k++) {
            const struct etcd_kv kv = txn_found(a, &res, 2 * i + k);
            size_t len;
            if (kv.key && runs[i].records)
                end = whole(s, a, runs[i].id, k ? runs[i].records : 1, &kv, out[k], &len, ret_why);
        }
    }
    return end;
}

static bool list_heads(struct etcd *s, struct arena *a, struct etcd_kv **ret, size_t *ret_n, struct err *err) {
    const char *prefix = etcd_key(s, a, "head", ""), *why;
    bool more;
    const struct etcd_range range = {.from = prefix, .to = etcd_behind(a, prefix), .by_created = true};
    const enum etcd_end end = etcd_get(s->net, a, &range, ret, ret_n, &more, &why);
    return end == ETCD_OK || etcd_fail(s, err, "cannot read the journal", end, why);
}

static bool list_runs(struct etcd *s, struct arena *a, struct store_run **ret, size_t *ret_n, struct err *err) {
    struct etcd_kv *heads = NULL;
    size_t n = 0;
    const size_t skip = strlen(etcd_key(s, a, "head", ""));
    if (!list_heads(s, a, &heads, &n, err))
        return false;
    struct store_run *runs = arena_array(a, struct store_run, n + 1);
    for (size_t i = 0; i < n; i++) {
        const char *token;
        runs[i] = (struct store_run){.id = heads[i].key + skip};
        etcd_head_parse(&heads[i], &runs[i].records, &token);
    }
    for (size_t at = 0; at < n;) {
        const char *why;
        size_t k = n - at < heads_page ? n - at : heads_page;
        enum etcd_end end;
        while ((end = ends_of(s, a, runs + at, k, &why)) == ETCD_LARGE && k > 1)
            k /= 4;
        if (end != ETCD_OK)
            return etcd_fail(s, err, "cannot read the journal", end, why);
        at += k;
    }
    *ret = runs;
    *ret_n = n;
    return true;
}

bool etcd_runs(struct store *store, struct arena *a, struct store_run **ret, size_t *ret_n, struct err *err) {
    struct etcd *s = (struct etcd *)store;
    pthread_mutex_lock(&s->lock);
    const bool ok = list_runs(s, a, ret, ret_n, err);
    pthread_mutex_unlock(&s->lock);
    return ok;
}
