/* Exploration against naive.c on random plans: the same rules are broken, on ways of the same length. QUORATE_SEED chooses which plans,
 * QUORATE_PLANS how many. */
#include "explore_kit.h"
#include "naive.h"

#include <stdio.h>

static const char world_join[] =
    "return action { summary = 'Join', inputs = { to = { type = 'string', required = true }, by = { type = 'integer', default = 1 } },\n"
    "  changes = { 'demo' }, membership = 'm', before = function(state, with) return { was = state.demo[with.to] } end,\n"
    "  done = function(state, with, before) return state.demo[with.to] == before.was + with.by end,\n"
    "  effect = function(state, with) state.demo[with.to] = state.demo[with.to] + with.by end, run = function() end }";
static const char world_drift[] = "return event { summary = 'a number drifts', needs = { 'demo' },\n"
                                  "  when = function(state) return state.demo.z > 1 and { 'x', 'y' } end,\n"
                                  "  effect = function(state, choice) state.demo[choice] = state.demo[choice] + 1 end }";

/* ---- random plans ---- */

struct gen {
    uint64_t seed;
    struct naive_plan *p;
    bool loose; /* most steps wait for nothing: few of them, in many orders */
};

static unsigned pick(struct gen *g, unsigned n) { /* splitmix64 */
    uint64_t z = g->seed += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (unsigned)((z ^ z >> 31) % n);
}

static bool one_in(struct gen *g, unsigned n) {
    return !pick(g, n);
}

static struct naive_expr gen_state_test(struct gen *g) {
    if (one_in(g, 4))
        return (struct naive_expr){TEST_WORD, NAIVE_X, (int)pick(g, 4)};
    return (struct naive_expr){(enum naive_test)(TEST_EQ + pick(g, 3)), (enum naive_var)pick(g, NAIVE_NUMBERS), (int)pick(g, 4)};
}

static struct naive_value gen_value(struct gen *g, bool items) {
    if (items && one_in(g, 2))
        return (struct naive_value){VALUE_ITEM, NAIVE_X, 0};
    if (one_in(g, 3))
        return (struct naive_value){VALUE_VAR, (enum naive_var)pick(g, NAIVE_NUMBERS), (int)pick(g, 2)};
    return (struct naive_value){VALUE_CONST, NAIVE_X, 1 + (int)pick(g, 3)};
}

static void gen_effect(struct gen *g, struct naive_step *st, bool items) {
    st->effect = true;
    st->effect_word = one_in(g, 5);
    st->word = (enum naive_word)pick(g, 4);
    st->effect_var = (enum naive_var)pick(g, NAIVE_NUMBERS);
    st->effect_value = gen_value(g, items);
}

/* The places of all that a step waits for, whether it says so or not. */
static unsigned ancestors(const struct naive_list *l, int place) {
    unsigned all = l->steps[place]->own_needs ? l->steps[place]->needs : place ? 1u << (place - 1) : 0;
    for (int i = 0; i < place; i++)
        if (all >> i & 1)
            all |= ancestors(l, i);
    return all;
}

/* The output of a command is there to be read, by whoever needs it, if it cannot but have ended well. */
static bool has_output(const struct naive_step *st) {
    return st->kind == NAIVE_COMMAND && !st->cond.test && !st->unless.test && !st->go_on && !st->nitems && !st->rescue.n;
}

static void gen_cond(struct gen *g, struct naive_list *l, int place) {
    struct naive_step *st = l->steps[place];
    const unsigned seen = ancestors(l, place);
    st->cond = gen_state_test(g);
    for (int i = 0; i < place; i++) {
        const struct naive_step *other = l->steps[i];
        if (!(seen >> i & 1) || !one_in(g, 2))
            continue;
        if (has_output(other))
            st->cond = (struct naive_expr){TEST_UNKNOWN, NAIVE_X, i};
        else if (!other->nitems)
            st->cond = (struct naive_expr){one_in(g, 3) ? TEST_SKIPPED : TEST_FAILED, NAIVE_X, i};
    }
}

static void gen_list(struct gen *g, struct naive_list *l, int most, int depth, bool items, bool alternatives);

