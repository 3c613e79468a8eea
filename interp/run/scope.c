#include "run/turn.h"

#include "base/clock.h"

#include <string.h>

struct item *home_of(const struct item *it) {
    struct item *o = it->fan ? it->fan->owner : (struct item *)(uintptr_t)it;
    while (o->fan && !o->rb)
        o = o->fan->owner;
    return o;
}


static const struct val *scope_step(void *ud, struct arena *a, const char *id) {
    return run_step_val(a, ud, id);
}

struct scope scope_from(struct exec *x, struct item *from, bool inside) {
    const struct item *home = inside && (from->rb || !from->fan) ? from : home_of(from);
    struct scope sc = {.lib = x->spec->ld->lib, .state = x->spec->state, .inputs = home->inputs, .site = x->spec->site,
                       .run = x->run_val, .step = scope_step, .ud = from};
    for (const struct item *it = from; it && it != home; it = it->fan ? it->fan->owner : NULL)
        if (it->item) {
            sc.item = it->item;
            sc.index = it->index;
            break;
        }
    return sc;
}

const char *eval_why(struct exec *x, enum call_result r, const struct call_signal *sig, const struct err *errs) {
    struct arena *a = x->scratch;
    if (r == CALL_UNKNOWN)
        return arena_printf(a, "it reads %s, which is not known", sig->text ? sig->text : "a value");
    if (r == CALL_UNOBSERVED)
        return arena_printf(a, "it reads a fact that could not be observed: %s", sig->text ? sig->text : "?");
    if (errs->first && errs->first->mark.src)
        return arena_printf(a, "%s:%u: %s", errs->first->mark.src->name, errs->first->mark.line, errs->first->message);
    return errs->first ? errs->first->message : "it could not be evaluated";
}

bool live_test(struct live *l, const struct expr *e, bool *ret, const char **ret_why) {
    struct exec *x = l->x;
    struct scope sc = scope_from(x, l->item, false);
    struct call_signal sig = {0};
    struct err *errs = err_new(x->scratch);
    enum call_result r = expr_test(x->spec->ld->box, e, &sc, x->scratch, ret, &sig, errs);
    if (r != CALL_OK)
        *ret_why = eval_why(x, r, &sig, errs);
    return r == CALL_OK;
}

bool live_eval(struct live *l, const struct tmpl *t, const struct val **ret, const char **ret_why) {
    struct exec *x = l->x;
    struct scope sc = scope_from(x, l->item, false);
    struct call_signal sig = {0};
    struct err *errs = err_new(x->scratch);
    enum call_result r = tmpl_eval(x->spec->ld->box, t, &sc, false, x->scratch, ret, &sig, errs);
    if (r != CALL_OK)
        *ret_why = eval_why(x, r, &sig, errs);
    return r == CALL_OK;
}

bool live_duration(struct live *l, const struct tmpl *t, int64_t fallback, int64_t *ret_ms, const char **ret_why) {
    *ret_ms = fallback;
    if (!t)
        return true;
    const struct val *v;
    if (!live_eval(l, t, &v, ret_why))
        return false;
    if (val_is(v, VAL_STRING) && duration_parse(v->string.s, ret_ms))
        return true;
    struct buf b = BUF_INIT;
    val_show(v, &b, 40);
    *ret_why = arena_printf(l->x->scratch, "%s is not a duration such as 30s or 5m", b.data);
    buf_done(&b);
    return false;
}

/* ---- which parts of the state something touches ---- */

static void part_add(const struct runbook *rb, const char *name, struct map *set) {
    const struct part *p = name ? runbook_part(rb, name) : NULL;
    if (p)
        map_put(set, p->name, (void *)(uintptr_t)p);
}

void parts_of_expr(struct loader *ld, const struct runbook *rb, const struct expr *e, struct map *set) {
    for (size_t i = 0; e && i < e->nrefs; i++) {
        const struct expr_ref *r = &e->refs[i];
        if (!strcmp(r->names[0], "state")) {
            if (r->n < 2)
                parts_all(rb, set);
            else
                part_add(rb, r->names[1], set);
            continue;
        }
        const struct val *needs = capability_needs(ld, r);
        for (size_t k = 0; k < val_len(needs); k++)
            part_add(rb, val_cstr(val_at(needs, k)), set);
    }
}

void parts_of_changes(const struct runbook *rb, const struct def *d, struct map *set) {
    const struct val *changes = d ? val_get(d->decl, "changes") : NULL;
    for (size_t i = 0; i < val_len(changes); i++)
        part_add(rb, val_cstr(val_at(changes, i)), set);
}

void parts_of_effects(const struct runbook *rb, const struct step *st, struct map *set) {
    for (size_t i = 0; i < st->neffects; i++) {
        char name[64];
        size_t n = strcspn(st->effects[i].path, ".");
        if (n >= sizeof name)
            continue;
        memcpy(name, st->effects[i].path, n);
        name[n] = 0;
        part_add(rb, name, set);
    }
}

void parts_all(const struct runbook *rb, struct map *set) {
    for (size_t i = 0; i < rb->nparts; i++)
        map_put(set, rb->parts[i].name, &rb->parts[i]);
}
