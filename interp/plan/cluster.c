#include "plan/cluster.h"

#include <stdlib.h>
#include <string.h>

/* What a change breaks, or what a state does not hold. */
struct judged {
    struct breach *breaches;
    size_t n;
};

/* ---- the set ---- */

static bool needs_there(const struct def *d, const struct model *state) {
    const struct val *needs = val_get(d->decl, "needs");
    for (size_t i = 0; i < val_len(needs); i++)
        if (val_cstr(val_at(needs, i)) && !model_has(state, val_cstr(val_at(needs, i))))
            return false;
    return true;
}

static bool defs_for(struct cluster_set *s, enum def_kind kind, const struct model *state, const struct def ***ret, size_t *ret_n, struct err *err) {
    const struct def *const *all;
    size_t n;
    if (!library_of_kind(s->lib, kind, &all, &n, err))
        return false;
    *ret = arena_array(s->arena, const struct def *, n + 1);
    *ret_n = 0;
    for (size_t i = 0; i < n; i++)
        if (needs_there(all[i], state))
            (*ret)[(*ret_n)++] = all[i];
    return true;
}

bool cluster_set_new(struct box *box, struct library *lib, const struct model *state, struct err *err, struct cluster_set **ret) {
    struct arena *a = arena_new();
    struct cluster_set *s = arena_new_of(a, struct cluster_set);
    *s = (struct cluster_set){.arena = a, .scratch = arena_new(), .box = box, .lib = lib, .clusters = table_new(), .changes = table_new(), .vals = table_new(), .parts = table_new(), .err = err};
    if (!defs_for(s, DEF_RULE, state, &s->rules, &s->nrules, err) || !defs_for(s, DEF_EVENT, state, &s->events, &s->nevents, err)) {
        cluster_set_free(s);
        return false;
    }
    *ret = s;
    return true;
}

enum { enough = 256 };

bool cluster_set_check(struct cluster_set *s) {
    struct table *seen = table_new();
    const size_t n = s->n < enough || box_is_foreign(s->box) ? s->n : enough;
    bool same = true;
    for (size_t i = 0; i < n && same; i++) {
        struct key k;
        model_hash_known(s->all[i]->model, seen, k.h);
        model_keep(s->all[i]->model, seen, s->arena);
        same = k.h[0] == s->all[i]->key.h[0] && k.h[1] == s->all[i]->key.h[1];
    }
    table_free(seen);
    if (!same)
        err_add(s->err, mark_none(), "impure",
                "a rule, an event, an effect, or a function that one of them calls has changed the state that it was given to look at");
    return same;
}

void cluster_set_free(struct cluster_set *s) {
    if (!s)
        return;
    for (size_t i = 0; i < s->n; i++)
        model_free(s->all[i]->model);
    free(s->all);
    table_free(s->clusters);
    table_free(s->changes);
    table_free(s->vals);
    table_free(s->parts);
    arena_free(s->scratch);
    arena_free(s->arena);
}

const struct cluster *cluster_intern(struct cluster_set *s, struct model *m) {
    struct key k;
    model_hash_known(m, s->parts, k.h);
    void **slot = table_slot(s->clusters, k);
    if (*slot) {
        model_free(m);
        return *slot;
    }
    struct cluster *c = arena_new_of(s->arena, struct cluster);
    *c = (struct cluster){.model = m, .key = k};
    *slot = c;
    model_keep(m, s->parts, s->arena);
    if (s->n == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 64;
        s->all = mem_realloc(s->all, s->cap * sizeof *s->all);
    }
    s->all[s->n++] = c;
    return c;
}

const struct val *cluster_val(struct cluster_set *s, const struct val *v) {
    if (!v)
        return NULL;
    char hex[33];
    val_digest(v, hex);
    struct key k = key_of("val");
    uint64_t w[4];
    memcpy(w, hex, sizeof w);
    for (size_t i = 0; i < 4; i++)
        key_add(&k, w[i]);
    void **slot = table_slot(s->vals, k);
    if (!*slot)
        *slot = (void *)(uintptr_t)val_copy(s->arena, v);
    return *slot;
}

/* ---- attestations ---- */

const struct cluster *cluster_attested(struct cluster_set *s, const struct cluster *c, const struct val *members) {
    const struct val *old = NULL;
    struct arena *a = arena_new();
    bool more = false;
    if (!model_get(c->model, "attested", a, &old, s->err))
        old = NULL;
    struct val *all = val_map_new(a);
    for (size_t i = 0; i < val_len(old); i++)
        val_map_set(a, all, old->map.pairs[i].key, old->map.pairs[i].val);
    for (size_t i = 0; i < val_len(members); i++) {
        more |= !val_get(all, members->map.pairs[i].key);
        val_map_set(a, all, members->map.pairs[i].key, val_bool(a, true));
    }
    if (more || !old) {
        struct model *m = model_clone(c->model);
        model_set(m, "attested", all);
        c = cluster_intern(s, m);
    }
    arena_free(a);
    return c;
}

/* ---- rules ---- */

static void judge_one(struct cluster_set *s, const struct def *rule, const struct cluster *from, const struct cluster *to, const char *by,
                      struct judged *j) {
    const char *message = NULL;
    struct err *errs = err_new(s->scratch); /* a rule that cannot be judged warns; once for each state would be noise */
    if (!model_rule(to->model, from ? from->model : NULL, rule, by ? FN_NEVER : FN_FINALLY, by, s->arena, &message, errs))
        (void)model_rule(to->model, from ? from->model : NULL, rule, by ? FN_NEVER : FN_FINALLY, by, s->arena, &message, s->err);
    else if (message)
        j->breaches[j->n++] = (struct breach){.rule = rule, .message = message};
    arena_clear(s->scratch);
}

