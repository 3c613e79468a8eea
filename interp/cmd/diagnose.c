#include "cmd/observe.h"

#include "ui/out.h"
#include "ui/screens.h"
#include "value/json.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* A capability on what was observed. */
struct finding {
    const struct def *def;
    const char *layer; /* the highest part that it needs */
    bool holds;
    const char *why;   /* if not */
};

struct diagnosis {
    struct observed seen;
    struct finding *findings;
    size_t nfindings;
    const struct advice *advice;
    size_t nadvice;
    const struct val *wrong;    /* names of capabilities, and state.PART where a part could not be probed */
    bool anything;              /* some part was asked for */
    const struct advice *begin; /* what to begin with, or NULL */
    const char *how; /* the options that a command line needs to come to the same site */
};

/* ---- capabilities ---- */

static const char *capability_layer(const struct def *d) {
    const struct val *needs = val_get(d->decl, "needs");
    const char *layer = NULL;
    for (size_t i = 0; i < val_len(needs); i++) {
        const char *part = val_cstr(val_at(needs, i));
        if (part && (!layer || layer_cmp(part, layer) > 0))
            layer = part;
    }
    return layer;
}

static void judge(struct ctx *c, const struct model *state, struct finding *f) {
    struct call_signal sig = {0};
    const struct val *holds = NULL, *why = NULL, *needs = val_get(f->def->decl, "needs");
    struct err *faults = err_new(c->arena);
    for (size_t i = 0; i < val_len(needs); i++)
        if (!model_has(state, val_cstr(val_at(needs, i)))) {
            f->why = arena_printf(c->arena, "cannot be told: state.%s is not observed", val_cstr(val_at(needs, i)));
            return;
        }
    const enum call_result r = model_call(state, f->def, FN_HOLDS, NULL, 0, c->arena, &holds, &why, &sig, faults);
    f->holds = r == CALL_OK && val_is(holds, VAL_BOOL) && holds->boolean;
    if (r == CALL_OK)
        f->why = f->holds ? NULL : val_cstr(why) ? val_cstr(why) : "it does not hold";
    else
        f->why = arena_printf(c->arena, "cannot be told: %s", r == CALL_ERROR ? faults->first->message : sig.text ? sig.text : "?");
}

/* A capability that cannot be loaded would look like one that holds, so that is told; nobody knows what such a file was to be. */
static const struct def *capability(struct ctx *c, const char *name) {
    static const enum def_kind others[] = {DEF_FUNC, DEF_ACTION, DEF_RULE, DEF_EVENT, DEF_PROBE};
    struct err *faults = err_new(c->arena);
    const struct def *d = library_get(c->lib, name, DEF_CAPABILITY, mark_none(), faults);
    for (size_t i = 0; !d && i < sizeof others / sizeof *others; i++)
        if (library_get(c->lib, name, others[i], mark_none(), err_new(c->arena)))
            return NULL;
    if (!d)
        err_warn(c->err, faults->first->mark, "broken-definition", "%s is left out: %s", name, faults->first->message);
    return d;
}

/* Those of all families whose highest part was observed. */
static void find_capabilities(struct ctx *c, struct diagnosis *d) {
    const char *const *names;
    const size_t n = library_names(c->lib, NULL, &names);
    d->findings = arena_array(c->arena, struct finding, n + 1);
    for (size_t i = 0; i < n; i++) {
        struct finding f = {.def = capability(c, names[i])};
        f.layer = f.def ? capability_layer(f.def) : NULL;
        for (size_t k = 0; f.layer && k < d->seen.n; k++)
            if (!strcmp(d->seen.parts[k].part.name, f.layer) && d->seen.parts[k].val) {
                judge(c, d->seen.state, &f);
                d->findings[d->nfindings++] = f;
            }
    }
}

/* ---- what a layer looks like, in one line ---- */

static const char *picture_of_func(struct ctx *c, const struct model *state, const char *part) {
    const char *name = arena_printf(c->arena, "%s.picture", part);
    struct err *quiet = err_new(c->arena); /* a picture must never end a diagnosis */
    if (!library_has(c->lib, name) || !library_get(c->lib, name, DEF_FUNC, mark_none(), quiet))
        return NULL;
    struct expr *e;
    const struct val *v = NULL;
    struct call_signal sig = {0};
    const struct scope sc = {.lib = c->lib, .state = state, .site = c->site_val, .run = c->run_val};
    const char *text = arena_printf(c->arena, "%s(state.%s)", name, part);
    if (!expr_parse(c->box, c->arena, text, mark_none(), &e, quiet) || expr_eval(c->box, e, &sc, c->arena, &v, &sig, quiet) != CALL_OK)
        return NULL;
    return val_cstr(v);
}

