/* What run functions of probes and actions may ask of the world, and what becomes of them when it does not answer. */
#include "lua_kit.h"
#include "peer.h"
#include "task/task.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

struct lab {
    struct kit *k;
    char dir[64], socket[96], runtime[96], file[96];
    struct peer *peer;
    struct clock_virtual virtual;
    struct task_world world;
    /* what the last task gave */
    bool over, timed_out, cancelled;
    enum task_outcome outcome;
    const char *value, *message; /* in the kit's arena */
    char log[1024];
};

static int setup_with(void **state, bool is_virtual) {
    struct lab *lab = calloc(1, sizeof *lab);
    void *kit;
    kit_setup(&kit);
    lab->k = kit;
    struct arena *a = lab->k->a;
    strcpy(lab->dir, "/tmp/quorate-task-XXXXXX");
    assert_non_null(mkdtemp(lab->dir));
    snprintf(lab->socket, sizeof lab->socket, "%s/docker.sock", lab->dir);
    snprintf(lab->runtime, sizeof lab->runtime, "%s/run", lab->dir);
    snprintf(lab->file, sizeof lab->file, "%s/file", lab->dir);
    lab->peer = peer_start(lab->socket);
    clock_virtual_init(&lab->virtual, 1000, 1);
    struct task_world *w = &lab->world;
    w->loop = loop_new(is_virtual ? &lab->virtual.base : clock_system());
    w->http = http_new(w->loop);
    w->engines = engines_new(w->loop, w->http, lab->runtime);
    w->box = lab->k->box;
    const char *way[] = {arena_printf(a, "unix://%s", lab->socket), NULL}, *far[] = {"tcp://127.0.0.1:1", NULL};
    engines_add(w->engines, &(struct engine_spec){.name = "node1", .endpoints = way});
    engines_add(w->engines, &(struct engine_spec){.name = "node2", .endpoints = far});
    w->nodes = kit_json(lab->k, "{\"node1\":{\"address\":\"10.0.0.1\"},\"node2\":{\"address\":\"10.0.0.2\"}}");
    w->run = kit_json(lab->k, "{\"id\":\"r1\"}");
    *state = lab;
    return 0;
}

static int real(void **state) {
    return setup_with(state, false);
}

static int rehearsed(void **state) {
    return setup_with(state, true);
}

static int teardown(void **state) {
    struct lab *lab = *state;
    engines_free(lab->world.engines);
    http_free(lab->world.http);
    loop_free(lab->world.loop);
    peer_stop(lab->peer);
    unlink(lab->file);
    rmdir(lab->dir);
    void *kit = lab->k;
    kit_teardown(&kit);
    free(lab);
    return 0;
}

static void on_log(void *ud, const char *line) {
    struct lab *lab = ud;
    const size_t n = strlen(lab->log);
    snprintf(lab->log + n, sizeof lab->log - n, "%s|", line);
}

static void on_done(void *ud, const struct task_result *r) {
    struct lab *lab = ud;
    assert_false(lab->over);
    lab->over = true;
    lab->outcome = r->outcome;
    lab->timed_out = r->timed_out;
    lab->cancelled = r->cancelled;
    lab->value = r->outcome == TASK_OK ? kit_text(lab->k, r->value) : NULL;
    lab->message = r->message ? arena_strdup(lab->k->a, r->message) : NULL;
}

static struct task *begin(struct lab *lab, enum task_rights rights, const char *body, const struct val *with, int64_t timeout_ms) {
    struct kit *k = lab->k;
    const char *probe = rights == TASK_READ ? "schema = {}," : "";
    kit_file(k, "stdlib/t/x.lua", arena_printf(k->a, "return %s { summary = 's', %s run = function(ctx, with)\n%s\nend }",
                                               rights == TASK_READ ? "probe" : "action", probe, body));
    kit_library(k);
    const struct def *d = library_get(k->lib, "t.x", rights == TASK_READ ? DEF_PROBE : DEF_ACTION, mark_none(), k->err);
    if (!d)
        fail_msg("%s", kit_errors(k));
    lab->over = false;
    const struct task_spec spec = {.world = &lab->world, .def = d, .with = with, .rights = rights, .timeout_ms = timeout_ms, .log = on_log,
                                   .done = on_done, .ud = lab};
    return task_start(&spec);
}

