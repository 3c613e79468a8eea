#include "run/turn.h"

static const char *shown(struct arena *a, const struct val *v) {
    struct buf b = BUF_INIT;
    if (v)
        val_show(v, &b, 80);
    const char *s = v ? arena_strdup(a, b.data) : "nothing";
    buf_done(&b);
    return s;
}

const char *moved(struct exec *x, const struct item *it, const struct val *with) {
    const struct plan_line *line = map_get(x->lines, it->path);
    if (!line) {
        const struct plan_line *fan = map_get(x->lines, it->fan->path);
        if (!fan || fan->known > KNOWN_PREDICTED || fan->will == WILL_MAYBE)
            return NULL; /* the plan left open what happens here */
        return arena_printf(x->scratch, "'%s' is not in the plan", it->path);
    }
    if (line->known > KNOWN_PREDICTED)
        return NULL;
    if (line->will == WILL_SKIP || line->will == WILL_ALREADY)
        return arena_printf(x->scratch, "the plan said that '%s' would not run (%s)", it->path, line->why ? line->why : will_name(line->will));
    if (!line->with || line->with->kind != VAL_MAP)
        return line->with && with && !plan_has_unknown(line->with) && !val_equal(line->with, with)
                   ? arena_printf(x->scratch, "'%s' was planned as %s and is now %s", it->path, shown(x->scratch, line->with), shown(x->scratch, with))
                   : NULL;
    for (size_t i = 0; i < line->with->map.n; i++) {
        const struct val_pair *p = &line->with->map.pairs[i];
        const struct val *now = val_get(with, p->key);
        if (!plan_has_unknown(p->val) && !(now && val_equal(p->val, now)) && !(val_is_null(now) && val_is_null(p->val)))
            return arena_printf(x->scratch, "%s of '%s' was planned as %s and is now %s", p->key, it->path, shown(x->scratch, p->val),
                                shown(x->scratch, now));
    }
    return NULL;
}
