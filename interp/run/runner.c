#include "run/runner.h"

struct waited {
    struct arena *arena;
    bool done, ok;
    const struct val *value;
    const char *message;
};

static void answered(void *ud, bool ok, const struct val *value, const char *message) {
    struct waited *w = ud;
    w->done = true;
    w->ok = ok;
    w->value = ok && value ? val_copy(w->arena, value) : NULL;
    w->message = arena_strdup(w->arena, message ? message : "");
}

bool runner_probe_wait(struct runner *r, struct arena *a, const struct part *part, const struct val *with, const struct val **ret,
                       const char **ret_message) {
    struct waited w = {.arena = a};
    const struct probe_call call = {.def = part->probe, .part = part->name, .hooks = part->hooks, .with = with, .done = answered, .ud = &w};
    r->ops->probe(r, &call);
    while (!w.done)
        if (!loop_once(r->loop)) {
            *ret_message = "the probe waits for something that nothing will bring about";
            return false;
        }
    *ret = w.value;
    *ret_message = w.message;
    return w.ok;
}
