#include "cmd/cmd.h"

#include "base/redact.h"
#include "ui/out.h"

#include <getopt.h>
#include <stddef.h>
#include <string.h>

enum { LANGUAGE = OPT_SITE | OPT_LIBRARY, BINDING = LANGUAGE | OPT_REV | OPT_INPUT | OPT_ATTEST | OPT_VERBOSE | OPT_OUTPUT | OPT_WORLD | OPT_EXPLORE };

const struct command_info command_infos[] = {
    {"check", "RUNBOOK...", "Read runbooks and check everything that needs no cluster.", LANGUAGE | OPT_REV, 1, -1, cmd_check},
    {"diagnose", "", "Probe everything, layer by layer, and tell what is wrong and which runbook applies. Exit 1 if something is wrong.",
     LANGUAGE | OPT_REV | OPT_OUTPUT | OPT_WORLD, 0, 0, cmd_diagnose},
    {"plan", "RUNBOOK|PLAN", "Probe the cluster and show what a run would do, and how that is known. Changes nothing.", BINDING | OPT_SAVE, 1, 1, cmd_plan},
    {"run", "RUNBOOK|PLAN", "Plan, and then carry it out; or carry out a saved plan, if a plan made now is still the same.",
     BINDING | OPT_YES | OPT_STORE | OPT_PARALLEL, 1, 1, cmd_run},
    {"resume", "RUN", "Take a run up ('last' for the newest) that had broken off, was stopped, or waits for an answer.",
     LANGUAGE | OPT_REV | OPT_INPUT | OPT_ATTEST | OPT_VERBOSE | OPT_OUTPUT | OPT_YES | OPT_STORE | OPT_PARALLEL | OPT_RESUME, 1, 1, cmd_resume},
    {"rehearse", "RUNBOOK|PLAN --world FILE", "The same on the world of a file, in virtual time.", BINDING | OPT_YES | OPT_PARALLEL | OPT_SEED | OPT_INJECT, 1, 1,
     cmd_rehearse},
    {"test", "[DIR|FILE|RUNBOOK...]", "Run the cases of *.test.yaml, each on a world of its own, and tell which branches none has visited.",
     LANGUAGE | OPT_OUTPUT | OPT_VERBOSE | OPT_COVERAGE, 0, -1, cmd_test},
    {"capture", "", "Print the cluster as it is now as a world file, for rehearsals and tests. It has no secrets.", LANGUAGE | OPT_OUTPUT | OPT_WORLD, 0, 0,
     cmd_capture},
    {"runs", "", "List the runs of the journal, newest first.", OPT_SITE | OPT_STORE | OPT_OUTPUT, 0, 0, cmd_runs},
    {"show", "RUN", "Tell what happened in a run ('last' for the newest).", LANGUAGE | OPT_STORE | OPT_OUTPUT | OPT_VERBOSE, 1, 1, cmd_show},
    {"export", "RUN", "Print a run ('last' for the newest) as one file with a checksum, for quorate import.", OPT_SITE | OPT_STORE, 1, 1, cmd_export},
    {"import", "FILE", "Put an exported run into the journal. A run that is there already must be the same.", OPT_SITE | OPT_STORE, 1, 1, cmd_import},
    {"unlock", "[RUN]", "Tell who holds the lock of the cluster; with the ID of a run that will never go on, remove what that run left.",
     OPT_SITE | OPT_YES, 0, 1, cmd_unlock},
    {"doc", "[NAME]", "What an action, a probe, a function or a runbook is for; without a name, what there is.", LANGUAGE, 0, 1, cmd_doc},
    {"schema", "[runbook|test]", "The JSON Schema of runbooks, or of their tests, for editors.", 0, 0, 1, cmd_schema},
    {0},
};

enum option_kind { KIND_TEXT, KIND_WORDS, KIND_FLAG };

