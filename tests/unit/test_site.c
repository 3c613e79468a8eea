/* A site from its file: the inventory, what is relative to the file, and what is refused. */
#include "plan_kit.h"

#include <stdio.h>
#include <unistd.h>

static bool starts_well(const char *url, const char **why) {
    *why = "no such scheme";
    return !strncmp(url, "unix:", 5) || !strncmp(url, "tcp:", 4) || !strncmp(url, "ssh:", 4);
}

/* Loads a text as DIR/site.yaml; NULL if it is refused. */
static const struct site *load(struct kit *k, const char *text, const char **ret_dir) {
    char dir[] = "/tmp/quorate-test-XXXXXX";
    assert_non_null(mkdtemp(dir));
    const char *path = arena_printf(k->a, "%s/site.yaml", dir);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    struct site *s = NULL;
    const bool ok = site_load(k->a, path, starts_well, &s, k->err);
    assert_int_equal(ok, !k->err->nerrors);
    if (ret_dir)
        *ret_dir = arena_strdup(k->a, dir);
    unlink(path);
    rmdir(dir);
    return s;
}

static void everything_is_read_and_paths_are_relative_to_the_file(void **state) {
    struct kit *k = *state;
    const char *dir;
    const struct site *s = load(k,
                                "site: production\n"
                                "nodes:\n"
                                "  n1: { engine: 'unix:///var/run/docker.sock', address: 10.0.0.1, labels: { dtr: 'yes' } }\n"
                                "  n2: { engine: ['ssh://root@n2', 'tcp://n2:2376'], tls: { ca: ca.pem, cert: /c.pem, key: k.pem, verify: false }, ssh: { config: cfg } }\n"
                                "  n3: {}\n"
                                "ucp: { url: 'https://ucp', username: admin, password: { from: [env:P, prompt] }, ca: ucp.pem }\n"
                                "store: sqlite:journal.db\n"
                                "library: [runbooks/, /abs]\n"
                                "inputs: { x/t: { n: 3 } }\n"
                                "hooks: { h.lua: [docker.read, 'http:example', 'exec:curl', 'file.read:/etc'] }\n",
                                &dir);
    if (!s)
        fail_msg("%s", kit_errors(k));
    assert_string_equal(s->name, "production");
    assert_int_equal(s->nnodes, 3);
    assert_string_equal(s->nodes[0].engines[0], "unix:///var/run/docker.sock");
    assert_null(s->nodes[0].engines[1]);
    assert_string_equal(s->nodes[0].address, "10.0.0.1");
    assert_string_equal(kit_text(k, s->nodes[0].labels), "{\"dtr\":\"yes\"}");
    const struct site_node *n2 = site_node(s, "n2");
    assert_string_equal(n2->engines[1], "tcp://n2:2376");
    assert_string_equal(n2->ca, arena_printf(k->a, "%s/ca.pem", dir));
    assert_string_equal(n2->cert, "/c.pem");
    assert_string_equal(n2->ssh_config, arena_printf(k->a, "%s/cfg", dir));
    assert_true(n2->tls_insecure && !s->nodes[0].tls_insecure);
    assert_true(!s->nodes[2].engines[0] && !s->nodes[2].address && !val_len(s->nodes[2].labels));
    assert_string_equal(s->store, arena_printf(k->a, "sqlite:%s/journal.db", dir));
    assert_string_equal(s->library[0], arena_printf(k->a, "%s/runbooks/", dir));
    assert_string_equal(s->library[1], "/abs");
    assert_null(s->library[2]);
    assert_int_equal(val_get_int(val_get(s->inputs, "x/t"), "n", 0), 3);
    assert_null(site_node(s, "n4"));
}

static void what_scripts_see_has_no_ways_and_no_secrets(void **state) {
    struct kit *k = *state;
    const struct site *s = load(k, "site: s\nnodes: { n1: { engine: 'tcp://user:pw@n1:1', address: a, tls: { key: k, cert: c } } }\n", NULL);
    assert_non_null(s);
    assert_string_equal(kit_text(k, site_nodes_val(s, k->a)), "{\"n1\":{\"address\":\"a\",\"labels\":{},\"name\":\"n1\"}}");
}

static void a_store_elsewhere_stays_as_it_is(void **state) {
    struct kit *k = *state;
    static const char *const urls[] = {"sqlite:/var/j.db", "sqlite::memory:", "etcd://h:1"};
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        const struct site *s = load(k, arena_printf(k->a, "site: s\nnodes: { n1: {} }\nstore: '%s'\n", urls[i]), NULL);
        assert_non_null(s);
        assert_string_equal(s->store, urls[i]);
        assert_int_equal(s->store_mark.line, 3);
    }
}

