/* Archives: one that was cut off, damaged or lengthened is never taken for a whole one. */
#include "io/archive.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { most = 64 << 10 };

struct bench {
    struct arena *arena;
    char dir[64];
    char data[most]; /* a file in the making */
    size_t len;
};

static int setup(void **state) {
    struct bench *b = calloc(1, sizeof *b);
    b->arena = arena_new();
    strcpy(b->dir, "/tmp/quorate-archive-XXXXXX");
    *state = b;
    return mkdtemp(b->dir) ? 0 : -1;
}

static int teardown(void **state) {
    struct bench *b = *state;
    char cmd[128];
    snprintf(cmd, sizeof cmd, "rm -rf %s", b->dir);
    const int r = system(cmd);
    arena_free(b->arena);
    free(b);
    return r;
}

/* ---- files ---- */

static const char *in_dir(struct bench *b, const char *name) {
    return arena_printf(b->arena, "%s/%s", b->dir, name);
}

static const char *put(struct bench *b, const char *name, const void *data, size_t len) {
    const char *path = in_dir(b, name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
    return path;
}

static void append(struct bench *b, const void *data, size_t len) {
    assert_true(b->len + len <= most);
    memcpy(b->data + b->len, data, len);
    b->len += len;
}

static void zeros(struct bench *b, size_t len) {
    assert_true(b->len + len <= most);
    memset(b->data + b->len, 0, len);
    b->len += len;
}

static void tar_file(struct bench *b, const char *name, const char *text, size_t len) {
    char h[512] = {0};
    unsigned sum = 0;
    snprintf(h, 100, "%s", name);
    memcpy(h + 100, "0000600", 8);
    memcpy(h + 108, "0000000", 8);
    memcpy(h + 116, "0000000", 8);
    snprintf(h + 124, 12, "%011o", (unsigned)len);
    memcpy(h + 136, "00000000000", 12);
    memset(h + 148, ' ', 8);
    h[156] = '0';
    memcpy(h + 257, "ustar", 6); /* with its end */
    memcpy(h + 263, (const char[]){'0', '0'}, 2);
    for (size_t i = 0; i < sizeof h; i++)
        sum += (unsigned char)h[i];
    snprintf(h + 148, 8, "%06o", sum);
    append(b, h, sizeof h);
    append(b, text, len);
    zeros(b, (512 - len % 512) % 512);
}

static void tar_two(struct bench *b) {
    tar_file(b, "./a/state.json", "{\"a\":1}", 7);
    tar_file(b, "b", "second", 6);
}

static const char *gzipped(struct bench *b, const char *path) {
    assert_int_equal(system(arena_printf(b->arena, "gzip -nf %s", path)), 0);
    return arena_printf(b->arena, "%s.gz", path);
}

static const char *cut(struct bench *b, const char *path, off_t by) {
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(truncate(path, st.st_size - by), 0);
    (void)b;
    return path;
}

static const char *lengthened(const char *path, const char *by) {
    FILE *f = fopen(path, "ab");
    assert_non_null(f);
    assert_true(fputs(by, f) >= 0);
    assert_int_equal(fclose(f), 0);
    return path;
}

static struct archive_report report_of(struct bench *b, const char *path) {
    struct archive_report r;
    archive_read(b->arena, path, NULL, 0, &r);
    assert_true(r.whole == !r.why);
    return r;
}

#define assert_refused(b, path) assert_false(report_of(b, path).whole)

/* ---- what is whole ---- */

static void a_whole_tar_is_read_to_its_end(void **state) {
    struct bench *b = *state;
    tar_two(b);
    zeros(b, 1024);
    struct archive_member m[] = {{.name = "a/state.json"}, {.name = "./b"}, {.name = "c"}};
    struct archive_report r;
    archive_read(b->arena, put(b, "t.tar", b->data, b->len), m, 3, &r);
    assert_true(r.whole);
    assert_string_equal(r.format, "tar");
    assert_int_equal(r.entries, 2);
    assert_int_equal(r.bytes, b->len);
    assert_string_equal(r.names[0], "./a/state.json");
    assert_string_equal(m[0].text, "{\"a\":1}");
    assert_string_equal(m[1].text, "second");
    assert_null(m[2].text);
}

static void padding_behind_the_end_does_no_harm(void **state) {
    struct bench *b = *state;
    tar_two(b);
    zeros(b, 10240 - b->len);
    assert_true(report_of(b, put(b, "t.tar", b->data, b->len)).whole);
}

static void a_whole_gzipped_tar_is_read_to_its_end(void **state) {
    struct bench *b = *state;
    tar_two(b);
    zeros(b, 1024);
    const struct archive_report r = report_of(b, gzipped(b, put(b, "t.tar", b->data, b->len)));
    assert_true(r.whole);
    assert_string_equal(r.format, "tar.gz");
    assert_int_equal(r.entries, 2);
}

/* ---- what is not ---- */

static void a_tar_cut_anywhere_is_refused(void **state) {
    struct bench *b = *state;
    tar_two(b);
    const size_t end = b->len;
    zeros(b, 1024);
    static const size_t step = 256;
    for (size_t n = 512; n < b->len; n += step) {
        const char *path = put(b, "t.tar", b->data, n);
        if (report_of(b, path).whole)
            fail_msg("%zu of %zu bytes are taken for a whole archive (files end at %zu)", n, b->len, end);
    }
}

static void the_zeros_of_a_file_are_not_the_end_of_the_archive(void **state) {
    struct bench *b = *state;
    static const char nothing[4096];
    tar_file(b, "disk.img", nothing, sizeof nothing);
    assert_refused(b, put(b, "t.tar", b->data, b->len));
    zeros(b, 1024);
    assert_true(report_of(b, put(b, "t.tar", b->data, b->len)).whole);
}

static void an_empty_file_at_the_end_needs_the_end_of_the_archive(void **state) {
    struct bench *b = *state;
    tar_two(b);
    tar_file(b, "empty", "", 0);
    assert_refused(b, put(b, "t.tar", b->data, b->len));
    zeros(b, 512);
    assert_refused(b, put(b, "t.tar", b->data, b->len));
    zeros(b, 512);
    assert_true(report_of(b, put(b, "t.tar", b->data, b->len)).whole);
}

/* Long names, sizes in the tar of others: what the tools of this machine make is whole, and not whole without its last block. */
static void tars_of_other_tools_are_whole(void **state) {
    struct bench *b = *state;
    static const char *const options[] = {"--format=gnu", "--format=pax", "--format=ustar", "--format=gnu --sparse", "--format=pax --sparse"};
    put(b, "x", "xyz", 3);
    assert_int_equal(truncate(in_dir(b, "x"), 300000), 0);
    assert_int_equal(system(arena_printf(b->arena, "cd %s && mkdir -p d/%090d && cp x d/%090d/x && mkdir e", b->dir, 1, 1)), 0);
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        assert_int_equal(system(arena_printf(b->arena, "cd %s && tar %s -b 2 -cf t.tar d x e", b->dir, options[i])), 0);
        const struct archive_report r = report_of(b, in_dir(b, "t.tar"));
        if (!r.whole)
            fail_msg("tar %s: %s", options[i], r.why);
        assert_true(report_of(b, gzipped(b, arena_printf(b->arena, "%s", in_dir(b, "t.tar")))).whole);
    }
}

