#include "value/files.h"

#include "value/file.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const size_t max_file = 4 << 20; /* bytes */
enum { max_depth = 8, max_names = 20000 };

struct layer {
    struct layer *next;
    const char *dir;                       /* a folder … */
    const struct embedded_file *embedded;  /* … or a table … */
    bool own;                              /* of the site */
    bool sources;                          /* … or texts that are there already */
    struct map *names;                     /* name → path on disk, const struct embedded_file *, or const struct source * */
};

struct files {
    struct arena *arena;
    struct layer *first, **end;
    bool own;
    struct map *sources; /* name → const struct source * already read */
};

struct files *files_new(struct arena *a) {
    struct files *f = arena_new_of(a, struct files);
    f->arena = a;
    f->end = &f->first;
    f->sources = map_new(a);
    return f;
}

static struct layer *layer_new(struct files *f) {
    struct layer *l = arena_new_of(f->arena, struct layer);
    l->names = map_new(f->arena);
    l->own = f->own;
    *f->end = l;
    f->end = &l->next;
    return l;
}

static bool ends_with(const char *s, const char *suffix) {
    const size_t n = strlen(s), m = strlen(suffix);
    return n >= m && !strcmp(s + n - m, suffix);
}

bool files_sees(const char *name) {
    return ends_with(name, ".lua") || ends_with(name, ".yaml") || ends_with(name, ".yml");
}

struct walk {
    struct files *files;
    struct layer *layer;
    struct mark at;
    struct err *err;
    size_t looked_at;
};

/* What a folder holds is looked up once, when it is added. `name` is what it is called in the tree. False: too much of it. */
static bool scan(struct walk *w, const char *dir, const char *name, int depth) {
    DIR *d = opendir(dir);
    if (!d) { /* what is in it is missing, which people must know; what is elsewhere can be used all the same */
        err_warn(w->err, w->at, "unreadable-folder", "cannot read the folder '%s': %s", dir, strerror(errno));
        return true;
    }
    bool ok = true;
    for (const struct dirent *e; ok && (e = readdir(d));) {
        if (e->d_name[0] == '.')
            continue;
        if (++w->looked_at > max_names) {
            struct diag *g = err_add(w->err, w->at, "too-large", "the folder '%s' holds more than %d files", w->layer->dir, max_names);
            diag_hint(w->err, g, "name the folder that holds the runbooks or the library, not one far above it");
            ok = false;
            break;
        }
        struct arena *a = w->files->arena;
        const char *path = path_join(a, dir, e->d_name), *below = arena_printf(a, "%s%s", name, e->d_name);
        struct stat st;
        if (stat(path, &st))
            continue;
        if (S_ISDIR(st.st_mode) && depth < max_depth)
            ok = scan(w, path, arena_printf(a, "%s/", below), depth + 1);
        else if (S_ISREG(st.st_mode) && files_sees(e->d_name))
            map_put(w->layer->names, below, (void *)(uintptr_t)path);
    }
    closedir(d);
    return ok;
}

bool files_add_dir(struct files *f, const char *dir, const char *prefix, struct mark at, struct err *err) {
    struct stat st;
    if (stat(dir, &st) || !S_ISDIR(st.st_mode)) {
        err_add(err, at, "no-folder", "there is no folder '%s'", dir);
        return false;
    }
    struct layer *l = layer_new(f);
    l->dir = arena_strdup(f->arena, dir);
    return scan(&(struct walk){.files = f, .layer = l, .at = at, .err = err}, l->dir, prefix, 0);
}

void files_add_embedded(struct files *f, const struct embedded_file *table) {
    struct layer *l = layer_new(f);
    l->embedded = table;
    for (; table->name; table++)
        map_put(l->names, table->name, (void *)(uintptr_t)table);
}

void files_add_sources(struct files *f, const struct map *sources) {
    struct layer *l = layer_new(f);
    l->sources = true;
    for (struct map_iter it = map_iter(sources); map_next(&it);)
        if (files_sees(it.key))
            map_put(l->names, it.key, it.value);
}

static const struct layer *layer_with(const struct files *f, const char *name) {
    for (const struct layer *l = f->first; l; l = l->next)
        if (map_get(l->names, name))
            return l;
    return NULL;
}

bool files_has(const struct files *f, const char *name) {
    return layer_with(f, name) != NULL;
}

bool files_is_embedded(const struct files *f, const char *name) {
    const struct layer *l = layer_with(f, name);
    return l && l->embedded;
}

void files_own(struct files *f, bool own) {
    f->own = own;
}

bool files_is_own(const struct files *f, const char *name) {
    const struct layer *l = layer_with(f, name);
    return l && l->own;
}

bool files_hides(const struct files *f, const char *name) {
    const struct layer *l = layer_with(f, name);
    for (const struct layer *o = l && l->own ? l->next : NULL; o; o = o->next)
        if (!o->own && map_get(o->names, name))
            return true;
    return false;
}

const struct source *files_read(struct files *f, const char *name, struct err *err) {
    const struct source *src = map_get(f->sources, name);
    const struct layer *l = src ? NULL : layer_with(f, name);
    if (!l)
        return src;
    if (l->embedded) {
        const struct embedded_file *e = map_get(l->names, name);
        src = source_over(f->arena, e->name, (const char *)e->data, (size_t)(e->end - e->data));
    } else if (l->sources) {
        src = map_get(l->names, name);
    } else if (!file_read(f->arena, map_get(l->names, name), NULL, max_file, &src, err)) {
        return NULL;
    }
    map_put(f->sources, name, (void *)(uintptr_t)src);
    return src;
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

size_t files_list(const struct files *f, const char *prefix, const char *suffix, const char *const **ret) {
    struct map *all = map_new(f->arena);
    for (const struct layer *l = f->first; l; l = l->next)
        for (struct map_iter it = map_iter(l->names); map_next(&it);)
            if (!strncmp(it.key, prefix, strlen(prefix)) && ends_with(it.key, suffix))
                map_put(all, it.key, (void *)(uintptr_t)l);
    const char **names = arena_array(f->arena, const char *, map_count(all) + 1);
    size_t n = 0;
    for (struct map_iter it = map_iter(all); map_next(&it);)
        names[n++] = it.key;
    qsort(names, n, sizeof *names, by_name);
    *ret = names;
    return n;
}
