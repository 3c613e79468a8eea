#include "plan/saved.h"

#include "base/map.h"
#include "value/json.h"
#include "value/redacted.h"
#include "value/schema.h"

#include <stdlib.h>
#include <string.h>

enum { shown_value = 60, max_path = 400 }; /* bytes of a value that are shown; of a path before what is below it counts as one fact */

/* ---- the document ---- */

static const struct field runbook_in[] = {{"name", F_STRING, true, "its name", NULL, NULL},
                                          {"asked", F_STRING, true, "the word it was asked for by: a name, or a path", NULL, NULL},
                                          {"version", F_STRING | F_NULL, false, "of the runbook", NULL, NULL},
                                          {"digest", F_STRING, true, "SHA-256 of its text", NULL, NULL},
                                          {"subs", F_MAP, true, "the runbooks below it: name → SHA-256", NULL, NULL},
                                          {0}};
static const struct field library_in[] = {{"folders", F_LIST, true, "folders of --library", NULL, NULL},
                                          {"files", F_MAP, true, "the files in use: name → SHA-256", NULL, NULL},
                                          {"digest", F_STRING, true, "SHA-256 over them", NULL, NULL},
                                          {0}};
static const struct field site_in[] = {{"file", F_STRING, true, "its path", NULL, NULL},
                                       {"name", F_STRING, true, "its name", NULL, NULL},
                                       {"digest", F_STRING, true, "SHA-256 of its text", NULL, NULL},
                                       {0}};
static const struct field git_in[] = {{"commit", F_STRING, true, "that of --rev, or HEAD of the work tree that the runbook, or the site, is in", NULL, NULL},
                                      {"clean", F_BOOL, true, "whether runbook, site and library are as in a commit", NULL, NULL},
                                      {"rev", F_STRING, false, "as --rev", NULL, NULL},
                                      {0}};
static const struct field explore_in[] = {{"events", F_STRING, false, "as --events", NULL, NULL},
                                          {"max-states", F_STRING, false, "as --max-states", NULL, NULL},
                                          {0}};
static const struct field line_in[] = {{"path", F_STRING, true, "the step instance", NULL, NULL},
                                       {"will", F_STRING, true, "what becomes of it", NULL, NULL},
                                       {"known", F_STRING, true, "how that is known", NULL, NULL},
                                       {"title", F_STRING, false, "for people", NULL, NULL},
                                       {"why", F_STRING, false, "the reason", NULL, NULL},
                                       {"with", F_ANY, false, "the values it is done with", NULL, NULL},
                                       {"destroys", F_STRING, false, "what is lost by it", NULL, NULL},
                                       {"attests", F_MAP, false, "member → why it must be attested", NULL, NULL},
                                       {0}};
static const struct field saved_in[] = {{"quorate-plan", F_STRING, true, "the format", NULL, NULL},
                                        {"id", F_STRING, true, "a store takes a plan once, by this", NULL, NULL},
                                        {"quorate", F_STRING, true, "the version of the program that made it", NULL, NULL},
                                        {"made", F_STRING, true, "when", NULL, NULL},
                                        {"folder", F_STRING, true, "the working directory it was made in", NULL, NULL},
                                        {"runbook", F_MAP, true, "what is planned", runbook_in, NULL},
                                        {"library", F_MAP, true, "what it is planned with", library_in, NULL},
                                        {"site", F_MAP, false, "where", site_in, NULL},
                                        {"world", F_STRING, false, "the world file it was made on: such a plan can only be rehearsed", NULL, NULL},
                                        {"git", F_MAP, false, "where the runbook comes from", git_in, NULL},
                                        {"inputs", F_MAP, true, "name → {value}, or {from} for a secret", NULL, NULL},
                                        {"attested", F_LIST, true, "members that cannot come back with their old state", NULL, NULL},
                                        {"accepted", F_LIST, true, "rules that are accepted as a risk", NULL, NULL},
                                        {"explore", F_MAP, true, "how far it was explored, if it was told", explore_in, NULL},
                                        {"lines", F_LIST, true, "the plan", line_in, NULL},
                                        {"before", F_MAP, true, "the state it rests on, by part", NULL, NULL},
                                        {0}};
static const struct field given_in[] = {{"value", F_ANY, false, "what was given", NULL, NULL},
                                        {"from", F_STRING, false, "where it was found", NULL, NULL},
                                        {0}};

static bool strings(const struct val *list, const char *what, struct err *err) {
    for (size_t i = 0; i < val_len(list); i++)
        if (!val_cstr(val_at(list, i))) {
            err_add(err, mark_none(), "bad-plan", "%s are strings, and one is %s", what, val_kind_name(val_at(list, i)->kind));
            return false;
        }
    return true;
}

