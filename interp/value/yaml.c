#include "value/yaml.h"

#include "base/map.h"
#include "base/utf8.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

const struct yaml_limits yaml_default_limits = {.max_bytes = 16 << 20, .max_depth = 64, .max_nodes = 1000000};

/* What an anchor stands for. While it is still being read, val is NULL: an alias to it would be endless. */
struct anchor {
    const struct val *val;
    size_t nodes, depth; /* of the value, aliases expanded */
};

struct frame {
    struct val *container;
    bool has_key;
    char *key;
    struct mark key_mark;
    struct anchor *anchor;
    size_t nodes, depth;
};

struct reader {
    struct arena *arena;
    const struct source *src;
    struct err *err;
    const struct yaml_limits *limits;
    const size_t *lines; /* byte offset at which each line begins, and one more: past the end */
    size_t nlines;
    size_t bom;          /* bytes of a byte order mark, which the parser is not shown */
    struct {
        size_t line, column, off;
    } near;              /* the position asked for last: the next one is not far, even in a line of megabytes */
    struct map *anchors;
    struct frame *stack;
    size_t depth;        /* frames in use */
    const struct val *root;
    size_t nodes;
    bool expanded;       /* an alias was */
    bool stopped;        /* after an error that leaves nothing to go on with */
};

/* ---- positions: the parser counts characters, marks count bytes ---- */

static bool continues(const struct reader *r, size_t off) {
    return off < r->src->len && ((unsigned char)r->src->text[off] & 0xc0) == 0x80;
}

static size_t offset_of(struct reader *r, yaml_mark_t m) {
    if (m.line >= r->nlines)
        return r->src->len;
    if (r->near.line != m.line || m.column == 0) {
        r->near.line = m.line;
        r->near.column = 0;
        r->near.off = r->lines[m.line] + (m.line ? 0 : r->bom);
    }
    for (; r->near.column > m.column; r->near.column--)
        do
            r->near.off--;
        while (continues(r, r->near.off));
    for (; r->near.column < m.column && r->near.off < r->src->len && r->src->text[r->near.off] != '\n'; r->near.column++)
        do
            r->near.off++;
        while (continues(r, r->near.off));
    return r->near.off;
}

static struct mark mark_of(struct reader *r, yaml_mark_t start, yaml_mark_t end) {
    if (start.line >= r->nlines)
        return mark_at(r->src, r->src->len, 1);
    const size_t from = offset_of(r, start), to = offset_of(r, end);
    struct mark m = {.src = r->src, .line = (uint32_t)start.line + 1, .col = (uint32_t)(from - r->lines[start.line] + 1), .len = 1};
    size_t stop = r->lines[start.line + 1] - 1; /* where the line ends */
    if (stop > from && r->src->text[stop - 1] == '\r')
        stop--;
    if (stop > to)
        stop = to;
    if (stop > from)
        m.len = (uint32_t)(stop - from);
    return m;
}

static struct diag *fail(struct reader *r, struct mark at, const char *code, const char *message) {
    r->stopped = true;
    return err_add(r->err, at, code, "%s", message);
}

/* ---- before parsing: bytes that no runbook may have ---- */

enum { byte_order_mark = 0xfeff };

static bool separates(uint32_t c) {
    return c == 0x85 || c == 0x2028 || c == 0x2029 || c == byte_order_mark;
}

static bool bad_utf8(struct reader *r, size_t i) {
    const unsigned char c = (unsigned char)r->src->text[i], next = (unsigned char)r->src->text[i + 1];
    struct diag *d = err_add(r->err, mark_at(r->src, i, 1), "invalid-utf8", "this byte (\\x%02x) is not valid UTF-8", c);
    if (!i && ((c == 0xff && next == 0xfe) || (c == 0xfe && next == 0xff)))
        diag_hint(r->err, d, "this looks like UTF-16: save the file as UTF-8");
    return false;
}

