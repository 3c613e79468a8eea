#include "cmd/test.h"

#include "value/file.h"
#include "value/yaml.h"

#include <string.h>

static const size_t max_world = 16 << 20;

static const char *const verdicts[] = {"safe", "refused", NULL};

static const struct field expect_fields[] = {
    {"verdict", F_STRING, false, "Of the plan: safe, or refused by a rule or a precondition.", NULL, verdicts},
    {"rule", F_STRING, false, "With refused: the rule.", NULL, NULL},
    {"plan", F_MAP, false, "Step → what the plan says of it: run, skip, wait, … or absent.", NULL, NULL},
    {"exit", F_INT, false, "Exit status of the run; default: 0, or 4 for a refused plan.", NULL, NULL},
    {"order", F_LIST, false, "Acts and waits that begin in this order, others between them or not.", NULL, NULL},
    {"never", F_LIST, false, "Acts and waits that never begin.", NULL, NULL},
    {"message", F_STRING, false, "Text that the run's last line, or the refusal, contains.", NULL, NULL},
    {"state", F_LIST | F_STRING | F_BOOL, false, "Expressions that hold on the world at the end.", NULL, NULL},
    {0},
};

#define COMMON                                                                                                                         \
    {"world", F_STRING | F_MAP, false, "The world: a file beside this one, or inline.", NULL, NULL},                                   \
        {"set", F_MAP, false, "State path → value, changed in the world before anything else.", NULL, NULL},                           \
        {"inputs", F_MAP, false, "Inputs of the runbook.", NULL, NULL},                                                                \
        {"attest", F_LIST, false, "Members that cannot come back with their old state.", NULL, NULL},                                  \
        {"approve", F_BOOL, false, "Whether approvals are given; default true.", NULL, NULL},                                          \
        {"events", F_INT, false, "Events of the cluster's own that are explored on one way; default 1.", NULL, NULL},                  \
    {"accept", F_LIST, false, "Rules that may be broken.", NULL, NULL}

static const struct field case_fields[] = {
    {"name", F_STRING, true, "What the case shows.", NULL, NULL},
    COMMON,
    {"fail", F_MAP, false, "STEP[#ATTEMPT] → the outcome that it comes to.", NULL, NULL},
    {"happen", F_MAP, false, "STEP → what happens when it begins: EVENT or EVENT=CHOICE, a list of them, or a map of state path → value.", NULL, NULL},
    {"expect", F_MAP, false, "What must come of it; default: the runbook ends well.", expect_fields, NULL},
    {0},
};

const struct field test_fields[] = {
    {"runbook", F_STRING, false, "The runbook; default: the file's own name without .test.yaml.", NULL, NULL},
    {"description", F_STRING, false, "For people.", NULL, NULL},
    COMMON,
    {"unreachable", F_MAP, false, "Branches that no case can visit, each with the reason.", NULL, NULL},
    {"cases", F_LIST, true, "The cases.", case_fields, NULL},
    {0},
};

static bool is_path(const char *s) {
    const size_t n = strlen(s);
    return (n > 5 && !strcmp(s + n - 5, ".yaml")) || (n > 4 && !strcmp(s + n - 4, ".yml"));
}

/* The name under which runbook_load knows it. */
static const char *runbook_name(struct tester *t, const struct test_file *f, const char *file) {
    struct arena *a = t->c->arena;
    const char *named = val_get_str(f->doc, "runbook", NULL);
    if (named)
        return is_path(named) && !f->embedded ? path_join(a, f->dir, named) : named;
    const char *base = arena_strndup(a, file, strlen(file) - strlen(".test.yaml"));
    return f->embedded && !strncmp(base, "runbooks/", 9) ? base + 9 : arena_printf(a, "%s.yaml", base);
}

