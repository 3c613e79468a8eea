#include "value/json.h"

#include "base/utf8.h"

#include <inttypes.h>
#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- reading ---- */

static const struct val *from_json(struct arena *a, const json_t *j) {
    switch (json_typeof(j)) {
    case JSON_NULL:
        return val_null();
    case JSON_TRUE:
    case JSON_FALSE:
        return val_bool(a, json_is_true(j));
    case JSON_INTEGER:
        return val_int(a, json_integer_value(j));
    case JSON_REAL: {
        const double d = json_real_value(j);
        return d == floor(d) && fabs(d) < 0x1p53 ? val_int(a, (int64_t)d) : val_double(a, d);
    }
    case JSON_STRING:
        return val_strn(a, json_string_value(j), json_string_length(j));
    case JSON_ARRAY: {
        struct val *list = val_list_new(a);
        for (size_t i = 0; i < json_array_size(j); i++)
            val_list_add(a, list, from_json(a, json_array_get(j, i)));
        return list;
    }
    case JSON_OBJECT: {
        struct val *map = val_map_new(a);
        const char *key;
        json_t *value;
        json_object_foreach((json_t *)(uintptr_t)j, key, value) val_map_set(a, map, key, from_json(a, value));
        return map;
    }
    }
    return val_null();
}

/* The library refuses integers beyond 64 bits; with a fraction they are numbers like others. Copies text to out, with ".0" behind each of them. */
static void widen_integers(const char *text, size_t len, struct buf *out) {
    bool in_string = false;
    for (size_t i = 0; i < len;) {
        size_t n = 1;
        if (in_string && text[i] == '\\' && i + 1 < len) {
            n = 2;
        } else if (text[i] == '"') {
            in_string = !in_string;
        } else if (!in_string && strchr("-0123456789", text[i]) && text[i]) {
            while (i + n < len && text[i + n] && strchr("0123456789.eE+-", text[i + n]))
                n++;
        }
        buf_add(out, text + i, n);
        char digits[400];
        if (n > 18 && n < sizeof digits) {
            memcpy(digits, text + i, n);
            digits[n] = 0;
            errno = 0;
            const long long as_integer = strtoll(digits, NULL, 10);
            if (!digits[strcspn(digits, ".eE")] && (as_integer == LLONG_MAX || as_integer == LLONG_MIN) && errno == ERANGE)
                buf_adds(out, ".0");
        }
        i += n;
    }
}

static json_t *load(const char *text, size_t len, json_error_t *ret) {
    /* depth is limited by the library (2048); NUL in strings is allowed, since peers send what they like */
    const size_t flags = JSON_DECODE_ANY | JSON_ALLOW_NUL;
    json_t *j = json_loadb(text, len, flags, ret);
    if (!j && json_error_code(ret) == json_error_numeric_overflow) {
        json_error_t ignored; /* what is told points into the text as it came */
        struct buf wide = BUF_INIT;
        widen_integers(text, len, &wide);
        j = json_loadb(wide.data, wide.len, flags, &ignored);
        buf_done(&wide);
    }
    return j;
}

bool json_parse(struct arena *a, const char *name, const char *text, size_t len, const struct val **ret, struct err *err) {
    json_error_t e;
    json_t *j = load(text, len, &e);
    if (!j) {
        const struct source *src = source_new(err->arena, name, text, len);
        const size_t at = e.position > 0 && (size_t)e.position <= len ? (size_t)e.position - 1 : 0;
        err_add(err, len ? mark_at(src, at, 1) : mark_whole(src), "json-syntax", "this is not JSON: %s", len ? e.text : "it is empty");
        return false;
    }
    *ret = from_json(a, j);
    json_decref(j);
    return true;
}

/* ---- writing ---- */

