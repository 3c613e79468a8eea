#include "plan/plan.h"

#include <stdlib.h>
#include <string.h>

/* A name without tag or digest means the tag latest, as for the engine itself. */
static const char *full_name(struct arena *a, const char *image) {
    const char *last = strrchr(image, '/');
    return strpbrk(last ? last : image, ":@") ? image : arena_printf(a, "%s:latest", image);
}

static enum image_there look(const struct val *docker, const char *node, const char *image) {
    const struct val *n = val_is(docker, VAL_MAP) ? val_get(val_get(docker, "nodes"), node) : NULL;
    if (!n || !val_get_bool(n, "answers", false))
        return IMAGE_UNTOLD;
    return val_get_bool(val_get(n, "images"), image, false) ? IMAGE_THERE : IMAGE_MISSING;
}

struct found {
    struct arena *arena;
    struct plan *plan;
    const struct val *docker; /* state.docker, or NULL */
    size_t cap;
};

static void add(struct found *f, const char *node, const char *image, const char *path) {
    struct plan *p = f->plan;
    for (size_t i = 0; i < p->nimages; i++)
        if (!strcmp(p->images[i].node, node) && !strcmp(p->images[i].image, image))
            return;
    if (p->nimages == f->cap) {
        f->cap = f->cap ? 2 * f->cap : 8;
        struct plan_image *more = arena_array(f->arena, struct plan_image, f->cap);
        if (p->nimages)
            memcpy(more, p->images, p->nimages * sizeof *more);
        p->images = more;
    }
    p->images[p->nimages++] = (struct plan_image){.node = node, .image = image, .path = path, .there = look(f->docker, node, full_name(f->arena, image))};
}

static void of_line(struct found *f, const struct model *state, const struct plan_line *l) {
    const struct def *d = l->step->def;
    if (!d || !d->fn[FN_IMAGES] || (l->will != WILL_RUN && l->will != WILL_MAYBE && l->will != WILL_ELSE))
        return;
    struct call_signal sig = {0};
    const struct val *all = NULL, *args[] = {l->with ? l->with : val_map_new(f->arena)};
    if (model_call(state, d, FN_IMAGES, args, 1, f->arena, &all, NULL, &sig, err_new(f->arena)) != CALL_OK || !val_is(all, VAL_MAP))
        return;
    for (size_t i = 0; i < val_len(all); i++) {
        const struct val_pair *p = &all->map.pairs[i];
        if (val_cstr(p->val))
            add(f, p->key, val_cstr(p->val), l->path);
        for (size_t k = 0; val_is(p->val, VAL_LIST) && k < val_len(p->val); k++)
            if (val_cstr(val_at(p->val, k)))
                add(f, p->key, val_cstr(val_at(p->val, k)), l->path);
    }
}

static int by_node(const void *a, const void *b) {
    const struct plan_image *x = a, *y = b;
    const int c = strcmp(x->node, y->node);
    return c ? c : strcmp(x->image, y->image);
}

void plan_images(struct arena *a, const struct model *state, struct plan *p) {
    struct found f = {.arena = a, .plan = p};
    if (!model_get(state, "docker", a, &f.docker, err_new(a)))
        f.docker = NULL;
    for (size_t i = 0; i < p->nlines; i++)
        of_line(&f, state, &p->lines[i]);
    if (p->nimages)
        qsort(p->images, p->nimages, sizeof *p->images, by_node);
}
