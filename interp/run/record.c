#include "run/record.h"

#include <string.h>

/* ---- lines of the plan ---- */

/* Neither unknown nor secret, nor anything in it. */
static bool can_be_recorded(const struct val *v) {
    if (v->secret || plan_has_unknown(v))
        return false;
    for (size_t i = 0; v->kind == VAL_MAP && i < v->map.n; i++)
        if (!can_be_recorded(v->map.pairs[i].val))
            return false;
    for (size_t i = 0; v->kind == VAL_LIST && i < val_len(v); i++)
        if (!can_be_recorded(val_at(v, i)))
            return false;
    return true;
}

static const struct val *with_record(struct arena *a, const struct val *with) {
    if (with->kind != VAL_MAP)
        return can_be_recorded(with) ? with : NULL;
    struct val *m = val_map_new(a);
    for (size_t i = 0; i < with->map.n; i++)
        if (can_be_recorded(with->map.pairs[i].val))
            val_map_set(a, m, with->map.pairs[i].key, with->map.pairs[i].val);
    return m;
}

const struct val *planned_record(struct arena *a, const struct plan *p) {
    struct val *all = val_map_new(a);
    for (size_t i = 0; i < p->nlines; i++) {
        const struct plan_line *line = &p->lines[i];
        if (line->known > KNOWN_PREDICTED && !line->arrival)
            continue;
        struct val *m = val_map_new(a);
        const struct val *with = line->with && !line->arrival ? with_record(a, line->with) : NULL;
        val_map_set(a, m, "will", val_str(a, will_name(line->will)));
        if (line->why)
            val_map_set(a, m, "why", val_str(a, line->why));
        if (with)
            val_map_set(a, m, "with", with);
        if (line->arrival)
            val_map_set(a, m, "arrival", val_bool(a, true));
        val_map_set(a, all, line->path, m);
    }
    return all;
}

static enum will will_of(const char *name) {
    for (int w = WILL_RUN; w <= WILL_ELSE; w++)
        if (!strcmp(will_name((enum will)w), name))
            return (enum will)w;
    return WILL_MAYBE;
}

struct plan_line *planned_lines(struct arena *a, const struct val *record, size_t *ret_n) {
    const size_t n = val_is(record, VAL_MAP) ? val_len(record) : 0;
    struct plan_line *lines = arena_array(a, struct plan_line, n + 1);
    for (size_t i = 0; i < n; i++) {
        const struct val_pair *p = &record->map.pairs[i];
        const bool arrival = val_get_bool(p->val, "arrival", false);
        lines[i] = (struct plan_line){.path = p->key, .will = will_of(val_get_str(p->val, "will", "")), .known = arrival ? KNOWN_UNKNOWN : KNOWN_PREDICTED,
                                      .why = val_get_str(p->val, "why", NULL), .with = val_get(p->val, "with"), .arrival = arrival};
    }
    *ret_n = n;
    return lines;
}

/* ---- the steps ---- */

static const char *key_of(struct arena *a, const struct step *st) {
    return st->parent ? arena_printf(a, "%s/%s", key_of(a, st->parent), st->id) : arena_printf(a, "%s:%s", st->in->name, st->id);
}

/* What the file says of the step itself; what is inside has digests of its own. */
static const struct val *digest_of(struct arena *a, const struct step *st) {
    static const char *const inside[] = {"steps", "first_of", "rescue", "undo"};
    struct val *own = val_map_new(a);
    for (size_t i = 0; val_is(st->doc, VAL_MAP) && i < val_len(st->doc); i++) {
        const struct val_pair *p = &st->doc->map.pairs[i];
        bool is_inside = false;
        for (size_t k = 0; k < sizeof inside / sizeof *inside; k++)
            is_inside |= !strcmp(inside[k], p->key);
        if (!is_inside)
            val_map_set(a, own, p->key, p->val);
    }
    char hex[33];
    val_digest(own, hex);
    return val_str(a, hex);
}

static void add_steps(struct arena *a, const struct runbook *rb, struct val *all) {
    for (size_t i = 0; i < rb->nall; i++) {
        const char *key = key_of(a, rb->all[i]);
        if (val_get(all, key))
            return; /* a runbook that is used twice */
        val_map_set(a, all, key, digest_of(a, rb->all[i]));
        if (rb->all[i]->sub)
            add_steps(a, rb->all[i]->sub, all);
    }
}

const struct val *steps_record(struct arena *a, const struct runbook *rb) {
    struct val *all = val_map_new(a);
    add_steps(a, rb, all);
    return all;
}

bool steps_same(struct arena *a, const struct val *record, const struct run *r, const char **ret_which) {
    for (struct map_iter it = map_iter(r->fans); map_next(&it);) {
        const struct fan *f = it.value;
        const char *key = key_of(a, f->step);
        const struct val *was = val_get(record, key);
        if (f->status == FAN_WAITING || (was && val_equal(was, digest_of(a, f->step))))
            continue;
        *ret_which = f->path;
        return false;
    }
    return true;
}