static struct naive_step *gen_step(struct gen *g, int depth, bool items, bool alternative) {
    struct naive_step *st = &g->p->steps[g->p->nsteps];
    *st = (struct naive_step){.id = g->p->nsteps++, .attempts = 1, .parallel = 1};
    static const enum naive_kind kinds[] = {NAIVE_ADD,     NAIVE_ADD,     NAIVE_ADD,  NAIVE_ADD,   NAIVE_RISK, NAIVE_ONCE,
                                            NAIVE_COMMAND, NAIVE_COMMAND, NAIVE_WAIT, NAIVE_GROUP, NAIVE_FIRST};
    st->kind = kinds[pick(g, depth < 2 ? 11 : 9)];
    st->member = st->kind == NAIVE_ADD && one_in(g, 2);
    if (!items && one_in(g, 6)) {
        st->nitems = 1 + (int)pick(g, one_in(g, 3) ? 3 : 2);
        for (int i = 0; i < st->nitems; i++)
            st->items[i] = i + 1 + (int)pick(g, 2);
        st->try_each = one_in(g, 2);
        st->parallel = st->try_each ? 1 : 1 + (int)pick(g, 2);
        st->max_failures = !st->try_each && one_in(g, 3);
        items = true;
    }
    st->to = (enum naive_var)pick(g, NAIVE_NUMBERS);
    st->by = gen_value(g, items);
    st->wait = gen_state_test(g);
    if ((st->kind == NAIVE_COMMAND || st->kind == NAIVE_WAIT) && !one_in(g, 3))
        gen_effect(g, st, items);
    if (one_in(g, 7))
        st->unless = gen_state_test(g);
    if (st->kind != NAIVE_WAIT && one_in(g, 7))
        st->verify = gen_state_test(g);
    if (st->kind <= NAIVE_COMMAND && one_in(g, 5))
        st->attempts = 2;
    st->go_on = !alternative && one_in(g, 5);
    if (st->kind == NAIVE_GROUP || st->kind == NAIVE_FIRST)
        gen_list(g, &st->inside, 2, depth + 1, items, st->kind == NAIVE_FIRST);
    if (depth < 2 && one_in(g, 7))
        gen_list(g, &st->rescue, 2, depth + 1, items, false);
    return st;
}

static void gen_list(struct gen *g, struct naive_list *l, int most, int depth, bool items, bool alternatives) {
    const int n = 1 + (int)pick(g, (unsigned)most);
    for (int i = 0; i < n && g->p->nsteps < NAIVE_STEPS - 4; i++) {
        struct naive_step *st = gen_step(g, depth, items, alternatives);
        l->steps[l->n++] = st;
        if (!alternatives && i && (g->loose ? !one_in(g, 3) : one_in(g, 3))) {
            st->own_needs = true;
            st->needs = g->loose ? 0 : pick(g, 1u << i);
        }
        if (!one_in(g, 3))
            continue;
        if (alternatives)
            st->cond = gen_state_test(g);
        else
            gen_cond(g, l, i);
    }
}

static void gen_plan(struct gen *g, struct naive_plan *p, int events) {
    *p = (struct naive_plan){.events = events};
    g->p = p;
    g->loose = one_in(g, 3);
    p->start = (struct naive_world){{(int)pick(g, 4), (int)pick(g, 2), (int)pick(g, 2)}, WORD_NONE};
    gen_list(g, &p->root, 4, 0, false, false);
}

/* ---- as a runbook ---- */

static void print_test(struct buf *b, const char *key, struct naive_expr e, const struct naive_list *l) {
    static const char *const ops[] = {[TEST_EQ] = "==", [TEST_GE] = ">=", [TEST_LT] = "<"};
    if (!e.test)
        return;
    buf_printf(b, ", %s: \"", key);
    if (e.test == TEST_WORD)
        buf_printf(b, "state.demo.word == '%s'", naive_words[e.k]);
    else if (e.test == TEST_UNKNOWN)
        buf_printf(b, "steps.s%d.outputs.stdout == 'yes'", l->steps[e.k]->id);
    else if (e.test == TEST_FAILED || e.test == TEST_SKIPPED)
        buf_printf(b, "steps.s%d.%s", l->steps[e.k]->id, e.test == TEST_FAILED ? "failed" : "skipped");
    else
        buf_printf(b, "state.demo.%s %s %d", naive_vars[e.var], ops[e.test], e.k);
    buf_adds(b, "\"");
}

