#include "value/yaml_print.h"

#include "base/utf8.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    flow_width = 100,  /* columns of a list or map in one line */
    longest_key = 900, /* bytes; the parser looks no further than 1024 for the colon */
};

/* ---- scalars ---- */

/* Words that some reader takes for a null or a boolean, in any case. */
static bool reserved(const char *s) {
    static const char *const words[] = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t k = 0;
        while (s[k] && (s[k] | 0x20) == words[i][k])
            k++;
        if (!s[k] && !words[i][k])
            return true;
    }
    return false;
}

/* Addresses and versions: nothing but digits, with two dots or more. */
static bool dotted(const char *s, size_t len) {
    size_t dots = 0;
    for (size_t i = 0; i < len; i++) {
        if (s[i] == '.' && i + 1 < len && s[i + 1] != '.')
            dots++;
        else if (s[i] < '0' || s[i] > '9')
            return false;
    }
    return dots >= 2 && s[0] != '.';
}

static bool plain(const char *s, size_t len) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", first[] = "_/", rest[] = "0123456789_./@+-()%=; ";
    if (!len || strlen(s) != len || s[len - 1] == ' ')
        return false;
    if (dotted(s, len))
        return true;
    if (!strchr(letters, s[0]) && !strchr(first, s[0]))
        return false;
    for (size_t i = 1; i < len; i++)
        if (!strchr(letters, s[i]) && !strchr(rest, s[i]))
            return false;
    return !reserved(s);
}

static void quoted(const char *s, size_t len, struct buf *out) {
    buf_addc(out, '"');
    for (size_t i = 0, n; i < len; i += n) {
        uint32_t c;
        n = utf8_decode(s + i, len - i, &c);
        if (!n) {
            buf_adds(out, "\xef\xbf\xbd");
            n = 1;
        } else if (c == '"' || c == '\\') {
            buf_printf(out, "\\%c", (int)c);
        } else if (c == '\n' || c == '\t') {
            buf_adds(out, c == '\n' ? "\\n" : "\\t");
        } else if (utf8_hidden(c)) {
            buf_printf(out, c < 0x100 ? "\\x%02x" : c < 0x10000 ? "\\u%04x" : "\\U%08x", (unsigned)c);
        } else {
            buf_add(out, s + i, n);
        }
    }
    buf_addc(out, '"');
}

static void text(const char *s, size_t len, struct buf *out) {
    if (plain(s, len))
        buf_add(out, s, len);
    else
        quoted(s, len, out);
}

/* The shortest text that reads back as the same number, and as no integer. */
static void number(double d, struct buf *out) {
    if (!isfinite(d)) {
        buf_adds(out, isnan(d) ? ".nan" : d < 0 ? "-.inf" : ".inf");
        return;
    }
    char s[40] = "";
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(s, sizeof s, "%.*g", digits, d);
        if (strtod(s, NULL) == d)
            break;
    }
    buf_adds(out, s);
    if (!strpbrk(s, ".e"))
        buf_adds(out, ".0");
}

static void scalar(const struct val *v, struct buf *out) {
    if (v->secret && v->kind != VAL_NULL) {
        buf_adds(out, "\"***\"");
        return;
    }
    switch (v->kind) {
    case VAL_NULL:
        buf_adds(out, "null");
        break;
    case VAL_BOOL:
        buf_adds(out, v->boolean ? "true" : "false");
        break;
    case VAL_INT:
        buf_printf(out, "%lld", (long long)v->integer);
        break;
    case VAL_DOUBLE:
        number(v->number, out);
        break;
    case VAL_STRING:
        text(v->string.s, v->string.len, out);
        break;
    case VAL_LIST:
        buf_adds(out, "[]");
        break;
    case VAL_MAP:
        buf_adds(out, "{}");
        break;
    }
}

/* ---- lists and maps ---- */

static bool is_scalar(const struct val *v) {
    return !val_len(v) || v->secret;
}

static const struct val *child(const struct val *v, size_t i) {
    return v->kind == VAL_LIST ? v->list.items[i] : v->map.pairs[i].val;
}

/* In one line, if there are only scalars in it and it fits. */
static bool flow(const struct val *v, struct buf *out) {
    for (size_t i = 0; i < val_len(v); i++)
        if (!is_scalar(child(v, i)))
            return false;
    struct buf b;
    buf_init(&b, flow_width);
    buf_adds(&b, v->kind == VAL_LIST ? "[" : "{ ");
    for (size_t i = 0; i < val_len(v) && !b.over; i++) {
        buf_adds(&b, i ? ", " : "");
        if (v->kind == VAL_MAP) {
            text(v->map.pairs[i].key, strlen(v->map.pairs[i].key), &b);
            buf_adds(&b, ": ");
        }
        scalar(child(v, i), &b);
    }
    buf_adds(&b, v->kind == VAL_LIST ? "]" : " }");
    const bool fits = !b.over;
    if (fits)
        buf_add(out, b.data, b.len);
    buf_done(&b);
    return fits;
}

static void key(const char *k, size_t indent, struct buf *out) {
    if (strlen(k) <= longest_key) {
        text(k, strlen(k), out);
        buf_addc(out, ':');
        return;
    }
    buf_adds(out, "? ");
    text(k, strlen(k), out);
    buf_addc(out, '\n');
    buf_addrep(out, ' ', indent);
    buf_addc(out, ':');
}

/* The cursor stands at column `indent`; ends with a line end. */
static void block(const struct val *v, size_t indent, struct buf *out) {
    for (size_t i = 0; i < val_len(v); i++) {
        const struct val *c = child(v, i);
        if (i)
            buf_addrep(out, ' ', indent);
        if (v->kind == VAL_LIST)
            buf_addc(out, '-');
        else
            key(v->map.pairs[i].key, indent, out);
        buf_addc(out, ' ');
        if (is_scalar(c)) {
            scalar(c, out);
        } else if (!flow(c, out)) {
            if (v->kind == VAL_MAP) {
                out->data[out->len - 1] = '\n'; /* rather than a space at the end of the line */
                buf_addrep(out, ' ', indent + 2);
            }
            block(c, indent + 2, out);
            continue;
        }
        buf_addc(out, '\n');
    }
}

void yaml_print(const struct val *v, struct buf *out) {
    if (v && !is_scalar(v) && v->kind == VAL_MAP) {
        block(v, 0, out); /* a document is never one line of braces */
        return;
    }
    if (!v || is_scalar(v))
        scalar(v ? v : val_null(), out);
    else if (!flow(v, out)) {
        block(v, 0, out);
        return;
    }
    buf_addc(out, '\n');
}
