#include "lua/library_priv.h"

#include <stdlib.h>
#include <string.h>

/* Names and look-up. Loading is in library_load.c, what may be declared in library_decl.c. */

struct library *library_new(struct arena *a, struct box *box, const struct files *files) {
    struct library *lib = arena_new_of(a, struct library);
    *lib = (struct library){.arena = a, .box = box, .files = files, .entries = map_new(a), .families = map_new(a), .loaded = map_new(a)};
    box->lib = lib;
    return lib;
}

static struct family *family_of(struct library *lib, const char *name) {
    struct family *f = map_get(lib->families, name);
    if (!f) {
        f = arena_new_of(lib->arena, struct family);
        f->name = name;
        map_put(lib->families, name, f);
    }
    return f;
}

/* "stdlib/swarm/leave.lua" → swarm, leave; "stdlib/replica_id.lua" → hooks, replica_id */
static bool split(struct arena *a, const char *file, const char **family, const char **member) {
    const char *rest = file + strlen("stdlib/"), *slash = strchr(rest, '/'), *base = slash ? slash + 1 : rest;
    size_t len = strlen(base);
    if (len <= 4 || strchr(base, '/'))
        return false;
    *family = slash ? arena_strndup(a, rest, (size_t)(slash - rest)) : "hooks";
    *member = arena_strndup(a, base, len - 4);
    return **family != '\0';
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void library_list(struct library *lib) {
    if (lib->listed)
        return;
    lib->listed = true;
    const char *const *names;
    size_t n = files_list(lib->files, "stdlib/", ".lua", &names);
    lib->names = arena_array(lib->arena, const char *, n);
    for (size_t i = 0; i < n; i++) {
        const char *family, *member;
        if (!split(lib->arena, names[i], &family, &member))
            continue;
        struct family *f = family_of(lib, family);
        if (!strcmp(member, "lib")) {
            f->lib = names[i];
            continue;
        }
        const char *name = arena_printf(lib->arena, "%s.%s", family, member);
        if (map_get(lib->entries, name))
            continue;
        struct entry *e = arena_new_of(lib->arena, struct entry);
        *e = (struct entry){.name = name, .family = f->name, .file = names[i]};
        map_put(lib->entries, name, e);
        lib->names[lib->nnames++] = name;
    }
    if (lib->nnames)
        qsort(lib->names, lib->nnames, sizeof *lib->names, by_name);
    for (size_t i = 0; i < lib->nnames; i++) {
        struct entry *e = map_get(lib->entries, lib->names[i]);
        struct family *f = map_get(lib->families, e->family);
        if (!f->names)
            f->names = arena_array(lib->arena, const char *, lib->nnames);
        f->names[f->n++] = lib->names[i];
    }
}

struct entry *library_entry(const struct library *lib, const char *name) {
    library_list((struct library *)lib);
    return map_get(lib->entries, name);
}

struct family *library_family(const struct library *lib, const char *name) {
    library_list((struct library *)lib);
    return map_get(lib->families, name);
}

bool library_has(const struct library *lib, const char *name) {
    return library_entry(lib, name) != NULL;
}

bool library_is_family(const struct library *lib, const char *name) {
    const struct family *f = library_family(lib, name);
    return f && f->n;
}

size_t library_names(const struct library *lib, const char *family, const char *const **ret) {
    library_list((struct library *)lib);
    const struct family *f = family ? library_family(lib, family) : NULL;
    if (family && !f) {
        *ret = NULL;
        return 0;
    }
    *ret = f ? f->names : lib->names;
    return f ? f->n : lib->nnames;
}

/* Names that a misspelt one may have meant: those of the same family, or all if there is no such family. Kinds are known only of files
 * that were loaded; others are not loaded for a hint. */
static void unknown(struct library *lib, const char *name, enum def_kind kind, struct mark at, struct err *err) {
    struct diag *d = err_add(err, at, arena_printf(err->arena, "unknown-%s", def_kind_name(kind)), "unknown %s '%s'", def_kind_name(kind), name);
    const char *dot = strchr(name, '.');
    const char *family = dot ? arena_strndup(err->arena, name, (size_t)(dot - name)) : NULL;
    const char *const *names, **fit;
    size_t n = library_names(lib, family && library_is_family(lib, family) ? family : NULL, &names), k = 0;
    fit = arena_array(err->arena, const char *, n);
    for (size_t i = 0; i < n; i++) {
        struct err *quiet = err_new(err->arena);
        const struct def *def = library_load(lib, lib->box->L, names[i], quiet);
        if (def && def->kind == kind)
            fit[k++] = names[i];
    }
    if (k)
        diag_accepted(err, d, name, fit, k);
    else if (n)
        diag_accepted(err, d, name, names, n);
    else
        diag_note(err, d, "the library has no definitions: is --library or QUORATE_LIBRARY set to the right folder?");
}

const struct def *library_get(struct library *lib, const char *name, enum def_kind kind, struct mark at, struct err *err) {
    struct entry *e = library_entry(lib, name);
    if (!e) {
        unknown(lib, name, kind, at, err);
        return NULL;
    }
    const struct diag *since = err->last;
    size_t before = err->nerrors;
    const struct def *d = library_load(lib, lib->box->L, name, err);
    if (!d) {
        if (err->nerrors == before) /* nothing was said: a file that loads itself */
            err_add(err, at, "broken-definition", "'%s' cannot be loaded", name);
        else if (since != err->last && at.src)
            err_while(err, since, "while loading %s, which %s:%u names", name, at.src->name, at.line);
        return NULL;
    }
    if (d->kind != kind) {
        struct diag *x = err_add(err, at, arena_printf(err->arena, "unknown-%s", def_kind_name(kind)), "'%s' is %s %s, and %s %s is wanted here", name,
                                 d->kind == DEF_ACTION || d->kind == DEF_EVENT ? "an" : "a", def_kind_name(d->kind),
                                 kind == DEF_ACTION || kind == DEF_EVENT ? "an" : "a", def_kind_name(kind));
        diag_note(err, x, "declared in %s", d->src->name);
        return NULL;
    }
    return d;
}

/* Whether a line of the text begins with `return KIND`. */
static bool returns(const struct source *src, const char *kind) {
    const char *end = src->text + src->len;
    for (const char *p = src->text; p && p < end; p = memchr(p, '\n', (size_t)(end - p)), p = p ? p + 1 : NULL) {
        if ((size_t)(end - p) < 8 || memcmp(p, "return", 6) != 0)
            continue;
        const char *word = p + 6 + strspn(p + 6, " \t(");
        const size_t n = strlen(kind);
        if (word > p + 6 && !strncmp(word, kind, n) && !strchr("_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", word[n]))
            return true;
    }
    return false;
}

bool library_of_kind(struct library *lib, enum def_kind kind, const struct def *const **ret, size_t *ret_n, struct err *err) {
    library_list(lib);
    const size_t before = err->nerrors;
    const struct def **defs = arena_array(lib->arena, const struct def *, lib->nnames + 1);
    size_t n = 0;
    for (size_t i = 0; i < lib->nnames; i++) {
        const struct entry *e = map_get(lib->entries, lib->names[i]);
        const struct source *src = files_read((struct files *)(uintptr_t)lib->files, e->file, err);
        if (!src || !returns(src, def_kind_name(kind)))
            continue;
        const struct def *d = library_get(lib, lib->names[i], kind, mark_none(), err);
        if (d)
            defs[n++] = d;
    }
    *ret = defs;
    *ret_n = n;
    return err->nerrors == before;
}

const struct val *library_files(const struct library *lib, struct arena *a) {
    const char **files = arena_array(a, const char *, map_count(lib->loaded) + 1);
    size_t n = 0;
    for (struct map_iter it = map_iter(lib->loaded); map_next(&it);)
        files[n++] = it.key;
    if (n)
        qsort(files, n, sizeof *files, by_name);
    struct val *m = val_map_new(a);
    for (size_t i = 0; i < n; i++)
        val_map_set(a, m, files[i], val_str(a, map_get(lib->loaded, files[i])));
    return m;
}

void library_digest(const struct library *lib, char ret[65]) {
    const struct val *files = library_files(lib, lib->arena);
    struct sha256 s;
    sha256_init(&s);
    for (size_t i = 0; i < val_len(files); i++) {
        const char *file = files->map.pairs[i].key, *digest = val_cstr(files->map.pairs[i].val);
        sha256_add(&s, file, strlen(file) + 1);
        sha256_add(&s, digest, strlen(digest) + 1);
    }
    sha256_end(&s, ret);
}

bool def_changes(const struct def *d, const char *part) {
    const struct val *changes = val_get(d->decl, "changes");
    for (size_t i = 0; i < val_len(changes); i++) {
        const char *s = val_cstr(val_at(changes, i));
        if (s && !strcmp(s, part))
            return true;
    }
    return false;
}