static const struct option_info {
    const char *name;
    char letter;
    const char *arg;
    unsigned bit; /* 0: every command takes it */
    enum option_kind kind;
    size_t at; /* in struct options */
    const char *text;
} option_infos[] = {
    {"site", 's', "FILE", OPT_SITE, KIND_TEXT, offsetof(struct options, site), "the site; default: $QUORATE_SITE, or site.yaml here if there is one"},
    {"library", 'L', "DIR", OPT_LIBRARY, KIND_WORDS, offsetof(struct options, library),
     "a folder with stdlib/ and runbooks/ that goes before the built-in one ($QUORATE_LIBRARY)"},
    {"rev", 0, "COMMIT", OPT_REV, KIND_TEXT, offsetof(struct options, rev), "the library's folders as of a commit of git; the work tree is not touched"},
    {"input", 'i', "NAME=VALUE", OPT_INPUT, KIND_WORDS, offsetof(struct options, inputs), "an input; NAME=@FILE reads YAML from a file"},
    {"inputs", 'I', "FILE", OPT_INPUT, KIND_TEXT, offsetof(struct options, inputs_file), "inputs from a YAML file"},
    {"attest", 'A', "NODE,...", OPT_ATTEST, KIND_WORDS, offsetof(struct options, attest),
     "these machines cannot come back with their old state; never implied by --yes"},
    {"yes", 'y', NULL, OPT_YES, KIND_FLAG, offsetof(struct options, yes), "answer every approval with yes (journaled)"},
    {"approve", 0, "STEP", OPT_RESUME, KIND_WORDS, offsetof(struct options, approve), "answer the approval of this step with yes (journaled)"},
    {"done", 0, "STEP", OPT_RESUME, KIND_WORDS, offsetof(struct options, done), "this step was done by hand; counts only if the state shows it"},
    {"skip", 0, "STEP", OPT_RESUME, KIND_WORDS, offsetof(struct options, skip), "this step is not wanted any more; with --because"},
    {"because", 0, "WHY", OPT_RESUME, KIND_TEXT, offsetof(struct options, because), "the reason for --skip (journaled)"},
    {"world", 'w', "FILE", OPT_WORLD, KIND_TEXT, offsetof(struct options, world), "the world of this file instead of the real one"},
    {"store", 'S', "URL", OPT_STORE, KIND_TEXT, offsetof(struct options, store), "the journal: sqlite:PATH or etcd://HOST:PORT,...; default: the site's, or below $XDG_STATE_HOME"},
    {"parallel", 'j', "N", OPT_PARALLEL, KIND_TEXT, offsetof(struct options, parallel), "acts at a time in the whole run (default 4)"},
    {"events", 0, "N", OPT_EXPLORE, KIND_TEXT, offsetof(struct options, events), "events of the cluster's own on one way that is explored (default 1)"},
    {"max-states", 0, "N", OPT_EXPLORE, KIND_TEXT, offsetof(struct options, max_states), "states to explore at most (default 200000)"},
    {"accept-risk", 0, "RULE", OPT_EXPLORE, KIND_WORDS, offsetof(struct options, accept_risk), "do not refuse a plan for this rule (journaled)"},
    {"seed", 0, "N", OPT_SEED, KIND_TEXT, offsetof(struct options, seed), "of the random numbers of a rehearsal"},
    {"fail", 0, "STEP[#N][:HOW]", OPT_INJECT, KIND_WORDS, offsetof(struct options, fail),
     "let a step (at its Nth attempt) end so: failed, lost, lost-before or as its action declares; a wait: timeout, holds"},
    {"event", 0, "STEP:EVENT[=CHOICE]", OPT_INJECT, KIND_WORDS, offsetof(struct options, event), "let something happen to the cluster when a step begins"},
    {"out", 'O', "FILE", OPT_SAVE, KIND_TEXT, offsetof(struct options, out), "save the plan, for quorate run FILE"},
    {"detailed-exitcode", 0, NULL, OPT_SAVE, KIND_FLAG, offsetof(struct options, detailed), "exit with 10 if the plan changes anything"},
    {"min-coverage", 0, "N", OPT_COVERAGE, KIND_TEXT, offsetof(struct options, min_coverage), "fail if the cases visit less than N % of a runbook's branches"},
    {"output", 'o', "", OPT_OUTPUT, KIND_TEXT, offsetof(struct options, output), "how it is told; the first is the default"},
    {"verbose", 'v', NULL, OPT_VERBOSE, KIND_FLAG, offsetof(struct options, verbose), "more"},
    {"color", 0, "WHEN", 0, KIND_TEXT, offsetof(struct options, color), "auto (default), always or never"},
    {"help", 'h', NULL, 0, KIND_FLAG, offsetof(struct options, help), "this text"},
};
enum { noptions = sizeof option_infos / sizeof *option_infos };

