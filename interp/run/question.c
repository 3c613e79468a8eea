#include "run/turn.h"

#include <string.h>

struct asking {
    struct live *live;
    struct question q;
};

static void answer_handle(struct exec *x, struct happening *h) {
    struct val *d = fields(x);
    val_map_set(x->scratch, d, "yes", val_bool(x->scratch, h->yes));
    field_str(x, d, "how", h->text);
    field_str(x, d, "attest", val_cstr(h->value));
    if (!h->yes && !strcmp(h->text, ANSWER_NO))
        val_map_set(x->scratch, d, "no", val_bool(x->scratch, true));
    h->live->looked = false; /* the answer may have taken long */
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

static void ask(struct live *l, const char *text, const char *attest, bool fact) {
    struct exec *x = l->x;
    struct asking *q = arena_new_of(x->arena, struct asking);
    *q = (struct asking){.live = l, .q = {.path = l->item->path, .text = arena_strdup(x->arena, text),
                                          .attest = attest ? arena_strdup(x->arena, attest) : NULL, .fact = fact}};
    struct val *d = fields(x);
    field_str(x, d, "question", text);
    field_str(x, d, "attest", attest);
    emit(x, EV_ASKED, l->item->path, 0, d);
    later(l, ask_go, q);
}

void ask_fact(struct live *l, const char *text) {
    ask(l, text, NULL, true);
}

bool questions(struct live *l, const struct val *with, const char *title) {
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
                member, false);
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
        NULL, false);
    return true;
}
