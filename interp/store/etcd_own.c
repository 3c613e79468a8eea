#include "store/etcd_priv.h"

#include <string.h>

/* A lease that is alive as far as is known. */
static enum etcd_end have_lease(struct etcd *s, struct arena *a, const char **ret_why) {
    if (s->lease && !etcd_lease_lost(s->lease))
        return ETCD_OK;
    if (s->lease)
        etcd_lease_free(s->lease, NULL);
    s->lease = NULL;
    return etcd_lease_new(s->net, a, &s->spec, s->lease_ms, &s->lease, ret_why);
}

static enum etcd_end try_hold(struct etcd *s, struct arena *a, const char *run_id, int64_t if_mod, struct etcd_kv *ret_found, bool *ret_ours, const char **ret_why) {
    struct clock *clock = clock_system();
    const char *key = etcd_key(s, a, "owner", run_id), *token = etcd_token(s, a);
    struct buf owner = BUF_INIT;
    owner_print(owner_self(a, clock->wall_ms(clock), token), &owner);
    struct etcd_txn t;
    struct etcd_result res = {0};
    txn_init(&t);
    txn_if_mod(&t, key, if_mod);
    txn_put(&t, key, owner.data, owner.len, etcd_lease_id(s->lease));
    txn_else_get(&t, key);
    const enum etcd_end end = txn_run(s->net, a, &t, &res, ret_why);
    txn_done(&t);
    buf_done(&owner);
    if (end != ETCD_OK)
        return end;
    *ret_found = res.held ? (struct etcd_kv){.mod = res.revision} : txn_found(a, &res, 0);
    struct store_owner o;
    *ret_ours = res.held || (ret_found->key && owner_parse(a, ret_found->value, ret_found->len, &o) && !strcmp(o.token, token));
    return ETCD_OK;
}

enum etcd_end etcd_hold(struct etcd *s, struct arena *a, const char *run_id, const struct store_owner **ret_by, const char **ret_why) {
    struct etcd_run *r = etcd_run_of(s, run_id);
    int64_t if_mod = 0;
    *ret_by = NULL;
    for (int tries = 0; tries < 4; tries++) {
        struct etcd_kv found = {0};
        bool ours = false;
        enum etcd_end end = have_lease(s, a, ret_why);
        if (end == ETCD_OK)
            end = try_hold(s, a, run_id, if_mod, &found, &ours, ret_why);
        if (end == ETCD_REFUSED && strstr(*ret_why, "lease not found")) { /* it ran out, and the keeper has not yet heard of it */
            etcd_lease_free(s->lease, NULL);
            s->lease = NULL;
            continue;
        }
        if (end != ETCD_OK)
            return end;
        if (ours) {
            r->hold = found.mod;
            return ETCD_OK;
        }
        struct store_owner *by = arena_new_of(a, struct store_owner);
        if_mod = found.mod;
        if (!found.key)
            continue; /* it has let go of it just now */
        if (!owner_parse(a, found.value, found.len, by))
            *by = (struct store_owner){.host = "?", .user = "", .boot = "", .space = "", .token = ""};
        if (!owner_gone(by)) {
            *ret_by = by;
            *ret_why = "it is held";
            return ETCD_REFUSED;
        }
    }
    *ret_why = "others take it and let go of it all the time";
    return ETCD_REFUSED;
}

bool etcd_own(struct store *store, const char *run_id, struct err *err) {
    struct etcd *s = (struct etcd *)store;
    const struct store_owner *by;
    const char *why;
    pthread_mutex_lock(&s->lock);
    enum etcd_end end = ETCD_OK;
    if (!etcd_run_of(s, run_id)->hold)
        end = etcd_hold(s, err->arena, run_id, &by, &why);
    pthread_mutex_unlock(&s->lock);
    if (end == ETCD_OK)
        return true;
    if (end == ETCD_REFUSED && by)
        store_held(store, run_id, by, err);
    else
        etcd_fail(s, err, "cannot hold the run in the journal", end, why);
    return false;
}

void etcd_disown(struct store *store, const char *run_id) {
    struct etcd *s = (struct etcd *)store;
    pthread_mutex_lock(&s->lock);
    struct etcd_run *r = etcd_run_of(s, run_id);
    if (r->hold && !s->broken) { /* with nobody to tell, the lease runs out */
        struct arena *a = arena_new();
        const char *key = etcd_key(s, a, "owner", run_id), *why;
        struct etcd_txn t;
        struct etcd_result res;
        txn_init(&t);
        txn_if_mod(&t, key, r->hold);
        txn_delete(&t, key);
        txn_run(s->net, a, &t, &res, &why);
        txn_done(&t);
        arena_free(a);
    }
    r->hold = 0;
    pthread_mutex_unlock(&s->lock);
}

bool etcd_owner(struct store *store, const char *run_id, struct arena *a, const struct store_owner **ret, struct err *err) {
    struct etcd *s = (struct etcd *)store;
    struct etcd_kv *kv = NULL;
    size_t n = 0;
    bool more;
    const char *why;
    pthread_mutex_lock(&s->lock);
    const enum etcd_end end = etcd_get(s->net, a, &(struct etcd_range){.from = etcd_key(s, a, "owner", run_id)}, &kv, &n, &more, &why);
    pthread_mutex_unlock(&s->lock);
    if (end != ETCD_OK)
        return etcd_fail(s, err, "cannot read the journal", end, why);
    struct store_owner *o = arena_new_of(a, struct store_owner);
    *ret = n && owner_parse(a, kv->value, kv->len, o) ? o : NULL;
    return true;
}
