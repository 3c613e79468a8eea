#include "store/etcd_txn.h"

#include "base/base64.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Its gateway writes 64-bit numbers as strings, and leaves zeros out. */
static int64_t number(const struct val *m, const char *key) {
    const char *s = val_get_str(m, key, NULL);
    return s ? strtoll(s, NULL, 10) : val_get_int(m, key, 0);
}

static void add64(struct buf *b, const char *name, const char *data, size_t len) {
    buf_printf(b, "\"%s\":\"", name);
    base64_add(b, data, len);
    buf_addc(b, '"');
}

void txn_init(struct etcd_txn *t) {
    *t = (struct etcd_txn){.compare = BUF_INIT, .success = BUF_INIT, .failure = BUF_INIT};
}

void txn_done(struct etcd_txn *t) {
    buf_done(&t->compare);
    buf_done(&t->success);
    buf_done(&t->failure);
}

void txn_if_mod(struct etcd_txn *t, const char *key, int64_t mod) {
    buf_adds(&t->compare, t->compare.len ? ",{" : "{");
    add64(&t->compare, "key", key, strlen(key));
    buf_printf(&t->compare, ",\"target\":\"MOD\",\"result\":\"EQUAL\",\"mod_revision\":\"%" PRId64 "\"}", mod);
}

static struct buf *op(struct buf *b, const char *name) {
    buf_printf(b, "%s{\"request_%s\":{", b->len ? "," : "", name);
    return b;
}

void txn_put(struct etcd_txn *t, const char *key, const char *value, size_t len, int64_t lease) {
    struct buf *b = op(&t->success, "put");
    add64(b, "key", key, strlen(key));
    buf_addc(b, ',');
    add64(b, "value", value, len);
    if (lease)
        buf_printf(b, ",\"lease\":\"%" PRId64 "\"", lease);
    buf_adds(b, "}}");
    t->ops++;
    t->bytes += strlen(key) + len;
}

static void key_op(struct buf *b, const char *name, const char *key) {
    add64(op(b, name), "key", key, strlen(key));
    buf_adds(b, "}}");
}

void txn_delete(struct etcd_txn *t, const char *key) {
    key_op(&t->success, "delete_range", key);
    t->ops++;
}

void txn_get(struct etcd_txn *t, const char *key) {
    key_op(&t->success, "range", key);
    t->ops++;
}

void txn_else_get(struct etcd_txn *t, const char *key) {
    key_op(&t->failure, "range", key);
}

enum etcd_end txn_run(struct etcd_net *n, struct arena *a, const struct etcd_txn *t, struct etcd_result *ret, const char **ret_why) {
    struct buf b = BUF_INIT;
    buf_printf(&b, "{\"compare\":[%s],\"success\":[%s],\"failure\":[%s]}", t->compare.data, t->success.data, t->failure.data);
    const struct val *v = NULL;
    const enum etcd_end end = etcd_ask(n, a, "kv/txn", b.data, b.len, &v, ret_why);
    buf_done(&b);
    if (end == ETCD_OK)
        *ret = (struct etcd_result){.held = val_get_bool(v, "succeeded", false), .revision = number(val_get(v, "header"), "revision"),
                                    .responses = val_get(v, "responses")};
    return end;
}

static const char *text_of(struct arena *a, const struct val *m, const char *key, size_t *ret_len) {
    const char *s = val_get_str(m, key, "");
    const char *text = base64_decode(a, s, strlen(s), ret_len);
    if (!text)
        *ret_len = 0;
    return text ? text : "";
}

static struct etcd_kv kv_of(struct arena *a, const struct val *m) {
    struct etcd_kv kv = {.mod = number(m, "mod_revision"), .created = number(m, "create_revision"), .lease = number(m, "lease")};
    size_t n;
    kv.key = text_of(a, m, "key", &n);
    kv.value = text_of(a, m, "value", &kv.len);
    return kv;
}

struct etcd_kv txn_found(struct arena *a, const struct etcd_result *r, size_t i) {
    const struct val *kvs = val_get(val_get(val_at(r->responses, i), "response_range"), "kvs");
    return val_len(kvs) ? kv_of(a, val_at(kvs, 0)) : (struct etcd_kv){.value = ""};
}

enum etcd_end etcd_get(struct etcd_net *n, struct arena *a, const struct etcd_range *range, struct etcd_kv **ret, size_t *ret_n, bool *ret_more,
                       const char **ret_why) {
    struct buf b = BUF_INIT;
    buf_addc(&b, '{');
    add64(&b, "key", range->from, strlen(range->from));
    if (range->to) {
        buf_addc(&b, ',');
        add64(&b, "range_end", range->to, strlen(range->to));
        buf_printf(&b, ",\"sort_target\":\"%s\",\"sort_order\":\"%s\"", range->by_created ? "CREATE" : "KEY", range->by_created ? "DESCEND" : "ASCEND");
    }
    if (range->limit)
        buf_printf(&b, ",\"limit\":\"%" PRId64 "\"", range->limit);
    buf_printf(&b, "%s}", range->keys_only ? ",\"keys_only\":true" : "");
    const struct val *v = NULL;
    const enum etcd_end end = etcd_ask(n, a, "kv/range", b.data, b.len, &v, ret_why);
    buf_done(&b);
    if (end != ETCD_OK)
        return end;
    const struct val *kvs = val_get(v, "kvs");
    struct etcd_kv *out = arena_array(a, struct etcd_kv, val_len(kvs) + 1);
    for (size_t i = 0; i < val_len(kvs); i++)
        out[i] = kv_of(a, val_at(kvs, i));
    *ret = out;
    *ret_n = val_len(kvs);
    *ret_more = val_get_bool(v, "more", false);
    return ETCD_OK;
}

const char *etcd_behind(struct arena *a, const char *prefix) {
    char *s = arena_strdup(a, prefix);
    const size_t n = strlen(s);
    if (n)
        s[n - 1]++; /* ours end with '/' */
    return s;
}