static const struct judged *judge(struct cluster_set *s, struct key k, const struct cluster *from, const struct cluster *to, const char *by) {
    void **slot = table_slot(s->changes, k);
    if (!*slot) {
        struct judged *j = arena_new_of(s->arena, struct judged);
        *slot = j;
        j->breaches = arena_array(s->arena, struct breach, s->nrules + 1);
        for (size_t i = 0; i < s->nrules; i++)
            if (s->rules[i]->fn[by ? FN_NEVER : FN_FINALLY])
                judge_one(s, s->rules[i], from, to, by, j);
        return j;
    }
    return *slot;
}

const struct breach *cluster_judge(struct cluster_set *s, const struct cluster *from, const struct cluster *to, const char *by, size_t *ret_n) {
    *ret_n = 0;
    if (from == to)
        return NULL;
    struct key k = key_of("never");
    key_add_ptr(&k, from);
    key_add_ptr(&k, to);
    key_add(&k, (uint64_t)by[0]);
    const struct judged *j = judge(s, k, from, to, by);
    *ret_n = j->n;
    return j->breaches;
}

const struct breach *cluster_finally(struct cluster_set *s, const struct cluster *c, size_t *ret_n) {
    struct key k = key_of("finally");
    key_add_ptr(&k, c);
    const struct judged *j = judge(s, k, NULL, c, NULL);
    *ret_n = j->n;
    return j->breaches;
}

/* ---- events ---- */

static const char *choice_text(struct arena *a, const struct def *e, const struct val *choice) {
    const char *summary = val_get_str(e->decl, "summary", e->name);
    if (!choice)
        return summary;
    struct buf b = BUF_INIT;
    buf_printf(&b, "%s: ", summary);
    for (size_t i = 0; i < val_len(choice) && choice->kind == VAL_LIST; i++) {
        buf_adds(&b, i ? ", " : "");
        val_show(val_at(choice, i), &b, 80);
    }
    if (choice->kind != VAL_LIST)
        val_show(choice, &b, 120);
    const char *s = arena_strdup(a, b.data);
    buf_done(&b);
    return s;
}

struct occurrences {
    struct occurrence *list;
    size_t n, cap;
};

static void occur(struct cluster_set *s, const struct cluster *c, const struct def *e, const struct val *choice, struct occurrences *o) {
    struct model *m = model_branch(c->model);
    const char *ends = NULL;
    const bool ok = model_apply(m, e, NULL, choice, s->scratch, NULL, &ends, s->err);
    arena_clear(s->scratch);
    if (!ok) {
        model_free(m);
        return;
    }
    const struct cluster *to = cluster_intern(s, m);
    if (to == c)
        return;
    if (o->n == o->cap) {
        struct occurrence *more = arena_array(s->arena, struct occurrence, o->cap * 2 + 4);
        if (o->n)
            memcpy(more, o->list, o->n * sizeof *more);
        o->list = more;
        o->cap = o->cap * 2 + 4;
    }
    o->list[o->n++] = (struct occurrence){.event = e, .text = choice_text(s->arena, e, choice), .to = to};
}

const struct occurrence *cluster_events(struct cluster_set *s, const struct cluster *c, size_t *ret_n) {
    struct cluster *own = (struct cluster *)(uintptr_t)c;
    if (!c->looked) {
        struct occurrences o = {0};
        for (size_t i = 0; i < s->nevents; i++) {
            const struct val *when = NULL;
            struct call_signal sig = {0};
            struct arena *a = arena_new();
            const enum call_result r = model_call(c->model, s->events[i], FN_WHEN, NULL, 0, a, &when, NULL, &sig, s->err);
            if (r == CALL_OK && val_is(when, VAL_LIST))
                for (size_t k = 0; k < val_len(when); k++)
                    occur(s, c, s->events[i], val_at(when, k), &o);
            else if (r == CALL_OK && val_is(when, VAL_BOOL) && when->boolean)
                occur(s, c, s->events[i], NULL, &o);
            arena_free(a);
        }
        own->events = o.list;
        own->nevents = o.n;
        own->looked = true;
    }
    *ret_n = c->nevents;
    return c->events;
}

/* ---- pictures ---- */

static void picture_of(struct cluster_set *s, const struct cluster *c, const char *part, struct buf *b) {
    struct arena *a = arena_new();
    struct err *quiet = err_new(a);
    const char *name = arena_printf(a, "%s.picture", part);
    const struct val *v = NULL, *text = NULL;
    struct call_signal sig = {0};
    const struct def *d = library_has(s->lib, name) ? library_get(s->lib, name, DEF_FUNC, mark_none(), quiet) : NULL;
    if (d && model_has(c->model, part) && model_get(c->model, part, a, &v, quiet) &&
        model_call(c->model, d, FN_CALL, &v, 1, a, &text, NULL, &sig, quiet) == CALL_OK && val_cstr(text))
        buf_printf(b, "%s%s", b->len ? "; " : "", val_cstr(text));
    arena_free(a);
}

const char *cluster_picture(struct cluster_set *s, const struct cluster *c) {
    if (!c->picture) {
        struct buf b = BUF_INIT;
        const char *const *names;
        const size_t n = library_names(s->lib, NULL, &names);
        for (size_t i = 0; i < n; i++) {
            const char *dot = strchr(names[i], '.');
            if (dot && !strcmp(dot, ".picture")) {
                char *part = arena_strndup(s->arena, names[i], (size_t)(dot - names[i]));
                picture_of(s, c, part, &b);
            }
        }
        ((struct cluster *)(uintptr_t)c)->picture = arena_strdup(s->arena, b.data);
        buf_done(&b);
    }
    return c->picture;
}
