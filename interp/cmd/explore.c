#include "cmd/cmd.h"

#include <stdlib.h>

static bool number_option(struct ctx *c, const char *name, const char *text, long least, long most, long *ret) {
    if (!text)
        return true;
    char *end;
    const long n = strtol(text, &end, 10);
    if (!*text || *end || n < least || n > most) {
        err_add(c->err, mark_none(), "usage", "--%s wants a number from %ld to %ld, not '%s'", name, least, most, text);
        return false;
    }
    *ret = n;
    return true;
}

/* Names of rules that exist, ended by NULL. */
static bool accepted_rules(struct ctx *c, const char *const **ret) {
    const size_t n = c->opt.accept_risk.n, before = c->err->nerrors;
    const char **names = arena_array(c->arena, const char *, n + 1);
    for (size_t i = 0; i < n; i++) {
        names[i] = c->opt.accept_risk.items[i];
        (void)library_get(c->lib, names[i], DEF_RULE, mark_none(), c->err);
    }
    *ret = names;
    return c->err->nerrors == before;
}

bool explore_options(struct ctx *c, struct explore_limits *ret_limits, const char *const **ret_accepted) {
    long events = 1, states = 200000;
    if (!number_option(c, "events", c->opt.events, 0, 8, &events) ||
        !number_option(c, "max-states", c->opt.max_states, 1, 50000000, &states) || !accepted_rules(c, ret_accepted))
        return false;
    *ret_limits = (struct explore_limits){.events = events ? (int)events : -1, .max_states = (size_t)states};
    return true;
}
