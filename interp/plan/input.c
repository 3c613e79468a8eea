#include "plan/load.h"

#include "base/clock.h"
#include "base/redact.h"
#include "value/yaml.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

/* ---- types: how a word of the type table is read and checked ---- */

struct conversion {
    struct arena *a;
    const struct input *in;
    const struct site *site;
    struct mark at;
    struct err *err;
    bool as_is; /* text is not taken for a number, a list, …: whoever gets the value gets it as it stands */
};

static bool wrong(const struct conversion *c, const struct val *v, const char *wanted) {
    struct buf b = BUF_INIT;
    val_show(v, &b, 60);
    err_add(c->err, c->at, "wrong-type", "the input '%s' must be %s, and is '%s'", c->in->name, wanted, b.data);
    buf_done(&b);
    return false;
}

/* Text that may stand for something else: that of the command line, and of templates with more than one part. */
static const char *text_for(const struct conversion *c, const struct val *v) {
    return c->as_is ? NULL : val_cstr(v);
}

static bool as_integer(const struct conversion *c, const struct val *v, const struct val **ret) {
    if (v->kind == VAL_INT) {
        *ret = v;
        return true;
    }
    char *end = NULL;
    const char *s = text_for(c, v);
    errno = 0;
    const long long n = s && strspn(s, "+-0123456789") == strlen(s) && *s ? strtoll(s, &end, 10) : 0;
    if (!end || *end || errno)
        return wrong(c, v, errno == ERANGE ? "an integer of 64 bits" : "an integer");
    *ret = val_int(c->a, n);
    return true;
}

static bool as_number(const struct conversion *c, const struct val *v, const struct val **ret) {
    if (v->kind == VAL_INT || (v->kind == VAL_DOUBLE && isfinite(v->number))) {
        *ret = v;
        return true;
    }
    char *end = NULL;
    const char *s = text_for(c, v);
    const double d = s && strspn(s, "+-.0123456789eE") == strlen(s) && *s ? strtod(s, &end) : 0;
    if (!end || *end || !isfinite(d))
        return wrong(c, v, "a number");
    *ret = val_double(c->a, d);
    return true;
}

static bool as_boolean(const struct conversion *c, const struct val *v, const struct val **ret) {
    const char *s = text_for(c, v);
    if (v->kind == VAL_BOOL)
        *ret = v;
    else if (s && (!strcmp(s, "true") || !strcmp(s, "false")))
        *ret = val_bool(c->a, *s == 't');
    else
        return wrong(c, v, "true or false");
    return true;
}

static bool as_string(const struct conversion *c, const struct val *v, const struct val **ret) {
    if (v->kind == VAL_STRING) {
        *ret = v;
        return true;
    }
    if (v->kind == VAL_INT || v->kind == VAL_DOUBLE) { /* YAML reads 1.10 as a number, and people mean the text: refuse rather than guess */
        struct buf b = BUF_INIT;
        val_show(v, &b, 0);
        struct diag *d = err_add(c->err, c->at, "wrong-type", "the input '%s' must be a string, and is the number %s", c->in->name, b.data);
        diag_hint(c->err, d, "quote it");
        buf_done(&b);
        return false;
    }
    return wrong(c, v, "a string");
}

static bool as_duration(const struct conversion *c, const struct val *v, const struct val **ret) {
    int64_t ms;
    if (!val_cstr(v) || !duration_parse(val_cstr(v), &ms))
        return wrong(c, v, "a duration such as 30s or 5m");
    *ret = v;
    return true;
}

bool input_bytes(const char *s, int64_t *ret) {
    static const struct {
        const char *unit;
        double factor;
    } units[] = {{"", 1}, {"B", 1}, {"kB", 1e3}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"KiB", 1024.0}, {"MiB", 1048576.0},
                 {"GiB", 1073741824.0}, {"TiB", 1099511627776.0}, {"k", 1024.0}, {"m", 1048576.0}, {"g", 1073741824.0}};
    char *end;
    if (!isdigit((unsigned char)*s))
        return false;
    const double d = strtod(s, &end);
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (!strcmp(end, units[i].unit) && d * units[i].factor < 9e18) {
            *ret = (int64_t)(d * units[i].factor);
            return true;
        }
    return false;
}

