/* Saved plans: what counts as another plan, which facts are told, and which documents are none. */
#include "plan_kit.h"

#include "plan/saved.h"

static const char *changes(struct kit *k, const char *then, const char *now, const char *attested) {
    const struct saved_change *c;
    const size_t n = saved_changes(k->a, kit_json(k, then), kit_json(k, now), attested ? kit_json(k, attested) : NULL, &c);
    const char *s = "";
    for (size_t i = 0; i < n; i++)
        s = arena_printf(k->a, "%s%s: %s | %s\n", s, c[i].path, c[i].then ? c[i].then : "-", c[i].now ? c[i].now : "-");
    return s;
}

/* ---- lines ---- */

#define JOIN "{\"path\":\"join\",\"will\":\"run\",\"known\":\"probed\",\"title\":\"Join\",\"with\":{\"node\":\"n1\",\"port\":2377}}"

static void labels_titles_and_reasons_are_no_change(void **state) {
    struct kit *k = *state;
    assert_string_equal(changes(k, "[" JOIN "]",
                                "[{\"path\":\"join\",\"will\":\"run\",\"known\":\"assumed\",\"title\":\"Join, 41 % free\",\"why\":\"because\","
                                "\"with\":{\"port\":2377.0,\"node\":\"n1\"}}]", NULL), "");
}

static void another_fate_of_a_step_is_told_with_its_reason(void **state) {
    struct kit *k = *state;
    assert_string_equal(changes(k, "[" JOIN "]", "[{\"path\":\"join\",\"will\":\"already\",\"known\":\"probed\",\"title\":\"Join\",\"why\":\"it is there\","
                                                 "\"with\":{\"node\":\"n1\",\"port\":2377}}]", NULL),
                        "join: run       Join | already   it is there\n");
}

static void only_the_values_that_differ_are_told(void **state) {
    struct kit *k = *state;
    assert_string_equal(changes(k, "[" JOIN "]", "[{\"path\":\"join\",\"will\":\"run\",\"known\":\"probed\",\"with\":{\"node\":\"n2\",\"port\":2377}}]", NULL),
                        "join: run       node: n1 | run       node: n2\n");
}

static void what_is_destroyed_counts(void **state) {
    struct kit *k = *state;
    assert_string_equal(changes(k, "[{\"path\":\"a\",\"will\":\"run\",\"known\":\"probed\"}]",
                                "[{\"path\":\"a\",\"will\":\"run\",\"known\":\"probed\",\"destroys\":\"all\"}]", NULL),
                        "a: run       destroys nothing | run       destroys all\n");
}

static void who_must_be_attested_counts_and_why_does_not(void **state) {
    struct kit *k = *state;
    const char *then = "[{\"path\":\"a\",\"will\":\"run\",\"known\":\"probed\",\"attests\":{\"n2\":\"silent for 3 s\"}}]";
    assert_string_equal(changes(k, then, "[{\"path\":\"a\",\"will\":\"run\",\"known\":\"probed\",\"attests\":{\"n2\":\"silent for 9 s\"}}]", NULL), "");
    assert_string_equal(changes(k, then, "[{\"path\":\"a\",\"will\":\"run\",\"known\":\"probed\",\"attests\":{\"n2\":\"x\",\"n3\":\"x\"}}]", NULL),
                        "a: run       needs the attestation of n2 | run       needs the attestation of n2, n3\n");
}

static void an_attestation_that_was_given_meanwhile_is_no_change(void **state) {
    struct kit *k = *state;
    const char *then = "[{\"path\":\"a\",\"will\":\"run\",\"known\":\"probed\",\"attests\":{\"n2\":\"x\",\"n3\":\"x\"}}]";
    assert_string_equal(changes(k, then, "[{\"path\":\"a\",\"will\":\"run\",\"known\":\"probed\",\"attests\":{\"n3\":\"x\"}}]", "[\"n2\"]"), "");
    assert_string_equal(changes(k, then, "[{\"path\":\"a\",\"will\":\"run\",\"known\":\"probed\"}]", "[\"n2\",\"n3\"]"), "");
    assert_string_equal(changes(k, then, "[{\"path\":\"a\",\"will\":\"run\",\"known\":\"probed\"}]", "[\"n2\"]"),
                        "a: run       needs the attestation of n3 | run       needs the attestation of nobody\n");
}

#define LINE(path) "{\"path\":\"" path "\",\"will\":\"run\",\"known\":\"probed\"}"

static void lines_that_came_and_went_are_told(void **state) {
    struct kit *k = *state;
    assert_string_equal(changes(k, "[" LINE("a") "," LINE("b") "]", "[" LINE("a") "," LINE("c") "]", NULL), "b: run        | -\nc: - | run       \n");
}