/* Which words -o takes where they are others than text and json. */
static const struct {
    const char *command;
    const char *words[6];
} outputs[] = {
    {"test", {"text", "tap", "junit", NULL}},
    {"capture", {"yaml", "json", NULL}},
    {"", {"text", "json", NULL}}, /* all others */
};

static const char *const *output_words(const struct command_info *cmd) {
    size_t i = 0;
    while (*outputs[i].command && strcmp(outputs[i].command, cmd->name) != 0)
        i++;
    return outputs[i].words;
}

static void print_options(FILE *out, const struct command_info *cmd) {
    for (int i = 0; i < noptions; i++) {
        const struct option_info *o = &option_infos[i];
        if (o->bit && !(o->bit & cmd->options))
            continue;
        char left[64];
        int n = snprintf(left, sizeof left, "--%s%s%s", o->name, o->arg ? " " : "", o->arg ? o->arg : "");
        for (const char *const *w = output_words(cmd); o->bit == OPT_OUTPUT && *w; w++) /* not the same for all */
            n += snprintf(left + n, sizeof left - (size_t)n, "%s%s", w == output_words(cmd) ? "" : "|", *w);
        if (o->letter)
            out_printf(out, "  -%c, %-22s %s\n", o->letter, left, o->text);
        else
            out_printf(out, "      %-22s %s\n", left, o->text);
    }
}

static void print_help(FILE *out, const struct command_info *cmd) {
    if (cmd) {
        out_printf(out, "usage: quorate %s%s%s [OPTION...]\n\n%s\n\n", cmd->name, *cmd->args ? " " : "", cmd->args, cmd->text);
        print_options(out, cmd);
        return;
    }
    out_adds(out, "usage: quorate COMMAND [WORD...] [OPTION...]\n\nRunbooks for clusters that have lost their quorum.\n\n");
    for (const struct command_info *i = command_infos; i->name; i++)
        out_printf(out, "  %-10s %s\n", i->name, i->text);
    out_adds(out, "\nquorate COMMAND --help tells the options of a command; quorate --version the version.\n\n"
          "exit status: 0 done, 1 a step failed or something is wrong, 2 usage, 3 the runbook, site or input is invalid, 4 refused by a precondition or a rule,\n"
          "  5 an approval or attestation is missing or denied, 6 the world moved, 7 the outcome of a step is unknown,\n"
          "  8 locked by another run, 9 the journal or the machine failed, 10 the plan changes something (with --detailed-exitcode),\n  11 every step ended well but a postcondition does not hold, 130 interrupted\n");
}

static void words_add(struct arena *a, struct words *w, const char *s) {
    const char **items = arena_array(a, const char *, w->n + 1);
    if (w->n)
        memcpy(items, w->items, w->n * sizeof *items);
    items[w->n++] = s;
    w->items = items;
}

static bool take_option(struct ctx *c, const struct command_info *cmd, const struct option_info *o, const char *arg) {
    void *at = (char *)&c->opt + o->at;
    if (o->bit && !(o->bit & cmd->options)) {
        out_printf(stderr, "quorate: '%s' does not take --%s; see quorate %s --help\n", cmd->name, o->name, cmd->name);
        return false;
    }
    if (o->kind == KIND_FLAG)
        *(bool *)at = true;
    else if (o->kind == KIND_TEXT)
        *(const char **)at = arg;
    else
        words_add(c->arena, at, arg);
    return true;
}

