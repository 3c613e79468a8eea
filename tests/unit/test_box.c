/* The sandbox: what scripts cannot reach, and what they cannot use up. */
#include "lua_kit.h"

static void dangerous_names_do_not_exist(void **state) {
    struct kit *k = *state;
    static const char *const names[] = {"os", "io", "debug", "package", "load", "loadstring", "dofile", "loadfile", "require", "coroutine", "pcall",
                                        "xpcall", "getmetatable", "setmetatable", "collectgarbage", "print", "rawget", "rawset", "rawequal", "rawlen",
                                        "_G", "warn"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_string_equal(kit_eval(k, NULL, names[i]), "error");
        assert_has(kit_errors(k), "unknown name");
    }
    static const char *const gone[] = {"string.dump == nil", "math.randomseed == nil", "(\"\").dump == nil", "string.pack == nil"};
    for (size_t i = 0; i < sizeof gone / sizeof *gone; i++)
        assert_string_equal(kit_eval(k, NULL, gone[i]), "true");
}

static void libraries_cannot_be_changed(void **state) {
    struct kit *k = *state;
    static const char *const tries[] = {"(function() string.rep = nil end)()", "(function() math.x = 1 end)()", "(function() x = 1 end)()",
                                        "(function() _ENV.tostring = nil end)()", "(function() (\"\").x = 1 end)()", "table.insert(string, 1)"};
    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++)
        assert_string_equal(kit_eval(k, NULL, tries[i]), "error");
    assert_string_equal(kit_eval(k, NULL, "(\"ab\"):rep(2) .. string.upper(\"c\")"), "\"ababC\"");
}

static void bytecode_is_refused(void **state) {
    struct kit *k = *state;
    struct expr *e;
    assert_false(expr_parse(k->box, k->a, "\x1bLua", mark_none(), &e, k->err));
}

static void an_endless_loop_ends_and_the_box_goes_on(void **state) {
    struct kit *k = *state;
    assert_string_equal(kit_eval(k, NULL, "(function() while true do end end)()"), "error");
    assert_has(kit_errors(k), "instruction-limit");
    assert_string_equal(kit_eval(k, NULL, "1 + 1"), "2");
    assert_string_equal(kit_eval(k, NULL, "table.sort({3, 2, 1}, function() while true do end end)"), "error");
    assert_has(kit_errors(k), "instruction-limit");
}

static void long_texts_count_as_work(void **state) {
    struct kit *k = *state;
    static const char *const tries[] = {"(function() local s = string.rep(\"x\", 1 << 24) for i = 1, 100000 do local t = s .. i end end)()",
                                        "(function() local s = string.rep(\"x\", 1 << 24) for i = 1, 100000 do s:upper() end end)()"};
    for (size_t i = 0; i < 2; i++) {
        assert_string_equal(kit_eval(k, NULL, tries[i]), "error");
        assert_has(kit_errors(k), "instruction-limit");
    }
}

static void functions_of_c_cannot_hang(void **state) {
    struct kit *k = *state;
    static const char *const tries[] = {
        "string.rep(\"\", 1 << 60)", "table.move({}, 1, 1 << 60, 2)", "string.rep(\"x\", 1 << 60)",
        "string.find(string.rep(\"a\", 60000), \".-.-.-.-.-.-b\")", "string.match(string.rep(\"a\", 1 << 22), \".-b\")",
        "string.gsub(string.rep(\"a\", 60000), \".-.-.-.-b\", \"\")", "table.concat({}, \"x\", 1, 1 << 60)", "table.unpack({}, 1, 1 << 30)",
        "(function() for _ in string.gmatch(string.rep(\"a\", 60000), \".-.-.-.-.-b\") do end end)()",
    };
    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++)
        (void)kit_eval(k, NULL, tries[i]);
    assert_string_equal(kit_eval(k, NULL, "1 + 1"), "2");
}

static void memory_is_limited_and_comes_back(void **state) {
    struct kit *k = *state;
    struct box *usual = k->box;
    k->box = box_new(&(struct box_limits){.instructions = 100000000, .memory = 4u << 20});
    static const char *const tries[] = {
        "string.rep(\"x\", 8 * 1024 * 1024)",
        "(function() local t = {} for i = 1, 10000000 do t[i] = i end end)()",
        "(function() local s = \"x\" while true do s = s .. s end end)()",
        "(function() local s = \"x\" while true do s = string.format(\"%s%s\", s, s) end end)()",
        "(function() local t = { \"x\" } while true do local s = table.concat(t) t = { s, s } end end)()",
        "(function() local s = \"aaaaaaaaaa\" while true do s = (s:gsub(\"a\", \"aa\")) end end)()",
    };
    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
        assert_string_equal(kit_eval(k, NULL, tries[i]), "error");
        const char *text = kit_errors(k);
        if (!strstr(text, "memory-limit") && !strstr(text, "too long"))
            fail_msg("%s: %s", tries[i], text);
    }
    assert_string_equal(kit_eval(k, NULL, "#string.rep(\"x\", 1000)"), "1000");
    box_free(k->box);
    k->box = usual;
}

