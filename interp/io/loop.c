#include "io/loop.h"

#include "base/arena.h"

#include <assert.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <uv.h>

/* Timers are kept here and not in libuv, so that a virtual clock can drive them: a heap by time, then by the order of starting. The id
 * is the order of starting with the timer's slot in its low bits; the slot says where in the heap it is, so that stopping is cheap. */
enum { slot_bits = 24 };
struct timer {
    int64_t due;
    uint64_t id;
    loop_fn *fn;
    void *ud;
};

struct work {
    uv_work_t req;
    struct loop *loop;
    loop_fn *work, *done;
    void *ud;
    struct work *next, *prev;
};

struct sig {
    uv_signal_t handle;
    loop_signal_fn *fn;
    void *ud;
    struct sig *next;
};

struct loop {
    uv_loop_t uv;
    uv_async_t wake;
    uv_timer_t alarm;      /* for the earliest of our timers, with a real clock */
    struct clock *clock;
    bool is_virtual;
    struct timer *heap;
    uint32_t *place;       /* by slot: index in the heap, or anything if the slot is vacant */
    uint32_t *vacant;      /* slots that were used before */
    size_t n, cap, nvacant;
    uint64_t started;      /* timers so far */
    size_t holds;          /* things under way that only others see */
    size_t works;
    struct work *pending;
    struct sig *signals;
    struct loop_guest *guests;
    struct loop_child *children;
    bool hears_children;   /* SIGCHLD is watched */
    bool closing;
    size_t ran;            /* callbacks since loop_once began */
};

static bool sooner(const struct timer *a, const struct timer *b) {
    return a->due != b->due ? a->due < b->due : a->id < b->id;
}

static size_t slot_of(uint64_t id) {
    return id & ((1u << slot_bits) - 1);
}

static void put(struct loop *l, size_t i, struct timer t) {
    l->heap[i] = t;
    l->place[slot_of(t.id)] = (uint32_t)i;
}

static void swap(struct loop *l, size_t i, size_t j) {
    const struct timer t = l->heap[i];
    put(l, i, l->heap[j]);
    put(l, j, t);
}

static void sift_up(struct loop *l, size_t i) {
    for (; i && sooner(&l->heap[i], &l->heap[(i - 1) / 2]); i = (i - 1) / 2)
        swap(l, i, (i - 1) / 2);
}

static void sift_down(struct loop *l, size_t i) {
    for (;;) {
        size_t least = i;
        for (size_t k = 2 * i + 1; k <= 2 * i + 2 && k < l->n; k++)
            if (sooner(&l->heap[k], &l->heap[least]))
                least = k;
        if (least == i)
            return;
        swap(l, i, least);
        i = least;
    }
}

static void heap_remove(struct loop *l, size_t i) {
    l->vacant[l->nvacant++] = (uint32_t)slot_of(l->heap[i].id);
    if (i == --l->n)
        return;
    put(l, i, l->heap[l->n]);
    sift_up(l, i);
    sift_down(l, i);
}

/* ---- life ---- */

static void look_at_children(struct loop *l);

static void on_wake(uv_async_t *h) {
    struct loop *l = h->data;
    l->ran++;
    look_at_children(l);
}

/* libuv runs timers before it waits: one that is due by then must keep it from waiting at all, for nothing else would end that. */
static void on_alarm(uv_timer_t *h) {
    uv_stop(h->loop);
}

struct loop *loop_new(struct clock *clock) {
    struct loop *l = mem_alloc(sizeof *l);
    l->clock = clock;
    l->is_virtual = clock != clock_system();
    signal(SIGPIPE, SIG_IGN); /* a peer that hangs up is an error of a write, not the end of us */
    int rc = uv_loop_init(&l->uv);
    assert(!rc);
    rc = uv_async_init(&l->uv, &l->wake, on_wake);
    assert(!rc);
    l->uv.data = l;
    l->wake.data = l;
    uv_unref((uv_handle_t *)&l->wake);
    uv_timer_init(&l->uv, &l->alarm);
    return l;
}

static void on_poll_closed(uv_handle_t *h);

static void close_handle(uv_handle_t *h, void *ud) {
    (void)ud;
    if (!uv_is_closing(h))
        uv_close(h, h->type == UV_POLL ? on_poll_closed : NULL);
}

void loop_free(struct loop *l) {
    l->closing = true;
    while (l->guests) {
        struct loop_guest *g = l->guests;
        loop_leave(l, g);
        g->gone(g->ud);
    }
    for (struct work *w = l->pending; w; w = w->next)
        uv_cancel((uv_req_t *)&w->req);
    uv_walk(&l->uv, close_handle, NULL);
    l->is_virtual = false;
    uv_run(&l->uv, UV_RUN_DEFAULT); /* lets what was closed go, and waits for work that has begun */
    uv_loop_close(&l->uv);
    while (l->signals) {
        struct sig *s = l->signals;
        l->signals = s->next;
        free(s);
    }
    free(l->heap);
    free(l->place);
    free(l->vacant);
    free(l);
}

