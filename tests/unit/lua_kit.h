/* lua_kit.h: what the tests of lua/ share: a box, and a library made from texts. */
#ifndef TESTS_LUA_KIT_H
#define TESTS_LUA_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lua/box.h"
#include "lua/expr.h"
#include "lua/library.h"
#include "lua/lval.h"
#include "lua/model.h"
#include "value/json.h"
#include "value/yaml.h"

#include <lauxlib.h>
#include <lua.h>

struct kit {
    struct arena *a;
    struct err *err;
    struct box *box;
    struct files *files;
    struct library *lib;
    struct embedded_file table[24];
    size_t n;
    const char *dir; /* somebody's own folder, before what is embedded; or NULL */
};

static inline void kit_file(struct kit *k, const char *name, const char *text) {
    assert_true(k->n + 1 < sizeof k->table / sizeof *k->table);
    k->table[k->n++] = (struct embedded_file){name, (const unsigned char *)text, (const unsigned char *)text + strlen(text)};
    k->table[k->n] = (struct embedded_file){0};
}

/* Call after the files were given. */
static inline void kit_library(struct kit *k) {
    k->files = files_new(k->a);
    if (k->dir)
        assert_true(files_add_dir(k->files, k->dir, "", mark_none(), k->err));
    files_add_embedded(k->files, k->table);
    k->lib = library_new(k->a, k->box, k->files);
}

static inline int kit_setup(void **state) {
    struct kit *k = calloc(1, sizeof *k);
    k->a = arena_new();
    k->err = err_new(k->a);
    k->box = box_new(NULL);
    *state = k;
    return 0;
}

static inline int kit_teardown(void **state) {
    struct kit *k = *state;
    box_free(k->box);
    arena_free(k->a);
    free(k);
    return 0;
}

static inline const struct val *kit_json(struct kit *k, const char *text) {
    const struct val *v = NULL;
    assert_true(json_parse(k->a, "test", text, strlen(text), &v, k->err));
    return v;
}

static inline const char *kit_text(struct kit *k, const struct val *v) {
    struct buf b = BUF_INIT;
    json_print(v, JSON_COMPACT | JSON_SORTED, &b);
    const char *s = arena_strdup(k->a, b.data);
    buf_done(&b);
    return s;
}

/* All diagnostics as people see them; they are cleared. */
static inline const char *kit_errors(struct kit *k) {
    struct buf b = BUF_INIT;
    err_render(k->err, &b);
    const char *s = arena_strdup(k->a, b.data);
    buf_done(&b);
    k->err = err_new(k->a);
    return s;
}

static inline void assert_has(const char *text, const char *words) {
    if (!strstr(text, words))
        fail_msg("'%s' is not in:\n%s", words, text);
}

/* Evaluates and gives the result as JSON, or the name of what happened. */
static inline const char *kit_eval(struct kit *k, const struct scope *s, const char *text) {
    struct expr *e = NULL;
    const struct val *v = NULL;
    struct call_signal sig = {0};
    if (!expr_parse(k->box, k->a, text, mark_none(), &e, k->err))
        return "syntax";
    switch (expr_eval(k->box, e, s, k->a, &v, &sig, k->err)) {
    case CALL_OK:
        return kit_text(k, v);
    case CALL_UNKNOWN:
        return arena_printf(k->a, "unknown %s", sig.text);
    case CALL_UNOBSERVED:
        return arena_printf(k->a, "unobserved %s", sig.text);
    default:
        return "error";
    }
}

#define KIT_TEST(name) cmocka_unit_test_setup_teardown(name, kit_setup, kit_teardown)

#endif
