#include "value/schema.h"

#include "base/clock.h"

#include <assert.h>
#include <string.h>

/* ---- what a field accepts ---- */

static const struct kind_info {
    unsigned bit;
    const char *text;      /* in messages */
    const char *json;      /* type in the JSON Schema, or NULL for any */
} kinds[] = {
    {F_STRING, "a string", "string"},
    {F_INT, "an integer", "integer"},
    {F_NUMBER, "a number", "number"},
    {F_BOOL, "true or false", "boolean"},
    {F_LIST, "a list", "array"},
    {F_MAP, "a map", "object"},
    {F_DURATION, "a duration such as 30s or 5m", "string"},
    {F_EXPR, "a Lua expression", "string"},
    {F_NULL, "null", "null"},
};
enum { nkinds = sizeof kinds / sizeof *kinds };

void field_kind_text(unsigned kind, struct buf *out) {
    if (kind & F_ANY) {
        buf_adds(out, "any value");
        return;
    }
    bool first = true;
    for (int i = 0; i < nkinds; i++)
        if (kind & kinds[i].bit) {
            buf_printf(out, "%s%s", first ? "" : " or ", kinds[i].text);
            first = false;
        }
    if (first)
        buf_adds(out, kind & F_TEMPLATE ? "a ${{ … }} expression" : "nothing");
}

static bool is_template(const struct val *v) {
    return v->kind == VAL_STRING && strstr(v->string.s, "${{");
}

static bool accepts(unsigned kind, const struct val *v) {
    static const unsigned by_kind[] = {[VAL_NULL] = F_NULL,         [VAL_BOOL] = F_BOOL | F_EXPR,
                                       [VAL_INT] = F_INT | F_NUMBER, [VAL_DOUBLE] = F_NUMBER,
                                       [VAL_STRING] = F_STRING | F_DURATION | F_EXPR, [VAL_LIST] = F_LIST, [VAL_MAP] = F_MAP};
    return kind & F_ANY || kind & by_kind[v->kind] || (kind & F_TEMPLATE && is_template(v));
}

/* ---- checking ---- */

enum { max_fields = 64 }; /* of one table */

static size_t names_of(const struct field *fields, const char *names[max_fields]) {
    size_t n = 0;
    for (; fields[n].key; n++) {
        assert(n < max_fields);
        names[n] = fields[n].key;
    }
    return n;
}

static const struct field *field_named(const struct field *fields, const char *key) {
    for (; fields->key; fields++)
        if (!strcmp(fields->key, key))
            return fields;
    return NULL;
}

static void unknown_key(const struct val_pair *p, const struct field *fields, const struct field_alias *aliases, const char *what, struct err *err) {
    const char *names[max_fields];
    const size_t n = names_of(fields, names);
    struct diag *d = err_add(err, p->mark, "unknown-key", "%s has no key '%s'", what, p->key);
    diag_accepted(err, d, p->key, names, n);
    if (!strcmp(p->key, "<<"))
        diag_hint(err, d, "merge keys are not part of YAML 1.2: write the keys out");
    for (; aliases && aliases->word; aliases++)
        if (!strcmp(aliases->word, p->key))
            diag_hint(err, d, "it is called '%s' here", aliases->ours);
}

static bool one_of(const struct field *f, const struct val *v, struct err *err) {
    if (!f->oneof || v->kind != VAL_STRING || (f->kind & F_TEMPLATE && is_template(v)))
        return true;
    size_t n = 0;
    for (; f->oneof[n]; n++)
        if (!strcmp(f->oneof[n], v->string.s))
            return true;
    struct diag *d = err_add(err, v->mark, "unknown-word", "'%s' has no value '%s'", f->key, v->string.s);
    diag_accepted(err, d, v->string.s, f->oneof, n);
    return false;
}

static bool is_duration(const struct field *f, const struct val *v, struct err *err) {
    int64_t ms;
    if (!(f->kind & F_DURATION) || f->kind & F_STRING || v->kind != VAL_STRING || (f->kind & F_TEMPLATE && is_template(v)) ||
        duration_parse(v->string.s, &ms))
        return true;
    struct diag *d = err_add(err, v->mark, "bad-duration", "'%s' is not a duration", v->string.s);
    diag_hint(err, d, "write it as in 500ms, 30s, 5m or 1h30m");
    return false;
}

static bool check_value(const struct field *f, const struct val *v, const char *what, struct err *err) {
    if (!accepts(f->kind, v)) {
        struct buf b = BUF_INIT;
        field_kind_text(f->kind, &b);
        struct diag *d = err_add(err, v->mark, "wrong-type", "'%s' of %s must be %s, and is %s", f->key, what, b.data, val_kind_name(v->kind));
        buf_done(&b);
        if (f->kind & F_DURATION && v->kind == VAL_INT)
            diag_hint(err, d, "a duration has a unit: %llds?", (long long)v->integer);
        else if (f->kind & F_BOOL && v->kind == VAL_STRING && strspn(v->string.s, "yesnofYESNOF") == v->string.len)
            diag_hint(err, d, "YAML here reads yes, no, on and off as strings: write true or false");
        return false;
    }
    if (!one_of(f, v, err) || !is_duration(f, v, err))
        return false;
    if (!f->of || f->kind & F_LATER)
        return true;
    if (v->kind == VAL_MAP)
        return schema_check(v, f->of, NULL, arena_printf(err->arena, "'%s' of %s", f->key, what), err);
    const char *item = arena_printf(err->arena, "an item of '%s'", f->key);
    bool ok = true;
    for (size_t i = 0; v->kind == VAL_LIST && i < val_len(v); i++)
        ok &= schema_check(val_at(v, i), f->of, NULL, item, err);
    return ok;
}

