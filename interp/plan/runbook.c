#include "plan/load.h"

#include "lua/rights.h"
#include "base/sha256.h"
#include "value/file.h"
#include "value/yaml.h"

#include <string.h>

static const size_t max_runbook = 4 << 20; /* bytes */

/* ---- which text ---- */

static bool is_path(const char *name) {
    const size_t n = strlen(name);
    return !strcmp(name, "-") || (n > 5 && !strcmp(name + n - 5, ".yaml")) || (n > 4 && !strcmp(name + n - 4, ".yml"));
}

/* Files that lie beside runbooks and are none: what they are, or NULL. */
static const char *beside(const char *name) {
    static const char *const tests[] = {".test.yaml", ".test.yml", ".test"};
    const size_t n = strlen(name);
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
        if (n > strlen(tests[i]) && !strcmp(name + n - strlen(tests[i]), tests[i]))
            return "tests of a runbook: quorate test runs them";
    const char *slash = strrchr(name, '/');
    const size_t dir = slash ? (size_t)(slash - name) : 0;
    const bool world = dir >= 6 && !memcmp(slash - 6, "worlds", 6) && (dir == 6 || slash[-7] == '/');
    return world ? "a world: quorate rehearse takes it as --world" : NULL;
}

size_t runbook_names(struct loader *ld, const char *const **ret) {
    const char *const *files;
    const size_t n = files_list(ld->files, "runbooks/", ".yaml", &files);
    const char **names = arena_array(ld->arena, const char *, n + 1);
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        const char *name = files[i] + strlen("runbooks/");
        const size_t len = strlen(name) - strlen(".yaml");
        if (beside(name))
            continue;
        names[k++] = arena_strndup(ld->arena, name, len);
    }
    *ret = names;
    return k;
}

static const struct source *find_text(struct loading *ld, struct mark at) {
    const struct source *src = NULL;
    if (beside(ld->name)) {
        struct diag *d = err_add(ld->err, at, "no-runbook", "'%s' is no runbook", ld->name);
        diag_hint(ld->err, d, "it is %s", beside(ld->name));
        return NULL;
    }
    if (is_path(ld->name))
        return file_read(ld->arena, ld->name, NULL, max_runbook, &src, ld->err) ? src : NULL;
    const char *file = arena_printf(ld->arena, "runbooks/%s.yaml", ld->name);
    if (files_has(ld->ld->files, file))
        return files_read(ld->ld->files, file, ld->err);
    const char *const *names;
    const size_t n = runbook_names(ld->ld, &names);
    struct diag *d = err_add(ld->err, at, "unknown-runbook", "there is no runbook '%s'", ld->name);
    diag_accepted(ld->err, d, ld->name, names, n);
    diag_note(ld->err, d, "a name that ends in .yaml is a file");
    return NULL;
}

/* ---- the parts ---- */

static void read_inputs(struct loading *ld, const struct val *v) {
    struct runbook *rb = ld->rb;
    rb->inputs = arena_array(ld->arena, struct input, val_len(v) + 1);
    for (size_t i = 0; i < val_len(v); i++)
        (void)input_load(ld, &v->map.pairs[i], &rb->inputs[rb->ninputs++]);
}

static void read_state(struct loading *ld, const struct val *v) {
    struct runbook *rb = ld->rb;
    rb->parts = arena_array(ld->arena, struct part, val_len(v) + 1);
    for (size_t i = 0; i < val_len(v); i++) {
        const struct val_pair *p = &v->map.pairs[i];
        name_check(ld, p->mark, p->key, "the name of a part of the state");
        if (!schema_check(p->val, state_fields, NULL, arena_printf(ld->arena, "state.%s", p->key), ld->err)) {
            ld->broken_parts = true;
            continue;
        }
        struct part part = {.name = p->key, .mark = p->mark, .hooks = val_get(rb->doc, "hooks")};
        const struct val *probe = val_get(p->val, "probe");
        part.probe = library_get(ld->ld->lib, val_cstr(probe), DEF_PROBE, probe->mark, ld->err);
        if (val_get(p->val, "with"))
            (void)tmpl_parse(ld->ld->box, ld->arena, val_get(p->val, "with"), &part.with, ld->err);
        rb->parts[rb->nparts++] = part;
    }
}

void parts_add(struct loading *ld, const struct val *names, struct mark at) {
    struct runbook *rb = ld->rb;
    for (size_t i = 0; i < val_len(names); i++) {
        const char *name = val_cstr(val_at(names, i));
        if (!name || runbook_part(rb, name))
            continue;
        struct part *parts = arena_array(ld->arena, struct part, rb->nparts + 1);
        if (rb->nparts)
            memcpy(parts, rb->parts, rb->nparts * sizeof *parts);
        parts[rb->nparts] = (struct part){.name = name, .mark = at, .hooks = val_get(rb->doc, "hooks"),
                                          .probe = library_get(ld->ld->lib, arena_printf(ld->arena, "%s.cluster", name), DEF_PROBE, at, ld->err)};
        rb->parts = parts;
        rb->nparts++;
    }
}