static void finish(struct lab *lab) {
    while (!lab->over)
        assert_true(loop_once(lab->world.loop));
}

static void act(struct lab *lab, const char *body) {
    begin(lab, TASK_CHANGE, body, NULL, loop_is_virtual(lab->world.loop) ? 0 : 20000);
    finish(lab);
}

static void probe(struct lab *lab, const char *body) {
    begin(lab, TASK_READ, body, NULL, 20000);
    finish(lab);
}

static void assert_value(const struct lab *lab, const char *json) {
    if (lab->outcome != TASK_OK)
        fail_msg("the task failed: %s", lab->message);
    assert_string_equal(lab->value, json);
}

/* ---- results ---- */

static void what_run_returns_is_the_value(void **state) {
    act(*state, "return { b = list{}, a = 1 + 1, c = { x = 'y' } }");
    assert_value(*state, "{\"a\":2,\"b\":[],\"c\":{\"x\":\"y\"}}");
}

static void a_run_that_returns_nothing_is_done(void **state) {
    act(*state, "local x = 1");
    assert_value(*state, "null");
}

static void the_inputs_and_the_inventory_are_there(void **state) {
    struct lab *lab = *state;
    begin(lab, TASK_CHANGE, "return { with.node, ctx.nodes.node2.address, ctx.run.id }", kit_json(lab->k, "{\"node\":\"n\"}"), 0);
    finish(lab);
    assert_value(lab, "[\"n\",\"10.0.0.2\",\"r1\"]");
}

static void an_error_of_the_script_has_its_place(void **state) {
    struct lab *lab = *state;
    act(lab, "local t = nil\nreturn t.x");
    assert_int_equal(lab->outcome, TASK_FAILED);
    assert_has(lab->message, "stdlib/t/x.lua:3: ");
    assert_has(lab->message, "local 't'");
}

static void an_error_below_tells_who_called(void **state) {
    struct lab *lab = *state;
    act(lab, "local function f() error('deep') end\nlocal function g() f() return 1 end\nreturn g()");
    assert_has(lab->message, "stdlib/t/x.lua:2: deep");
    assert_has(lab->message, "called at stdlib/t/x.lua:3");
}

static void what_cannot_be_returned_is_told(void **state) {
    struct lab *lab = *state;
    act(lab, "return { f = function() end }");
    assert_int_equal(lab->outcome, TASK_FAILED);
    assert_has(lab->message, "f is a function");
}

static void fail_ends_with_the_scripts_own_words(void **state) {
    struct lab *lab = *state;
    act(lab, "ctx.fail('node1: no, because') ctx.log('never') return 1");
    assert_int_equal(lab->outcome, TASK_FAILED);
    assert_string_equal(lab->message, "node1: no, because");
    assert_string_equal(lab->log, "");
}

static void fail_can_leave_the_outcome_unknown(void **state) {
    struct lab *lab = *state;
    act(lab, "ctx.fail('who knows', { unknown = true })");
    assert_int_equal(lab->outcome, TASK_UNKNOWN);
}

static void an_endless_loop_hits_the_limit(void **state) {
    struct lab *lab = *state;
    act(lab, "while true do end");
    assert_int_equal(lab->outcome, TASK_FAILED);
    assert_has(lab->message, "stdlib/t/x.lua:2: ");
    assert_has(lab->message, "instruction-limit");
    act(lab, "return 1");
    assert_value(lab, "1");
}

static void a_script_that_eats_memory_is_ended(void **state) {
    struct lab *lab = *state;
    act(lab, "local s = 'x'\nwhile true do s = s .. s end");
    assert_int_equal(lab->outcome, TASK_FAILED);
    assert_has(lab->message, "memory");
}

static void a_misspelt_function_gets_a_hint(void **state) {
    struct lab *lab = *state;
    act(lab, "ctx.slep(1)");
    assert_has(lab->message, "ctx has no 'slep'; did you mean 'sleep'?");
}

