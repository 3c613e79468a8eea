#include "run/turn.h"

#include <stdlib.h>

/* So many acts at a time in the whole run, and one membership change per cluster. */

struct holder {
    struct live *live; /* NULL: free */
};

static struct holder *holder_of(struct exec *x, const char *membership) {
    struct holder *h = map_get(x->members, membership);
    if (!h) {
        h = arena_new_of(x->arena, struct holder);
        map_put(x->members, membership, h);
    }
    return h;
}

bool slot_take(struct live *l) {
    struct exec *x = l->x;
    const struct step *st = l->item->fan->step;
    const char *membership = st->def ? val_get_str(st->def->decl, "membership", NULL) : NULL;
    struct holder *h = membership ? holder_of(x, membership) : NULL;
    if (l->acting)
        return true;
    if (x->acts >= x->spec->parallel || (h && h->live)) {
        if (!l->queued) {
            if (x->nqueue == x->capqueue) {
                x->capqueue = x->capqueue ? x->capqueue * 2 : 16;
                x->queue = mem_realloc(x->queue, x->capqueue * sizeof *x->queue);
            }
            x->queue[x->nqueue++] = l;
            l->queued = true;
        }
        return false;
    }
    slot_hold(l);
    return true;
}

void slot_hold(struct live *l) {
    struct exec *x = l->x;
    const struct step *st = l->item->fan->step;
    l->acting = true;
    l->membership = st->def ? val_get_str(st->def->decl, "membership", NULL) : NULL;
    if (l->membership)
        holder_of(x, l->membership)->live = l;
    x->acts++;
}

void slot_free(struct live *l) {
    struct exec *x = l->x;
    if (!l->acting)
        return;
    l->acting = false;
    if (l->membership)
        holder_of(x, l->membership)->live = NULL;
    l->membership = NULL;
    x->acts--;
    x->slots_freed = true;
}

void queue_retry(struct exec *x) {
    struct live **queue = x->queue;
    size_t n = x->nqueue;
    x->queue = NULL;
    x->nqueue = x->capqueue = 0;
    x->slots_freed = false;
    for (size_t i = 0; i < n; i++) {
        queue[i]->queued = queue[i]->looked = false;
        if (queue[i]->item->status == ITEM_NEW)
            begin(queue[i]); /* looked at afresh: the world may have changed meanwhile */
        else
            begin_attempt(queue[i]);
    }
    free(queue);
}