static bool digests(const struct val *map, const char *what, struct err *err) {
    for (size_t i = 0; i < val_len(map); i++)
        if (!val_cstr(map->map.pairs[i].val)) {
            err_add(err, mark_none(), "bad-plan", "the digest of the %s '%s' must be a string", what, map->map.pairs[i].key);
            return false;
        }
    return true;
}

static bool inputs_fit(const struct val *inputs, struct err *err) {
    bool ok = true;
    for (size_t i = 0; i < val_len(inputs); i++) {
        const struct val_pair *p = &inputs->map.pairs[i];
        ok &= schema_check(p->val, given_in, NULL, arena_printf(err->arena, "the input '%s'", p->key), err);
        if (ok && !val_get(p->val, "value") && !val_get(p->val, "from")) {
            err_add(err, mark_none(), "bad-plan", "the input '%s' has neither a value nor a source", p->key);
            ok = false;
        }
    }
    return ok;
}

/* An id is shown, and a key of the journal: what a program makes is short and plain. */
static bool plain_id(const char *id) {
    return *id && strlen(id) <= 64 && strspn(id, "0123456789abcdefghijklmnopqrstuvwxyz-") == strlen(id);
}

bool saved_parse(const struct val *doc, struct saved *ret, struct err *err) {
    const char *format = val_is(doc, VAL_MAP) ? val_get_str(doc, "quorate-plan", NULL) : NULL;
    if (!format) {
        err_add(err, mark_none(), "bad-plan", "this is no saved plan: it lacks the key 'quorate-plan'");
        return false;
    }
    if (strcmp(format, SAVED_FORMAT)) {
        struct diag *d = err_add(err, mark_none(), "bad-plan", "the plan has the format '%s', and this program reads " SAVED_FORMAT, format);
        diag_hint(err, d, "use the version of the program that wrote it, or make a new plan");
        return false;
    }
    if (!schema_check(doc, saved_in, NULL, "the plan", err))
        return false;
    const struct saved s = {.doc = doc,
                            .id = val_get_str(doc, "id", ""),
                            .made = val_get_str(doc, "made", ""),
                            .folder = val_get_str(doc, "folder", ""),
                            .runbook = val_get(doc, "runbook"),
                            .library = val_get(doc, "library"),
                            .site = val_get(doc, "site"),
                            .world = val_get_str(doc, "world", NULL),
                            .inputs = val_get(doc, "inputs"),
                            .attested = val_get(doc, "attested"),
                            .lines = val_get(doc, "lines"),
                            .before = val_get(doc, "before")};
    if (!strcmp(val_get_str(s.runbook, "asked", "-"), "-")) {
        err_add(err, mark_none(), "bad-plan", "a plan cannot name standard input as its runbook");
        return false;
    }
    if (!plain_id(s.id)) {
        err_add(err, mark_none(), "bad-plan", "'%s' is no id of a plan", s.id);
        return false;
    }
    if (!strings(s.attested, "the members in 'attested'", err) || !strings(val_get(doc, "accepted"), "the rules in 'accepted'", err) || !strings(val_get(s.library, "folders"), "the folders of the library", err) ||
        !digests(val_get(s.library, "files"), "library file", err) || !digests(val_get(s.runbook, "subs"), "runbook", err) || !inputs_fit(s.inputs, err))
        return false;
    *ret = s;
    return true;
}

const struct val *saved_normal(struct arena *a, const struct val *v) {
    struct buf b = BUF_INIT;
    const struct val *out = NULL;
    json_print(redacted(a, v), JSON_COMPACT, &b);
    json_parse(a, "plan", b.data, b.len, &out, err_new(a));
    buf_done(&b);
    return out ? out : val_null(); /* a value nested deeper than JSON is read: the same on both sides */
}

static void put(struct arena *a, struct val *m, const char *key, const char *s) {
    if (s)
        val_map_set(a, m, key, val_str(a, s));
}

const struct val *saved_lines(struct arena *a, const struct plan *p) {
    struct val *list = val_list_new(a);
    for (size_t i = 0; i < p->nlines; i++) {
        const struct plan_line *l = &p->lines[i];
        struct val *m = val_map_new(a);
        put(a, m, "path", l->path);
        put(a, m, "will", will_name(l->will));
        put(a, m, "known", known_name(l->known));
        put(a, m, "title", l->title);
        put(a, m, "why", l->why);
        if (l->with)
            val_map_set(a, m, "with", l->with);
        put(a, m, "destroys", l->destroys);
        if (val_len(l->attests))
            val_map_set(a, m, "attests", l->attests);
        val_list_add(a, list, m);
    }
    return list;
}

