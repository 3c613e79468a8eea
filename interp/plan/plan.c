#include "plan/plan.h"

#include "base/redact.h"
#include "plan/walk.h"

#include <string.h>

const char *known_name(enum known k) {
    static const char *const names[] = {"proved", "probed", "predicted", "assumed", "unknown"};
    return names[k];
}

const char *will_name(enum will w) {
    static const char *const names[] = {"run", "skip", "already", "maybe", "not-reached", "wait", "times-out", "each", "else"};
    return names[w];
}

/* ---- names of step instances ---- */

const char *path_step(struct arena *a, const char *owner, const struct step *st) {
    return *owner ? arena_printf(a, "%s.%s", owner, st->id) : st->id;
}

/* What an item is called, or NULL if only its place in the list tells it apart. */
static const char *item_key(struct arena *a, const struct val *item) {
    static const char *const keys[] = {"node", "name", "id", "node_id"};
    if (val_is(item, VAL_INT))
        return arena_printf(a, "%lld", (long long)item->integer);
    const char *key = val_cstr(item);
    for (size_t i = 0; !key && i < sizeof keys / sizeof *keys; i++)
        key = val_cstr(val_get(item, keys[i]));
    /* a key must not be able to look like another path, nor to break a line */
    if (!key || !*key || strlen(key) > 64 || key[strcspn(key, "[]#\n\r\t\x1b")])
        return NULL;
    /* nor to be a secret, or what a journal has in the place of one */
    return strstr(key, "***") || redact_found(key, strlen(key)) ? NULL : key;
}

const char *path_item(struct arena *a, const char *path, const struct val *list, size_t index) {
    const char *key = item_key(a, val_at(list, index));
    for (size_t i = 0; key && i < index; i++) {
        const char *other = item_key(a, val_at(list, i));
        if (other && !strcmp(other, key))
            key = NULL;
    }
    return key ? arena_printf(a, "%s[%s]", path, key) : arena_printf(a, "%s[#%zu]", path, index + 1);
}

bool plan_has_unknown(const struct val *v) {
    if (val_unknown_provider(v))
        return true;
    for (size_t i = 0; i < val_len(v); i++)
        if (plan_has_unknown(v->kind == VAL_LIST ? v->list.items[i] : v->map.pairs[i].val))
            return true;
    return false;
}

/* ---- texts ---- */

/* "${node}" in a definition's `describe` becomes the value of with.node. */
static const char *describe(struct arena *a, const char *text, const struct val *with) {
    struct buf b = BUF_INIT;
    for (const char *p = text; *p;) {
        const char *open = strstr(p, "${"), *close = open ? strchr(open, '}') : NULL;
        if (!close) {
            buf_adds(&b, p);
            break;
        }
        buf_add(&b, p, (size_t)(open - p));
        const struct val *v = val_get(with, arena_strndup(a, open + 2, (size_t)(close - open - 2)));
        if (val_unknown_provider(v))
            buf_printf(&b, "(known when %s is)", val_unknown_provider(v));
        else if (!val_is_null(v))
            val_show(v, &b, 120);
        p = close + 1;
    }
    char *s = arena_strdup(a, b.data);
    buf_done(&b);
    return s;
}

static const char *text_of(struct arena *a, struct loader *ld, const struct tmpl *t, const struct scope *scope) {
    struct call_signal sig = {0};
    struct err *quiet = err_new(a); /* a text must never end a plan: an error in it shows as the text itself */
    const struct val *v = NULL;
    if (tmpl_eval(ld->box, t, scope, true, a, &v, &sig, quiet) != CALL_OK)
        v = tmpl_source(t);
    struct buf b = BUF_INIT;
    const char *unknown = val_unknown_provider(v);
    if (unknown)
        buf_printf(&b, "(known when %s is)", unknown);
    else
        val_show(v, &b, 0);
    while (b.len && (b.data[b.len - 1] == '\n' || b.data[b.len - 1] == ' '))
        b.data[--b.len] = 0;
    char *s = arena_strdup(a, b.data);
    buf_done(&b);
    return s;
}