static bool load_runbook(struct tester *t, struct test_file *f, const char *name, struct mark at) {
    struct ctx *c = t->c;
    f->rb = map_get(t->runbooks, name);
    if (!f->rb) {
        struct loader ld = c->loader;
        ld.site = NULL; /* each case has an inventory of its own */
        if (!runbook_load(&ld, name, at, &f->rb, c->err))
            return false;
        map_put(t->runbooks, name, (void *)(uintptr_t)f->rb);
        map_put(t->coverages, name, coverage_new(c->arena, f->rb));
    }
    f->coverage = map_get(t->coverages, name);
    return true;
}

static bool exclude(struct tester *t, const struct test_file *f) {
    const struct val *list = val_get(f->doc, "unreachable");
    bool ok = true;
    for (size_t i = 0; i < val_len(list); i++) {
        const struct val_pair *p = &list->map.pairs[i];
        if (!val_cstr(p->val) || !*val_cstr(p->val)) {
            err_add(t->c->err, p->val->mark, "wrong-type", "'%s' wants the reason why no case can visit it", p->key);
            ok = false;
        } else {
            ok &= coverage_exclude(f->coverage, p->key, val_cstr(p->val), p->mark, t->c->err);
        }
    }
    return ok;
}

static bool names_unique(struct tester *t, const struct test_file *f) {
    struct map *seen = map_new(t->c->arena);
    bool ok = true;
    for (size_t i = 0; i < val_len(f->cases); i++) {
        const struct val *name = val_get(val_at(f->cases, i), "name");
        if (map_get(seen, val_cstr(name))) {
            err_add(t->c->err, name->mark, "duplicate-case", "there are two cases of that name");
            ok = false;
        }
        map_put(seen, val_cstr(name), t);
    }
    return ok;
}

bool test_load(struct tester *t, const struct source *src, struct test_file *f) {
    struct ctx *c = t->c;
    if (!yaml_parse(c->arena, src, NULL, &f->doc, c->err) || !schema_check(f->doc, test_fields, NULL, "the file", c->err))
        return false;
    f->cases = val_get(f->doc, "cases");
    const struct val *named = val_get(f->doc, "runbook");
    const char *base = strrchr(f->name, '/');
    const char *file = arena_printf(c->arena, "%s/%s", f->dir, base ? base + 1 : f->name);
    return load_runbook(t, f, runbook_name(t, f, !strcmp(f->dir, ".") ? file + 2 : file), named ? named->mark : mark_none()) &&
           (int)names_unique(t, f) & (int)exclude(t, f);
}

const struct val *test_value(const struct test_file *f, const struct val *kase, const char *key) {
    const struct val *v = val_get(kase, key);
    return v ? v : val_get(f->doc, key);
}

bool test_world(struct tester *t, const struct test_file *f, const struct val *written, const struct val **ret) {
    struct ctx *c = t->c;
    if (val_is(written, VAL_MAP)) {
        *ret = written;
        return world_check(written, false, c->err);
    }
    const char *name = val_cstr(written);
    const char *beside = path_join(c->arena, f->dir, name), *inside = arena_printf(c->arena, "runbooks/%s", name);
    const char *key = arena_printf(c->arena, "%d%s", f->embedded, beside);
    const struct val *v = map_get(t->worlds, key);
    const struct source *src = NULL;
    if (v) {
        *ret = v;
        return true;
    }
    struct err *quiet = err_new(c->arena);
    if (f->embedded && files_has(c->files, beside))
        src = files_read(c->files, beside, c->err);
    else if (!f->embedded && file_read(c->arena, beside, NULL, max_world, &src, quiet))
        ;
    else if (files_has(c->files, inside))
        src = files_read(c->files, inside, c->err);
    if (!src) {
        struct diag *d = err_add(c->err, written->mark, "unknown-world", "there is no world '%s'", name);
        diag_note(c->err, d, "neither %s nor, in the library, %s", beside, inside);
        return false;
    }
    if (!world_parse(c->arena, src, &v, c->err))
        return false;
    map_put(t->worlds, key, (void *)(uintptr_t)v);
    *ret = v;
    return true;
}
