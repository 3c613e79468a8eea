/* A tree of files in layers: folders on disk before what is embedded. */
#include "value/file.h"
#include "value/files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const unsigned char two[] = "return 2\n", one[] = "return 1\n";

static const struct embedded_file embedded[] = {
    {"runbooks/swarm/mend.yaml", one, one + sizeof one - 1},
    {"stdlib/swarm/join.lua", one, one + sizeof one - 1},
    {"stdlib/swarm/leave.lua", two, two + sizeof two - 1},
    {0},
};

struct tree {
    struct arena *a;
    struct err *err;
    struct files *files;
    char dir[64]; /* an empty folder */
};

static int set_up(void **state) {
    struct arena *a = arena_new();
    struct tree *t = arena_new_of(a, struct tree);
    *t = (struct tree){.a = a, .err = err_new(a), .files = files_new(a)};
    const char *tmp = getenv("TMPDIR");
    snprintf(t->dir, sizeof t->dir, "%s/quorate-XXXXXX", tmp && strlen(tmp) < 40 ? tmp : "/tmp");
    assert_non_null(mkdtemp(t->dir));
    *state = t;
    return 0;
}

static void remove_all(struct arena *a, const char *dir) {
    const char *names[] = {"swarm/join.lua", "swarm/extra.lua", "swarm/notes.txt", "swarm/.hidden.lua", "swarm/loop",  "swarm/deep/a.yml",
                           "swarm/deep",     "swarm",           "link.lua",        "pipe.lua",          "folder.lua", "big.lua",
                           "gone.lua",       "dangling.lua",    "closed/x.lua",    "closed",            "a.lua"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *path = path_join(a, dir, names[i]);
        struct stat st;
        if (!lstat(path, &st) && (S_ISDIR(st.st_mode) ? rmdir(path) : unlink(path)))
            print_message("# cannot remove %s\n", path);
    }
    rmdir(dir);
}

static int tear_down(void **state) {
    struct tree *t = *state;
    remove_all(t->a, t->dir);
    arena_free(t->a);
    return 0;
}

static const char *path_of(const struct tree *t, const char *name) {
    return path_join(t->a, t->dir, name);
}

static void put(const struct tree *t, const char *name, const char *text) {
    const char *path = path_of(t, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fwrite(text, 1, strlen(text), f) == strlen(text));
    assert_int_equal(fclose(f), 0);
}

static void folder(const struct tree *t, const char *name) {
    assert_int_equal(mkdir(path_of(t, name), 0700), 0);
}

static bool add(const struct tree *t, const char *prefix) {
    return files_add_dir(t->files, t->dir, prefix, mark_none(), t->err);
}

static void reads(const struct tree *t, const char *name, const char *text) {
    const struct source *s = files_read(t->files, name, t->err);
    assert_non_null(s);
    assert_int_equal(s->len, strlen(text));
    assert_string_equal(s->text, text);
}

/* The names, with a space behind each. */
static void lists(const struct tree *t, const char *prefix, const char *suffix, const char *wanted) {
    const char *const *names;
    struct buf b = BUF_INIT;
    const size_t n = files_list(t->files, prefix, suffix, &names);
    for (size_t i = 0; i < n; i++)
        buf_printf(&b, "%s ", names[i]);
    assert_string_equal(b.data, wanted);
    buf_done(&b);
}

static void an_empty_tree_has_nothing(void **state) {
    const struct tree *t = *state;
    assert_false(files_has(t->files, "stdlib/swarm/join.lua"));
    assert_null(files_read(t->files, "stdlib/swarm/join.lua", t->err));
    assert_int_equal(t->err->nerrors, 0);
    lists(t, "", "", "");
}

static void what_is_embedded_is_found_under_its_name(void **state) {
    const struct tree *t = *state;
    files_add_embedded(t->files, embedded);
    assert_true(files_has(t->files, "stdlib/swarm/leave.lua"));
    assert_false(files_has(t->files, "stdlib/swarm"));
    assert_false(files_has(t->files, "stdlib/swarm/leave"));
    reads(t, "stdlib/swarm/leave.lua", "return 2\n");
    assert_string_equal(files_read(t->files, "stdlib/swarm/leave.lua", t->err)->name, "stdlib/swarm/leave.lua");
    lists(t, "stdlib/", ".lua", "stdlib/swarm/join.lua stdlib/swarm/leave.lua ");
    lists(t, "runbooks/", ".yaml", "runbooks/swarm/mend.yaml ");
}

static void a_folder_comes_before_what_is_embedded(void **state) {
    const struct tree *t = *state;
    folder(t, "swarm");
    put(t, "swarm/join.lua", "return 'mine'\n");
    put(t, "swarm/extra.lua", "");
    assert_true(add(t, "stdlib/"));
    files_add_embedded(t->files, embedded);
    reads(t, "stdlib/swarm/join.lua", "return 'mine'\n");
    reads(t, "stdlib/swarm/leave.lua", "return 2\n");
    reads(t, "stdlib/swarm/extra.lua", "");
    lists(t, "stdlib/swarm/", ".lua", "stdlib/swarm/extra.lua stdlib/swarm/join.lua stdlib/swarm/leave.lua ");
    const struct source *s = files_read(t->files, "stdlib/swarm/join.lua", t->err);
    assert_string_equal(s->name, path_of(t, "swarm/join.lua")); /* what people can open */
    assert_ptr_equal(files_read(t->files, "stdlib/swarm/join.lua", t->err), s);
}