static void log_lines_are_told_and_secrets_in_them_are_not(void **state) {
    struct lab *lab = *state;
    struct val *with = val_map_new(lab->k->a);
    val_map_set(lab->k->a, with, "password", val_secret(lab->k->a, val_str(lab->k->a, "hunter2")));
    begin(lab, TASK_CHANGE, "ctx.log('one') ctx.log('it is ' .. with.password) ctx.progress('two') return 1", with, 0);
    finish(lab);
    assert_string_equal(lab->log, "one|***|two|");
}

/* ---- time ---- */

static void sleeping_takes_no_time_in_a_rehearsal(void **state) {
    struct lab *lab = *state;
    act(lab, "local a = ctx.now() ctx.sleep(3600) return { a, ctx.now() - a }");
    assert_value(lab, "[1000,3600000]");
}

static void all_sleep_at_the_same_time(void **state) {
    struct lab *lab = *state;
    act(lab, "local a = ctx.now()\n"
             "local r = ctx.all{ x = function() ctx.sleep(10) return 'X' end, y = function() ctx.sleep(20) return 'Y' end, z = function() end }\n"
             "return { r, ctx.now() - a }");
    assert_value(lab, "[{\"x\":\"X\",\"y\":\"Y\"},20000]");
}

static void all_of_nothing_is_nothing(void **state) {
    act(*state, "return ctx.all{}");
    assert_value(*state, "{}");
}

static void all_may_be_nested_and_repeated(void **state) {
    act(*state, "local n = 0\n"
                "for i = 1, 300 do\n"
                "  local r = ctx.all{ function() return ctx.all{ a = function() return i end }.a end, function() return 1 end }\n"
                "  n = n + r[1] + r[2]\n"
                "end\n"
                "return n");
    assert_value(*state, "45450");
}

static void a_failure_of_one_fails_all_after_all_ended(void **state) {
    struct lab *lab = *state;
    act(lab, "ctx.all{ a = function() ctx.fail('a is bad') end, b = function() ctx.sleep(5) ctx.log('b ended') end }\nctx.log('never')");
    assert_int_equal(lab->outcome, TASK_FAILED);
    assert_string_equal(lab->message, "a is bad");
    assert_string_equal(lab->log, "b ended|");
}

static void an_unknown_outcome_of_one_is_that_of_all(void **state) {
    struct lab *lab = *state;
    act(lab, "ctx.all{ a = function() ctx.fail('a') end, b = function() ctx.fail('b', { unknown = true }) end }");
    assert_int_equal(lab->outcome, TASK_UNKNOWN);
}

static void an_error_in_one_of_all_keeps_its_place(void **state) {
    struct lab *lab = *state;
    act(lab, "ctx.all{\n a = function() local t = nil return t.x end }");
    assert_int_equal(lab->outcome, TASK_FAILED);
    assert_has(lab->message, "stdlib/t/x.lua:3: ");
}

static void a_sleep_ends_with_the_deadline(void **state) {
    struct lab *lab = *state;
    begin(lab, TASK_CHANGE, "ctx.sleep(1000)", NULL, 5000);
    finish(lab);
    assert_int_equal(lab->outcome, TASK_FAILED);
    assert_true(lab->timed_out);
    assert_has(lab->message, "not done within 5s");
    assert_int_equal(lab->virtual.wall, 1000 + 5000);
}

static void a_deadline_ends_all_that_is_under_way(void **state) {
    struct lab *lab = *state;
    begin(lab, TASK_CHANGE, "ctx.all{ a = function() ctx.sleep(1000) end, b = function() ctx.all{ c = function() ctx.sleep(2000) end } end }", NULL, 5000);
    finish(lab);
    assert_true(lab->timed_out);
    assert_int_equal(lab->virtual.wall, 1000 + 5000);
}

static void a_task_can_be_cancelled_before_it_begins(void **state) {
    struct lab *lab = *state;
    task_cancel(begin(lab, TASK_CHANGE, "ctx.log('never')", NULL, 0));
    assert_false(lab->over);
    finish(lab);
    assert_true(lab->cancelled);
    assert_int_equal(lab->outcome, TASK_FAILED);
    assert_string_equal(lab->log, "");
}