const char *step_title(struct arena *a, struct loader *ld, const struct step *st, const struct scope *scope, const struct val *with) {
    if (st->title)
        return text_of(a, ld, st->title, scope);
    if (st->def) {
        const char *d = val_get_str(st->def->decl, "describe", NULL);
        return d && with ? describe(a, d, with) : val_get_str(st->def->decl, "summary", st->def->name);
    }
    if (st->sub)
        return st->sub->title ? st->sub->title : st->sub->name;
    if (st->kind == STEP_COMMAND && val_len(with)) {
        struct buf b = BUF_INIT;
        for (size_t i = 0; i < val_len(with); i++) {
            buf_adds(&b, i ? " " : "");
            val_show(val_at(with, i), &b, 0);
        }
        const char *s = arena_strdup(a, b.data);
        buf_done(&b);
        return s;
    }
    if (st->kind == STEP_WAIT && st->wait)
        return arena_printf(a, "wait for %s", st->wait->text);
    return st->id;
}

const struct val *step_with(struct arena *a, const struct step *st, const struct val *with) {
    const struct val *declared = st->def ? val_get(st->def->decl, "inputs") : NULL;
    struct val *out = NULL;
    for (size_t i = 0; i < val_len(declared); i++) {
        const struct val *def = val_get(declared->map.pairs[i].val, "default");
        if (!def || !val_is_null(val_get(with, declared->map.pairs[i].key)))
            continue;
        if (!out) {
            out = val_map_new(a);
            for (size_t k = 0; k < val_len(with); k++)
                val_map_set(a, out, with->map.pairs[k].key, with->map.pairs[k].val);
        }
        val_map_set(a, out, declared->map.pairs[i].key, def);
    }
    return out ? out : with ? with : val_map_new(a);
}

/* ---- attestations ---- */

static bool names_has(const struct val *list, const char *name) {
    for (size_t i = 0; i < val_len(list); i++) {
        const char *s = val_cstr(val_at(list, i));
        if (s && !strcmp(s, name))
            return true;
    }
    return false;
}

bool plan_attests(struct arena *a, const struct step *st, const struct model *state, const struct val *with, const struct val *attested,
                  const struct val **ret_missing, struct err *err) {
    if (!st->def->fn[FN_ATTESTS])
        return true;
    struct call_signal sig = {0};
    const struct val *all = NULL, *args[] = {with ? with : val_map_new(a)};
    enum call_result r = model_call(state, st->def, FN_ATTESTS, args, 1, a, &all, NULL, &sig, err);
    if (r == CALL_ERROR)
        return false;
    if (r != CALL_OK) /* whom it concerns is known only then; the run asks again before the act */
        return true;
    struct val *missing = val_map_new(a);
    for (size_t i = 0; i < val_len(all); i++)
        if (!names_has(attested, all->map.pairs[i].key))
            val_map_set(a, missing, all->map.pairs[i].key, all->map.pairs[i].val);
    *ret_missing = val_len(missing) ? missing : NULL;
    return true;
}

/* ---- pre- and postconditions ---- */

/* On a signal the check does not hold, and says which fact is missing. */
static const char *not_known(struct arena *a, enum call_result r, const struct call_signal *sig) {
    return arena_printf(a, "it rests on a fact that %s: %s", r == CALL_UNKNOWN ? "only the run will know" : "could not be observed",
                        sig->text ? sig->text : "?");
}

static bool check_capability(struct arena *a, const struct check *c, const struct scope *scope, struct plan_check *out, struct err *err) {
    struct call_signal sig = {0};
    const struct val *holds = NULL, *why = NULL;
    enum call_result r = model_call(scope->state, c->capability, FN_HOLDS, NULL, 0, a, &holds, &why, &sig, err);
    if (r == CALL_ERROR)
        return false;
    out->text = c->capability->name;
    out->held = r == CALL_OK && val_is(holds, VAL_BOOL) && holds->boolean;
    out->untold = r == CALL_OK ? NULL : sig.text ? sig.text : "?";
    const char *reason = r == CALL_OK ? val_cstr(why) : not_known(a, r, &sig);
    out->message = arena_printf(a, "%s is required, and does not hold%s%s", c->capability->name, reason ? ": " : "", reason ? reason : "");
    return true;
}