static bool as_bytes(const struct conversion *c, const struct val *v, const struct val **ret) {
    int64_t n;
    if (v->kind == VAL_INT) {
        *ret = v;
        return true;
    }
    if (!text_for(c, v) || !input_bytes(val_cstr(v), &n))
        return wrong(c, v, c->as_is ? "a number of bytes" : "a size such as 512MiB or 10GiB");
    *ret = val_int(c->a, n);
    return true;
}

static bool as_node(const struct conversion *c, const struct val *v, const struct val **ret) {
    if (!as_string(c, v, ret))
        return false;
    if (!c->site || site_node(c->site, val_cstr(v)))
        return true;
    const char **names = arena_array(c->a, const char *, c->site->nnodes + 1);
    for (size_t i = 0; i < c->site->nnodes; i++)
        names[i] = c->site->nodes[i].name;
    struct buf b = BUF_INIT;
    val_show(v, &b, 60);
    struct diag *d = err_add(c->err, c->at, "unknown-node", "the input '%s' names the node '%s', which the site does not have", c->in->name, b.data);
    diag_accepted(c->err, d, b.data, names, c->site->nnodes);
    buf_done(&b);
    return false;
}

static bool plain_text(const char *s, const char *extra) {
    for (; *s; s++)
        if (!isalnum((unsigned char)*s) && !strchr(extra, *s))
            return false;
    return true;
}

static bool as_address(const struct conversion *c, const struct val *v, const struct val **ret) {
    const char *s = val_cstr(v);
    if (!s || !*s || !plain_text(s, ".-:[]%_"))
        return wrong(c, v, "an address such as 10.0.0.1 or host:2377");
    *ret = v;
    return true;
}

static bool as_image(const struct conversion *c, const struct val *v, const struct val **ret) {
    const char *s = val_cstr(v);
    if (!s || !*s || !plain_text(s, "._-/:@"))
        return wrong(c, v, "an image such as docker/dtr:2.9.0");
    *ret = v;
    return true;
}

static bool as_url(const struct conversion *c, const struct val *v, const struct val **ret) {
    const char *s = val_cstr(v);
    const char *colon = s ? strstr(s, "://") : NULL;
    if (!colon || colon == s || !colon[3] || strpbrk(s, " \t\n\"<>"))
        return wrong(c, v, "a URL such as https://host");
    *ret = v;
    return true;
}

static bool as_path(const struct conversion *c, const struct val *v, const struct val **ret) {
    if (!val_cstr(v) || !*val_cstr(v))
        return wrong(c, v, "a path");
    *ret = v;
    return true;
}

static bool as_map(const struct conversion *c, const struct val *v, const struct val **ret) {
    if (text_for(c, v)) { /* from the command line: as JSON or YAML */
        const struct val *m = NULL;
        struct err *quiet = err_new(c->a);
        if (yaml_parse(c->a, source_new(c->a, c->in->name, v->string.s, v->string.len), NULL, &m, quiet) && val_is(m, VAL_MAP)) {
            *ret = m;
            return true;
        }
        return wrong(c, v, "a map");
    }
    if (v->kind != VAL_MAP && !(v->kind == VAL_LIST && !val_len(v))) /* an empty Lua table is either */
        return wrong(c, v, "a map");
    *ret = v->kind == VAL_MAP ? v : val_map_new(c->a);
    return true;
}

static bool as_any(const struct conversion *c, const struct val *v, const struct val **ret) {
    (void)c;
    *ret = v;
    return true;
}

static bool as_list(const struct conversion *c, const struct val *v, const struct val **ret);