static bool read_options(struct ctx *c, const struct command_info *cmd, int argc, char **argv) {
    struct option longs[noptions + 1] = {0};
    char shorts[2 * noptions + 2] = "", *s = shorts;
    for (int i = 0; i < noptions; i++) {
        const struct option_info *o = &option_infos[i];
        longs[i] = (struct option){o->name, o->arg ? required_argument : no_argument, NULL, o->letter ? o->letter : 256 + i};
        if (o->letter) {
            *s++ = o->letter;
            if (o->arg)
                *s++ = ':';
        }
    }
    for (int ch; (ch = getopt_long(argc, argv, shorts, longs, NULL)) != -1;) {
        const struct option_info *found = NULL;
        for (int i = 0; i < noptions; i++)
            if (longs[i].val == ch)
                found = &option_infos[i];
        if (!found) {
            out_printf(stderr, "See quorate %s --help\n", cmd->name);
            return false;
        }
        if (!take_option(c, cmd, found, optarg))
            return false;
    }
    c->argc = argc - optind;
    c->argv = argv + optind;
    return true;
}

static const struct command_info *command_named(const char *name) {
    const char *names[32];
    size_t n = 0;
    for (const struct command_info *i = command_infos; i->name; i++) {
        if (!strcmp(i->name, name))
            return i;
        names[n++] = i->name;
    }
    const char *near = nearest_name(name, names, n);
    out_printf(stderr, "quorate: unknown command '%s'%s%s%s; see quorate --help\n", name, near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "");
    return NULL;
}

static bool output_known(const struct ctx *c, const struct command_info *cmd) {
    const char *o = c->opt.output;
    for (const char *const *w = output_words(cmd); *w; w++)
        if (!o || !strcmp(o, *w))
            return true;
    out_printf(stderr, "quorate: unknown output '%s'; accepted: ", o);
    for (const char *const *w = output_words(cmd); *w; w++)
        out_printf(stderr, "%s%s", *w, w[1] ? ", " : "\n");
    return false;
}

int main(int argc, char **argv) {
    if (argc < 2 || !strcmp(argv[1], "help") || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
        const struct command_info *cmd = argc > 2 ? command_named(argv[2]) : NULL;
        if (argc > 2 && !cmd)
            return EXIT_USAGE;
        print_help(argc < 2 ? stderr : stdout, cmd);
        return argc < 2 ? EXIT_USAGE : EXIT_DONE;
    }
    if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "version")) {
        out_adds(stdout, "quorate " QUORATE_VERSION "\n");
        return EXIT_DONE;
    }
    const struct command_info *cmd = command_named(argv[1]);
    if (!cmd)
        return EXIT_USAGE;
    struct arena *a = arena_new();
    struct ctx c = {.arena = a, .err = err_new(a)};
    int status = EXIT_USAGE;
    if (!read_options(&c, cmd, argc - 1, argv + 1) || !output_known(&c, cmd)) {
        status = EXIT_USAGE;
    } else if (c.opt.help) {
        print_help(stdout, cmd);
        status = EXIT_DONE;
    } else if (c.argc < cmd->min_args || (cmd->max_args >= 0 && c.argc > cmd->max_args)) {
        out_printf(stderr, "usage: quorate %s %s\nSee quorate %s --help\n", cmd->name, cmd->args, cmd->name);
    } else {
        c.style = style_for(stdout, c.opt.color);
        status = cmd->run(&c);
    }
#ifndef __SANITIZE_ADDRESS__
    c.box = NULL; /* it goes with the process: taking down thousands of states one by one takes a tenth of a plan */
#endif
    ctx_close(&c);
    arena_free(a);
    redact_wipe();
    if (fflush(stdout) || ferror(stdout)) {
        out_printf(stderr, "quorate: standard output could not be written\n");
        return status ? status : EXIT_JOURNAL;
    }
    return status;
}
