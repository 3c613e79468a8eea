#include "plan/explore_priv.h"

#include <string.h>

enum { max_fails = 400 };

/* ---- the way to a state, as lines of text ---- */

struct lines {
    struct arena *arena;
    const char **list;
    size_t n, cap;
    struct buf well; /* steps that end well, one after the other */
    size_t nwell;
};

static void line(struct lines *l, const char *text) {
    if (l->n == l->cap) {
        const char **more = arena_array(l->arena, const char *, l->cap * 2 + 8);
        if (l->n)
            memcpy(more, l->list, l->n * sizeof *more);
        l->list = more;
        l->cap = l->cap * 2 + 8;
    }
    l->list[l->n++] = text;
}

static void well_over(struct lines *l) {
    if (l->nwell)
        line(l, arena_printf(l->arena, "%s end%s well", l->well.data, l->nwell == 1 ? "s" : ""));
    buf_clear(&l->well);
    l->nwell = 0;
}

static void note_line(struct lines *l, const struct note *n) {
    if (!n->event && !n->how) {
        buf_printf(&l->well, "%s%s", l->nwell++ ? ", " : "", n->step);
        return;
    }
    well_over(l);
    line(l, n->event ? n->step : arena_printf(l->arena, "%s %s", n->step, n->how));
}

/* Returns the number of transitions to the state. */
static size_t path_lines(const struct search *s, uint32_t at, const struct note *last, size_t nlast, struct lines *l) {
    size_t depth = 0;
    for (uint32_t r = at; r; r = s->records[r].parent)
        depth++;
    uint32_t *way = arena_array(l->arena, uint32_t, depth + 1);
    for (uint32_t r = at, i = (uint32_t)depth; i > 0; r = s->records[r].parent)
        way[--i] = r;
    for (size_t k = 0; k < s->records[0].nnotes; k++)
        note_line(l, &s->records[0].notes[k]);
    for (size_t i = 0; i < depth; i++)
        for (size_t k = 0; k < s->records[way[i]].nnotes; k++)
            note_line(l, &s->records[way[i]].notes[k]);
    well_over(l);
    for (size_t k = 0; k < nlast; k++)
        note_line(l, &last[k]);
    well_over(l);
    buf_done(&l->well);
    return depth;
}

static bool is_accepted(const struct search *s, const char *rule) {
    for (const char *const *p = s->spec->accepted; p && *p; p++)
        if (!strcmp(*p, rule))
            return true;
    return false;
}

void tell_breach(struct search *s, const struct breach *b, uint32_t parent, const struct note *last, size_t nlast, const struct cluster *from,
                 const struct cluster *to, bool finally) {
    struct explored *out = s->out;
    for (size_t i = 0; i < out->nbreaches; i++)
        if (out->breaches[i].rule == b->rule && out->breaches[i].finally == finally)
            return; /* breadth first: the one that is known is no longer */
    if (out->nbreaches == s->cap_breaches) {
        struct explore_breach *more = arena_array(s->arena, struct explore_breach, s->cap_breaches * 2 + 4);
        if (out->nbreaches)
            memcpy(more, out->breaches, out->nbreaches * sizeof *more);
        out->breaches = more;
        s->cap_breaches = s->cap_breaches * 2 + 4;
    }
    struct lines l = {.arena = s->arena, .well = BUF_INIT};
    const size_t depth = path_lines(s, parent, last, nlast, &l);
    struct explore_breach *to_fill = (struct explore_breach *)(uintptr_t)&out->breaches[out->nbreaches++];
    *to_fill = (struct explore_breach){.rule = b->rule, .message = arena_strdup(s->arena, b->message), .path = l.list, .npath = l.n,
                                       .length = depth + !finally,
                                       .step = nlast ? arena_strdup(s->arena, last[nlast - 1].step) : NULL,
                                       .before = arena_strdup(s->arena, cluster_picture(s->set, from)),
                                       .after = arena_strdup(s->arena, cluster_picture(s->set, to)), .finally = finally,
                                       .accepted = is_accepted(s, b->rule->name)};
}

/* ---- where a failure leaves the cluster ---- */

void tell_fails(struct search *s, const struct note *notes, size_t n) {
    struct explored *out = s->out;
    for (size_t i = 0; i < n && out->nfails < max_fails; i++) {
        const struct note *note = &notes[i];
        if (!note->outcome || note->end == X_OK)
            continue;
        const char *key = arena_printf(s->machine.scratch, "%s#%s#%s", note->step, note->outcome, note->how);
        if (map_get(s->failed, key))
            continue;
        map_put(s->failed, key, s);
        if (out->nfails == s->cap_fails) {
            struct explore_fail *more = arena_array(s->arena, struct explore_fail, s->cap_fails * 2 + 8);
            if (out->nfails)
                memcpy(more, out->fails, out->nfails * sizeof *more);
            out->fails = more;
            s->cap_fails = s->cap_fails * 2 + 8;
        }
        out->fails[out->nfails++] = (struct explore_fail){.step = arena_strdup(s->arena, note->step), .how = arena_strdup(s->arena, note->how),
                                                          .outcome = note->outcome, .picture = arena_strdup(s->arena, cluster_picture(s->set, note->after)),
                                                          .after = note->after->model};
    }
}
