/* Advice: which runbooks apply on a state, why the others do not, and what cannot be told. */
#include "plan_kit.h"

#include "plan/advise.h"

static void book(struct kit *k, const char *name, const char *body) {
    kit_file(k, arena_printf(k->a, "runbooks/%s.yaml", name), arena_printf(k->a, "runbook: %s\nversion: 1.0.0\ntitle: T of %s\n%ssteps: [ { command: [a] } ]\n", name, name, body));
}

static const char reads_demo[] = "state: { demo: { probe: demo.cluster } }\n";

/* "kind name: message", one line each. */
static const char *told(struct kit *k, struct loader *ld, struct model *m) {
    const struct advisor *ad = advise_load(ld);
    size_t n;
    const struct advise_spec spec = {.state = m, .site = val_map_new(k->a), .run = val_map_new(k->a)};
    const struct advice *list = advise_on(k->a, ad, &spec, &n);
    struct buf b = BUF_INIT;
    for (size_t i = 0; i < n; i++)
        buf_printf(&b, "%s %s%s%s\n", advice_kind_name(list[i].kind), list[i].name, list[i].message ? ": " : "", list[i].message ? list[i].message : "");
    const char *s = arena_strdup(k->a, b.data);
    buf_done(&b);
    assert_int_equal(k->err->nerrors, 0);
    return s;
}

static struct model *state_of(struct kit *k, const char *part, const char *json) {
    struct model *m = model_new(k->box);
    if (part)
        model_set(m, part, kit_json(k, json));
    return m;
}

static const char healthy[] = "{\"held\":true,\"n\":3,\"members\":{}}", lost[] = "{\"held\":false,\"n\":1,\"members\":{}}";

static void a_runbook_applies_when_all_that_it_demands_holds_and_else_says_what_does_not(void **state) {
    struct kit *k = *state;
    book(k, "demo/mend", arena_printf(k->a, "%spreconditions:\n  - { check: not state.demo.held, message: It is healthy. }\n  - { check: state.demo.n > 0, message: 'Nobody of ${{ state.demo.n }}.' }\n", reads_demo));
    book(k, "demo/tidy", arena_printf(k->a, "requires: [demo.quorum]\n%spreconditions: [ { check: state.demo.n == 3, message: Not three. } ]\n", reads_demo));
    struct loader *ld = kit_loader(k);
    struct model *m = state_of(k, "demo", healthy);
    assert_string_equal(told(k, ld, m), "not demo/mend: It is healthy.\napplies demo/tidy\n");
    model_set(m, "demo", kit_json(k, lost));
    assert_string_equal(told(k, ld, m), "applies demo/mend\nnot demo/tidy: demo.quorum is required, and does not hold: too few\n");
    model_set(m, "demo", kit_json(k, "{\"held\":false,\"n\":0,\"members\":{}}"));
    assert_has(told(k, ld, m), "not demo/mend: Nobody of 0.\n");
    model_free(m);
}

static void a_part_that_is_not_observed_is_told_and_hides_no_other_runbook(void **state) {
    struct kit *k = *state;
    book(k, "a/one", "state: { other: { probe: demo.cluster } }\npreconditions: [ { check: state.other.held, message: M. } ]\n");
    book(k, "z/two", arena_printf(k->a, "%spreconditions: [ { check: state.demo.held, message: M. } ]\n", reads_demo));
    struct loader *ld = kit_loader(k);
    struct model *m = state_of(k, "demo", healthy);
    assert_string_equal(told(k, ld, m), "applies z/two\nuntold a/one: state.other is not observed\n");
    model_free(m);
}

static void a_fact_that_could_not_be_observed_makes_it_untold_unless_something_fails_for_sure(void **state) {
    struct kit *k = *state;
    book(k, "a/untold", arena_printf(k->a, "%spreconditions: [ { check: state.demo.held, message: M. }, { check: state.demo.n == 3, message: Not three. } ]\n", reads_demo));
    struct loader *ld = kit_loader(k);
    struct model *m = state_of(k, "demo", "{\"held\":{\"$unobserved\":\"n2: refused\"},\"n\":3,\"members\":{}}");
    assert_has(told(k, ld, m), "untold a/untold: n2: refused");
    model_set(m, "demo", kit_json(k, "{\"held\":{\"$unobserved\":\"n2: refused\"},\"n\":2,\"members\":{}}"));
    assert_string_equal(told(k, ld, m), "not a/untold: Not three.\n");
    model_set(m, "demo", kit_json(k, "{\"$unobserved\":\"demo.cluster: no route\"}"));
    assert_has(told(k, ld, m), "untold a/untold: demo.cluster: no route");
    model_free(m);
}

