/* States as Lua tables: copies, hashes, effects, rules. */
#include "lua_kit.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static struct model *model_of(struct kit *k, const char *swarm) {
    struct model *m = model_new(k->box);
    model_set(m, "swarm", kit_json(k, swarm));
    return m;
}

static const char *part(struct kit *k, const struct model *m, const char *name) {
    const struct val *v = NULL;
    assert_true(model_get(m, name, k->a, &v, k->err));
    return v ? kit_text(k, v) : "absent";
}

static void a_clone_is_independent(void **state) {
    struct kit *k = *state;
    struct model *a = model_of(k, "{\"nodes\":{\"n\":{\"l\":[],\"m\":[1,[2]]}}}"), *b = model_clone(a);
    assert_string_equal(part(k, b, "swarm"), "{\"nodes\":{\"n\":{\"l\":[],\"m\":[1,[2]]}}}");
    assert_true(model_set_path(b, "swarm.nodes.n.l", kit_json(k, "7"), mark_none(), k->err));
    assert_string_equal(part(k, a, "swarm"), "{\"nodes\":{\"n\":{\"l\":[],\"m\":[1,[2]]}}}");
    assert_string_equal(part(k, b, "swarm"), "{\"nodes\":{\"n\":{\"l\":7,\"m\":[1,[2]]}}}");
    assert_true(model_has(a, "swarm") && !model_has(a, "dtr"));
    assert_string_equal(part(k, a, "dtr"), "absent");
    model_free(a);
    model_free(b);
}

static void equal_states_have_equal_hashes(void **state) {
    struct kit *k = *state;
    static const char *const same[][2] = {{"{\"a\":1,\"b\":{\"c\":[1,2]}}", "{\"b\":{\"c\":[1,2]},\"a\":1.0}"}};
    static const char *const other[] = {"{\"a\":1}", "{\"a\":2}", "{\"a\":\"1\"}", "{\"a\":true}", "{\"b\":1}", "{\"a\":[1]}", "{\"a\":{\"b\":1}}", "{\"a\":[1,2]}",
                                        "{\"a\":[2,1]}", "{\"a\":{\"x\":1,\"y\":2}}", "{\"a\":{\"x\":2,\"y\":1}}", "{\"a\":\"abcdefgh\"}", "{\"a\":\"abcdefghi\"}",
                                        "{\"a\":{\"$unknown\":\"x\"}}", "{\"a\":{\"$unobserved\":\"x\"}}", "{\"a\":1.5}", "{\"a\":1,\"b\":1}"};
    uint64_t h[20][2], x[2], y[2];
    struct model *a = model_of(k, same[0][0]), *b = model_of(k, same[0][1]);
    model_hash(a, x);
    model_hash(b, y);
    assert_memory_equal(x, y, sizeof x);
    model_free(a);
    model_free(b);
    size_t n = sizeof other / sizeof *other;
    for (size_t i = 0; i < n; i++) {
        struct model *m = model_of(k, other[i]), *c = model_clone(m);
        model_hash(m, h[i]);
        model_hash(c, x);
        assert_memory_equal(h[i], x, sizeof x);
        for (size_t j = 0; j < i; j++)
            assert_true(h[i][0] != h[j][0] && h[i][1] != h[j][1]);
        model_free(m);
        model_free(c);
    }
}

static const char act[] = "return action {\n"
                          "  effect = function(state, with)\n"
                          "    state.swarm.nodes[with.node] = { role = 'worker', id = with.id }\n"
                          "    if with.id == state.swarm.seen then state.swarm.again = true end\n"
                          "    return { id = with.id, n = 1 }\n"
                          "  end,\n"
                          "  outcomes = {\n"
                          "    half = function(state) state.swarm.half = true end,\n"
                          "    bad = function(state) return state.nothing.at.all end,\n"
                          "    sum = function(state, with) state.swarm.n = with.id + 1 end,\n"
                          "    junk = function(state) state.swarm.f = function() end end,\n"
                          "    self = function(state) state.swarm.s = state end,\n"
                          "    endless = function(state) while true do end end,\n"
                          "  },\n"
                          "  before = function(state, with) return { was = state.swarm.seen } end,\n"
                          "  attests = function(state, with) state.swarm.x = 1 end,\n"
                          "  done = function(state, with, before) return with.id == 1 end,\n"
                          "  run = function() end,\n"
                          "}\n";

