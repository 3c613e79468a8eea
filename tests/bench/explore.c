/* What exploration costs: runbooks on worlds, each planned and explored several times by the code behind `quorate plan`, and how that grows with
 * replicas, steps and events. Times are processor time, the best of several; QUORATE_ROUNDS=N sets how many. A word picks rows by name. */
#include "cmd/cmd.h"
#include "cmd/embedded.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

struct subject {
    const char *name;
    const char *runbook, *world; /* names or files, as on the command line */
    int events;
    const char *attest;          /* names, or NULL */
    const struct embedded_file *own; /* files of its own, or NULL */
};

struct cost {
    size_t states, clusters;
    double plan_ms, explore_ms;
    const char *verdict;
};

static double cpu_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void fail(struct ctx *c) {
    (void)ctx_report(c);
    exit(1);
}

/* The same steps as cmd/prepare.c takes, with a clock between them. */
static struct cost once(const struct subject *s) {
    struct ctx c = {.arena = arena_new()};
    struct cost cost = {0};
    struct prepared p;
    const char *attest[] = {s->attest};
    c.err = err_new(c.arena);
    c.opt.world = s->world;
    c.opt.attest = (struct words){.items = attest, .n = s->attest != NULL};
    const double begin = cpu_ms();
    if (!ctx_language(&c))
        fail(&c);
    if (s->own)
        files_add_embedded(c.files, s->own);
    struct prepare_spec spec = {.ld = &c.loader, .limits = {.events = s->events ? s->events : -1}};
    if (!ctx_world(&c, false) || !runbook_load(&c.loader, s->runbook, mark_none(), &spec.rb, c.err))
        fail(&c);
    spec.runner = c.runner;
    spec.site = c.site_val;
    spec.run = c.run_val;
    spec.given = val_map_new(c.arena);
    if (!prepare_plan(c.arena, &spec, &p, c.err))
        fail(&c);
    const double planned = cpu_ms();
    if (!prepare_explore(c.arena, &spec, &p, &p.explored, c.err))
        fail(&c);
    cost.explore_ms = cpu_ms() - planned;
    cost.plan_ms = planned - begin;
    cost.verdict = !p.explored ? "refused before" : p.explored->limit ? "limited" : p.explored->safe ? "safe" : "not safe";
    if (p.explored) {
        cost.states = p.explored->states;
        cost.clusters = p.explored->clusters;
    }
    prepared_free(&p);
    ctx_close(&c);
    arena_free(c.arena);
    return cost;
}

static int rounds(void) {
    const char *n = getenv("QUORATE_ROUNDS");
    return n && atoi(n) > 0 ? atoi(n) : 5;
}

static struct cost best(const struct subject *s) {
    struct cost b = once(s);
    const double since = cpu_ms();
    for (int i = 1; i < rounds() && cpu_ms() - since < 2000; i++) {
        const struct cost c = once(s);
        if (c.states != b.states || c.clusters != b.clusters) {
            fprintf(stderr, "%s: %zu states in %zu clusters, and then %zu in %zu\n", s->name, b.states, b.clusters, c.states, c.clusters);
            exit(1);
        }
        b.plan_ms = c.plan_ms < b.plan_ms ? c.plan_ms : b.plan_ms;
        b.explore_ms = c.explore_ms < b.explore_ms ? c.explore_ms : b.explore_ms;
    }
    return b;
}

static double speed(const struct cost *c) {
    return c->explore_ms > 0 ? (double)c->states * 1e3 / c->explore_ms : 0;
}

/* ---- runbooks as they are ---- */

static const struct subject subjects[] = {
    {"repair, no event", "tests/bench/repair.yaml", "dtr/worlds/seven-one-down.yaml", 0, NULL, NULL},
    {"repair, 1 event", "tests/bench/repair.yaml", "dtr/worlds/seven-one-down.yaml", 1, NULL, NULL},
    {"repair, 2 events", "tests/bench/repair.yaml", "dtr/worlds/seven-one-down.yaml", 2, NULL, NULL},
    {"repair, a cut, 1 event", "tests/bench/repair.yaml", "dtr/worlds/seven-cut-4-3.yaml", 1, NULL, NULL},
    {"repair, a cut, 2 events", "tests/bench/repair.yaml", "dtr/worlds/seven-cut-4-3.yaml", 2, NULL, NULL},
    {"swarm/recover-quorum, of 3", "swarm/recover-quorum", "swarm/worlds/lost-quorum.yaml", 1, NULL, NULL},
    {"swarm/recover-quorum, of 5", "swarm/recover-quorum", "swarm/worlds/five-lost-three.yaml", 1, NULL, NULL},
    {"swarm/recover-quorum, of 7", "swarm/recover-quorum", "swarm/worlds/seven-lost-four.yaml", 1, NULL, NULL},
    {0}};

