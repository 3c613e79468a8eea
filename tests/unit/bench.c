#include "bench.h"

#include "base/map.h"
#include "value/file.h"
#include "value/yaml.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the library of the tests ---- */

static const char *const library[][2] = {
    {"stdlib/demo/cluster.lua",
     "return probe{ summary = 'the world', inputs = {}, schema = {type = 'map', keys = {remark = {type = 'any', evidence = true}}, of = {type = 'any'}}, run = function(ctx) return {} end }"},
    {"stdlib/demo/set.lua",
     "return action{ summary = 'set a key', describe = 'set ${key}', inputs = { key = {type = 'string', required = true}, value = {type = 'any'} },\n"
     "  outputs = { old = {type = 'any'}, id = {type = 'string'} }, changes = {'demo'}, settle = '10s',\n"
     "  effect = function(state, with) local old = state.demo[with.key] state.demo[with.key] = with.value return { old = old or 'nothing' } end,\n"
     "  before = function(state, with) return { was = state.demo[with.key] } end,\n"
     "  done = function(state, with, before) if state.demo[with.key] == with.value then return { old = 'settled' } end return false end,\n"
     "  run = function(ctx, with) return {} end }"},
    {"stdlib/demo/touch.lua",
     "return action{ summary = 'change nothing', inputs = { name = {type = 'string'} }, changes = {'demo'}, settle = '1s', run = function() return {} end }"},
    {"stdlib/demo/wreck.lua",
     "return action{ summary = 'wreck it', inputs = { what = {type = 'string'} }, destroys = 'everything', changes = {'demo'}, settle = '1s',\n"
     "  effect = function(state, with) state.demo.wrecked = with.what or 'all' end, run = function() return {} end }"},
    {"stdlib/demo/drop.lua",
     "return action{ summary = 'drop a member', inputs = { member = {type = 'string', required = true} }, changes = {'demo'}, membership = 'demo', settle = '1s',\n"
     "  attests = function(state, with) return { [with.member] = with.member .. ' does not answer' } end,\n"
     "  effect = function(state, with) state.demo.dropped = with.member end, run = function() return {} end }"},
    {"stdlib/demo/move.lua",
     "return action{ summary = 'change the membership', inputs = { name = {type = 'string'} }, changes = {'demo'}, membership = 'demo', settle = '1s', run = function() return {} end }"},
    {"stdlib/demo/well.lua", "return capability{ needs = {'demo'}, holds = function(state) return state.demo.well ~= false, 'it is not well' end }"},
    {"stdlib/demo/form.lua",
     "return action{ summary = 'form it', changes = {'demo'}, settle = '3s',\n"
     "  effect = function(state) state.demo.formed = true end, done = function(state) return state.demo.formed == true or state.demo.formed == 'so' end,\n"
     "  outcomes = { half = function(state) state.demo.formed = 'half' end, anyway = function(state) state.demo.formed = 'so' return 'ok' end,\n"
     "    late = function(state) state.demo.formed = true return 'unknown' end, never = function(state) state.demo.formed = 'no' return false end },\n"
     "  outcome_texts = { half = 'is half done' }, run = function() return {} end }"},
    {"stdlib/demo/once.lua",
     "return action{ summary = 'once', changes = {'demo'},\n"
     "  effect = function(state) local was = state.demo.once state.demo.once = (was or 0) + 1 if was then return false end end,\n"
     "  run = function() return {} end }"},
    {"stdlib/demo/back.lua",
     "return event{ needs = {'demo'}, summary = 'a member comes back', when = function(state) return not state.demo.member and { 'a', list{ 'a', 'b' } } end,\n"
     "  effect = function(state, choice) state.demo.member = type(choice) == 'table' and table.concat(choice, '+') or choice end }"},
    {"stdlib/demo/breaks.lua",
     "return event{ needs = {'demo'}, summary = 'it breaks', when = function(state) return state.demo.formed == true and not seen(state, 'attested') end,\n"
     "  effect = function(state) state.demo.formed = nil end }"},
    {"stdlib/demo/grow.lua",
     "local function add(state, id, name) state.demo.members = state.demo.members or {} state.demo.members[id] = { name = name, well = true } end\n"
     "local function recount(state) state.demo.voters = count(state.demo.members) end\n"
     "return action{ summary = 'add a member', inputs = { name = {type = 'string', default = 'm'} }, outputs = { id = {type = 'string'} }, changes = {'demo'},\n"
     "  effect = function(state, with) local id = 'new-' .. with.name add(state, id, with.name) recount(state) state.demo.ids = list{ id, 'z' }\n"
     "    state.demo.remark = 'predicted' return { id = id } end,\n"
     "  outcomes = { silent = function() return 'ok' end,\n"
     "    chosen = function(state, with) add(state, 'rehearsed-id', with.name) recount(state) state.demo.ids = list{ 'z', 'rehearsed-id' }\n"
     "      state.demo.remark = 'another' return 'ok' end,\n"
     "    ghost = function(state, with) add(state, 'rehearsed-id', with.name) add(state, 'old', with.name) recount(state) return 'ok' end,\n"
     "    crowd = function(state, with) for i = 1, 3 do add(state, 'x' .. i, with.name) end recount(state) return 'ok' end },\n"
     "  run = function() return {} end }"},
    {"stdlib/demo/crowded.lua",
     "return rule{ needs = {'demo'}, why = 'so', never = function(state, before, by)\n"
     "  if (state.demo.voters or 0) > 2 and (before.demo.voters or 0) <= 2 then return 'too many by a ' .. by end end }"},
    {"stdlib/demo/twice.lua", "return func(function(n) return n * 2 end)"},
};