static void another_order_is_another_plan(void **state) {
    struct kit *k = *state;
    assert_string_equal(changes(k, "[" LINE("a") "," LINE("b") "]", "[" LINE("b") "," LINE("a") "]", NULL), "a: comes first | comes after b\n");
    assert_string_equal(changes(k, "[" LINE("a") "," LINE("a") "]", "[" LINE("a") "]", NULL), ": 2 lines | 1 lines\n");
}

static void secrets_and_unknown_values_survive_the_way_through_a_file(void **state) {
    struct kit *k = *state;
    struct val *m = val_map_new(k->a);
    val_map_set(k->a, m, "secret", val_secret(k->a, val_str(k->a, "hunter2")));
    val_map_set(k->a, m, "later", val_unknown(k->a, "join.outputs.id"));
    val_map_set(k->a, m, "unseen", val_unobserved(k->a, "n2: refused"));
    val_map_set(k->a, m, "number", val_double(k->a, 3.0));
    const struct val *once = saved_normal(k->a, m);
    assert_string_equal(val_get_str(once, "secret", ""), "***");
    assert_string_equal(val_unknown_provider(val_get(once, "later")), "join.outputs.id");
    assert_string_equal(val_unobserved_why(val_get(once, "unseen")), "n2: refused");
    assert_true(val_equal(once, saved_normal(k->a, once)));
}

/* ---- facts ---- */

static const char *facts(struct kit *k, const char *then, const char *now, const char *schemas) {
    const struct saved_fact *f;
    const size_t n = saved_facts(k->a, kit_json(k, then), kit_json(k, now), schemas ? kit_json(k, schemas) : NULL, &f);
    const char *s = "";
    for (size_t i = 0; i < n; i++)
        s = arena_printf(k->a, "%s%s%s: %s -> %s\n", s, f[i].evidence ? "(evidence) " : "", f[i].path, f[i].then ? f[i].then : "-", f[i].now ? f[i].now : "-");
    return s;
}

static void facts_are_told_by_path_the_weightiest_first(void **state) {
    struct kit *k = *state;
    assert_string_equal(facts(k, "{\"swarm\":{\"engines\":{\"n1\":{\"up\":true,\"free\":4}},\"quorum\":{\"a\":3,\"held\":true},\"leader\":\"x\"}}",
                              "{\"swarm\":{\"engines\":{\"n1\":{\"up\":false,\"free\":5}},\"quorum\":{\"a\":2,\"held\":false}}}", NULL),
                        "swarm.leader: x -> -\nswarm.quorum.held: true -> false\nswarm.quorum.a: 3 -> 2\n"
                        "swarm.engines.n1.up: true -> false\nswarm.engines.n1.free: 4 -> 5\n");
}

static void what_is_equal_is_no_fact_whatever_its_order(void **state) {
    struct kit *k = *state;
    assert_string_equal(facts(k, "{\"s\":{\"a\":1,\"b\":[1,2]}}", "{\"s\":{\"b\":[1,2.0],\"a\":1}}", NULL), "");
}

static void evidence_comes_last(void **state) {
    struct kit *k = *state;
    assert_string_equal(facts(k, "{\"s\":{\"why\":\"old\",\"m\":{\"n1\":{\"free\":1,\"up\":true}}}}", "{\"s\":{\"why\":\"new\",\"m\":{\"n1\":{\"free\":2,\"up\":false}}}}",
                              "{\"s\":{\"keys\":{\"why\":{\"evidence\":true},\"m\":{\"of\":{\"keys\":{\"free\":{\"evidence\":true}}}}}}}"),
                        "s.m.n1.up: true -> false\n(evidence) s.why: old -> new\n(evidence) s.m.n1.free: 1 -> 2\n");
}

static void what_could_not_be_observed_is_one_fact(void **state) {
    struct kit *k = *state;
    assert_string_equal(facts(k, "{\"s\":{\"a\":1}}", "{\"s\":{\"$unobserved\":\"n1: refused\"}}", NULL), "s: {a: 1} -> (not observed: n1: refused)\n");
}

/* ---- documents ---- */

static const char *good =
    "{\"quorate-plan\":\"1.0\",\"id\":\"20260101-000000-abcd\",\"quorate\":\"0.1.0\",\"made\":\"2026-01-01T00:00:00Z\",\"folder\":\"/x\","
    "\"runbook\":{\"name\":\"x/t\",\"asked\":\"x/t\",\"digest\":\"d\",\"subs\":{}},\"library\":{\"folders\":[],\"files\":{\"a.lua\":\"d\"},\"digest\":\"d\"},"
    "\"inputs\":{\"n\":{\"value\":3,\"from\":\"argument\"}},\"attested\":[\"n1\"],\"accepted\":[],\"explore\":{},\"lines\":[" JOIN "],\"before\":{}}";

static const char *parsed(struct kit *k, const char *text) {
    struct saved s = {0};
    return saved_parse(kit_json(k, text), &s, k->err) ? s.id : kit_errors(k);
}