static void waiting_inside_a_sort_is_an_error(void **state) {
    struct lab *lab = *state;
    act(lab, "table.sort({ 2, 1 }, function(a, b) ctx.sleep(1) return a < b end)");
    assert_int_equal(lab->outcome, TASK_FAILED);
    assert_has(lab->message, "cannot be waited for here");
}

/* ---- engines ---- */

static void an_answer_is_a_table(void **state) {
    struct lab *lab = *state;
    act(lab, "local r = ctx.docker('node1'):post('/echo', { a = { 1, 2 }, b = {}, c = list{} })\n"
             "return { r.ok, r.status, r.body.a[2], r.sent, r.date, r.message == nil, r.failure == nil, r.elapsed < 10 }");
    assert_value(lab, "[true,200,2,true,\"Thu, 01 Jan 2026 00:00:00 GMT\",true,true,true]");
    assert_string_equal(peer_last(lab->peer), "POST /v1.41/echo");
    assert_string_equal(peer_last_body(lab->peer), "{\"a\":[1,2],\"b\":{},\"c\":[]}");
}

static void an_empty_table_is_sent_as_a_map_and_a_text_as_it_is(void **state) {
    struct lab *lab = *state;
    act(lab, "ctx.docker('node1'):post('/echo', {})");
    assert_string_equal(peer_last_body(lab->peer), "{}");
    act(lab, "return ctx.docker('node1'):post('/echo', 'plain').body");
    assert_value(lab, "\"plain\"");
}

static void a_file_is_streamed_to_an_engine_in_constant_memory(void **state) {
    struct lab *lab = *state;
    enum { size = 64 << 20 };
    const int fd = open(lab->file, O_WRONLY | O_CREAT, 0600);
    assert_return_code(ftruncate(fd, size), errno);
    close(fd);
    struct rusage before, after;
    getrusage(RUSAGE_SELF, &before);
    act(lab, arena_printf(lab->k->a, "local r = ctx.docker('node1'):post('/count', nil, { file = '%s' }) return { r.ok, r.body.bytes }", lab->file));
    getrusage(RUSAGE_SELF, &after);
    assert_value(lab, "[true,67108864]");
    assert_string_equal(peer_last(lab->peer), "an archive");
    assert_true(after.ru_maxrss - before.ru_maxrss < 16 << 10); /* KiB */
}

static void a_file_that_cannot_be_sent_reaches_no_engine(void **state) {
    struct lab *lab = *state;
    act(lab, "local r = ctx.docker('node1'):post('/count', nil, { file = '/nonexistent/x.tar' }) return { r.ok, r.failure, r.sent, r.message }");
    assert_value(lab, "[false,\"file\",false,\"/nonexistent/x.tar: No such file or directory\"]");
    act(lab, arena_printf(lab->k->a, "return ctx.docker('node1'):post('/count', nil, { file = '%s' }).message", lab->dir));
    assert_has(lab->value, "is not a plain file");
    assert_int_equal(peer_requests(lab->peer), 0);
    act(lab, "ctx.docker('node1'):post('/count', 'text', { file = '/x' })");
    assert_has(lab->message, "'file' is the body, so the body beside it must be nil");
}

static void an_answer_goes_to_a_file_that_only_its_owner_reads(void **state) {
    struct lab *lab = *state;
    struct stat st;
    act(lab, arena_printf(lab->k->a, "local r = ctx.docker('node1'):get('/zeros/3000000', { to = '%s' }) return { r.ok, r.bytes, r.body }", lab->file));
    assert_value(lab, "[true,3000000,\"\"]");
    assert_int_equal(stat(lab->file, &st), 0);
    assert_int_equal(st.st_size, 3000000);
    assert_int_equal(st.st_mode & 0777, 0600);
    act(lab, arena_printf(lab->k->a, "local r = ctx.docker('node1'):get('/status/404', { to = '%s' }) return { r.ok, r.message, r.bytes == nil }", lab->file));
    assert_value(lab, "[false,\"status 404\",true]");
    assert_int_equal(stat(lab->file, &st), 0);
    assert_int_equal(st.st_size, 0); /* a refusal is no content */
}

