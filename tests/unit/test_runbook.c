/* A runbook from its text: what is read, what is refused, and that each fault is told once, where it is. */
#include "plan_kit.h"

#include <stdio.h>
#include <unistd.h>

static void every_key_is_read(void **state) {
    struct kit *k = *state;
    const struct runbook *rb = kit_load(k, "description: D\n"
                                           "source: { document: doc, section: S }\n"
                                           "inputs: { node: { type: node, required: true } }\n"
                                           "state: { demo: { probe: demo.cluster, with: { quick: true } } }\n"
                                           "preconditions: [ { check: state.demo.held, message: 'no ${{ inputs.node }}' } ]\n"
                                           "steps:\n"
                                           "  - id: join\n"
                                           "    title: Join\n"
                                           "    if: not state.demo.held\n"
                                           "    unless: state.demo.n > 3\n"
                                           "    verify: state.demo.held\n"
                                           "    for_each: [n1, n2]\n"
                                           "    parallel: 2\n"
                                           "    max_failures: 1\n"
                                           "    retry: { attempts: 3, delay: 2s, backoff: 1.5, max_delay: 1m }\n"
                                           "    timeout: 10m\n"
                                           "    approve: Sure?\n"
                                           "    on_failure: continue\n"
                                           "    uses: demo.join\n"
                                           "    with: { node: '${{ item }}' }\n"
                                           "    outputs: { a: 1 }\n"
                                           "  - { id: wait, wait_for: state.demo.held, every: 2s, message: M, effect: { demo.held: true } }\n"
                                           "postconditions: [ { check: true, message: m } ]\n");
    assert_non_null(rb);
    assert_string_equal(rb->name, "x/t");
    assert_string_equal(rb->description, "D");
    assert_string_equal(kit_text(k, rb->source), "{\"document\":\"doc\",\"section\":\"S\"}");
    assert_int_equal(strlen(rb->digest), 64);
    assert_int_equal(rb->nparts, 1);
    assert_string_equal(rb->parts[0].probe->name, "demo.cluster");
    assert_true(rb->npre == 1 && rb->npost == 1 && rb->pre[0].message && rb->post[0].expr);
    const struct step *st = kit_step(rb, "join");
    assert_int_equal(st->kind, STEP_ACTION);
    assert_string_equal(st->def->name, "demo.join");
    assert_true(st->title && st->cond && st->unless && st->verify && st->for_each && st->timeout && st->approve && st->with);
    assert_true(!st->try_each && st->parallel == 2 && st->max_failures == 1 && st->continue_on_failure);
    assert_true(st->retry.attempts == 3 && st->retry.delay_ms == 2000 && st->retry.backoff == 1.5 && st->retry.max_delay_ms == 60000);
    assert_string_equal(st->outputs[0].name, "a");
    const struct step *wait = kit_step(rb, "wait");
    assert_true(wait->kind == STEP_WAIT && wait->wait && wait->every_ms == 2000 && wait->message);
    assert_string_equal(wait->effects[0].path, "demo.held");
}

static void what_is_not_written_has_its_default(void **state) {
    struct kit *k = *state;
    const struct runbook *rb = kit_load(k, "state: { demo: { probe: demo.cluster } }\nsteps: [ { command: [a] }, { wait_for: state.demo.held } ]\n");
    assert_non_null(rb);
    const struct step *st = rb->all[0];
    assert_string_equal(st->id, "step-1");
    assert_true(st->kind == STEP_COMMAND && !st->on && !st->timeout && !st->continue_on_failure && st->parallel == 1 && st->max_failures == 0);
    assert_true(st->retry.attempts == 1 && st->retry.backoff == 1.0);
    assert_int_equal(rb->all[1]->every_ms, 5000);
}

