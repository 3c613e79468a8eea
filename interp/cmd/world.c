#include "cmd/cmd.h"

#include "value/yaml.h"

bool world_check(const struct val *world, bool named, struct err *err) {
    const struct field fields[] = {{"world", F_STRING, named, "what the world is called", NULL, NULL},
                                   {"description", F_STRING, false, "for people", NULL, NULL},
                                   {"nodes", F_MAP, true, "the inventory: node name → {address, labels}", NULL, NULL},
                                   {"state", F_MAP, true, "what the probes return, by part", NULL, NULL},
                                   {0}};
    return schema_check(world, fields, NULL, "the world", err);
}

bool world_parse(struct arena *a, const struct source *src, const struct val **ret, struct err *err) {
    return yaml_parse(a, src, NULL, ret, err) && world_check(*ret, true, err);
}

struct site *world_site(struct arena *a, const struct val *world, const struct site *real) {
    const struct val *nodes = val_get(world, "nodes");
    struct site *s = site_none(a);
    s->name = val_get_str(world, "world", "world");
    s->nnodes = val_len(nodes);
    s->nodes = arena_array(a, struct site_node, s->nnodes + 1);
    static const char *none[] = {NULL};
    for (size_t i = 0; i < s->nnodes; i++) {
        const struct val_pair *p = &nodes->map.pairs[i];
        const struct val *labels = val_get(p->val, "labels");
        s->nodes[i] = (struct site_node){.name = p->key, .mark = p->mark, .engines = none, .address = val_get_str(p->val, "address", NULL),
                                         .labels = labels ? labels : val_map_new(a)};
    }
    if (real) {
        s->inputs = real->inputs;
        s->ucp = real->ucp;
        s->dtr = real->dtr;
        s->library = real->library;
        s->library_marks = real->library_marks;
    }
    return s;
}

const struct val *site_seen(struct arena *a, const struct site *s, const struct val *nodes) {
    struct val *v = val_map_new(a);
    val_map_set(a, v, "name", val_str(a, s->name));
    val_map_set(a, v, "nodes", nodes);
    if (s->ucp) {
        struct val *ucp = val_map_new(a);
        val_map_set(a, ucp, "url", val_str(a, s->ucp->url));
        if (s->ucp->username)
            val_map_set(a, ucp, "username", val_str(a, s->ucp->username));
        val_map_set(a, v, "ucp", ucp);
    }
    if (s->dtr)
        val_map_set(a, v, "dtr", val_map_with(a, val_map_new(a), "url", val_str(a, s->dtr->url)));
    return v;
}

const struct val *run_seen(struct arena *a, const struct val *attested, bool rehearsal) {
    struct val *v = val_map_new(a);
    val_map_set(a, v, "id", val_str(a, "plan"));
    val_map_set(a, v, "attested", attested);
    val_map_set(a, v, "rehearsal", val_bool(a, rehearsal));
    return v;
}
