#include "plan/explore_priv.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Bounds that do not depend on the machine, so that a verdict never does: states, what those of one depth take, and what was copied on the way. */
static const size_t default_states = 200000, transitions_per_state = 20, max_level_bytes = (size_t)512 << 20, max_copied_bytes = (size_t)8 << 30;

/* ---- states ---- */

struct level { /* of one depth: freed as a whole once it was gone on from */
    struct arena *arena;
    struct node {
        struct xlist *root;
        const struct cluster *at;
        uint32_t record;
        int events;
    } *nodes;
    size_t n, cap;
};

static struct key node_key(const struct machine *m) {
    struct key k = key_of("node");
    key_add_ptr(&k, m->at);
    key_add(&k, (uint64_t)m->events);
    control_key(&k, m->root);
    return k;
}

static uint32_t record_add(struct search *s, uint32_t parent, const struct machine *m) {
    if (s->n == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 1024;
        s->records = mem_realloc(s->records, s->cap * sizeof *s->records);
    }
    struct record *r = &s->records[s->n];
    *r = (struct record){.parent = parent, .nnotes = (uint32_t)m->nnotes, .at = m->at};
    if (m->nnotes) {
        struct note *notes = arena_array(s->set->arena, struct note, m->nnotes);
        memcpy(notes, m->notes, m->nnotes * sizeof *notes);
        r->notes = notes;
    }
    return (uint32_t)s->n++;
}

static void level_add(struct level *l, const struct machine *m, uint32_t record) {
    if (l->n == l->cap) {
        l->cap = l->cap ? l->cap * 2 : 64;
        l->nodes = mem_realloc(l->nodes, l->cap * sizeof *l->nodes);
    }
    l->nodes[l->n++] = (struct node){.root = control_copy(l->arena, m->root), .at = m->at, .record = record, .events = m->events};
}

static void level_free(struct level *l) {
    arena_free(l->arena);
    free(l->nodes);
    *l = (struct level){0};
}

/* ---- one state ---- */

static bool accepted(const struct search *s, const char *rule) {
    for (const char *const *p = s->spec->accepted; p && *p; p++)
        if (!strcmp(*p, rule))
            return true;
    return false;
}

/* Whether the state behind the transition is to be gone on from. */
static bool judge(struct search *s, const struct cluster *from, uint32_t parent) {
    const struct machine *m = &s->machine;
    size_t n;
    const struct breach *b = cluster_judge(s->set, from, m->at, m->nnotes && m->notes[m->nnotes - 1].event ? "event" : "step", &n);
    bool go_on = true;
    for (size_t i = 0; i < n; i++) {
        tell_breach(s, &b[i], parent, m->notes, m->nnotes, from, m->at, false);
        go_on &= accepted(s, b[i].rule->name);
    }
    return go_on;
}

static void arrived(struct search *s, const struct node *from, struct level *next) {
    struct machine *m = &s->machine;
    if (!m->calm)
        tell_fails(s, m->notes, m->nnotes);
    if (!m->calm && !judge(s, from->at, from->record))
        return;
    void **slot = table_slot(s->seen, node_key(m));
    if (*slot)
        return;
    *slot = s;
    level_add(next, m, record_add(s, from->record, m));
}

/* The undisturbed way has come to its end. */
static void ended(struct search *s, const struct node *at) {
    s->out->ends++;
    if (!s->machine.calm)
        return;
    size_t n, nbefore;
    const struct breach *b = cluster_finally(s->set, at->at, &n);
    const struct cluster *start = s->records[0].at;
    const struct breach *before = cluster_finally(s->set, start, &nbefore);
    for (size_t i = 0; i < n; i++) {
        bool was = false;
        for (size_t k = 0; k < nbefore; k++)
            was |= before[k].rule == b[i].rule;
        if (!was)
            tell_breach(s, &b[i], at->record, NULL, 0, start, at->at, true);
    }
}

static int64_t cpu_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static bool over_limit(struct search *s, const struct level *now, const struct level *next) {
    const struct explore_limits *l = &s->spec->limits;
    if (s->out->limit)
        return true;
    if (s->machine.limit && !s->machine_limit)
        s->machine_limit = s->machine.limit; /* told in the end; the search goes on as far as it can */
    if (s->n >= l->max_states)
        s->out->limit = arena_printf(s->arena, "%zu states", l->max_states);
    else if (arena_used(now->arena) + arena_used(next->arena) > max_level_bytes)
        s->out->limit = "512 MiB of states that differ in their order alone";
    else if (s->transitions > (l->max_states + 50) * transitions_per_state)
        s->out->limit = arena_printf(s->arena, "%zu transitions", s->transitions);
    else if (s->copied > max_copied_bytes)
        s->out->limit = "8 GiB of work";
    else if (l->max_ms && cpu_ms() - s->since >= l->max_ms)
        s->out->limit = arena_printf(s->arena, "%lld ms", (long long)l->max_ms);
    return s->out->limit != NULL;
}