static void table(const char *word) {
    printf("%-28s %-8s %9s %9s %9s %11s %10s\n", "runbook", "", "states", "clusters", "plan ms", "explore ms", "states/s");
    for (const struct subject *s = subjects; s->name; s++) {
        if (word && !strstr(s->name, word))
            continue;
        const struct cost c = best(s);
        printf("%-28s %-8s %9zu %9zu %9.1f %11.1f %10.0f\n", s->name, c.verdict, c.states, c.clusters, c.plan_ms, c.explore_ms, speed(&c));
        fflush(stdout);
    }
}

/* ---- growth ---- */

/* n replicas on as many machines, the last of which is down; four machines more have none. */
static void world_text(struct buf *b, int n) {
    buf_printf(b, "world: growth\nnodes:\n");
    for (int i = 1; i <= n + 4; i++)
        buf_printf(b, "  node%d: { address: 10.0.0.%d }\n", i, i);
    buf_printf(b, "state:\n  dtr:\n    version: 2.7.6\n    cut: false\n    gone: {}\n    nodes: {}\n"
                  "    quorum: { held: true, voters: %d, needed: %d, healthy: %d, why: all of them but one answer }\n    replicas:\n",
               n, n / 2 + 1, n - 1);
    for (int i = 1; i <= n; i++) {
        buf_printf(b, "      %caa%de1c15b6ff: { node: node%d, answers: %s, health: %s, volumes: %s, side: a, members: [", 'a' + i, i, i, i < n ? "true" : "false",
                   i < n ? "healthy" : "unknown", i < n ? "present" : "unknown");
        for (int k = 1; k <= n; k++)
            buf_printf(b, "%s%caa%de1c15b6ff", k > 1 ? ", " : "", 'a' + k, k);
        buf_printf(b, "] }\n");
    }
}

/* Removes the last replica, joins a new one in its place, removes the one before, … */
static void runbook_text(struct buf *b, int n, int steps) {
    buf_printf(b, "runbook: bench/growth\nversion: 1.0.0\ntitle: Growth\nstate: { dtr: { probe: dtr.cluster } }\nsteps:\n");
    for (int i = 0; i < steps; i++) {
        const int k = n - i / 2;
        buf_printf(b, "  - id: step%d\n    retry: { attempts: 3, delay: 10s }\n", i + 1);
        if (i % 2)
            buf_printf(b, "    uses: dtr.join\n    with: { node: node%d, ", n + 1 + i / 2);
        else
            buf_printf(b, "    uses: dtr.remove\n    with: { replicas: [%caa%de1c15b6ff], ", 'a' + k, k);
        buf_printf(b, "existing_replica: \"${{ dtr.best_healthy(state.dtr).id }}\" }\n");
    }
}

static void growth_row(int n, int steps) {
    struct buf world = BUF_INIT, runbook = BUF_INIT;
    world_text(&world, n);
    runbook_text(&runbook, n, steps);
    const struct embedded_file own[] = {
        {"runbooks/bench/growth.yaml", (const unsigned char *)runbook.data, (const unsigned char *)runbook.data + runbook.len},
        {"runbooks/bench/worlds/growth.yaml", (const unsigned char *)world.data, (const unsigned char *)world.data + world.len},
        {0}};
    printf("%8d %5d  ", n, steps);
    for (int events = 0; events <= 2; events++) {
        const struct subject s = {"growth", "bench/growth", "bench/worlds/growth.yaml", events, NULL, own};
        const struct cost c = best(&s);
        printf(" %8zu %8.1f %7.0f", c.states, c.explore_ms, speed(&c));
        fflush(stdout);
    }
    printf("\n");
    buf_done(&world);
    buf_done(&runbook);
}

static void growth(void) {
    printf("\n%8s %5s   %25s %25s %25s\n%8s %5s  ", "", "", "no event       ", "1 event        ", "2 events       ", "replicas", "steps");
    for (int events = 0; events <= 2; events++)
        printf(" %8s %8s %7s", "states", "ms", "/s");
    printf("\n");
    for (int n = 3; n <= 7; n += 2)
        for (int steps = 1; steps <= 4; steps++)
            growth_row(n, steps);
}

int main(int argc, char **argv) {
    const char *word = argc > 1 ? argv[1] : NULL;
    table(word);
    if (!word || strstr("growth", word))
        growth();
    return 0;
}