static void add_number(struct buf *b, const struct val *quorum, const char *key, const char *text) {
    const struct val *v = val_get(quorum, key);
    if (val_is(v, VAL_INT))
        buf_printf(b, "%s%lld %s", b->len ? ", " : "", (long long)v->integer, text);
}

static const char *picture_of(struct ctx *c, const struct model *state, const struct seen *s) {
    const char *text = picture_of_func(c, state, s->part.name);
    if (text)
        return text;
    const struct val *quorum = val_get(s->val, "quorum"), *held = val_get(quorum, "held");
    struct buf b = BUF_INIT;
    if (val_is(held, VAL_BOOL))
        buf_adds(&b, held->boolean ? "quorum held" : "quorum not held");
    add_number(&b, quorum, "voters", "voters");
    add_number(&b, quorum, "answering", "answer");
    add_number(&b, quorum, "needed", "needed");
    if (!b.len)
        buf_adds(&b, "observed");
    text = arena_strdup(c->arena, b.data);
    buf_done(&b);
    return text;
}

/* ---- the command line that goes on ---- */

static void add_word(struct buf *b, const char *option, const char *word) {
    bool plain = *word != 0;
    for (const char *p = word; *p; p++)
        plain &= isalnum((unsigned char)*p) || strchr("_-./:@%+,=", *p);
    buf_printf(b, " %s ", option);
    if (!plain)
        buf_addc(b, '\'');
    for (const char *p = word; *p; p++)
        if (*p == '\'')
            buf_adds(b, "'\\''");
        else
            buf_addc(b, *p);
    if (!plain)
        buf_addc(b, '\'');
}

static const char *how_to_come_here(struct ctx *c) {
    struct buf b = BUF_INIT;
    if (c->opt.site)
        add_word(&b, "--site", c->opt.site);
    else if (c->site->src)
        add_word(&b, "--site", c->site->src->name);
    for (size_t i = 0; i < c->opt.library.n; i++)
        add_word(&b, "--library", c->opt.library.items[i]);
    if (c->opt.world)
        add_word(&b, "--world", c->opt.world);
    const char *s = arena_strdup(c->arena, b.data);
    buf_done(&b);
    return s;
}

static const char *command_for(struct ctx *c, const struct diagnosis *d, const struct advice *a) {
    return arena_printf(c->arena, "quorate plan %s%s", a->name, d->how);
}

/* ---- text ---- */

static const char *title_of(const char *part) {
    static const char *const titles[][2] = {{"swarm", "Swarm"}, {"ucp", "UCP"}, {"dtr", "DTR"}};
    for (size_t i = 0; i < sizeof titles / sizeof *titles; i++)
        if (!strcmp(part, titles[i][0]))
            return titles[i][1];
    return part;
}

static void line(struct ctx *c, struct buf *b, enum look look, const char *word, const char *name, const char *text) {
    buf_adds(b, "  ");
    style_add(b, c->style, look, word, 8);
    buf_addc(b, ' ');
    style_add(b, c->style, LOOK_PLAIN, name, text ? 24 : 0);
    if (text) {
        buf_addc(b, ' ');
        style_add(b, c->style, LOOK_PLAIN, text, 0);
    }
    buf_addc(b, '\n');
}

static bool in_layer(const struct advice *a, const char *layer) {
    return a->layer && layer ? !strcmp(a->layer, layer) : a->layer == layer;
}

static void print_advice(struct ctx *c, const struct diagnosis *d, const char *layer, struct buf *b) {
    static const struct {
        const char *word;
        enum look look;
    } kinds[] = {[ADVICE_APPLIES] = {"applies", LOOK_BOLD}, [ADVICE_NOT] = {"not", LOOK_DIM},      [ADVICE_UNTOLD] = {"unknown", LOOK_WARN},
                 [ADVICE_ANYTIME] = {"any time", LOOK_DIM}, [ADVICE_BROKEN] = {"broken", LOOK_BAD}};
    for (size_t k = 0; k < 2 * d->nadvice; k++) { /* those that apply first */
        const struct advice *a = &d->advice[k % d->nadvice];
        if (!in_layer(a, layer) || (a->kind == ADVICE_APPLIES) != (k < d->nadvice))
            continue;
        const char *text = a->message ? a->message : a->title;
        if (a->kind == ADVICE_UNTOLD)
            text = arena_printf(c->arena, "cannot be told: %s", a->message);
        line(c, b, kinds[a->kind].look, kinds[a->kind].word, a->name, text);
        if (a->kind == ADVICE_APPLIES)
            line(c, b, LOOK_PLAIN, "", command_for(c, d, a), NULL);
    }
}

