/* Damages the shipped runbooks at random and reads them as `check` does: whatever comes in, it must end in a runbook or in errors, soon, and
 * without the sanitizers having anything to say. Further runbooks may be named; QUORATE_LIBRARY is a folder that they use. QUORATE_SEED=N repeats
 * a run, QUORATE_COUNT=N sets how many. */
#include "cmd/embedded.h"
#include "plan/runbook.h"
#include "value/file.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { default_count = 10000, per_box = 50, seconds_each = 20, max_edits = 6 };

static const char *const words[] = {
    "${{ ",  " }}",    "{{",     "steps:", "- id: a\n", "for_each: ", "needs: [a]\n", "uses: swarm.leave\n", "\"",      "'",       ": ",
    "#",     "\n",     "\t",     "&a ",    "*a",        "[",          "]",            "{",                   "}",       "!!int ",  "---\n",
    "state.swarm.", "inputs.", "steps.",  "item",   "function(x) return x end", "(", ")",  " and ",               " != ",    "=",       "0x",
    "\xff",  "\xc3",   "\xe2\x80\xae", "\\x00", "|\n",  ">\n",        "1e999",        "99999999999999999999", "~",      "on:",     "if: ",
    "wait_for: ", "try_each: ", "rescue:\n", "runbook:swarm/recover-quorum", "swarm.cluster", "string.rep('x', 1e9)", "with: { ", "%s%n",
};

static uint64_t random_state;

static uint64_t draw(uint64_t below) {
    uint64_t z = random_state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (z ^ (z >> 31)) % below;
}

static void replace(struct buf *b, size_t at, size_t gone, const char *text, size_t len) {
    struct buf out = BUF_INIT;
    buf_add(&out, b->data, at);
    buf_add(&out, text, len);
    buf_add(&out, b->data + at + gone, b->len - at - gone);
    buf_done(b);
    *b = out;
}

static size_t line_at(const struct buf *b, size_t at, size_t *len) {
    while (at && b->data[at - 1] != '\n')
        at--;
    const char *nl = memchr(b->data + at, '\n', b->len - at);
    *len = (nl ? (size_t)(nl + 1 - b->data) : b->len) - at;
    return at;
}

static void edit(struct buf *b) {
    if (!b->len)
        return;
    size_t at = draw(b->len), len;
    const char byte = (char)draw(256);
    switch (draw(8)) {
    case 0: /* one byte is another one */
        replace(b, at, 1, &byte, 1);
        break;
    case 1: /* some are gone */
        len = draw(20) + 1;
        replace(b, at, len < b->len - at ? len : b->len - at, "", 0);
        break;
    case 2:
    case 3: { /* a word of the language where it does not belong */
        const char *word = words[draw(sizeof words / sizeof *words)];
        replace(b, at, 0, word, strlen(word));
        break;
    }
    case 4: { /* a line is there twice, somewhere else */
        const size_t from = line_at(b, at, &len);
        char *line = mem_alloc(len + 1);
        memcpy(line, b->data + from, len);
        size_t ignored;
        replace(b, line_at(b, draw(b->len), &ignored), 0, line, len);
        free(line);
        break;
    }
    case 5: { /* a line is gone */
        const size_t from = line_at(b, at, &len);
        replace(b, from, len, "", 0);
        break;
    }
    case 6: { /* a line is indented otherwise */
        const size_t from = line_at(b, at, &len);
        if (b->data[from] == ' ' && draw(2))
            replace(b, from, 1, "", 0);
        else
            replace(b, from, 0, "  ", draw(2) + 1);
        break;
    }
    default: /* the end is missing */
        if (!draw(4))
            replace(b, at, b->len - at, "", 0);
    }
}

static char now_at[128];

static void too_long(int signo) {
    (void)signo;
    const char words_of[] = "not ok 1 - check hung at ";
    if (write(1, words_of, sizeof words_of - 1) < 0 || write(1, now_at, strlen(now_at)) < 0)
        _exit(2);
    _exit(1);
}

struct reader {
    struct arena *arena;
    struct box *box;
    struct files *files;
    struct library *lib;
};