static void read_requires(struct loading *ld, const struct val *v) {
    struct runbook *rb = ld->rb;
    struct val *list = val_list_new(ld->arena);
    if (val_is(v, VAL_STRING)) {
        val_list_add(ld->arena, list, v);
        v = list;
    }
    rb->requires = arena_array(ld->arena, struct check, val_len(v) + 1);
    for (size_t i = 0; i < val_len(v); i++) {
        const struct val *name = val_at(v, i);
        if (!val_cstr(name)) {
            err_add(ld->err, name->mark, "wrong-type", "a capability is a name such as swarm.quorum");
            continue;
        }
        const struct def *cap = library_get(ld->ld->lib, val_cstr(name), DEF_CAPABILITY, name->mark, ld->err);
        if (!cap) {
            ld->broken_parts = true;
            continue;
        }
        rb->requires[rb->nrequires++] = (struct check){.capability = cap, .mark = name->mark};
        parts_add(ld, val_get(cap->decl, "needs"), name->mark);
    }
}

static void read_checks(struct loading *ld, const struct val *v, struct check **ret, size_t *ret_n) {
    struct check *checks = arena_array(ld->arena, struct check, val_len(v) + 1);
    size_t n = 0;
    for (size_t i = 0; i < val_len(v); i++) {
        const struct val *c = val_at(v, i);
        if (!val_is(c, VAL_MAP)) {
            err_add(ld->err, c->mark, "wrong-type", "a condition is a map of 'check' and 'message', and this is %s", val_kind_name(c->kind));
            continue;
        }
        struct check check = {.mark = val_get(c, "check") ? val_get(c, "check")->mark : c->mark};
        const struct val *e = val_get(c, "check");
        const char *text = val_is(e, VAL_BOOL) ? (e->boolean ? "true" : "false") : val_cstr(e);
        if (!text || !expr_parse(ld->ld->box, ld->arena, text, e->mark, &check.expr, ld->err))
            continue;
        if (!val_get(c, "message") || !tmpl_parse(ld->ld->box, ld->arena, val_get(c, "message"), &check.message, ld->err))
            continue;
        checks[n++] = check;
    }
    *ret = checks;
    *ret_n = n;
}

/* A file of a folder of runbooks is called as its place says, or nobody would find it. */
static void check_name(struct loading *ld) {
    const struct val *name = val_get(ld->rb->doc, "runbook");
    if (is_path(ld->name) || !strcmp(val_cstr(name), ld->name))
        return;
    struct diag *d = err_add(ld->err, name->mark, "wrong-name", "the file is runbooks/%s.yaml, and calls itself '%s'", ld->name, val_cstr(name));
    diag_hint(ld->err, d, "%s", ld->name);
}

/* Better now than in the middle of a run. */
static void check_granted(struct loading *ld, const char *file, const struct val *allow) {
    const struct val *granted = val_get(ld->ld->site->hooks, file);
    for (size_t i = 0; i < val_len(allow); i++) {
        const struct val *v = val_at(allow, i);
        if (!val_cstr(v) || !right_is_one(val_cstr(v)) || right_in(granted, val_cstr(v)))
            continue;
        struct diag *d = err_add(ld->err, v->mark, "right-not-granted", "the site does not grant '%s' to the hook %s", val_cstr(v), file);
        diag_note(ld->err, d, "what it may do is said in the site's file, as in hooks: { %s: [%s] }", file, val_cstr(v));
    }
}

static void check_hooks(struct loading *ld, const struct val *hooks) {
    for (size_t i = 0; i < val_len(hooks); i++) {
        const struct val *file = val_get(val_at(hooks, i), "file");
        if (val_cstr(file) && !files_has(ld->ld->files, arena_printf(ld->arena, "stdlib/%s", val_cstr(file))))
            err_add(ld->err, file->mark, "unknown-hook", "there is no file '%s' in the site's library", val_cstr(file));
        site_rights_check(val_get(val_at(hooks, i), "allow"), ld->err);
        if (val_cstr(file) && ld->ld->site && ld->ld->site->src)
            check_granted(ld, val_cstr(file), val_get(val_at(hooks, i), "allow"));
    }
}

/* ---- defaults that read one another, and probes that read inputs: a cycle would never be bound ---- */

struct binding {
    struct loading *ld;
    int *input_state, *part_state; /* 0 new, 1 on the way, 2 done */
    bool told;
};

