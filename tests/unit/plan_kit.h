/* plan_kit.h: what the tests of plan/ share: a demonstration library, and runbooks from texts. */
#ifndef TESTS_PLAN_KIT_H
#define TESTS_PLAN_KIT_H

#include "lua_kit.h"

#include "plan/plan.h"

static const char kit_cluster[] = "return probe { summary = 'The cluster', inputs = { quick = { type = 'boolean' } },\n"
                                  "  schema = { type = 'map', keys = { held = { type = 'boolean' }, n = { type = 'integer' },\n"
                                  "    members = { type = 'map', of = { type = 'map', keys = { name = { type = 'string' } } } } } },\n"
                                  "  run = function() return {} end }";
static const char kit_join[] = "return action { summary = 'Join', describe = 'join ${node}',\n"
                               "  inputs = { node = { type = 'node', required = true }, n = { type = 'integer', min = 0 }, tags = { type = 'list' },\n"
                               "    role = { type = 'string', enum = { 'voter', 'observer' }, default = 'voter' }, key = { type = 'secret' } },\n"
                               "  outputs = { id = { type = 'string' }, n = { type = 'integer' } }, changes = { 'demo' },\n"
                               "  effect = function(state, with) state.demo.n = state.demo.n + 1; state.demo.held = true; return { n = state.demo.n } end,\n"
                               "  run = function() end }";
static const char kit_wipe[] = "return action { summary = 'Wipe', changes = { 'demo' }, destroys = 'everything',\n"
                               "  attests = function(state, with) return { n2 = 'its disk is not seen' } end, run = function() end }";
static const char kit_once[] = "return action { summary = 'Once', changes = { 'demo' },\n"
                               "  effect = function(state) if state.demo.held then state.demo.n = 99 return false end state.demo.held = true end, run = function() end }";
static const char kit_quorum[] = "return capability { needs = { 'demo' }, holds = function(state) return state.demo.held, 'too few' end }";
static const char kit_twice[] = "return func(function(n) return 2 * n end)";

/* A loader over the library, with a site of n1 and n2. Runbooks can be added before it as kit_file(k, "runbooks/…"). */
static inline struct loader *kit_loader(struct kit *k) {
    kit_file(k, "stdlib/demo/cluster.lua", kit_cluster);
    kit_file(k, "stdlib/demo/join.lua", kit_join);
    kit_file(k, "stdlib/demo/wipe.lua", kit_wipe);
    kit_file(k, "stdlib/demo/once.lua", kit_once);
    kit_file(k, "stdlib/demo/quorum.lua", kit_quorum);
    kit_file(k, "stdlib/demo/twice.lua", kit_twice);
    kit_library(k);
    struct site *s = site_none(k->a);
    s->nnodes = 2;
    s->nodes = arena_array(k->a, struct site_node, 2);
    static const char *const names[] = {"n1", "n2"};
    for (int i = 0; i < 2; i++)
        s->nodes[i] = (struct site_node){.name = names[i], .engines = arena_array(k->a, const char *, 1), .labels = val_map_new(k->a)};
    struct loader *ld = arena_new_of(k->a, struct loader);
    *ld = (struct loader){.arena = k->a, .box = k->box, .files = k->files, .lib = k->lib, .site = s};
    return ld;
}

/* The text of a runbook x/t around a body that has `steps` and what else is wanted. */
static inline const char *kit_runbook(struct kit *k, const char *body) {
    return arena_printf(k->a, "runbook: x/t\nversion: 1.0.0\ntitle: T\n%s", body);
}

/* Loads it; NULL if it has faults, which are in k->err, sorted. */
static inline const struct runbook *kit_load(struct kit *k, const char *body) {
    kit_file(k, "runbooks/x/t.yaml", kit_runbook(k, body));
    struct loader *ld = kit_loader(k);
    const struct runbook *rb = NULL;
    const bool ok = runbook_load(ld, "x/t", mark_none(), &rb, k->err);
    assert_int_equal(ok, !k->err->nerrors);
    err_sort(k->err);
    return ok ? rb : NULL;
}

/* How often words stand in a text. */
static inline int kit_count(const char *text, const char *words) {
    int n = 0;
    for (const char *p = text; (p = strstr(p, words)); p += strlen(words))
        n++;
    return n;
}

static inline const struct step *kit_step(const struct runbook *rb, const char *id) {
    for (size_t i = 0; i < rb->nall; i++)
        if (!strcmp(rb->all[i]->id, id))
            return rb->all[i];
    fail_msg("there is no step '%s'", id);
    return NULL;
}

#endif
