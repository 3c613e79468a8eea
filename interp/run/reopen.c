#include "run/fold.h"

#include <string.h>

/* A run that is taken up again. What ended without anybody knowing how, what was stopped, and what nobody was there to approve has no end
 * any more, nor has whatever ended because of it: groups around it, and steps that were skipped because they need it. */

static void inside_again(struct item *owner) {
    owner->inside_over = false;
    owner->inside_failed = false;
    for (size_t i = 0; i < owner->nfans && !fold_alternatives(owner); i++)
        owner->inside_failed |= owner->fans[i].status == FAN_OVER && fold_fan_bad(&owner->fans[i]);
}

static void item_again(struct run *r, struct item *it, enum item_status status);

static struct fan *sibling(const struct item *owner, const struct step *st) {
    for (size_t i = 0; i < owner->nfans; i++)
        if (owner->fans[i].step == st)
            return &owner->fans[i];
    return NULL;
}

static void fan_again(struct run *r, struct fan *f, enum fan_status status);

/* A step that needs one which is not over any more. */
static void user_again(struct run *r, struct fan *u) {
    const struct item *owner = u->owner;
    u->waits++;
    u->need_failed = false;
    u->failed_need = NULL;
    for (size_t i = 0; i < u->step->nneeds; i++) {
        const struct fan *need = sibling(owner, u->step->needs[i]);
        if (need && need->status == FAN_OVER && fold_fan_bad(need)) {
            u->need_failed = true;
            u->failed_need = need->step->id;
        }
    }
    if (u->status == FAN_OVER)
        fan_again(r, u, FAN_WAITING);
}

static void fan_again(struct run *r, struct fan *f, enum fan_status status) {
    struct item *owner = f->owner;
    f->status = status;
    f->outcome = OUT_NONE;
    f->blocked = false;
    f->why = NULL;
    f->winner = NULL;
    owner->fans_over--;
    inside_again(owner);
    for (size_t i = 0; i < f->step->nusers && !fold_alternatives(owner); i++)
        user_again(r, sibling(owner, f->step->users[i]));
    if (owner->fan && owner->status == ITEM_OVER)
        item_again(r, owner, ITEM_INSIDE);
}

static void item_again(struct run *r, struct item *it, enum item_status status) {
    struct fan *f = it->fan;
    f->over--;
    if (it->outcome == OUT_FAILED || it->outcome == OUT_UNKNOWN || it->outcome == OUT_REFUSED)
        f->failed--;
    if (it->outcome == OUT_UNKNOWN)
        r->unknown--;
    it->status = status;
    it->ended_at = 0;
    it->cause = NULL;
    it->outcome = status == ITEM_ACTED ? OUT_UNKNOWN : OUT_NONE;
    it->denied = false;
    if (f->status == FAN_OVER)
        fan_again(r, f, FAN_OPEN);
}

static bool named(const struct val *list, const char *path) {
    for (size_t i = 0; i < val_len(list); i++)
        if (val_cstr(val_at(list, i)) && !strcmp(val_cstr(val_at(list, i)), path))
            return true;
    return false;
}

/* Of an item without steps inside: what it becomes; ITEM_OVER: it stays as it is. */
static enum item_status becomes(const struct item *it, const struct val *claimed) {
    if (it->outcome == OUT_UNKNOWN)
        return ITEM_ACTED;
    if (it->cause && (!strcmp(it->cause, "interrupted") || !strcmp(it->cause, "approval")))
        return ITEM_NEW;
    return it->outcome == OUT_FAILED && named(claimed, it->path) ? ITEM_ACTED : ITEM_OVER;
}

/* The fans of a group that is being rescued are those of its rescue; what was inside before is history. */
static bool is_history(const struct item *it) {
    for (; it->fan; it = it->fan->owner) {
        const struct item *owner = it->fan->owner;
        if (it->fan < owner->fans || it->fan >= owner->fans + owner->nfans)
            return true;
    }
    return false;
}

bool fold_resumed(struct run *r, const struct event *e, struct err *err) {
    (void)err;
    const struct val *claimed = val_get(e->data, "claimed");
    if (val_get(e->data, "attested"))
        r->attested = val_get(e->data, "attested");
    r->ended = r->stopping = false;
    r->stop_why = r->cause = r->message = NULL;
    r->outcome = OUT_NONE;
    r->exit_status = 0;
    for (struct map_iter i = map_iter(r->items); map_next(&i);) {
        struct item *it = i.value;
        if (is_history(it))
            continue;
        if (it->status == ITEM_ASKED) {
            it->status = it->asked_after ? ITEM_ACTED : ITEM_NEW;
        } else if (it->status == ITEM_NEW && it->fan->step->sub) {
            it->inputs = NULL; /* bound, and not begun: the world may be another by now */
        } else if (it->status == ITEM_OVER && !it->nfans) {
            const enum item_status s = becomes(it, claimed);
            if (s != ITEM_OVER)
                item_again(r, it, s);
        }
        it->orphan |= it->status == ITEM_ACTED || it->status == ITEM_ACTING;
        it->claimed = it->orphan && named(claimed, it->path);
    }
    return true;
}

void run_look_at_all(struct run *r) {
    r->ntouched = 0;
    for (struct map_iter i = map_iter(r->fans); map_next(&i);) {
        struct fan *f = i.value;
        const struct item *owner = f->owner;
        if (f->status == FAN_OVER || f < owner->fans || f >= owner->fans + owner->nfans || (owner->fan && is_history(owner)))
            continue;
        f->begun = 0;
        for (size_t k = 0; k < f->nitems; k++)
            if (f->items[k].status != ITEM_NEW)
                f->begun = k + 1;
        if (f->status == FAN_OPEN || !f->waits)
            fold_touch(r, f, NULL);
        for (size_t k = 0; k < f->begun; k++)
            if (f->items[k].status != ITEM_OVER)
                fold_touch(r, NULL, &f->items[k]);
    }
}