static void deep_recursion_is_an_error(void **state) {
    struct kit *k = *state;
    assert_string_equal(kit_eval(k, NULL, "(function() local function f() return 1 + f() end return f() end)()"), "error");
    assert_has(kit_errors(k), "stack overflow");
    assert_string_equal(kit_eval(k, NULL, "(function() local function f(s) return (s:gsub(\".\", f)) end return f(\"x\") end)()"), "error");
    (void)kit_errors(k);
    struct buf b = BUF_INIT;
    for (int i = 0; i < 5000; i++)
        buf_addc(&b, '(');
    assert_string_equal(kit_eval(k, NULL, b.data), "syntax");
    buf_done(&b);
}

static void tables_are_walked_in_order(void **state) {
    struct kit *k = *state;
    assert_string_equal(kit_eval(k, NULL, "(function() local r = {} for k in pairs({ b = 1, a = 2, [10] = 3, [-1] = 4, c = 5, [2.5] = 6 }) do r[#r + 1] = k end return r end)()"),
                        "[-1,2.5,10,\"a\",\"b\",\"c\"]");
    assert_string_equal(kit_eval(k, NULL, "next({ b = 1, a = 2 })"), "\"a\"");
    assert_string_equal(kit_eval(k, NULL, "next({ b = 1, a = 2 }, \"a\")"), "\"b\"");
    assert_string_equal(kit_eval(k, NULL, "next({}) == nil"), "true");
    assert_string_equal(kit_eval(k, NULL, "(function() local t = { a = 1, b = 2, c = 3 } local n = 0 for k in pairs(t) do t.b = nil n = n + 1 end return n end)()"), "2");
}

static void random_numbers_are_the_same_in_every_call(void **state) {
    struct kit *k = *state;
    const char *text = "{ math.random(), math.random(10), math.random(5, 6) }";
    assert_string_equal(kit_eval(k, NULL, text), kit_eval(k, NULL, text));
}

static void addresses_are_not_shown(void **state) {
    struct kit *k = *state;
    assert_string_equal(kit_eval(k, NULL, "tostring({}) .. tostring(pairs) .. string.format(\"%s\", {})"), "\"tablefunctiontable\"");
    assert_string_equal(kit_eval(k, NULL, "string.format(\"%p\", {})"), "error");
}

