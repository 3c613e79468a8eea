#include "cmd/cmd.h"

#include "store/store.h"
#include "ui/asker.h"
#include "ui/out.h"
#include "ui/screens.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *user_name(void) {
    const char *name = getenv("SUDO_USER") ? getenv("SUDO_USER") : getenv("USER");
    const struct passwd *pw = name ? NULL : getpwuid(getuid());
    return name ? name : pw ? pw->pw_name : NULL;
}

static const struct val *about(struct ctx *c, const struct runbook *rb) {
    struct val *m = val_map_new(c->arena);
    char host[256] = "?";
    gethostname(host, sizeof host - 1);
    const char *user = user_name();
    val_map_set(c->arena, m, "version", val_str(c->arena, QUORATE_VERSION));
    val_map_set(c->arena, m, "host", val_str(c->arena, c->world ? "rehearsal" : host));
    if (user)
        val_map_set(c->arena, m, "user", val_str(c->arena, user));
    val_map_set(c->arena, m, "uid", val_int(c->arena, getuid()));
    val_map_set(c->arena, m, "pid", val_int(c->arena, getpid()));
    val_map_set(c->arena, m, "yes", val_bool(c->arena, c->opt.yes));
    const struct val *git = git_of(c, rb);
    if (git)
        val_map_set(c->arena, m, "git", git);
    return m;
}

static bool parallel_of(struct ctx *c, int *ret) {
    *ret = 4;
    if (!c->opt.parallel)
        return true;
    char *end;
    const long n = strtol(c->opt.parallel, &end, 10);
    if (!*c->opt.parallel || *end || n < 1 || n > 1000) {
        err_add(c->err, mark_none(), "usage", "--parallel wants a number from 1 to 1000, not '%s'", c->opt.parallel);
        return false;
    }
    *ret = (int)n;
    return true;
}

/* Why the plan cannot be run at all: 0 if it can. Told on standard error; nothing was changed. */
static int refusal(struct ctx *c, const struct plan *p) {
    const char *why = plan_refusal(c->arena, p);
    const struct def *planned = c->runner->real ? runbook_planned_only(p->rb) : NULL;
    if (!why && planned)
        why = arena_printf(c->arena, "%s cannot act yet; it can be planned and rehearsed", planned->name);
    if (why) {
        struct buf b = BUF_INIT;
        buf_adds(&b, "quorate: refused, nothing was changed: ");
        buf_add_lines(&b, why, strlen(why), 2);
        buf_addc(&b, '\n');
        out_buf(stderr, &b);
        buf_done(&b);
        return EXIT_REFUSED;
    }
    if (val_len(p->attests) && !isatty(STDIN_FILENO)) {
        struct buf b = BUF_INIT, names = BUF_INIT;
        for (size_t i = 0; i < val_len(p->attests); i++) {
            const struct val_pair *m = &p->attests->map.pairs[i];
            struct buf reason = BUF_INIT;
            val_show(m->val, &reason, 0);
            buf_adds(&b, "  ");
            buf_add_visible(&b, m->key, strlen(m->key)); /* a host's own word for itself */
            buf_adds(&b, ": ");
            buf_add_lines(&b, reason.data, reason.len, 4);
            buf_addc(&b, '\n');
            buf_adds(&names, i ? "," : "");
            buf_add_visible(&names, m->key, strlen(m->key));
            buf_done(&reason);
        }
        out_printf(stderr,
                "quorate: refused, nothing was changed: an attestation is missing. Unreachable is not dead.\n%s"
                "If, and only if, these machines cannot come back with their old state, say so: --attest %s\n",
                b.data, names.data);
        buf_done(&b);
        buf_done(&names);
        return EXIT_APPROVAL;
    }
    return 0;
}

struct asker *asker_of(struct ctx *c) {
    return asker_new(c->arena, c->loop, c->opt.yes, c->opt.approve.items, c->opt.approve.n);
}

