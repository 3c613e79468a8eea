#include "cmd/observe.h"

#include "ui/out.h"
#include "value/json.h"
#include "value/redacted.h"
#include "value/yaml_print.h"

#include <string.h>

/* What may stand in a file that is passed around: everything but secrets. */
static const struct val *without_secrets(struct arena *a, const struct val *v) {
    if (v->kind == VAL_LIST) {
        struct val *list = val_list_new(a);
        for (size_t i = 0; i < v->list.n; i++)
            if (!v->list.items[i]->secret)
                val_list_add(a, list, without_secrets(a, v->list.items[i]));
        return list;
    }
    if (v->kind == VAL_MAP) {
        struct val *map = val_map_new(a);
        for (size_t i = 0; i < v->map.n; i++)
            if (!v->map.pairs[i].val->secret)
                val_map_set(a, map, v->map.pairs[i].key, without_secrets(a, v->map.pairs[i].val));
        return map;
    }
    return v;
}

/* The inventory without the ways to reach it. */
static const struct val *nodes(struct ctx *c) {
    struct val *out = val_map_new(c->arena);
    for (size_t i = 0; i < c->site->nnodes; i++) {
        const struct site_node *n = &c->site->nodes[i];
        struct val *one = val_map_new(c->arena);
        if (n->address)
            val_map_set(c->arena, one, "address", val_str(c->arena, n->address));
        if (val_len(n->labels))
            val_map_set(c->arena, one, "labels", without_secrets(c->arena, n->labels));
        val_map_set(c->arena, out, n->name, one);
    }
    return out;
}

static const struct val *state(struct ctx *c, const struct observed *o) {
    struct arena *a = c->arena;
    struct val *out = val_map_new(a);
    for (size_t i = 0; i < o->n; i++) {
        const struct seen *s = &o->parts[i];
        if (s->val && !s->val->secret)
            val_map_set(a, out, s->part.name, without_secrets(a, s->val));
        else if (s->how == SEEN_UNOBSERVED) /* what is asked for with an input that nobody gave is none of the cluster's */
            val_map_set(a, out, s->part.name, val_unobserved(a, s->why));
    }
    const struct val *more = c->world ? val_get(c->world, "state") : NULL; /* of a world, also what no runbook reads */
    for (size_t i = 0; i < val_len(more); i++)
        if (!val_get(out, more->map.pairs[i].key))
            val_map_set(a, out, more->map.pairs[i].key, more->map.pairs[i].val);
    return out;
}

int cmd_capture(struct ctx *c) {
    if (!ctx_language(c) || !ctx_world(c, false) || !credentials_for(c, NULL)) {
        const int status = ctx_report(c);
        return status ? status : EXIT_INVALID;
    }
    struct observed o = observe_all(c, advise_load(&c->loader));
    struct val *world = val_map_new(c->arena);
    val_map_set(c->arena, world, "world", val_str(c->arena, c->site->name));
    if (c->world && val_get(c->world, "description"))
        val_map_set(c->arena, world, "description", val_get(c->world, "description"));
    val_map_set(c->arena, world, "nodes", nodes(c));
    val_map_set(c->arena, world, "state", state(c, &o));
    for (size_t i = 0; i < o.n; i++) {
        const struct seen *s = &o.parts[i];
        if (s->how == SEEN_UNOBSERVED)
            err_warn(c->err, mark_none(), "unobserved", "state.%s could not be observed, and is marked so: %s", s->part.name, s->why);
    }
    if (c->opt.output && !strcmp(c->opt.output, "json")) {
        out_json(stdout, world, JSON_INDENT);
    } else {
        struct buf b = BUF_INIT;
        yaml_print(redacted(c->arena, world), &b);
        if (b.len && b.data[b.len - 1] != '\n')
            buf_addc(&b, '\n');
        out_record(stdout, b.data, b.len);
        buf_done(&b);
    }
    model_free(o.state);
    return ctx_report(c);
}