static void write_file(struct arena *a, const char *dir, const char *name, const char *text) {
    char *path = path_join(a, dir, name);
    for (char *p = path + strlen(dir) + 1; (p = strchr(p, '/')); p++) {
        *p = 0;
        mkdir(path, 0700);
        *p = '/';
    }
    FILE *f = fopen(path, "w");
    assert(f);
    fputs(text, f);
    fclose(f);
}

static const struct val *yaml(struct arena *a, const char *name, const char *text) {
    struct err *err = err_new(a);
    const struct val *v = NULL;
    if (!yaml_parse(a, source_new(a, name, text, strlen(text)), NULL, &v, err)) {
        struct buf b = BUF_INIT;
        err_render(err, &b);
        fputs(b.data, stderr);
        abort();
    }
    return v;
}

/* ---- a runner that does what a script says, and otherwise what the world of the file does ---- */

struct fake {
    struct runner runner, *world;
    struct arena *arena;
    struct bench *bench;
    int acts;
};

struct fake_act {
    struct fake *fake;
    struct act_call call;
    const char *word;
    enum outcome outcome;
};

static bool scripted(const char *script, const char *path, int attempt, char *ret_word, size_t size) {
    for (const char *p = script; p && *p;) {
        char name[128], word[32];
        int n;
        if (sscanf(p, "%127s %d %31s", name, &n, word) == 3 && !strcmp(name, path) && (n == attempt || n == 0)) {
            snprintf(ret_word, size, "%s", word);
            return true;
        }
        p = strchr(p, '\n');
        p = p ? p + 1 : NULL;
    }
    return false;
}

static void fake_due(void *ud) {
    struct fake_act *act = ud;
    act->fake->acts--;
    act->call.done(act->call.ud, act->outcome, NULL, act->outcome == OUT_OK ? NULL : "as the script says");
    free(act);
}

static void fake_done(void *ud, enum outcome outcome, const struct val *outputs, const char *message) {
    struct fake_act *act = ud;
    act->fake->acts--;
    act->call.done(act->call.ud, act->outcome != OUT_NONE ? act->outcome : outcome, act->outcome ? NULL : outputs, message);
    free(act);
}

static void ignored(void *ud, enum outcome outcome, const struct val *outputs, const char *message) {
    (void)ud, (void)outcome, (void)outputs, (void)message;
}

