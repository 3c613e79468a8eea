#include "run/turn.h"

#include "run/compare.h"

#include <string.h>

/* Prediction and observation of one attempt. What an act changes is worked out on a copy of the state when it begins, and looked for afterwards;
 * nothing of this is in the journal. */

struct prediction {
    struct map *parts;            /* that the act changes: name → const struct part * */
    const struct val *before;     /* all parts as they were observed when it began: name → value */
    struct changes changes;
    const struct val *outputs;    /* predicted, or NULL */
    bool named;                   /* symbols among the changes have their real names */
};

static const struct val *observed(const struct exec *x, struct arena *a) {
    struct val *m = val_map_new(a);
    for (struct map_iter it = map_iter(x->run->state); map_next(&it);)
        val_map_set(a, m, it.key, it.value);
    return m;
}

static bool apply(struct live *l, struct model *m, const struct val *with, const struct val *effects, const struct val **ret_outputs, struct err *err) {
    const struct step *st = l->item->fan->step;
    const char *ends = NULL;
    bool ok = true;
    if (st->def && st->def->fn[FN_EFFECT])
        ok = model_apply(m, st->def, NULL, with, l->x->arena, ret_outputs, &ends, err) && !(ends && !strcmp(ends, "impossible"));
    for (size_t i = 0; i < val_len(effects) && ok; i++)
        ok = model_set_path(m, effects->map.pairs[i].key, effects->map.pairs[i].val, mark_none(), err);
    return ok;
}

void predict(struct live *l, const struct val *with, const struct val *effects) {
    struct exec *x = l->x;
    const struct step *st = l->item->fan->step;
    const struct runbook *rb = home_of(l->item)->rb;
    struct map *parts = map_new(x->arena);
    l->prediction = NULL;
    parts_of_changes(rb, st->def, parts);
    parts_of_effects(rb, st, parts);
    if (!map_count(parts) || !((st->def && st->def->fn[FN_EFFECT]) || val_len(effects)))
        return;
    struct prediction *p = arena_new_of(x->arena, struct prediction);
    *p = (struct prediction){.parts = parts, .before = observed(x, x->arena)};
    struct err *errs = err_new(x->scratch);
    struct model *m = model_clone(x->spec->state);
    /* where the effect cannot say, because what it needs was not observed, nothing is predicted and nothing compared */
    bool ok = apply(l, m, with, effects, &p->outputs, errs);
    for (struct map_iter it = map_iter(parts); ok && map_next(&it);) {
        const struct part *part = it.value;
        const struct val *before = NULL, *after = NULL;
        ok = model_get(x->spec->state, part->name, x->scratch, &before, errs) && model_get(m, part->name, x->scratch, &after, errs);
        if (ok && before && after)
            compare_changes(x->arena, part->name, val_get(part->probe->decl, "schema"), before, after, &p->changes);
    }
    model_free(m);
    if (!ok || !p->changes.n)
        return;
    for (size_t i = 0; i < p->changes.n; i++) {
        struct change *c = &p->changes.list[i];
        c->predicted = c->predicted ? val_copy(x->arena, c->predicted) : NULL;
    }
    l->prediction = p;
}

/* What the action says itself, if it says it. */
static bool says_done(struct live *l, bool *ret) {
    struct exec *x = l->x;
    const struct item *it = l->item;
    const struct def *def = it->fan->step->def;
    const struct val *answer = NULL, *args[] = {it->with ? it->with : fields(x), it->before ? it->before : val_null()};
    struct call_signal sig = {0};
    if (!def || !def->fn[FN_DONE] ||
        model_call(x->spec->state, def, FN_DONE, args, 2, x->scratch, &answer, NULL, &sig, err_new(x->scratch)) != CALL_OK)
        return false;
    *ret = val_is(answer, VAL_MAP) || (val_is(answer, VAL_BOOL) && answer->boolean);
    return true;
}