static bool bytes_fine(struct reader *r) {
    const char *text = r->src->text;
    const size_t len = r->src->len;
    uint32_t c;
    if (utf8_decode(text, len, &c) == 3 && c == byte_order_mark)
        r->bom = r->near.off = 3;
    for (size_t i = r->bom, n; i < len; i += n) {
        c = (unsigned char)text[i];
        n = c < 0x80 ? 1 : utf8_decode(text + i, len - i, &c);
        if (!n)
            return bad_utf8(r, i);
        if (c >= 0x20 && c < 0x7f)
            continue;
        const bool lone_cr = c == '\r' && text[i + 1] != '\n';
        if (separates(c)) {
            err_add(r->err, mark_at(r->src, i, n), "yaml-syntax", "an invisible line separator or byte order mark is not allowed here");
            return false;
        }
        if ((c < 0xa0 && c != '\t' && c != '\n' && c != '\r') || lone_cr) {
            struct diag *d = err_add(r->err, mark_at(r->src, i, n), "yaml-syntax", "the control character \\x%02x is not allowed here", (unsigned)c);
            if (lone_cr)
                diag_hint(r->err, d, "lines end with \\n, or with \\r\\n");
            else if (!c)
                diag_hint(r->err, d, "is this a text file?");
            return false;
        }
    }
    return true;
}

static void find_lines(struct reader *r) {
    size_t n = 1;
    for (size_t i = 0; i < r->src->len; i++)
        n += r->src->text[i] == '\n';
    size_t *lines = arena_array(r->arena, size_t, n + 1);
    for (size_t i = 0, k = 1; i < r->src->len; i++)
        if (r->src->text[i] == '\n')
            lines[k++] = i + 1;
    lines[n] = r->src->len + 1;
    r->lines = lines;
    r->nlines = n;
}

/* ---- scalars, by the core schema ---- */

static bool one_of(const char *s, const char *a, const char *b, const char *c) {
    return !strcmp(s, a) || !strcmp(s, b) || !strcmp(s, c);
}

static bool digits(const char *s, const char *set) {
    return *s && !s[strspn(s, set)];
}

static bool is_float(const char *s) {
    if (*s == '-' || *s == '+')
        s++;
    size_t whole = strspn(s, "0123456789"), part = 0;
    s += whole;
    if (*s == '.') {
        part = strspn(s + 1, "0123456789");
        s += 1 + part;
    }
    if (!whole && !part)
        return false;
    if (*s == 'e' || *s == 'E') {
        s++;
        if (*s == '-' || *s == '+')
            s++;
        if (!digits(s, "0123456789"))
            return false;
        return true;
    }
    return !*s;
}

static const struct val *out_of_range(struct reader *r, const char *s, struct mark at) {
    struct diag *d = err_add(r->err, at, "number-range", "the number %s does not fit into 64 bits", s);
    diag_hint(r->err, d, "quote it, if it is not meant as a number");
    return val_null();
}

static const struct val *plain(struct reader *r, const char *s, size_t len, struct mark at) {
    struct arena *a = r->arena;
    if (!len || one_of(s, "null", "Null", "NULL") || !strcmp(s, "~"))
        return val_null();
    if (one_of(s, "true", "True", "TRUE") || one_of(s, "false", "False", "FALSE"))
        return val_bool(a, s[0] == 't' || s[0] == 'T');
    const char *body = *s == '-' || *s == '+' ? s + 1 : s;
    const bool hex = !strncmp(s, "0x", 2) && digits(s + 2, "0123456789abcdefABCDEF"), octal = !strncmp(s, "0o", 2) && digits(s + 2, "01234567");
    if (hex || octal || digits(body, "0123456789")) {
        errno = 0;
        char *end;
        const long long n = strtoll(hex || octal ? s + 2 : s, &end, hex ? 16 : octal ? 8 : 10);
        return errno ? out_of_range(r, s, at) : val_int(a, n);
    }
    if (one_of(body, ".inf", ".Inf", ".INF"))
        return val_double(a, *s == '-' ? -INFINITY : INFINITY);
    if (one_of(s, ".nan", ".NaN", ".NAN"))
        return val_double(a, NAN);
    if (is_float(s)) {
        const double d = strtod(s, NULL);
        return isfinite(d) ? val_double(a, d) : out_of_range(r, s, at);
    }
    return val_strn(a, s, len);
}

