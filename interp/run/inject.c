#include "run/inject.h"

#include "plan/plan.h"

#include <stdlib.h>
#include <string.h>

struct injections *injections_new(struct arena *a) {
    struct injections *l = arena_new_of(a, struct injections);
    *l = (struct injections){.arena = a};
    return l;
}

/* ---- reading ---- */

/* The first byte of s that is c and not between brackets; the end of s if there is none. */
static const char *outside(const char *s, char c) {
    int depth = 0;
    for (; *s && (*s != c || depth > 0); s++)
        depth += *s == '[' ? 1 : *s == ']' && depth ? -1 : 0;
    return s;
}

static bool attempt_read(const char *s, int *ret) {
    char *end;
    const long n = strtol(s, &end, 10);
    if (*s < '1' || *s > '9' || *end || n > 1000000)
        return false;
    *ret = (int)n;
    return true;
}

static struct injection *append(struct injections *l, struct injection in) {
    if (l->n == l->cap) {
        l->cap = l->cap ? l->cap * 2 : 8;
        struct injection *items = arena_array(l->arena, struct injection, l->cap);
        if (l->n)
            memcpy(items, l->items, l->n * sizeof *items);
        l->items = items;
    }
    l->items[l->n] = in;
    return &l->items[l->n++];
}

/* Takes "STEP#ATTEMPT" apart. */
static bool step_read(struct arena *a, const char *step, struct injection *in, struct err *err) {
    const char *hash = outside(step, '#');
    in->step = arena_strndup(a, step, (size_t)(hash - step));
    if (!*hash || attempt_read(hash + 1, &in->attempt))
        return true;
    struct diag *d = err_add(err, in->mark, "injection", "'%s' is not the number of an attempt", hash + 1);
    diag_hint(err, d, "as in %s#2", in->step);
    return false;
}

bool inject_add(struct injections *l, bool is_event, const char *step, const char *what, struct mark at, struct err *err) {
    struct arena *a = l->arena;
    struct injection in = {.is_event = is_event, .mark = at};
    in.text = what ? arena_printf(a, "%s:%s", step, what) : arena_strdup(a, step);
    if (!step_read(a, step, &in, err))
        return false;
    if (!*in.step || (what && !*what) || (is_event && !what)) {
        struct diag *d = err_add(err, at, "injection", "'%s' names no %s", in.text, !*in.step ? "step" : is_event ? "event" : "outcome");
        diag_note(err, d, is_event ? "wanted: STEP:EVENT or STEP:EVENT=CHOICE, as in grace:swarm.old_managers_return=node2"
                                   : "wanted: STEP[#ATTEMPT][:OUTCOME], as in replace[node2].join#1:failed");
        return false;
    }
    if (is_event) {
        const char *eq = strchr(what, '=');
        in.event_name = eq ? arena_strndup(a, what, (size_t)(eq - what)) : arena_strdup(a, what);
        in.choice = eq ? arena_strdup(a, eq + 1) : NULL;
    } else if (what) {
        in.outcome = arena_strdup(a, what);
    }
    append(l, in);
    return true;
}

bool inject_set(struct injections *l, const char *step, const struct val *set, struct mark at, struct err *err) {
    struct injection in = {.text = arena_strdup(l->arena, step), .is_event = true, .set = set, .mark = at};
    if (!step_read(l->arena, step, &in, err))
        return false;
    append(l, in);
    return true;
}

bool inject_parse(struct injections *l, bool is_event, const char *text, struct mark at, struct err *err) {
    const char *colon = outside(text, ':');
    const char *step = arena_strndup(l->arena, text, (size_t)(colon - text));
    return inject_add(l, is_event, step, *colon ? colon + 1 : NULL, at, err);
}

/* ---- which steps ---- */

/* One part of a path or of a pattern: "join[node3]". */
struct part_of_path {
    const char *id, *key;
    size_t idlen, keylen; /* key NULL: no [item] */
};

