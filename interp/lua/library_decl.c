#include "lua/library_priv.h"
#include "lua/scan.h"

#include <string.h>

/* What a definition may declare: one table a kind, for checking and for `quorate doc`. */

static const char *const words_on_unknown[] = {"check", "again", "ask", NULL};
static const char *const words_type[] = {"any", "string", "integer", "number", "boolean", "list", "map", "duration", "bytes",
                                         "node", "address", "path", "image", "url", "secret", NULL};

/* Of inputs, outputs and schemas alike; keys, of and items are walked by check_entry. */
static const struct field entry_fields[] = {
    {"type", F_STRING, false, "What it is: string, integer, list, map, node, …", NULL, words_type},
    {"required", F_BOOL, false, "Whether it must be given.", NULL, NULL},
    {"default", F_ANY, false, "The value if none is given.", NULL, NULL},
    {"enum", F_LIST, false, "The accepted values.", NULL, NULL},
    {"description", F_STRING, false, "What it is for.", NULL, NULL},
    {"items", F_ANY, false, "Of a list: the type of its items.", NULL, NULL},
    {"keys", F_MAP, false, "Of a map: its keys, each declared in the same way.", NULL, NULL},
    {"of", F_MAP, false, "Of a map by ID, or of a list: how each member looks.", NULL, NULL},
    {"pattern", F_STRING, false, "A regular expression that the whole value must match.", NULL, NULL},
    {"min", F_NUMBER, false, "The smallest number, or the least length.", NULL, NULL},
    {"max", F_NUMBER, false, "The largest number, or the greatest length.", NULL, NULL},
    {"unit", F_STRING, false, "Of a number: what it counts.", NULL, NULL},
    {"evidence", F_BOOL, false, "For people only: never compared with what was predicted.", NULL, NULL},
    {"moves", F_BOOL, false, "The cluster changes it at a time of its own: what an act was predicted to make of it is not looked for.", NULL, NULL},
    {0},
};

#define COMMON \
    {"summary", F_STRING, false, "One line: what it does.", NULL, NULL}, {"description", F_STRING, false, "More about it.", NULL, NULL}, \
    {"why", F_STRING, false, "Why it is so.", NULL, NULL}, {"see", F_LIST | F_STRING, false, "Related names.", NULL, NULL}

static const struct field action_fields[] = {
    COMMON,
    {"inputs", F_MAP, false, "What `with` takes.", NULL, NULL},
    {"outputs", F_MAP, false, "What it returns.", NULL, NULL},
    {"describe", F_STRING, false, "The line of the plan, with {input} in it.", NULL, NULL},
    {"changes", F_LIST, false, "The parts of the state that are probed again afterwards.", NULL, NULL},
    {"destroys", F_STRING, false, "What is lost; present: it asks for approval.", NULL, NULL},
    {"on_unknown", F_STRING, false, "After a crash in mid-step: check, again or ask.", NULL, words_on_unknown},
    {"membership", F_STRING, false, "At most one such act in flight per cluster.", NULL, NULL},
    {"settle", F_DURATION, false, "How long the predicted change may take to show (60s).", NULL, NULL},
    {"timeout", F_DURATION, false, "How long one attempt may take, unless the step says so.", NULL, NULL},
    {"effect", F_ANY, false, "function(state, with, before): changes the copy it is given; may return predicted outputs, or false: it cannot end well on such a state. "
     "before: the state as it was, to look at.", NULL, NULL},
    {"outcomes", F_MAP, false,
     "Other outcomes by name, each a function(state, with, before); it returns nothing (the step fails), \"ok\", \"unknown\", or false (impossible here).", NULL, NULL},
    {"outcome_texts", F_MAP, false, "What each of them is, for people: \"lands on the minority side\".", NULL, NULL},
    {"planned", F_BOOL, false, "It can be planned and rehearsed, and cannot act yet; then it has no `run`.", NULL, NULL},
    {"before", F_ANY, false, "function(state, with): what the intent records for `done`.", NULL, NULL},
    {"done", F_ANY, false, "function(state, with, before): outputs, false or \"pending\".", NULL, NULL},
    {"attests", F_ANY, false, "function(state, with): the members that must be attested first, each with the reason.", NULL, NULL},
    {"follow", F_ANY, false, "function(ctx, with): of an act that was under way when the run broke off: waits until what it had begun has ended, wherever that is; "
     "`done` tells then how. It begins nothing.", NULL, NULL},
    {"images", F_ANY, false, "function(state, with): the images that it starts containers from, each a name or a list of names, by the node that needs them.", NULL, NULL},
    {"run", F_ANY, false, "function(ctx, with): does it.", NULL, NULL},
    {0},
};