bool schema_check(const struct val *v, const struct field *fields, const struct field_alias *aliases, const char *what, struct err *err) {
    if (!val_is(v, VAL_MAP)) {
        err_add(err, v->mark, "wrong-type", "%s must be a map, and is %s", what, val_kind_name(v->kind));
        return false;
    }
    bool ok = true;
    for (size_t i = 0; i < v->map.n; i++) {
        const struct val_pair *p = &v->map.pairs[i];
        const struct field *f = field_named(fields, p->key);
        if (f) {
            ok &= check_value(f, p->val, what, err);
        } else {
            unknown_key(p, fields, aliases, what, err);
            ok = false;
        }
    }
    for (const struct field *f = fields; f->key; f++)
        if (f->required && !val_get(v, f->key)) {
            struct mark at = v->map.n ? v->map.pairs[0].mark : v->mark;
            struct diag *d = err_add(err, at, "missing-key", "%s lacks the key '%s'", what, f->key);
            if (f->text)
                diag_note(err, d, "%s: %s", f->key, f->text);
            ok = false;
        }
    return ok;
}

/* ---- JSON Schema ---- */

/* Tables that stand inside themselves (steps in steps) are written once, under $defs, and referred to. */
struct writer {
    struct arena *arena;
    struct val *defs;
    const struct field *tables[32];
    size_t ntables;
};

static const struct val *table_json(struct writer *w, const struct field *fields);

static const struct val *ref_of(struct writer *w, const struct field *fields) {
    size_t i = 0;
    while (i < w->ntables && w->tables[i] != fields)
        i++;
    const char *name = arena_printf(w->arena, "t%zu", i + 1);
    if (i == w->ntables) {
        assert(i < sizeof w->tables / sizeof *w->tables);
        w->tables[w->ntables++] = fields;
        val_map_set(w->arena, w->defs, name, val_null()); /* keeps the place */
        const struct val *t = table_json(w, fields);
        val_map_set(w->arena, w->defs, name, t);
    }
    return val_printf(w->arena, "#/$defs/%s", name);
}

static void field_types(struct writer *w, const struct field *f, struct val *m) {
    if (f->kind & F_ANY)
        return;
    struct val *types = val_list_new(w->arena);
    bool string = false;
    for (int i = 0; i < nkinds; i++) {
        const bool is_string = !strcmp(kinds[i].json, "string");
        if (f->kind & kinds[i].bit && !(is_string && string)) {
            val_list_add(w->arena, types, val_str(w->arena, kinds[i].json));
            string |= is_string;
        }
    }
    if (f->kind & F_TEMPLATE && !string)
        val_list_add(w->arena, types, val_str(w->arena, "string"));
    if (f->kind & F_EXPR && !(f->kind & F_BOOL))
        val_list_add(w->arena, types, val_str(w->arena, "boolean"));
    val_map_set(w->arena, m, "type", val_len(types) == 1 ? val_at(types, 0) : types);
}

static const struct val *field_json(struct writer *w, const struct field *f) {
    struct arena *a = w->arena;
    struct val *m = val_map_new(a);
    if (f->text)
        val_map_set(a, m, "description", val_str(a, f->text));
    if (f->of && f->kind == F_MAP) {
        val_map_set(a, m, "$ref", ref_of(w, f->of));
        return m;
    }
    field_types(w, f, m);
    if (f->of && f->kind & F_LIST) {
        struct val *items = val_map_new(a);
        val_map_set(a, items, "$ref", ref_of(w, f->of));
        val_map_set(a, m, "items", items);
    }
    if (f->oneof && f->kind == F_STRING) {
        struct val *words = val_list_new(a);
        for (size_t i = 0; f->oneof[i]; i++)
            val_list_add(a, words, val_str(a, f->oneof[i]));
        val_map_set(a, m, "enum", words);
    }
    return m;
}

static const struct val *table_json(struct writer *w, const struct field *fields) {
    struct arena *a = w->arena;
    struct val *m = val_map_new(a), *props = val_map_new(a), *required = val_list_new(a);
    val_map_set(a, m, "type", val_str(a, "object"));
    for (; fields->key; fields++) {
        val_map_set(a, props, fields->key, field_json(w, fields));
        if (fields->required)
            val_list_add(a, required, val_str(a, fields->key));
    }
    val_map_set(a, m, "properties", props);
    if (val_len(required))
        val_map_set(a, m, "required", required);
    val_map_set(a, m, "additionalProperties", val_bool(a, false));
    return m;
}

const struct val *schema_json(struct arena *a, const struct field *fields) {
    struct writer w = {.arena = a, .defs = val_map_new(a)};
    const struct val *table = table_json(&w, fields);
    struct val *m = val_map_new(a);
    val_map_set(a, m, "$schema", val_str(a, "https://json-schema.org/draft/2020-12/schema"));
    for (size_t i = 0; i < table->map.n; i++)
        val_map_set(a, m, table->map.pairs[i].key, table->map.pairs[i].val);
    if (val_len(w.defs))
        val_map_set(a, m, "$defs", w.defs);
    return m;
}