/* Takes the first part of *s and moves *s behind it. */
static struct part_of_path part_next(const char **s) {
    const char *end = outside(*s, '.');
    struct part_of_path p = {.id = *s};
    const char *open = memchr(*s, '[', (size_t)(end - *s));
    p.idlen = (size_t)((open ? open : end) - *s);
    if (open && end > open + 1) {
        p.key = open + 1;
        p.keylen = (size_t)(end - open) - 2; /* without the ']' */
    }
    *s = *end ? end + 1 : end;
    return p;
}

static bool part_fits(const struct part_of_path *pattern, const struct part_of_path *p) {
    if (pattern->idlen != p->idlen || memcmp(pattern->id, p->id, p->idlen) != 0)
        return false;
    return !pattern->key || (p->key && pattern->keylen == p->keylen && !memcmp(pattern->key, p->key, p->keylen));
}

static bool path_fits(const char *pattern, const char *path) {
    const bool anywhere = !*outside(pattern, '.'); /* a single id */
    struct part_of_path want, is = {0};
    if (anywhere) {
        while (*path)
            is = part_next(&path);
        want = part_next(&pattern);
        return part_fits(&want, &is);
    }
    while (*pattern && *path) {
        want = part_next(&pattern);
        is = part_next(&path);
        if (!part_fits(&want, &is))
            return false;
    }
    return !*pattern && !*path;
}

/* ---- checking ---- */

struct search {
    struct injection *in;
    struct arena *arena;
    struct err *err;
    const char **paths; /* of all acts and waits, without items */
    size_t npaths, cap;
    size_t found;
    bool ok;
};

static const char *without_items(struct arena *a, const char *pattern) {
    struct buf b = BUF_INIT;
    while (*pattern) {
        const struct part_of_path p = part_next(&pattern);
        buf_printf(&b, "%s%.*s", b.len ? "." : "", (int)p.idlen, p.id);
    }
    const char *s = arena_strdup(a, b.len ? b.data : "");
    buf_done(&b);
    return s;
}

static void outcome_check(struct search *s, const struct step *st, const char *path) {
    struct injection *in = s->in;
    const char *names[64];
    size_t n = 0;
    if (!in->outcome)
        in->outcome = st->kind == STEP_WAIT ? "timeout" : "failed";
    if (st->kind == STEP_WAIT) {
        names[n++] = "timeout";
        names[n++] = "holds";
    } else {
        names[n++] = "failed";
        if (st->kind != STEP_PROBE) {
            names[n++] = "lost";
            names[n++] = "lost-before";
        }
        for (size_t i = 0; st->kind == STEP_ACTION && i < st->def->noutcomes && n < sizeof names / sizeof *names; i++)
            names[n++] = st->def->outcomes[i].name;
    }
    for (size_t i = 0; i < n; i++)
        if (!strcmp(names[i], in->outcome)) {
            if (strcmp(in->outcome, "holds") || st->neffects)
                return;
            struct diag *d = err_add(s->err, in->mark, "injection", "'%s' has no `effect:`, so nothing says what the world is like once it holds", path);
            diag_note(s->err, d, "give the step an `effect:`, or bring it about by an event");
            s->ok = false;
            return;
        }
    struct diag *d = err_add(s->err, in->mark, "unknown-outcome", "'%s' cannot come to '%s'", path, in->outcome);
    diag_accepted(s->err, d, in->outcome, names, n);
    s->ok = false;
}

static bool begins(const struct step *st) {
    return st->kind == STEP_ACTION || st->kind == STEP_PROBE || st->kind == STEP_COMMAND || st->kind == STEP_WAIT;
}

static void search_list(struct search *s, const char *owner, struct step *const *steps, size_t n);