static const struct def *get(struct kit *k, const char *name, enum def_kind kind) {
    const struct def *d = library_get(k->lib, name, kind, mark_none(), k->err);
    if (!d)
        fail_msg("%s", kit_errors(k));
    return d;
}

static void an_effect_changes_the_state_it_is_given(void **state) {
    struct kit *k = *state;
    kit_file(k, "stdlib/swarm/act.lua", act);
    kit_library(k);
    const struct def *d = get(k, "swarm.act", DEF_ACTION);
    struct model *m = model_of(k, "{\"nodes\":{},\"seen\":{\"$unknown\":\"p\"}}");
    const struct val *out = NULL;
    const struct val *with = kit_json(k, "{\"node\":\"a\",\"id\":{\"$unknown\":\"p\"}}");
    assert_true(model_apply(m, d, NULL, with, k->a, &out, NULL, k->err));
    assert_string_equal(part(k, m, "swarm"),
                        "{\"again\":true,\"nodes\":{\"a\":{\"id\":{\"$unknown\":\"p\"},\"role\":\"worker\"}},\"seen\":{\"$unknown\":\"p\"}}");
    assert_string_equal(kit_text(k, out), "{\"id\":{\"$unknown\":\"p\"},\"n\":1}");
    assert_true(model_apply(m, d, "half", with, k->a, &out, NULL, k->err));
    assert_null(out);
    uint64_t before[2], after[2];
    model_hash(m, before);
    assert_true(model_apply(m, d, "failed", with, k->a, &out, NULL, k->err));
    model_hash(m, after);
    assert_memory_equal(before, after, sizeof before);
    model_free(m);
}