bool plan_checks(struct arena *a, struct loader *ld, const struct runbook *rb, bool post, const struct scope *scope, enum known known,
                 struct plan_check **ret, size_t *ret_n, struct err *err) {
    const struct check *checks[2] = {post ? NULL : rb->requires, post ? rb->post : rb->pre};
    const size_t n[2] = {post ? 0 : rb->nrequires, post ? rb->npost : rb->npre};
    struct plan_check *out = arena_array(a, struct plan_check, n[0] + n[1] + 1);
    size_t k = 0;
    for (int part = 0; part < 2; part++)
        for (size_t i = 0; i < n[part]; i++) {
            const struct check *c = &checks[part][i];
            struct plan_check *o = &out[k++];
            *o = (struct plan_check){.mark = c->mark, .known = known};
            if (c->capability) {
                if (!check_capability(a, c, scope, o, err))
                    return false;
                continue;
            }
            struct call_signal sig = {0};
            enum call_result r = expr_test(ld->box, c->expr, scope, a, &o->held, &sig, err);
            if (r == CALL_ERROR)
                return false;
            o->text = c->expr->text;
            o->message = text_of(a, ld, c->message, scope);
            if (r != CALL_OK) {
                o->held = false;
                o->untold = sig.text ? sig.text : "?";
                o->message = arena_printf(a, "%s (%s)", o->message, not_known(a, r, &sig));
            }
        }
    *ret = out;
    *ret_n = k;
    return true;
}

/* ---- the plan ---- */

static bool state_val(struct arena *a, const struct model *m, const struct runbook *rb, const struct val **ret, struct err *err) {
    struct val *v = val_map_new(a);
    for (size_t i = 0; i < rb->nparts; i++) {
        const struct val *part = NULL;
        if (!model_get(m, rb->parts[i].name, a, &part, err))
            return false;
        if (part)
            val_map_set(a, v, rb->parts[i].name, part);
    }
    *ret = v;
    return true;
}

static void count_acts(struct plan *p) {
    const struct plan_line *last = NULL;
    for (size_t i = 0; i < p->nlines; i++) {
        struct plan_line *l = &p->lines[i];
        bool act = l->step->kind == STEP_ACTION || l->step->kind == STEP_COMMAND;
        if (!act || (l->will != WILL_RUN && l->will != WILL_MAYBE))
            continue;
        l->no_return = l->destroys != NULL;
        if (l->no_return && !p->no_return) {
            p->no_return = true;
            p->exit = last;
        }
        last = l;
        p->acts++;
        p->changes++;
        p->modelled += l->step->neffects || (l->step->def && l->step->def->fn[FN_EFFECT]);
    }
}

bool plan_make(struct arena *a, const struct plan_spec *spec, const struct plan **ret, struct err *err) {
    struct plan *p = arena_new_of(a, struct plan);
    const struct runbook *rb = spec->rb;
    *p = (struct plan){.rb = rb, .inputs = bind_inputs(spec->bind), .bind = spec->bind};
    struct model *state = model_clone(spec->state);
    struct walk *w = walk_new(a, spec->ld, state, spec->site, spec->run);
    struct scope sc = {.lib = spec->ld->lib, .state = state, .inputs = p->inputs, .site = spec->site, .run = spec->run};
    bool ok = state_val(a, state, rb, &p->before, err) && plan_checks(a, spec->ld, rb, false, &sc, KNOWN_PROBED, &p->pre, &p->npre, err);
    for (size_t i = 0; ok && i < p->npre; i++)
        p->refused |= !p->pre[i].held;
    if (ok && !p->refused) {
        ok = walk_runbook(w, rb, spec->bind, spec->path ? spec->path : "", err) && state_val(a, state, rb, &p->after, err) &&
             plan_checks(a, spec->ld, rb, true, &sc, KNOWN_PREDICTED, &p->post, &p->npost, err);
        for (size_t i = 0; ok && i < p->npost; i++)
            p->post[i].known = walk_known(w, &rb->post[i], spec->bind);
        p->nlines = walk_lines(w, &p->lines);
        p->attests = walk_attests(w);
        plan_images(a, spec->state, p);
        count_acts(p);
    }
    model_free(state);
    if (ok)
        *ret = p;
    return ok;
}
