/* Journals of released formats, as they were exported then: each is read, and folds, with the runbooks of then and the library of today. */
#include "lua_kit.h"

#include "plan/load.h"
#include "plan/site.h"
#include "run/run.h"
#include "store/move.h"
#include "value/file.h"

#include <dirent.h>

static const char *const formats[] = {"1.0"};
enum { max_file = 8 << 20 };

/* The runbooks of the folder go before everything, the library is that of the tree. */
static struct loader *loader_of(struct kit *k, const char *folder) {
    k->files = files_new(k->a);
    assert_true(files_add_dir(k->files, folder, "", mark_none(), k->err));
    assert_true(files_add_dir(k->files, "stdlib", "stdlib/", mark_none(), k->err));
    k->lib = library_new(k->a, k->box, k->files);
    struct loader *ld = arena_new_of(k->a, struct loader);
    *ld = (struct loader){.arena = k->a, .box = k->box, .files = k->files, .lib = k->lib, .site = site_none(k->a)};
    return ld;
}

/* 0 if there is no end yet, else 1 + exit status. */
static int fold(struct kit *k, struct loader *ld, const char *path) {
    const struct source *src;
    struct moved m;
    const struct runbook *rb = NULL;
    struct run *run = NULL;
    if (!file_read(k->a, path, NULL, max_file, &src, k->err) || !move_parse(k->a, src, &m, k->err))
        fail_msg("%s: %s", path, kit_errors(k));
    int status = 0;
    for (size_t i = 0; i < m.n; i++) {
        struct event *e;
        if (!event_parse(k->a, m.records[i], strlen(m.records[i]), &e, k->err))
            fail_msg("%s, record %zu: %s", path, i + 1, kit_errors(k));
        if (!run) {
            assert_int_equal(e->type, EV_RUN_STARTED);
            if (!runbook_load(ld, val_get_str(e->data, "runbook", "?"), mark_none(), &rb, k->err))
                fail_msg("%s: %s", path, kit_errors(k));
            assert_string_equal(rb->digest, val_get_str(e->data, "digest", "?"));
            run = run_new(k->a, m.run_id, rb);
        }
        if (!run_apply(run, e, k->err))
            fail_msg("%s, record %zu: %s", path, i + 1, kit_errors(k));
        status = e->type == EV_RUN_ENDED ? 1 + (int)val_get_int(e->data, "exit", 9) : 0;
    }
    assert_non_null(run);
    assert_int_equal(run->events, m.n);
    assert_int_equal(run->ended, status != 0);
    if (status)
        assert_int_equal(run->exit_status, status - 1);
    return status;
}

static void each_journal_of_a_released_format_folds(void **state) {
    struct kit *k = *state;
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        const char *folder = arena_printf(k->a, "tests/journals/%s", formats[i]);
        struct loader *ld = loader_of(k, folder);
        DIR *d = opendir(folder);
        int n = 0, seen[16] = {0};
        assert_non_null(d);
        for (struct dirent *e; (e = readdir(d));) {
            const char *dot = strrchr(e->d_name, '.');
            if (!dot || strcmp(dot, ".jsonl"))
                continue;
            const int status = fold(k, ld, arena_printf(k->a, "%s/%s", folder, e->d_name));
            assert_true(status < 16);
            seen[status]++;
            n++;
        }
        closedir(d);
        assert_true(n >= 15);
        /* without an end, well, failed, refused for want of a word */
        assert_true(seen[0] && seen[1] && seen[2] && seen[6]);
    }
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_journal_of_a_released_format_folds, kit_setup, kit_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