static void a_bad_effect_is_told_with_its_place(void **state) {
    struct kit *k = *state;
    kit_file(k, "stdlib/swarm/act.lua", act);
    kit_library(k);
    const struct def *d = get(k, "swarm.act", DEF_ACTION);
    static const char *const cases[][2] = {{"bad", "stdlib/swarm/act.lua:9:5: error: attempt to index a nil value (field 'nothing')"},
                                           {"bad", "while calling swarm.act outcome bad"},
                                           {"sum", "not known: p"},
                                           {"junk", "holds a function"},
                                           {"self", "contains itself"},
                                           {"endless", "instruction-limit"},
                                           {"hlaf", "did you mean 'half'"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct model *m = model_of(k, "{\"nodes\":{}}");
        assert_false(model_apply(m, d, cases[i][0], kit_json(k, "{\"id\":{\"$unknown\":\"p\"}}"), k->a, NULL, NULL, k->err));
        assert_has(kit_errors(k), cases[i][1]);
        model_free(m);
    }
}

static void pure_functions_cannot_change_the_state(void **state) {
    struct kit *k = *state;
    kit_file(k, "stdlib/swarm/act.lua", act);
    kit_library(k);
    const struct def *d = get(k, "swarm.act", DEF_ACTION);
    struct model *m = model_of(k, "{\"seen\":5}");
    const struct val *args[] = {kit_json(k, "{\"id\":1}"), NULL}, *ret = NULL, *second = NULL;
    struct call_signal sig;
    assert_int_equal(model_call(m, d, FN_BEFORE, args, 1, k->a, &ret, &second, &sig, k->err), CALL_OK);
    assert_string_equal(kit_text(k, ret), "{\"was\":5}");
    assert_null(second);
    assert_int_equal(model_call(m, d, FN_DONE, args, 2, k->a, &ret, NULL, &sig, k->err), CALL_OK);
    assert_true(ret->boolean);
    assert_int_equal(model_call(m, d, FN_ATTESTS, args, 1, k->a, &ret, NULL, &sig, k->err), CALL_ERROR);
    assert_has(kit_errors(k), "read-only");
    args[0] = kit_json(k, "{\"id\":{\"$unknown\":\"p\"}}");
    assert_int_equal(model_call(m, d, FN_DONE, args, 2, k->a, &ret, NULL, &sig, k->err), CALL_UNKNOWN);
    assert_string_equal(sig.text, "p");
    assert_string_equal(part(k, m, "swarm"), "{\"seen\":5}");
    model_free(m);
}

static void rules_speak_or_are_silent(void **state) {
    struct kit *k = *state;
    kit_file(k, "stdlib/swarm/r.lua", "return rule { needs = { 'swarm' },\n"
                                      "  never = function(state, before) if before and state.swarm.n < before.swarm.n then return 'less' end end,\n"
                                      "  finally = function(state) return state.swarm.n end }");
    kit_library(k);
    const struct def *r = get(k, "swarm.r", DEF_RULE);
    struct model *two = model_of(k, "{\"n\":2}"), *one = model_of(k, "{\"n\":1}"), *none = model_new(k->box);
    struct model *odd = model_of(k, "{\"n\":{\"$unobserved\":\"node1 is silent\"}}");
    const char *why = "";
    assert_true(model_rule(two, one, r, FN_NEVER, "step", k->a, &why, k->err));
    assert_null(why);
    assert_true(model_rule(one, two, r, FN_NEVER, "step", k->a, &why, k->err));
    assert_string_equal(why, "less");
    assert_true(model_rule(one, NULL, r, FN_NEVER, "step", k->a, &why, k->err));
    assert_null(why);
    assert_true(model_rule(none, NULL, r, FN_FINALLY, NULL, k->a, &why, k->err));
    assert_null(why);
    assert_false(model_rule(one, NULL, r, FN_FINALLY, NULL, k->a, &why, k->err));
    assert_has(kit_errors(k), "must return what is wrong");
    assert_true(model_rule(odd, NULL, r, FN_FINALLY, NULL, k->a, &why, k->err));
    assert_null(why);
    assert_int_equal(k->err->nwarnings, 1);
    assert_has(kit_errors(k), "node1 is silent");
    model_free(one);
    model_free(two);
    model_free(none);
    model_free(odd);
}

static void a_path_is_set_or_refused(void **state) {
    struct kit *k = *state;
    struct model *m = model_of(k, "{\"nodes\":{\"x\":{\"role\":\"worker\"}},\"n\":1}");
    assert_true(model_set_path(m, "swarm.nodes.x.role", kit_json(k, "\"manager\""), mark_none(), k->err));
    assert_true(model_set_path(m, "swarm.nodes.y", kit_json(k, "{}"), mark_none(), k->err));
    assert_string_equal(part(k, m, "swarm"), "{\"n\":1,\"nodes\":{\"x\":{\"role\":\"manager\"},\"y\":{}}}");
    assert_false(model_set_path(m, "swarm.noes.x", kit_json(k, "1"), mark_none(), k->err));
    assert_has(kit_errors(k), "did you mean 'nodes'");
    assert_false(model_set_path(m, "swarm.n.x", kit_json(k, "1"), mark_none(), k->err));
    assert_false(model_set_path(m, "swarm.n.x.y", kit_json(k, "1"), mark_none(), k->err));
    assert_true(model_set_path(m, "dtr", kit_json(k, "{}"), mark_none(), k->err));
    model_free(m);
}

static void deep_values_do_no_harm(void **state) {
    struct kit *k = *state;
    const struct val *v = val_int(k->a, 1);
    for (int i = 0; i < 300; i++) {
        struct val *m = val_map_new(k->a);
        val_map_set(k->a, m, "x", v);
        v = m;
    }
    struct model *a = model_new(k->box), *b;
    uint64_t h[2];
    model_set(a, "swarm", v);
    b = model_clone(a);
    model_hash(b, h);
    const struct val *out;
    assert_false(model_get(b, "swarm", k->a, &out, k->err));
    assert_has(kit_errors(k), "64 levels");
    assert_false(model_set_path(b, "swarm.y", v, mark_none(), k->err));
    model_set(b, "swarm", kit_json(k, "{\"l\":[1,null]}"));
    assert_true(model_has(b, "swarm"));
    model_free(a);
    model_free(b);
}

static void many_states_do_not_use_up_a_scripts_memory(void **state) {
    struct kit *k = *state;
    struct box *usual = k->box;
    k->box = box_new(&(struct box_limits){.instructions = 1000000, .memory = 2u << 20});
    struct model *first = model_of(k, "{\"nodes\":{\"a\":{\"x\":[1,2,3]},\"b\":{\"x\":[1,2,3]},\"c\":{\"x\":[1,2,3]}}}");
    struct model *all[4000];
    for (size_t i = 0; i < 4000; i++)
        all[i] = model_clone(first);
    assert_string_equal(kit_eval(k, NULL, "#string.rep(\"x\", 100000)"), "100000");
    for (size_t i = 0; i < 4000; i++)
        model_free(all[i]);
    model_free(first);
    assert_string_equal(kit_eval(k, NULL, "#string.rep(\"x\", 100000)"), "100000");
    assert_string_equal(kit_eval(k, NULL, "(function() local t = {} for i = 1, 200000 do t[i] = i end end)()"), "error");
    assert_has(kit_errors(k), "memory-limit");
    box_free(k->box);
    k->box = usual;
}

/* Where many states are made, our own files run uncounted. */
static void an_endless_function_of_a_site_is_ended_although_ours_calls_it(void **state) {
    struct kit *k = *state;
    char dir[] = "model-XXXXXX";
    assert_non_null(mkdtemp(dir));
    assert_int_equal(mkdir(arena_printf(k->a, "%s/stdlib", dir), 0700), 0);
    assert_int_equal(mkdir(arena_printf(k->a, "%s/stdlib/swarm", dir), 0700), 0);
    const char *path = arena_printf(k->a, "%s/stdlib/swarm/slow.lua", dir);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs("return func(function() while true do end end)", f);
    fclose(f);
    kit_file(k, "stdlib/swarm/fine.lua", "return rule { never = function() return nil end }");
    kit_file(k, "stdlib/swarm/calls.lua", "return rule { never = function() return swarm.slow() end }");
    k->dir = dir;
    kit_library(k);
    struct model *m = model_of(k, "{}");
    const char *message;
    box_many_states(k->box);
    assert_true(model_rule(m, m, get(k, "swarm.fine", DEF_RULE), FN_NEVER, "step", k->a, &message, k->err));
    for (int i = 0; i < 2; i++) {
        assert_false(model_rule(m, m, get(k, "swarm.calls", DEF_RULE), FN_NEVER, "step", k->a, &message, k->err));
        assert_has(kit_errors(k), "instruction-limit");
    }
    box_few_states(k->box);
    model_free(m);
    unlink(path);
    rmdir(arena_printf(k->a, "%s/stdlib/swarm", dir));
    rmdir(arena_printf(k->a, "%s/stdlib", dir));
    rmdir(dir);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        KIT_TEST(a_clone_is_independent), KIT_TEST(equal_states_have_equal_hashes), KIT_TEST(an_effect_changes_the_state_it_is_given),
        KIT_TEST(a_bad_effect_is_told_with_its_place), KIT_TEST(pure_functions_cannot_change_the_state), KIT_TEST(rules_speak_or_are_silent),
        KIT_TEST(a_path_is_set_or_refused), KIT_TEST(deep_values_do_no_harm), KIT_TEST(many_states_do_not_use_up_a_scripts_memory),
        KIT_TEST(an_endless_function_of_a_site_is_ended_although_ours_calls_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