enum seen predict_seen(struct live *l, const char **ret_text) {
    struct exec *x = l->x;
    struct prediction *p = l->prediction;
    struct compared c;
    if (!p->named)
        compare_symbols(x->arena, &p->changes, p->before, p->outputs, l->outputs);
    p->named = true;
    compare_observed(x->scratch, &p->changes, observed(x, x->scratch), &c);
    if (!c.n)
        return SEEN_ALL;
    *ret_text = compare_text(x->scratch, &c);
    bool shows = c.same > 0;
    (void)says_done(l, &shows);
    return shows ? SEEN_SOME : SEEN_NONE;
}

/* ---- rules ---- */

/* A state for rules to look at: as `run.attested` stands, too. */
static void add_attested(struct exec *x, struct model *m) {
    struct val *all = fields(x);
    for (size_t i = 0; i < val_len(x->run->attested); i++)
        if (val_cstr(val_at(x->run->attested, i)))
            val_map_set(x->scratch, all, val_cstr(val_at(x->run->attested, i)), val_bool(x->scratch, true));
    model_set(m, "attested", all);
}

/* Whether it judges a part that the act changes, and all that it needs was looked at before and after. */
static bool concerns(const struct def *rule, const struct prediction *p, const struct model *was, const struct model *is) {
    const struct val *needs = val_get(rule->decl, "needs");
    bool touched = !val_len(needs);
    for (size_t i = 0; i < val_len(needs); i++) {
        const char *part = val_cstr(val_at(needs, i));
        if (!part)
            continue;
        if (!model_has(was, part) || !model_has(is, part))
            return false;
        touched |= map_get(p->parts, part) != NULL;
    }
    return touched && rule->fn[FN_NEVER];
}

static bool accepted(const struct exec *x, const struct def *rule) {
    for (const char *const *s = x->spec->accepted; s && *s; s++)
        if (!strcmp(*s, rule->name))
            return true;
    return false;
}

static void tell(struct live *l, const char *text) {
    struct val *d = fields(l->x);
    field_str(l->x, d, "text", text);
    emit(l->x, EV_NOTE, l->item->path, 0, d);
}

const char *predict_broken_rule(struct live *l) {
    struct exec *x = l->x;
    const struct prediction *p = l->prediction;
    struct err *errs = err_new(x->scratch);
    const struct def *const *rules;
    size_t n;
    if (!library_of_kind(x->spec->ld->lib, DEF_RULE, &rules, &n, errs)) {
        tell(l, arena_printf(x->scratch, "'%s': not all rules can be judged: %s", l->item->path, eval_why(x, CALL_ERROR, NULL, errs)));
        errs = err_new(x->scratch);
    }
    struct model *was = model_new(x->spec->ld->box), *is = model_clone(x->spec->state);
    for (size_t i = 0; i < val_len(p->before); i++)
        model_set(was, p->before->map.pairs[i].key, p->before->map.pairs[i].val);
    add_attested(x, was);
    add_attested(x, is);
    const char *ret = NULL;
    for (size_t i = 0; i < n && !ret; i++) {
        const char *message = NULL;
        if (!concerns(rules[i], p, was, is))
            continue;
        if (!model_rule(is, was, rules[i], FN_NEVER, "step", x->scratch, &message, errs)) {
            tell(l, arena_printf(x->scratch, "'%s': the rule %s cannot be judged: %s", l->item->path, rules[i]->name, eval_why(x, CALL_ERROR, NULL, errs)));
            errs = err_new(x->scratch);
        } else if (message && accepted(x, rules[i])) {
            tell(l, arena_printf(x->scratch, "'%s': accepted risk, %s: %s", l->item->path, rules[i]->name, message));
        } else if (message) {
            ret = arena_printf(x->scratch, "%s: %s", rules[i]->name, message);
        }
    }
    model_free(was);
    model_free(is);
    return ret;
}
