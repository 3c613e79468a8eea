/* explore_kit.h: a small world for exploration: state.demo holds three numbers x, y and z, and a word. */
#ifndef TESTS_EXPLORE_KIT_H
#define TESTS_EXPLORE_KIT_H

#include "plan_kit.h"

#include "plan/explore.h"

static const char world_probe[] = "return probe { summary = 'Numbers', schema = { type = 'map', keys = { x = { type = 'integer' }, y = { type = 'integer' },\n"
                                  "  z = { type = 'integer' }, word = { type = 'string' } } }, run = function() return {} end }";
/* done tells by what `before` has noted. */
static const char world_add[] =
    "return action { summary = 'Add', describe = 'add ${by} to ${to}',\n"
    "  inputs = { to = { type = 'string', required = true }, by = { type = 'integer', default = 1 } }, outputs = { sum = { type = 'integer' }, id = { type = 'string' } },\n"
    "  changes = { 'demo' }, before = function(state, with) return { was = state.demo[with.to] } end,\n"
    "  done = function(state, with, before) return state.demo[with.to] == before.was + with.by and { sum = state.demo[with.to] } or false end,\n"
    "  effect = function(state, with) state.demo[with.to] = state.demo[with.to] + with.by; return { sum = state.demo[with.to] } end,\n"
    "  run = function() end }";
/* One with other outcomes: twice (ok), half (failed after it happened), never (where z is 0: impossible), dark (unknown, and nothing can tell). */
static const char world_risk[] =
    "return action { summary = 'Risk', inputs = { to = { type = 'string', required = true } }, changes = { 'demo' }, membership = 'm',\n"
    "  effect = function(state, with) state.demo[with.to] = state.demo[with.to] + 1 end,\n"
    "  done = function() return 'pending' end, outcome_texts = { twice = 'does it twice', half = 'fails half way' },\n"
    "  outcomes = { twice = function(state, with) state.demo[with.to] = state.demo[with.to] + 2; return 'ok' end,\n"
    "    half = function(state, with) state.demo.word = 'half' end,\n"
    "    never = function(state, with) if state.demo.z == 0 then return false end state.demo.word = 'never' end },\n"
    "  run = function() end }";
/* Only where x is 0; elsewhere it cannot end well, and what it has changed until then is forgotten. */
static const char world_once[] =
    "return action { summary = 'Once', changes = { 'demo' }, effect = function(state)\n"
    "  local was = state.demo.x; state.demo.x = 1; if was > 0 then state.demo.word = 'bad' return false end end,\n"
    "  done = function(state) return state.demo.x == 1 end, run = function() end }";
static const char world_cap[] = "return rule { needs = { 'demo' }, never = function(state, before, by)\n"
                                "  if by == 'step' and state.demo.x > 3 and before.demo.x <= 3 then return 'x is over 3' end end }";
static const char world_even[] = "return rule { needs = { 'demo' }, finally = function(state) if state.demo.y % 2 == 1 then return 'y is odd' end end }";
static const char world_bad_end[] = "return rule { needs = { 'demo' }, never = function(state, before, by)\n"
                                    "  if state.demo.word == 'bad' and before.demo.word ~= 'bad' then return 'the word is bad, by ' .. by end end }";
/* May spoil the word once z is 1, unless z is attested. */
static const char world_spoil[] = "return event { summary = 'the word is spoilt', needs = { 'demo' },\n"
                                  "  when = function(state) return state.demo.z == 1 and not state.attested.z end,\n"
                                  "  effect = function(state) state.demo.word = 'bad' end }";
static const char world_attest[] = "return action { summary = 'Attest', changes = { 'demo' }, attests = function() return { z = 'it may come back' } end,\n"
                                   "  effect = function(state) state.demo.z = 1 end, run = function() end }";
static const char world_picture[] = "return func { summary = 'picture', call = function(d) return 'x=' .. d.x .. ' y=' .. d.y .. ' ' .. d.word end }";

struct explored_case {
    const char *body;   /* what follows `state:` in the runbook: steps and so on */
    const char *demo;   /* state.demo as JSON; NULL: x, y, z are 0 and the word is "" */
    const char *accept; /* a rule, or NULL */
    struct explore_limits limits;
};

/* Explores; NULL in case of a fault, which is in k->err. The caller frees it with explored_free. */
static inline struct explored *kit_explore(struct kit *k, struct explored_case c) {
    kit_file(k, "stdlib/demo/cluster.lua", world_probe);
    kit_file(k, "stdlib/demo/add.lua", world_add);
    kit_file(k, "stdlib/demo/risk.lua", world_risk);
    kit_file(k, "stdlib/demo/once.lua", world_once);
    kit_file(k, "stdlib/demo/cap.lua", world_cap);
    kit_file(k, "stdlib/demo/even.lua", world_even);
    kit_file(k, "stdlib/demo/bad_end.lua", world_bad_end);
    kit_file(k, "stdlib/demo/spoil.lua", world_spoil);
    kit_file(k, "stdlib/demo/attest.lua", world_attest);
    kit_file(k, "stdlib/demo/picture.lua", world_picture);
    kit_file(k, "runbooks/x/t.yaml", kit_runbook(k, arena_printf(k->a, "state: { demo: { probe: demo.cluster } }\n%s", c.body)));
    kit_library(k);
    struct loader *ld = arena_new_of(k->a, struct loader);
    *ld = (struct loader){.arena = k->a, .box = k->box, .files = k->files, .lib = k->lib, .site = site_none(k->a)};
    const struct runbook *rb = NULL;
    if (!runbook_load(ld, "x/t", mark_none(), &rb, k->err))
        fail_msg("%s", kit_errors(k));
    struct model *m = model_new(k->box);
    model_set(m, "demo", kit_json(k, c.demo ? c.demo : "{\"x\":0,\"y\":0,\"z\":0,\"word\":\"\"}"));
    const struct val *run = kit_json(k, "{\"attested\":[]}");
    const struct bind_spec bs = {.ld = ld, .rb = rb, .state = m, .run = run};
    struct bind *b = bind_new(k->a, &bs);
    const struct bind_want *wants;
    size_t n;
    if (bind_step(b, &wants, &n, k->err) != BIND_DONE)
        fail_msg("%s", kit_errors(k));
    const char *const accepted[] = {c.accept, NULL};
    const struct explore_spec spec = {.ld = ld, .rb = rb, .bind = b, .state = m, .run = run, .limits = c.limits, .accepted = accepted};
    struct explored *e = NULL;
    uint64_t before[2], after[2];
    model_hash(m, before);
    const bool ok = explore(k->a, &spec, &e, k->err);
    model_hash(m, after);
    assert_memory_equal(before, after, sizeof before);
    assert_int_equal(ok, !k->err->nerrors);
    model_free(m);
    return ok ? e : NULL;
}

/* "safe", or for each broken rule a line "RULE MESSAGE | what; then what". */
static inline const char *kit_verdict(struct kit *k, const struct explored *e) {
    if (!e)
        return kit_errors(k);
    const char *s = e->safe ? "safe" : "";
    for (size_t i = 0; i < e->nbreaches; i++) {
        const struct explore_breach *b = &e->breaches[i];
        s = arena_printf(k->a, "%s%s%s%s %s |", s, *s ? "\n" : "", b->accepted ? "accepted " : b->finally ? "finally " : "", b->rule->name, b->message);
        for (size_t p = 0; p < b->npath; p++)
            s = arena_printf(k->a, "%s%s %s", s, p ? ";" : "", b->path[p]);
    }
    return s;
}

#endif