static void print_value(struct buf *b, struct naive_value v) {
    if (v.kind == VALUE_CONST)
        buf_printf(b, "%d", v.k);
    else if (v.kind == VALUE_ITEM)
        buf_adds(b, "\"${{ item }}\"");
    else
        buf_printf(b, "\"${{ state.demo.%s + %d }}\"", naive_vars[v.var], v.k);
}

static void print_list(struct buf *b, const struct naive_list *l, int indent);

static void print_step(struct buf *b, const struct naive_list *l, int place, int indent) {
    const struct naive_step *st = l->steps[place];
    buf_printf(b, "{ id: s%d", st->id);
    if (st->kind == NAIVE_ADD) {
        buf_printf(b, ", uses: demo.%s, with: { to: %s, by: ", st->member ? "join" : "add", naive_vars[st->to]);
        print_value(b, st->by);
        buf_adds(b, " }");
    } else if (st->kind == NAIVE_RISK) {
        buf_printf(b, ", uses: demo.risk, with: { to: %s }", naive_vars[st->to]);
    } else if (st->kind == NAIVE_ONCE) {
        buf_adds(b, ", uses: demo.once");
    } else if (st->kind == NAIVE_COMMAND) {
        buf_adds(b, ", command: [x]");
    } else if (st->kind == NAIVE_WAIT) {
        print_test(b, "wait_for", st->wait, l);
    }
    if (st->effect && st->effect_word) {
        buf_printf(b, ", effect: { demo.word: '%s' }", naive_words[st->word]);
    } else if (st->effect) {
        buf_printf(b, ", effect: { demo.%s: ", naive_vars[st->effect_var]);
        print_value(b, st->effect_value);
        buf_adds(b, " }");
    }
    print_test(b, "if", st->cond, l);
    print_test(b, "unless", st->unless, l);
    print_test(b, "verify", st->verify, l);
    for (int i = 0; i < st->nitems; i++)
        buf_printf(b, "%s%d%s", i ? ", " : st->try_each ? ", try_each: [" : ", for_each: [", st->items[i], i + 1 < st->nitems ? "" : "]");
    if (st->max_failures)
        buf_printf(b, ", max_failures: %d", st->max_failures);
    if (st->parallel > 1)
        buf_printf(b, ", parallel: %d", st->parallel);
    if (st->attempts > 1)
        buf_printf(b, ", retry: { attempts: %d, delay: 1s }", st->attempts);
    if (st->go_on)
        buf_adds(b, ", on_failure: continue");
    if (st->own_needs) {
        const char *between = ", needs: [";
        if (!st->needs)
            buf_adds(b, between);
        for (int i = 0; i < place; i++)
            if (st->needs >> i & 1) {
                buf_printf(b, "%ss%d", between, l->steps[i]->id);
                between = ", ";
            }
        buf_adds(b, "]");
    }
    if (st->inside.n) {
        buf_printf(b, ", %s: [", st->kind == NAIVE_GROUP ? "steps" : "first_of");
        print_list(b, &st->inside, indent + 4);
        buf_adds(b, " ]");
    }
    if (st->rescue.n) {
        buf_adds(b, ", rescue: [");
        print_list(b, &st->rescue, indent + 4);
        buf_adds(b, " ]");
    }
    buf_adds(b, " }");
}

static void print_list(struct buf *b, const struct naive_list *l, int indent) {
    for (int i = 0; i < l->n; i++) {
        buf_printf(b, "%s\n%*s", i ? "," : "", indent, "");
        print_step(b, l, i, indent);
    }
}

static const char *plan_text(struct arena *a, const struct naive_plan *p) {
    struct buf b = BUF_INIT;
    buf_adds(&b, "steps:\n");
    for (int i = 0; i < p->root.n; i++) {
        buf_adds(&b, "  - ");
        print_step(&b, &p->root, i, 4);
        buf_adds(&b, "\n");
    }
    const char *s = arena_strdup(a, b.data);
    buf_done(&b);
    return s;
}

/* ---- both ---- */

static const char *const rule_names[NAIVE_RULES] = {[RULE_CAP] = "demo.cap", [RULE_BAD_END] = "demo.bad_end", [RULE_EVEN] = "demo.even"};