static void helpers_do_what_they_say(void **state) {
    struct kit *k = *state;
    static const char *const cases[][2] = {
        {"count({ a = 1, b = 2 })", "2"},
        {"count({ 1, 2, 3 }, function(x) return x > 1 end)", "2"},
        {"take({ 5, 6, 7 }, 2)", "[5,6]"},
        {"take({}, 2)", "[]"},
        {"sorted({ 3, \"b\", 1, \"a\" })", "[1,3,\"a\",\"b\"]"},
        {"sorted({ { n = 2 }, { n = 1 } }, \"n\")", "[{\"n\":1},{\"n\":2}]"},
        {"sorted({ x = 2, y = 1 })", "[1,2]"},
        {"any({ 1, 2 }, function(x) return x == 2 end)", "true"},
        {"all({ 1, 2 }, function(x) return x == 2 end)", "false"},
        {"all({})", "true"},
        {"{ quorum(1), quorum(2), quorum(3), quorum(4), quorum(5) }", "[1,2,2,3,3]"},
        {"{ odd_at_most(0), odd_at_most(1), odd_at_most(4), odd_at_most(5) }", "[0,1,3,5]"},
        {"keys({ b = 1, a = 2 })", "[\"a\",\"b\"]"},
        {"values({ b = 1, a = 2 })", "[2,1]"},
        {"map({ 1, 2 }, function(x) return x * 2 end)", "[2,4]"},
        {"map({ a = 1 }, function(x, key) return key end)", "{\"a\":\"a\"}"},
        {"filter({ 1, 2, 3 }, function(x) return x ~= 2 end)", "[1,3]"},
        {"filter(list{}, function() return true end)", "[]"},
        {"find({ a = 1, b = 2 }, function(x) return x == 2 end)", "2"},
        {"contains({ \"a\", \"b\" }, \"b\")", "true"},
        {"copy({ a = { 1 } })", "{\"a\":[1]}"},
        {"list{}", "[]"},
        {"{}", "{}"},
        {"json.decode(\"{\\\"a\\\": [1, {}], \\\"b\\\": null, \\\"c\\\": []}\")", "{\"a\":[1,{}],\"c\":[]}"},
        {"json.encode({ b = 1, a = list{} })", "\"{\\\"a\\\":[],\\\"b\\\":1}\""},
        {"base64.encode(\"any carnal pleas\")", "\"YW55IGNhcm5hbCBwbGVhcw==\""},
        {"base64.decode(\"YW55IGNhcm5hbCBwbGVhcw==\")", "\"any carnal pleas\""},
        {"base64.decode(\"-_8\") == base64.decode(\"+/8=\")", "true"},
        {"type(list{}) .. type(nil) .. type(\"\")", "\"tablenilstring\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *got = kit_eval(k, NULL, cases[i][0]);
        if (strcmp(got, cases[i][1]) != 0)
            fail_msg("%s: expected %s, got %s\n%s", cases[i][0], cases[i][1], got, kit_errors(k));
    }
}

static void patterns_work(void **state) {
    struct kit *k = *state;
    static const char *const cases[][2] = {
        {"string.find(\"hello\", \"l+\")", "3"},
        {"{ string.find(\"hello\", \"(l)(l)\") }", "[3,4,\"l\",\"l\"]"},
        {"{ string.find(\"a.b\", \".\", 2, true) }", "[2,2]"},
        {"string.match(\"10.0.0.1:2377\", \"^([^:]+):%d+$\")", "\"10.0.0.1\""},
        {"string.match(\"[fd00::1]:2377\", \"^%[(.-)%]\")", "\"fd00::1\""},
        {"{ string.match(\"k = v\", \"^(%w+)%s*=%s*(%w+)$\") }", "[\"k\",\"v\"]"},
        {"string.match(\"abc\", \"()b()\")", "2"},
        {"string.match(\"abc\", \"x\") == nil", "true"},
        {"string.match(\"f(a(b)c)d\", \"%b()\")", "\"(a(b)c)\""},
        {"string.match(\"THE (quick) fox\", \"%f[%a]%a+%f[%A]\", 2)", "\"quick\""},
        {"string.match(\"=[[x]]\", \"(=)(%[+)x\")", "\"=\""},
        {"string.match(\"abab\", \"(ab)%1\")", "\"ab\""},
        {"string.gsub(\"hello world\", \"o\", \"0\")", "\"hell0 w0rld\""},
        {"{ string.gsub(\"hello\", \"\", \"-\") }", "[\"-h-e-l-l-o-\",6]"},
        {"{ string.gsub(\"abc\", \"%w\", \"%0%0\", 2) }", "[\"aabbc\",2]"},
        {"string.gsub(\"$x-$y\", \"%$(%w)\", { x = 1 })", "\"1-$y\""},
        {"string.gsub(\"abc\", \"b\", function(s) return s:upper() end)", "\"aBc\""},
        {"(function() local r = {} for a, b in string.gmatch(\"a=1, b=2\", \"(%w)=(%w)\") do r[a] = b end return r end)()", "{\"a\":\"1\",\"b\":\"2\"}"},
        {"string.match(\"x-1\", \"[%w-]+\")", "\"x-1\""},
        {"string.match(\"]\", \"[]]\")", "\"]\""},
        {"string.match(\"a^\", \"[b^]\")", "\"^\""},
        {"string.match(\"ab\", \"a?b?$\")", "\"ab\""},
        {"string.find(\"abc\", \"b\", -2)", "2"},
        {"string.find(\"abc\", \"\", 10) == nil", "true"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *got = kit_eval(k, NULL, cases[i][0]);
        if (strcmp(got, cases[i][1]) != 0)
            fail_msg("%s: expected %s, got %s\n%s", cases[i][0], cases[i][1], got, kit_errors(k));
    }
    static const char *const bad[] = {"string.match(\"a\", \"[a\")", "string.match(\"a\", \"(a\")", "string.match(\"a\", \"a)\")", "string.match(\"a\", \"%\")",
                                      "string.match(\"a\", \"%1\")", "string.gsub(\"a\", \"a\", \"%9\")", "string.gsub(\"a\", \"a\", true)"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_string_equal(kit_eval(k, NULL, bad[i]), "error");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        KIT_TEST(dangerous_names_do_not_exist), KIT_TEST(libraries_cannot_be_changed), KIT_TEST(bytecode_is_refused),
        KIT_TEST(an_endless_loop_ends_and_the_box_goes_on), KIT_TEST(long_texts_count_as_work), KIT_TEST(functions_of_c_cannot_hang), KIT_TEST(memory_is_limited_and_comes_back),
        KIT_TEST(deep_recursion_is_an_error), KIT_TEST(tables_are_walked_in_order), KIT_TEST(random_numbers_are_the_same_in_every_call),
        KIT_TEST(addresses_are_not_shown), KIT_TEST(helpers_do_what_they_say), KIT_TEST(patterns_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