static void print_layer(struct ctx *c, const struct diagnosis *d, const struct seen *s, struct buf *b) {
    static const char *const how[] = {[SEEN_UNOBSERVED] = "could not be probed", [SEEN_UNASKED] = "not probed", [SEEN_ABSENT] = "not part of this "};
    bool advice = false;
    for (size_t i = 0; i < d->nadvice; i++)
        advice |= in_layer(&d->advice[i], s->part.name);
    if (s->how == SEEN_UNASKED && !advice)
        return; /* what a runbook of another layer asks for with an input of its own */
    buf_addc(b, '\n');
    style_add(b, c->style, LOOK_BOLD, title_of(s->part.name), 0);
    const char *text = s->val ? picture_of(c, d->seen.state, s) : s->why;
    if (s->how == SEEN_PROBED)
        style_add(b, c->style, LOOK_PLAIN, arena_printf(c->arena, "  %s", text), 0);
    else
        style_add(b, c->style, s->how == SEEN_UNOBSERVED ? LOOK_BAD : LOOK_DIM,
                  arena_printf(c->arena, "  %s%s: %s", how[s->how], s->how != SEEN_ABSENT ? "" : c->world ? "world" : "site", text), 0);
    buf_addc(b, '\n');
    for (size_t i = 0; i < d->nfindings; i++) {
        const struct finding *f = &d->findings[i];
        if (!strcmp(f->layer, s->part.name))
            line(c, b, f->holds ? LOOK_GOOD : LOOK_BAD, f->holds ? "holds" : "WRONG", f->def->name,
                 f->holds ? val_get_str(f->def->decl, "summary", NULL) : f->why);
    }
    if (s->how != SEEN_ABSENT)
        print_advice(c, d, s->part.name, b);
}

static void judge_all(struct ctx *c, struct diagnosis *d, const char **ret_lowest) {
    struct val *list = val_list_new(c->arena);
    *ret_lowest = NULL;
    for (size_t i = 0; i < d->seen.n; i++) {
        const struct seen *s = &d->seen.parts[i];
        const size_t before = val_len(list);
        d->anything |= s->how == SEEN_PROBED || s->how == SEEN_UNOBSERVED;
        if (s->how == SEEN_UNOBSERVED)
            val_list_add(c->arena, list, val_printf(c->arena, "state.%s", s->part.name));
        for (size_t k = 0; k < d->nfindings; k++)
            if (!d->findings[k].holds && !strcmp(d->findings[k].layer, s->part.name))
                val_list_add(c->arena, list, val_str(c->arena, d->findings[k].def->name));
        if (!*ret_lowest && val_len(list) > before)
            *ret_lowest = s->part.name;
    }
    if (!d->anything) /* a monitor must not be told that all is well where nothing was seen */
        val_list_add(c->arena, list, val_str(c->arena, "state"));
    d->wrong = list;
}

/* Layers are mended from below, so what applies to a higher one than the lowest that is wrong is no way to begin. */
static const struct advice *way_out(const struct diagnosis *d, const char *lowest) {
    for (size_t i = 0; i < d->nadvice; i++)
        if (lowest && d->advice[i].kind == ADVICE_APPLIES && in_layer(&d->advice[i], lowest))
            return &d->advice[i];
    return NULL;
}

static void print_verdict(struct ctx *c, const struct diagnosis *d, struct buf *b) {
    buf_addc(b, '\n');
    if (!val_len(d->wrong)) {
        style_add(b, c->style, LOOK_GOOD, "Nothing is wrong with what was probed.", 0);
        buf_addc(b, '\n');
        return;
    }
    if (!d->anything) {
        style_add(b, c->style, LOOK_BAD, "Nothing was probed, so nothing can be told.", 0);
        buf_addc(b, '\n');
        return;
    }
    struct buf names = BUF_INIT;
    for (size_t i = 0; i < val_len(d->wrong); i++)
        buf_printf(&names, "%s%s", i ? ", " : "", val_cstr(val_at(d->wrong, i)));
    style_add(b, c->style, LOOK_BAD, arena_printf(c->arena, "Something is wrong: %s.", names.data), 0);
    buf_done(&names);
    const char *next = d->begin ? arena_printf(c->arena, " Begin with %s.", d->begin->name) : " No runbook applies to it.";
    style_add(b, c->style, LOOK_PLAIN, next, 0);
    buf_addc(b, '\n');
}

