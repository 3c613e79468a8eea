#include "ui/plan_print.h"

#include "plan/explore.h"

#include <string.h>

enum { known_width = 11, path_width = 30 };

static enum look known_look(enum known k) {
    static const enum look looks[] = {LOOK_GOOD, LOOK_GOOD, LOOK_PLAIN, LOOK_WARN, LOOK_WARN};
    return looks[k];
}

static const struct {
    const char *word;
    enum look look;
} wills[] = {[WILL_RUN] = {"run", LOOK_BOLD},      [WILL_SKIP] = {"skip", LOOK_DIM},       [WILL_ALREADY] = {"already", LOOK_DIM},
             [WILL_MAYBE] = {"perhaps", LOOK_WARN}, [WILL_NOT] = {"not", LOOK_BAD},        [WILL_WAIT] = {"wait", LOOK_PLAIN},
             [WILL_TIME_OUT] = {"wait", LOOK_WARN}, [WILL_EACH] = {"each", LOOK_PLAIN}, [WILL_ELSE] = {"else", LOOK_DIM}};

static void heading(struct buf *out, struct style s, const char *text) {
    buf_addc(out, '\n');
    style_add(out, s, LOOK_BOLD, text, 0);
    buf_addc(out, '\n');
}

static void value(struct buf *out, struct style s, const struct val *v, size_t max) {
    struct buf b = BUF_INIT;
    const char *provider = val_unknown_provider(v);
    if (provider)
        buf_printf(&b, "(known when %s is)", provider);
    else
        val_show(v, &b, max);
    style_add(out, s, LOOK_PLAIN, b.data, 0);
    buf_done(&b);
}

static void print_inputs(const struct plan *p, struct style s, struct buf *out) {
    if (!val_len(p->inputs))
        return;
    heading(out, s, "Inputs");
    for (size_t i = 0; i < p->inputs->map.n; i++) {
        const struct val_pair *in = &p->inputs->map.pairs[i];
        buf_adds(out, "  ");
        style_add(out, s, LOOK_PLAIN, in->key, 18);
        buf_addc(out, ' ');
        if (val_is_null(in->val))
            style_add(out, s, LOOK_DIM, "(none)", 0);
        else
            value(out, s, in->val, 100);
        style_add(out, s, LOOK_DIM, "", 1);
        buf_adds(out, " (");
        style_add(out, s, LOOK_DIM, bind_origin(p->bind, in->key), 0);
        buf_adds(out, bind_from_state(p->bind, in->key) ? ", from the state)\n" : ")\n");
    }
}

static void print_checks(const struct plan_check *checks, size_t n, const char *title, struct style s, struct buf *out) {
    if (!n)
        return;
    heading(out, s, title);
    for (size_t i = 0; i < n; i++) {
        buf_adds(out, "  ");
        style_add(out, s, known_look(checks[i].known), known_name(checks[i].known), known_width);
        style_add(out, s, checks[i].held ? LOOK_GOOD : LOOK_BAD, checks[i].held ? "holds" : "FAILS", 7);
        style_add(out, s, LOOK_PLAIN, checks[i].text, 0);
        if (!checks[i].held) {
            buf_adds(out, "\n                      ");
            style_add(out, s, LOOK_BAD, checks[i].message, 0);
        }
        buf_addc(out, '\n');
    }
}

static void below(struct buf *out, struct style s, unsigned depth, enum look look, const char *word, const char *text) {
    buf_addrep(out, ' ', 2 + known_width + 9 + 2 * (size_t)depth);
    style_add(out, s, look, word, 0);
    style_add(out, s, look, text, 0);
    buf_addc(out, '\n');
}

/* exit: of the whole plan, told at the first point of no return. */
static void print_no_return(const struct plan *p, const struct plan_line *l, struct style s, struct buf *out) {
    for (const struct plan_line *before = p->lines; before < l; before++)
        if (before->no_return) {
            below(out, s, l->depth, LOOK_BAD, "point of no return", "");
            return;
        }
    struct buf b = BUF_INIT;
    if (p->exit)
        buf_printf(&b, "; the last safe exit is after '%s'", p->exit->path);
    else
        buf_adds(&b, "; up to here nothing is changed, so stopping before it is safe");
    below(out, s, l->depth, LOOK_BAD, "point of no return", b.data);
    buf_done(&b);
}

