#include "plan/machine.h"

#include <string.h>

/* Expressions. What one yields follows from the cluster and from the names that it reads, so for the same of both it is evaluated once. */

struct seen {
    enum call_result r;
    const struct val *v;
};

/* The ids that an expression or a template reads as steps.<id>. */
struct reads {
    const char **ids;
    size_t n, cap;
    struct arena *arena;
    bool all; /* steps[…] */
};

static void reads_see(void *ud, const struct expr *e) {
    struct reads *r = ud;
    for (size_t i = 0; i < e->nrefs; i++) {
        const struct expr_ref *ref = &e->refs[i];
        if (strcmp(ref->names[0], "steps") != 0)
            continue;
        if (ref->n < 2) {
            r->all = true;
            continue;
        }
        if (r->n == r->cap) {
            const char **more = arena_array(r->arena, const char *, r->cap * 2 + 4);
            if (r->n)
                memcpy(more, r->ids, r->n * sizeof *more);
            r->ids = more;
            r->cap = r->cap * 2 + 4;
        }
        r->ids[r->n++] = ref->names[1];
    }
}

static const struct reads *reads_of(struct machine *m, const struct expr *e, const struct tmpl *t) {
    struct key k = key_of("reads");
    key_add_ptr(&k, e ? (const void *)e : (const void *)t);
    void **slot = table_slot(m->memo, k);
    if (!*slot) {
        struct reads *r = arena_new_of(m->arena, struct reads);
        r->arena = m->arena;
        *slot = r;
        if (e)
            reads_see(r, e);
        else
            tmpl_each(t, reads_see, r);
    }
    return *slot;
}

/* ---- names ---- */

struct from {
    struct machine *m;
    const struct xitem *item;  /* or NULL: the runbook itself */
    const struct xlist *list;  /* the list whose steps are seen first; NULL: what is inside the item */
};

const struct val *machine_item_val(struct machine *m, const struct xitem *it, enum x_end end) {
    struct arena *a = m->scratch;
    struct val *v = val_map_new(a);
    val_map_set(a, v, "ok", val_bool(a, end == X_OK));
    val_map_set(a, v, "failed", val_bool(a, x_end_bad(end)));
    val_map_set(a, v, "skipped", val_bool(a, end == X_SKIPPED));
    val_map_set(a, v, "outputs", it && it->outputs ? it->outputs : val_map_new(a));
    val_map_set(a, v, "with", it && it->with ? it->with : val_map_new(a));
    if (it && it->item)
        val_map_set(a, v, "item", it->item);
    return v;
}

static const struct val *in_list(struct machine *m, const struct xlist *l, const char *id) {
    for (size_t i = 0; i < l->n; i++)
        if (!strcmp(l->steps[i]->id, id)) {
            if (l->fans[i].status == XFAN_OVER)
                return l->fans[i].val ? l->fans[i].val : cluster_val(m->set, machine_item_val(m, NULL, (enum x_end)l->fans[i].end));
            return cluster_val(m->set, val_unknown(m->scratch, machine_path(m, l->owner ? l->owner->path : "", l->steps[i], NULL, 0)));
        }
    return NULL;
}

static const struct val *lookup(const struct from *f, const char *id) {
    struct machine *m = f->m;
    const struct xitem *it = f->item;
    const struct val *v;
    if (f->list && (v = in_list(m, f->list, id)))
        return v;
    for (; it; it = it->of->list->owner) {
        const bool border = item_is_home(it) && it != f->item;
        if (it->inside && !f->list && it == f->item && (v = in_list(m, it->inside, id)))
            return v;
        if (border)
            return NULL; /* a runbook sees only its own steps */
        if (!strcmp(item_step(it)->id, id) && (it == f->item || it->rescuing))
            return cluster_val(m->set, machine_item_val(m, it, it->rescuing ? X_FAILED : X_OK));
        if (f->list && f->item == it && item_is_home(it))
            return NULL;
        if ((v = in_list(m, it->of->list, id)))
            return v;
    }
    return NULL;
}

static const struct val *scope_step(void *ud, struct arena *a, const char *id) {
    (void)a;
    return lookup(ud, id);
}

