#include "store/etcd_priv.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int64_t default_patience_ms = 20 * 1000, asker_patience_ms = 6 * 1000, default_lease_ms = 30 * 1000, first_ms = 2 * 1000, request_ms = 8 * 1000;
static const size_t max_members = 16;

/* ---- what the files share ---- */

struct etcd_run *etcd_run_of(struct etcd *s, const char *run_id) {
    struct etcd_run *r = map_get(s->runs, run_id);
    if (!r) {
        r = arena_new_of(s->arena, struct etcd_run);
        map_put(s->runs, arena_strdup(s->arena, run_id), r);
    }
    return r;
}

const char *etcd_key(struct etcd *s, struct arena *a, const char *kind, const char *run_id) {
    return arena_printf(a, "%s/%s/%s", s->prefix, kind, run_id);
}

const char *etcd_record_key(struct etcd *s, struct arena *a, const char *run_id, int64_t seq) {
    return arena_printf(a, "%s/record/%s/%012" PRId64, s->prefix, run_id, seq);
}

const char *etcd_token(struct etcd *s, struct arena *a) {
    return arena_printf(a, "%016" PRIx64 "-%" PRIu64, s->session, ++s->tokens);
}

bool etcd_head_parse(const struct etcd_kv *kv, int64_t *ret_seq, const char **ret_token) {
    char *end;
    if (!kv->key || !kv->len)
        return false;
    *ret_seq = strtoll(kv->value, &end, 10);
    *ret_token = *end == ' ' ? end + 1 : end;
    return *end == ' ' && *ret_seq >= 0;
}

bool etcd_fail(struct etcd *s, struct err *err, const char *what, enum etcd_end end, const char *why) {
    struct diag *d = err_add(err, mark_none(), "journal", "%s %s: %s%s", what, s->store.url, end == ETCD_NOBODY ? "no majority of it answers: " : "", why);
    if (end == ETCD_NOBODY)
        diag_hint(err, d, "more than half of its members must run and be reached from here; `etcdctl endpoint status` tells");
    else if (strstr(why, "permission denied"))
        diag_hint(err, d, "the user needs a role with readwrite on the keys that begin with %s/", s->prefix);
    else if (strstr(why, "database space exceeded"))
        diag_hint(err, d, "compact and defragment it, then `etcdctl alarm disarm`");
    return false;
}

/* On the loop's thread. */
static void tell(struct etcd *s, const char *note) {
    if (note && s->note)
        s->note(s->note_ud, note);
}

static void unlock_and_tell(struct etcd *s, struct arena *a) {
    const char *note = etcd_net_note(s->net, a);
    pthread_mutex_unlock(&s->lock);
    tell(s, note);
}

/* ---- appending: on another thread, in order ---- */

static int64_t short_patience(const struct etcd_spec *spec) {
    return spec->patience_ms < asker_patience_ms ? spec->patience_ms : asker_patience_ms;
}

static void commit_work(void *ud) {
    struct etcd *s = ud;
    if (s->broken)
        return;
    pthread_mutex_lock(&s->lock);
    struct arena *a = arena_new();
    const char *why = "";
    etcd_net_patience(s->net, s->spec.patience_ms); /* of a run that is under way; a person who asks something is told sooner */
    for (const struct etcd_batch *b = s->under_way; b && !s->broken; b = b->next)
        if (!etcd_commit(s, a, b, &why)) {
            s->broken = true;
            snprintf(s->message, sizeof s->message, "%s", why);
        }
    etcd_net_patience(s->net, short_patience(&s->spec));
    arena_free(a);
    pthread_mutex_unlock(&s->lock);
}

static void batch_free(struct etcd_batch *b) {
    for (size_t i = 0; i < b->n; i++)
        free(b->texts[i]);
    free(b->texts);
    free(b->run_id);
    free(b);
}

static void commit_done(void *ud);

/* One at a time: where one fails, those behind it have surely not been sent. */
static void commit_start(struct etcd *s) {
    if (s->under_way || !s->waiting)
        return;
    s->under_way = s->waiting;
    s->waiting = s->waiting->next;
    s->under_way->next = NULL;
    if (!s->waiting)
        s->waiting_end = &s->waiting;
    loop_work(s->store.loop, commit_work, commit_done, s);
}

static void commit_done(void *ud) {
    struct etcd *s = ud;
    struct etcd_batch *b = s->under_way;
    struct arena *a = arena_new();
    const bool ok = !s->broken; /* once broken, the message stays as it is */
    pthread_mutex_lock(&s->lock);
    unlock_and_tell(s, a);
    arena_free(a);
    s->under_way = NULL;
    commit_start(s);
    b->done(b->ud, ok, ok ? NULL : s->message);
    batch_free(b);
}

