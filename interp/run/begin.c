#include "run/turn.h"

#include <stdlib.h>
#include <string.h>

/* ---- slots: so many acts at a time, and one membership change per cluster ---- */

struct holder {
    struct live *live; /* NULL: free */
};

static struct holder *holder_of(struct exec *x, const char *membership) {
    struct holder *h = map_get(x->members, membership);
    if (!h) {
        h = arena_new_of(x->arena, struct holder);
        map_put(x->members, membership, h);
    }
    return h;
}

static bool slot_take(struct live *l) {
    struct exec *x = l->x;
    const struct step *st = l->item->fan->step;
    const char *membership = st->def ? val_get_str(st->def->decl, "membership", NULL) : NULL;
    struct holder *h = membership ? holder_of(x, membership) : NULL;
    if (l->acting)
        return true;
    if (x->acts >= x->spec->parallel || (h && h->live)) {
        if (!l->queued) {
            if (x->nqueue == x->capqueue) {
                x->capqueue = x->capqueue ? x->capqueue * 2 : 16;
                x->queue = mem_realloc(x->queue, x->capqueue * sizeof *x->queue);
            }
            x->queue[x->nqueue++] = l;
            l->queued = true;
        }
        return false;
    }
    l->acting = true;
    l->membership = membership;
    if (h)
        h->live = l;
    x->acts++;
    return true;
}

void slot_free(struct live *l) {
    struct exec *x = l->x;
    if (!l->acting)
        return;
    l->acting = false;
    if (l->membership)
        holder_of(x, l->membership)->live = NULL;
    l->membership = NULL;
    x->acts--;
    x->slots_freed = true;
}

void queue_retry(struct exec *x) {
    struct live **queue = x->queue;
    size_t n = x->nqueue;
    x->queue = NULL;
    x->nqueue = x->capqueue = 0;
    x->slots_freed = false;
    for (size_t i = 0; i < n; i++) {
        queue[i]->queued = false;
        if (queue[i]->item->status == ITEM_NEW)
            begin(queue[i]); /* looked at afresh: the world may have changed meanwhile */
        else
            begin_attempt(queue[i]);
    }
    free(queue);
}

/* ---- questions ---- */

struct asking {
    struct live *live;
    struct question q;
};

static void answer_handle(struct exec *x, struct happening *h) {
    struct val *d = fields(x);
    val_map_set(x->scratch, d, "yes", val_bool(x->scratch, h->yes));
    field_str(x, d, "how", h->text);
    field_str(x, d, "attest", val_cstr(h->value));
    emit(x, EV_ANSWERED, h->live->item->path, 0, d);
    if (val_len(x->run->attested)) /* expressions and attests see the new one */
        x->run_val = val_map_with(x->arena, x->run_val, "attested", x->run->attested);
}

static void answer(void *ud, bool yes, const char *how) {
    struct asking *q = ud;
    struct happening *h = happening_new(q->live->x, q->live, answer_handle);
    h->yes = yes;
    h->text = arena_strdup(h->arena, how);
    h->value = q->q.attest ? val_str(h->arena, q->q.attest) : NULL;
    happen(q->live->x, h);
}

static void ask_go(struct live *l, void *arg) {
    struct asking *q = arg;
    l->x->spec->asker->ask(l->x->spec->asker, &q->q, answer, q);
}

static void ask(struct live *l, const char *text, const char *attest) {
    struct exec *x = l->x;
    struct asking *q = arena_new_of(x->arena, struct asking);
    *q = (struct asking){.live = l, .q = {.path = l->item->path, .text = arena_strdup(x->arena, text),
                                          .attest = attest ? arena_strdup(x->arena, attest) : NULL}};
    struct val *d = fields(x);
    field_str(x, d, "question", text);
    field_str(x, d, "attest", attest);
    emit(x, EV_ASKED, l->item->path, 0, d);
    later(l, ask_go, q);
}

