/* Promise 1: a plan cannot change the world. The engines here refuse and count every request that is not a reading one. */
#include "cmd/cmd.h"
#include "fake_engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct lab {
    char dir[64], socket[96], site[96];
    struct fake_engine *engine;
};

static int lab_up(void **state) {
    struct lab *lab = calloc(1, sizeof *lab);
    strcpy(lab->dir, "/tmp/quorate-readonly-XXXXXX");
    assert_non_null(mkdtemp(lab->dir));
    snprintf(lab->socket, sizeof lab->socket, "%s/docker.sock", lab->dir);
    snprintf(lab->site, sizeof lab->site, "%s/site.yaml", lab->dir);
    FILE *f = fopen(lab->site, "w");
    assert_non_null(f);
    fprintf(f, "site: fake\nnodes:\n  node1: { engine: \"unix://%s\", address: 10.0.0.1 }\n"
               "  node2: { engine: \"tcp://127.0.0.1:1\", address: 10.0.0.2 }\n  node3: { engine: \"tcp://127.0.0.1:1\", address: 10.0.0.3 }\n",
            lab->socket);
    fclose(f);
    lab->engine = fake_engine_start(lab->socket, "id1");
    *state = lab;
    return 0;
}

static int lab_down(void **state) {
    struct lab *lab = *state;
    fake_engine_stop(lab->engine);
    unlink(lab->site);
    rmdir(lab->dir);
    free(lab);
    return 0;
}

static void plan(const struct lab *lab, const char *runbook, const char *const *inputs, size_t ninputs) {
    struct arena *a = arena_new();
    struct ctx c = {.arena = a, .err = err_new(a)};
    c.opt.site = lab->site;
    c.opt.inputs.items = (const char **)(uintptr_t)inputs;
    c.opt.inputs.n = ninputs;
    struct prepared p;
    bool ok = ctx_language(&c) && ctx_world(&c, false) && prepare(&c, runbook, &p);
    if (!ok)
        ctx_report(&c);
    assert_true(ok);
    prepared_free(&p);
    ctx_close(&c);
    arena_free(a);
}

static void a_plan_of_a_recovery_asks_and_changes_nothing(void **state) {
    struct lab *lab = *state;
    static const char *const inputs[] = {"autolock=off"};
    plan(lab, "swarm/recover-quorum", inputs, 1);
    assert_string_equal(fake_engine_first_change(lab->engine), "");
    assert_int_equal(fake_engine_changes(lab->engine), 0);
    assert_true(fake_engine_reads(lab->engine) > 0);
}

static void a_plan_that_is_refused_changes_nothing(void **state) {
    struct lab *lab = *state;
    plan(lab, "swarm/rebalance", NULL, 0);
    assert_int_equal(fake_engine_changes(lab->engine), 0);
    assert_true(fake_engine_reads(lab->engine) > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_plan_of_a_recovery_asks_and_changes_nothing, lab_up, lab_down),
        cmocka_unit_test_setup_teardown(a_plan_that_is_refused_changes_nothing, lab_up, lab_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