static const char *told(struct arena *a, const int length[NAIVE_RULES]) {
    const char *s = "";
    for (int i = 0; i < NAIVE_RULES; i++)
        if (length[i])
            s = arena_printf(a, "%s %s %d", s, rule_names[i], length[i]);
    return *s ? s : " safe";
}

static void compare(struct kit *k, const struct naive_plan *p, const struct naive_result *want, uint64_t seed, int *broken) {
    const char *body = plan_text(k->a, p);
    const struct naive_world *w = &p->start;
    const char *demo = arena_printf(k->a, "{\"x\":%d,\"y\":%d,\"z\":%d,\"word\":\"\"}", w->n[NAIVE_X], w->n[NAIVE_Y], w->n[NAIVE_Z]);
    kit_file(k, "stdlib/demo/join.lua", world_join);
    kit_file(k, "stdlib/demo/drift.lua", world_drift);
    struct explored *e = kit_explore(k, (struct explored_case){.body = body, .demo = demo, .limits = {.events = p->events ? p->events : -1}});
    if (!e)
        fail_msg("QUORATE_SEED=%llu QUORATE_PLANS=1: %s\n%s", (unsigned long long)seed, kit_errors(k), body);
    int got[NAIVE_RULES] = {0};
    for (size_t i = 0; i < e->nbreaches; i++)
        for (int r = 0; r < NAIVE_RULES; r++)
            if (!strcmp(e->breaches[i].rule->name, rule_names[r]))
                got[r] = e->breaches[i].finally ? 1 : (int)e->breaches[i].length;
    if (e->limit || memcmp(got, want->length, sizeof got)) { /* longer than what cmocka prints */
        fprintf(stderr, "%sstate.demo: %s, events: %d\nexplored:%s%s\nnaive:   %s\n%s\n", body, demo, p->events, told(k->a, got),
                e->limit ? ", up to a limit" : "", told(k->a, want->length), kit_verdict(k, e));
        fail_msg("the two differ: QUORATE_SEED=%llu QUORATE_PLANS=1", (unsigned long long)seed);
    }
    for (int r = 0; r < NAIVE_RULES; r++)
        broken[r] += got[r] > 0;
    broken[NAIVE_RULES] += e->safe;
    explored_free(e);
}

static uint64_t number_of(const char *name, uint64_t otherwise) {
    const char *s = getenv(name);
    return s && *s ? strtoull(s, NULL, 10) : otherwise;
}

/* Where every access is watched, fewer do. */
static bool is_watched(void) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return true;
#else
    const char *preloaded = getenv("LD_PRELOAD"); /* valgrind's own library is, for the program that it runs */
    return preloaded && strstr(preloaded, "vgpreload");
#endif
}

/* Each plan has a seed of its own, which alone makes it again. */
static void random_plans_have_the_verdicts_and_lengths_of_plain_enumeration(void **state) {
    (void)state;
    const uint64_t first = number_of("QUORATE_SEED", 1);
    const uint64_t wanted = number_of("QUORATE_PLANS", is_watched() ? 50 : 500);
    const size_t most = 200000;
    uint64_t done = 0, rejected = 0, seed = first;
    int broken[NAIVE_RULES + 1] = {0};
    size_t leaves = 0;
    for (; done < wanted; seed++) {
        struct naive_plan p;
        struct naive_result want;
        struct gen g = {.seed = seed * 1000003};
        gen_plan(&g, &p, (int)(seed % 3));
        if (!naive_enumerate(&p, most, &want)) {
            rejected++;
            continue;
        }
        leaves += want.leaves;
        void *k;
        kit_setup(&k);
        compare(k, &p, &want, seed, broken);
        kit_teardown(&k);
        done++;
    }
    if (is_watched())
        print_message("under a sanitizer or valgrind: fewer plans\n");
    print_message("seeds %llu to %llu: %llu plans alike, %llu too big; %d safe; broken: cap %d, bad_end %d, even %d; %zu leaves\n", (unsigned long long)first,
                  (unsigned long long)seed - 1, (unsigned long long)done, (unsigned long long)rejected, broken[NAIVE_RULES], broken[RULE_CAP],
                  broken[RULE_BAD_END], broken[RULE_EVEN], leaves);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_plans_have_the_verdicts_and_lengths_of_plain_enumeration)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
