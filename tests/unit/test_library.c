/* Definitions from Lua files: names, kinds, what they may declare, and what is told when they are wrong. */
#include "lua_kit.h"

#include <unistd.h>

static const char leave[] = "return action {\n"
                            "  summary = \"Leave the swarm\",\n"
                            "  inputs = { node = { type = \"node\", required = true } },\n"
                            "  outputs = { id = { type = \"string\" } },\n"
                            "  changes = { \"swarm\" },\n"
                            "  effect = function(state, with) state.swarm.gone = with.node end,\n"
                            "  outcomes = { stuck = function(state, with) end },\n"
                            "  done = function(state, with, before) return false end,\n"
                            "  run = function(ctx, with) end,\n"
                            "}\n";

static void a_definition_is_what_its_file_says(void **state) {
    struct kit *k = *state;
    kit_file(k, "stdlib/swarm/leave.lua", leave);
    kit_library(k);
    const struct def *d = library_get(k->lib, "swarm.leave", DEF_ACTION, mark_none(), k->err);
    assert_non_null(d);
    assert_string_equal(d->name, "swarm.leave");
    assert_string_equal(d->family, "swarm");
    assert_true(d->fn[FN_RUN] && d->fn[FN_EFFECT] && d->fn[FN_DONE] && !d->fn[FN_BEFORE]);
    assert_int_equal(d->noutcomes, 1);
    assert_string_equal(d->outcomes[0].name, "stuck");
    assert_true(def_changes(d, "swarm") && !def_changes(d, "dtr"));
    assert_string_equal(kit_text(k, d->decl),
                        "{\"changes\":[\"swarm\"],\"inputs\":{\"node\":{\"required\":true,\"type\":\"node\"}},"
                        "\"outputs\":{\"id\":{\"type\":\"string\"}},\"summary\":\"Leave the swarm\"}");
    assert_ptr_equal(d, library_get(k->lib, "swarm.leave", DEF_ACTION, mark_none(), k->err));
}

static void names_come_from_files(void **state) {
    struct kit *k = *state;
    kit_file(k, "stdlib/swarm/leave.lua", leave);
    kit_file(k, "stdlib/swarm/lib.lua", "return {}");
    kit_file(k, "stdlib/dtr/ids.lua", "return func(function() return 1 end)");
    kit_file(k, "stdlib/mine.lua", "return func(function() return 2 end)");
    kit_library(k);
    const char *const *names;
    assert_int_equal(library_names(k->lib, NULL, &names), 3);
    assert_string_equal(names[0], "dtr.ids");
    assert_string_equal(names[1], "hooks.mine");
    assert_string_equal(names[2], "swarm.leave");
    assert_int_equal(library_names(k->lib, "swarm", &names), 1);
    assert_int_equal(library_names(k->lib, "ucp", &names), 0);
    assert_true(library_is_family(k->lib, "dtr") && !library_is_family(k->lib, "lib"));
    assert_true(library_has(k->lib, "hooks.mine") && !library_has(k->lib, "swarm.lib"));
    assert_string_equal(kit_eval(k, NULL, "hooks.mine() + dtr.ids()"), "3");
}

static void an_unknown_name_gets_the_nearest(void **state) {
    struct kit *k = *state;
    kit_file(k, "stdlib/swarm/leave.lua", leave);
    kit_library(k);
    assert_null(library_get(k->lib, "swarm.laeve", DEF_ACTION, mark_none(), k->err));
    const char *text = kit_errors(k);
    assert_has(text, "unknown-action");
    assert_has(text, "did you mean 'swarm.leave'");
    assert_null(library_get(k->lib, "swarm.leave", DEF_PROBE, mark_none(), k->err));
    assert_has(kit_errors(k), "'swarm.leave' is an action, and a probe is wanted here");
}

