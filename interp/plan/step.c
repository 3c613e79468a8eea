#include "plan/load.h"

#include "base/clock.h"

#include <ctype.h>
#include <string.h>

static const int64_t default_every_ms = 5000, default_delay_ms = 1000;

bool name_fits(const char *s) {
    if (!isalpha((unsigned char)*s) && *s != '_')
        return false;
    for (; *s; s++)
        if (!isalnum((unsigned char)*s) && *s != '_')
            return false;
    return true;
}

/* ---- pieces ---- */

static struct tmpl *template_of(struct loading *ld, const struct val *v) {
    struct tmpl *t = NULL;
    if (v)
        (void)tmpl_parse(ld->ld->box, ld->arena, v, &t, ld->err);
    return t;
}

/* true and false may be written as such; everything else is Lua. A plain ${{ … }} is accepted, since people will write it. */
static struct expr *expression_of(struct loading *ld, const struct val *v) {
    struct expr *e = NULL;
    if (!v)
        return NULL;
    if (v->kind == VAL_BOOL) {
        (void)expr_parse(ld->ld->box, ld->arena, v->boolean ? "true" : "false", v->mark, &e, ld->err);
        return e;
    }
    const char *s = val_cstr(v);
    if (!s)
        return NULL;
    while (*s == ' ' || *s == '\n')
        s++;
    if (!strncmp(s, "${{", 3)) {
        struct diag *d = err_add(ld->err, v->mark, "needless-template", "this place is a Lua expression already");
        diag_hint(ld->err, d, "leave ${{ and }} out");
        return NULL;
    }
    (void)expr_parse(ld->ld->box, ld->arena, v->string.s, v->mark, &e, ld->err);
    return e;
}

static int64_t duration_of(const struct val *v, int64_t fallback) {
    int64_t ms = fallback;
    if (val_cstr(v))
        (void)duration_parse(val_cstr(v), &ms);
    return ms;
}

static void number_in(struct loading *ld, const struct val *map, const char *key, int64_t least, int64_t most, int *ret) {
    const struct val *v = val_get(map, key);
    if (!val_is(v, VAL_INT))
        return;
    if (v->integer < least || v->integer > most)
        err_add(ld->err, v->mark, "out-of-range", "'%s' must be between %lld and %lld", key, (long long)least, (long long)most);
    else
        *ret = (int)v->integer;
}

static void read_retry(struct loading *ld, const struct val *v, struct step_retry *ret) {
    *ret = (struct step_retry){.attempts = 1, .backoff = 1};
    if (!v)
        return;
    number_in(ld, v, "attempts", 1, 1000, &ret->attempts);
    ret->delay_ms = duration_of(val_get(v, "delay"), default_delay_ms);
    ret->max_delay_ms = duration_of(val_get(v, "max_delay"), 0);
    const struct val *b = val_get(v, "backoff");
    if (b)
        ret->backoff = b->kind == VAL_INT ? (double)b->integer : b->number;
    if (ret->backoff < 1)
        err_add(ld->err, b->mark, "out-of-range", "'backoff' must be at least 1");
}

/* ---- what the step does ---- */

static const struct form {
    const char *key;
    enum step_kind kind;
} forms[] = {{"uses", STEP_ACTION}, {"command", STEP_COMMAND}, {"steps", STEP_GROUP}, {"first_of", STEP_FIRST_OF}, {"wait_for", STEP_WAIT}};
enum { nforms = sizeof forms / sizeof *forms };

static const struct form *form_of(struct loading *ld, const struct val *v, struct mark at) {
    const struct form *found = NULL;
    for (int i = 0; i < nforms; i++) {
        const struct val_pair *p = val_pair(v, forms[i].key);
        if (!p)
            continue;
        if (found) {
            struct diag *d = err_add(ld->err, p->mark, "two-forms", "a step is one thing: '%s' and '%s' cannot stand side by side", found->key, p->key);
            diag_hint(ld->err, d, "make two steps of it");
            return NULL;
        }
        found = &forms[i];
    }
    if (!found) {
        struct diag *d = err_add(ld->err, at, "no-form", "the step does nothing");
        diag_note(ld->err, d, "a step has one of: uses, command, steps, first_of, wait_for");
    }
    return found;
}

static const char *type_of_declared(const struct val *decl) {
    return val_get_str(decl, "type", "any");
}

static bool const_fits(struct loading *ld, const char *name, const struct val *decl, const struct val *v) {
    const struct input in = {.name = name, .type = type_of_declared(decl), .items = val_get_str(decl, "items", NULL), .oneof = val_get(decl, "enum"),
                             .required = true};
    const struct val *ignored;
    return input_convert(ld->arena, &in, ld->ld->site, v, v->mark, &ignored, ld->err);
}

