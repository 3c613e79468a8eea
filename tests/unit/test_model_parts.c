/* Branches of states, whose parts are copied when an effect looks at them, and what is remembered of parts that are kept. */
#include "lua_kit.h"

#include "base/table.h"

static struct model *two_parts(struct kit *k) {
    struct model *m = model_new(k->box);
    model_set(m, "swarm", kit_json(k, "{\"n\":1,\"l\":[1,2]}"));
    model_set(m, "dtr", kit_json(k, "{\"n\":2}"));
    return m;
}

static const struct def *get(struct kit *k, const char *name, enum def_kind kind) {
    const struct def *d = library_get(k->lib, name, kind, mark_none(), k->err);
    if (!d)
        fail_msg("%s", kit_errors(k));
    return d;
}

static const char *all_parts(struct kit *k, const struct model *m) {
    static const char *const names[] = {"swarm", "dtr", "more", "attested"};
    const char *s = "";
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const struct val *v = NULL;
        if (model_has(m, names[i])) {
            assert_true(model_get(m, names[i], k->a, &v, k->err));
            s = arena_printf(k->a, "%s%s=%s ", s, names[i], kit_text(k, v));
        }
    }
    return s;
}

/* What effects may do with a state, and what comes of it. */
static const struct {
    const char *body, *then;
} effects[] = {
    {"", "swarm={\"l\":[1,2],\"n\":1} dtr={\"n\":2} "},
    {"state.swarm.n = 5", "swarm={\"l\":[1,2],\"n\":5} dtr={\"n\":2} "},
    {"state.swarm.l[3] = state.dtr.n", "swarm={\"l\":[1,2,2],\"n\":1} dtr={\"n\":2} "},
    {"state.dtr = nil", "swarm={\"l\":[1,2],\"n\":1} "},
    {"local x = state.dtr; x.n = 3; state.dtr = nil", "swarm={\"l\":[1,2],\"n\":1} "},
    {"local x = state.dtr; state.dtr = nil; state.more = { state.dtr == nil, size(state) }", "swarm={\"l\":[1,2],\"n\":1} more=[true,1] "},
    {"state.more = { x = state.nothing == nil }", "swarm={\"l\":[1,2],\"n\":1} dtr={\"n\":2} more={\"x\":true} "},
    {"state.dtr = { n = 9 }", "swarm={\"l\":[1,2],\"n\":1} dtr={\"n\":9} "},
    {"for name, part in pairs(state) do part.n = name end", "swarm={\"l\":[1,2],\"n\":\"swarm\"} dtr={\"n\":\"dtr\"} "},
    {"state.more = { size(state), count(state), next(state), #keys(state) }", "swarm={\"l\":[1,2],\"n\":1} dtr={\"n\":2} more=[2,2,\"dtr\",2] "},
    {"state.more = copy(state)", "swarm={\"l\":[1,2],\"n\":1} dtr={\"n\":2} more={\"dtr\":{\"n\":2},\"swarm\":{\"l\":[1,2],\"n\":1}} "},
    {"state.dtr.n = { seen(state, 'swarm').n, seen(state, 'more') == nil }", "swarm={\"l\":[1,2],\"n\":1} dtr={\"n\":[1,true]} "},
    {"state.more = { json.encode(state) }", "swarm={\"l\":[1,2],\"n\":1} dtr={\"n\":2} more=[\"{\\\"dtr\\\":{\\\"n\\\":2},\\\"swarm\\\":{\\\"l\\\":[1,2],\\\"n\\\":1}}\"] "},
    {"state.swarm.n = 7; state.dtr.n = before.swarm.n + before.dtr.n", "swarm={\"l\":[1,2],\"n\":7} dtr={\"n\":3} "},
};

static void a_branch_comes_to_what_a_clone_does(void **state) {
    struct kit *k = *state;
    for (size_t i = 0; i < sizeof effects / sizeof *effects; i++)
        kit_file(k, arena_printf(k->a, "stdlib/swarm/e%zu.lua", i),
                 arena_printf(k->a, "return event { when = function() return true end, effect = function(state, with, before) %s end }", effects[i].body));
    kit_library(k);
    struct model *from = two_parts(k);
    uint64_t was[2], is[2], other[2];
    struct table *known = table_new();
    model_hash(from, was);
    model_keep(from, known, k->a);
    for (size_t i = 0; i < sizeof effects / sizeof *effects; i++) {
        const struct def *d = get(k, arena_printf(k->a, "swarm.e%zu", i), DEF_EVENT);
        struct model *clone = model_clone(from), *branch = model_branch(from);
        if (!model_apply(clone, d, NULL, NULL, k->a, NULL, NULL, k->err) || !model_apply(branch, d, NULL, NULL, k->a, NULL, NULL, k->err))
            fail_msg("%s: %s", effects[i].body, kit_errors(k));
        assert_string_equal(all_parts(k, clone), effects[i].then);
        assert_string_equal(all_parts(k, branch), effects[i].then);
        model_hash(clone, is);
        model_hash_known(branch, known, other);
        assert_memory_equal(is, other, sizeof is);
        model_hash(branch, other);
        assert_memory_equal(is, other, sizeof is);
        model_hash(from, other);
        assert_memory_equal(was, other, sizeof was);
        model_free(branch);
        model_free(clone);
    }
    table_free(known);
    model_free(from);
}