struct clock *loop_clock(struct loop *l) {
    return l->clock;
}

int64_t loop_now(struct loop *l) {
    return l->clock->mono_ms(l->clock);
}

bool loop_is_virtual(const struct loop *l) {
    return l->is_virtual;
}

void loop_wake(struct loop *l) {
    uv_async_send(&l->wake);
}

void loop_hold(struct loop *l) {
    l->holds++;
}

void loop_release(struct loop *l) {
    assert(l->holds);
    l->holds--;
}

void loop_join(struct loop *l, struct loop_guest *g) {
    g->prev = NULL;
    g->next = l->guests;
    if (g->next)
        g->next->prev = g;
    l->guests = g;
}

void loop_leave(struct loop *l, struct loop_guest *g) {
    *(g->prev ? &g->prev->next : &l->guests) = g->next;
    if (g->next)
        g->next->prev = g->prev;
}

/* ---- timers ---- */

uint64_t loop_timer(struct loop *l, int64_t ms, loop_fn *fn, void *ud) {
    if (l->n == l->cap) {
        l->cap = l->cap ? 2 * l->cap : 64;
        assert(l->cap <= 1u << slot_bits);
        l->heap = mem_realloc(l->heap, l->cap * sizeof *l->heap);
        l->place = mem_realloc(l->place, l->cap * sizeof *l->place);
        l->vacant = mem_realloc(l->vacant, l->cap * sizeof *l->vacant);
    }
    const size_t slot = l->nvacant ? l->vacant[--l->nvacant] : l->n; /* used and vacant ones are the first so many */
    const uint64_t id = ++l->started << slot_bits | slot;
    put(l, l->n, (struct timer){.due = loop_now(l) + (ms > 0 ? ms : 0), .id = id, .fn = fn, .ud = ud});
    sift_up(l, l->n++);
    return id;
}

void loop_timer_stop(struct loop *l, uint64_t id) {
    const size_t slot = slot_of(id);
    if (!id || slot >= l->n + l->nvacant)
        return;
    const size_t i = l->place[slot];
    if (i < l->n && l->heap[i].id == id)
        heap_remove(l, i);
}

/* Runs the timers that are due now; those that they start wait for the next turn. */
static void run_due(struct loop *l) {
    const int64_t now = loop_now(l);
    const uint64_t last = l->started;
    while (l->n && l->heap[0].due <= now && l->heap[0].id >> slot_bits <= last) {
        const struct timer t = l->heap[0];
        heap_remove(l, 0);
        l->ran++;
        t.fn(t.ud);
    }
}

/* ---- work and signals ---- */

static void on_work(uv_work_t *req) {
    struct work *w = req->data;
    w->work(w->ud);
}

static void on_work_done(uv_work_t *req, int status) {
    struct work *w = req->data;
    struct loop *l = w->loop;
    *(w->prev ? &w->prev->next : &l->pending) = w->next;
    if (w->next)
        w->next->prev = w->prev;
    l->works--;
    l->ran++;
    if (status != UV_ECANCELED && !l->closing)
        w->done(w->ud);
    free(w);
}

void loop_work(struct loop *l, loop_fn *work, loop_fn *done, void *ud) {
    struct work *w = mem_alloc(sizeof *w);
    *w = (struct work){.loop = l, .work = work, .done = done, .ud = ud, .next = l->pending};
    w->req.data = w;
    if (l->pending)
        l->pending->prev = w;
    l->pending = w;
    l->works++;
    uv_queue_work(&l->uv, &w->req, on_work, on_work_done);
}

static void on_signal(uv_signal_t *h, int signo) {
    const struct sig *s = h->data;
    struct loop *l = h->loop->data;
    if (!s->fn) { /* SIGCHLD: of interest only if it is of one that is watched */
        look_at_children(l);
        return;
    }
    l->ran++;
    s->fn(s->ud, signo);
}

void loop_signal(struct loop *l, int signo, loop_signal_fn *fn, void *ud) {
    struct sig *s = mem_alloc(sizeof *s);
    *s = (struct sig){.fn = fn, .ud = ud, .next = l->signals};
    l->signals = s;
    uv_signal_init(&l->uv, &s->handle);
    s->handle.data = s;
    uv_unref((uv_handle_t *)&s->handle);
    uv_signal_start(&s->handle, on_signal, signo);
}