static void a_required_input_stands_in_the_way_only_of_what_reads_it(void **state) {
    struct kit *k = *state;
    const char *inputs = "inputs: { who: { type: node, required: true }, key: { type: secret }, also: { type: string, default: 'x${{ inputs.who }}' } }\n";
    book(k, "a/reads", arena_printf(k->a, "%spreconditions: [ { check: inputs.who == 'n1', message: M. } ]\n", inputs));
    book(k, "b/reads-through", arena_printf(k->a, "%spreconditions: [ { check: inputs.also == 'xn1', message: M. } ]\n", inputs));
    book(k, "c/does-not", arena_printf(k->a, "%s%spreconditions: [ { check: state.demo.held, message: M. } ]\n", inputs, reads_demo));
    struct loader *ld = kit_loader(k);
    struct model *m = state_of(k, "demo", healthy);
    assert_string_equal(told(k, ld, m), "applies c/does-not\nuntold a/reads: input who is required\nuntold b/reads-through: input who is required\n");
    model_free(m);
}

static void the_inputs_of_the_site_count_as_in_a_plan(void **state) {
    struct kit *k = *state;
    book(k, "a/b", "inputs: { who: { type: node, required: true } }\npreconditions: [ { check: inputs.who == 'n1', message: M. } ]\n");
    struct loader *ld = kit_loader(k);
    ((struct site *)(uintptr_t)ld->site)->inputs = kit_json(k, "{\"a/b\":{\"who\":\"n1\"}}");
    struct model *m = state_of(k, NULL, NULL);
    assert_string_equal(told(k, ld, m), "applies a/b\n");
    ((struct site *)(uintptr_t)ld->site)->inputs = kit_json(k, "{\"a/b\":{\"wo\":\"n1\"}}");
    assert_has(told(k, ld, m), "untold a/b: unknown input 'wo' of a/b");
    model_free(m);
}

static void a_broken_runbook_is_told_with_its_place_and_stops_nothing(void **state) {
    struct kit *k = *state;
    kit_file(k, "runbooks/a/broken.yaml", "runbook: a/broken\nversion: 1.0.0\ntitle: T\nsteps: [ { uses: demo.nothing } ]\n");
    book(k, "b/fails", arena_printf(k->a, "%spreconditions: [ { check: state.demo.n < state.demo.members, message: M. } ]\n", reads_demo));
    book(k, "c/fine", arena_printf(k->a, "%spreconditions: [ { check: state.demo.held, message: M. } ]\n", reads_demo));
    struct loader *ld = kit_loader(k);
    struct model *m = state_of(k, "demo", healthy);
    const char *text = told(k, ld, m);
    assert_has(text, "broken a/broken: runbooks/a/broken.yaml:4:");
    assert_has(text, "unknown action 'demo.nothing'");
    assert_has(text, "untold b/fails: ");
    assert_has(text, "applies c/fine");
    model_free(m);
}

static void the_order_is_that_of_the_layers_and_a_runbook_stands_with_its_highest(void **state) {
    struct kit *k = *state;
    const char *pre = "preconditions: [ { check: 1 == 1, message: M. } ]\n";
    book(k, "a/own", arena_printf(k->a, "state: { aaa: { probe: demo.cluster } }\n%s", pre));
    book(k, "b/dtr", arena_printf(k->a, "state: { swarm: { probe: demo.cluster }, dtr: { probe: demo.cluster }, ucp: { probe: demo.cluster } }\n%s", pre));
    book(k, "c/ucp", arena_printf(k->a, "state: { ucp: { probe: demo.cluster }, swarm: { probe: demo.cluster } }\n%s", pre));
    book(k, "e/swarm", arena_printf(k->a, "state: { swarm: { probe: demo.cluster } }\n%s", pre));
    book(k, "d/swarm", arena_printf(k->a, "state: { swarm: { probe: demo.cluster } }\n%s", pre));
    book(k, "a/none", pre);
    struct loader *ld = kit_loader(k);
    struct model *m = state_of(k, "swarm", healthy);
    model_set(m, "ucp", kit_json(k, healthy));
    model_set(m, "dtr", kit_json(k, healthy));
    model_set(m, "aaa", kit_json(k, healthy));
    assert_string_equal(told(k, ld, m), "applies d/swarm\napplies e/swarm\napplies c/ucp\napplies b/dtr\napplies a/own\napplies a/none\n");
    model_free(m);
}

