#include "store/none.h"

struct none {
    struct store store;
    struct arena *arena;
    struct loop *loop;
};

struct answer {
    store_done *done;
    void *ud;
};

static bool none_create(struct store *s, const char *run_id, struct err *err) {
    (void)s, (void)run_id, (void)err;
    return true;
}

static bool none_create_from(struct store *s, const char *run_id, const char *plan_id, struct err *err) {
    (void)plan_id;
    return none_create(s, run_id, err);
}

static bool none_plan_taken(struct store *s, const char *plan_id, struct arena *a, const char **ret, struct err *err) {
    (void)s, (void)plan_id, (void)a, (void)err;
    *ret = NULL;
    return true;
}

static void answer_due(void *ud) {
    const struct answer *an = ud;
    an->done(an->ud, true, NULL);
}

/* Not at once: whoever appends counts on hearing of it later. */
static void none_append(struct store *s, const char *run_id, const char *const *json, size_t n, store_done *done, void *ud) {
    (void)run_id, (void)json, (void)n;
    struct none *x = (struct none *)s;
    struct answer *an = arena_new_of(x->arena, struct answer);
    *an = (struct answer){done, ud};
    loop_timer(x->loop, 0, answer_due, an);
}

static bool none_read(struct store *s, const char *run_id, struct arena *a, struct store_record **ret, size_t *ret_n, struct err *err) {
    (void)s, (void)run_id, (void)err;
    *ret = arena_new_of(a, struct store_record);
    *ret_n = 0;
    return true;
}

static bool none_runs(struct store *s, struct arena *a, struct store_run **ret, size_t *ret_n, struct err *err) {
    (void)s, (void)err;
    *ret = arena_new_of(a, struct store_run);
    *ret_n = 0;
    return true;
}

static bool none_own(struct store *s, const char *run_id, struct err *err) {
    (void)s, (void)run_id, (void)err;
    return true;
}

static void none_disown(struct store *s, const char *run_id) {
    (void)s, (void)run_id;
}

static bool none_owner(struct store *s, const char *run_id, struct arena *a, const struct store_owner **ret, struct err *err) {
    (void)s, (void)run_id, (void)a, (void)err;
    *ret = NULL;
    return true;
}

static void none_close(struct store *s) {
    (void)s;
}

static const struct store_ops ops = {.create = none_create, .create_from = none_create_from, .plan_taken = none_plan_taken, .append = none_append,
                                     .read = none_read, .runs = none_runs, .own = none_own, .disown = none_disown, .owner = none_owner, .close = none_close};

struct store *store_none(struct arena *a, struct loop *loop) {
    struct none *x = arena_new_of(a, struct none);
    *x = (struct none){.store = {.ops = &ops, .url = "none", .loop = loop}, .arena = a, .loop = loop};
    return &x->store;
}