/* ---- children ---- */

static bool has_exited(const struct loop_child *c) {
    siginfo_t info = {0};
    return waitid(P_PID, (id_t)c->pid, &info, WEXITED | WNOHANG | WNOWAIT) || info.si_pid;
}

/* Callbacks may start and stop others, so whoever has exited is marked first. */
static void look_at_children(struct loop *l) {
    for (struct loop_child *c = l->children; c; c = c->next)
        c->exited = has_exited(c);
    for (struct loop_child *c = l->children; c;) {
        if (!c->exited) {
            c = c->next;
            continue;
        }
        loop_child_stop(l, c);
        l->ran++;
        c->fn(c->ud);
        c = l->children;
    }
}

void loop_child_watch(struct loop *l, struct loop_child *c) {
    if (!l->hears_children)
        loop_signal(l, SIGCHLD, NULL, NULL);
    l->hears_children = true;
    c->exited = false;
    c->prev = NULL;
    c->next = l->children;
    if (c->next)
        c->next->prev = c;
    l->children = c;
    if (has_exited(c)) /* and its signal may have come before */
        loop_wake(l);
}

void loop_child_stop(struct loop *l, struct loop_child *c) {
    *(c->prev ? &c->prev->next : &l->children) = c->next;
    if (c->next)
        c->next->prev = c->prev;
}

/* ---- file descriptors ---- */

struct loop_fd {
    uv_poll_t handle;
    struct loop *loop;
    unsigned events;
    loop_fd_fn *fn;
    void *ud;
};

static int poll_events(unsigned events) {
    return (events & LOOP_READ ? UV_READABLE | UV_DISCONNECT : 0) | (events & LOOP_WRITE ? UV_WRITABLE : 0);
}

static void on_poll(uv_poll_t *h, int status, int events) {
    struct loop_fd *f = h->data;
    unsigned come = (events & (UV_READABLE | UV_DISCONNECT) ? LOOP_READ : 0) | (events & UV_WRITABLE ? LOOP_WRITE : 0);
    if (status < 0) { /* whoever reads or writes then learns what it is; libuv has stopped watching, our caller has not */
        come = LOOP_READ | LOOP_WRITE;
        loop_fd_change(f, f->events);
    }
    f->loop->ran++;
    f->fn(f->ud, come);
}

struct loop_fd *loop_fd_watch(struct loop *l, int fd, unsigned events, loop_fd_fn *fn, void *ud) {
    struct loop_fd *f = mem_alloc(sizeof *f);
    *f = (struct loop_fd){.loop = l, .fn = fn, .ud = ud};
    const int rc = uv_poll_init(&l->uv, &f->handle, fd);
    assert(!rc);
    f->handle.data = f;
    loop_fd_change(f, events);
    return f;
}

void loop_fd_change(struct loop_fd *f, unsigned events) {
    f->events = events;
    const int rc = uv_poll_start(&f->handle, poll_events(events), on_poll);
    assert(!rc);
}

static void on_poll_closed(uv_handle_t *h) {
    free(h->data);
}

void loop_fd_stop(struct loop_fd *f) {
    if (!f)
        return;
    uv_poll_stop(&f->handle);
    uv_close((uv_handle_t *)&f->handle, on_poll_closed);
}

/* ---- turning ---- */

static struct clock_virtual *virtual_clock(struct loop *l) {
    return (struct clock_virtual *)l->clock;
}

static void jump(struct loop *l) {
    struct clock_virtual *c = virtual_clock(l);
    const int64_t d = l->heap[0].due - c->mono;
    if (d > 0) {
        c->mono += d;
        c->wall += d;
    }
}

bool loop_once(struct loop *l) {
    l->ran = 0;
    uv_run(&l->uv, UV_RUN_NOWAIT);
    run_due(l);
    while (!l->ran) {
        const bool others = l->works || l->holds || l->children || uv_loop_alive(&l->uv);
        if (!others && !l->n)
            return false;
        if (!others && l->is_virtual) {
            jump(l);
            run_due(l);
            continue;
        }
        if (l->n && !l->is_virtual) {
            const int64_t d = l->heap[0].due - loop_now(l);
            uv_update_time(&l->uv);
            uv_timer_start(&l->alarm, on_alarm, d > 0 ? (uint64_t)d : 0, 0);
        }
        /* something under way keeps uv_run waiting even if libuv itself sees nothing: the wake handle does then */
        uv_ref((uv_handle_t *)&l->wake);
        uv_run(&l->uv, UV_RUN_ONCE);
        uv_unref((uv_handle_t *)&l->wake);
        uv_timer_stop(&l->alarm);
        run_due(l);
    }
    return true;
}
