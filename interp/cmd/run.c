#include "cmd/cmd.h"

#include "store/store.h"
#include "ui/asker.h"
#include "ui/screens.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct val *about(struct ctx *c, const struct runbook *rb) {
    struct val *m = val_map_new(c->arena);
    char host[256] = "?";
    gethostname(host, sizeof host - 1);
    const char *user = getenv("SUDO_USER") ? getenv("SUDO_USER") : getenv("USER");
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
        buf_add_visible(&b, why, strlen(why));
        buf_addc(&b, '\n');
        fwrite(b.data, 1, b.len, stderr);
        buf_done(&b);
        return EXIT_REFUSED;
    }
    if (val_len(p->attests) && !isatty(STDIN_FILENO)) {
        struct buf b = BUF_INIT, names = BUF_INIT;
        for (size_t i = 0; i < val_len(p->attests); i++) {
            const struct val_pair *m = &p->attests->map.pairs[i];
            buf_printf(&b, "  %s: ", m->key);
            val_show(m->val, &b, 0);
            buf_addc(&b, '\n');
            buf_printf(&names, "%s%s", i ? "," : "", m->key);
        }
        fprintf(stderr,
                "quorate: refused, nothing was changed: an attestation is missing. Unreachable is not dead.\n%s"
                "If, and only if, these machines cannot come back with their old state, say so: --attest %s\n",
                b.data, names.data);
        buf_done(&b);
        buf_done(&names);
        return EXIT_APPROVAL;
    }
    return 0;
}

static int execute(struct ctx *c, struct prepared *p) {
    struct mark at = mark_none();
    const char *url = c->world ? "sqlite::memory:" : ctx_store(c, &at);
    struct store *store;
    int parallel;
    if (!parallel_of(c, &parallel))
        return EXIT_USAGE;
    if (!store_open(c->arena, c->loop, url, at, &store, c->err))
        return EXIT_JOURNAL;
    const char *id = exec_run_id(c->arena, c->clock);
    struct screen *screens[2] = {NULL};
    if (c->opt.output && !strcmp(c->opt.output, "json"))
        screens[0] = screen_json(c->arena, stdout);
    else
        screens[0] = screen_plain(c->arena, stdout, c->style, c->opt.verbose);
    const struct val *run = val_map_with(c->arena, c->run_val, "id", val_str(c->arena, id));
    c->task_world.run = run;
    struct explore_limits limits;
    const char *const *accepted;
    if (!explore_options(c, &limits, &accepted))
        return EXIT_USAGE;
    struct asker *asker = asker_new(c->arena, c->loop, c->opt.yes);
    struct locker *lock;
    const struct val *locked;
    int status = lock_begin(c, p->rb, id, false, asker, &lock, &locked);
    if (!status && lock)
        status = lock_look_again(c, p);
    if (status) {
        lock_end(c, lock);
        store->ops->close(store);
        return status;
    }
    const struct exec_spec spec = {.ld = &c->loader, .loop = c->loop, .store = store, .runner = c->runner,
                                   .asker = asker, .screens = screens, .run_id = id, .plan = p->plan,
                                   .state = p->state, .site = c->site_val, .run = run, .about = about(c, p->rb), .parallel = parallel, .limits = limits, .accepted = accepted, .lock = lock, .locked = locked,
                                   .plan_id = c->saved ? c->saved->id : NULL, .plan_digest = c->saved_digest};
    status = exec_run(c->arena, &spec, c->err);
    lock_end(c, lock);
    if (status == EXIT_JOURNAL && c->err->first && !strcmp(c->err->first->code, "plan-used")) /* by another process, since saved_usable */
        status = EXIT_REFUSED;
    store->ops->close(store);
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
        status = execute(c, &p);
        if (!inject_judge(injections, c->err))
            status = EXIT_INVALID;
    }
    ctx_report(c);
    prepared_free(&p);
    return status;
}

int cmd_run(struct ctx *c) {
    if (c->opt.world) {
        fprintf(stderr, "quorate: 'run' acts on the real world; to act on a world file: quorate rehearse %s --world %s\n", c->argv[0], c->opt.world);
        return EXIT_USAGE;
    }
    return plan_and_execute(c);
}

int cmd_rehearse(struct ctx *c) {
    if (!c->opt.world) {
        fprintf(stderr, "quorate: 'rehearse' needs the world to rehearse on: --world FILE\n");
        return EXIT_USAGE;
    }
    return plan_and_execute(c);
}