static const struct type {
    const char *name;
    bool (*convert)(const struct conversion *c, const struct val *v, const struct val **ret);
} types[] = {{"string", as_string}, {"integer", as_integer}, {"number", as_number}, {"boolean", as_boolean}, {"list", as_list}, {"map", as_map},
             {"duration", as_duration}, {"bytes", as_bytes}, {"node", as_node}, {"address", as_address}, {"path", as_path}, {"image", as_image},
             {"url", as_url}, {"secret", as_string}, {"any", as_any}};

static const struct type *type_named(const char *name) {
    for (size_t i = 0; name && i < sizeof types / sizeof *types; i++)
        if (!strcmp(types[i].name, name))
            return &types[i];
    return NULL;
}

/* Whoever takes such text for a C string would see less of it than was checked. */
static bool has_nul(const struct conversion *c, const struct val *v) {
    if (v->kind != VAL_STRING || strlen(v->string.s) == v->string.len || !strcmp(c->in->type, "any"))
        return false;
    return !wrong(c, v, "text without NUL bytes");
}

/* "a,b" of the command line is a list; and each item has the type that `items` says. */
static bool as_list(const struct conversion *c, const struct val *v, const struct val **ret) {
    struct val *list = val_list_new(c->a);
    if (text_for(c, v)) {
        for (const char *s = v->string.s; *s;) {
            const size_t n = strcspn(s, ",");
            if (n)
                val_list_add(c->a, list, val_marked(c->a, val_strn(c->a, s, n), v->mark));
            s += n + (s[n] == ',');
        }
        v = list;
    }
    if (v->kind != VAL_LIST && !(v->kind == VAL_MAP && !val_len(v)))
        return wrong(c, v, "a list");
    const struct type *t = type_named(c->in->items);
    struct val *out = val_list_new(c->a);
    bool ok = true;
    for (size_t i = 0; i < val_len(v) && v->kind == VAL_LIST; i++) {
        const struct val *item = val_at(v, i);
        struct conversion each = *c;
        if (item->mark.src && !input_is_secret(c->in))
            each.at = item->mark;
        if (t && t->convert != as_list)
            ok &= !has_nul(&each, item) && t->convert(&each, item, &item);
        val_list_add(c->a, out, item);
    }
    *ret = out;
    return ok;
}

/* ---- limits ---- */

static bool in_enum(const struct conversion *c, const struct val *v) {
    if (!c->in->oneof)
        return true;
    const char **names = arena_array(c->a, const char *, val_len(c->in->oneof) + 1);
    for (size_t i = 0; i < val_len(c->in->oneof); i++) {
        if (val_equal(val_at(c->in->oneof, i), v))
            return true;
        struct buf b = BUF_INIT;
        val_show(val_at(c->in->oneof, i), &b, 0);
        names[i] = arena_strdup(c->a, b.data);
        buf_done(&b);
    }
    struct buf b = BUF_INIT;
    val_show(v, &b, 60);
    struct diag *d = err_add(c->err, c->at, "not-in-enum", "the input '%s' cannot be '%s'", c->in->name, b.data);
    diag_accepted(c->err, d, b.data, names, val_len(c->in->oneof));
    buf_done(&b);
    return false;
}

/* The longest match that begins at the start is the whole value, or the value does not match as a whole. */
static bool matches(const struct conversion *c, const struct val *v) {
    regex_t re;
    regmatch_t m;
    if (!c->in->pattern || v->kind != VAL_STRING)
        return true;
    const bool usable = !regcomp(&re, c->in->pattern, REG_EXTENDED);
    const bool ok = usable && !regexec(&re, v->string.s, 1, &m, 0) && !m.rm_so && (size_t)m.rm_eo == v->string.len;
    if (usable)
        regfree(&re);
    if (!ok) {
        struct diag *d = err_add(c->err, c->at, "pattern", "the input '%s' does not match its pattern", c->in->name);
        diag_note(c->err, d, "pattern: %s", c->in->pattern);
    }
    return ok;
}