static void append(struct store *store, const char *run_id, const char *const *json, size_t n, store_done *done, void *ud) {
    struct etcd *s = (struct etcd *)store;
    assert(store->loop);
    struct etcd_batch *b = mem_alloc(sizeof *b);
    *b = (struct etcd_batch){.run_id = mem_strdup(run_id), .texts = mem_alloc((n + 1) * sizeof *b->texts), .n = n, .done = done, .ud = ud};
    for (size_t i = 0; i < n; i++)
        b->texts[i] = mem_strdup(json[i]);
    *s->waiting_end = b;
    s->waiting_end = &b->next;
    commit_start(s);
}

/* ---- creating ---- */

/* Run, head and, if there is one, plan: together or not at all. */
static bool make(struct etcd *s, struct arena *a, const char *run_id, const char *plan_id, struct err *err) {
    struct clock *clock = clock_system();
    const char *run = etcd_key(s, a, "runs", run_id), *head = etcd_key(s, a, "head", run_id), *token = etcd_token(s, a), *why;
    const char *plan = plan_id ? etcd_key(s, a, "plans", plan_id) : NULL;
    const char *made = arena_printf(a, "%" PRId64 " %s", clock->wall_ms(clock), token), *start = arena_printf(a, "0 %s", token);
    struct etcd_txn t;
    struct etcd_result res = {0};
    txn_init(&t);
    txn_if_mod(&t, run, 0);
    txn_if_mod(&t, head, 0);
    txn_put(&t, run, made, strlen(made), 0);
    txn_put(&t, head, start, strlen(start), 0);
    txn_else_get(&t, head);
    if (plan) {
        txn_if_mod(&t, plan, 0);
        txn_put(&t, plan, run_id, strlen(run_id), 0);
        txn_else_get(&t, plan);
    }
    const enum etcd_end end = txn_run(s->net, a, &t, &res, &why);
    txn_done(&t);
    if (end != ETCD_OK)
        return etcd_fail(s, err, "cannot write the journal", end, why);
    const struct etcd_kv is = res.held ? (struct etcd_kv){.mod = res.revision} : txn_found(a, &res, 0);
    int64_t seq;
    const char *by = "";
    if (res.held || (etcd_head_parse(&is, &seq, &by) && !strcmp(by, token))) {
        struct etcd_run *r = etcd_run_of(s, run_id);
        r->mod = is.mod;
        r->seq = 0;
        return true;
    }
    const struct etcd_kv taker = plan ? txn_found(a, &res, 1) : (struct etcd_kv){0};
    if (taker.key) {
        struct diag *d = err_add(err, mark_none(), "plan-used", "the plan %s was used by the run %s", plan_id, taker.value);
        diag_hint(err, d, "a plan is good for one run: make a new one");
    } else {
        err_add(err, mark_none(), "run-exists", "the journal %s has a run '%s' already", s->store.url, run_id);
    }
    return false;
}

static bool create_from(struct store *store, const char *run_id, const char *plan_id, struct err *err) {
    struct etcd *s = (struct etcd *)store;
    struct arena *a = arena_new();
    pthread_mutex_lock(&s->lock);
    const bool ok = make(s, a, run_id, plan_id, err);
    unlock_and_tell(s, a);
    arena_free(a);
    return ok;
}

static bool create(struct store *store, const char *run_id, struct err *err) {
    return create_from(store, run_id, NULL, err);
}

static bool plan_taken(struct store *store, const char *plan_id, struct arena *a, const char **ret, struct err *err) {
    struct etcd *s = (struct etcd *)store;
    struct etcd_kv *kv = NULL;
    size_t n = 0;
    bool more;
    const char *why;
    pthread_mutex_lock(&s->lock);
    const enum etcd_end end = etcd_get(s->net, a, &(struct etcd_range){.from = etcd_key(s, a, "plans", plan_id)}, &kv, &n, &more, &why);
    unlock_and_tell(s, a);
    if (end != ETCD_OK)
        return etcd_fail(s, err, "cannot read the journal", end, why);
    *ret = n ? kv->value : NULL;
    return true;
}

/* ---- opening and closing ---- */