static void late_due(void *ud) {
    struct fake_act *act = ud;
    act->call.done = ignored;
    act->fake->world->ops->act(act->fake->world, &act->call);
}

/* The act ends well at once, and what it changes shows later. */
static void late_act(struct fake *f, const struct act_call *call) {
    struct fake_act *act = arena_new_of(f->arena, struct fake_act); /* the run may be over before it is due */
    *act = (struct fake_act){.fake = f, .call = *call};
    loop_timer(f->runner.loop, 5000, late_due, act);
    call->done(call->ud, OUT_OK, NULL, NULL);
}

static void fake_act(struct runner *r, const struct act_call *call) {
    struct fake *f = (struct fake *)r;
    char word[32] = "";
    if (scripted(f->bench->script, call->path, call->attempt, word, sizeof word) && !strcmp(word, "late")) {
        late_act(f, call);
        return;
    }
    struct fake_act *act = mem_alloc(sizeof *act);
    *act = (struct fake_act){.fake = f, .call = *call};
    if (++f->acts > f->bench->most_acts)
        f->bench->most_acts = f->acts;
    if (!scripted(f->bench->script, call->path, call->attempt, word, sizeof word) || !strcmp(word, "interrupt") || !strcmp(word, "unknown-but-done")) {
        if (!strcmp(word, "interrupt"))
            raise(SIGINT);
        act->outcome = !strcmp(word, "unknown-but-done") ? OUT_UNKNOWN : OUT_NONE;
        struct act_call inner = *call;
        inner.done = fake_done;
        inner.ud = act;
        f->world->ops->act(f->world, &inner);
        return;
    }
    act->outcome = !strcmp(word, "unknown") ? OUT_UNKNOWN : OUT_FAILED;
    loop_timer(r->loop, 1000, fake_due, act);
}

static void fake_probe(struct runner *r, const struct probe_call *call) {
    struct fake *f = (struct fake *)r;
    f->world->ops->probe(f->world, call);
}

static void fake_waited(struct runner *r, const char *path, const struct step *st, const struct val *effect) {
    struct fake *f = (struct fake *)r;
    f->world->ops->waited(f->world, path, st, effect);
}

static void fake_begun(struct runner *r, const char *path, const struct step *st, int attempt) {
    struct fake *f = (struct fake *)r;
    f->world->ops->begun(f->world, path, st, attempt);
}

static void fake_cancel(struct runner *r, const char *path) {
    struct fake *f = (struct fake *)r;
    f->world->ops->cancel(f->world, path);
}

static const struct runner_ops fake_ops = {.probe = fake_probe, .act = fake_act, .begun = fake_begun, .waited = fake_waited, .cancel = fake_cancel};

/* ---- who watches and answers ---- */

struct watcher {
    struct screen screen;
    struct buf text, said;
};

static void watch(struct screen *s, const struct event *e, const struct run *r) {
    (void)r;
    struct watcher *w = (struct watcher *)s;
    const char *said = val_get_str(e->data, e->type == EV_NOTE ? "text" : "message", NULL);
    if (said)
        buf_printf(&w->said, "%s\n", said);
    buf_adds(&w->text, event_infos[e->type].name);
    if (e->path)
        buf_printf(&w->text, " %s", e->path);
    if (e->attempt > 1)
        buf_printf(&w->text, "#%d", e->attempt);
    const char *outcome = val_get_str(e->data, "outcome", NULL);
    if (outcome)
        buf_printf(&w->text, " %s", outcome);
    if (val_get_bool(e->data, "retry", false))
        buf_adds(&w->text, " retry");
    if (val_get_bool(e->data, "blocked", false))
        buf_adds(&w->text, " blocked");
    buf_addc(&w->text, '\n');
}

struct answerer {
    struct asker asker;
    struct loop *loop;
    bool yes;
    int64_t after;
    struct runner *world;
    const struct val *meanwhile;
};

struct answering {
    struct answerer *by;
    bool yes;
    answer_fn *done;
    void *ud;
};

