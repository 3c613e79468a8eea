/* Binding: inputs and probes in the order of what they read, each asked once, each fault told once. */
#include "plan_kit.h"

struct binding {
    const struct runbook *rb;
    struct model *state;
    struct bind *b;
    const struct bind_want *wants;
    size_t n;
};

static struct binding begin(struct kit *k, const char *body, const char *given) {
    kit_file(k, "runbooks/x/t.yaml", kit_runbook(k, body));
    struct binding t = {.state = model_new(k->box)};
    struct loader *ld = kit_loader(k);
    if (!runbook_load(ld, "x/t", mark_none(), &t.rb, k->err))
        fail_msg("%s", kit_errors(k));
    const struct bind_spec spec = {.ld = ld, .rb = t.rb, .given = given ? kit_json(k, given) : NULL, .state = t.state};
    t.b = bind_new(k->a, &spec);
    return t;
}

static enum bind_status step(struct kit *k, struct binding *t) {
    return bind_step(t->b, &t->wants, &t->n, k->err);
}

static const char one_part[] = "state: { demo: { probe: demo.cluster } }\nsteps: [ { command: [a] } ]\n";
static const char a_cluster[] = "{\"held\":true,\"n\":3,\"members\":{\"a\":{\"name\":\"a\"}}}";

static void what_is_given_wins_over_the_default(void **state) {
    struct kit *k = *state;
    struct binding t = begin(k, "inputs: { a: { type: integer, default: 1 }, b: { type: integer, default: 2 }, c: { type: string } }\nsteps: [ { command: [a] } ]\n",
                             "{\"a\":\"7\"}");
    assert_int_equal(step(k, &t), BIND_DONE);
    assert_string_equal(kit_text(k, bind_inputs(t.b)), "{\"a\":7,\"b\":2,\"c\":null}");
    assert_string_equal(bind_origin(t.b, "a"), "given");
    assert_string_equal(bind_origin(t.b, "b"), "default");
    assert_false(bind_from_state(t.b, "a"));
    model_free(t.state);
}

static void a_default_may_read_the_state_and_other_inputs_in_any_order(void **state) {
    struct kit *k = *state;
    struct binding t = begin(k, arena_printf(k->a, "inputs:\n  a: { type: integer, default: '${{ inputs.b + 1 }}' }\n  b: { type: integer, default: '${{ state.demo.n }}' }\n"
                                                   "  c: { type: integer, default: 5 }\n%s", one_part), NULL);
    assert_int_equal(step(k, &t), BIND_WANTS);
    assert_int_equal(t.n, 1);
    assert_string_equal(t.wants[0].part->name, "demo");
    bind_observed(t.b, t.wants[0].part, kit_json(k, a_cluster));
    assert_int_equal(step(k, &t), BIND_DONE);
    assert_string_equal(kit_text(k, bind_inputs(t.b)), "{\"a\":4,\"b\":3,\"c\":5}");
    assert_true(bind_from_state(t.b, "a") && bind_from_state(t.b, "b") && !bind_from_state(t.b, "c"));
    model_free(t.state);
}

static void a_probe_is_asked_once_and_when_its_inputs_are_known(void **state) {
    struct kit *k = *state;
    struct binding t = begin(k, "inputs: { q: { type: boolean, default: '${{ state.one.held }}' } }\n"
                                "state:\n  two: { probe: demo.cluster, with: { quick: '${{ inputs.q }}' } }\n  one: { probe: demo.cluster }\n"
                                "steps: [ { command: [a] } ]\n", NULL);
    assert_int_equal(step(k, &t), BIND_WANTS);
    assert_int_equal(t.n, 1);
    assert_string_equal(t.wants[0].part->name, "one");
    const struct part *one = t.wants[0].part;
    assert_int_equal(step(k, &t), BIND_WANTS); /* its answer is on the way */
    assert_int_equal(t.n, 0);
    bind_observed(t.b, one, kit_json(k, a_cluster));
    assert_int_equal(step(k, &t), BIND_WANTS);
    assert_int_equal(t.n, 1);
    assert_string_equal(t.wants[0].part->name, "two");
    assert_string_equal(kit_text(k, t.wants[0].with), "{\"quick\":true}");
    bind_observed(t.b, t.wants[0].part, kit_json(k, a_cluster));
    assert_int_equal(step(k, &t), BIND_DONE);
    assert_true(model_has(t.state, "one") && model_has(t.state, "two"));
    model_free(t.state);
}

static void what_is_observed_already_is_not_asked_for(void **state) {
    struct kit *k = *state;
    kit_file(k, "runbooks/x/t.yaml", kit_runbook(k, one_part));
    struct loader *ld = kit_loader(k);
    const struct runbook *rb;
    assert_true(runbook_load(ld, "x/t", mark_none(), &rb, k->err));
    struct model *m = model_new(k->box);
    model_set(m, "demo", kit_json(k, a_cluster));
    const struct bind_spec spec = {.ld = ld, .rb = rb, .state = m};
    struct binding t = {.rb = rb, .state = m, .b = bind_new(k->a, &spec)};
    assert_int_equal(step(k, &t), BIND_DONE);
    model_free(m);
}

