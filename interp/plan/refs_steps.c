#include "plan/load.h"

#include <string.h>

static bool is_one(const char *word, const char *const *names, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (!strcmp(names[i], word))
            return true;
    return false;
}

/* ---- which step is meant, and whether it has ended by then ---- */

static bool is_among(const struct step *st, struct step *const *list, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (list[i] == st)
            return true;
    return false;
}

/* Whether other has ended, or failed, when st is begun, though it needs it nowhere: an alternative is begun after those before it, a rescue step after the
 * step that it rescues. */
static bool comes_after(const struct step *st, const struct step *other) {
    for (const struct step *s = st; s->parent; s = s->parent) {
        if (s->parent == other && is_among(s, other->rescue, other->nrescue))
            return true;
        if (s->parent == other->parent && s->parent->kind == STEP_FIRST_OF && other->index < s->index && !is_among(s, s->parent->rescue, s->parent->nrescue))
            return true;
    }
    return false;
}

/* Whether st waits for other, by its own needs or by those of a group around it. Chains can be long: no recursion. */
static bool waits_for(struct loading *ld, const struct step *st, const struct step *other) {
    const struct step **stack = ld->stack;
    const uint32_t stamp = ++ld->stamp;
    size_t n = 0;
    ld->seen[st->index] = stamp;
    stack[n++] = st;
    while (n) {
        /* a step goes onto the stack when it is first seen; a group around one is looked at in its place */
        for (const struct step *s = stack[--n]; s; s = s->parent) {
            for (size_t i = 0; i < s->nneeds; i++) {
                if (s->needs[i] == other)
                    return true;
                if (ld->seen[s->needs[i]->index] != stamp) {
                    ld->seen[s->needs[i]->index] = stamp;
                    stack[n++] = s->needs[i];
                }
            }
            if (!s->parent || ld->seen[s->parent->index] == stamp)
                break;
            ld->seen[s->parent->index] = stamp;
        }
    }
    return false;
}

const struct step *refs_resolve(const struct place *p, const char *id, bool *ret_broken) {
    const struct loading *ld = p->ld;
    bool broken = false;
    const struct step *found = p->self ? step_find(ld, p->st, id, &broken) : NULL;
    for (const struct step *s = p->st; s && !found && !broken; s = s->parent)
        found = step_find(ld, s->parent, id, &broken);
    if (ret_broken)
        *ret_broken = broken;
    return found;
}

static void unknown_step(const struct place *p, const struct expr_ref *r) {
    struct loading *ld = p->ld;
    const char **names = arena_array(ld->arena, const char *, ld->rb->nall + 1);
    const struct step *elsewhere = NULL;
    size_t n = 0;
    for (size_t i = 0; i < ld->rb->nall; i++) {
        const struct step *st = ld->rb->all[i];
        if (!strcmp(st->id, r->names[1]))
            elsewhere = st;
        if (p->st != st && refs_resolve(p, st->id, NULL) == st && waits_for(ld, p->st, st))
            names[n++] = st->id;
    }
    struct diag *d = err_add(ld->err, r->marks[1], "unknown-step", "there is no step '%s' here", r->names[1]);
    if (elsewhere && elsewhere->parent)
        diag_hint(ld->err, d, "it is inside '%s', and only seen there: hand its values out with 'outputs' of '%s'", elsewhere->parent->id, elsewhere->parent->id);
    else
        diag_accepted(ld->err, d, r->names[1], names, n);
}

/* ---- what can be read of it ---- */

/* What each kind of step has as outputs, apart from those that the runbook names. */
static size_t outputs_of(struct loading *ld, const struct step *st, const char ***ret) {
    static const char *const of_command[] = {"stdout", "stderr", "status", "value"}, *const of_probe[] = {"value"};
    const struct val *declared = st->kind == STEP_ACTION && st->def ? val_get(st->def->decl, "outputs") : NULL;
    const char **names = arena_array(ld->arena, const char *, val_len(declared) + st->noutputs + 4);
    size_t n = 0;
    for (size_t i = 0; st->kind == STEP_COMMAND && i < 4; i++)
        names[n++] = of_command[i];
    if (st->kind == STEP_PROBE)
        names[n++] = of_probe[0];
    for (size_t i = 0; i < val_len(declared); i++)
        names[n++] = declared->map.pairs[i].key;
    for (size_t i = 0; i < st->noutputs; i++)
        names[n++] = st->outputs[i].name;
    *ret = names;
    return n;
}

static void check_output(const struct place *p, const struct expr_ref *r, const struct step *st) {
    struct loading *ld = p->ld;
    const bool inside_item = st->for_each && p->st == st; /* its `verify` and `outputs` see the item, not the list */
    if (r->n < 4 || strcmp(r->names[2], "outputs") || (st->for_each && !inside_item) || (st->kind == STEP_ACTION && !st->def))
        return;
    const char **names;
    const size_t n = outputs_of(ld, st, &names);
    if (is_one(r->names[3], names, n))
        return;
    struct diag *d = err_add(ld->err, r->marks[3], "unknown-output", "the step '%s' has no output '%s'", st->id, r->names[3]);
    diag_accepted(ld->err, d, r->names[3], names, n);
}

void refs_check_steps(const struct place *p, const struct expr_ref *r) {
    struct loading *ld = p->ld;
    static const char *const fields[] = {"ok", "failed", "skipped", "outputs", "with", "items", "item"};
    if (r->n < 2)
        return;
    if (!p->st) {
        err_add(ld->err, r->marks[1], "not-before", "no step has run when this is read");
        return;
    }
    bool broken;
    const struct step *st = refs_resolve(p, r->names[1], &broken);
    if (broken)
        return;
    if (!st) {
        unknown_step(p, r);
        return;
    }
    const bool self = st == p->st, inside = p->self && st->parent == p->st;
    if (self && !p->self) {
        err_add(ld->err, r->marks[1], "not-before", "the step '%s' cannot read itself here: only in 'verify' and 'outputs'", st->id);
    } else if (!self && !inside && !waits_for(ld, p->st, st) && !comes_after(p->st, st)) {
        struct diag *d = err_add(ld->err, r->marks[1], "not-before", "'%s' does not wait for '%s', so it cannot read it", p->st->id, st->id);
        diag_hint(ld->err, d, "name it in 'needs'");
    } else if (r->n > 2 && !is_one(r->names[2], fields, sizeof fields / sizeof *fields)) {
        struct diag *d = err_add(ld->err, r->marks[2], "unknown-field", "a step has no '%s'", r->names[2]);
        diag_accepted(ld->err, d, r->names[2], fields, sizeof fields / sizeof *fields);
    } else {
        check_output(p, r, st);
    }
}

static bool in_loop(const struct place *p) {
    if (!p->st)
        return false;
    if (p->own_item && p->st->for_each)
        return true;
    for (const struct step *s = p->st->parent; s; s = s->parent)
        if (s->for_each)
            return true;
    return false;
}

void refs_check_item(const struct place *p, const struct expr_ref *r) {
    if (!in_loop(p)) {
        struct diag *d = err_add(p->ld->err, r->marks[0], "no-item", "there is no '%s' here", r->names[0]);
        diag_hint(p->ld->err, d, "it is known inside a step with for_each or try_each");
    }
}
