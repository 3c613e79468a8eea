#include "cmd/test.h"

#include "cmd/embedded.h"
#include "value/file.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char suffix[] = ".test.yaml";
static const size_t max_test = 16 << 20; /* bytes of a file with cases */

static bool is_test(const char *name) {
    const size_t n = strlen(name), k = sizeof suffix - 1;
    return n > k && !strcmp(name + n - k, suffix);
}

static struct test_file *file_add(struct tester *t) {
    struct test_file *files = arena_array(t->c->arena, struct test_file, t->nfiles + 1);
    if (t->nfiles)
        memcpy(files, t->files, t->nfiles * sizeof *files);
    t->files = files;
    return &t->files[t->nfiles];
}

static bool add_disk(struct tester *t, const char *path) {
    struct arena *a = t->c->arena;
    const struct source *src;
    struct test_file *f = file_add(t);
    *f = (struct test_file){.name = path, .dir = path_dir(a, path)};
    if (!file_read(a, path, NULL, max_test, &src, t->c->err) || !test_load(t, src, f))
        return false;
    t->nfiles++;
    return true;
}

static bool add_embedded(struct tester *t, const struct files *files, const char *name) {
    struct test_file *f = file_add(t);
    const struct source *src = files_read((struct files *)(uintptr_t)files, name, t->c->err);
    if (!src)
        return false;
    *f = (struct test_file){.name = src->name, .dir = path_dir(t->c->arena, name), .embedded = true};
    if (!test_load(t, src, f))
        return false;
    t->nfiles++;
    return true;
}

/* All tests of a folder, in the order of their names. */
static bool add_folder(struct tester *t, const char *dir, struct mark at, size_t *ret_found) {
    struct files *files = files_new(t->c->arena);
    if (!files_add_dir(files, dir, "", at, t->c->err))
        return false;
    const char *const *names;
    const size_t n = files_list(files, "", suffix, &names);
    bool ok = true;
    for (size_t i = 0; i < n; i++)
        ok &= add_disk(t, strcmp(dir, ".") ? path_join(t->c->arena, dir, names[i]) : names[i]);
    *ret_found += n;
    return ok;
}

static bool add_word(struct tester *t, const char *word) {
    struct ctx *c = t->c;
    struct stat st;
    size_t found = 0;
    const char *named = arena_printf(c->arena, "runbooks/%s%s", word, suffix);
    if (stat(word, &st) == 0 && S_ISDIR(st.st_mode)) {
        if (!add_folder(t, word, mark_none(), &found))
            return false;
        if (!found)
            err_add(c->err, mark_none(), "no-tests", "there is no *%s in %s", suffix, word);
        return found > 0;
    }
    if (is_test(word))
        return add_disk(t, word);
    if (files_has(c->files, named))
        return add_embedded(t, c->files, named);
    struct diag *d = err_add(c->err, mark_none(), "no-tests", "'%s' is no folder, no file with tests (*%s), and no runbook with tests beside it", word, suffix);
    diag_note(c->err, d, "a runbook's tests are read from its library: %s", named);
    return false;
}

static bool add_all_embedded(struct tester *t) {
    struct files *files = files_new(t->c->arena);
    files_add_embedded(files, embedded_files);
    const char *const *names;
    const size_t n = files_list(files, "runbooks/", suffix, &names);
    bool ok = true;
    for (size_t i = 0; i < n; i++)
        ok &= add_embedded(t, files, names[i]);
    return ok;
}

/* The site's own tests if it has folders, else those of --library, else those that come with the program. */
static bool add_default(struct tester *t) {
    struct ctx *c = t->c;
    const char *env = getenv("QUORATE_LIBRARY");
    size_t found = 0, folders = 0;
    bool ok = true;
    for (size_t i = 0; c->site && c->site->library && c->site->library[i]; i++, folders++)
        ok &= add_folder(t, c->site->library[i], c->site->library_marks[i], &found);
    for (size_t i = 0; !folders && i < c->opt.library.n; i++)
        ok &= add_folder(t, c->opt.library.items[i], mark_none(), &found);
    if (!folders && !c->opt.library.n && env && *env)
        ok &= add_folder(t, env, mark_none(), &found);
    else if (!folders && !c->opt.library.n)
        return add_all_embedded(t);
    if (ok && !found) {
        struct diag *d = err_add(c->err, mark_none(), "no-tests", "the library's folders hold no *%s", suffix);
        diag_note(c->err, d, "name a folder, a file or a runbook: quorate test swarm/rebalance");
    }
    return ok && found;
}

bool test_find(struct tester *t) {
    bool ok = true;
    for (int i = 0; i < t->c->argc; i++)
        ok &= add_word(t, t->c->argv[i]);
    return t->c->argc ? ok : add_default(t);
}