int execute(struct ctx *c, const struct execution *e) {
    int parallel;
    struct explore_limits limits;
    const char *const *accepted;
    if (!parallel_of(c, &parallel) || !explore_options(c, &limits, &accepted))
        return EXIT_USAGE;
    struct screen *screens[2] = {NULL};
    if (c->opt.output && !strcmp(c->opt.output, "json"))
        screens[0] = screen_json(c->arena, stdout);
    else
        screens[0] = screen_plain(c->arena, stdout, c->style, c->opt.verbose);
    const struct val *run = val_map_with(c->arena, c->run_val, "id", val_str(c->arena, e->run_id));
    c->task_world.run = run;
    char *folder = getcwd(NULL, 0);
    const struct exec_spec spec = {.ld = &c->loader, .loop = c->loop, .store = e->store, .runner = c->runner, .asker = e->asker, .screens = screens,
                                   .run_id = e->run_id, .plan = e->plan, .state = e->state, .site = c->site_val, .run = run, .about = about(c, e->plan->rb),
                                   .parallel = parallel, .limits = limits, .accepted = accepted, .lock = e->lock, .locked = e->locked, .resume = e->resume,
                                   .asked = c->argv[0], .folder = folder ? arena_strdup(c->arena, folder) : NULL,
                                   .plan_id = c->saved ? c->saved->id : NULL, .plan_digest = c->saved_digest};
    free(folder);
    const int status = exec_run(c->arena, &spec, c->err);
    const char *code = status == EXIT_JOURNAL && c->err->first ? c->err->first->code : "";
    return !strcmp(code, "plan-used") ? EXIT_REFUSED /* by another process, since saved_usable */ : !strcmp(code, "usage") ? EXIT_USAGE : status;
}

static int lock_and_execute(struct ctx *c, struct prepared *p, struct execution *e) {
    int status = lock_begin(c, p->rb, e->run_id, false, e->asker, &e->lock, &e->locked);
    if (!status && e->lock)
        status = lock_look_again(c, p);
    e->plan = p->plan;
    e->state = p->state;
    if (!status)
        status = execute(c, e);
    lock_end(c, e->lock);
    return status;
}

static int execute_new(struct ctx *c, struct prepared *p) {
    struct execution e = {.run_id = exec_run_id(c->arena, c->clock), .asker = asker_of(c)};
    if (!journal_open(c, JOURNAL_WRITE, &e.store))
        return EXIT_JOURNAL;
    const int status = e.store->ops->own(e.store, e.run_id, c->err) ? lock_and_execute(c, p, &e) : EXIT_JOURNAL;
    e.store->ops->close(e.store);
    return status;
}

/* What --fail and --event ask for, checked against the runbook. */
static bool inject(struct ctx *c, const struct prepared *p, struct injections **ret) {
    const struct words *words[] = {&c->opt.fail, &c->opt.event};
    static const char *const names[] = {"--fail", "--event"};
    struct injections *l = injections_new(c->arena);
    bool ok = true;
    for (size_t k = 0; k < 2; k++)
        for (size_t i = 0; i < words[k]->n; i++) {
            const char *word = words[k]->items[i];
            const struct source *src = source_new(c->arena, names[k], word, strlen(word));
            ok &= inject_parse(l, k == 1, word, mark_at(src, 0, strlen(word)), c->err);
        }
    if (!inject_check(l, p->rb, c->lib, c->err) || !ok)
        return false;
    if (c->world)
        runner_world_inject(c->runner, l, val_get(c->run_val, "attested"));
    *ret = l;
    return true;
}

static int plan_and_execute(struct ctx *c) {
    struct prepared p;
    struct injections *injections;
    if (!saved_begin(c) || !ctx_world(c, true) || !prepare(c, c->argv[0], &p)) {
        const int status = ctx_report(c);
        return status ? status : EXIT_INVALID;
    }
    if (!inject(c, &p, &injections)) {
        prepared_free(&p);
        return ctx_report(c);
    }
    int status = saved_moved(c, &p);
    if (!status)
        status = refusal(c, p.plan);
    if (!status) {
        status = execute_new(c, &p);
        if (!inject_judge(injections, c->err))
            status = EXIT_INVALID;
    }
    ctx_report(c);
    prepared_free(&p);
    return status;
}

int cmd_run(struct ctx *c) {
    if (c->opt.world) {
        out_printf(stderr, "quorate: 'run' acts on the real world; to act on a world file: quorate rehearse %s --world %s\n", c->argv[0], c->opt.world);
        return EXIT_USAGE;
    }
    return plan_and_execute(c);
}

int cmd_rehearse(struct ctx *c) {
    if (!c->opt.world) {
        out_printf(stderr, "quorate: 'rehearse' needs the world to rehearse on: --world FILE\n");
        return EXIT_USAGE;
    }
    return plan_and_execute(c);
}
