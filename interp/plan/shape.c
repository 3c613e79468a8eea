#include "plan/shape.h"

#include "lua/box.h"

#include <string.h>

enum { max_depth = 32 };

const struct val *shape_below(const struct val *schema, const char *key) {
    const struct val *k = val_get(val_get(schema, "keys"), key);
    return k ? k : val_get(schema, "of");
}

static bool is_type(const struct val *v, const char *type) {
    static const struct {
        const char *type;
        unsigned kinds; /* bits by enum val_kind */
    } types[] = {{"map", 1u << VAL_MAP},   {"list", 1u << VAL_LIST},     {"string", 1u << VAL_STRING},
                 {"boolean", 1u << VAL_BOOL}, {"integer", 1u << VAL_INT}, {"number", 1u << VAL_INT | 1u << VAL_DOUBLE}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (!strcmp(types[i].type, type))
            return types[i].kinds & (1u << v->kind);
    return true; /* "any", and the named kinds of strings */
}

static bool is_one_of(const struct val *list, const struct val *v) {
    for (size_t i = 0; i < val_len(list); i++)
        if (val_equal(val_at(list, i), v))
            return true;
    return false;
}

static bool fits(struct arena *a, const struct val *schema, const struct val *v, const char *path, int depth, const char **why) {
    if (!schema || val_unobserved_why(v))
        return true;
    const char *type = val_get_str(schema, "type", "any");
    if (depth > max_depth) {
        *why = arena_printf(a, "%s: nested too deeply", path);
        return false;
    }
    /* an empty Lua table says nothing about being a list or a map */
    bool empty = (v->kind == VAL_MAP || v->kind == VAL_LIST) && !val_len(v);
    if (!is_type(v, type) && !(empty && (!strcmp(type, "map") || !strcmp(type, "list")))) {
        *why = arena_printf(a, "%s: expected %s, got %s", *path ? path : "the value", type, val_kind_name(v->kind));
        return false;
    }
    const struct val *oneof = val_get(schema, "enum");
    if (oneof && !is_one_of(oneof, v)) {
        struct buf b = BUF_INIT;
        val_show(v, &b, 40);
        *why = arena_printf(a, "%s: '%s' is not one of the declared values", path, b.data);
        buf_done(&b);
        return false;
    }
    for (size_t i = 0; v->kind == VAL_LIST && i < val_len(v); i++)
        if (!fits(a, val_get(schema, "of"), val_at(v, i), arena_printf(a, "%s[%zu]", path, i + 1), depth + 1, why))
            return false;
    const struct val *keys = val_get(schema, "keys"), *of = val_get(schema, "of");
    for (size_t i = 0; v->kind == VAL_MAP && (keys || of) && i < val_len(v); i++) {
        const struct val_pair *p = &v->map.pairs[i];
        const char *at = *path ? arena_printf(a, "%s.%s", path, p->key) : p->key;
        const struct val *below = shape_below(schema, p->key);
        if (!below) {
            *why = arena_printf(a, "%s: the schema has no such key", at);
            return false;
        }
        if (!fits(a, below, p->val, at, depth + 1, why))
            return false;
    }
    for (size_t i = 0; v->kind == VAL_MAP && i < val_len(keys); i++) {
        const struct val_pair *p = &keys->map.pairs[i];
        if (val_get_bool(p->val, "required", false) && !val_get(v, p->key)) {
            *why = arena_printf(a, "%s%s%s: is missing", path, *path ? "." : "", p->key);
            return false;
        }
    }
    return true;
}

bool shape_fits(struct arena *a, const struct val *schema, const struct val *v, const char **ret_why) {
    return fits(a, schema, v, "", 0, ret_why);
}
