#include "store/move.h"

#include "base/sha256.h"
#include "value/json.h"

#include <string.h>

void move_digest(const char *const *records, size_t n, char ret_hex[65]) {
    struct sha256 s;
    sha256_init(&s);
    for (size_t i = 0; i < n; i++) {
        sha256_add(&s, records[i], strlen(records[i]));
        sha256_add(&s, "\n", 1);
    }
    sha256_end(&s, ret_hex);
}

void move_print(const char *run_id, const char *const *records, size_t n, struct buf *out) {
    char hex[65];
    const size_t since = out->len;
    buf_printf(out, "{\"type\":\"export\",\"format\":\"" MOVE_FORMAT "\",\"run\":\"%s\",\"records\":%zu}\n", run_id, n);
    for (size_t i = 0; i < n; i++)
        buf_printf(out, "%s\n", records[i]);
    sha256_hex(out->data + since, out->len - since, hex);
    buf_printf(out, "{\"type\":\"end\",\"sha256\":\"%s\"}\n", hex);
}

/* ---- reading one ---- */

static bool refuse(struct err *err, const struct source *src, size_t line, const char *code, const char *hint, const char *what) {
    const struct mark at = {.src = src, .line = (uint32_t)line, .col = 1, .len = 1};
    struct diag *d = err_add(err, line ? at : mark_whole(src), code, "%s", what);
    if (hint)
        diag_hint(err, d, "%s", hint);
    return false;
}

static const char again[] = "export it once more, and carry it as it is";

/* The next line, as JSON of a map; *at goes on behind it. false at the end, or for a line without an end. */
static bool next_line(struct arena *a, const struct source *src, size_t *at, const char **ret, const struct val **ret_v) {
    const char *s = src->text + *at, *end = memchr(s, '\n', src->len - *at);
    if (!end)
        return false;
    *ret = arena_strndup(a, s, (size_t)(end - s));
    *at += (size_t)(end + 1 - s);
    if (!json_parse(a, src->name, *ret, (size_t)(end - s), ret_v, err_new(a)) || !val_is(*ret_v, VAL_MAP))
        *ret_v = NULL;
    return true;
}

static bool is_type(const struct val *v, const char *type) {
    return !strcmp(val_get_str(v, "type", ""), type);
}

static bool read_head(struct arena *a, const struct source *src, size_t *at, struct moved *ret, struct err *err) {
    const char *line;
    const struct val *v = NULL;
    if (!next_line(a, src, at, &line, &v) || !is_type(v, "export"))
        return refuse(err, src, src->len ? 1 : 0, "not-an-export", "`quorate export RUN > FILE` makes one", "this is no exported run");
    const char *format = val_get_str(v, "format", "?");
    if (strncmp(format, MOVE_FORMAT, strcspn(MOVE_FORMAT, ".") + 1) != 0)
        return refuse(err, src, 1, "export-format", "use the version of the program that wrote it, or a newer one",
                      arena_printf(err->arena, "the file has the format %s, and this program knows " MOVE_FORMAT, format));
    const int64_t n = val_get_int(v, "records", -1);
    ret->run_id = val_get_str(v, "run", "");
    if (!store_is_run_id(ret->run_id) || n < 0 || (uint64_t)n > src->len)
        return refuse(err, src, 1, "export-damaged", again, "the first line does not say which run it is, and how many records it has");
    ret->n = (size_t)n;
    return true;
}

bool move_parse(struct arena *a, const struct source *src, struct moved *ret, struct err *err) {
    size_t at = 0;
    const char *line;
    const struct val *v = NULL;
    struct moved m = {0};
    if (!read_head(a, src, &at, &m, err))
        return false;
    m.records = arena_array(a, const char *, m.n + 1);
    for (size_t i = 0; i < m.n; i++) {
        if (!next_line(a, src, &at, &m.records[i], &v))
            return refuse(err, src, 0, "export-truncated", again, arena_printf(err->arena, "the file ends in its record %zu of %zu", i + 1, m.n));
        if (!v)
            return refuse(err, src, i + 2, "export-damaged", again, "this line is no record");
    }
    char hex[65];
    sha256_hex(src->text, at, hex);
    if (!next_line(a, src, &at, &line, &v))
        return refuse(err, src, 0, "export-truncated", again, "the file has no last line with its checksum");
    if (!is_type(v, "end"))
        return refuse(err, src, m.n + 2, "export-damaged", again, "here should be the line with the checksum");
    const char *said = val_get_str(v, "sha256", "");
    if (strcmp(said, hex)) {
        refuse(err, src, m.n + 2, "export-damaged", again, "the file is not what was exported");
        diag_note(err, err->last, "SHA-256 as exported: %s", said);
        diag_note(err, err->last, "SHA-256 of what is here: %s", hex);
        return false;
    }
    if (at != src->len)
        return refuse(err, src, m.n + 3, "export-damaged", again, "something follows the line with the checksum");
    move_digest(m.records, m.n, m.digest);
    *ret = m;
    return true;
}