static void a_capability_brings_the_part_it_needs(void **state) {
    struct kit *k = *state;
    const struct runbook *rb = kit_load(k, "requires: demo.quorum\nsteps: [ { command: [a], if: state.demo.held } ]\n");
    assert_non_null(rb);
    assert_int_equal(rb->nrequires, 1);
    assert_string_equal(rb->requires[0].capability->name, "demo.quorum");
    assert_int_equal(rb->nparts, 1);
    assert_string_equal(rb->parts[0].name, "demo");
    assert_string_equal(rb->parts[0].probe->name, "demo.cluster");
    assert_ptr_equal(runbook_part(rb, "demo"), &rb->parts[0]);
    assert_null(runbook_part(rb, "dtr"));
}

/* ---- faults ---- */

static void each_fault_has_its_place_and_its_code(void **state) {
    static const struct {
        const char *body, *says;
    } cases[] = {
        {"steps: []\n", "4:8: error: this list of steps is empty [no-steps]"},
        {"title: again\nsteps: [ { command: [a] } ]\n", "[duplicate-key]"},
        {"steps: [ { id: a } ]\n", "4:12: error: the step does nothing [no-form]"},
        {"steps: [ { command: [a], wait_for: x } ]\n", "[two-forms]"},
        {"steps: [ { command: [a], uses: demo.join } ]\n", "[two-forms]"},
        {"steps: [ { command: [] } ]\n", "[empty-command]"},
        {"steps: [ { command: [a, [b]] } ]\n", "[wrong-type]"},
        {"steps: [ { uses: demo.jion, with: { node: n1 } } ]\n", "4:18: error: unknown action 'demo.jion' [unknown-action]"},
        {"steps: [ { uses: demo.jion, with: { node: n1 } } ]\n", "did you mean 'demo.join'?"},
        {"steps: [ { uses: 'runbook:x/nix' } ]\n", "[unknown-runbook]"},
        {"steps: [ { uses: 'runbook:x/t' } ]\n", "[recursion]"},
        {"steps: [ { uses: demo.join } ]\n", "demo.join needs the input 'node' [missing-input]"},
        {"steps: [ { uses: demo.join, with: { node: n1, nod: n1 } } ]\n", "[unknown-input]"},
        {"steps: [ { uses: demo.join, with: { node: n3 } } ]\n", "[unknown-node]"},
        {"steps: [ { uses: demo.join, with: { node: n1, role: king } } ]\n", "[not-in-enum]"},
        {"steps: [ { uses: demo.join, with: { node: n1, n: '3' } } ]\n", "the input 'n' must be an integer"},
        {"steps: [ { uses: demo.join, with: { node: n1, n: -1 } } ]\n", "must be at least 0"},
        {"steps: [ { uses: demo.join, with: { node: n1, tags: 'a,b' } } ]\n", "the input 'tags' must be a list"},
        {"steps: [ { uses: demo.join, with: { node: n1, key: hunter2 } } ]\n", "[secret-literal]"},
        {"steps: [ { id: a, command: [a] }, { id: a, command: [b] } ]\n", "[duplicate-id]"},
        {"steps: [ { id: a.b, command: [a] } ]\n", "[bad-name]"},
        {"steps: [ { steps: [ { command: [a] } ], retry: { attempts: 2 } } ]\n", "'retry' goes with an action"},
        {"steps: [ { steps: [ { command: [a] } ], timeout: 5s } ]\n", "[misplaced-key]"},
        {"steps: [ { command: [a], every: 5s } ]\n", "'every' goes with 'wait_for'"},
        {"steps: [ { command: [a], parallel: 2 } ]\n", "'parallel' goes with 'for_each'"},
        {"steps: [ { command: [a], for_each: [1], try_each: [1] } ]\n", "exclude each other"},
        {"steps: [ { uses: demo.wipe, effect: { demo.n: 1 } } ]\n", "'effect' goes with"},
        {"steps: [ { command: [a], retry: { attempts: 0 } } ]\n", "[out-of-range]"},
        {"steps: [ { command: [a], retry: { attempts: 2, backoff: .nan } } ]\n", "[out-of-range]"},
        {"steps: [ { command: [a], retry: { attempts: 2, backoff: .inf } } ]\n", "[out-of-range]"},
        {"state: { demo: { probe: demo.cluster } }\nsteps: [ { wait_for: state.demo.held, every: 0s } ]\n", "[out-of-range]"},
        {"steps: [ { wait_for: 1 == 2 } ]\n", "[endless-wait]"},
        {"steps: [ { command: [a], if: '${{ true }}' } ]\n", "[needless-template]"},
        {"steps: [ { command: [a], if: 1 != 2 } ]\n", "[expr-syntax]"},
        {"steps: [ { command: [a], when: true } ]\n", "it is called 'if' here"},
        {"steps: [ { command: [a], timeout: 30 } ]\n", "30s?"},
        {"state: { demo: { probe: demo.cluster } }\nsteps: [ { command: [a], effect: { demo.nn: 1 } } ]\n", "state.demo has no 'nn'"},
        {"state: { demo: { probe: demo.cluster } }\nsteps: [ { command: [a], effect: { demo.members.x.nam: 1 } } ]\n", "x has no 'nam'"},
        {"state: { demo: { probe: demo.cluster } }\nsteps: [ { command: [a], if: state.demo.members.x.nam == 1 } ]\n", "did you mean 'name'"},
        {"steps: [ { command: [a], if: state.demo.held } ]\n", "declare it: state: { demo:"},
        {"steps: [ { command: [a], if: demo.quorum() } ]\n", "which the runbook does not probe"},
        {"steps: [ { command: [a], if: demo.twise(1) == 2 } ]\n", "did you mean 'demo.twice'"},
        {"steps: [ { command: [a], if: nothing } ]\n", "[unknown-name]"},
        {"steps: [ { command: [a], if: site.nam == 'x' } ]\n", "'site' has no 'nam'"},
        {"steps: [ { command: [a], if: run.ids == 'x' } ]\n", "did you mean 'id'"},
        {"inputs: { a: { type: string } }\nsteps: [ { command: [a, '${{ inputs.b }}'] } ]\n", "the runbook has no input 'b'"},
        {"inputs: { p: { type: secret, from: prompt } }\nsteps: [ { command: [a, '-p${{ inputs.p }}'] } ]\n", "[secret-in-argv]"},
        {"inputs: { p: { type: secret, from: prompt }, q: { type: string, default: '${{ inputs.p }}' } }\nsteps: [ { command: [a, '${{ inputs.q }}'] } ]\n",
         "the secret 'q'"},
        {"inputs: { a: { type: string, default: '${{ inputs.b }}' }, b: { type: string, default: '${{ inputs.a }}' } }\nsteps: [ { command: [a] } ]\n",
         "can never be known"},
        {"state: { demo: { probe: demo.join } }\nsteps: [ { command: [a] } ]\n", "[unknown-probe]"},
        {"requires: [demo.join]\nsteps: [ { command: [a] } ]\n", "[unknown-capability]"},
        {"hooks: [ { file: nix.lua, allow: [docker.raed, 'http:'] } ]\nsteps: [ { command: [a] } ]\n", "[unknown-hook]"},
        {"hooks: [ { file: nix.lua, allow: [docker.raed, 'http:'] } ]\nsteps: [ { command: [a] } ]\n", "did you mean 'docker.read'?"},
        {"preconditions: [ state.demo.held ]\nsteps: [ { command: [a] } ]\n", "a condition is a map"},
        {"preconditions: [ { check: steps.a.ok, message: m } ]\nsteps: [ { id: a, command: [a] } ]\n", "no step has run when this is read"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        void *one = NULL;
        kit_setup(&one);
        struct kit *k = one;
        if (kit_load(k, cases[i].body))
            fail_msg("nothing is wrong with: %s", cases[i].body);
        assert_has(kit_errors(k), cases[i].says);
        kit_teardown(&one);
    }
    (void)state;
}

static void one_fault_is_told_once(void **state) {
    static const char *const bodies[] = {
        /* a step that could not be read is named by others */
        "steps:\n  - { id: a, comand: [x] }\n  - { id: b, needs: [a], if: steps.a.ok, command: [x] }\n",
        "steps:\n  - { id: a, command: x }\n  - { id: b, needs: a, command: [x, '${{ steps.a.outputs.stdout }}'] }\n",
        /* a part that could not be read */
        "state: { demo: { probe: demo.cluster, wth: {} } }\nsteps: [ { command: [x], if: state.demo.held, effect: { demo.n: 1 } } ]\n",
        "requires: [demo.qorum]\nsteps: [ { command: [x], if: state.demo.held } ]\n",
        /* a probe that is not known: its schema is not either */
        "state: { demo: { probe: demo.clustre } }\nsteps: [ { command: [x], if: state.demo.held } ]\n",
        /* an input with a wrong declaration */
        "inputs: { a: { typ: string, type: string } }\nsteps: [ { command: [x, '${{ inputs.a }}'] } ]\n",
        /* an unknown action has unknown outputs */
        "steps: [ { id: a, uses: demo.jion }, { if: steps.a.outputs.id == 1, command: [x] } ]\n",
        /* a key of a wrong type is no missing key */
        "steps: [ { for_each: 5, parallel: 2, command: [x] } ]\n",
    };
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        void *one = NULL;
        kit_setup(&one);
        struct kit *k = one;
        assert_null(kit_load(k, bodies[i]));
        const size_t n = k->err->nerrors;
        if (n != 1)
            fail_msg("%zu errors:\n%s", n, kit_errors(k));
        kit_teardown(&one);
    }
    (void)state;
}