static void an_engines_refusal_has_its_words(void **state) {
    struct lab *lab = *state;
    act(lab, "local r = ctx.docker('node1'):delete('/status/409') return { r.ok, r.status, r.message }");
    assert_value(lab, "[false,409,\"status 409\"]");
    assert_string_equal(peer_last(lab->peer), "DELETE /v1.41/status/409");
    act(lab, "return ctx.docker('node1'):get('/nowhere').message");
    assert_value(lab, "\"no such page\"");
}

static void an_engine_that_is_away_is_told(void **state) {
    struct lab *lab = *state;
    act(lab, "local r = ctx.docker('node2'):post('/swarm/leave') return { r.ok, r.failure, r.sent, r.status == nil, r.message ~= nil }");
    assert_value(lab, "[false,\"connect\",false,true,true]");
}

static void requests_of_all_are_under_way_together(void **state) {
    struct lab *lab = *state;
    act(lab, "local asks = {}\nfor i = 1, 5 do asks['k' .. i] = function() return ctx.docker('node1'):get('/meet/5').body.met end end\n"
             "return ctx.all(asks)");
    assert_value(lab, "{\"k1\":true,\"k2\":true,\"k3\":true,\"k4\":true,\"k5\":true}");
}

static void a_call_has_a_timeout_of_its_own(void **state) {
    struct lab *lab = *state;
    act(lab, "local r = ctx.docker('node1'):get('/silent', { timeout = 0.05 }) return { r.ok, r.failure }");
    assert_value(lab, "[false,\"timeout\"]");
}

static void a_secret_reaches_the_engine_and_nobody_else(void **state) {
    struct lab *lab = *state;
    struct val *with = val_map_new(lab->k->a);
    val_map_set(lab->k->a, with, "password", val_secret(lab->k->a, val_str(lab->k->a, "hunter2")));
    begin(lab, TASK_CHANGE, "ctx.docker('node1'):post('/echo', { p = 'pw=' .. with.password }) return tostring(with.password)", with, 20000);
    finish(lab);
    assert_string_equal(peer_last_body(lab->peer), "{\"p\":\"pw=hunter2\"}");
    assert_value(lab, "\"***\"");
}

static void arguments_are_checked(void **state) {
    static const char *const cases[][2] = {
        {"ctx.docker('nod1')", "unknown node 'nod1'; did you mean 'node1'? (the site has: node1, node2)"},
        {"ctx.docker(nil)", "ctx.docker must be a string"},
        {"ctx.docker('node1'):get('info')", "must begin with '/'"},
        {"ctx.docker('node1'):get('/info', { timout = 1 })", "unknown option 'timout'; did you mean 'timeout'?"},
        {"ctx.docker('node1'):get('/info', { timeout = 'long' })", "timeout must be a number of seconds"},
        {"ctx.docker('node1'):gte('/info')", "an engine has no 'gte'; did you mean 'get'?"},
        {"ctx.docker('node1').get('/info')", "with a colon"},
        {"ctx.docker('node1'):post('/x', { f = function() end })", "the body.f is a function"},
        {"ctx.docker('node1'):post('/x', { f = unobserved('why') })", "not observed: why"},
        {"ctx.http{ url = 'ftp://x' }", "http:// or https://"},
        {"ctx.http{ url = 'http://x', headers = { A = 'b\\r\\nC: d' } }", "on one line"},
        {"ctx.exec{ argv = { 'true' }, stdin = 'x', stdin_file = 'y' }", "two inputs"},
        {"ctx.exec{ argv = {} }", "argv must be a list of strings"},
        {"ctx.exec{ argv = { 'true' }, on = 'node2' }", "commands cannot be run on node2"},
        {"ctx.sleep(-1)", "0 or more"},
        {"ctx.all{ a = 1 }", "'a' is a number"},
        {"ctx.read('node1', 'file')", "must begin with '/'"},
        {"ctx.extra = 1", "ctx cannot be changed"},
    };
    struct lab *lab = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        lab->k->n = 0;
        act(lab, cases[i][0]);
        assert_int_equal(lab->outcome, TASK_FAILED);
        assert_has(lab->message, cases[i][1]);
        assert_has(lab->message, "stdlib/t/x.lua:2: ");
    }
    assert_int_equal(peer_requests(lab->peer), 0);
}

