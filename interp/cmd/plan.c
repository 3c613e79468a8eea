#include "cmd/cmd.h"

#include "ui/out.h"
#include "ui/plan_print.h"
#include "ui/screens.h"
#include "value/json.h"

#include <string.h>

static bool save(struct ctx *c, const struct prepared *p, bool refused) {
    const char *id, *out = c->opt.out;
    fflush(stdout);
    if (refused) {
        out_printf(stderr, "quorate: %s was not written: a plan that is refused cannot be carried out\n", out);
        return true;
    }
    if (!saved_write(c, p, &id))
        return false;
    out_printf(stderr, "quorate: the plan %s is saved; to carry it out: quorate %s %s%s%s\n", id, c->world ? "rehearse" : "run", out,
            c->world ? " --world " : "", c->world ? c->opt.world : "");
    return true;
}

int cmd_plan(struct ctx *c) {
    struct prepared p;
    if (!saved_writable(c) || !saved_begin(c) || !ctx_world(c, false) || !prepare(c, c->argv[0], &p)) {
        const int status = ctx_report(c);
        return status ? status : EXIT_INVALID;
    }
    ctx_report(c); /* warnings */
    c->err = err_new(c->arena);
    int status = saved_moved(c, &p);
    if (status) {
        prepared_free(&p);
        return status;
    }
    struct buf b = BUF_INIT;
    if (c->opt.output && !strcmp(c->opt.output, "json")) {
        json_version(stdout);
        out_json(stdout, plan_val(c->arena, p.plan, c->site), JSON_COMPACT);
    } else {
        plan_print_text(p.plan, c->site, c->style, c->opt.verbose, &b);
    }
    out_buf(stdout, &b);
    buf_done(&b);
    status = plan_refusal(c->arena, p.plan) ? EXIT_REFUSED : c->opt.detailed && p.plan->changes ? EXIT_CHANGES : EXIT_DONE;
    if (c->opt.out && !save(c, &p, status == EXIT_REFUSED))
        status = ctx_report(c);
    prepared_free(&p);
    return status;
}