static void reader_open(struct reader *r) {
    r->arena = arena_new();
    r->box = box_new(NULL);
    r->files = files_new(r->arena);
    const char *library = getenv("QUORATE_LIBRARY");
    if (library && *library)
        files_add_dir(r->files, library, "", mark_none(), err_new(r->arena));
    files_add_embedded(r->files, embedded_files);
    r->lib = library_new(r->arena, r->box, r->files);
}

static void reader_close(struct reader *r) {
    box_free(r->box);
    arena_free(r->arena);
}

/* Whether it was accepted; and what it costs is looked at by the alarm. */
static bool check(struct reader *r, const char *path) {
    struct arena *a = arena_new();
    struct err *err = err_new(a);
    struct loader ld = {.arena = a, .box = r->box, .files = r->files, .lib = r->lib};
    const struct runbook *rb = NULL;
    const bool ok = runbook_load(&ld, path, mark_none(), &rb, err);
    struct buf b = BUF_INIT;
    err_sort(err);
    err_render(err, &b); /* what is told must not crash either */
    const bool told = ok ? rb != NULL : err->nerrors > 0 && b.len > 0;
    buf_done(&b);
    arena_free(a);
    if (!told) {
        printf("not ok 1 - refused without an error at %s\n", now_at);
        exit(1);
    }
    return ok;
}

enum { max_seeds = 256 };

/* What is damaged: the shipped runbooks, and those that were named. */
static size_t seeds_find(struct arena *a, int argc, char **argv, const struct source *seeds[max_seeds]) {
    size_t n = 0;
    for (const struct embedded_file *f = embedded_files; f->name && n < max_seeds; f++)
        if (!strncmp(f->name, "runbooks/", 9))
            seeds[n++] = source_new(a, f->name, (const char *)f->data, (size_t)(f->end - f->data));
    for (int i = 1; i < argc && n < max_seeds; i++)
        if (file_read(a, argv[i], NULL, 1 << 20, &seeds[n], err_new(a)))
            n++;
    return n;
}

int main(int argc, char **argv) {
    const char *seed = getenv("QUORATE_SEED"), *count = getenv("QUORATE_COUNT"), *tmp = getenv("TMPDIR");
    const uint64_t base = seed && *seed ? strtoull(seed, NULL, 10) : (uint64_t)time(NULL);
    const long n = count && *count ? strtol(count, NULL, 10) : default_count;
    char path[256];
    snprintf(path, sizeof path, "%s/mutated-%ld.yaml", tmp ? tmp : "/tmp", (long)getpid());
    struct arena *a = arena_new();
    const struct source *seeds[max_seeds];
    const size_t nseeds = seeds_find(a, argc, argv, seeds);
    if (!nseeds) {
        printf("1..1\nnot ok 1 - the binary carries no runbooks\n");
        return 1;
    }
    printf("1..1\n# seed %llu, %zu runbooks\n", (unsigned long long)base, nseeds);
    signal(SIGALRM, too_long);
    struct reader r = {0};
    long accepted = 0;
    for (long i = 0; i < n; i++) {
        if (i % per_box == 0) {
            if (i)
                reader_close(&r);
            reader_open(&r);
        }
        random_state = base + (uint64_t)i;
        const struct source *f = seeds[draw(nseeds)];
        struct buf b = BUF_INIT;
        buf_add(&b, f->text, f->len);
        for (uint64_t edits = draw(2) ? 1 : draw(max_edits) + 1; edits; edits--)
            edit(&b);
        snprintf(now_at, sizeof now_at, "QUORATE_SEED=%llu QUORATE_COUNT=1 (%s)\n", (unsigned long long)(base + (uint64_t)i), f->name);
        FILE *out = fopen(path, "w");
        if (!out || fwrite(b.data, 1, b.len, out) != b.len || fclose(out)) {
            printf("not ok 1 - cannot write %s\n", path);
            return 1;
        }
        buf_done(&b);
        alarm(seconds_each);
        accepted += check(&r, path);
        alarm(0);
    }
    reader_close(&r);
    arena_free(a);
    unlink(path);
    printf("ok 1 - %ld damaged runbooks neither crash nor hang check\n# %ld of them were still valid\n", n, accepted);
    return 0;
}
