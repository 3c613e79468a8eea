#include "ui/plan_print.h"

static void put(struct arena *a, struct val *m, const char *key, const char *s) {
    if (s)
        val_map_set(a, m, key, val_str(a, s));
}

static const struct val *checks_val(struct arena *a, const struct plan_check *checks, size_t n) {
    struct val *list = val_list_new(a);
    for (size_t i = 0; i < n; i++) {
        struct val *c = val_map_new(a);
        put(a, c, "check", checks[i].text);
        val_map_set(a, c, "held", val_bool(a, checks[i].held));
        put(a, c, "known", known_name(checks[i].known));
        if (!checks[i].held)
            put(a, c, "message", checks[i].message);
        val_list_add(a, list, c);
    }
    return list;
}

static const struct val *line_val(struct arena *a, const struct plan_line *l) {
    struct val *m = val_map_new(a);
    put(a, m, "path", l->path);
    put(a, m, "step", l->step->id);
    val_map_set(a, m, "depth", val_int(a, l->depth));
    put(a, m, "will", will_name(l->will));
    put(a, m, "known", known_name(l->known));
    put(a, m, "title", l->title);
    put(a, m, "why", l->why);
    put(a, m, "uses", l->step->def ? l->step->def->name : NULL);
    put(a, m, "destroys", l->destroys);
    put(a, m, "approve", l->approve);
    if (l->with)
        val_map_set(a, m, "with", l->with);
    if (val_len(l->attests))
        val_map_set(a, m, "attests", l->attests);
    if (l->no_return)
        val_map_set(a, m, "no_return", val_bool(a, true));
    if (l->will == WILL_EACH)
        val_map_set(a, m, "items", val_int(a, (int64_t)l->items));
    return m;
}

static const struct val *images_val(struct arena *a, const struct plan *p) {
    struct val *list = val_list_new(a);
    for (size_t i = 0; i < p->nimages; i++) {
        const struct plan_image *im = &p->images[i];
        struct val *m = val_map_new(a);
        put(a, m, "node", im->node);
        put(a, m, "image", im->image);
        put(a, m, "for", im->path);
        val_map_set(a, m, "there", im->there == IMAGE_UNTOLD ? val_null() : val_bool(a, im->there == IMAGE_THERE));
        val_list_add(a, list, m);
    }
    return list;
}

const struct val *plan_val(struct arena *a, const struct plan *p, const struct site *site) {
    struct val *m = val_map_new(a);
    put(a, m, "type", "plan");
    put(a, m, "runbook", p->rb->name);
    put(a, m, "version", p->rb->version);
    put(a, m, "digest", p->rb->digest);
    put(a, m, "site", site ? site->name : "local");
    val_map_set(a, m, "inputs", p->inputs);
    val_map_set(a, m, "refused", val_bool(a, p->refused));
    val_map_set(a, m, "preconditions", checks_val(a, p->pre, p->npre));
    if (!p->refused) {
        struct val *lines = val_list_new(a);
        for (size_t i = 0; i < p->nlines; i++)
            val_list_add(a, lines, line_val(a, &p->lines[i]));
        val_map_set(a, m, "lines", lines);
        val_map_set(a, m, "images", images_val(a, p));
        val_map_set(a, m, "postconditions", checks_val(a, p->post, p->npost));
        val_map_set(a, m, "attests", p->attests ? p->attests : val_map_new(a));
        val_map_set(a, m, "changes", val_int(a, (int64_t)p->changes));
        val_map_set(a, m, "modelled", val_int(a, (int64_t)p->modelled));
        val_map_set(a, m, "fidelity", p->acts ? val_double(a, (double)p->modelled / (double)p->acts) : val_null());
        if (p->no_return)
            put(a, m, "last_safe_exit", p->exit ? p->exit->path : "");
        val_map_set(a, m, "after", p->after);
        if (p->explored)
            val_map_set(a, m, "explored", plan_explored_val(a, p->explored));
    }
    val_map_set(a, m, "before", p->before);
    return m;
}