static const struct field probe_fields[] = {
    COMMON,
    {"inputs", F_MAP, false, "What `with` takes.", NULL, NULL},
    {"schema", F_MAP, true, "How what it returns looks.", NULL, NULL},
    {"timeout", F_DURATION, false, "How long it may take.", NULL, NULL},
    {"run", F_ANY, true, "function(ctx, with): reads the world and returns a part of the state.", NULL, NULL},
    {0},
};

static const struct field rule_fields[] = {
    COMMON,
    {"needs", F_LIST, false, "The parts of the state that it reads; it is not asked where one is absent.", NULL, NULL},
    {"never", F_ANY, false, "function(state, before, by): what is wrong with the change, or nothing. by: \"step\" or \"event\".", NULL, NULL},
    {"finally", F_ANY, false, "function(state): what is missing at the end, or nothing.", NULL, NULL},
    {0},
};

static const struct field event_fields[] = {
    COMMON,
    {"needs", F_LIST, false, "The parts of the state that it reads.", NULL, NULL},
    {"when", F_ANY, true, "function(state): whether it can happen, or a list of the ways in which it can. state.attested has the members that cannot come back.", NULL, NULL},
    {"effect", F_ANY, true, "function(state, way, before): changes the copy it is given. before: the state as it was, to look at.", NULL, NULL},
    {0},
};

static const struct field capability_fields[] = {
    COMMON,
    {"needs", F_LIST, false, "The parts of the state that it reads.", NULL, NULL},
    {"holds", F_ANY, true, "function(state): boolean, and why not.", NULL, NULL},
    {0},
};

static const struct field func_fields[] = {
    COMMON,
    {"call", F_ANY, true, "The function.", NULL, NULL},
    {0},
};

static const struct {
    const char *name;
    const struct field *fields;
    unsigned fns;
} kinds[] = {
    [DEF_ACTION] = {"action", action_fields, 1u << FN_RUN | 1u << FN_EFFECT | 1u << FN_BEFORE | 1u << FN_DONE | 1u << FN_ATTESTS | 1u << FN_FOLLOW | 1u << FN_IMAGES},
    [DEF_PROBE] = {"probe", probe_fields, 1u << FN_RUN},
    [DEF_RULE] = {"rule", rule_fields, 1u << FN_NEVER | 1u << FN_FINALLY},
    [DEF_EVENT] = {"event", event_fields, 1u << FN_WHEN | 1u << FN_EFFECT},
    [DEF_CAPABILITY] = {"capability", capability_fields, 1u << FN_HOLDS},
    [DEF_FUNC] = {"func", func_fields, 1u << FN_CALL},
};

const char *def_kind_name(enum def_kind k) {
    return kinds[k].name;
}

const struct field *def_fields(enum def_kind k) {
    return kinds[k].fields;
}

