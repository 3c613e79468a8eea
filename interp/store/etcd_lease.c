#include "store/etcd_lease.h"

#include "base/clock.h"

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct etcd_lease {
    int64_t id, ttl_ms;
    struct etcd_net *net; /* the keeper's */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t stopped;
    bool stop, lost;
};

static int64_t new_id(void) {
    struct clock *c = clock_system();
    const int64_t id = (int64_t)(c->random(c) >> 1); /* positive */
    return id ? id : 1;
}

/* Under the lock: until it is time for the next word, or to stop. */
static void rest(struct etcd_lease *l) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    const int64_t ns = until.tv_nsec + (l->ttl_ms / 3) * 1000000;
    until.tv_sec += ns / 1000000000;
    until.tv_nsec = ns % 1000000000;
    while (!l->stop && pthread_cond_timedwait(&l->stopped, &l->lock, &until) == 0) {
    }
}

/* false: etcd says that it is gone. Where nobody answers, nothing is known. */
static bool keep(struct etcd_lease *l) {
    struct arena *a = arena_new();
    const char *body = arena_printf(a, "{\"ID\":\"%" PRId64 "\"}", l->id), *why;
    const struct val *v = NULL;
    const bool gone = etcd_ask(l->net, a, "lease/keepalive", body, strlen(body), &v, &why) == ETCD_OK && val_get(v, "result") && !val_get(val_get(v, "result"), "TTL");
    arena_free(a);
    return !gone;
}

static void *keeper(void *ud) {
    struct etcd_lease *l = ud;
    pthread_mutex_lock(&l->lock);
    while (!l->stop && !l->lost) {
        rest(l);
        if (l->stop)
            break;
        pthread_mutex_unlock(&l->lock);
        const bool kept = keep(l);
        pthread_mutex_lock(&l->lock);
        l->lost |= !kept;
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

static enum etcd_end grant(struct etcd_net *n, struct arena *a, const struct etcd_lease *l, const char **ret_why) {
    const char *body = arena_printf(a, "{\"ID\":\"%" PRId64 "\",\"TTL\":\"%" PRId64 "\"}", l->id, (l->ttl_ms + 999) / 1000);
    const struct val *v;
    const enum etcd_end end = etcd_ask(n, a, "lease/grant", body, strlen(body), &v, ret_why);
    /* asked twice because an answer was lost: the number is ours alone, so it is the one that we want */
    return end == ETCD_REFUSED && strstr(*ret_why, "lease already exists") ? ETCD_OK : end;
}

enum etcd_end etcd_lease_new(struct etcd_net *n, struct arena *a, const struct etcd_spec *spec, int64_t ttl_ms, struct etcd_lease **ret, const char **ret_why) {
    struct etcd_lease *l = mem_alloc(sizeof *l);
    *l = (struct etcd_lease){.id = new_id(), .ttl_ms = ttl_ms};
    const enum etcd_end end = grant(n, a, l, ret_why);
    if (end != ETCD_OK) {
        free(l);
        return end;
    }
    struct etcd_spec mine = *spec;
    mine.patience_ms = 0; /* one round of the short ones: ending waits for the request that is under way */
    l->net = etcd_net_new(&mine);
    pthread_mutex_init(&l->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&l->stopped, &attr);
    pthread_condattr_destroy(&attr);
    sigset_t all, before; /* signals are for the loop's thread */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (pthread_create(&l->thread, NULL, keeper, l))
        mem_die("a thread cannot be started");
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    *ret = l;
    return ETCD_OK;
}

int64_t etcd_lease_id(const struct etcd_lease *l) {
    return l->id;
}

bool etcd_lease_lost(struct etcd_lease *l) {
    pthread_mutex_lock(&l->lock);
    const bool lost = l->lost;
    pthread_mutex_unlock(&l->lock);
    return lost;
}

void etcd_lease_free(struct etcd_lease *l, struct etcd_net *n) {
    pthread_mutex_lock(&l->lock);
    l->stop = true;
    etcd_net_stop(l->net);
    pthread_cond_signal(&l->stopped);
    pthread_mutex_unlock(&l->lock);
    pthread_join(l->thread, NULL);
    if (n) {
        struct arena *a = arena_new();
        const char *body = arena_printf(a, "{\"ID\":\"%" PRId64 "\"}", l->id), *why;
        const struct val *v;
        etcd_ask(n, a, "lease/revoke", body, strlen(body), &v, &why);
        arena_free(a);
    }
    etcd_net_free(l->net);
    pthread_cond_destroy(&l->stopped);
    pthread_mutex_destroy(&l->lock);
    free(l);
}
