#include "run/runner.h"

#include "base/map.h"
#include "base/redact.h"
#include "io/process.h"
#include "plan/shape.h"
#include "value/json.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const size_t max_message = 400; /* bytes of a command's last words in a message */
static const int64_t probe_timeout_ms = 120 * 1000;

struct live_runner {
    struct runner runner;
    const struct task_world *world;
    struct map *acts; /* path → struct act *, or the runner itself once it is over */
};

/* ---- probes ---- */

struct probe {
    struct probe_call call;
};

static void probe_done(void *ud, const struct task_result *r) {
    struct probe *p = ud;
    struct arena *a = arena_new();
    const char *message = r->message;
    bool ok = r->outcome == TASK_OK;
    const struct val *schema = val_get(p->call.def->decl, "schema");
    if (ok && schema && !shape_fits(a, schema, r->value, &message)) {
        message = arena_printf(a, "the probe %s returned what its schema does not allow: %s", p->call.def->name, message);
        ok = false;
    }
    p->call.done(p->call.ud, ok, r->value, message);
    arena_free(a);
    free(p);
}

static void live_probe(struct runner *r, const struct probe_call *call) {
    struct live_runner *lr = (struct live_runner *)r;
    struct probe *p = mem_alloc(sizeof *p);
    p->call = *call;
    const struct task_spec spec = {.world = lr->world, .def = call->def, .with = call->with, .rights = TASK_READ, .hooks = call->hooks,
                                   .timeout_ms = probe_timeout_ms, .done = probe_done, .ud = p};
    task_start(&spec);
}

/* ---- acts ---- */

struct act {
    struct live_runner *runner;
    struct act_call call;
    struct task *task;
    struct process *process;
};

static void act_over(struct act *act) {
    map_put(act->runner->acts, act->call.path, act->runner);
    free(act);
}

static void act_log(void *ud, const char *line) {
    struct act *act = ud;
    act->call.log(act->call.ud, line);
}

static void task_done(void *ud, const struct task_result *r) {
    struct act *act = ud;
    const enum outcome outcome = r->outcome == TASK_OK ? OUT_OK : r->outcome == TASK_FAILED ? OUT_FAILED : OUT_UNKNOWN;
    act->call.done(act->call.ud, outcome, outcome == OUT_OK ? r->value : NULL, r->message);
    act_over(act);
}

static void command_line(void *ud, bool is_err, const char *line, size_t len) {
    (void)is_err;
    struct act *act = ud;
    char *s = mem_alloc(len + 1);
    memcpy(s, line, len);
    act->call.log(act->call.ud, s);
    free(s);
}

static const char *last_words(struct arena *a, const struct buf *said) {
    struct buf masked = BUF_INIT, *b = &masked;
    redact_text(said->data, said->len, &masked); /* before it is cut */
    size_t end = b->len;
    while (end && (b->data[end - 1] == '\n' || b->data[end - 1] == ' '))
        end--;
    size_t start = end > max_message ? end - max_message : 0;
    for (size_t i = end; i > start; i--)
        if (b->data[i - 1] == '\n') {
            start = i;
            break;
        }
    const char *words = arena_strndup(a, b->data + start, end - start);
    buf_done(&masked);
    return words;
}

static void command_done(void *ud, const struct process_result *r) {
    struct act *act = ud;
    struct arena *a = arena_new();
    const char *program = val_cstr(val_at(act->call.with, 0));
    struct val *out = val_map_new(a);
    val_map_set(a, out, "stdout", val_strn(a, r->out.data, r->out.len));
    val_map_set(a, out, "stderr", val_strn(a, r->err.data, r->err.len));
    val_map_set(a, out, "status", val_int(a, r->exit_status));
    const struct val *value = NULL;
    if (r->out.len && !r->out.over && json_parse(a, "stdout", r->out.data, r->out.len, &value, err_new(a)))
        val_map_set(a, out, "value", value);
    enum outcome outcome = OUT_OK;
    const char *message = NULL;
    if (r->error) {
        outcome = OUT_FAILED;
        message = arena_printf(a, "%s could not be started: %s", program, r->error);
    } else if (r->timed_out || r->cancelled) {
        outcome = OUT_UNKNOWN;
        message = arena_printf(a, "%s was ended after its %s", program, r->timed_out ? "timeout" : "cancellation");
    } else if (r->signal || r->exit_status) {
        outcome = OUT_FAILED;
        const char *words = last_words(a, r->err.len ? &r->err : &r->out);
        message = r->signal ? arena_printf(a, "%s was ended by signal %d", program, r->signal)
                            : arena_printf(a, "%s ended with status %d%s%s", program, r->exit_status, *words ? ": " : "", words);
    }
    act->call.done(act->call.ud, outcome, outcome == OUT_UNKNOWN ? NULL : out, message);
    arena_free(a);
    act_over(act);
}