static void each_fault_has_its_place(void **state) {
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"nodes: { n1: {} }\n", "the site lacks the key 'site'"},
        {"site: s\n", "the site lacks the key 'nodes'"},
        {"site: s\nnodes: {}\n", "[no-nodes]"},
        {"site: s\nnodes: [n1]\n", "[wrong-type]"},
        {"site: s\nnodes: { 'a b': {} }\n", "site.yaml:2:10: error: 'a b' cannot be the name of a node"},
        {"site: s\nnodes: { 'a[1]': {} }\n", "[bad-name]"},
        {"site: s\nnodes: { n1: { engin: x } }\n", "did you mean 'engine'?"},
        {"site: s\nnodes: { n1: { engine: 'http://x' } }\n", "is no way to an engine: no such scheme [bad-url]"},
        {"site: s\nnodes: { n1: { engine: ['tcp://a:1', 5] } }\n", "a way to an engine is a string"},
        {"site: s\nnodes: { n1: { tls: { cert: c } } }\n", "and needs both"},
        {"site: s\nnodes: { n1: { tls: { verify: no } } }\n", "write true or false"},
        {"site: s\nnodes: { n1: {} }\nlibrary: [5]\n", "a folder of the library is a string"},
        {"site: s\nnodes: { n1: {} }\ninputs: { a: 5 }\n", "the inputs of a runbook are a map"},
        {"site: s\nnodes: { n1: {} }\nhooks: { a.lua: docker.read }\n", "the rights of the hook 'a.lua' are a list"},
        {"site: s\nnodes: { n1: {} }\nhooks: { a.lua: [docker.wirte] }\n", "did you mean 'docker.write'?"},
        {"site: s\nnodes: { n1: {} }\nhooks: { a.lua: ['exec:'] }\n", "[unknown-right]"},
        {"site: s\nnodes: { n1: {} }\nhooks: { a.lua: [http] }\n", "[unknown-right]"},
        {"site: s\nnodes: { n1: {} }\nhooks: { a.lua: [5] }\n", "[unknown-right]"},
        {"site: s\nnodes: { n1: {} }\nucp: { username: a }\n", "'ucp' of the site lacks the key 'url'"},
        {"site: s\nnodes: { n1: {} }\nucp: { url: u, password: hunter2 }\n", "'password' of 'ucp' of the site must be a map"},
        {"site: s\nnode: { n1: {} }\n", "did you mean 'nodes'?"},
        {"", "empty"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        void *one = NULL;
        kit_setup(&one);
        struct kit *k = one;
        if (load(k, cases[i].text, NULL))
            fail_msg("nothing is wrong with: %s", cases[i].text);
        assert_has(kit_errors(k), cases[i].says);
        kit_teardown(&one);
    }
    (void)state;
}

static void several_faults_are_told_at_once(void **state) {
    struct kit *k = *state;
    assert_null(load(k, "site: s\nnodes: { n1: { engine: 'x://1' }, n2: { adress: a }, n3: { engine: 'y://1' } }\nhooks: { a: [b] }\n", NULL));
    assert_int_equal(k->err->nerrors, 4);
}

static void a_file_that_is_not_there_is_named(void **state) {
    struct kit *k = *state;
    struct site *s = NULL;
    assert_false(site_load(k->a, "/nowhere/site.yaml", NULL, &s, k->err));
    assert_has(kit_errors(k), "/nowhere/site.yaml");
}

static void without_a_file_there_is_one_node(void **state) {
    struct kit *k = *state;
    const struct site *s = site_none(k->a);
    assert_string_equal(s->name, "local");
    assert_true(s->nnodes == 1 && site_node(s, "local") && !s->nodes[0].engines[0] && !s->library[0] && !s->src);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        KIT_TEST(everything_is_read_and_paths_are_relative_to_the_file),
        KIT_TEST(what_scripts_see_has_no_ways_and_no_secrets),
        KIT_TEST(a_store_elsewhere_stays_as_it_is),
        KIT_TEST(each_fault_has_its_place),
        KIT_TEST(several_faults_are_told_at_once),
        KIT_TEST(a_file_that_is_not_there_is_named),
        KIT_TEST(without_a_file_there_is_one_node),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