static void what_is_inside_a_faulty_step_is_checked_too(void **state) {
    struct kit *k = *state;
    assert_null(kit_load(k, "steps:\n  - id: g\n    when: true\n    steps: [ { uses: demo.jion } ]\n  - { id: 5, title: t, command: [x], timeout: soon, if: 1 != 2 }\n"));
    const char *text = kit_errors(k);
    static const char *const says[] = {"6:5: error: a step has no key 'when'", "unknown action 'demo.jion'", "'id' of a step must be", "'soon' is not a duration", "[expr-syntax]"};
    for (size_t i = 0; i < sizeof says / sizeof *says; i++)
        assert_has(text, says[i]);
}

static void no_shape_of_a_step_is_too_strange(void **state) {
    static const char *const keys[] = {"id", "title", "uses", "command", "steps", "first_of", "wait_for", "every", "message", "on", "with", "if", "needs",
                                       "for_each", "try_each", "parallel", "max_failures", "retry", "timeout", "unless", "approve", "on_failure", "rescue",
                                       "undo", "verify", "effect", "outputs"};
    static const char *const values[] = {"5", "[[]]", "{ a: { b: [] } }", "null", "''", "true", "[null, 5]", "'${{ }}'", "{}"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        for (size_t j = 0; j < sizeof values / sizeof *values; j++) {
            void *one = NULL;
            kit_setup(&one);
            struct kit *k = one;
            kit_load(k, arena_printf(k->a, "steps: [ { command: [x], %s: %s }, { %s: %s } ]\n", keys[i], values[j], keys[i], values[j]));
            kit_teardown(&one);
        }
    (void)state;
}

/* ---- runbooks in runbooks ---- */

static void a_runbook_that_is_used_twice_is_read_once(void **state) {
    struct kit *k = *state;
    kit_file(k, "runbooks/x/leaf.yaml", "runbook: x/leaf\nversion: 1.0.0\ntitle: L\nsteps: [ { command: [a], undo: [ { command: [a] } ] } ]\n");
    const struct runbook *rb = kit_load(k, "steps: [ { id: a, uses: 'runbook:x/leaf' }, { id: b, uses: 'runbook:x/leaf' } ]\n");
    assert_non_null(rb);
    assert_true(kit_step(rb, "a")->sub && kit_step(rb, "a")->sub == kit_step(rb, "b")->sub);
    assert_int_equal(k->err->nwarnings, 1);
    const struct step *st;
    assert_string_equal(runbook_not_yet(rb, &st), "undo");
}

static void the_faults_of_a_used_runbook_are_told_once_with_the_way_to_it(void **state) {
    struct kit *k = *state;
    kit_file(k, "runbooks/x/leaf.yaml", "runbook: x/leaf\nversion: 1.0.0\ntitle: L\nsteps: [ { uses: demo.jion } ]\n");
    assert_null(kit_load(k, "steps: [ { id: a, uses: 'runbook:x/leaf' }, { id: b, uses: 'runbook:x/leaf' } ]\n"));
    assert_int_equal(k->err->nerrors, 1);
    const char *text = kit_errors(k);
    assert_has(text, "runbooks/x/leaf.yaml:4:");
    assert_has(text, "while loading the runbook x/leaf, which is used in runbooks/x/t.yaml:4");
}

/* Each of n files uses the next one twice: 2^n ways through them. */
static void a_ladder_of_runbooks_takes_no_time(void **state) {
    struct kit *k = *state;
    enum { rungs = 14 };
    for (int i = 0; i < rungs; i++) {
        const char *next = arena_printf(k->a, "{ uses: 'runbook:x/r%d' }", i + 1);
        const char *steps = i + 1 < rungs ? arena_printf(k->a, "%s, %s", next, next) : "{ command: [a] }";
        kit_file(k, arena_printf(k->a, "runbooks/x/r%d.yaml", i), arena_printf(k->a, "runbook: x/r%d\nversion: 1.0.0\ntitle: R\nsteps: [ %s ]\n", i, steps));
    }
    assert_non_null(kit_load(k, "steps: [ { uses: 'runbook:x/r0' } ]\n"));
    assert_true(arena_used(k->a) < 8u << 20);
}

static void a_runbook_cannot_run_itself_by_a_detour(void **state) {
    struct kit *k = *state;
    kit_file(k, "runbooks/x/back.yaml", "runbook: x/back\nversion: 1.0.0\ntitle: B\nsteps: [ { uses: 'runbook:x/t' } ]\n");
    assert_null(kit_load(k, "steps: [ { uses: 'runbook:x/back' } ]\n"));
    const char *text = kit_errors(k);
    assert_int_equal(kit_count(text, "[recursion]"), 1);
    assert_has(text, "x/t <- x/back <- x/t");
}

static void inputs_of_a_used_runbook_are_converted_as_given_ones(void **state) {
    struct kit *k = *state;
    kit_file(k, "runbooks/x/leaf.yaml",
             "runbook: x/leaf\nversion: 1.0.0\ntitle: L\ninputs: { n: { type: integer, max: 5 }, l: { type: list } }\nsteps: [ { command: [a] } ]\n");
    assert_null(kit_load(k, "steps: [ { uses: 'runbook:x/leaf', with: { n: '7', l: 'a,b' } } ]\n"));
    assert_int_equal(k->err->nerrors, 1);
    assert_has(kit_errors(k), "must be at most 5");
}

/* ---- files and names ---- */

static void names_are_those_of_runbooks_alone(void **state) {
    struct kit *k = *state;
    kit_file(k, "runbooks/b.yaml", "x");
    kit_file(k, "runbooks/a/b.yaml", "x");
    kit_file(k, "runbooks/a/b.test.yaml", "x");
    kit_file(k, "runbooks/a/worlds/w.yaml", "x");
    const char *const *names;
    assert_int_equal(runbook_names(kit_loader(k), &names), 2);
    assert_string_equal(names[0], "a/b");
    assert_string_equal(names[1], "b");
}

static void a_name_that_ends_in_yaml_is_a_path(void **state) {
    struct kit *k = *state;
    char path[] = "/tmp/quorate-test-XXXXXX.yaml";
    const int fd = mkstemps(path, 5);
    FILE *f = fdopen(fd, "w");
    fputs(kit_runbook(k, "steps: [ { command: [a] } ]\n"), f);
    fclose(f);
    const struct runbook *rb = NULL;
    assert_true(runbook_load(kit_loader(k), path, mark_none(), &rb, k->err));
    assert_string_equal(rb->name, "x/t");
    assert_string_equal(rb->src->name, path);
    unlink(path);
    assert_false(runbook_load(kit_loader(k), path, mark_none(), &rb, k->err));
    assert_has(kit_errors(k), path);
}

static void a_file_in_a_folder_of_runbooks_is_called_as_its_place_says(void **state) {
    struct kit *k = *state;
    kit_file(k, "runbooks/x/other.yaml", kit_runbook(k, "steps: [ { command: [a] } ]\n"));
    const struct runbook *rb;
    assert_false(runbook_load(kit_loader(k), "x/other", mark_none(), &rb, k->err));
    assert_has(kit_errors(k), "calls itself 'x/t' [wrong-name]");
    assert_false(runbook_load(kit_loader(k), "x/othr", mark_none(), &rb, k->err));
    assert_has(kit_errors(k), "did you mean 'x/other'?");
}

static void what_is_not_named_has_a_name_of_its_own(void **state) {
    struct kit *k = *state;
    const struct runbook *rb = kit_load(k, "steps:\n  - steps: [ { command: [x] } ]\n    rescue: [ { command: [x] } ]\n    undo: [ { command: [x] }, { command: [x] } ]\n");
    assert_non_null(rb);
    static const char *const ids[] = {"step-1", "step-1-1", "step-1-rescue-1", "step-1-undo-1", "step-1-undo-2"};
    assert_int_equal(rb->nall, 5);
    for (size_t i = 0; i < 5; i++)
        assert_string_equal(rb->all[i]->id, ids[i]);
}

static void what_nothing_carries_out_yet_is_said_by_name(void **state) {
    struct kit *k = *state;
    assert_non_null(kit_load(k, "steps:\n"
                                "  - { id: a, command: [x], rescue: [ { command: [x] } ], undo: [ { command: [x] } ] }\n"
                                "  - { id: b, first_of: [ { command: [x] } ] }\n"
                                "  - { id: c, command: [x], on: n1 }\n"
                                "  - { id: d, command: [x], try_each: [1] }\n"));
    assert_int_equal(k->err->nwarnings, 2);
    const char *text = kit_errors(k);
    static const char *const words[] = {"'undo'", "'on'"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        assert_has(text, words[i]);
    assert_int_equal(kit_count(text, "warning:"), 2);
}

static void what_an_action_changes_is_a_part_of_the_state(void **state) {
    struct kit *k = *state;
    const struct runbook *rb = kit_load(k, "steps: [ { id: a, uses: demo.join, with: { node: n1 } } ]\n");
    assert_non_null(rb);
    assert_int_equal(rb->nparts, 1);
    assert_string_equal(rb->parts[0].name, "demo");
    assert_string_equal(rb->parts[0].probe->name, "demo.cluster");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        KIT_TEST(every_key_is_read),
        KIT_TEST(what_is_not_written_has_its_default),
        KIT_TEST(a_capability_brings_the_part_it_needs),
        KIT_TEST(each_fault_has_its_place_and_its_code),
        KIT_TEST(one_fault_is_told_once),
        KIT_TEST(what_is_inside_a_faulty_step_is_checked_too),
        KIT_TEST(no_shape_of_a_step_is_too_strange),
        KIT_TEST(a_runbook_that_is_used_twice_is_read_once),
        KIT_TEST(the_faults_of_a_used_runbook_are_told_once_with_the_way_to_it),
        KIT_TEST(a_ladder_of_runbooks_takes_no_time),
        KIT_TEST(a_runbook_cannot_run_itself_by_a_detour),
        KIT_TEST(inputs_of_a_used_runbook_are_converted_as_given_ones),
        KIT_TEST(names_are_those_of_runbooks_alone),
        KIT_TEST(a_name_that_ends_in_yaml_is_a_path),
        KIT_TEST(a_file_in_a_folder_of_runbooks_is_called_as_its_place_says),
        KIT_TEST(what_is_not_named_has_a_name_of_its_own),
        KIT_TEST(what_nothing_carries_out_yet_is_said_by_name),
        KIT_TEST(what_an_action_changes_is_a_part_of_the_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