/* Asks what must be asked before the act. Returns whether the act must wait, or will not be. */
static bool questions(struct live *l, const struct val *with, const char *title) {
    struct exec *x = l->x;
    const struct step *st = l->item->fan->step;
    if (st->def && st->kind == STEP_ACTION) {
        const struct val *missing = NULL;
        struct err *errs = err_new(x->scratch);
        if (!plan_attests(x->scratch, st, x->spec->state, with, x->run->attested, &missing, errs)) {
            end_item(l, OUT_FAILED, NULL, eval_why(x, CALL_ERROR, NULL, errs), NULL);
            return true;
        }
        if (val_len(missing)) {
            const char *member = missing->map.pairs[0].key;
            const char *why = val_cstr(missing->map.pairs[0].val);
            ask(l, arena_printf(x->scratch, "%s: %s. Is it certain that %s cannot come back with its old state?", title, why ? why : member, member),
                member);
            return true;
        }
    }
    const char *destroys = st->def ? val_get_str(st->def->decl, "destroys", NULL) : NULL;
    if (l->item->approved || (!st->approve && !destroys))
        return false;
    const char *text = title;
    if (st->approve) {
        const struct val *v;
        const char *why;
        if (!live_eval(l, st->approve, &v, &why)) {
            end_item(l, OUT_FAILED, NULL, arena_printf(x->scratch, "its 'approve' cannot be worked out: %s", why), NULL);
            return true;
        }
        struct buf b = BUF_INIT;
        val_show(v, &b, 0);
        text = arena_strdup(x->scratch, b.data);
        buf_done(&b);
    }
    const char *site = x->spec->ld->site ? x->spec->ld->site->name : "local";
    ask(l, destroys ? arena_printf(x->scratch, "%s (site %s; destroys %s)", text, site, destroys) : arena_printf(x->scratch, "%s (site %s)", text, site),
        NULL);
    return true;
}

/* ---- the plan against what is so now ---- */

static bool has_unknown(const struct val *v) {
    if (val_unknown_provider(v))
        return true;
    for (size_t i = 0; v && i < val_len(v); i++)
        if (has_unknown(v->kind == VAL_LIST ? v->list.items[i] : v->map.pairs[i].val))
            return true;
    return false;
}

static const char *shown(struct arena *a, const struct val *v) {
    struct buf b = BUF_INIT;
    if (v)
        val_show(v, &b, 80);
    const char *s = v ? arena_strdup(a, b.data) : "nothing";
    buf_done(&b);
    return s;
}

/* In which way the act is not the one that was planned, or NULL. Only what the plan claimed to know counts. */
static const char *moved(struct exec *x, const struct item *it, const struct val *with) {
    const struct plan_line *line = map_get(x->lines, it->path);
    if (!line) {
        const struct plan_line *fan = map_get(x->lines, it->fan->path);
        if (!fan || fan->known > KNOWN_PREDICTED || fan->will == WILL_MAYBE)
            return NULL; /* the plan left open what happens here */
        return arena_printf(x->scratch, "'%s' is not in the plan", it->path);
    }
    if (line->known > KNOWN_PREDICTED)
        return NULL;
    if (line->will == WILL_SKIP || line->will == WILL_ALREADY)
        return arena_printf(x->scratch, "the plan said that '%s' would not run (%s)", it->path, line->why ? line->why : will_name(line->will));
    if (!line->with || line->with->kind != VAL_MAP)
        return line->with && with && !has_unknown(line->with) && !val_equal(line->with, with)
                   ? arena_printf(x->scratch, "'%s' was planned as %s and is now %s", it->path, shown(x->scratch, line->with), shown(x->scratch, with))
                   : NULL;
    for (size_t i = 0; i < line->with->map.n; i++) {
        const struct val_pair *p = &line->with->map.pairs[i];
        const struct val *now = val_get(with, p->key);
        if (!has_unknown(p->val) && !(now && val_equal(p->val, now)) && !(val_is_null(now) && val_is_null(p->val)))
            return arena_printf(x->scratch, "%s of '%s' was planned as %s and is now %s", p->key, it->path, shown(x->scratch, p->val),
                                shown(x->scratch, now));
    }
    return NULL;
}

/* ---- acts ---- */

static void acted_handle(struct exec *x, struct happening *h) {
    struct live *l = h->live;
    l->in_act = false;
    struct val *d = fields(x);
    field_str(x, d, "outcome", outcome_name(h->outcome));
    if (h->value)
        val_map_set(x->scratch, d, "outputs", h->value);
    field_str(x, d, "message", h->text);
    emit(x, EV_ACTED, l->item->path, l->item->attempt, d);
}

static void acted(void *ud, enum outcome outcome, const struct val *outputs, const char *message) {
    struct live *l = ud;
    struct happening *h = happening_new(l->x, l, acted_handle);
    h->outcome = outcome;
    h->value = outputs ? val_copy(h->arena, outputs) : NULL;
    h->text = message ? arena_strdup(h->arena, message) : NULL;
    happen(l->x, h);
}