static void unknown_tag(struct reader *r, const char *tag, struct mark at) {
    struct diag *d = err_add(r->err, at, "unknown-tag", "unknown tag '%s'", tag);
    diag_hint(r->err, d, "only the tags !!str, !!int, !!float, !!bool, !!null, !!map and !!seq are known");
}

static const struct val *scalar(struct reader *r, const yaml_event_t *e, struct mark at) {
    const char *s = (const char *)e->data.scalar.value, *tag = (const char *)e->data.scalar.tag;
    const size_t len = e->data.scalar.length;
    static const char core[] = "tag:yaml.org,2002:";
    if (!tag)
        return e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE ? plain(r, s, len, at) : val_strn(r->arena, s, len);
    if (!strcmp(tag, "!") || !strcmp(tag, "tag:yaml.org,2002:str"))
        return val_strn(r->arena, s, len);
    static const struct {
        const char *name;
        unsigned kinds;
    } tags[] = {{"int", 1u << VAL_INT}, {"float", 1u << VAL_INT | 1u << VAL_DOUBLE}, {"bool", 1u << VAL_BOOL}, {"null", 1u << VAL_NULL}};
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++)
        if (!strncmp(tag, core, sizeof core - 1) && !strcmp(tag + sizeof core - 1, tags[i].name)) {
            const struct val *v = plain(r, s, len, at);
            if (!(tags[i].kinds & 1u << v->kind))
                err_add(r->err, at, "unknown-tag", "'%s' is not of the type that its tag says", s);
            else if (v->kind == VAL_INT && tags[i].kinds & 1u << VAL_DOUBLE)
                v = val_double(r->arena, (double)v->integer);
            return v;
        }
    unknown_tag(r, tag, at);
    return val_null();
}

static void check_collection_tag(struct reader *r, const yaml_char_t *tag, const char *wanted, struct mark at) {
    if (tag && strcmp((const char *)tag, "!") && strcmp((const char *)tag, wanted))
        unknown_tag(r, (const char *)tag, at);
}

/* ---- the tree ---- */

static bool count(struct reader *r, size_t nodes, size_t depth, struct mark at) {
    r->nodes += nodes;
    if (r->nodes > r->limits->max_nodes) {
        if (r->expanded)
            fail(r, at, "alias-limit", "the document has too many values once its aliases are expanded");
        else
            fail(r, at, "too-large", "the document has too many values");
        return false;
    }
    if (r->depth + depth > r->limits->max_depth) {
        fail(r, at, "too-deep", "the document is nested too deeply");
        return false;
    }
    return true;
}

/* Puts a finished value where it belongs. */
static void place(struct reader *r, const struct val *v, size_t nodes, size_t depth) {
    if (!r->depth) {
        r->root = v;
        return;
    }
    struct frame *f = &r->stack[r->depth - 1];
    f->nodes += nodes;
    if (depth + 1 > f->depth)
        f->depth = depth + 1;
    if (f->container->kind == VAL_LIST) {
        val_list_add(r->arena, f->container, v);
        return;
    }
    const struct val_pair *before = val_pair(f->container, f->key);
    if (before) {
        struct diag *d = err_add(r->err, f->key_mark, "duplicate-key", "the key '%s' is there twice", f->key);
        diag_note(r->err, d, "first written in line %u", before->mark.line);
    } else {
        val_map_set_marked(r->arena, f->container, f->key, f->key_mark, v);
    }
    f->has_key = false;
}

static bool wants_key(const struct reader *r) {
    return r->depth && r->stack[r->depth - 1].container->kind == VAL_MAP && !r->stack[r->depth - 1].has_key;
}

static void not_a_key(struct reader *r, struct mark at) {
    struct diag *d = fail(r, at, "key-not-scalar", "a key must be a plain word, not a list, a map or an alias");
    if (at.line <= r->nlines && at.src->text[r->lines[at.line - 1] + at.col - 1] == '{')
        diag_hint(r->err, d, "an expression is written \"${{ … }}\", in quotes if the value begins with it");
}