static void add_subs(struct arena *a, const struct runbook *rb, struct val *out) {
    for (size_t i = 0; i < rb->nall; i++) {
        const struct runbook *sub = rb->all[i]->sub;
        if (!sub || val_get(out, sub->name))
            continue;
        val_map_set(a, out, sub->name, val_str(a, sub->digest));
        add_subs(a, sub, out);
    }
}

const struct val *saved_subs(struct arena *a, const struct runbook *rb) {
    struct val *m = val_map_new(a);
    add_subs(a, rb, m);
    return m;
}

/* ---- lines ---- */

static bool named(const struct val *names, const char *name) {
    for (size_t i = 0; i < val_len(names); i++) {
        const char *s = val_cstr(val_at(names, i));
        if (s && !strcmp(s, name))
            return true;
    }
    return false;
}

/* Who must be attested, without those who have been meanwhile: "node2, node3", or NULL. */
static const char *members(struct arena *a, const struct val *line, const struct val *attested) {
    const struct val *m = val_get(line, "attests");
    const char *s = NULL;
    for (size_t i = 0; i < val_len(m); i++)
        if (!named(attested, m->map.pairs[i].key))
            s = s ? arena_printf(a, "%s, %s", s, m->map.pairs[i].key) : m->map.pairs[i].key;
    return s;
}

static bool same_text(const char *a, const char *b) {
    return a && b ? !strcmp(a, b) : a == b;
}

static const char *text_at(const struct val *line, const char *key) {
    return val_get_str(line, key, NULL);
}

static bool same_with(const struct val *a, const struct val *b) {
    return (val_is_null(a) && val_is_null(b)) || (a && b && val_equal(a, b));
}

static bool same_line(struct arena *a, const struct val *x, const struct val *y, const struct val *attested) {
    return same_text(text_at(x, "path"), text_at(y, "path")) && same_text(text_at(x, "will"), text_at(y, "will")) &&
           same_text(text_at(x, "destroys"), text_at(y, "destroys")) && same_with(val_get(x, "with"), val_get(y, "with")) &&
           same_text(members(a, x, attested), members(a, y, attested));
}

static const char *shown(struct arena *a, const struct val *v) {
    struct buf b = BUF_INIT;
    if (val_unknown_provider(v))
        buf_printf(&b, "(known when %s is)", val_unknown_provider(v));
    else if (val_unobserved_why(v))
        buf_printf(&b, "(not observed: %s)", val_unobserved_why(v));
    else if (val_is(v, VAL_STRING) && !v->string.len)
        buf_adds(&b, "\"\"");
    else
        val_show(v, &b, shown_value);
    const char *s = arena_strndup(a, b.data, b.len);
    buf_done(&b);
    return s;
}

/* The values of with in which the lines differ, as they are in `line`. */
static const char *with_text(struct arena *a, const struct val *line, const struct val *other) {
    const struct val *with = val_get(line, "with"), *others = val_get(other, "with");
    const char *s = "";
    if (!val_is(with, VAL_MAP) || !val_is(others, VAL_MAP))
        return with ? arena_printf(a, "with %s", shown(a, with)) : "";
    for (size_t i = 0; i < val_len(with); i++) {
        const struct val_pair *p = &with->map.pairs[i];
        if (!same_with(p->val, val_get(others, p->key)))
            s = arena_printf(a, "%s%s%s: %s", s, *s ? ", " : "", p->key, shown(a, p->val));
    }
    return s;
}

/* A line, with what tells it from the other one. */
static const char *line_text(struct arena *a, const struct val *line, const struct val *other, const struct val *attested) {
    const char *will = val_get_str(line, "will", "?"), *why = text_at(line, "why"), *detail = why ? why : val_get_str(line, "title", "");
    if (other && same_text(text_at(line, "will"), text_at(other, "will"))) {
        const char *mine = members(a, line, attested);
        if (!same_with(val_get(line, "with"), val_get(other, "with")))
            detail = with_text(a, line, other);
        else if (!same_text(text_at(line, "destroys"), text_at(other, "destroys")))
            detail = arena_printf(a, "destroys %s", val_get_str(line, "destroys", "nothing"));
        else if (!same_text(mine, members(a, other, attested)))
            detail = arena_printf(a, "needs the attestation of %s", mine ? mine : "nobody");
    }
    return arena_printf(a, "%-9s %s", will, detail);
}

static struct map *by_path(struct arena *a, const struct val *lines) {
    struct map *m = map_new(a);
    for (size_t i = 0; i < val_len(lines); i++)
        map_put(m, val_get_str(val_at(lines, i), "path", ""), (void *)(uintptr_t)val_at(lines, i));
    return m;
}