static void print_string(const char *s, size_t len, struct buf *out) {
    static const char escapes[][2] = {{'"', '"'}, {'\\', '\\'}, {'\n', 'n'}, {'\r', 'r'}, {'\t', 't'}, {'\b', 'b'}, {'\f', 'f'}};
    buf_addc(out, '"');
    for (size_t i = 0; i < len;) {
        uint32_t c;
        const size_t n = utf8_decode(s + i, len - i, &c);
        char escape = 0;
        for (size_t k = 0; k < sizeof escapes / sizeof *escapes; k++)
            if (escapes[k][0] == s[i])
                escape = escapes[k][1];
        if (!n)
            buf_adds(out, "\xef\xbf\xbd"); /* U+FFFD */
        else if (escape)
            buf_printf(out, "\\%c", escape);
        else if (utf8_hidden(c) && c < 0x10000)
            buf_printf(out, "\\u%04x", c);
        else if (utf8_hidden(c))
            buf_printf(out, "\\u%04x\\u%04x", 0xd7c0 + (c >> 10), 0xdc00 + (c & 0x3ff));
        else
            buf_add(out, s + i, n);
        i += n ? n : 1;
    }
    buf_addc(out, '"');
}

static void line(struct buf *out, unsigned flags, int depth) {
    if (!(flags & JSON_INDENT))
        return;
    buf_addc(out, '\n');
    buf_addrep(out, ' ', 2 * (size_t)depth);
}

static int by_key(const void *a, const void *b) {
    return strcmp((*(const struct val_pair *const *)a)->key, (*(const struct val_pair *const *)b)->key);
}

static void print(const struct val *v, unsigned flags, int depth, struct buf *out);

static void print_map(const struct val *v, unsigned flags, int depth, struct buf *out) {
    const size_t n = v->map.n;
    const struct val_pair **pairs = mem_alloc((n + 1) * sizeof *pairs);
    for (size_t i = 0; i < n; i++)
        pairs[i] = &v->map.pairs[i];
    if (flags & JSON_SORTED)
        qsort(pairs, n, sizeof *pairs, by_key);
    buf_addc(out, '{');
    for (size_t i = 0; i < n; i++) {
        buf_adds(out, i ? "," : "");
        line(out, flags, depth + 1);
        print_string(pairs[i]->key, strlen(pairs[i]->key), out);
        buf_adds(out, flags & JSON_INDENT ? ": " : ":");
        print(pairs[i]->val, flags, depth + 1, out);
    }
    if (n)
        line(out, flags, depth);
    buf_addc(out, '}');
    free(pairs);
}

static void print_number(double d, struct buf *out) {
    if (!isfinite(d)) {
        buf_adds(out, "null"); /* JSON has no other word for it */
        return;
    }
    char s[40];
    for (int digits = 15; digits <= 17; digits++) { /* the shortest that reads back as the same number */
        snprintf(s, sizeof s, "%.*g", digits, d);
        if (strtod(s, NULL) == d)
            break;
    }
    buf_adds(out, s);
    if (!s[strcspn(s, ".e")])
        buf_adds(out, ".0");
}

static void print(const struct val *v, unsigned flags, int depth, struct buf *out) {
    if (v && v->secret && !(flags & JSON_SHOW_SECRETS)) {
        buf_adds(out, "\"***\"");
        return;
    }
    switch (v ? v->kind : VAL_NULL) {
    case VAL_NULL:
        buf_adds(out, "null");
        break;
    case VAL_BOOL:
        buf_adds(out, v->boolean ? "true" : "false");
        break;
    case VAL_INT:
        buf_printf(out, "%" PRId64, v->integer);
        break;
    case VAL_DOUBLE:
        print_number(v->number, out);
        break;
    case VAL_STRING:
        print_string(v->string.s, v->string.len, out);
        break;
    case VAL_LIST:
        buf_addc(out, '[');
        for (size_t i = 0; i < v->list.n; i++) {
            buf_adds(out, i ? "," : "");
            line(out, flags, depth + 1);
            print(v->list.items[i], flags, depth + 1, out);
        }
        if (v->list.n)
            line(out, flags, depth);
        buf_addc(out, ']');
        break;
    case VAL_MAP:
        print_map(v, flags, depth, out);
        break;
    }
}

void json_print(const struct val *v, unsigned flags, struct buf *out) {
    print(v, flags, 0, out);
}