static void probed(void *ud, bool ok, const struct val *value, const char *message) {
    struct arena *a = arena_new();
    struct val *outputs = val_map_new(a);
    if (value)
        val_map_set(a, outputs, "value", value);
    acted(ud, ok ? OUT_OK : OUT_FAILED, outputs, message);
    arena_free(a);
}

static void log_handle(struct exec *x, struct happening *h) {
    struct val *d = fields(x);
    field_str(x, d, "line", h->text);
    if (!x->run->ended)
        emit(x, EV_LOG, h->live->item->path, h->live->item->attempt, d);
}

static void logged(void *ud, const char *line) {
    struct live *l = ud;
    struct happening *h = happening_new(l->x, l, log_handle);
    h->text = arena_strdup(h->arena, line);
    happen(l->x, h);
}

static void act_go(struct live *l, void *arg) {
    const struct act_call *call = arg;
    struct runner *r = l->x->spec->runner;
    l->in_act = true;
    if (call->step->kind == STEP_PROBE) {
        const struct probe_call probe = {.def = call->def, .with = call->with, .done = probed, .ud = l};
        r->ops->probe(r, &probe);
        return;
    }
    r->ops->act(r, call);
}

static const struct val *effects_of(struct live *l) {
    const struct step *st = l->item->fan->step;
    if (!st->neffects)
        return NULL;
    struct val *m = val_map_new(l->x->arena);
    for (size_t i = 0; i < st->neffects; i++) {
        const struct val *v;
        const char *why;
        if (live_eval(l, st->effects[i].value, &v, &why))
            val_map_set(l->x->arena, m, st->effects[i].path, val_copy(l->x->arena, v));
    }
    return m;
}

/* Records the intent and then acts. */
static void attempt(struct live *l, const struct val *with) {
    struct exec *x = l->x;
    struct item *it = l->item;
    const struct step *st = it->fan->step;
    struct act_call *call = arena_new_of(x->arena, struct act_call);
    const char *why;
    int64_t timeout;
    if (!live_duration(l, st->timeout, 0, &timeout, &why)) {
        end_item(l, OUT_FAILED, NULL, arena_printf(x->scratch, "its 'timeout' cannot be worked out: %s", why), NULL);
        return;
    }
    struct scope sc = scope_from(x, it, false);
    struct val *d = fields(x);
    field_str(x, d, "title", step_title(x->scratch, x->spec->ld, st, &sc, with));
    if (with)
        val_map_set(x->scratch, d, "with", with);
    if (st->def && st->def->fn[FN_BEFORE]) {
        struct call_signal sig = {0};
        struct err *errs = err_new(x->scratch);
        const struct val *before = NULL, *args[] = {with ? with : fields(x)};
        enum call_result r = model_call(x->spec->state, st->def, FN_BEFORE, args, 1, x->scratch, &before, NULL, &sig, errs);
        if (r != CALL_OK) {
            end_item(l, OUT_FAILED, NULL, eval_why(x, r, &sig, errs), NULL);
            return;
        }
        if (before)
            val_map_set(x->scratch, d, "before", before);
    }
    emit(x, EV_STARTED, it->path, it->attempt + 1, d);
    /* the secrets in `with` are not in the event: the act gets the values themselves */
    *call = (struct act_call){.step = st, .def = st->def, .path = it->path, .attempt = it->attempt,
                              .with = with ? val_copy(x->arena, with) : NULL, .effect = x->spec->runner->real ? NULL : effects_of(l),
                              .timeout_ms = timeout, .log = logged, .done = acted, .ud = l};
    later(l, act_go, call);
}

void begin_attempt(struct live *l) {
    if (l->item->status != ITEM_RETRYING || l->x->run->stopping || !slot_take(l))
        return;
    attempt(l, l->item->with);
}

static void begin_act(struct live *l) {
    struct exec *x = l->x;
    const struct step *st = l->item->fan->step;
    const struct val *with = NULL;
    const char *why;
    const struct tmpl *t = st->kind == STEP_COMMAND ? st->argv : st->with;
    if (t && !live_eval(l, t, &with, &why)) {
        end_item(l, OUT_FAILED, NULL, arena_printf(x->scratch, "its '%s' cannot be worked out: %s", st->kind == STEP_COMMAND ? "command" : "with", why),
                 NULL);
        return;
    }
    const char *change = moved(x, l->item, with);
    if (change && st->def && val_get_str(st->def->decl, "destroys", NULL)) {
        end_item(l, OUT_REFUSED, NULL, arena_printf(x->scratch, "the world has moved since the plan was made: %s", change), "moved");
        return;
    }
    struct scope sc = scope_from(x, l->item, false);
    if (questions(l, with, step_title(x->scratch, x->spec->ld, st, &sc, with)))
        return;
    if (!slot_take(l))
        return;
    if (change) {
        struct val *d = fields(x);
        field_str(x, d, "text", change);
        emit(x, EV_NOTE, l->item->path, 0, d);
    }
    attempt(l, with);
}

