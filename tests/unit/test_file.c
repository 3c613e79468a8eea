/* Whole files: read up to a limit, written so that nobody ever sees half of one. */
#include "value/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct kit {
    struct arena *a;
    struct err *err;
    char dir[64];
};

static int setup(void **state) {
    struct kit *k = calloc(1, sizeof *k);
    k->a = arena_new();
    k->err = err_new(k->a);
    snprintf(k->dir, sizeof k->dir, "/tmp/quorate-file-XXXXXX");
    assert_non_null(mkdtemp(k->dir));
    *state = k;
    return 0;
}

static int teardown(void **state) {
    struct kit *k = *state;
    DIR *d = opendir(k->dir);
    for (struct dirent *e; d && (e = readdir(d));)
        if (e->d_name[0] != '.' && unlink(path_join(k->a, k->dir, e->d_name)))
            rmdir(path_join(k->a, k->dir, e->d_name));
    closedir(d);
    rmdir(k->dir);
    arena_free(k->a);
    free(k);
    return 0;
}

static const char *at(struct kit *k, const char *name) {
    return path_join(k->a, k->dir, name);
}

static void put(struct kit *k, const char *path, const char *text) {
    if (!file_write(path, 0644, text, strlen(text), k->err))
        fail_msg("%s", k->err->last->message);
}

static const struct source *get(struct kit *k, const char *path) {
    const struct source *s = NULL;
    if (!file_read(k->a, path, NULL, 1000000, &s, k->err))
        fail_msg("%s", k->err->last->message);
    return s;
}

static size_t entries(struct kit *k) {
    size_t n = 0;
    DIR *d = opendir(k->dir);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));)
        n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

static void assert_refused(struct kit *k, const char *path, size_t max, const char *part) {
    const struct source *s = (const struct source *)k;
    assert_false(file_read(k->a, path, NULL, max, &s, k->err));
    assert_ptr_equal(s, k);
    if (!strstr(k->err->last->message, part) || !strstr(k->err->last->message, path))
        fail_msg("\"%s\" names not both %s and %s", k->err->last->message, part, path);
}

static void what_is_written_is_read(void **state) {
    struct kit *k = *state;
    const char *path = at(k, "f");
    assert_true(file_write(path, 0600, "a\0b\n", 4, k->err));
    const struct source *s = get(k, path);
    assert_int_equal(s->len, 4);
    assert_memory_equal(s->text, "a\0b\n", 5);
    assert_string_equal(s->name, path);
    assert_true(file_read(k->a, path, "the input", 100, &s, k->err));
    assert_string_equal(s->name, "the input");
}

static void an_empty_file_is_an_empty_text(void **state) {
    struct kit *k = *state;
    put(k, at(k, "f"), "");
    assert_int_equal(get(k, at(k, "f"))->len, 0);
    assert_string_equal(get(k, at(k, "f"))->text, "");
}

static void large_files_come_whole(void **state) {
    struct kit *k = *state;
    enum { n = 300000 };
    char *p = malloc(n);
    for (int i = 0; i < n; i++)
        p[i] = (char)(i % 251);
    assert_true(file_write(at(k, "f"), 0644, p, n, k->err));
    const struct source *s = get(k, at(k, "f"));
    assert_int_equal(s->len, n);
    assert_memory_equal(s->text, p, n);
    free(p);
}

static void a_file_may_be_as_large_as_the_limit_and_no_larger(void **state) {
    struct kit *k = *state;
    const struct source *s = NULL;
    put(k, at(k, "f"), "12345");
    assert_true(file_read(k->a, at(k, "f"), NULL, 5, &s, k->err));
    assert_refused(k, at(k, "f"), 4, "larger than 4 bytes");
}

static void what_cannot_be_read_is_named_with_the_reason(void **state) {
    struct kit *k = *state;
    assert_refused(k, at(k, "none"), 100, "No such file");
    assert_refused(k, k->dir, 100, "a folder");
    assert_refused(k, "/dev/null", 100, "not a plain file");
    put(k, at(k, "f"), "x");
    assert_refused(k, at(k, "f/below"), 100, "Not a directory");
}

static void a_pipe_is_read_to_its_end(void **state) {
    struct kit *k = *state;
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(write(fds[1], "piped", 5), 5);
    close(fds[1]);
    char path[40];
    snprintf(path, sizeof path, "/dev/fd/%d", fds[0]);
    assert_string_equal(get(k, path)->text, "piped");
    close(fds[0]);
}

static void a_fifo_that_nobody_writes_to_does_not_hang(void **state) {
    struct kit *k = *state;
    assert_int_equal(mkfifo(at(k, "fifo"), 0600), 0);
    assert_int_equal(get(k, at(k, "fifo"))->len, 0);
}

static void a_dash_is_standard_input(void **state) {
    struct kit *k = *state;
    put(k, at(k, "f"), "from stdin");
    const int saved = dup(STDIN_FILENO), fd = open(at(k, "f"), O_RDONLY | O_CLOEXEC);
    assert_true(saved >= 0 && fd >= 0);
    dup2(fd, STDIN_FILENO);
    close(fd);
    const struct source *s = get(k, "-");
    dup2(saved, STDIN_FILENO);
    close(saved);
    assert_string_equal(s->text, "from stdin");
    assert_string_equal(s->name, "standard input");
}