static void answer_due(void *ud) {
    struct answering *k = ud;
    if (k->by->meanwhile)
        k->by->world->ops->waited(k->by->world, NULL, NULL, k->by->meanwhile);
    k->done(k->ud, k->yes, k->yes ? "test" : "denied");
    free(k);
}

static void answer(struct asker *a, const struct question *q, answer_fn *done, void *ud) {
    (void)q;
    struct answerer *an = (struct answerer *)a;
    struct answering *k = mem_alloc(sizeof *k);
    *k = (struct answering){an, an->yes, done, ud};
    loop_timer(an->loop, an->after, answer_due, k);
}

/* ---- the run ---- */

struct setting {
    struct arena *arena;
    struct err *err;
    struct loader loader;
    struct model *state;
    const struct plan *plan;
    struct fake fake;
    const struct val *run;
};

static bool make_plan(struct bench *b, struct setting *s) {
    const struct runbook *rb;
    struct arena *a = s->arena;
    if (!runbook_load(&s->loader, "t", mark_none(), &rb, s->err))
        return false;
    s->state = model_new(s->loader.box);
    const struct bind_spec bs = {.ld = &s->loader, .rb = rb, .given = b->inputs ? yaml(a, "inputs", b->inputs) : NULL, .state = s->state, .run = s->run};
    struct bind *bind = bind_new(a, &bs);
    const struct bind_want *wants;
    size_t n;
    enum bind_status st;
    while ((st = bind_step(bind, &wants, &n, s->err)) == BIND_WANTS)
        for (size_t i = 0; i < n; i++) {
            const struct val *v = NULL;
            const char *why = "";
            if (!runner_probe_wait(s->fake.world, a, wants[i].part, wants[i].with, &v, &why))
                v = val_unobserved(a, why);
            bind_observed(bind, wants[i].part, v);
        }
    const struct plan_spec ps = {.ld = &s->loader, .bind = bind, .rb = rb, .state = s->state, .run = s->run};
    return st == BIND_DONE && plan_make(a, &ps, &s->plan, s->err);
}

static struct injections *inject(struct bench *b, struct setting *s) {
    struct injections *l = injections_new(s->arena);
    for (size_t i = 0; b->fail && b->fail[i]; i++)
        (void)inject_parse(l, false, b->fail[i], mark_none(), s->err);
    for (size_t i = 0; b->event && b->event[i]; i++)
        (void)inject_parse(l, true, b->event[i], mark_none(), s->err);
    if (!inject_check(l, s->plan->rb, s->loader.lib, s->err) || s->err->nerrors)
        return NULL;
    runner_world_inject(s->fake.world, l, val_get(s->run, "attested"));
    return l;
}

static void plan_text(struct bench *b, const struct plan *p) {
    struct buf out = BUF_INIT;
    for (size_t i = 0; i < p->nlines; i++)
        buf_printf(&out, "%s %s %s\n", p->lines[i].path, will_name(p->lines[i].will), known_name(p->lines[i].known));
    b->plan = mem_strdup(out.data);
    buf_done(&out);
}

/* What is in the journal, folded by itself, ends as the run did. */
static void refold(struct bench *b, struct setting *s, struct store *store) {
    struct store_record *records;
    size_t n;
    struct run *r = run_new(s->arena, "test", s->plan->rb);
    if (!store->ops->read(store, "test", s->arena, &records, &n, s->err))
        return;
    for (size_t i = 0; i < n; i++) {
        struct event *e;
        if (!event_parse(s->arena, records[i].json, strlen(records[i].json), &e, s->err) || !run_apply(r, e, s->err))
            return;
    }
    assert(b->status == 9 || (r->ended && r->exit_status == b->status));
}