static void a_gzipped_tar_without_its_end_is_refused(void **state) {
    struct bench *b = *state;
    tar_two(b);
    assert_refused(b, gzipped(b, put(b, "t.tar", b->data, b->len)));
}

static void a_gzipped_tar_cut_anywhere_is_refused(void **state) {
    struct bench *b = *state;
    tar_two(b);
    zeros(b, 1024);
    for (off_t by = 1; by < 100; by += 3)
        assert_refused(b, cut(b, gzipped(b, put(b, "t.tar", b->data, b->len)), by));
}

static void garbage_behind_the_end_is_refused(void **state) {
    struct bench *b = *state;
    tar_two(b);
    zeros(b, 1024);
    assert_refused(b, lengthened(put(b, "t.tar", b->data, b->len), "time=\"now\" level=info msg=done\n"));
    assert_refused(b, lengthened(gzipped(b, put(b, "u.tar", b->data, b->len)), "time=\"now\" level=info msg=done\n"));
}

static void a_damaged_gzip_is_refused(void **state) {
    struct bench *b = *state;
    tar_two(b);
    zeros(b, 1024);
    const char *path = gzipped(b, put(b, "t.tar", b->data, b->len));
    FILE *f = fopen(path, "r+b");
    assert_non_null(f);
    assert_int_equal(fseek(f, -8, SEEK_END), 0); /* its checksum */
    assert_int_equal(fwrite("\x11\x22\x33\x44", 1, 4, f), 4);
    assert_int_equal(fclose(f), 0);
    assert_refused(b, path);
}