static void print_text(struct ctx *c, const struct diagnosis *d, struct buf *b) {
    style_add(b, c->style, LOOK_BOLD, c->world ? "world " : "site ", 0);
    style_add(b, c->style, LOOK_PLAIN, c->site->name, 0);
    buf_printf(b, ", %zu node%s\n", c->site->nnodes, c->site->nnodes == 1 ? "" : "s");
    for (size_t i = 0; i < d->seen.n; i++)
        print_layer(c, d, &d->seen.parts[i], b);
    const size_t before = b->len;
    buf_adds(b, "\nOther runbooks\n");
    const size_t heading = b->len;
    print_advice(c, d, NULL, b);
    if (b->len == heading)
        b->data[b->len = before] = 0;
    print_verdict(c, d, b);
}

/* ---- JSON Lines ---- */

static void record(const struct val *v) {
    out_json(stdout, v, JSON_COMPACT);
}

static struct val *record_new(struct arena *a, const char *type) {
    struct val *m = val_map_new(a);
    val_map_set(a, m, "type", val_str(a, type));
    return m;
}

static void set_text(struct arena *a, struct val *m, const char *key, const char *text) {
    if (text)
        val_map_set(a, m, key, val_str(a, text));
}

static void print_json(struct ctx *c, const struct diagnosis *d) {
    struct arena *a = c->arena;
    for (size_t i = 0; i < d->seen.n; i++) {
        const struct seen *s = &d->seen.parts[i];
        struct val *m = record_new(a, "layer"), *capabilities = val_map_new(a);
        set_text(a, m, "layer", s->part.name);
        set_text(a, m, "probe", s->part.probe->name);
        set_text(a, m, "seen", seen_name(s->how));
        set_text(a, m, "why", s->why);
        set_text(a, m, "picture", s->val ? picture_of(c, d->seen.state, s) : NULL);
        for (size_t k = 0; k < d->nfindings; k++) {
            const struct finding *f = &d->findings[k];
            if (strcmp(f->layer, s->part.name))
                continue;
            struct val *one = val_map_new(a);
            val_map_set(a, one, "holds", val_bool(a, f->holds));
            set_text(a, one, "why", f->why);
            val_map_set(a, capabilities, f->def->name, one);
        }
        val_map_set(a, m, "capabilities", capabilities);
        record(m);
    }
    for (size_t i = 0; i < d->nadvice; i++) {
        const struct advice *ad = &d->advice[i];
        struct val *m = record_new(a, "runbook");
        set_text(a, m, "runbook", ad->name);
        set_text(a, m, "title", ad->title);
        set_text(a, m, "layer", ad->layer);
        set_text(a, m, "advice", advice_kind_name(ad->kind));
        set_text(a, m, "message", ad->message);
        set_text(a, m, "command", ad->kind == ADVICE_APPLIES ? command_for(c, d, ad) : NULL);
        record(m);
    }
    struct val *m = record_new(a, "verdict");
    set_text(a, m, "site", c->site->name);
    val_map_set(a, m, "wrong", d->wrong);
    set_text(a, m, "begin", d->begin ? d->begin->name : NULL);
    val_map_set(a, m, "exit", val_int(a, val_len(d->wrong) ? EXIT_STEP : EXIT_DONE));
    record(m);
}

int cmd_diagnose(struct ctx *c) {
    if (!ctx_language(c) || !ctx_world(c, false) || !credentials_for(c, NULL)) {
        const int status = ctx_report(c);
        return status ? status : EXIT_INVALID;
    }
    const struct advisor *ad = advise_load(&c->loader);
    struct diagnosis d = {.seen = observe_all(c, ad), .how = how_to_come_here(c)};
    const struct advise_spec spec = {.state = d.seen.state, .site = c->site_val, .run = c->run_val, .parts = d.seen.decls,
                                     .nparts = d.seen.n};
    find_capabilities(c, &d);
    d.advice = advise_on(c->arena, ad, &spec, &d.nadvice);
    const char *lowest;
    judge_all(c, &d, &lowest);
    d.begin = way_out(&d, lowest);
    if (c->opt.output && !strcmp(c->opt.output, "json")) {
        json_version(stdout);
        print_json(c, &d);
    } else {
        struct buf b = BUF_INIT;
        print_text(c, &d, &b);
        out_buf(stdout, &b);
        buf_done(&b);
    }
    model_free(d.seen.state);
    ctx_report(c); /* warnings */
    return val_len(d.wrong) ? EXIT_STEP : EXIT_DONE;
}