static void one_without_preconditions_is_no_advice(void **state) {
    struct kit *k = *state;
    book(k, "a/b", "");
    book(k, "a/c", arena_printf(k->a, "%spreconditions: [ { check: state.demo.held, message: M. } ]\n", reads_demo));
    struct loader *ld = kit_loader(k);
    struct model *m = state_of(k, "demo", healthy);
    assert_string_equal(told(k, ld, m), "applies a/c\nanytime a/b\n");
    const struct advise_spec spec = {.state = m};
    const char *const *names;
    assert_int_equal(advise_names(k->a, advise_load(ld), &spec, &names), 1);
    assert_string_equal(names[0], "a/c");
    model_free(m);
}

static void a_part_that_was_observed_by_another_probe_is_not_taken_for_it(void **state) {
    struct kit *k = *state;
    kit_file(k, "stdlib/demo/second.lua", kit_cluster);
    book(k, "a/b", "state: { demo: { probe: demo.second } }\npreconditions: [ { check: state.demo.held, message: M. } ]\n");
    book(k, "a/c", arena_printf(k->a, "%spreconditions: [ { check: state.demo.held, message: M. } ]\n", reads_demo));
    struct loader *ld = kit_loader(k);
    const struct advisor *ad = advise_load(ld);
    const struct runbook *const *books;
    assert_int_equal(advise_runbooks(ad, &books), 2);
    struct model *m = state_of(k, "demo", healthy);
    size_t n;
    const struct advise_spec spec = {.state = m, .parts = books[1]->parts, .nparts = 1};
    const struct advice *list = advise_on(k->a, ad, &spec, &n);
    assert_string_equal(list[0].message, "it observes state.demo by demo.second, which was observed by demo.cluster");
    assert_int_equal(list[1].kind, ADVICE_APPLIES);
    model_free(m);
}

static void asking_changes_no_state_and_may_be_repeated(void **state) {
    struct kit *k = *state;
    book(k, "a/c", arena_printf(k->a, "inputs: { n: { type: integer, default: '${{ state.demo.n }}' } }\n%spreconditions: [ { check: inputs.n == 3, message: 'Not ${{ inputs.n }}.' } ]\n", reads_demo));
    struct loader *ld = kit_loader(k);
    const struct advisor *ad = advise_load(ld);
    struct model *m = state_of(k, "demo", healthy);
    uint64_t before[2], after[2];
    model_hash(m, before);
    const struct advise_spec spec = {.state = m};
    size_t n;
    for (int i = 0; i < 100; i++)
        assert_int_equal(advise_on(k->a, ad, &spec, &n)[0].kind, ADVICE_APPLIES);
    model_hash(m, after);
    assert_memory_equal(before, after, sizeof before);
    model_set(m, "demo", kit_json(k, lost));
    assert_string_equal(advise_on(k->a, ad, &spec, &n)[0].message, "Not 1.");
    model_free(m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        KIT_TEST(a_runbook_applies_when_all_that_it_demands_holds_and_else_says_what_does_not),
        KIT_TEST(a_part_that_is_not_observed_is_told_and_hides_no_other_runbook),
        KIT_TEST(a_fact_that_could_not_be_observed_makes_it_untold_unless_something_fails_for_sure),
        KIT_TEST(a_required_input_stands_in_the_way_only_of_what_reads_it),
        KIT_TEST(the_inputs_of_the_site_count_as_in_a_plan),
        KIT_TEST(a_broken_runbook_is_told_with_its_place_and_stops_nothing),
        KIT_TEST(the_order_is_that_of_the_layers_and_a_runbook_stands_with_its_highest),
        KIT_TEST(one_without_preconditions_is_no_advice),
        KIT_TEST(a_part_that_was_observed_by_another_probe_is_not_taken_for_it),
        KIT_TEST(asking_changes_no_state_and_may_be_repeated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
