#include "cmd/cmd.h"

#include "ui/out.h"

int cmd_check(struct ctx *c) {
    if (!ctx_language(c))
        return ctx_report(c);
    const struct runbook **good = arena_array(c->arena, const struct runbook *, c->argc);
    for (int i = 0; i < c->argc; i++)
        if (!runbook_load(&c->loader, c->argv[i], mark_none(), &good[i], c->err))
            good[i] = NULL;
    const int status = ctx_report(c);
    for (int i = 0; i < c->argc; i++)
        if (good[i])
            out_printf(stdout, "%s: ok, %zu step%s\n", c->argv[i], good[i]->nall, good[i]->nall == 1 ? "" : "s");
    return status;
}