static void a_bad_declaration_names_its_line(void **state) {
    struct kit *k = *state;
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"return action {\n  sumary = \"x\",\n  run = function() end,\n}", "stdlib/f/x.lua:2:3: error: an action has no key 'sumary'"},
        {"return action {\n  sumary = \"x\",\n  run = function() end,\n}", "did you mean 'summary'"},
        {"return probe {\n  run = function() end,\n}", "schema"},
        {"return probe {\n  schema = { type = \"map\" },\n  run = function() end,\n  effect = function() end,\n}", "stdlib/f/x.lua:4:3"},
        {"return action {\n  run = function() end,\n  efect = function() end,\n}", "did you mean 'effect'"},
        {"return action {\n  run = 1,\n}", "stdlib/f/x.lua:2:3: error: 'run' must be a function"},
        {"return action {\n  run = function() end,\n  changes = \"swarm\",\n}", "stdlib/f/x.lua:3:3"},
        {"return action {\n  run = function() end,\n  inputs = {\n    a = { typ = \"node\" },\n  },\n}", "stdlib/f/x.lua:4:11"},
        {"return action {\n  run = function() end,\n  inputs = { a = { type = \"nod\" } },\n}", "stdlib/f/x.lua:3"},
        {"return action {\n  run = function() end,\n  on_unknown = \"never\",\n}", "check"},
        {"return action {\n  run = function() end,\n  summary = function() end,\n}", "'summary' must be data"},
        {"return action {\n  run = function() end,\n  outcomes = { half = 1 },\n}", "stdlib/f/x.lua:3:16"},
        {"return rule { why = \"x\" }", "never"},
        {"return 1", "must return action"},
        {"return action", "must return action"},
        {"local x = \n", "stdlib/f/x.lua:2:1: error: unexpected symbol near <eof>"},
        {"return action { run = function() end } +", "stdlib/f/x.lua:1"},
        {"\n\nerror(\"broken\")", "stdlib/f/x.lua:3:1: error: broken"},
        {"x = 1", "is not a local name"},
        {"return fnc(function() end)", "did you mean 'func'"},
        {"while true do end", "instruction-limit"},
        {"return func { f.x }", "needs itself"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        k->n = 0;
        kit_file(k, "stdlib/f/x.lua", cases[i].text);
        kit_library(k);
        assert_null(library_get(k->lib, "f.x", DEF_ACTION, mark_none(), k->err));
        assert_has(kit_errors(k), cases[i].says);
        assert_null(library_get(k->lib, "f.x", DEF_ACTION, mark_none(), k->err)); /* told again, to each who asks */
        assert_has(kit_errors(k), cases[i].says);
    }
}

static void funcs_are_declared_in_three_ways(void **state) {
    struct kit *k = *state;
    kit_file(k, "stdlib/f/a.lua", "return func(function(x) return x + 1 end)");
    kit_file(k, "stdlib/f/b.lua", "return func { summary = \"two\", function(x) return f.a(x) + 1 end }");
    kit_file(k, "stdlib/f/c.lua", "return func { call = function(x) return lib.add(f.b(x), 1) end }");
    kit_file(k, "stdlib/f/lib.lua", "local lib = {}\nfunction lib.add(a, b) return a + b end\nreturn lib");
    kit_library(k);
    assert_string_equal(kit_eval(k, NULL, "f.c(1)"), "4");
    assert_string_equal(kit_eval(k, NULL, "f.d(1)"), "error");
    assert_has(kit_errors(k), "unknown name 'f.d'");
    assert_string_equal(kit_eval(k, NULL, "(function() f.a = nil end)()"), "error");
}

static void lib_is_read_only(void **state) {
    struct kit *k = *state;
    kit_file(k, "stdlib/f/a.lua", "return func(function(x) lib.n = 1 end)");
    kit_file(k, "stdlib/f/lib.lua", "return { n = 0 }");
    kit_library(k);
    assert_string_equal(kit_eval(k, NULL, "f.a()"), "error");
    assert_has(kit_errors(k), "read-only");
}

static void an_error_in_lua_tells_who_called(void **state) {
    struct kit *k = *state;
    kit_file(k, "stdlib/f/a.lua", "return func(function(x)\n  return lib.half(x)\nend)");
    kit_file(k, "stdlib/f/lib.lua", "local lib = {}\nfunction lib.half(x)\n  return x.y.z\nend\nreturn lib");
    kit_library(k);
    const struct source *src = source_new(k->a, "r.yaml", "check: f.a({})", 14);
    struct expr *e;
    const struct val *v;
    struct call_signal sig;
    assert_true(expr_parse(k->box, k->a, "f.a({})", mark_at(src, 7, 7), &e, k->err));
    assert_int_equal(expr_eval(k->box, e, NULL, k->a, &v, &sig, k->err), CALL_ERROR);
    const char *text = kit_errors(k);
    assert_has(text, "stdlib/f/lib.lua:3:3: error: attempt to index a nil value (field 'y')");
    assert_has(text, "while evaluating 'f.a({})' at r.yaml:1");
}

static void a_capability_is_asked_of_the_state(void **state) {
    struct kit *k = *state;
    kit_file(k, "stdlib/swarm/quorum.lua", "return capability { needs = { \"swarm\" }, holds = function(state) return state.swarm.held, \"no\" end }");
    kit_library(k);
    struct model *m = model_new(k->box);
    model_set(m, "swarm", kit_json(k, "{\"held\":false,\"other\":{\"swarm\":{\"held\":true}}}"));
    struct scope s = {.lib = k->lib, .state = m};
    assert_string_equal(kit_eval(k, &s, "swarm.quorum()"), "false");
    assert_string_equal(kit_eval(k, &s, "swarm.quorum"), "false");
    assert_string_equal(kit_eval(k, &s, "not swarm.quorum and swarm.quorum == false"), "true");
    assert_string_equal(kit_eval(k, &s, "swarm.quorum(state.swarm.other)"), "true");
    assert_string_equal(kit_eval(k, NULL, "swarm.quorum()"), "error");
    model_free(m);
}