static void follow_input(struct binding *b, size_t i);
static void follow_part(struct binding *b, size_t i);

static void follow_expr(void *ud, const struct expr *e) {
    struct binding *b = ud;
    const struct runbook *rb = b->ld->rb;
    for (size_t i = 0; i < e->nrefs; i++) {
        const struct expr_ref *r = &e->refs[i];
        for (size_t k = 0; r->n > 1 && !strcmp(r->names[0], "inputs") && k < rb->ninputs; k++)
            if (!strcmp(rb->inputs[k].name, r->names[1]))
                follow_input(b, k);
        for (size_t k = 0; !strcmp(r->names[0], "state") && k < rb->nparts; k++)
            if (r->n < 2 || !strcmp(rb->parts[k].name, r->names[1]))
                follow_part(b, k);
    }
}

static void follow(struct binding *b, int *state, const struct tmpl *t, struct mark at, const char *what, const char *name) {
    if (*state == 1 && !b->told) {
        b->told = true;
        err_add(b->ld->err, at, "cycle", "%s%s can never be known: it needs itself", what, name);
    }
    if (*state)
        return;
    *state = 1;
    if (t)
        tmpl_each(t, follow_expr, b);
    *state = 2;
}

static void follow_input(struct binding *b, size_t i) {
    const struct input *in = &b->ld->rb->inputs[i];
    follow(b, &b->input_state[i], in->def, in->mark, "the input ", in->name);
}

static void follow_part(struct binding *b, size_t i) {
    const struct part *p = &b->ld->rb->parts[i];
    follow(b, &b->part_state[i], p->with, p->mark, "state.", p->name);
}

static void check_binding(struct loading *ld) {
    struct binding b = {.ld = ld, .input_state = arena_array(ld->arena, int, ld->rb->ninputs + 1),
                        .part_state = arena_array(ld->arena, int, ld->rb->nparts + 1)};
    for (size_t i = 0; i < ld->rb->ninputs; i++)
        follow_input(&b, i);
    for (size_t i = 0; i < ld->rb->nparts; i++)
        follow_part(&b, i);
}

/* ---- the whole ---- */

static bool recursion(struct loading *ld, struct mark at) {
    for (const struct loading *o = ld->outer; o; o = o->outer)
        if (!strcmp(o->name, ld->name) || (o->rb && o->rb->name && !strcmp(o->rb->name, ld->name))) {
            struct buf b = BUF_INIT;
            buf_adds(&b, ld->name);
            for (const struct loading *k = ld->outer; k; k = k->outer) {
                buf_printf(&b, " <- %s", k->rb && k->rb->name ? k->rb->name : k->name);
                if (k == o)
                    break;
            }
            err_add(ld->err, at, "recursion", "the runbook '%s' would run itself: %s", ld->name, b.data);
            buf_done(&b);
            return true;
        }
    return false;
}

static void read_whole(struct loading *ld, const struct val *doc) {
    struct runbook *rb = ld->rb;
    rb->doc = doc;
    rb->name = val_get_str(doc, "runbook", NULL);
    rb->version = val_get_str(doc, "version", NULL);
    rb->title = val_get_str(doc, "title", NULL);
    rb->description = val_get_str(doc, "description", NULL);
    rb->source = val_get(doc, "source");
    rb->routine = val_get_bool(doc, "routine", false);
    if (rb->name)
        check_name(ld);
    check_hooks(ld, val_get(doc, "hooks"));
    read_inputs(ld, val_get(doc, "inputs"));
    read_state(ld, val_get(doc, "state"));
    read_requires(ld, val_get(doc, "requires"));
    read_checks(ld, val_get(doc, "preconditions"), &rb->pre, &rb->npre);
    rb->root = arena_new_of(ld->arena, struct step);
    *rb->root = (struct step){.id = "", .kind = STEP_GROUP, .in = rb};
    if (!ld->head) {
        read_checks(ld, val_get(doc, "postconditions"), &rb->post, &rb->npost);
        steps_load(ld, val_get(doc, "steps"), NULL, "", &rb->root->children, &rb->root->nchildren);
    }
    graph_load(ld);
    refs_check(ld);
    check_binding(ld);
}

