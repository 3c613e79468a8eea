/* Values with ${{ … }} in them. */
#include "lua_kit.h"

static enum call_result fill(struct kit *k, const struct val *v, const struct scope *s, bool keep, const struct val **ret, struct call_signal *sig) {
    struct tmpl *t = NULL;
    if (!tmpl_parse(k->box, k->a, v, &t, k->err))
        return CALL_ERROR;
    return tmpl_eval(k->box, t, s, keep, k->a, ret, sig, k->err);
}

static void values_are_filled_in(void **state) {
    struct kit *k = *state;
    struct scope s = {.inputs = kit_json(k, "{\"n\":3,\"l\":[],\"m\":{\"a\":1},\"s\":\"x\",\"d\":1.5,\"b\":true}")};
    static const char *const cases[][2] = {
        {"\"plain\"", "\"plain\""},
        {"\"${{ inputs.n }}\"", "3"},
        {"\"${{ inputs.l }}\"", "[]"},
        {"\" ${{ inputs.n }}\"", "\" 3\""},
        {"\"${{ inputs.n }}${{ inputs.s }}\"", "\"3x\""},
        {"\"a ${{ inputs.m }} b ${{ inputs.d }} ${{ inputs.b }} ${{ inputs.d * 2 }}\"", "\"a {\\\"a\\\":1} b 1.5 true 3.0\""},
        {"\"${{ { a = { b = 1 } } }}\"", "{\"a\":{\"b\":1}}"},
        {"\"${{ \\\"}}\\\" }}\"", "\"}}\""},
        {"\"${{ [[}}]] .. '}}' --[[ }} ]] }}\"", "\"}}}}\""},
        {"\"$ {{ $x }} }}\"", "\"$ {{ $x }} }}\""},
        {"{\"a\":[\"${{ inputs.n }}\",1,{\"b\":\"${{ inputs.s }}\"}],\"c\":null}", "{\"a\":[3,1,{\"b\":\"x\"}],\"c\":null}"},
        {"[]", "[]"},
        {"{}", "{}"},
        {"\"${{ nil }}\"", "null"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct val *v = NULL;
        struct call_signal sig;
        if (fill(k, kit_json(k, cases[i][0]), &s, false, &v, &sig) != CALL_OK)
            fail_msg("%s: %s", cases[i][0], kit_errors(k));
        assert_string_equal(kit_text(k, v), cases[i][1]);
    }
}

static void an_open_template_is_told_with_its_place(void **state) {
    struct kit *k = *state;
    static const char text[] = "title: Join ${{ item # x }}\n";
    const struct source *src = source_new(k->a, "r.yaml", text, sizeof text - 1);
    const struct val *v = val_marked(k->a, val_str(k->a, "Join ${{ item"), mark_at(src, 7, 13));
    struct tmpl *t;
    assert_false(tmpl_parse(k->box, k->a, v, &t, k->err));
    const char *s = kit_errors(k);
    assert_has(s, "r.yaml:1:13:");
    assert_has(s, "template-open");
    assert_has(s, "quote the whole string");
    static const char *const open[] = {"${{", "${{ }", "${{ \"a }}", "${{ [[ }}", "${{ { }}", "${{ --[[ }}"};
    for (size_t i = 0; i < sizeof open / sizeof *open; i++) {
        assert_false(tmpl_parse(k->box, k->a, val_str(k->a, open[i]), &t, k->err));
        assert_has(kit_errors(k), "template-open");
    }
    assert_false(tmpl_parse(k->box, k->a, val_str(k->a, "${{ }}"), &t, k->err));
    assert_has(kit_errors(k), "missing");
}

static void errors_inside_have_their_column(void **state) {
    struct kit *k = *state;
    static const char text[] = "with: { a: \"x ${{ a != b }}\" }\n";
    const struct source *src = source_new(k->a, "r.yaml", text, sizeof text - 1);
    struct tmpl *t;
    assert_false(tmpl_parse(k->box, k->a, val_marked(k->a, val_str(k->a, "x ${{ a != b }}"), mark_at(src, 11, 17)), &t, k->err));
    assert_has(kit_errors(k), "r.yaml:1:21:");
}

static void a_secret_part_makes_the_whole_secret(void **state) {
    struct kit *k = *state;
    struct val *m = val_map_new(k->a);
    val_map_set(k->a, m, "pw", val_secret(k->a, val_str(k->a, "hunter2")));
    struct scope s = {.inputs = m};
    struct call_signal sig;
    const struct val *v;
    assert_int_equal(fill(k, val_str(k->a, "user:${{ inputs.pw }}@x"), &s, false, &v, &sig), CALL_OK);
    assert_true(v->secret);
    assert_string_equal(val_cstr(v), "user:hunter2@x");
    assert_int_equal(fill(k, val_str(k->a, "${{ inputs.pw }}"), &s, false, &v, &sig), CALL_OK);
    assert_true(v->secret);
    assert_int_equal(fill(k, val_str(k->a, "a ${{ inputs }}"), &s, false, &v, &sig), CALL_OK);
    assert_true(v->secret);
    assert_string_equal(kit_text(k, v), "\"***\"");
}

static void the_unknown_ends_it_or_is_kept(void **state) {
    struct kit *k = *state;
    struct scope s = {.inputs = kit_json(k, "{\"u\":{\"$unknown\":\"p\"},\"o\":{\"$unobserved\":\"w\"},\"m\":{\"x\":{\"$unknown\":\"q\"}}}")};
    struct call_signal sig = {0};
    const struct val *v = NULL;
    const struct val *src = kit_json(k, "{\"a\":\"x ${{ inputs.u }}\",\"b\":\"${{ inputs.u }}\",\"c\":\"${{ 1 }}\"}");
    assert_int_equal(fill(k, src, &s, false, &v, &sig), CALL_UNKNOWN);
    assert_string_equal(sig.text, "p");
    assert_int_equal(fill(k, src, &s, true, &v, &sig), CALL_OK);
    assert_string_equal(val_unknown_provider(val_get(v, "a")), "p");
    assert_string_equal(val_unknown_provider(val_get(v, "b")), "p");
    assert_int_equal(val_get_int(v, "c", 0), 1);
    assert_int_equal(fill(k, val_str(k->a, "${{ inputs.o }}"), &s, true, &v, &sig), CALL_UNOBSERVED);
    assert_string_equal(sig.text, "w");
    assert_int_equal(fill(k, val_str(k->a, "a ${{ inputs.m }}"), &s, true, &v, &sig), CALL_OK);
    assert_string_equal(val_unknown_provider(v), "q");
}

static void nil_is_no_text(void **state) {
    struct kit *k = *state;
    struct call_signal sig;
    const struct val *v;
    assert_int_equal(fill(k, val_str(k->a, "image:${{ nil }}"), NULL, false, &v, &sig), CALL_ERROR);
    assert_has(kit_errors(k), "template-nil");
}

static void see(void *ud, const struct expr *e) {
    buf_adds(ud, e->text);
    buf_addc(ud, ';');
}

static void every_expression_is_visited_once(void **state) {
    struct kit *k = *state;
    struct tmpl *t;
    struct buf b = BUF_INIT;
    assert_true(tmpl_parse(k->box, k->a, kit_json(k, "{\"a\":[\"${{ x }} ${{ y }}\",\"no\"],\"b\":{\"c\":\"${{z}}\"}}"), &t, k->err));
    assert_false(tmpl_is_const(t));
    tmpl_each(t, see, &b);
    assert_string_equal(b.data, "x;y;z;");
    buf_done(&b);
    assert_true(tmpl_parse(k->box, k->a, kit_json(k, "[1,\"a\"]"), &t, k->err));
    assert_true(tmpl_is_const(t));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        KIT_TEST(values_are_filled_in), KIT_TEST(an_open_template_is_told_with_its_place), KIT_TEST(errors_inside_have_their_column),
        KIT_TEST(a_secret_part_makes_the_whole_secret), KIT_TEST(the_unknown_ends_it_or_is_kept), KIT_TEST(nil_is_no_text),
        KIT_TEST(every_expression_is_visited_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