static void the_digest_follows_what_was_loaded(void **state) {
    struct kit *k = *state;
    char a[65], b[65], c[65];
    kit_file(k, "stdlib/swarm/leave.lua", leave);
    kit_library(k);
    library_digest(k->lib, a);
    assert_non_null(library_get(k->lib, "swarm.leave", DEF_ACTION, mark_none(), k->err));
    library_digest(k->lib, b);
    assert_int_equal(strlen(b), 64);
    assert_string_not_equal(a, b);
    kit_library(k);
    assert_non_null(library_get(k->lib, "swarm.leave", DEF_ACTION, mark_none(), k->err));
    library_digest(k->lib, c);
    assert_string_equal(b, c);
}

static void every_kind_documents_its_keys(void **state) {
    (void)state;
    for (int kind = DEF_ACTION; kind <= DEF_FUNC; kind++)
        for (const struct field *f = def_fields((enum def_kind)kind); f->key; f++)
            assert_true(f->text && *f->text && f->text[strlen(f->text) - 1] != ' ');
}

/* Every file of the library that is shipped; run from the top of the tree. */
static void the_lib_of_another_family_is_had_by_name(void **state) {
    struct kit *k = *state;
    kit_file(k, "stdlib/docker/lib.lua", "local lib = { n = 20 } function lib.more(x) return x + lib.n end return lib");
    kit_file(k, "stdlib/ucp/lib.lua", "local docker = library \"docker\" return { two = function() return docker.more(1) end }");
    kit_file(k, "stdlib/ucp/one.lua", "local docker = library \"docker\" return func(function() return docker.more(1) + lib.two() end)");
    kit_file(k, "stdlib/ucp/write.lua", "local docker = library \"docker\" return func(function() docker.n = 3 end)");
    kit_library(k);
    assert_string_equal(kit_eval(k, NULL, "ucp.one()"), "42");
    assert_string_equal(kit_eval(k, NULL, "ucp.write()"), "error");
    assert_has(kit_errors(k), "this is read-only here");
    assert_string_equal(kit_eval(k, NULL, "ucp.one()"), "42");
}

static void a_family_that_has_no_lib_is_told(void **state) {
    struct kit *k = *state;
    kit_file(k, "stdlib/dtr/ids.lua", "return func(function() return 1 end)");
    kit_file(k, "stdlib/a/none.lua", "local x = library \"dtr\" return func(function() return 1 end)");
    kit_file(k, "stdlib/a/away.lua", "local x = library \"dokcer\" return func(function() return 1 end)");
    kit_library(k);
    assert_string_equal(kit_eval(k, NULL, "a.none()"), "error");
    assert_has(kit_errors(k), "the family 'dtr' has no lib.lua");
    assert_string_equal(kit_eval(k, NULL, "a.away()"), "error");
    assert_has(kit_errors(k), "there is no family 'dokcer'");
}

static void libs_that_need_each_other_are_an_error(void **state) {
    struct kit *k = *state;
    kit_file(k, "stdlib/a/lib.lua", "local b = library \"b\" return {}");
    kit_file(k, "stdlib/b/lib.lua", "local a = library \"a\" return {}");
    kit_file(k, "stdlib/a/x.lua", "local b = library \"b\" return func(function() return 1 end)");
    kit_library(k);
    assert_string_equal(kit_eval(k, NULL, "a.x()"), "error");
    assert_has(kit_errors(k), "needs itself while it is being loaded");
}

static void the_shipped_library_loads(void **state) {
    struct kit *k = *state;
    if (access("stdlib", R_OK) != 0)
        skip();
    k->files = files_new(k->a);
    assert_true(files_add_dir(k->files, "stdlib", "stdlib/", mark_none(), k->err));
    k->lib = library_new(k->a, k->box, k->files);
    const char *const *names;
    size_t n = library_names(k->lib, NULL, &names);
    assert_true(n > 0);
    for (size_t i = 0; i < n; i++) {
        bool found = false;
        for (int kind = DEF_ACTION; kind <= DEF_FUNC && !found; kind++)
            found = library_get(k->lib, names[i], (enum def_kind)kind, mark_none(), err_new(k->a)) != NULL;
        if (!found) {
            library_get(k->lib, names[i], DEF_ACTION, mark_none(), k->err);
            print_error("%s", kit_errors(k));
        }
        assert_true(found);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        KIT_TEST(a_definition_is_what_its_file_says), KIT_TEST(names_come_from_files), KIT_TEST(an_unknown_name_gets_the_nearest),
        KIT_TEST(a_bad_declaration_names_its_line), KIT_TEST(funcs_are_declared_in_three_ways), KIT_TEST(lib_is_read_only),
        KIT_TEST(an_error_in_lua_tells_who_called), KIT_TEST(a_capability_is_asked_of_the_state), KIT_TEST(the_digest_follows_what_was_loaded),
        KIT_TEST(every_kind_documents_its_keys), KIT_TEST(the_lib_of_another_family_is_had_by_name),
        KIT_TEST(a_family_that_has_no_lib_is_told), KIT_TEST(libs_that_need_each_other_are_an_error), KIT_TEST(the_shipped_library_loads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
