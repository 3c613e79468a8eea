#include "cmd/cmd.h"

#include "ui/out.h"
#include "value/json.h"

#include <string.h>


static void print_entries(const char *title, const struct val *entries) {
    if (!val_len(entries) || entries->kind != VAL_MAP)
        return;
    out_printf(stdout, "\n%s\n", title);
    for (size_t i = 0; i < entries->map.n; i++) {
        const struct val *e = entries->map.pairs[i].val;
        const char *required = val_get_bool(e, "required", false) ? ", required" : "";
        struct buf b = BUF_INIT;
        if (val_get(e, "default")) {
            buf_adds(&b, ", default ");
            val_show(val_get(e, "default"), &b, 60);
        }
        out_printf(stdout, "  %-20s %s%s%s%s%s\n", entries->map.pairs[i].key, val_get_str(e, "type", "any"), required, b.data,
               val_get_str(e, "description", NULL) ? ": " : "", val_get_str(e, "description", ""));
        buf_done(&b);
    }
}

static void print_value(const char *title, const struct val *v) {
    if (val_is_null(v))
        return;
    struct buf b = BUF_INIT;
    if (v->kind == VAL_LIST)
        for (size_t i = 0; i < val_len(v); i++) {
            buf_adds(&b, i ? ", " : "");
            val_show(val_at(v, i), &b, 0);
        }
    else
        val_show(v, &b, 0);
    out_printf(stdout, "%-11s %s\n", title, b.data);
    buf_done(&b);
}

/* What an act can come to beside what it is for. */
static void print_outcomes(const struct def *d) {
    if (d->kind != DEF_ACTION)
        return;
    if (val_get_bool(d->decl, "planned", false))
        out_printf(stdout, "\nIt cannot act yet; it can be planned and rehearsed.\n");
    if (d->noutcomes)
        out_printf(stdout, "\noutcomes, beside ok, failed and no answer\n");
    for (size_t i = 0; i < d->noutcomes; i++)
        out_printf(stdout, "  %-20s %s\n", d->outcomes[i].name, val_get_str(val_get(d->decl, "outcome_texts"), d->outcomes[i].name, ""));
}

static void doc_def(const struct def *d) {
    static const struct {
        const char *key, *title;
    } values[] = {{"changes", "changes"}, {"destroys", "destroys"}, {"membership", "membership"}, {"on_unknown", "on unknown"}, {"settle", "settles in"}, {"needs", "needs"}, {"why", "why"}};
    out_printf(stdout, "%s %s: %s\n", def_kind_name(d->kind), d->name, val_get_str(d->decl, "summary", ""));
    out_printf(stdout, "%-11s %s\n", "from", d->src->name);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        print_value(values[i].title, val_get(d->decl, values[i].key));
    print_entries("inputs", val_get(d->decl, "inputs"));
    print_entries("outputs", val_get(d->decl, "outputs"));
    print_outcomes(d);
    const struct val *schema = val_get(d->decl, "schema");
    if (schema) {
        struct buf b = BUF_INIT;
        json_print(schema, JSON_INDENT, &b);
        out_printf(stdout, "\nschema\n%s\n", b.data);
        buf_done(&b);
    }
}

static void doc_runbook(const struct runbook *rb) {
    out_printf(stdout, "runbook %s %s: %s\n", rb->name, rb->version ? rb->version : "", rb->title ? rb->title : "");
    if (rb->description)
        out_printf(stdout, "\n%s", rb->description);
    if (rb->source)
        out_printf(stdout, "\nimplements: %s, %s\n", val_get_str(rb->source, "document", "?"), val_get_str(rb->source, "section", "?"));
    if (rb->ninputs)
        out_printf(stdout, "\ninputs\n");
    for (size_t i = 0; i < rb->ninputs; i++) {
        const struct input *in = &rb->inputs[i];
        struct buf b = BUF_INIT;
        if (in->def) {
            buf_adds(&b, ", default ");
            val_show(tmpl_source(in->def), &b, 80);
        }
        out_printf(stdout, "  %-20s %s%s%s%s%s\n", in->name, in->type, in->required ? ", required" : "", b.data, in->description ? ": " : "",
               in->description ? in->description : "");
        buf_done(&b);
    }
    out_printf(stdout, "\nsteps\n");
    for (size_t i = 0; i < rb->nall; i++) {
        const struct step *st = rb->all[i];
        out_printf(stdout, "  %-24s %s\n", st->id, st->def ? st->def->name : st->sub ? st->sub->name : st->kind == STEP_WAIT ? "wait" : st->kind == STEP_COMMAND ? "command" : "group");
    }
}

static const struct def *any_def(struct ctx *c, const char *name) {
    static const enum def_kind kinds[] = {DEF_ACTION, DEF_PROBE, DEF_CAPABILITY, DEF_FUNC, DEF_RULE, DEF_EVENT};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const struct def *d = library_get(c->lib, name, kinds[i], mark_none(), err_new(c->arena));
        if (d)
            return d;
    }
    return NULL;
}

static void list_all(struct ctx *c) {
    const char *const *names;
    size_t n = runbook_names(&c->loader, &names);
    out_printf(stdout, "runbooks\n");
    for (size_t i = 0; i < n; i++) {
        const struct runbook *rb;
        const bool ok = runbook_load(&c->loader, names[i], mark_none(), &rb, err_new(c->arena));
        out_printf(stdout, "  %-26s %s\n", names[i], ok && rb->title ? rb->title : ok ? "" : "(invalid: quorate check tells why)");
    }
    n = library_names(c->lib, NULL, &names);
    out_printf(stdout, "\nlibrary\n");
    for (size_t i = 0; i < n; i++) {
        const struct def *d = any_def(c, names[i]);
        if (d)
            out_printf(stdout, "  %-26s %-10s %s\n", names[i], def_kind_name(d->kind), val_get_str(d->decl, "summary", ""));
        else
            out_printf(stdout, "  %-26s (invalid)\n", names[i]);
    }
}

int cmd_doc(struct ctx *c) {
    if (!ctx_language(c))
        return ctx_report(c);
    if (!c->argc) {
        list_all(c);
        return EXIT_DONE;
    }
    const char *name = c->argv[0];
    const struct def *d = library_has(c->lib, name) ? any_def(c, name) : NULL;
    const struct runbook *rb = NULL;
    if (d) {
        doc_def(d);
        return EXIT_DONE;
    }
    if (library_has(c->lib, name))
        (void)library_get(c->lib, name, DEF_ACTION, mark_none(), c->err);
    else if (runbook_load(&c->loader, name, mark_none(), &rb, c->err))
        doc_runbook(rb);
    return ctx_report(c);
}

int cmd_schema(struct ctx *c) {
    const bool tests = c->argc && !strcmp(c->argv[0], "test");
    if (c->argc && !tests && strcmp(c->argv[0], "runbook") != 0) {
        out_printf(stderr, "quorate: there is no schema of '%s'; accepted: runbook, test\n", c->argv[0]);
        return EXIT_USAGE;
    }
    out_json(stdout, schema_json(c->arena, tests ? test_fields : runbook_fields), JSON_INDENT);
    return EXIT_DONE;
}