static void a_probe_cannot_change_anything(void **state) {
    static const char *const cases[][2] = {
        {"ctx.docker('node1'):post('/echo')", "engine:post changes the world, and a probe may only read"},
        {"ctx.docker('node1'):get('/echo', { to = '/x' })", "engine:get with 'to' changes the world"},
        {"ctx.docker('node1'):delete('/echo')", "engine:delete changes the world"},
        {"ctx.exec{ argv = { 'true' } }", "ctx.exec changes the world"},
        {"ctx.http{ url = 'http://127.0.0.1:1/', method = 'POST' }", "ctx.http with method POST changes the world"},
        {"ctx.http{ url = 'http://127.0.0.1:1/', method = 'post' }", "a word in capitals"},
    };
    struct lab *lab = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        lab->k->n = 0;
        probe(lab, cases[i][0]);
        assert_int_equal(lab->outcome, TASK_FAILED);
        assert_has(lab->message, cases[i][1]);
    }
    assert_int_equal(peer_requests(lab->peer), 0);
    lab->k->n = 0;
    probe(lab, "return { ctx.docker('node1'):get('/status/200').ok, ctx.http{ url = 'http://127.0.0.1:1/' }.failure }");
    assert_value(lab, "[true,\"connect\"]");
}

/* ---- unknown outcomes ---- */

static void a_deadline_while_only_reading_is_a_failure(void **state) {
    struct lab *lab = *state;
    begin(lab, TASK_CHANGE, "ctx.docker('node1'):get('/silent')", NULL, 100);
    finish(lab);
    assert_int_equal(lab->outcome, TASK_FAILED);
    assert_true(lab->timed_out);
    assert_has(lab->message, "while it waited for: node1 GET /silent");
}

static void a_deadline_while_changing_leaves_the_outcome_unknown(void **state) {
    struct lab *lab = *state;
    begin(lab, TASK_CHANGE, "ctx.docker('node1'):post('/silent')", NULL, 200);
    finish(lab);
    assert_int_equal(lab->outcome, TASK_UNKNOWN);
    assert_true(lab->timed_out);
    assert_has(lab->message, "may have happened: node1 POST /silent");
}

static void a_deadline_after_a_refusal_is_a_failure(void **state) {
    struct lab *lab = *state;
    begin(lab, TASK_CHANGE, "ctx.docker('node1'):post('/status/400') ctx.docker('node1'):get('/silent')", NULL, 200);
    finish(lab);
    assert_int_equal(lab->outcome, TASK_FAILED);
}

static void a_deadline_after_a_call_that_never_left_is_a_failure(void **state) {
    struct lab *lab = *state;
    begin(lab, TASK_CHANGE, "ctx.docker('node2'):post('/x') ctx.docker('node1'):get('/silent')", NULL, 300);
    finish(lab);
    assert_int_equal(lab->outcome, TASK_FAILED);
    assert_true(lab->timed_out);
}

static void cancelling_a_change_leaves_the_outcome_unknown(void **state) {
    struct lab *lab = *state;
    struct task *t = begin(lab, TASK_CHANGE, "ctx.all{ a = function() ctx.docker('node1'):post('/silent') end, b = function() ctx.sleep(100) end }", NULL, 0);
    const int64_t give_up = loop_now(lab->world.loop) + 10000;
    while (!peer_requests(lab->peer)) {
        loop_timer(lab->world.loop, 1, (loop_fn *)loop_wake, lab->world.loop);
        assert_true(loop_once(lab->world.loop) && loop_now(lab->world.loop) < give_up);
    }
    task_cancel(t);
    assert_false(lab->over);
    finish(lab);
    assert_true(lab->cancelled);
    assert_int_equal(lab->outcome, TASK_UNKNOWN);
}

static void an_error_after_an_unanswered_change_leaves_the_outcome_unknown(void **state) {
    struct lab *lab = *state;
    act(lab, "ctx.docker('node1'):post('/silent', nil, { timeout = 0.1 })\nlocal t = nil\nreturn t.x");
    assert_int_equal(lab->outcome, TASK_UNKNOWN);
    assert_has(lab->message, "stdlib/t/x.lua:4: ");
    assert_has(lab->message, "may have happened: node1 POST /silent");
}