static void nothing_is_probed_for_inputs_that_cannot_be_bound(void **state) {
    static const struct {
        const char *inputs, *given, *says;
        int errors;
    } cases[] = {
        {"a: { type: integer, required: true }", NULL, "give it with --input a=…", 1},
        {"a: { type: secret, from: prompt }", NULL, "is required and was not given", 1},
        {"a: { type: integer }", "{\"b\":1}", "unknown input 'b' of x/t", 1},
        {"abc: { type: integer }", "{\"acb\":1}", "did you mean 'abc'?", 1},
        {"a: { type: integer }", "{\"a\":\"x\"}", "must be an integer", 1},
        /* what depends on it is left alone */
        {"a: { type: integer }, b: { type: integer, default: '${{ inputs.a + 1 }}' }", "{\"a\":\"x\"}", "must be an integer", 1},
        {"a: { type: integer, required: true }, b: { type: integer, required: true }", NULL, "the input 'b'", 2},
        {"a: { type: integer, default: '${{ \"x\" }}' }", NULL, "while working out the default of the input 'a' of x/t", 1},
        {"a: { type: integer, default: '${{ 1 + {} }}' }", NULL, "while working out the default of the input 'a' of x/t", 1},
        {"a: { type: node, default: '${{ \"n\" .. 9 }}' }", NULL, "accepted: n1, n2", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        void *one = NULL;
        kit_setup(&one);
        struct kit *k = one;
        struct binding t = begin(k, arena_printf(k->a, "inputs: { %s }\n%s", cases[i].inputs, one_part), cases[i].given);
        assert_int_equal(step(k, &t), BIND_FAILED);
        const size_t n = k->err->nerrors;
        const char *text = kit_errors(k);
        assert_has(text, cases[i].says);
        if (n != (size_t)cases[i].errors)
            fail_msg("%zu errors:\n%s", n, text);
        model_free(t.state);
        kit_teardown(&one);
    }
    (void)state;
}

static void a_default_that_reads_what_was_not_observed_asks_for_the_input(void **state) {
    struct kit *k = *state;
    struct binding t = begin(k, arena_printf(k->a, "inputs: { a: { type: integer, default: '${{ state.demo.n }}' } }\n%s", one_part), NULL);
    assert_int_equal(step(k, &t), BIND_WANTS);
    struct val *seen = val_map_new(k->a);
    val_map_set(k->a, seen, "n", val_unobserved(k->a, "n2: connection refused"));
    bind_observed(t.b, t.wants[0].part, seen);
    assert_int_equal(step(k, &t), BIND_FAILED);
    const char *text = kit_errors(k);
    assert_has(text, "n2: connection refused");
    assert_has(text, "give it with --input a=…");
    model_free(t.state);
}

static void what_is_given_spares_the_fact_that_was_not_observed(void **state) {
    struct kit *k = *state;
    struct binding t = begin(k, arena_printf(k->a, "inputs: { a: { type: integer, default: '${{ state.demo.n }}' } }\n%s", one_part), "{\"a\":5}");
    assert_int_equal(step(k, &t), BIND_WANTS);
    struct val *seen = val_map_new(k->a);
    val_map_set(k->a, seen, "n", val_unobserved(k->a, "n2: connection refused"));
    bind_observed(t.b, t.wants[0].part, seen);
    assert_int_equal(step(k, &t), BIND_DONE);
    assert_string_equal(kit_text(k, bind_inputs(t.b)), "{\"a\":5}");
    model_free(t.state);
}

static void a_secret_stays_one_in_what_reads_it(void **state) {
    struct kit *k = *state;
    struct binding t = begin(k, "inputs: { p: { type: secret, from: prompt }, q: { type: string, default: 'x ${{ inputs.p }}' } }\nsteps: [ { command: [a] } ]\n",
                             "{\"p\":\"hunter2\"}");
    assert_int_equal(step(k, &t), BIND_DONE);
    assert_true(val_get(bind_inputs(t.b), "p")->secret && val_get(bind_inputs(t.b), "q")->secret);
    model_free(t.state);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        KIT_TEST(what_is_given_wins_over_the_default),
        KIT_TEST(a_default_may_read_the_state_and_other_inputs_in_any_order),
        KIT_TEST(a_probe_is_asked_once_and_when_its_inputs_are_known),
        KIT_TEST(what_is_observed_already_is_not_asked_for),
        KIT_TEST(nothing_is_probed_for_inputs_that_cannot_be_bound),
        KIT_TEST(a_default_that_reads_what_was_not_observed_asks_for_the_input),
        KIT_TEST(what_is_given_spares_the_fact_that_was_not_observed),
        KIT_TEST(a_secret_stays_one_in_what_reads_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