static void close_store(struct store *store) {
    struct etcd *s = (struct etcd *)store;
    while (s->under_way && loop_once(store->loop)) { /* what was handed in is written */
    }
    for (struct etcd_batch *b = s->waiting; b;) {
        struct etcd_batch *next = b->next;
        batch_free(b);
        b = next;
    }
    if (s->lease)
        etcd_lease_free(s->lease, s->broken ? NULL : s->net);
    etcd_net_free(s->net);
    pthread_mutex_destroy(&s->lock);
    arena_free(s->arena);
}

static const struct store_ops ops = {.create = create, .create_from = create_from, .plan_taken = plan_taken, .append = append, .read = etcd_read,
                                     .runs = etcd_runs, .own = etcd_own, .disown = etcd_disown, .owner = etcd_owner, .close = close_store};

static bool bad_url(const struct store_spec *spec, struct err *err, const char *why) {
    struct diag *d = err_add(err, spec->at, "bad-url", "'%s' is no journal: %s", spec->url, why);
    diag_hint(err, d, "write it as etcd://host:2379,host:2379/prefix; the prefix may be left out");
    return false;
}

/* HOST:PORT, HOST in brackets if it has colons. */
static bool is_member(const char *s) {
    const char *colon = strrchr(s, ':');
    if (!colon || colon == s || s[strspn(s, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-_:[]%")])
        return false;
    const long port = strlen(colon + 1) <= 5 && !colon[1 + strspn(colon + 1, "0123456789")] ? strtol(colon + 1, NULL, 10) : 0;
    return port >= 1 && port <= 65535 && (*s == '[' ? colon[-1] == ']' : memchr(s, ':', (size_t)(colon - s)) == NULL);
}

static bool is_loopback(const char *member) {
    return !strncmp(member, "127.", 4) || !strncmp(member, "localhost:", 10) || !strncmp(member, "[::1]:", 6);
}

static bool read_url(struct arena *a, const struct store_spec *spec, const char *rest, struct etcd_spec *ret, const char **ret_prefix, struct err *err) {
    const size_t n = strcspn(rest, "/");
    const char **members = arena_array(a, const char *, max_members + 1);
    size_t k = 0;
    for (const char *s = rest; s < rest + n + 1;) {
        const size_t len = strcspn(s, ",/");
        const char *m = arena_strndup(a, s, len);
        if (k == max_members)
            return bad_url(spec, err, "it has more than 16 members");
        if (!is_member(m))
            return bad_url(spec, err, arena_printf(a, "'%s' is not of the form HOST:PORT", m));
        if (spec->password && !spec->ca && !spec->cert && !is_loopback(m))
            return bad_url(spec, err, "a password would go over the network in the clear; give the store `ca`, `cert` and `key`");
        members[k++] = m;
        s += len + 1;
    }
    const char *prefix = rest[n] ? rest + n + 1 : "";
    size_t end = strlen(prefix);
    while (end && prefix[end - 1] == '/')
        end--;
    *ret_prefix = end ? arena_strndup(a, prefix, end) : "quorate";
#define COPY(field) .field = spec->field ? arena_strdup(a, spec->field) : NULL
    *ret = (struct etcd_spec){.members = members, COPY(ca), COPY(cert), COPY(key), COPY(username), COPY(password), .first_ms = first_ms, .request_ms = request_ms, .patience_ms = spec->patience_ms ? spec->patience_ms : default_patience_ms};
#undef COPY
    if (!spec->cert != !spec->key)
        return bad_url(spec, err, "it has one of 'cert' and 'key', and needs both");
    if (!spec->username && spec->password)
        return bad_url(spec, err, "it has a password and no username");
    return true;
}

bool etcd_open(struct arena *a, const struct store_spec *spec, const char *rest, struct store **ret, struct err *err) {
    struct etcd_spec net;
    const char *prefix;
    if (!read_url(a, spec, rest, &net, &prefix, err))
        return false;
    struct etcd *s = arena_new_of(a, struct etcd);
    struct clock *clock = clock_system();
    *s = (struct etcd){.store = {.ops = &ops, .url = spec->url, .loop = spec->loop}, .arena = arena_new(), .spec = net, .prefix = prefix,
                       .lease_ms = spec->lease_ms ? spec->lease_ms : default_lease_ms, .note = spec->note, .note_ud = spec->note_ud};
    s->net = etcd_net_new(&net);
    etcd_net_patience(s->net, short_patience(&net));
    s->runs = map_new(s->arena);
    s->session = clock->random(clock);
    s->waiting_end = &s->waiting;
    pthread_mutex_init(&s->lock, NULL);
    *ret = &s->store;
    return true;
}