static bool is_open(const struct val *v) {
    if (v->kind == VAL_STRING)
        return strstr(v->string.s, "${{") != NULL;
    for (size_t i = 0; i < val_len(v); i++)
        if (is_open(v->kind == VAL_LIST ? v->list.items[i] : v->map.pairs[i].val))
            return true;
    return false;
}

/* `with` against what an action, a probe or a runbook declares. */
static void check_with(struct loading *ld, const struct val *with, struct mark at, const char *what, const struct val *declared) {
    const char **names = arena_array(ld->arena, const char *, val_len(declared) + 1);
    for (size_t i = 0; i < val_len(declared); i++)
        names[i] = declared->map.pairs[i].key;
    for (size_t i = 0; with && i < val_len(with); i++) {
        const struct val_pair *p = &with->map.pairs[i];
        const struct val *decl = val_get(declared, p->key);
        if (!decl) {
            struct diag *d = err_add(ld->err, p->mark, "unknown-input", "%s has no input '%s'", what, p->key);
            diag_accepted(ld->err, d, p->key, names, val_len(declared));
        } else if (!is_open(p->val)) {
            const_fits(ld, p->key, decl, p->val);
        }
    }
    for (size_t i = 0; i < val_len(declared); i++) {
        const struct val_pair *p = &declared->map.pairs[i];
        if (val_get_bool(p->val, "required", false) && !val_get(with, p->key)) {
            struct diag *d = err_add(ld->err, at, "missing-input", "%s needs the input '%s'", what, p->key);
            const char *text = val_get_str(p->val, "description", NULL);
            diag_note(ld->err, d, "%s: %s%s%s", p->key, type_of_declared(p->val), text ? ", " : "", text ? text : "");
        }
    }
}

static const struct val *declared_by(struct loading *ld, const struct runbook *rb) {
    struct val *m = val_map_new(ld->arena);
    for (size_t i = 0; i < rb->ninputs; i++) {
        const struct input *in = &rb->inputs[i];
        struct val *d = val_map_new(ld->arena);
        val_map_set(ld->arena, d, "type", val_str(ld->arena, in->type));
        val_map_set(ld->arena, d, "required", val_bool(ld->arena, in->required));
        if (in->items)
            val_map_set(ld->arena, d, "items", val_str(ld->arena, in->items));
        if (in->oneof)
            val_map_set(ld->arena, d, "enum", in->oneof);
        if (in->description)
            val_map_set(ld->arena, d, "description", val_str(ld->arena, in->description));
        val_map_set(ld->arena, m, in->name, d);
    }
    return m;
}

static void read_uses(struct loading *ld, const struct val *v, struct step *st) {
    const struct val *uses = val_get(v, "uses"), *with = val_get(v, "with");
    const char *name = val_cstr(uses);
    st->uses_mark = uses->mark;
    if (!strncmp(name, "runbook:", 8)) {
        st->kind = STEP_RUNBOOK;
        if (runbook_load_in(ld->ld, name + 8, uses->mark, ld, &st->sub, ld->err))
            check_with(ld, with, uses->mark, arena_printf(ld->arena, "the runbook %s", name + 8), declared_by(ld, st->sub));
        return;
    }
    struct err *as_probe = err_new(ld->arena);
    st->def = library_has(ld->ld->lib, name) ? library_get(ld->ld->lib, name, DEF_PROBE, uses->mark, as_probe) : NULL;
    if (st->def)
        st->kind = STEP_PROBE;
    else
        st->def = library_get(ld->ld->lib, name, DEF_ACTION, uses->mark, ld->err);
    if (st->def) {
        const struct val *inputs = val_get(st->def->decl, "inputs");
        check_with(ld, with, uses->mark, name, inputs ? inputs : val_map_new(ld->arena));
    }
}

static void read_command(struct loading *ld, const struct val *v, struct step *st) {
    const struct val *argv = val_get(v, "command");
    st->uses_mark = argv->mark;
    if (val_is(argv, VAL_LIST) && !val_len(argv))
        err_add(ld->err, argv->mark, "empty-command", "the command has no program");
    for (size_t i = 0; i < val_len(argv); i++) {
        const struct val *word = val_at(argv, i);
        if (val_is(word, VAL_MAP) || val_is(word, VAL_LIST) || val_is_null(word))
            err_add(ld->err, word->mark, "wrong-type", "a word of a command must be a string, and is %s", val_kind_name(word->kind));
    }
    st->argv = template_of(ld, argv);
    st->on = template_of(ld, val_get(v, "on"));
}