static void refuse(void *ud) {
    struct act *act = ud;
    const char *lost = act->runner->world->lock ? locker_lost(act->runner->world->lock) : NULL;
    act->call.done(act->call.ud, OUT_FAILED, NULL, lost ? lost : "a command is a list of strings");
    act_over(act);
}

static void refuse_secret(void *ud) {
    struct act *act = ud;
    act->call.done(act->call.ud, OUT_FAILED, NULL, "its argv holds a secret, and everybody on the machine could read it there; it was not started. Hand it on by an action's env or stdin");
    act_over(act);
}

static void start_command(struct act *act) {
    const size_t n = val_len(act->call.with);
    struct arena *a = arena_new();
    const char **argv = arena_array(a, const char *, n + 1);
    bool ok = n > 0, tells = false;
    for (size_t i = 0; i < n; i++) {
        const struct val *v = val_at(act->call.with, i);
        struct buf b = BUF_INIT;
        if (v->kind == VAL_STRING) {
            argv[i] = v->string.s;
            ok &= strlen(v->string.s) == v->string.len;
            tells |= v->secret || redact_found(v->string.s, v->string.len);
        } else {
            val_show(v, &b, 0);
            argv[i] = arena_strdup(a, b.data);
            ok &= v->kind == VAL_INT || v->kind == VAL_DOUBLE || v->kind == VAL_BOOL;
        }
        buf_done(&b);
    }
    struct loop *loop = act->runner->runner.loop;
    if (ok && !tells) {
        const struct process_spec spec = {.argv = argv, .timeout_ms = act->call.timeout_ms, .line = command_line, .done = command_done, .ud = act};
        act->process = process_start(loop, &spec);
    } else {
        loop_timer(loop, 0, tells ? refuse_secret : refuse, act);
    }
    arena_free(a);
}

static void live_act(struct runner *r, const struct act_call *call) {
    struct live_runner *lr = (struct live_runner *)r;
    assert(r->real);
    struct act *act = mem_alloc(sizeof *act);
    *act = (struct act){.runner = lr, .call = *call};
    map_put(lr->acts, call->path, act);
    if (lr->world->lock && locker_lost(lr->world->lock)) {
        loop_timer(r->loop, 0, refuse, act);
        return;
    }
    if (!call->def) {
        start_command(act);
        return;
    }
    const struct task_spec spec = {.world = lr->world, .def = call->def, .fn = call->follow ? FN_FOLLOW : FN_RUN, .with = call->with, .rights = TASK_CHANGE, .hooks = val_get(call->step->in->doc, "hooks"), .step = call->path,
                                   .attempt = call->attempt, .timeout_ms = call->timeout_ms, .log = act_log, .done = task_done, .ud = act};
    act->task = task_start(&spec);
}

static void live_cancel(struct runner *r, const char *path) {
    struct live_runner *lr = (struct live_runner *)r;
    void *p = map_get(lr->acts, path);
    struct act *act = p != lr ? p : NULL;
    if (act && act->task)
        task_cancel(act->task);
    else if (act && act->process)
        process_cancel(act->process);
}

static void live_close(struct runner *r) {
    (void)r;
}

static const struct runner_ops ops = {.probe = live_probe, .act = live_act, .cancel = live_cancel, .close = live_close};

struct runner *runner_live(struct arena *a, const struct task_world *world, bool may_change) {
    struct live_runner *lr = arena_new_of(a, struct live_runner);
    *lr = (struct live_runner){.runner = {.ops = &ops, .loop = world->loop, .real = may_change}, .world = world, .acts = map_new(a)};
    return &lr->runner;
}