size_t saved_changes(struct arena *a, const struct val *then, const struct val *now, const struct val *attested, const struct saved_change **ret) {
    struct map *before = by_path(a, then), *after = by_path(a, now);
    struct saved_change *out = arena_array(a, struct saved_change, val_len(then) + val_len(now) + 1);
    size_t n = 0;
    for (size_t i = 0; i < val_len(then); i++) {
        const struct val *line = val_at(then, i);
        const char *path = val_get_str(line, "path", "");
        const struct val *other = map_get(after, path);
        if (!other || !same_line(a, line, other, attested))
            out[n++] = (struct saved_change){path, line_text(a, line, other, attested), other ? line_text(a, other, line, attested) : NULL};
    }
    for (size_t i = 0; i < val_len(now); i++) {
        const struct val *line = val_at(now, i);
        const char *path = val_get_str(line, "path", "");
        if (!map_get(before, path))
            out[n++] = (struct saved_change){path, NULL, line_text(a, line, NULL, attested)};
    }
    for (size_t i = 0; !n && i < val_len(then) && i < val_len(now); i++) { /* the same lines in another order */
        const struct val *x = val_at(then, i), *y = val_at(now, i);
        if (!same_line(a, x, y, attested))
            out[n++] = (struct saved_change){val_get_str(x, "path", ""), "comes first", arena_printf(a, "comes after %s", val_get_str(y, "path", ""))};
    }
    if (!n && val_len(then) != val_len(now))
        out[n++] = (struct saved_change){"", arena_printf(a, "%zu lines", val_len(then)), arena_printf(a, "%zu lines", val_len(now))};
    *ret = out;
    return n;
}

/* ---- facts ---- */

struct facts {
    struct arena *arena;
    struct saved_fact *items;
    size_t n, cap;
};

static void add_fact(struct facts *f, const char *path, unsigned depth, bool evidence, const struct val *then, const struct val *now) {
    if (f->n == f->cap) {
        f->cap = f->cap ? 2 * f->cap : 32;
        f->items = mem_realloc(f->items, f->cap * sizeof *f->items);
    }
    f->items[f->n++] = (struct saved_fact){path, then ? shown(f->arena, then) : NULL, now ? shown(f->arena, now) : NULL,
                                           evidence, depth, (now ? now : then)->kind};
}

static bool is_plain_map(const struct val *v) {
    return val_is(v, VAL_MAP) && !val_unknown_provider(v) && !val_unobserved_why(v);
}

/* The schema of what is under a key of a map that has this schema; NULL if it says nothing of it. */
static const struct val *below(const struct val *schema, const char *key) {
    const struct val *s = val_get(val_get(schema, "keys"), key);
    return s ? s : val_get(schema, "of");
}

static void differ(struct facts *f, const char *path, unsigned depth, bool evidence, const struct val *schema, const struct val *then, const struct val *now) {
    evidence |= val_get_bool(schema, "evidence", false);
    if (then && now && val_equal(then, now))
        return;
    if (!is_plain_map(then) || !is_plain_map(now) || strlen(path) > max_path) {
        add_fact(f, path, depth, evidence, then, now);
        return;
    }
    for (size_t i = 0; i < val_len(then); i++) {
        const struct val_pair *p = &then->map.pairs[i];
        differ(f, arena_printf(f->arena, "%s%s%s", path, *path ? "." : "", p->key), depth + 1, evidence, below(schema, p->key), p->val, val_get(now, p->key));
    }
    for (size_t i = 0; i < val_len(now); i++) {
        const struct val_pair *p = &now->map.pairs[i];
        if (!val_get(then, p->key))
            differ(f, arena_printf(f->arena, "%s%s%s", path, *path ? "." : "", p->key), depth + 1, evidence, below(schema, p->key), NULL, p->val);
    }
}

static int weightier(const void *a, const void *b) {
    const struct saved_fact *x = a, *y = b;
    if (x->evidence != y->evidence)
        return x->evidence ? 1 : -1;
    if (x->depth != y->depth)
        return x->depth < y->depth ? -1 : 1;
    if ((x->kind == VAL_BOOL) != (y->kind == VAL_BOOL))
        return x->kind == VAL_BOOL ? -1 : 1;
    return strcmp(x->path, y->path);
}

size_t saved_facts(struct arena *a, const struct val *then, const struct val *now, const struct val *schemas, const struct saved_fact **ret) {
    struct facts f = {.arena = a};
    struct val *root = val_map_new(a);
    val_map_set(a, root, "keys", schemas ? schemas : val_map_new(a));
    differ(&f, "", 0, false, root, then, now);
    if (f.n)
        qsort(f.items, f.n, sizeof *f.items, weightier);
    struct saved_fact *out = arena_array(a, struct saved_fact, f.n + 1);
    if (f.n)
        memcpy(out, f.items, f.n * sizeof *out);
    free(f.items);
    *ret = out;
    return f.n;
}