static void a_scripts_own_judgement_stands(void **state) {
    struct lab *lab = *state;
    act(lab, "local r = ctx.docker('node1'):post('/silent', nil, { timeout = 0.1 }) ctx.fail('it was not: ' .. r.failure)");
    assert_int_equal(lab->outcome, TASK_FAILED);
    assert_string_equal(lab->message, "it was not: timeout");
}

/* ---- commands and files ---- */

static void a_command_gives_what_it_printed(void **state) {
    struct lab *lab = *state;
    act(lab, "local r = ctx.exec{ argv = { 'sh', '-c', 'cat; echo $X >&2; exit 3' }, stdin = 'in', env = { X = 'y' } }\n"
             "return { r.ok, r.status, r.stdout, r.stderr, r.message }");
    assert_value(lab, "[false,3,\"in\",\"y\\n\",\"sh ended with status 3: y\"]");
    act(lab, "local r = ctx.exec{ argv = { 'true' }, on = 'node1' } return { r.ok, r.status, r.failure == nil }");
    assert_value(lab, "[true,0,true]");
}

static void a_command_reads_and_writes_files_larger_than_what_is_kept_of_its_output(void **state) {
    struct lab *lab = *state;
    char script[512];
    FILE *f = fopen(lab->file, "w");
    fputs("abc", f);
    fclose(f);
    snprintf(script, sizeof script, "local r = ctx.exec{ argv = { 'sh', '-c', 'cat; head -c 6000000 /dev/zero' }, stdin_file = '%s', stdout = '%s.out' }\n"
             "return { r.ok, r.bytes, r.stdout == nil, r.sha256 == ctx.sha256('%s.out') }", lab->file, lab->file, lab->file);
    act(lab, script);
    assert_value(lab, "[true,6000003,true,true]");
    snprintf(script, sizeof script, "local r = ctx.exec{ argv = { 'cat' }, stdin_file = '%s.not' } return { r.ok, r.failure, r.message }", lab->file);
    act(lab, script);
    snprintf(script, sizeof script, "[false,\"start\",\"cat could not be started: its input %s.not: No such file or directory\"]", lab->file);
    assert_value(lab, script);
    snprintf(script, sizeof script, "%s.out", lab->file);
    remove(script);
}

static void a_command_that_cannot_be_started_is_told(void **state) {
    act(*state, "local r = ctx.exec{ argv = { '/nonexistent/x' } } return { r.ok, r.failure, r.status == nil }");
    assert_value(*state, "[false,\"start\",true]");
}

static void a_command_that_takes_too_long_is_ended(void **state) {
    act(*state, "local r = ctx.exec{ argv = { 'sleep', '100' }, timeout = 0.05 } return { r.ok, r.failure }");
    assert_value(*state, "[false,\"timeout\"]");
}

static void a_secret_in_argv_is_refused(void **state) {
    struct lab *lab = *state;
    struct val *with = val_map_new(lab->k->a);
    val_map_set(lab->k->a, with, "p", val_secret(lab->k->a, val_str(lab->k->a, "hunter2")));
    begin(lab, TASK_CHANGE, "ctx.exec{ argv = { 'echo', with.p } }", with, 0);
    finish(lab);
    assert_int_equal(lab->outcome, TASK_FAILED);
    assert_has(lab->message, "argv[2] is a secret");
}

static void files_of_a_node_are_read(void **state) {
    struct lab *lab = *state;
    FILE *f = fopen(lab->file, "w");
    assert_non_null(f);
    fputs("some text", f);
    fclose(f);
    probe(lab, arena_printf(lab->k->a,
                            "local t, why = ctx.read('node1', '%s', 4)\n"
                            "local none, none_why = ctx.read('node1', '%s/none')\n"
                            "local far, far_why = ctx.read('node2', '/x')\n"
                            "local d = ctx.disk('node1', '%s')\n"
                            "return { ctx.read('node1', '%s'), t == nil, why, none == nil, none_why, far_why, ctx.list('node1', '%s'), d.total >= d.free }",
                            lab->file, lab->dir, lab->dir, lab->file, lab->dir));
    assert_int_equal(lab->outcome, TASK_OK);
    assert_has(lab->value, "[\"some text\",true,");
    assert_has(lab->value, "is larger than 4 bytes");
    assert_has(lab->value, "No such file or directory");
    assert_has(lab->value, "the files of node2 cannot be reached");
    assert_has(lab->value, "[\"docker.sock\",\"file\"],true]");
}