static void execute(struct bench *b, struct setting *s, struct loop *loop) {
    struct arena *a = s->arena;
    struct store *store;
    if (!store_open(a, loop, "sqlite::memory:", mark_none(), &store, s->err))
        return;
    struct watcher w = {.screen = {.event = watch}, .text = BUF_INIT, .said = BUF_INIT};
    struct answerer an = {.asker = {.ask = answer}, .loop = loop, .yes = !b->deny, .after = b->answer_after, .world = s->fake.world,
                          .meanwhile = b->meanwhile ? yaml(a, "meanwhile", b->meanwhile) : NULL};
    struct screen *screens[] = {&w.screen, NULL};
    const struct exec_spec spec = {.ld = &s->loader, .loop = loop, .store = store, .runner = &s->fake.runner, .asker = &an.asker, .screens = screens,
                                   .run_id = "test", .plan = s->plan, .state = s->state, .run = s->run, .about = val_map_new(a),
                                   .parallel = b->parallel ? b->parallel : 4};
    const int64_t start = loop_now(loop);
    b->status = exec_run(a, &spec, s->err);
    b->took = loop_now(loop) - start;
    refold(b, s, store);
    store->ops->close(store);
    b->text = mem_strdup(w.text.data);
    b->said = mem_strdup(w.said.data);
    buf_done(&w.text);
    buf_done(&w.said);
}

void bench_run(struct bench *b) {
    char dir[] = "/tmp/quorate-bench-XXXXXX";
    assert(mkdtemp(dir));
    struct arena *a = arena_new();
    for (size_t i = 0; i < sizeof library / sizeof *library; i++)
        write_file(a, dir, library[i][0], library[i][1]);
    write_file(a, dir, "runbooks/t.yaml", b->runbook);
    for (size_t i = 0; b->more && b->more[i]; i += 2)
        write_file(a, dir, arena_printf(a, "runbooks/%s.yaml", b->more[i]), b->more[i + 1]);
    struct setting s = {.arena = a, .err = err_new(a)};
    struct clock_virtual clock;
    clock_virtual_init(&clock, 0, 1);
    struct loop *loop = loop_new(&clock.base);
    struct files *files = files_new(a);
    assert(files_add_dir(files, dir, "", mark_none(), s.err));
    struct box *box = box_new(NULL);
    s.loader = (struct loader){.arena = a, .box = box, .files = files, .lib = library_new(a, box, files)};
    struct val *run = val_map_new(a);
    val_map_set(a, run, "id", val_str(a, "test"));
    val_map_set(a, run, "attested", b->attested ? yaml(a, "attested", b->attested) : val_list_new(a));
    s.run = run;
    s.fake = (struct fake){.runner = {.ops = &fake_ops, .loop = loop}, .arena = a, .bench = b,
                            .world = runner_world(a, loop, box, yaml(a, "world", b->world))};
    b->status = -2;
    if (make_plan(b, &s)) {
        plan_text(b, s.plan);
        b->status = -1;
        struct injections *injections = inject(b, &s);
        if (!injections)
            b->status = -2;
        else if (!s.plan->refused)
            execute(b, &s, loop);
        if (injections)
            (void)inject_judge(injections, s.err);
    }
    if (!b->text || s.err->nerrors) {
        struct buf out = BUF_INIT;
        buf_adds(&out, b->text ? b->text : "");
        err_render(s.err, &out);
        free(b->text);
        b->text = mem_strdup(out.data);
        buf_done(&out);
    }
    if (s.state)
        model_free(s.state);
    s.fake.world->ops->close(s.fake.world);
    loop_free(loop);
    box_free(box);
    assert(!system(arena_printf(a, "rm -rf '%s'", dir)));
    arena_free(a);
}

void bench_free(struct bench *b) {
    free(b->text);
    free(b->said);
    free(b->plan);
}

bool has_line(const char *text, const char *line) {
    const size_t n = strlen(line);
    for (const char *p = text; (p = strstr(p, line)); p++)
        if ((p == text || p[-1] == '\n') && p[n] == '\n')
            return true;
    return false;
}

int count_lines(const char *text, const char *prefix) {
    int n = 0;
    for (const char *p = text; (p = strstr(p, prefix)); p++)
        n += p == text || p[-1] == '\n';
    return n;
}

bool before(const char *text, const char *a, const char *b) {
    const char *x = strstr(text, a), *y = strstr(text, b);
    return x && y && x < y;
}