/* The item whose `item` and `index` are seen. */
static const struct xitem *itemed(const struct from *f) {
    const bool inside_runbook = f->list && f->item && item_is_home(f->item);
    for (const struct xitem *it = inside_runbook ? NULL : f->item; it; it = it->of->list->owner) {
        if (it->item)
            return it;
        if (it->of->list->owner && item_is_home(it->of->list->owner))
            return NULL;
    }
    return NULL;
}

static const struct val *inputs_of(const struct from *f) {
    const struct xitem *home = f->item;
    if (home && !(f->list && item_is_home(home)))
        home = item_home(home);
    return home ? home->inputs : bind_inputs(f->m->spec->bind);
}

static struct scope scope_of(const struct from *f) {
    const struct explore_spec *s = f->m->spec;
    struct scope sc = {.lib = s->ld->lib, .state = f->m->at->model, .inputs = inputs_of(f), .site = s->site, .run = s->run,
                       .step = scope_step, .ud = (void *)(uintptr_t)f};
    const struct xitem *it = itemed(f);
    if (it) {
        sc.item = it->item;
        sc.index = (int64_t)it->index + 1;
    }
    return sc;
}

struct scope machine_scope(struct machine *m, const struct xitem *from, const struct xlist *list) {
    struct from *f = arena_new_of(m->scratch, struct from);
    *f = (struct from){.m = m, .item = from, .list = list};
    return scope_of(f);
}

/* ---- evaluating ---- */

static struct key eval_key(struct machine *m, const char *tag, const struct expr *e, const struct tmpl *t, const struct from *f) {
    struct key k = key_of(tag);
    key_add_ptr(&k, e ? (const void *)e : (const void *)t);
    key_add_ptr(&k, m->at);
    key_add_ptr(&k, inputs_of(f));
    const struct xitem *it = itemed(f);
    key_add_ptr(&k, it ? it->item : NULL);
    key_add(&k, it ? it->index : 0);
    const struct reads *r = reads_of(m, e, t);
    for (size_t i = 0; i < r->n; i++)
        key_add_ptr(&k, lookup(f, r->ids[i]));
    if (r->all)
        control_key(&k, m->root);
    return k;
}

enum call_result machine_test(struct machine *m, const struct expr *e, const struct xitem *from, const struct xlist *list, bool *ret) {
    const struct from f = {.m = m, .item = from, .list = list};
    const struct key k = eval_key(m, "test", e, NULL, &f);
    const struct seen *s = table_get(m->memo, k);
    if (!s) {
        struct scope sc = scope_of(&f);
        struct call_signal sig = {0};
        bool yes = false;
        struct seen *fresh = arena_new_of(m->arena, struct seen);
        fresh->r = expr_test(m->spec->ld->box, e, &sc, m->scratch, &yes, &sig, m->err);
        fresh->v = yes ? val_bool(m->arena, true) : NULL;
        *table_slot(m->memo, k) = fresh;
        s = fresh;
    }
    *ret = s->v != NULL;
    return s->r;
}

enum call_result machine_value(struct machine *m, const struct tmpl *t, bool keep, const struct xitem *from, const struct xlist *list,
                               const struct val **ret) {
    const struct from f = {.m = m, .item = from, .list = list};
    const struct key k = eval_key(m, keep ? "value+" : "value", NULL, t, &f);
    const struct seen *s = table_get(m->memo, k);
    if (!s) {
        struct scope sc = scope_of(&f);
        struct call_signal sig = {0};
        const struct val *v = NULL;
        struct seen *fresh = arena_new_of(m->arena, struct seen);
        fresh->r = tmpl_eval(m->spec->ld->box, t, &sc, keep, m->scratch, &v, &sig, m->err);
        fresh->v = fresh->r == CALL_OK ? cluster_val(m->set, v) : NULL;
        *table_slot(m->memo, k) = fresh;
        s = fresh;
    }
    *ret = s->v;
    return s->r;
}

struct key machine_value_key(struct machine *m, const struct tmpl *t, const struct xitem *from) {
    const struct from f = {.m = m, .item = from};
    return eval_key(m, "value", NULL, t, &f);
}

enum call_result machine_value_once(struct machine *m, const struct tmpl *t, const struct xitem *from, const struct val **ret) {
    const struct from f = {.m = m, .item = from};
    struct scope sc = scope_of(&f);
    struct call_signal sig = {0};
    return tmpl_eval(m->spec->ld->box, t, &sc, true, m->scratch, ret, &sig, m->err);
}