static void every_function_has_a_help_text(void **state) {
    (void)state;
    size_t n = 0;
    for (const struct task_help *h; (h = task_help(n)); n++)
        assert_true(*h->name && *h->text && h->args);
    assert_true(n > 10);
}

#define REAL(name) cmocka_unit_test_setup_teardown(name, real, teardown)
#define REHEARSED(name) cmocka_unit_test_setup_teardown(name, rehearsed, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        REHEARSED(what_run_returns_is_the_value),
        REHEARSED(a_run_that_returns_nothing_is_done),
        REHEARSED(the_inputs_and_the_inventory_are_there),
        REHEARSED(an_error_of_the_script_has_its_place),
        REHEARSED(an_error_below_tells_who_called),
        REHEARSED(what_cannot_be_returned_is_told),
        REHEARSED(fail_ends_with_the_scripts_own_words),
        REHEARSED(fail_can_leave_the_outcome_unknown),
        REHEARSED(an_endless_loop_hits_the_limit),
        REHEARSED(a_script_that_eats_memory_is_ended),
        REHEARSED(a_misspelt_function_gets_a_hint),
        REHEARSED(log_lines_are_told_and_secrets_in_them_are_not),
        REHEARSED(sleeping_takes_no_time_in_a_rehearsal),
        REHEARSED(all_sleep_at_the_same_time),
        REHEARSED(all_of_nothing_is_nothing),
        REHEARSED(all_may_be_nested_and_repeated),
        REHEARSED(a_failure_of_one_fails_all_after_all_ended),
        REHEARSED(an_unknown_outcome_of_one_is_that_of_all),
        REHEARSED(an_error_in_one_of_all_keeps_its_place),
        REHEARSED(a_sleep_ends_with_the_deadline),
        REHEARSED(a_deadline_ends_all_that_is_under_way),
        REHEARSED(a_task_can_be_cancelled_before_it_begins),
        REHEARSED(waiting_inside_a_sort_is_an_error),
        REAL(an_answer_is_a_table),
        REAL(an_empty_table_is_sent_as_a_map_and_a_text_as_it_is),
        REAL(a_file_is_streamed_to_an_engine_in_constant_memory),
        REAL(a_file_that_cannot_be_sent_reaches_no_engine),
        REAL(an_answer_goes_to_a_file_that_only_its_owner_reads),
        REAL(an_engines_refusal_has_its_words),
        REAL(an_engine_that_is_away_is_told),
        REAL(requests_of_all_are_under_way_together),
        REAL(a_call_has_a_timeout_of_its_own),
        REAL(a_secret_reaches_the_engine_and_nobody_else),
        REAL(arguments_are_checked),
        REAL(a_probe_cannot_change_anything),
        REAL(a_deadline_while_only_reading_is_a_failure),
        REAL(a_deadline_while_changing_leaves_the_outcome_unknown),
        REAL(a_deadline_after_a_refusal_is_a_failure),
        REAL(a_deadline_after_a_call_that_never_left_is_a_failure),
        REAL(cancelling_a_change_leaves_the_outcome_unknown),
        REAL(an_error_after_an_unanswered_change_leaves_the_outcome_unknown),
        REAL(a_scripts_own_judgement_stands),
        REAL(a_command_gives_what_it_printed),
        REAL(a_command_reads_and_writes_files_larger_than_what_is_kept_of_its_output),
        REAL(a_command_that_cannot_be_started_is_told),
        REAL(a_command_that_takes_too_long_is_ended),
        REAL(a_secret_in_argv_is_refused),
        REAL(files_of_a_node_are_read),
        cmocka_unit_test(every_function_has_a_help_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