const char *def_fn_key(enum def_fn fn) {
    static const char *const keys[FN_COUNT] = {[FN_RUN] = "run",     [FN_EFFECT] = "effect", [FN_BEFORE] = "before",
                                               [FN_DONE] = "done",   [FN_ATTESTS] = "attests", [FN_FOLLOW] = "follow", [FN_IMAGES] = "images", [FN_HOLDS] = "holds",
                                               [FN_NEVER] = "never", [FN_FINALLY] = "finally", [FN_WHEN] = "when", [FN_CALL] = "call"};
    return keys[fn];
}

bool def_fn_allowed(enum def_kind kind, enum def_fn fn) {
    return kinds[kind].fns >> fn & 1;
}

/* --- checking --- */

struct decl {
    struct arena *a;
    const struct source *src;
    struct err *err;
    const char *path[12];
    size_t n;
    bool marked; /* the second time, with places */
};

static const struct val *at_key(struct decl *d, const struct val *map) {
    /* a copy of one level with marks, for schema_check */
    if (!d->marked || !map || map->kind != VAL_MAP)
        return map;
    struct val *m = val_map_new(d->a);
    for (size_t i = 0; i < map->map.n && d->n < 12; i++) {
        d->path[d->n] = map->map.pairs[i].key;
        struct mark at = scan_key_mark(d->src, d->path, d->n + 1);
        val_map_set_marked(d->a, m, map->map.pairs[i].key, at, val_marked(d->a, map->map.pairs[i].val, at));
    }
    return val_marked(d->a, m, d->n ? scan_key_mark(d->src, d->path, d->n) : mark_whole(d->src));
}

static bool check_entry(struct decl *d, const struct val *entry, const char *what);

static bool check_entries(struct decl *d, const struct val *map, const char *key, const char *what) {
    bool ok = true;
    if (!map || map->kind != VAL_MAP || d->n + 2 >= 12)
        return true; /* the type was checked above; deeper ones are not looked at */
    d->path[d->n++] = key;
    for (size_t i = 0; i < map->map.n; i++) {
        d->path[d->n++] = map->map.pairs[i].key;
        ok = check_entry(d, map->map.pairs[i].val, what) && ok;
        d->n--;
    }
    d->n--;
    return ok;
}

static bool check_entry(struct decl *d, const struct val *entry, const char *what) {
    if (!schema_check(at_key(d, entry), entry_fields, NULL, what, d->err))
        return false;
    bool ok = check_entries(d, val_get(entry, "keys"), "keys", what);
    const char *below[] = {"of", "items"};
    for (size_t i = 0; i < 2; i++) {
        const struct val *v = val_get(entry, below[i]);
        if (!v || v->kind != VAL_MAP || d->n + 1 >= 12)
            continue;
        d->path[d->n++] = below[i];
        ok = check_entry(d, v, what) && ok;
        d->n--;
    }
    return ok;
}

static bool check_all(struct decl *d, enum def_kind kind, const struct val *decl) {
    const char *what = arena_printf(d->a, "%s %s", strchr("aeiou", *kinds[kind].name) ? "an" : "a", kinds[kind].name);
    bool ok = schema_check(at_key(d, decl), kinds[kind].fields, NULL, what, d->err);
    ok = check_entries(d, val_get(decl, "inputs"), "inputs", "an input") && ok;
    ok = check_entries(d, val_get(decl, "outputs"), "outputs", "an output") && ok;
    const struct val *schema = val_get(decl, "schema");
    if (schema && schema->kind == VAL_MAP) {
        d->path[d->n++] = "schema";
        ok = check_entry(d, schema, "a schema") && ok;
        d->n--;
    }
    return ok;
}

bool decl_check(struct arena *a, enum def_kind kind, const struct val *decl, const struct source *src, struct err *err) {
    /* Places are looked for only when something is wrong: finding them costs a scan of the file for every key. */
    struct decl quiet = {.a = a, .src = src, .err = err_new(a)};
    if (check_all(&quiet, kind, decl))
        return true;
    struct decl loud = {.a = a, .src = src, .err = err, .marked = true};
    return check_all(&loud, kind, decl);
}
