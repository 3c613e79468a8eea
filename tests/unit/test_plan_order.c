/* A plan does not depend on luck: not on the order of keys in what was observed, nor on anything that differs from run to run. */
#include "cmd/cmd.h"
#include "ui/plan_print.h"
#include "value/file.h"
#include "value/json.h"
#include "value/yaml.h"
#include "value/yaml_print.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static uint32_t next(uint32_t *seed) {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

/* The same value with the keys of every map in another order. */
static const struct val *shuffled(struct arena *a, const struct val *v, uint32_t *seed) {
    if (v->kind == VAL_LIST) {
        struct val *list = val_list_new(a);
        for (size_t i = 0; i < val_len(v); i++)
            val_list_add(a, list, shuffled(a, val_at(v, i), seed));
        return list;
    }
    if (v->kind != VAL_MAP)
        return v;
    const size_t n = val_len(v);
    size_t *order = arena_array(a, size_t, n + 1);
    for (size_t i = 0; i < n; i++)
        order[i] = i;
    for (size_t i = n; i > 1; i--) {
        const size_t k = next(seed) % i, kept = order[k];
        order[k] = order[i - 1];
        order[i - 1] = kept;
    }
    struct val *map = val_map_new(a);
    for (size_t i = 0; i < n; i++)
        val_map_set(a, map, v->map.pairs[order[i]].key, shuffled(a, v->map.pairs[order[i]].val, seed));
    return map;
}

static char *plan_text(const char *runbook, const char *world, const char *const *inputs, size_t ninputs) {
    struct arena *a = arena_new();
    struct ctx c = {.arena = a, .err = err_new(a)};
    c.opt.world = world;
    c.opt.inputs.items = (const char **)(uintptr_t)inputs;
    c.opt.inputs.n = ninputs;
    struct prepared p;
    const bool ok = ctx_language(&c) && ctx_world(&c, false) && prepare(&c, runbook, &p);
    if (!ok)
        ctx_report(&c);
    assert_true(ok);
    struct buf b = BUF_INIT;
    plan_print_text(p.plan, c.site, c.style, true, &b);
    char *text = mem_strdup(b.data);
    buf_done(&b);
    prepared_free(&p);
    ctx_close(&c);
    arena_free(a);
    return text;
}

static void same_plan_in_any_order(const char *runbook, const char *world, int times) {
    struct arena *a = arena_new();
    struct err *err = err_new(a);
    const struct source *src;
    const struct val *v = NULL;
    char file[] = "/tmp/quorate-order-XXXXXX";
    const int fd = mkstemp(file);
    assert_true(fd >= 0);
    close(fd);
    assert_true(file_read(a, world, NULL, 1 << 20, &src, err) && yaml_parse(a, src, NULL, &v, err));
    char *first = plan_text(runbook, world, NULL, 0);
    assert_non_null(strstr(first, "states"));
    uint32_t seed = 20261123;
    for (int i = 0; i < times; i++) {
        struct buf b = BUF_INIT;
        yaml_print(shuffled(a, v, &seed), &b);
        FILE *f = fopen(file, "w");
        assert_non_null(f);
        assert_int_equal(fwrite(b.data, 1, b.len, f), b.len);
        fclose(f);
        buf_done(&b);
        char *again = plan_text(runbook, file, NULL, 0);
        if (strcmp(first, again) != 0)
            print_error("%s on %s, order %d:\n%s\nis not\n%s\n", runbook, world, i, again, first);
        assert_string_equal(first, again);
        free(again);
    }
    free(first);
    unlink(file);
    arena_free(a);
}

static int times(void) {
    return getenv("QUORATE_FEW") ? 3 : 100;
}

static void a_hundred_orders_of_a_swarm_give_the_same_plan(void **state) {
    (void)state;
    same_plan_in_any_order("swarm/recover-quorum", "runbooks/swarm/worlds/five-lost-three.yaml", times());
}

static void a_hundred_orders_of_dtr_give_the_same_plan(void **state) {
    (void)state;
    same_plan_in_any_order("tests/cases/plan/safe/dtr-remove-before-join.yaml", "runbooks/dtr/worlds/cut-3-2.yaml", times());
}

static void a_hundred_orders_give_the_same_counterexample(void **state) {
    (void)state;
    same_plan_in_any_order("tests/cases/plan/unsafe/dtr-join-before-remove.yaml", "runbooks/dtr/worlds/cut-3-2.yaml", times());
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hundred_orders_of_a_swarm_give_the_same_plan),
        cmocka_unit_test(a_hundred_orders_of_dtr_give_the_same_plan),
        cmocka_unit_test(a_hundred_orders_give_the_same_counterexample),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