/* ---- keys that need another key, or a certain form ---- */

static const struct rule {
    const char *key;
    unsigned kinds; /* bits of step kinds; 0: any */
    const char *with_key; /* or needs this one */
    const char *text;
} rules[] = {
    {"with", 1u << STEP_ACTION | 1u << STEP_PROBE | 1u << STEP_RUNBOOK, NULL, "goes with 'uses'"},
    {"on", 1u << STEP_COMMAND, NULL, "goes with 'command'"},
    {"every", 1u << STEP_WAIT, NULL, "goes with 'wait_for'"},
    {"message", 1u << STEP_WAIT, NULL, "goes with 'wait_for'"},
    {"retry", 1u << STEP_ACTION | 1u << STEP_PROBE | 1u << STEP_COMMAND, NULL, "goes with an action, a probe or a command: repeat the steps inside instead"},
    {"timeout", 1u << STEP_ACTION | 1u << STEP_PROBE | 1u << STEP_COMMAND | 1u << STEP_WAIT, NULL, "goes with an action, a probe, a command or a wait"},
    {"approve", 1u << STEP_ACTION | 1u << STEP_COMMAND, NULL, "goes with an action or a command"},
    {"parallel", 0, "for_each", "goes with 'for_each'"},
    {"max_failures", 0, "for_each", "goes with 'for_each'"},
};

static void check_keys(struct loading *ld, const struct val *v, const struct step *st) {
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        const struct rule *r = &rules[i];
        const struct val_pair *p = val_pair(v, r->key);
        if (p && ((r->kinds && !(r->kinds & 1u << st->kind)) || (r->with_key && !val_get(v, r->with_key))))
            err_add(ld->err, p->mark, "misplaced-key", "'%s' %s", r->key, r->text);
    }
    const struct val_pair *e = val_pair(v, "effect");
    const bool hook = st->def && !strcmp(st->def->family, "hooks");
    if (e && st->kind != STEP_COMMAND && st->kind != STEP_WAIT && !hook)
        err_add(ld->err, e->mark, "misplaced-key", "'effect' goes with a command, a wait or a hook: an action of the library declares its own");
    if (val_get(v, "for_each") && val_get(v, "try_each"))
        err_add(ld->err, val_pair(v, "try_each")->mark, "misplaced-key", "'for_each' and 'try_each' exclude each other");
}

/* ---- forms that are read and not yet carried out ---- */

static void not_yet(struct loading *ld, const struct val *v) {
    static const char *const keys[] = {"first_of", "try_each", "rescue", "undo", "on"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const struct val_pair *p = val_pair(v, keys[i]);
        if (p)
            err_warn(ld->err, p->mark, "not-yet", "'%s' is read and checked, but nothing carries it out yet", keys[i]);
    }
}

/* ---- one step ---- */

static const char *id_of(struct loading *ld, const struct val *v, const struct step *parent, size_t position) {
    const struct val *id = val_get(v, "id");
    if (id) {
        if (!name_fits(val_cstr(id))) {
            struct diag *d = err_add(ld->err, id->mark, "bad-name", "'%s' cannot be the id of a step", val_cstr(id));
            diag_hint(ld->err, d, "letters, digits and _, beginning with a letter");
        }
        return val_cstr(id);
    }
    return parent && *parent->id ? arena_printf(ld->arena, "%s-%zu", parent->id, position) : arena_printf(ld->arena, "step-%zu", position);
}

static void read_effects(struct loading *ld, const struct val *v, struct step *st) {
    const struct val *e = val_get(v, "effect");
    st->effects = arena_array(ld->arena, struct step_effect, val_len(e) + 1);
    for (size_t i = 0; i < val_len(e); i++)
        st->effects[st->neffects++] = (struct step_effect){.path = e->map.pairs[i].key, .mark = e->map.pairs[i].mark,
                                                           .value = template_of(ld, e->map.pairs[i].val)};
}

static void read_outputs(struct loading *ld, const struct val *v, struct step *st) {
    const struct val *o = val_get(v, "outputs");
    st->outputs = arena_array(ld->arena, struct step_output, val_len(o) + 1);
    for (size_t i = 0; i < val_len(o); i++) {
        if (!name_fits(o->map.pairs[i].key))
            err_add(ld->err, o->map.pairs[i].mark, "bad-name", "'%s' cannot be the name of an output", o->map.pairs[i].key);
        st->outputs[st->noutputs++] = (struct step_output){.name = o->map.pairs[i].key, .value = template_of(ld, o->map.pairs[i].val)};
    }
}

