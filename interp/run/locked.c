#include "run/turn.h"

static void tell(struct exec *x, const char *what, const char *text) {
    struct val *d = fields(x);
    field_str(x, d, "what", what);
    field_str(x, d, "text", text);
    emit(x, EV_LOCK, NULL, 0, d);
}

/* Changing requests are refused from the moment on at which it is known (task/ and the runner ask the lock itself); here the run ends in order. */
static void lost_handle(struct exec *x, struct happening *h) {
    if (x->run->ended)
        return;
    tell(x, "lost", h->text);
    if (!x->run->stopping) {
        struct val *d = fields(x);
        field_str(x, d, "why", h->text);
        field_str(x, d, "cause", "lock");
        emit(x, EV_STOPPING, NULL, 0, d);
    }
    run_stop(x, h->text);
}

static void lost(void *ud, const char *why) {
    struct exec *x = ud;
    struct happening *h = happening_new(x, NULL, lost_handle);
    h->text = arena_strdup(h->arena, why);
    happen(x, h);
}

void locked_started(struct exec *x) {
    if (!x->spec->lock)
        return;
    if (x->spec->locked)
        emit(x, EV_LOCK, NULL, 0, x->spec->locked);
    locker_tell(x->spec->lock, lost, x);
}

void locked_ending(struct exec *x) {
    if (!x->spec->lock)
        return;
    if (!x->run->unknown) {
        tell(x, "released", locker_lost(x->spec->lock) ? "what is left of it is given back" : "given back");
        return;
    }
    locker_keep(x->spec->lock);
    tell(x, "kept", arena_printf(x->scratch, "kept, since the outcome of %zu step(s) is unknown: nobody else is to begin before that is settled", x->run->unknown));
}

void locked_ended(struct exec *x) {
    if (!x->spec->lock)
        return;
    locker_tell(x->spec->lock, NULL, NULL);
    if (x->broken) /* the journal does not know how the acts ended */
        locker_keep(x->spec->lock);
}