/* What min and max are compared with. */
static double measure(const struct conversion *c, const struct val *v) {
    int64_t ms;
    if (!strcmp(c->in->type, "duration") && duration_parse(val_cstr(v), &ms))
        return (double)ms;
    return v->kind == VAL_INT ? (double)v->integer : v->kind == VAL_DOUBLE ? v->number : v->kind == VAL_STRING ? (double)v->string.len : (double)val_len(v);
}

static bool in_range(const struct conversion *c, const struct val *v) {
    const double m = measure(c, v);
    if (val_is_null(v) || ((!c->in->has_min || m >= c->in->min) && (!c->in->has_max || m <= c->in->max)))
        return true;
    const bool low = c->in->has_min && m < c->in->min, length = v->kind == VAL_LIST || (v->kind == VAL_STRING && strcmp(c->in->type, "duration"));
    const double limit = low ? c->in->min : c->in->max;
    struct buf b = BUF_INIT, edge = BUF_INIT;
    val_show(v, &b, 60);
    if (!strcmp(c->in->type, "duration"))
        duration_print(&edge, (int64_t)limit);
    else
        buf_printf(&edge, "%.15g", limit);
    if (length)
        err_add(c->err, c->at, "out-of-range", "the input '%s' has the length %.15g, and must have at %s %s", c->in->name, m, low ? "least" : "most", edge.data);
    else
        err_add(c->err, c->at, "out-of-range", "the input '%s' is '%s', and must be at %s %s", c->in->name, b.data, low ? "least" : "most", edge.data);
    buf_done(&edge);
    buf_done(&b);
    return false;
}

/* A secret is known from here on to all that leaves the process. */
static bool register_secret(const struct conversion *c, const struct val *v) {
    const char *why = NULL;
    if (v->kind == VAL_STRING)
        (void)redact_add(v->string.s, v->string.len, &why);
    for (size_t i = 0; !why && i < val_len(v); i++)
        if (!register_secret(c, v->kind == VAL_MAP ? v->map.pairs[i].val : v->list.items[i]))
            return false;
    if (!why)
        return true;
    struct diag *d = err_add(c->err, c->at, "secret-unmaskable", "the secret '%s' cannot be used: %s", c->in->name, why);
    diag_hint(c->err, d, "use a longer one");
    return false;
}

static bool convert(struct conversion c, const struct val *given, const struct val **ret) {
    const struct input *in = c.in;
    const struct type *t = type_named(in->type);
    const bool secret = given->secret || input_is_secret(in);
    if (val_is_null(given) && !in->required) {
        *ret = given;
        return true;
    }
    if (secret) { /* from here on no message can show it, nor quote the line that it stands on */
        c.at = in->mark;
        given = given->secret ? given : val_secret(c.a, given);
    }
    const struct val *v = given;
    assert(t); /* declarations only have words of the table */
    if (has_nul(&c, given) || !t->convert(&c, given, &v) || !in_enum(&c, v) || !matches(&c, v) || !in_range(&c, v))
        return false;
    if (input_is_secret(in) && !register_secret(&c, v)) /* what else is made from a secret holds it */
        return false;
    *ret = secret && !v->secret ? val_secret(c.a, v) : v;
    return true;
}

bool input_convert(struct arena *a, const struct input *in, const struct site *site, const struct val *given, struct mark at,
                   const struct val **ret, struct err *err) {
    return convert((struct conversion){.a = a, .in = in, .site = site, .at = at, .err = err}, given, ret);
}

bool input_fits(struct arena *a, const struct input *in, const struct site *site, const struct val *v, struct err *err) {
    const struct val *ignored;
    return convert((struct conversion){.a = a, .in = in, .site = site, .at = v->mark, .err = err, .as_is = true}, v, &ignored);
}

bool input_is_secret(const struct input *in) {
    return !strcmp(in->type, "secret") || (in->items && !strcmp(in->items, "secret"));
}