static void print_line(const struct plan *p, const struct plan_line *l, struct style s, bool verbose, struct buf *out) {
    buf_adds(out, "  ");
    style_add(out, s, known_look(l->known), known_name(l->known), known_width);
    style_add(out, s, l->destroys ? LOOK_BAD : wills[l->will].look, wills[l->will].word, 9);
    buf_addrep(out, ' ', 2 * (size_t)l->depth);
    style_add(out, s, LOOK_BOLD, l->path, path_width > 2 * l->depth ? path_width - 2 * l->depth : 1);
    buf_addc(out, ' ');
    style_add(out, s, LOOK_PLAIN, l->will == WILL_EACH ? "" : l->title, 0);
    if (l->will == WILL_EACH)
        buf_printf(out, "%zu item(s)", l->items);
    if (l->why) {
        buf_adds(out, l->will == WILL_EACH ? " (" : "  (");
        style_add(out, s, LOOK_DIM, l->why, 0);
        buf_addc(out, ')');
    }
    buf_addc(out, '\n');
    if (l->destroys)
        below(out, s, l->depth, LOOK_BAD, "destroys ", l->destroys);
    if (l->no_return)
        print_no_return(p, l, s, out);
    if (l->approve)
        below(out, s, l->depth, LOOK_WARN, "asks: ", l->approve);
    for (size_t i = 0; i < val_len(l->attests); i++) {
        const struct val_pair *m = &l->attests->map.pairs[i];
        struct buf b = BUF_INIT;
        buf_printf(&b, "%s: ", m->key);
        val_show(m->val, &b, 0);
        below(out, s, l->depth, LOOK_BAD, "needs an attestation for ", b.data);
        buf_done(&b);
    }
    if (verbose && val_len(l->with)) {
        struct buf b = BUF_INIT;
        val_show(l->with, &b, 400);
        below(out, s, l->depth, LOOK_DIM, "with ", b.data);
        buf_done(&b);
    }
}

static void print_images(const struct plan *p, struct style s, struct buf *out) {
    static const struct {
        const char *word;
        enum look look;
        const char *advice;
    } words[] = {[IMAGE_THERE] = {"there", LOOK_DIM, NULL}, [IMAGE_MISSING] = {"MISSING", LOOK_BAD, "nothing is pulled in a recovery: load it first (docker load, or the action docker.load)"},
                 [IMAGE_UNTOLD] = {"unknown", LOOK_WARN, "whether it is there was not looked at, or its engine does not answer"}};
    if (!p->nimages)
        return;
    heading(out, s, "Images");
    for (size_t i = 0; i < p->nimages; i++) {
        const struct plan_image *im = &p->images[i];
        buf_adds(out, "  ");
        style_add(out, s, words[im->there].look, words[im->there].word, 10);
        style_add(out, s, LOOK_BOLD, im->node, 12);
        buf_addc(out, ' ');
        style_add(out, s, LOOK_PLAIN, im->image, 0);
        buf_adds(out, "  (");
        style_add(out, s, LOOK_DIM, im->path, 0);
        buf_adds(out, ")");
        if (words[im->there].advice)
            buf_printf(out, ": %s", words[im->there].advice);
        buf_addc(out, '\n');
    }
}

static void print_attests(const struct plan *p, struct style s, struct buf *out) {
    const size_t n = val_len(p->attests);
    if (!n)
        return;
    struct buf b = BUF_INIT;
    for (size_t i = 0; i < n; i++)
        buf_printf(&b, "%s%s", i ? "," : "", p->attests->map.pairs[i].key);
    buf_adds(out, "\n");
    style_add(out, s, LOOK_BAD, "Unreachable is not dead.", 0);
    buf_adds(out, " If, and only if, these machines cannot come back with their old state, say so: --attest ");
    style_add(out, s, LOOK_BOLD, b.data, 0);
    buf_addc(out, '\n');
    buf_done(&b);
}

void plan_print_text(const struct plan *p, const struct site *site, struct style s, bool verbose, struct buf *out) {
    style_add(out, s, LOOK_BOLD, p->rb->name, 0);
    buf_printf(out, " %s: ", p->rb->version ? p->rb->version : "");
    style_add(out, s, LOOK_PLAIN, p->rb->title ? p->rb->title : "", 0);
    buf_adds(out, "  (site ");
    style_add(out, s, LOOK_PLAIN, site ? site->name : "local", 0);
    buf_adds(out, ")\n");
    print_inputs(p, s, out);
    print_checks(p->pre, p->npre, "Preconditions", s, out);
    if (p->refused) {
        buf_addc(out, '\n');
        style_add(out, s, LOOK_BAD, "Refused:", 0);
        for (size_t i = 0; i < p->npre; i++)
            if (!p->pre[i].held) {
                buf_addc(out, ' ');
                style_add(out, s, LOOK_PLAIN, p->pre[i].message, 0);
                break;
            }
        buf_adds(out, "\nNothing was changed.\n");
        return;
    }
    heading(out, s, "Steps");
    for (size_t i = 0; i < p->nlines; i++)
        print_line(p, &p->lines[i], s, verbose, out);
    print_images(p, s, out);
    print_checks(p->post, p->npost, "Afterwards", s, out);
    if (p->explored)
        plan_explored_print(p->explored, s, verbose, out);
    buf_printf(out, "\n%zu act(s) would change something", p->changes);
    if (p->acts)
        buf_printf(out, "; fidelity %zu %%: the effect of %zu of them is modelled", 100 * p->modelled / p->acts, p->modelled);
    buf_adds(out, ".\n");
    print_attests(p, s, out);
    if (p->explored && !p->explored->safe) {
        style_add(out, s, LOOK_BAD, "Refused:", 0);
        buf_adds(out, " a rule would be broken. --accept-risk RULE takes the risk of one rule, by name.\n");
    }
    buf_adds(out, "Nothing was changed.\n");
}