/* ---- runbooks: bound, then their preconditions ---- */

static void bind_on(struct live *l) {
    struct exec *x = l->x;
    struct err *errs = err_new(x->scratch);
    const struct bind_want *wants;
    size_t n;
    switch (bind_step(l->bind, &wants, &n, errs)) {
    case BIND_WANTS:
        observe_wants(l, wants, n, bind_on);
        return;
    case BIND_FAILED:
        l->bind = NULL;
        end_item(l, OUT_FAILED, NULL, eval_why(x, CALL_ERROR, NULL, errs), NULL);
        return;
    case BIND_DONE:
        break;
    }
    struct val *d = fields(x);
    val_map_set(x->scratch, d, "inputs", bind_inputs(l->bind));
    l->bind = NULL;
    emit(x, EV_BOUND, l->item->path, 0, d);
}

static void begin_runbook(struct live *l) {
    struct exec *x = l->x;
    struct item *it = l->item;
    const struct step *st = it->fan->step;
    const struct val *with = NULL;
    const char *why;
    if (!it->inputs) {
        if (st->with && !live_eval(l, st->with, &with, &why)) {
            end_item(l, OUT_FAILED, NULL, arena_printf(x->scratch, "its 'with' cannot be worked out: %s", why), NULL);
            return;
        }
        const struct bind_spec spec = {.ld = x->spec->ld, .rb = st->sub, .given = with ? val_copy(x->arena, with) : NULL,
                                       .state = x->spec->state, .site = x->spec->site, .run = x->run_val};
        l->bind = bind_new(x->arena, &spec);
        bind_on(l);
        return;
    }
    struct scope sc = scope_from(x, it, true);
    struct err *errs = err_new(x->scratch);
    struct plan_check *pre;
    size_t n;
    if (!plan_checks(x->scratch, x->spec->ld, st->sub, false, &sc, KNOWN_PROBED, &pre, &n, errs)) {
        end_item(l, OUT_FAILED, NULL, eval_why(x, CALL_ERROR, NULL, errs), NULL);
        return;
    }
    for (size_t i = 0; i < n; i++)
        if (!pre[i].held) {
            end_item(l, OUT_REFUSED, NULL, pre[i].message, "precondition");
            return;
        }
    struct val *d = fields(x);
    struct scope outer = scope_from(x, it, false);
    field_str(x, d, "title", step_title(x->scratch, x->spec->ld, st, &outer, with));
    emit(x, EV_STARTED, it->path, 1, d);
}

/* ---- an item's turn ---- */

void begin(struct live *l) {
    struct exec *x = l->x;
    struct item *it = l->item;
    const struct step *st = it->fan->step;
    const char *why;
    if (x->run->stopping || it->status != ITEM_NEW || l->queued || l->bind)
        return;
    if (it->denied) {
        end_item(l, OUT_REFUSED, NULL, arena_printf(x->scratch, "not approved: %s", it->message), "approval");
        return;
    }
    if (st->unless) {
        bool already = false;
        if (!live_test(l, st->unless, &already, &why)) {
            end_item(l, OUT_FAILED, NULL, arena_printf(x->scratch, "its 'unless' cannot be decided: %s", why), NULL);
            return;
        }
        if (already) {
            end_item(l, OUT_SKIPPED, NULL, arena_printf(x->scratch, "already so: %s", st->unless->text), NULL);
            return;
        }
    }
    switch (st->kind) {
    case STEP_GROUP:
    case STEP_WAIT: {
        struct scope sc = scope_from(x, it, false);
        struct val *d = fields(x);
        field_str(x, d, "title", step_title(x->scratch, x->spec->ld, st, &sc, NULL));
        emit(x, EV_STARTED, it->path, 1, d);
        if (st->kind == STEP_WAIT)
            wait_start(l);
        break;
    }
    case STEP_RUNBOOK:
        begin_runbook(l);
        break;
    case STEP_ACTION:
    case STEP_PROBE:
    case STEP_COMMAND:
        begin_act(l);
        break;
    case STEP_FIRST_OF:
        end_item(l, OUT_FAILED, NULL, "nothing carries out 'first_of' yet", NULL);
        break;
    }
}