static struct anchor *anchor_new(struct reader *r, const yaml_char_t *name) {
    if (!name)
        return NULL;
    struct anchor *an = arena_new_of(r->arena, struct anchor);
    map_put(r->anchors, (const char *)name, an);
    return an;
}

static void on_scalar(struct reader *r, const yaml_event_t *e, struct mark at) {
    const char *text = (const char *)e->data.scalar.value;
    if (wants_key(r)) {
        struct frame *f = &r->stack[r->depth - 1];
        if (strlen(text) != e->data.scalar.length) {
            fail(r, at, "key-not-scalar", "a key must not hold a NUL character");
            return;
        }
        f->key = arena_strdup(r->arena, text);
        f->key_mark = at;
        f->has_key = true;
        struct anchor *an = anchor_new(r, e->data.scalar.anchor);
        if (an)
            *an = (struct anchor){.val = val_marked(r->arena, scalar(r, e, at), at), .nodes = 1, .depth = 1};
        return;
    }
    if (!count(r, 1, 1, at))
        return;
    const struct val *v = val_marked(r->arena, scalar(r, e, at), at);
    struct anchor *an = anchor_new(r, e->data.scalar.anchor);
    if (an)
        *an = (struct anchor){.val = v, .nodes = 1, .depth = 1};
    place(r, v, 1, 1);
}

static void on_alias(struct reader *r, const yaml_event_t *e, struct mark at) {
    const char *name = (const char *)e->data.alias.anchor;
    const struct anchor *an = map_get(r->anchors, name);
    r->expanded = true;
    if (wants_key(r)) {
        not_a_key(r, at);
    } else if (!an) {
        struct diag *d = err_add(r->err, at, "unknown-anchor", "there is no anchor '&%s' before this alias", name);
        diag_hint(r->err, d, "quote the text, if it is not meant as an alias");
        place(r, val_null(), 1, 1);
    } else if (!an->val) {
        fail(r, at, "alias-limit", "this alias stands inside what it stands for, so it would never end");
    } else if (count(r, an->nodes, an->depth, at)) {
        place(r, an->val, an->nodes, an->depth);
    }
}

static void on_open(struct reader *r, struct val *container, const yaml_char_t *anchor, struct mark at) {
    if (wants_key(r)) {
        not_a_key(r, at);
        return;
    }
    if (!count(r, 1, 1, at))
        return;
    container->mark = at;
    r->stack[r->depth++] = (struct frame){.container = container, .anchor = anchor_new(r, anchor), .nodes = 1, .depth = 1};
}

static void on_close(struct reader *r) {
    const struct frame f = r->stack[--r->depth];
    if (f.anchor)
        *f.anchor = (struct anchor){.val = f.container, .nodes = f.nodes, .depth = f.depth};
    place(r, f.container, f.nodes, f.depth);
}

/* ---- syntax errors, with the advice that people need ---- */