static void a_write_replaces_the_file_and_leaves_nothing_else(void **state) {
    struct kit *k = *state;
    put(k, at(k, "f"), "first, and longer");
    const int old = open(at(k, "f"), O_RDONLY | O_CLOEXEC);
    put(k, at(k, "f"), "second");
    assert_string_equal(get(k, at(k, "f"))->text, "second");
    assert_int_equal(entries(k), 1);
    char text[32] = "";
    assert_int_equal(read(old, text, sizeof text), 17); /* who had it open still sees all of the old one */
    assert_string_equal(text, "first, and longer");
    close(old);
}

static void the_mode_is_kept_to(void **state) {
    struct kit *k = *state;
    const mode_t before = umask(022);
    struct stat st;
    assert_true(file_write(at(k, "f"), 0600, "x", 1, k->err));
    assert_int_equal(stat(at(k, "f"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_true(file_write(at(k, "f"), 0666, "x", 1, k->err));
    assert_int_equal(stat(at(k, "f"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0644);
    umask(before);
}

/* Process ids repeat, in a container almost always. */
static void what_a_crash_left_behind_is_not_in_the_way(void **state) {
    struct kit *k = *state;
    const char *left = arena_printf(k->a, "%s.new-%ld", at(k, "f"), (long)getpid());
    put(k, left, "half");
    put(k, at(k, "f"), "whole");
    assert_string_equal(get(k, at(k, "f"))->text, "whole");
    assert_string_equal(get(k, left)->text, "half");
}

static void a_failed_write_changes_nothing_and_says_why(void **state) {
    struct kit *k = *state;
    assert_false(file_write(at(k, "no/such/folder"), 0644, "x", 1, k->err));
    assert_non_null(strstr(k->err->last->message, "No such file or directory"));
    assert_int_equal(mkdir(at(k, "d"), 0700), 0);
    const size_t before = k->err->nerrors;
    assert_false(file_write(at(k, "d"), 0644, "x", 1, k->err));
    assert_int_equal(k->err->nerrors, before + 1);
    assert_int_equal(entries(k), 1);
}

static void a_link_stays_a_link_and_its_file_changes(void **state) {
    struct kit *k = *state;
    put(k, at(k, "f"), "old");
    assert_int_equal(symlink("f", at(k, "link")), 0);
    put(k, at(k, "link"), "new");
    struct stat st;
    assert_int_equal(lstat(at(k, "link"), &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_string_equal(get(k, at(k, "f"))->text, "new");
    assert_int_equal(entries(k), 2);
}

static void a_device_or_a_pipe_is_written_to_and_not_replaced(void **state) {
    struct kit *k = *state;
    assert_int_equal(mkfifo(at(k, "fifo"), 0600), 0);
    const int fd = open(at(k, "fifo"), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    put(k, at(k, "fifo"), "through");
    char text[16] = "";
    assert_int_equal(read(fd, text, sizeof text), 7);
    assert_string_equal(text, "through");
    close(fd);
    struct stat st;
    assert_int_equal(lstat(at(k, "fifo"), &st), 0);
    assert_true(S_ISFIFO(st.st_mode));
    assert_int_equal(entries(k), 1);
}

static void paths_are_joined_and_taken_apart(void **state) {
    struct kit *k = *state;
    static const char *const joined[][3] = {
        {"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"/", "b", "/b"}, {"a", "/b", "/b"}, {".", "b", "b"}, {"", "b", "b"}, {"a/b", "../c", "a/b/../c"},
    };
    for (size_t i = 0; i < sizeof joined / sizeof *joined; i++)
        assert_string_equal(path_join(k->a, joined[i][0], joined[i][1]), joined[i][2]);
    static const char *const folders[][2] = {{"a/b", "a"}, {"a", "."}, {"/a", "/"}, {"/a/b/c", "/a/b"}, {"./a", "."}, {"", "."}};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        assert_string_equal(path_dir(k->a, folders[i][0]), folders[i][1]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(what_is_written_is_read),
        TEST(an_empty_file_is_an_empty_text),
        TEST(large_files_come_whole),
        TEST(a_file_may_be_as_large_as_the_limit_and_no_larger),
        TEST(what_cannot_be_read_is_named_with_the_reason),
        TEST(a_pipe_is_read_to_its_end),
        TEST(a_fifo_that_nobody_writes_to_does_not_hang),
        TEST(a_dash_is_standard_input),
        TEST(a_write_replaces_the_file_and_leaves_nothing_else),
        TEST(the_mode_is_kept_to),
        TEST(what_a_crash_left_behind_is_not_in_the_way),
        TEST(a_failed_write_changes_nothing_and_says_why),
        TEST(a_link_stays_a_link_and_its_file_changes),
        TEST(a_device_or_a_pipe_is_written_to_and_not_replaced),
        TEST(paths_are_joined_and_taken_apart),
    };
    return cmocka_run_group_tests_name("file", tests, NULL, NULL);
}
