#include "cmd/cmd.h"

#include "ui/asker.h"
#include "value/file.h"
#include "value/yaml.h"

#include <stdlib.h>
#include <string.h>

static const size_t max_input = 16 << 20; /* bytes of a file with inputs */

static bool read_yaml(struct ctx *c, const char *path, const struct val **ret) {
    const struct source *src;
    return file_read(c->arena, path, NULL, max_input, &src, c->err) && yaml_parse(c->arena, src, NULL, ret, c->err);
}

static void take_map(struct ctx *c, struct val *given, const struct val *from) {
    for (size_t i = 0; i < val_len(from) && from->kind == VAL_MAP; i++)
        val_map_set_marked(c->arena, given, from->map.pairs[i].key, from->map.pairs[i].mark, from->map.pairs[i].val);
}

/* NAME=VALUE; the mark points into the word, so that errors can quote it. */
static bool take_word(struct ctx *c, struct val *given, const char *word) {
    const char *eq = strchr(word, '=');
    const struct source *src = source_new(c->arena, "--input", word, strlen(word));
    if (!eq || eq == word) {
        struct diag *d = err_add(c->err, mark_at(src, 0, strlen(word)), "usage", "--input wants NAME=VALUE");
        diag_hint(c->err, d, "as in --input managers=3");
        return false;
    }
    const char *name = arena_strndup(c->arena, word, (size_t)(eq - word));
    const struct val *v;
    if (eq[1] == '@') {
        if (!read_yaml(c, eq + 2, &v))
            return false;
    } else {
        struct val *text = (struct val *)(uintptr_t)val_str(c->arena, eq + 1);
        text->mark = mark_at(src, (size_t)(eq + 1 - word), strlen(eq + 1) ? strlen(eq + 1) : 1);
        v = text;
    }
    val_map_set_marked(c->arena, given, name, mark_at(src, 0, strlen(name)), v);
    return true;
}

/* The first source of `from` that has the value. *ret stays NULL if none has. */
static bool take_from(struct ctx *c, const struct input *in, const struct val **ret) {
    for (size_t i = 0; i < val_len(in->from); i++) {
        const char *from = val_cstr(val_at(in->from, i));
        const struct val *v = NULL;
        if (!strncmp(from, "env:", 4)) {
            const char *s = getenv(from + 4);
            v = s ? val_str(c->arena, s) : NULL;
        } else if (!strncmp(from, "file:", 5)) {
            const char *path = path_join(c->arena, c->site ? c->site->dir : ".", from + 5);
            const struct source *src;
            struct err *quiet = err_new(c->arena);
            if (!strcmp(in->type, "secret")) {
                if (file_read(c->arena, path, NULL, max_input, &src, quiet)) {
                    size_t n = src->len;
                    while (n && (src->text[n - 1] == '\n' || src->text[n - 1] == '\r'))
                        n--;
                    v = val_strn(c->arena, src->text, n);
                }
            } else if (!read_yaml(c, path, &v)) {
                return false;
            }
        } else if (!strcmp(from, "prompt")) {
            const char *s = asker_secret(c->arena, in->name);
            v = s ? val_str(c->arena, s) : NULL;
        }
        if (v) {
            *ret = strcmp(in->type, "secret") ? v : val_secret(c->arena, v);
            return true;
        }
    }
    return true;
}

bool inputs_given(struct ctx *c, const struct runbook *rb, const struct val **ret) {
    struct val *given = val_map_new(c->arena);
    bool ok = true;
    if (c->site)
        take_map(c, given, val_get(c->site->inputs, rb->name));
    if (c->opt.inputs_file) {
        const struct val *v;
        if (!read_yaml(c, c->opt.inputs_file, &v))
            return false;
        if (!val_is(v, VAL_MAP)) {
            err_add(c->err, v->mark, "wrong-type", "inputs are a map from names to values, and this is %s", val_kind_name(v->kind));
            return false;
        }
        take_map(c, given, v);
    }
    for (size_t i = 0; i < c->opt.inputs.n; i++)
        ok &= take_word(c, given, c->opt.inputs.items[i]);
    for (size_t i = 0; ok && i < rb->ninputs; i++) {
        const struct input *in = &rb->inputs[i];
        const struct val *v = NULL;
        if (val_get(given, in->name) || !in->from)
            continue;
        ok = take_from(c, in, &v);
        if (v)
            val_map_set(c->arena, given, in->name, v);
    }
    *ret = given;
    return ok;
}