static void only_lua_and_yaml_are_seen(void **state) {
    const struct tree *t = *state;
    folder(t, "swarm");
    folder(t, "swarm/deep");
    folder(t, "folder.lua");
    put(t, "swarm/notes.txt", "x");
    put(t, "swarm/.hidden.lua", "x");
    put(t, "swarm/deep/a.yml", "x");
    assert_int_equal(mkfifo(path_of(t, "pipe.lua"), 0600), 0);
    assert_true(add(t, ""));
    lists(t, "", "", "swarm/deep/a.yml ");
}

static void links_are_followed_and_loops_end(void **state) {
    const struct tree *t = *state;
    folder(t, "swarm");
    put(t, "swarm/join.lua", "x");
    assert_int_equal(symlink("swarm/join.lua", path_of(t, "link.lua")), 0);
    assert_int_equal(symlink("nowhere", path_of(t, "dangling.lua")), 0);
    assert_int_equal(symlink("../swarm", path_of(t, "swarm/loop")), 0);
    assert_true(add(t, ""));
    assert_int_equal(t->err->nerrors, 0);
    reads(t, "link.lua", "x");
    assert_false(files_has(t->files, "dangling.lua"));
    reads(t, "swarm/loop/loop/join.lua", "x");
}

static void names_never_lead_out_of_the_tree(void **state) {
    const struct tree *t = *state;
    folder(t, "swarm");
    put(t, "a.lua", "x");
    assert_true(files_add_dir(t->files, path_of(t, "swarm"), "stdlib/", mark_none(), t->err));
    static const char *const names[] = {"stdlib/../a.lua", "../a.lua", "/etc/passwd", "stdlib//a.lua", "stdlib/./a.lua", "", "stdlib/"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_false(files_has(t->files, names[i]));
        assert_null(files_read(t->files, names[i], t->err));
    }
    assert_int_equal(t->err->nerrors, 0);
}

static void a_folder_that_is_not_there_is_an_error(void **state) {
    const struct tree *t = *state;
    put(t, "a.lua", "x");
    struct source *site = source_new(t->a, "site.yaml", "library: [nowhere]\n", 19);
    assert_false(files_add_dir(t->files, path_of(t, "nowhere"), "", mark_at(site, 10, 7), t->err));
    assert_string_equal(t->err->last->code, "no-folder");
    assert_int_equal(t->err->last->mark.col, 11);
    assert_false(files_add_dir(t->files, path_of(t, "a.lua"), "", mark_none(), t->err));
    assert_int_equal(t->err->nerrors, 2);
}

static void a_file_that_cannot_be_read_is_an_error(void **state) {
    const struct tree *t = *state;
    put(t, "gone.lua", "x");
    put(t, "big.lua", "x");
    assert_int_equal(truncate(path_of(t, "big.lua"), (4 << 20) + 1), 0);
    assert_true(add(t, ""));
    assert_int_equal(unlink(path_of(t, "gone.lua")), 0);
    assert_null(files_read(t->files, "gone.lua", t->err));
    assert_string_equal(t->err->last->code, "file");
    assert_null(files_read(t->files, "big.lua", t->err));
    assert_string_equal(t->err->last->code, "too-large");
    assert_int_equal(t->err->nerrors, 2);
}

static void what_cannot_be_looked_into_is_told(void **state) {
    const struct tree *t = *state;
    folder(t, "closed");
    put(t, "closed/x.lua", "x");
    put(t, "a.lua", "x");
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    const int next = dup(0); /* of descriptors, one is left: for the folder, and none for the one in it (root may look into all folders) */
    close(next);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &(struct rlimit){.rlim_cur = (rlim_t)next + 1, .rlim_max = before.rlim_max}), 0);
    const bool ok = add(t, "");
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_true(ok);
    assert_int_equal(t->err->nwarnings, 1);
    assert_string_equal(t->err->first->code, "unreadable-folder");
    assert_non_null(strstr(t->err->first->message, "closed"));
    assert_true(files_has(t->files, "a.lua"));
}

static void a_folder_far_above_is_refused(void **state) {
    const struct tree *t = *state;
    for (int i = 0; i < 3; i++) { /* 8 levels of 3 loops: more names than any library has */
        char name[16];
        snprintf(name, sizeof name, "loop%d", i);
        assert_int_equal(symlink(".", path_of(t, name)), 0);
    }
    for (int i = 0; i < 4; i++)
        assert_int_equal(symlink("nothing", path_of(t, arena_printf(t->a, "x%d", i))), 0);
    assert_false(add(t, ""));
    assert_string_equal(t->err->first->code, "too-large");
    assert_int_equal(t->err->nerrors, 1);
    for (int i = 0; i < 4; i++) {
        unlink(path_of(t, arena_printf(t->a, "x%d", i)));
        unlink(path_of(t, arena_printf(t->a, "loop%d", i)));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_empty_tree_has_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_embedded_is_found_under_its_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_folder_comes_before_what_is_embedded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_lua_and_yaml_are_seen, set_up, tear_down),
        cmocka_unit_test_setup_teardown(links_are_followed_and_loops_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_never_lead_out_of_the_tree, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_folder_that_is_not_there_is_an_error, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_that_cannot_be_read_is_an_error, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_be_looked_into_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_folder_far_above_is_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