static void what_is_no_archive_says_what_it_is(void **state) {
    struct bench *b = *state;
    static const struct {
        const char *name, *text, *says;
    } cases[] = {{"empty", "", "is empty"}, {"text", "no backup was made\n", "neither a tar nor a zip"}, {"html", "<html>502</html>", "neither a tar"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct archive_report r = report_of(b, put(b, cases[i].name, cases[i].text, strlen(cases[i].text)));
        assert_false(r.whole);
        assert_string_equal(r.format, "unknown");
        assert_non_null(strstr(r.why, cases[i].says));
    }
    assert_non_null(strstr(report_of(b, b->dir).why, "is a folder"));
    assert_non_null(strstr(report_of(b, in_dir(b, "none")).why, "No such file"));
}

static void an_encrypted_backup_is_known_by_how_it_begins(void **state) {
    struct bench *b = *state;
    static const char *const begins[] = {"\x8c\x0d\x04\x09", "\xc3\x0d\x04\x09", "\x85\x02\x0c\x03", "-----BEGIN PGP MESSAGE-----\n\nabc"};
    for (size_t i = 0; i < sizeof begins / sizeof *begins; i++) {
        const struct archive_report r = report_of(b, put(b, "t.pgp", begins[i], strlen(begins[i])));
        assert_true(r.whole);
        assert_string_equal(r.format, "openpgp");
    }
}

static void zips_are_read_and_a_cut_one_is_refused(void **state) {
    struct bench *b = *state;
    static const unsigned char local[] = {'P', 'K', 3, 4, 20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0, 0xac, 0x2a, 0x93, 0xd8, 2, 0, 0, 0, 2, 0, 0, 0, 5, 0, 0, 0,
                                          'c', 'a', '.', 'p', 'm', 'h', 'i'};
    static const unsigned char central[] = {'P', 'K', 1, 2, 20, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0, 0xac, 0x2a, 0x93, 0xd8, 2, 0, 0, 0, 2, 0, 0, 0,
                                            5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 'c', 'a', '.', 'p', 'm'};
    static const unsigned char end[] = {'P', 'K', 5, 6, 0, 0, 0, 0, 1, 0, 1, 0, sizeof central, 0, 0, 0, sizeof local, 0, 0, 0, 0, 0};
    append(b, local, sizeof local);
    append(b, central, sizeof central);
    append(b, end, sizeof end);
    const char *path = put(b, "bundle.zip", b->data, b->len);
    struct archive_member m = {.name = "ca.pm"};
    struct archive_report r;
    archive_read(b->arena, path, &m, 1, &r);
    assert_true(r.whole);
    assert_string_equal(r.format, "zip");
    assert_string_equal(m.text, "hi");
    assert_refused(b, put(b, "cut.zip", b->data, sizeof local - 1));
    assert_refused(b, put(b, "cut.zip", b->data, sizeof local)); /* the directory is missing */
    assert_refused(b, put(b, "cut.zip", b->data, b->len - sizeof end));
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_whole_tar_is_read_to_its_end), T(padding_behind_the_end_does_no_harm), T(a_whole_gzipped_tar_is_read_to_its_end),
        T(a_tar_cut_anywhere_is_refused), T(the_zeros_of_a_file_are_not_the_end_of_the_archive), T(an_empty_file_at_the_end_needs_the_end_of_the_archive),
        T(tars_of_other_tools_are_whole), T(a_gzipped_tar_without_its_end_is_refused),
        T(a_gzipped_tar_cut_anywhere_is_refused), T(garbage_behind_the_end_is_refused), T(a_damaged_gzip_is_refused),
        T(what_is_no_archive_says_what_it_is), T(an_encrypted_backup_is_known_by_how_it_begins), T(zips_are_read_and_a_cut_one_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