static bool types_fit(struct loading *ld, const struct val *doc) {
    static const struct {
        const char *key;
        enum val_kind kind;
    } shapes[] = {{"inputs", VAL_MAP}, {"state", VAL_MAP}, {"steps", VAL_LIST}, {"preconditions", VAL_LIST}, {"postconditions", VAL_LIST}};
    /* unknown keys do not keep the rest from being checked; a wrong shape does */
    (void)schema_check(doc, runbook_fields, runbook_aliases, "the runbook", ld->err);
    if (!val_is(doc, VAL_MAP))
        return false;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        if (val_get(doc, shapes[i].key) && !val_is(val_get(doc, shapes[i].key), shapes[i].kind))
            return false;
    static const char *const texts[] = {"runbook", "version", "title", "description"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (val_get(doc, texts[i]) && !val_cstr(val_get(doc, texts[i])))
            return false;
    return true;
}

static bool load(struct loader *l, const char *name, struct mark at, const struct loading *outer, bool head, const struct runbook **ret, struct err *err) {
    struct loading ld = {.ld = l, .arena = l->arena, .err = err, .outer = outer, .name = name, .ids = map_new(l->arena), .head = head};
    const size_t errors = err->nerrors;
    ld.loaded = outer ? outer->loaded : map_new(l->arena);
    if (recursion(&ld, at))
        return false;
    void *before = map_get(ld.loaded, name);
    if (before) { /* used more than once: read once, and its faults are told once */
        if (before != ld.loaded)
            *ret = before;
        return before != ld.loaded;
    }
    map_put(ld.loaded, name, ld.loaded);
    const struct diag *since = err->last;
    const struct source *src = find_text(&ld, at);
    const struct val *doc;
    if (!src || !yaml_parse(l->arena, src, NULL, &doc, err)) {
        if (src && outer)
            err_while(err, since, "while loading the runbook %s, which is used in %s:%u", name, at.src->name, at.line);
        return false;
    }
    ld.rb = arena_new_of(l->arena, struct runbook);
    ld.rb->src = src;
    sha256_hex(src->text, src->len, ld.rb->digest);
    if (types_fit(&ld, doc))
        read_whole(&ld, doc);
    if (err->nerrors != errors) {
        if (outer)
            err_while(err, since, "while loading the runbook %s, which is used in %s:%u", name, at.src->name, at.line);
        return false;
    }
    map_put(ld.loaded, name, ld.rb);
    *ret = ld.rb;
    return true;
}

bool runbook_load_in(struct loader *l, const char *name, struct mark at, const struct loading *outer, const struct runbook **ret, struct err *err) {
    return load(l, name, at, outer, false, ret, err);
}

bool runbook_load_head(struct loader *ld, const char *name, struct mark at, const struct runbook **ret, struct err *err) {
    const struct runbook *rb = ld->cache ? map_get(ld->cache, name) : NULL;
    *ret = rb;
    return rb || load(ld, name, at, NULL, true, ret, err);
}

bool runbook_load(struct loader *ld, const char *name, struct mark at, const struct runbook **ret, struct err *err) {
    const struct runbook *rb = ld->cache ? map_get(ld->cache, name) : NULL;
    if (!rb && !runbook_load_in(ld, name, at, NULL, &rb, err))
        return false;
    if (ld->cache && strcmp(name, "-") != 0)
        map_put(ld->cache, name, (void *)(uintptr_t)rb);
    *ret = rb;
    return true;
}

/* ---- questions about a runbook ---- */

const struct part *runbook_part(const struct runbook *rb, const char *name) {
    for (size_t i = 0; i < rb->nparts; i++)
        if (!strcmp(rb->parts[i].name, name))
            return &rb->parts[i];
    return NULL;
}

const char *runbook_not_yet(const struct runbook *rb, const struct step **ret) {
    for (size_t i = 0; i < rb->nall; i++) {
        const struct step *st = rb->all[i];
        const char *form = st->nundo ? "undo" : st->on ? "on" : NULL;
        if (form) {
            *ret = st;
            return form;
        }
        form = st->sub ? runbook_not_yet(st->sub, ret) : NULL;
        if (form)
            return form;
    }
    return NULL;
}

const struct def *runbook_planned_only(const struct runbook *rb) {
    for (size_t i = 0; i < rb->nall; i++) {
        const struct step *st = rb->all[i];
        if (st->kind == STEP_ACTION && val_get_bool(st->def->decl, "planned", false))
            return st->def;
        const struct def *below = st->sub ? runbook_planned_only(st->sub) : NULL;
        if (below)
            return below;
    }
    return NULL;
}

const struct val *capability_needs(struct loader *ld, const struct expr_ref *r) {
    if (r->n < 2 || !library_is_family(ld->lib, r->names[0]))
        return NULL;
    struct arena *a = arena_new();
    const char *name = arena_printf(a, "%s.%s", r->names[0], r->names[1]);
    const struct def *d = library_has(ld->lib, name) ? library_get(ld->lib, name, DEF_CAPABILITY, mark_none(), err_new(a)) : NULL;
    arena_free(a);
    return d ? val_get(d->decl, "needs") : NULL;
}
