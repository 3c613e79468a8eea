#include "plan/load.h"

#include "base/clock.h"

#include <ctype.h>
#include <string.h>

static const int64_t default_every_ms = 5000, default_delay_ms = 1000, least_every_ms = 100;
static const double most_backoff = 1000;
enum { max_steps = 10000 }; /* of one runbook */

static bool name_fits(const char *s) {
    if (!isalpha((unsigned char)*s) && *s != '_')
        return false;
    for (; *s; s++)
        if (!isalnum((unsigned char)*s) && *s != '_')
            return false;
    return true;
}

/* A step's id also stands in paths, and is not always read by an expression: there words of Lua are fine. */
static void id_check(struct loading *ld, struct mark at, const char *name, const char *what) {
    if (name_fits(name))
        return;
    struct diag *d = err_add(ld->err, at, "bad-name", "'%s' cannot be %s", name, what);
    diag_hint(ld->err, d, "letters, digits and _, beginning with a letter");
}

void name_check(struct loading *ld, struct mark at, const char *name, const char *what) {
    static const char *const words[] = {"and", "break", "do", "else", "elseif", "end", "false", "for", "function", "goto", "if", "in",
                                        "local", "nil", "not", "or", "repeat", "return", "then", "true", "until", "while"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strcmp(words[i], name)) {
            struct diag *d = err_add(ld->err, at, "bad-name", "'%s' cannot be %s", name, what);
            diag_hint(ld->err, d, "it is a word of Lua, so no expression could read it");
            return;
        }
    id_check(ld, at, name, what);
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
    if (!(ret->backoff >= 1 && ret->backoff <= most_backoff)) /* not a number: neither */
        err_add(ld->err, b->mark, "out-of-range", "'backoff' must be between 1 and %.0f", most_backoff);
}

/* ---- what the step does ---- */

static const struct form {
    const char *key;
    enum step_kind kind;
} forms[] = {{"uses", STEP_ACTION}, {"command", STEP_COMMAND}, {"steps", STEP_GROUP}, {"first_of", STEP_FIRST_OF}, {"wait_for", STEP_WAIT}};
enum { nforms = sizeof forms / sizeof *forms };

/* whole: nothing of the step was left out, so that a missing form is a fault of its own. */
static const struct form *form_of(struct loading *ld, const struct val *v, struct mark at, bool whole) {
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
    if (!found && whole) {
        struct diag *d = err_add(ld->err, at, "no-form", "the step does nothing");
        diag_note(ld->err, d, "a step has one of: uses, command, steps, first_of, wait_for");
    }
    return found;
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
    static const char *const keys[] = {"undo", "on"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const struct val_pair *p = val_pair(v, keys[i]);
        if (p)
            err_warn(ld->err, p->mark, "not-yet", "'%s' is read and checked, but nothing carries it out yet", keys[i]);
    }
}

/* ---- one step ---- */

