#include "cmd/cmd.h"

#include "ui/plan_print.h"
#include "ui/screens.h"
#include "value/json.h"

#include <string.h>

int cmd_plan(struct ctx *c) {
    struct prepared p;
    if (!ctx_language(c) || !ctx_world(c, false) || !prepare(c, c->argv[0], &p)) {
        const int status = ctx_report(c);
        return status ? status : EXIT_INVALID;
    }
    ctx_report(c); /* warnings */
    struct buf b = BUF_INIT;
    if (c->opt.output && !strcmp(c->opt.output, "json")) {
        json_version(stdout);
        json_print(plan_val(c->arena, p.plan, c->site), JSON_COMPACT, &b);
        buf_addc(&b, '\n');
    } else {
        plan_print_text(p.plan, c->site, c->style, c->opt.verbose, &b);
    }
    fwrite(b.data, 1, b.len, stdout);
    buf_done(&b);
    const int status = plan_refusal(c->arena, p.plan) ? EXIT_REFUSED : EXIT_DONE;
    prepared_free(&p);
    return status;
}