static void a_branch_may_have_many_parts(void **state) {
    struct kit *k = *state;
    kit_file(k, "stdlib/swarm/all.lua", "return event { when = function() return true end, effect = function(state)\n"
                                        "  for i = 1, 18 do local p = state['p' .. i]; p.n = p.n + 1; if i % 3 == 0 then state['p' .. i] = nil end end end }");
    kit_library(k);
    struct model *from = model_new(k->box);
    for (int i = 1; i <= 20; i++)
        model_set(from, arena_printf(k->a, "p%d", i), kit_json(k, arena_printf(k->a, "{\"n\":%d}", i)));
    struct model *clone = model_clone(from), *branch = model_branch(from);
    const struct def *d = get(k, "swarm.all", DEF_EVENT);
    uint64_t x[2], y[2];
    assert_true(model_apply(clone, d, NULL, NULL, k->a, NULL, NULL, k->err) && model_apply(branch, d, NULL, NULL, k->a, NULL, NULL, k->err));
    model_hash(clone, x);
    model_hash(branch, y);
    assert_memory_equal(x, y, sizeof x);
    assert_true(model_has(branch, "p1") && !model_has(branch, "p3") && !model_has(branch, "p18") && model_has(branch, "p20"));
    model_free(branch);
    model_free(clone);
    model_free(from);
}

static void a_branch_that_was_left_half_way_harms_nobody(void **state) {
    struct kit *k = *state;
    kit_file(k, "stdlib/swarm/bad.lua", "return event { when = function() return true end, effect = function(state) lib.set(state); state.swarm.n = 8; error('no') end }");
    kit_file(k, "stdlib/swarm/not.lua", "return event { when = function() return true end, effect = function(state) state.swarm.n = 8; return false end }");
    kit_file(k, "stdlib/swarm/use.lua", "return event { when = function() return true end, effect = function(state) state.dtr.n = size(lib.look()) end }");
    kit_file(k, "stdlib/swarm/lib.lua", "local t = {}; return { set = function(s) t.s = s end, look = function() return t.s end }");
    kit_library(k);
    struct model *from = two_parts(k), *a = model_branch(from), *b = model_branch(from), *c = model_branch(from);
    const char *ends = NULL;
    assert_false(model_apply(a, get(k, "swarm.bad", DEF_EVENT), NULL, NULL, k->a, NULL, NULL, k->err));
    assert_has(kit_errors(k), "no");
    assert_true(model_apply(b, get(k, "swarm.not", DEF_EVENT), NULL, NULL, k->a, NULL, &ends, k->err));
    assert_string_equal(ends, "impossible");
    assert_string_equal(all_parts(k, from), "swarm={\"l\":[1,2],\"n\":1} dtr={\"n\":2} ");
    assert_true(model_apply(c, get(k, "swarm.use", DEF_EVENT), NULL, NULL, k->a, NULL, NULL, k->err));
    assert_string_equal(all_parts(k, c), "swarm={\"l\":[1,2],\"n\":1} dtr={\"n\":1} ");
    model_free(a);
    model_free(b);
    model_free(c);
    model_free(from);
}

static void what_is_found_out_of_a_part_is_remembered_while_it_is_kept(void **state) {
    struct kit *k = *state;
    kit_file(k, "stdlib/swarm/same.lua", "local function f(t) return { t.n } end\n"
                                         "local function say(t) return once(t, f) == once(t, f) and 'same' or 'anew' end\n"
                                         "return rule { never = function(state, before) return say(state.swarm) .. once(state.swarm, f)[1] end }");
    kit_file(k, "stdlib/swarm/act.lua", "local function f(t) return { t.n } end\n"
                                        "return event { when = function() return true end, effect = function(state, with, before)\n"
                                        "  local one = once(state.swarm, f)[1]; state.swarm.n = 5\n"
                                        "  state.dtr.n = { one, once(state.swarm, f)[1], once(before.swarm, f)[1] } end }");
    kit_library(k);
    struct model *m = two_parts(k), *b = model_branch(m);
    struct table *known = table_new();
    uint64_t h[2];
    const char *message;
    const struct def *same = get(k, "swarm.same", DEF_RULE);
    model_hash(m, h);
    assert_true(model_rule(m, m, same, FN_NEVER, "step", k->a, &message, k->err));
    assert_string_equal(message, "anew1");
    model_keep(m, known, k->a);
    assert_true(model_rule(m, m, same, FN_NEVER, "step", k->a, &message, k->err));
    assert_string_equal(message, "same1");
    assert_true(model_apply(b, get(k, "swarm.act", DEF_EVENT), NULL, NULL, k->a, NULL, NULL, k->err));
    assert_string_equal(all_parts(k, b), "swarm={\"l\":[1,2],\"n\":5} dtr={\"n\":[1,5,1]} ");
    model_free(b);
    model_free(m);
    table_free(known);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        KIT_TEST(a_branch_comes_to_what_a_clone_does),
        KIT_TEST(a_branch_may_have_many_parts),
        KIT_TEST(a_branch_that_was_left_half_way_harms_nobody),
        KIT_TEST(what_is_found_out_of_a_part_is_remembered_while_it_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