/* What is not named is called by its place: "step-3", "group-2", "group-rescue-1". */
static const char *id_of(struct loading *ld, const struct val *v, const struct step *parent, const char *role, size_t position) {
    const struct val *id = val_get(v, "id");
    if (id) {
        id_check(ld, id->mark, val_cstr(id), "the id of a step");
        return val_cstr(id);
    }
    return arena_printf(ld->arena, "%s-%s%zu", parent ? parent->id : "step", role, position);
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
        name_check(ld, o->map.pairs[i].mark, o->map.pairs[i].key, "the name of an output");
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
    if (st->every_ms < least_every_ms)
        err_add(ld->err, val_get(v, "every")->mark, "out-of-range", "'every' must be at least %lldms", (long long)least_every_ms);
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

/* ---- which steps there are ---- */

static const char *id_key(const struct loading *ld, const struct step *parent, const char *id) {
    return arena_printf(ld->arena, "%zu:%s", parent ? parent->index + 1 : 0, id);
}

struct step *step_find(const struct loading *ld, const struct step *parent, const char *id, bool *ret_broken) {
    void *found = map_get(ld->ids, id_key(ld, parent, id));
    if (ret_broken)
        *ret_broken = found == ld->ids;
    return found == ld->ids ? NULL : found;
}

/* The array doubles whenever its count is a power of two. */
static void step_add(struct loading *ld, struct step *st) {
    struct runbook *rb = ld->rb;
    const size_t n = rb->nall;
    if (!(n & (n - 1))) {
        struct step **all = arena_array(ld->arena, struct step *, n ? 2 * n : 1);
        if (n)
            memcpy(all, rb->all, n * sizeof *all);
        rb->all = all;
    }
    rb->all[n] = st;
    st->index = rb->nall++;
}

/* What of a step can be read on, after its faults were told: keys that it has, with values of their types. */
static const struct val *readable(struct loading *ld, const struct val *v) {
    struct val *kept = val_map_new(ld->arena);
    for (size_t i = 0; i < v->map.n; i++) {
        const struct val_pair *p = &v->map.pairs[i];
        struct val *one = val_map_new(ld->arena);
        val_map_set_marked(ld->arena, one, p->key, p->mark, p->val);
        if (schema_check(one, step_fields, NULL, "a step", err_new(ld->arena)))
            val_map_set_marked(ld->arena, kept, p->key, p->mark, p->val);
    }
    return kept;
}

/* Others may name a step that could not be read: that it is missing is not their fault. */
static void step_broken(struct loading *ld, const struct val *v, const struct step *parent) {
    const char *id = val_get_str(v, "id", NULL);
    if (id && !map_get(ld->ids, id_key(ld, parent, id)))
        map_put(ld->ids, id_key(ld, parent, id), ld->ids);
}

static void tell_same_id(struct loading *ld, const struct val *v, const struct step *st, const struct step *other) {
    const struct val *id = val_get(v, "id");
    struct diag *d = err_add(ld->err, id ? id->mark : st->mark, "duplicate-id", "there are two steps '%s' in this list", st->id);
    diag_note(ld->err, d, "the other one begins in line %u", other->mark.line);
}

/* Steps are counted where they stand, so that `all` has them depth first. */
static struct step *step_load(struct loading *ld, const struct val *written, struct step *parent, const char *role, size_t position) {
    const bool whole = schema_check(written, step_fields, step_aliases, "a step", ld->err);
    if (!val_is(written, VAL_MAP))
        return NULL;
    const struct val *v = whole ? written : readable(ld, written);
    const struct mark at = written->map.n ? written->map.pairs[0].mark : written->mark;
    const struct form *form = form_of(ld, v, at, whole);
    if (!form) {
        step_broken(ld, v, parent);
        return NULL;
    }
    struct step *st = arena_new_of(ld->arena, struct step);
    *st = (struct step){.id = id_of(ld, v, parent, role, position), .mark = at, .kind = form->kind, .in = ld->rb, .parent = parent, .doc = v};
    const struct step *other = step_find(ld, parent, st->id, NULL);
    if (other)
        tell_same_id(ld, v, st, other);
    else
        map_put(ld->ids, id_key(ld, parent, st->id), st);
    step_add(ld, st);
    if (st->kind == STEP_ACTION)
        step_uses_load(ld, v, st);
    else if (st->kind == STEP_COMMAND)
        read_command(ld, v, st);
    check_keys(ld, written, st);
    not_yet(ld, v);
    read_common(ld, v, st);
    const struct val *children = val_get(v, st->kind == STEP_GROUP ? "steps" : "first_of");
    if (st->kind == STEP_GROUP || st->kind == STEP_FIRST_OF)
        steps_load(ld, children, st, "", &st->children, &st->nchildren);
    steps_load(ld, val_get(v, "rescue"), st, "rescue-", &st->rescue, &st->nrescue);
    steps_load(ld, val_get(v, "undo"), st, "undo-", &st->undo, &st->nundo);
    return st;
}

void steps_load(struct loading *ld, const struct val *list, struct step *parent, const char *role, struct step ***ret, size_t *ret_n) {
    struct step **steps = arena_array(ld->arena, struct step *, val_len(list) + 1);
    size_t n = 0;
    if (list && !val_len(list))
        err_add(ld->err, list->mark, "no-steps", "this list of steps is empty");
    for (size_t i = 0; i < val_len(list) && !ld->too_many; i++) {
        if (ld->rb->nall == max_steps) {
            ld->too_many = true;
            err_add(ld->err, val_at(list, i)->mark, "too-many-steps", "a runbook has at most %d steps: make a loop, or several runbooks", max_steps);
            break;
        }
        struct step *st = step_load(ld, val_at(list, i), parent, role, i + 1);
        if (st)
            steps[n++] = st;
    }
    *ret = steps;
    *ret_n = n;
}