static void expand(struct search *s, const struct level *now, const struct node *from, struct level *next) {
    struct machine *m = &s->machine;
    bool moved = false;
    m->nchoices = m->pos = 0;
    do {
        m->root = control_copy(m->scratch, from->root);
        m->at = from->at;
        m->events = from->events;
        m->nnotes = 0;
        if (machine_step(m) && !s->err->nerrors) {
            moved |= !(m->nnotes && m->notes[m->nnotes - 1].event);
            arrived(s, from, next);
        }
        s->copied += arena_used(m->scratch);
        s->transitions++;
        arena_clear(m->scratch);
    } while (!s->err->nerrors && !over_limit(s, now, next) && machine_next(m));
    if (!moved)
        ended(s, from);
}

/* ---- the search ---- */

static void first_states(struct search *s, const struct cluster *start, struct level *first) {
    struct machine *m = &s->machine;
    m->nchoices = m->pos = 0;
    do {
        m->at = start;
        m->events = 0;
        m->nnotes = 0;
        machine_start(m);
        void **slot = table_slot(s->seen, node_key(m));
        if (!*slot && !s->err->nerrors) {
            *slot = s;
            level_add(first, m, record_add(s, 0, m));
        }
        arena_clear(m->scratch);
    } while (!s->err->nerrors && machine_next(m));
}

static void search(struct search *s, const struct cluster *start, bool calm) {
    struct level now = {.arena = arena_new()};
    s->machine.calm = calm;
    s->seen = table_new();
    s->n = 0;
    s->copied = s->transitions = 0;
    s->since = cpu_ms();
    s->out->ends = 0;
    s->machine.scratch = arena_new();
    first_states(s, start, &now);
    while (now.n && !s->err->nerrors && !s->out->limit) {
        struct level next = {.arena = arena_new()};
        for (size_t i = 0; i < now.n && !s->err->nerrors && !over_limit(s, &now, &next); i++)
            expand(s, &now, &now.nodes[i], &next);
        level_free(&now);
        now = next;
    }
    level_free(&now);
    arena_free(s->machine.scratch);
    table_free(s->seen);
    if (!calm)
        s->out->states = s->n;
}

static const struct val *attested_map(struct arena *a, const struct val *run) {
    const struct val *names = val_get(run, "attested");
    struct val *m = val_map_new(a);
    for (size_t i = 0; i < val_len(names); i++)
        if (val_cstr(val_at(names, i)))
            val_map_set(a, m, val_cstr(val_at(names, i)), val_bool(a, true));
    return m;
}

/* What a step does on its way comes before what is missing at the end, which often follows from it. */
static const struct explore_breach *by_weight(struct arena *a, const struct explore_breach *all, size_t n) {
    struct explore_breach *sorted = arena_array(a, struct explore_breach, n + 1);
    size_t k = 0;
    for (int finally = 0; finally < 2; finally++)
        for (size_t i = 0; i < n; i++)
            if (all[i].finally == (finally == 1))
                sorted[k++] = all[i];
    return sorted;
}

static void result(struct search *s) {
    struct explored *out = s->out;
    out->breaches = by_weight(s->arena, out->breaches, out->nbreaches);
    out->clusters = s->set->n;
    out->bounded = s->machine.bounded;
    if (!out->limit)
        out->limit = s->machine_limit;
    out->safe = true;
    for (size_t i = 0; i < out->nbreaches; i++)
        out->safe &= out->breaches[i].accepted;
    const char **names = arena_array(s->arena, const char *, map_count(s->machine.left_out) + 1);
    for (struct map_iter it = map_iter(s->machine.left_out); map_next(&it);)
        names[out->nleft_out++] = arena_strdup(s->arena, it.key);
    out->left_out = names;
}

bool explore(struct arena *a, const struct explore_spec *given, struct explored **ret, struct err *err) {
    struct explore_spec spec = *given;
    struct cluster_set *set;
    const size_t before = err->nerrors;
    spec.limits.events = spec.limits.events ? spec.limits.events < 0 ? 0 : spec.limits.events : 1;
    if (!spec.limits.max_states)
        spec.limits.max_states = default_states;
    if (!cluster_set_new(spec.ld->box, spec.ld->lib, spec.state, err, &set))
        return false;
    struct err *errs = err_new(err->arena);
    set->err = errs;
    struct search s = {.spec = &spec, .arena = a, .set = set, .out = arena_new_of(a, struct explored), .failed = map_new(a), .err = errs};
    s.out->events = spec.limits.events;
    s.out->own = set;
    box_many_states(spec.ld->box);
    machine_init(&s.machine, &spec, set, set->arena, errs);
    const struct cluster *start = cluster_intern(set, model_clone(spec.state));
    start = cluster_attested(set, start, attested_map(a, spec.run));
    search(&s, start, true);
    s.machine.bounded = false;
    if (!errs->nerrors) {
        const char *limit = s.out->limit;
        s.out->limit = NULL;
        search(&s, start, false);
        s.out->limit = s.out->limit ? s.out->limit : limit;
    }
    if (!errs->nerrors)
        (void)cluster_set_check(set);
    box_few_states(spec.ld->box);
    machine_done(&s.machine);
    free(s.records);
    for (const struct diag *d = errs->first; d; d = d->next)
        if (d->severity == SEV_ERROR) {
            struct diag *copy = err_add(err, d->mark, d->code, "%s", d->message);
            diag_note(err, copy, "while every outcome was explored");
        }
    if (err->nerrors > before) {
        cluster_set_free(set);
        return false;
    }
    result(&s);
    *ret = s.out;
    return true;
}

void explored_free(struct explored *e) {
    if (e)
        cluster_set_free(e->own);
}