static void read_common(struct loading *ld, const struct val *v, struct step *st) {
    st->title = template_of(ld, val_get(v, "title"));
    st->message = template_of(ld, val_get(v, "message"));
    st->approve = template_of(ld, val_get(v, "approve"));
    st->cond = expression_of(ld, val_get(v, "if"));
    st->unless = expression_of(ld, val_get(v, "unless"));
    st->verify = expression_of(ld, val_get(v, "verify"));
    st->wait = expression_of(ld, val_get(v, "wait_for"));
    st->every_ms = duration_of(val_get(v, "every"), default_every_ms);
    st->try_each = val_get(v, "try_each") != NULL;
    st->for_each = template_of(ld, val_get(v, st->try_each ? "try_each" : "for_each"));
    st->timeout = template_of(ld, val_get(v, "timeout"));
    st->with = template_of(ld, val_get(v, "with"));
    st->parallel = 1;
    number_in(ld, v, "parallel", 1, 1000, &st->parallel);
    number_in(ld, v, "max_failures", 0, 1000000, &st->max_failures);
    read_retry(ld, val_get(v, "retry"), &st->retry);
    const char *on_failure = val_get_str(v, "on_failure", "stop");
    st->continue_on_failure = !strcmp(on_failure, "continue");
    read_effects(ld, v, st);
    read_outputs(ld, v, st);
}

/* The array doubles whenever its count is a power of two. */
static size_t step_add(struct loading *ld, struct step *st) {
    struct runbook *rb = ld->rb;
    const size_t n = rb->nall;
    if (!(n & (n - 1))) {
        struct step **all = arena_array(ld->arena, struct step *, n ? 2 * n : 1);
        if (n)
            memcpy(all, rb->all, n * sizeof *all);
        rb->all = all;
    }
    rb->all[rb->nall++] = st;
    return n;
}

/* Steps are counted where they stand, so that `all` has them depth first. */
static struct step *step_load(struct loading *ld, const struct val *v, struct step *parent, size_t position) {
    if (!schema_check(v, step_fields, step_aliases, "a step", ld->err))
        return NULL;
    const struct mark at = v->map.n ? v->map.pairs[0].mark : v->mark;
    const struct form *form = form_of(ld, v, at);
    if (!form)
        return NULL;
    struct step *st = arena_new_of(ld->arena, struct step);
    *st = (struct step){.id = id_of(ld, v, parent, position), .mark = at, .kind = form->kind, .in = ld->rb, .parent = parent};
    const struct step *other = NULL;
    for (size_t i = 0; i < ld->rb->nall && !other; i++)
        if (ld->rb->all[i]->parent == parent && !strcmp(ld->rb->all[i]->id, st->id))
            other = ld->rb->all[i];
    if (other) {
        struct diag *d = err_add(ld->err, val_get(v, "id") ? val_get(v, "id")->mark : at, "duplicate-id", "there are two steps '%s' in this list", st->id);
        diag_note(ld->err, d, "the other one begins in line %u", other->mark.line);
    }
    st->index = step_add(ld, st);
    if (st->kind == STEP_ACTION)
        read_uses(ld, v, st);
    else if (st->kind == STEP_COMMAND)
        read_command(ld, v, st);
    check_keys(ld, v, st);
    not_yet(ld, v);
    read_common(ld, v, st);
    const struct val *children = val_get(v, st->kind == STEP_GROUP ? "steps" : "first_of");
    if (st->kind == STEP_GROUP || st->kind == STEP_FIRST_OF)
        steps_load(ld, children, st, &st->children, &st->nchildren);
    steps_load(ld, val_get(v, "rescue"), st, &st->rescue, &st->nrescue);
    steps_load(ld, val_get(v, "undo"), st, &st->undo, &st->nundo);
    return st;
}

void steps_load(struct loading *ld, const struct val *list, struct step *parent, struct step ***ret, size_t *ret_n) {
    struct step **steps = arena_array(ld->arena, struct step *, val_len(list) + 1);
    size_t n = 0;
    if (list && !val_len(list))
        err_add(ld->err, list->mark, "no-steps", "this list of steps is empty");
    for (size_t i = 0; i < val_len(list); i++) {
        struct step *st = step_load(ld, val_at(list, i), parent, i + 1);
        if (st)
            steps[n++] = st;
    }
    *ret = steps;
    *ret_n = n;
}