static void syntax_error(struct reader *r, const yaml_parser_t *p) {
    const char *problem = p->problem ? p->problem : "it cannot be parsed";
    if (p->error == YAML_READER_ERROR) {
        err_add(r->err, mark_at(r->src, r->bom + p->problem_offset, 1), "yaml-syntax", "%s", problem);
        return;
    }
    if (p->context && !strcmp(p->context, "while scanning a quoted scalar") && strstr(problem, "end of stream")) {
        struct diag *d = err_add(r->err, mark_of(r, p->context_mark, p->context_mark), "yaml-syntax", "the quoted text that begins here does not end");
        diag_hint(r->err, d, "a closing quote is missing");
        return;
    }
    const size_t off = offset_of(r, p->problem_mark);
    const struct mark at = mark_of(r, p->problem_mark, p->problem_mark);
    if (off < r->src->len && r->src->text[off] == '\t') {
        struct diag *d = err_add(r->err, at, "tab-indentation", "a tab stands where only spaces may");
        diag_hint(r->err, d, "indent with spaces");
        return;
    }
    static const struct {
        const char *part, *hint;
    } hints[] = {
        {"mapping values are not allowed", "a colon and a space begin a value: quote the text"},
        {"could not find expected ':'", "is a colon, or a quote, missing?"},
        {"did not find expected key", "is the indentation right, and is every quote closed?"},
        {"did not find expected '-' indicator", "is the indentation right?"},
        {"cannot start any token", "quote the text"},
        {"unexpected end of stream", "is a bracket still open?"},
        {"expected alphabetic or numeric character", "a * or & begins an alias or an anchor: quote the text"},
        {"found undefined tag", "quote the text"},
        {"did not find expected ',' or", "is a comma or a closing bracket missing?"},
    };
    struct diag *d = err_add(r->err, at, "yaml-syntax", "%s", problem);
    for (size_t i = 0; i < sizeof hints / sizeof *hints; i++)
        if (strstr(problem, hints[i].part))
            diag_hint(r->err, d, "%s", hints[i].hint);
    if (p->context && p->context_mark.line != p->problem_mark.line)
        diag_note(r->err, d, "%s that began in line %zu", p->context, p->context_mark.line + 1);
}

static void event(struct reader *r, const yaml_event_t *e, size_t *documents) {
    const struct mark at = mark_of(r, e->start_mark, e->end_mark);
    switch (e->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (++*documents == 2) {
            struct diag *d = fail(r, at, "second-document", "a second document begins here");
            diag_hint(r->err, d, "one file holds one document");
        }
        break;
    case YAML_SCALAR_EVENT:
        on_scalar(r, e, at);
        break;
    case YAML_ALIAS_EVENT:
        on_alias(r, e, at);
        break;
    case YAML_SEQUENCE_START_EVENT:
        check_collection_tag(r, e->data.sequence_start.tag, "tag:yaml.org,2002:seq", at);
        on_open(r, val_list_new(r->arena), e->data.sequence_start.anchor, at);
        break;
    case YAML_MAPPING_START_EVENT:
        check_collection_tag(r, e->data.mapping_start.tag, "tag:yaml.org,2002:map", at);
        on_open(r, val_map_new(r->arena), e->data.mapping_start.anchor, at);
        break;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        on_close(r);
        break;
    default:
        break;
    }
}

static void parse(struct reader *r) {
    yaml_parser_t p;
    if (!yaml_parser_initialize(&p)) {
        err_add(r->err, mark_whole(r->src), "yaml-syntax", "there is no memory to parse it");
        return;
    }
    yaml_parser_set_encoding(&p, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&p, (const unsigned char *)r->src->text + r->bom, r->src->len - r->bom);
    size_t documents = 0;
    for (bool more = true; more && !r->stopped;) {
        yaml_event_t e;
        if (!yaml_parser_parse(&p, &e)) {
            syntax_error(r, &p);
            break;
        }
        event(r, &e, &documents);
        more = e.type != YAML_STREAM_END_EVENT;
        yaml_event_delete(&e);
    }
    yaml_parser_delete(&p);
}

bool yaml_parse(struct arena *a, const struct source *src, const struct yaml_limits *limits, const struct val **ret, struct err *err) {
    struct reader r = {.arena = a, .src = src, .err = err, .limits = limits ? limits : &yaml_default_limits, .anchors = map_new(a)};
    const size_t errors = err->nerrors;
    if (src->len > r.limits->max_bytes) {
        err_add(err, mark_whole(src), "too-large", "the file has %zu bytes, and more than %zu are not read", src->len, r.limits->max_bytes);
        return false;
    }
    if (!bytes_fine(&r))
        return false;
    find_lines(&r);
    r.stack = arena_array(a, struct frame, r.limits->max_depth + 1);
    parse(&r);
    if (err->nerrors == errors && val_is_null(r.root))
        err_add(err, mark_whole(src), "empty-file", "there is nothing in it");
    if (err->nerrors != errors)
        return false;
    *ret = r.root;
    return true;
}
