/* Expressions: references without evaluating, hints, places, and what reading the unknown does. */
#include "lua_kit.h"

/* The references as text: "state.swarm.held f.g() item[]" */
static const char *refs(struct kit *k, const char *text) {
    struct expr *e = NULL;
    struct buf b = BUF_INIT;
    if (!expr_parse(k->box, k->a, text, mark_none(), &e, k->err))
        return "syntax";
    for (size_t i = 0; i < e->nrefs; i++) {
        buf_adds(&b, i ? " " : "");
        for (size_t j = 0; j < e->refs[i].n; j++)
            buf_printf(&b, "%s%s", j ? "." : "", e->refs[i].names[j]);
        buf_adds(&b, e->refs[i].call ? "()" : e->refs[i].dynamic ? "[]" : "");
    }
    const char *s = arena_strdup(k->a, b.data);
    buf_done(&b);
    return s;
}

static void references_are_found_without_evaluating(void **state) {
    struct kit *k = *state;
    static const char *const cases[][2] = {
        {"state.swarm.quorum.held", "state.swarm.quorum.held"},
        {"count(dtr.unhealthy(state.dtr)) > 0", "count() dtr.unhealthy() state.dtr"},
        {"steps.join.outputs.id == \"state.x\"", "steps.join.outputs.id"},
        {"state.swarm.nodes[item].role", "state.swarm.nodes[] item"},
        {"state[\"swarm\"].x", "state.swarm.x"},
        {"inputs.a -- inputs.b", "inputs.a"},
        {"inputs.a --[[ inputs.b ]] + [[inputs.c]] + [==[inputs.d]]]==]", "inputs.a"},
        {"any(state.n, function(n) return n.x == item.x and inputs.y end)", "any() state.n item.x inputs.y"},
        {"(function() local a, b = inputs.x, 1 for i, c in pairs(state) do a = c.z + i end return a.q, b end)()", "inputs.x pairs() state"},
        {"map(l, function(item) return item.x end)[1] .. item.y", "map() l item.y"},
        {"{ a = inputs.a, inputs.b, [inputs.c] = 1 }", "inputs.a inputs.b inputs.c"},
        {"f.g{ x = 1 } and f.h\"x\"", "f.g() f.h()"},
        {"item:upper() .. inputs.x", "item inputs.x"},
        {"1 .. 2 ... 3", "syntax"},
        {"0x1F + 1e5 + .5 + 3.", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(refs(k, cases[i][0]), cases[i][1]);
}

static void references_have_places(void **state) {
    struct kit *k = *state;
    static const char text[] = "steps:\n  - if: \"1 == state.dtr.x\"\n";
    const struct source *src = source_new(k->a, "r.yaml", text, sizeof text - 1);
    struct expr *e;
    assert_true(expr_parse(k->box, k->a, "1 == state.dtr.x", mark_at(src, (size_t)(strchr(text, '"') - text), 18), &e, k->err));
    assert_int_equal(e->refs[0].mark.line, 2);
    assert_int_equal(e->refs[0].mark.col, 15);
    assert_int_equal(e->refs[0].mark.len, 11);
    assert_int_equal(e->refs[0].marks[2].col, 25);
}

static void wrong_syntax_is_shown_where_it_is(void **state) {
    struct kit *k = *state;
    static const struct {
        const char *text;
        unsigned col; /* of the error, in a line "if: TEXT" */
        const char *says;
    } cases[] = {
        {"a != b", 7, "Lua says ~="},       {"a && b", 7, "Lua says and"}, {"a || b", 7, "Lua says or"},     {"!a", 5, "Lua says not"},
        {"a == null", 10, "Lua says nil"},  {"a == True", 10, "true"},     {"a = b", 7, "Lua says =="},      {"a += 1", 7, "cannot change"},
        {"a == == b", 10, "unexpected symbol"}, {"a b", 7, "near 'b'"},    {"(a", 6, "ends too early"},      {"a.b.(c)", 9, "near '('"},
        {"a ? b : c", 7, "and a or b"},     {"\"open", 5, "unfinished string"}, {"a; b", 0, "expr-syntax"},  {"a;", 6, "without ';'"},
        {"", 5, "missing"},                 {"a $ b", 7, "expr-syntax"},   {"f(a, b", 10, "ends too early"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *line = arena_printf(k->a, "if: %s\n", cases[i].text);
        const struct source *src = source_new(k->a, "r.yaml", line, strlen(line));
        struct expr *e;
        assert_false(expr_parse(k->box, k->a, cases[i].text, mark_at(src, 4, strlen(cases[i].text)), &e, k->err));
        const char *text = kit_errors(k);
        if (cases[i].col)
            assert_has(text, arena_printf(k->a, "r.yaml:1:%u:", cases[i].col));
        assert_has(text, cases[i].says);
        assert_has(text, "expr-syntax");
    }
}

static void lines_of_a_block_have_places_too(void **state) {
    struct kit *k = *state;
    static const char text[] = "if: |\n  a and\n  b != c\n";
    const struct source *src = source_new(k->a, "r.yaml", text, sizeof text - 1);
    struct expr *e;
    assert_false(expr_parse(k->box, k->a, "a and\nb != c\n", mark_at(src, 4, 1), &e, k->err));
    assert_has(kit_errors(k), "r.yaml:3:5:");
}

static void what_only_looks_like_another_language_is_fine(void **state) {
    struct kit *k = *state;
    static const char *const fine[] = {"\"a != b && c\"", "a ~= b", "a == b", "{ x = 1 }", "f{ x = 1 }", "a.null", "a <= b", "a | b", "a & b", "~a",
                                       "(function() local x = 1 return x end)()", "#\"!\" -- != &&"};
    for (size_t i = 0; i < sizeof fine / sizeof *fine; i++)
        if (!strcmp(refs(k, fine[i]), "syntax"))
            fail_msg("%s: %s", fine[i], kit_errors(k));
}

static const struct val *step(void *ud, struct arena *a, const char *id) {
    struct kit *k = ud;
    (void)a;
    if (!strcmp(id, "join"))
        return kit_json(k, "{\"ok\":true,\"outputs\":{\"id\":{\"$unknown\":\"steps.join.outputs.id\"}}}");
    return NULL;
}

static void the_scope_is_what_is_seen(void **state) {
    struct kit *k = *state;
    struct model *m = model_new(k->box);
    model_set(m, "swarm", kit_json(k, "{\"nodes\":{\"a\":{\"role\":\"manager\"}},\"n\":0}"));
    struct scope s = {.state = m, .inputs = kit_json(k, "{\"x\":1}"), .site = kit_json(k, "{\"name\":\"s\"}"), .run = kit_json(k, "{\"id\":\"r\"}"),
                      .item = kit_json(k, "{\"name\":\"n\"}"), .index = 3, .step = step, .ud = k};
    static const char *const cases[][2] = {{"state.swarm.nodes.a.role", "\"manager\""}, {"inputs.x + index", "4"}, {"site.name .. run.id .. item.name", "\"srn\""},
                                           {"steps.join.ok", "true"}, {"steps.none", "error"}, {"state.nothing == nil", "true"}, {"nonsense", "error"},
                                           {"steps.join", "{\"ok\":true,\"outputs\":{\"id\":{\"$unknown\":\"steps.join.outputs.id\"}}}"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(kit_eval(k, &s, cases[i][0]), cases[i][1]);
    assert_string_equal(kit_eval(k, &(struct scope){0}, "item"), "error");
    assert_has(kit_errors(k), "only steps with for_each");
    model_free(m);
}

static void reading_the_unknown_ends_the_expression(void **state) {
    struct kit *k = *state;
    struct scope s = {.inputs = kit_json(k, "{\"u\":{\"$unknown\":\"steps.a.outputs.b\"},\"o\":{\"$unobserved\":\"node2: refused\"},\"f\":false,"
                                            "\"l\":[1,{\"$unknown\":\"x\"}]}"),
                      .item = val_unknown(k->a, "steps.a.item"), .step = step, .ud = k};
    static const char *const cases[][2] = {
        {"inputs.u == 1", "unknown steps.a.outputs.b"},
        {"inputs.u", "unknown steps.a.outputs.b"},
        {"not inputs.u", "unknown steps.a.outputs.b"},
        {"inputs.o", "unobserved node2: refused"},
        {"inputs.f and inputs.u", "false"},
        {"true or inputs.o", "true"},
        {"count(inputs.l)", "2"},
        {"inputs.l[2]", "unknown x"},
        {"values(inputs)", "unobserved node2: refused"},
        {"copy(inputs.l)", "unknown x"},
        {"table.concat(inputs.l, \",\")", "unknown x"},
        {"steps.join.outputs.id", "unknown steps.join.outputs.id"},
        {"item.name", "unknown steps.a.item"},
        {"table.sort({ 2, 1, 3 }, function(a, b) return inputs.u end)", "unknown steps.a.outputs.b"},
        {"string.gsub(\"aaa\", \"a\", function() return inputs.u end)", "unknown steps.a.outputs.b"},
        {"unobserved(\"why\")", "unobserved why"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *got = kit_eval(k, &s, cases[i][0]);
        if (strcmp(got, cases[i][1]) != 0)
            fail_msg("%s: expected %s, got %s\n%s", cases[i][0], cases[i][1], got, kit_errors(k));
    }
}

static void a_test_must_be_a_boolean(void **state) {
    struct kit *k = *state;
    static const char *const cases[][2] = {{"0", "0 is true in Lua"}, {"nil", "~= nil"}, {"\"yes\"", "a string"}};
    struct expr *e;
    struct call_signal sig;
    bool yes = false;
    for (size_t i = 0; i < 3; i++) {
        assert_true(expr_parse(k->box, k->a, cases[i][0], mark_none(), &e, k->err));
        assert_int_equal(expr_test(k->box, e, NULL, k->a, &yes, &sig, k->err), CALL_ERROR);
        const char *text = kit_errors(k);
        assert_has(text, "not-boolean");
        assert_has(text, cases[i][1]);
    }
    assert_true(expr_parse(k->box, k->a, "1 < 2", mark_none(), &e, k->err));
    assert_int_equal(expr_test(k->box, e, NULL, k->a, &yes, &sig, k->err), CALL_OK);
    assert_true(yes);
}

static void any_bytes_are_read_without_harm(void **state) {
    struct kit *k = *state;
    uint64_t x = 88172645463325252u;
    static const char bits[] = "ab .=[]{}()\"'\\-!&|~<>$%0x9e+,;:\n#\x80\xff endfunctionlocal";
    for (int round = 0; round < 20000; round++) {
        char text[24];
        size_t n = 0;
        for (; n < sizeof text - 1; n++) {
            x ^= x << 13, x ^= x >> 7, x ^= x << 17;
            if (x % 16 == 0)
                break;
            text[n] = bits[(x >> 8) % (sizeof bits - 1)];
        }
        text[n] = '\0';
        struct arena *a = arena_new();
        struct err *err = err_new(a);
        const struct source *src = source_new(a, "r", text, n);
        struct expr *e;
        struct tmpl *t;
        bool ok = expr_parse(k->box, a, text, mark_at(src, 0, n), &e, err);
        assert_int_equal(ok, err->nerrors == 0);
        char wrapped[40];
        snprintf(wrapped, sizeof wrapped, "x${{%s}}", text);
        (void)tmpl_parse(k->box, a, val_str(a, wrapped), &t, err);
        arena_free(a);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        KIT_TEST(references_are_found_without_evaluating), KIT_TEST(references_have_places), KIT_TEST(wrong_syntax_is_shown_where_it_is),
        KIT_TEST(lines_of_a_block_have_places_too), KIT_TEST(what_only_looks_like_another_language_is_fine), KIT_TEST(the_scope_is_what_is_seen),
        KIT_TEST(reading_the_unknown_ends_the_expression), KIT_TEST(a_test_must_be_a_boolean), KIT_TEST(any_bytes_are_read_without_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