static void search_step(struct search *s, const char *owner, const struct step *st) {
    const char *path = path_step(s->arena, owner, st);
    if (begins(st)) {
        if (s->npaths == s->cap) {
            s->cap = s->cap ? 2 * s->cap : 64;
            const char **all = arena_array(s->arena, const char *, s->cap);
            if (s->npaths)
                memcpy(all, s->paths, s->npaths * sizeof *all);
            s->paths = all;
        }
        s->paths[s->npaths++] = path;
    }
    if (path_fits(without_items(s->arena, s->in->step), path)) {
        s->found++;
        if (!begins(st)) {
            struct diag *d = err_add(s->err, s->in->mark, "injection", "'%s' only holds other steps: name one of those", path);
            diag_note(s->err, d, "'%s' was asked for", s->in->text);
            s->ok = false;
        } else if (!s->in->is_event && s->ok) {
            outcome_check(s, st, path);
        }
    }
    search_list(s, path, st->children, st->nchildren);
    search_list(s, path, st->rescue, st->nrescue);
    if (st->sub)
        search_list(s, path, st->sub->root->children, st->sub->root->nchildren);
}

static void search_list(struct search *s, const char *owner, struct step *const *steps, size_t n) {
    for (size_t i = 0; i < n; i++)
        search_step(s, owner, steps[i]);
}

bool inject_check(struct injections *l, const struct runbook *rb, struct library *lib, struct err *err) {
    bool ok = true;
    for (size_t i = 0; i < l->n; i++) {
        struct injection *in = &l->items[i];
        struct search s = {.in = in, .arena = l->arena, .err = err, .ok = true};
        search_list(&s, "", rb->root->children, rb->root->nchildren);
        if (!s.found) {
            struct diag *d = err_add(err, in->mark, "unknown-step", "the runbook %s has no step '%s'", rb->name, in->step);
            diag_accepted(err, d, without_items(l->arena, in->step), s.paths, s.npaths);
            s.ok = false;
        }
        if (in->is_event && !in->set && s.ok) {
            in->event = library_get(lib, in->event_name, DEF_EVENT, in->mark, err);
            s.ok = in->event != NULL;
        }
        ok &= s.ok;
    }
    return ok;
}

/* ---- in the run ---- */

struct injection *inject_outcome(struct injections *l, const char *path, int attempt) {
    struct injection *best = NULL;
    for (size_t i = 0; l && i < l->n; i++) {
        struct injection *in = &l->items[i];
        if (in->is_event || (in->attempt && in->attempt != attempt) || !path_fits(in->step, path))
            continue;
        if (!best || (in->attempt && !best->attempt))
            best = in;
    }
    if (best)
        best->met = true;
    return best;
}

struct injection *inject_event(struct injections *l, const char *path, int attempt) {
    for (size_t i = 0; l && i < l->n; i++) {
        struct injection *in = &l->items[i];
        if (!in->is_event || in->met || (in->attempt ? in->attempt : 1) != attempt || !path_fits(in->step, path))
            continue;
        in->met = true;
        return in;
    }
    return NULL;
}

bool inject_judge(const struct injections *l, struct err *err) {
    bool ok = true;
    for (size_t i = 0; i < l->n; i++) {
        const struct injection *in = &l->items[i];
        if (in->problem)
            err_add(err, in->mark, "injection", "'%s' did not take place: %s", in->text, in->problem);
        else if (!in->met)
            err_add(err, in->mark, "injection", "'%s' did not take place: the run never came by that step%s", in->text,
                    in->attempt ? " in that attempt" : strchr(in->step, '[') ? " of that item" : "");
        else if (!in->done)
            err_add(err, in->mark, "injection", "'%s' did not take place", in->text);
        ok &= in->done && !in->problem;
    }
    return ok;
}

const char *inject_choice_text(struct arena *a, const struct val *choice) {
    struct buf b = BUF_INIT;
    if (val_is(choice, VAL_LIST))
        for (size_t i = 0; i < val_len(choice); i++) {
            buf_adds(&b, i ? ", " : "");
            val_show(val_at(choice, i), &b, 0);
        }
    else
        val_show(choice, &b, 0);
    const char *s = arena_strdup(a, b.len ? b.data : "");
    buf_done(&b);
    return s;
}