/* The good one with one stretch of it replaced. */
static const char *with(struct kit *k, const char *what, const char *by) {
    const char *at = strstr(good, what);
    assert_non_null(at);
    return parsed(k, arena_printf(k->a, "%.*s%s%s", (int)(at - good), good, by, at + strlen(what)));
}

static void a_good_document_is_taken(void **state) {
    struct kit *k = *state;
    assert_string_equal(parsed(k, good), "20260101-000000-abcd");
}

static void what_is_no_plan_is_told_apart(void **state) {
    struct kit *k = *state;
    assert_has(parsed(k, "[]"), "this is no saved plan");
    assert_has(parsed(k, "{}"), "this is no saved plan");
    assert_has(parsed(k, "\"quorate-plan\""), "this is no saved plan");
    assert_has(with(k, "\"quorate-plan\":\"1.0\"", "\"quorate-plan\":\"2.0\""), "has the format '2.0', and this program reads 1.0");
    assert_has(with(k, "\"quorate-plan\":\"1.0\"", "\"quorate-plan\":7"), "this is no saved plan");
}

static void each_field_is_checked(void **state) {
    struct kit *k = *state;
    assert_has(with(k, "\"attested\":[\"n1\"],", ""), "lacks the key 'attested'");
    assert_has(with(k, "[\"n1\"]", "[1]"), "the members in 'attested' are strings");
    assert_has(with(k, "\"accepted\":[]", "\"accepted\":[null]"), "the rules in 'accepted' are strings");
    assert_has(with(k, "\"explore\":{}", "\"explore\":{\"events\":1}"), "'events' of 'explore' of the plan must be a string");
    assert_has(with(k, "\"folders\":[]", "\"folders\":[{}]"), "the folders of the library are strings");
    assert_has(with(k, "\"a.lua\":\"d\"", "\"a.lua\":[]"), "the digest of the library file 'a.lua'");
    assert_has(with(k, "\"subs\":{}", "\"subs\":{\"x\":1}"), "the digest of the runbook 'x'");
    assert_has(with(k, "{\"value\":3,\"from\":\"argument\"}", "{}"), "neither a value nor a source");
    assert_has(with(k, "{\"value\":3,\"from\":\"argument\"}", "3"), "the input 'n' must be a map");
    assert_has(with(k, "\"lines\":[", "\"lines\":[1,"), "must be a map");
    assert_has(with(k, "\"before\":{}", "\"before\":{},\"more\":1"), "the plan has no key 'more'");
    assert_has(with(k, "20260101-000000-abcd", "../../x"), "is no id of a plan");
    assert_has(with(k, "20260101-000000-abcd", ""), "is no id of a plan");
    assert_has(with(k, "\"asked\":\"x/t\"", "\"asked\":\"-\""), "cannot name standard input");
}

/* A byte, or a stretch of it, is gone, doubled or another one. */
static void a_damaged_document_is_refused_or_compared_but_never_a_crash(void **state) {
    struct kit *k = *state;
    uint64_t seed = 7;
    const size_t len = strlen(good);
    for (int i = 0; i < 4000; i++) {
        char *text = arena_strdup(k->a, good);
        for (int n = 0; n < 3; n++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            const size_t at = (seed >> 33) % len;
            text[at] = "{}[]\",:0-n\\x \xff"[(seed >> 20) % 15];
        }
        const struct val *doc;
        struct saved s = {0};
        struct err *err = err_new(k->a);
        const bool ok = json_parse(k->a, "x", text, len, &doc, err) && saved_parse(doc, &s, err);
        assert_int_equal(ok, !err->nerrors);
        const struct saved_change *c;
        const struct saved_fact *f;
        if (ok) {
            saved_changes(k->a, s.lines, kit_json(k, "[" JOIN "]"), s.attested, &c);
            saved_facts(k->a, s.before, kit_json(k, "{\"demo\":{}}"), NULL, &f);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        KIT_TEST(labels_titles_and_reasons_are_no_change),
        KIT_TEST(another_fate_of_a_step_is_told_with_its_reason),
        KIT_TEST(only_the_values_that_differ_are_told),
        KIT_TEST(what_is_destroyed_counts),
        KIT_TEST(who_must_be_attested_counts_and_why_does_not),
        KIT_TEST(an_attestation_that_was_given_meanwhile_is_no_change),
        KIT_TEST(lines_that_came_and_went_are_told),
        KIT_TEST(another_order_is_another_plan),
        KIT_TEST(secrets_and_unknown_values_survive_the_way_through_a_file),
        KIT_TEST(facts_are_told_by_path_the_weightiest_first),
        KIT_TEST(what_is_equal_is_no_fact_whatever_its_order),
        KIT_TEST(evidence_comes_last),
        KIT_TEST(what_could_not_be_observed_is_one_fact),
        KIT_TEST(a_good_document_is_taken),
        KIT_TEST(what_is_no_plan_is_told_apart),
        KIT_TEST(each_field_is_checked),
        KIT_TEST(a_damaged_document_is_refused_or_compared_but_never_a_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
