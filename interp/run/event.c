#include "run/event.h"

#include "base/redact.h"
#include "value/json.h"
#include "value/redacted.h"

#include <assert.h>
#include <string.h>

const struct event_info event_infos[EV_COUNT] = {
    [EV_RUN_STARTED] = {"run.started", "A run began.",
                        {{"run", "its id"}, {"runbook", "name"}, {"version", "of the runbook"}, {"file", "where its text was read"}, {"digest", "SHA-256 of the runbook's text"},
                         {"library", "digest of the library files in use"}, {"site", "name"}, {"inputs", "as bound; secrets as ***"},
                         {"attested", "members of whom a person said that they cannot come back with their old state"},
                         {"accepted", "risks that were accepted by name: {rule: what can be broken and how}"},
                         {"plan", "id and SHA-256 of the saved plan that is carried out; absent without one"},
                         {"about", "host, user, process, program version"}, {"real", "false for a rehearsal"},
                         {"asked", "the word on the command line: a name or a file"}, {"folder", "where files are looked for"},
                         {"planned", "what the plan knew of its lines: {path: {will, with, why, arrival}}"}, {"steps", "digests of its steps: {id: SHA-256}"}}},
    [EV_OBSERVED] = {"state.observed", "A part of the state was probed and differs from what was known.",
                     {{"part", "name"}, {"value", "what the probe returned"}}},
    [EV_OPENED] = {"step.opened", "The step's turn came; its items are fixed from here.",
                   {{"items", "what for_each yielded; absent without one"}}},
    [EV_SKIPPED] = {"step.skipped", "The step does not run.",
                    {{"why", "the reason"}, {"blocked", "true if something it needs did not end well"}}},
    [EV_ASKED] = {"approval.asked", "A person is asked before the step goes on.",
                  {{"question", "the text"}, {"attest", "the member that must be attested; absent for an approval"}}},
    [EV_ANSWERED] = {"approval.answered", "The answer to it.",
                     {{"yes", "whether it was approved"}, {"how", "by what: terminal, --yes, denied, no terminal"}, {"attest", "as asked"},
                      {"no", "of the question whether it happened: that it did not"}}},
    [EV_BOUND] = {"runbook.bound", "The inputs of a runbook step are fixed.", {{"inputs", "as bound"}}},
    [EV_STARTED] = {"step.started", "The intent: on disk before the act.",
                    {{"title", "what is done, for people"}, {"with", "the values it is done with"},
                     {"before", "what the action wants to remember, so that its outcome can be told later"}}},
    [EV_ACTED] = {"step.acted", "The act came to an end.",
                  {{"outcome", "ok, failed or unknown"}, {"outputs", "what it returned"}, {"message", "why it failed"}}},
    [EV_ENDED] = {"step.ended", "The attempt, or the step, is over: verified, settled.",
                  {{"outcome", "ok, failed, unknown, skipped or refused"}, {"outputs", "final"}, {"message", "why"},
                   {"retry", "true if another attempt follows"}, {"rescue", "true if its rescue steps follow"}, {"delay", "ms until then"},
                   {"again", "true if it turned out not to have happened when the run broke off, and is begun anew"},
                   {"cause", "of a refusal: approval, precondition, rule or moved; prediction: what was observed breaks a rule; of one that is skipped: if, when that has ceased to hold; of a wait: interrupted"}}},
    [EV_LOG] = {"step.log", "A line that the step printed.", {{"line", "the text"}}},
    [EV_NOTE] = {"note", "Something people should know.", {{"text", "the text"}, {"check", "the postcondition that does not hold, if it tells of one"}}},
    [EV_STOPPING] = {"run.stopping", "Nothing new is started from here.", {{"why", "the reason"}, {"cause", "lock, if the lock on the engines was lost"}}},
    [EV_RUN_ENDED] = {"run.ended", "The run is over.",
                      {{"outcome", "ok, failed, unknown or refused"}, {"exit", "exit status"}, {"message", "one line"}}},
    [EV_LOCK] = {"run.lock", "The lock on the engines.",
                 {{"what", "held; minority: approved with fewer engines than a majority; lost; released; kept: it stays for a resume"},
                  {"fence", "number of this taking, greater than those before"}, {"on", "nodes whose engines have it"}, {"silent", "nodes that did not answer: {node: why}"},
                  {"how", "of a minority: by what it was approved: terminal, --yes"}, {"text", "for people"}}},
    [EV_RESUMED] = {"run.resumed", "Somebody took the run up again, where it had broken off or could not go on.",
                    {{"about", "host, user, process, program version"}, {"attested", "as of run.started, with those that came since"}, {"claimed", "steps that somebody says are done, or not wanted any more"}}},
};

static const char *const outcomes[] = {"", "ok", "failed", "unknown", "skipped", "refused"};

const char *outcome_name(enum outcome o) {
    return outcomes[o];
}

enum outcome outcome_of(const char *name) {
    for (size_t i = OUT_OK; name && i < sizeof outcomes / sizeof *outcomes; i++)
        if (!strcmp(outcomes[i], name))
            return (enum outcome)i;
    return OUT_NONE;
}

struct event *event_new(struct arena *a, enum event_type type, int64_t at, const char *path, int attempt, const struct val *data) {
    struct event *e = arena_new_of(a, struct event);
    *e = (struct event){.type = type, .at = at, .path = path, .attempt = attempt, .data = data ? data : val_map_new(a)};
    return e;
}

/* Words of ours, by which a run is folded again; a secret that happens to be one of them stays one. */
static bool is_ours(const char *key) {
    static const char *const ours[] = {"run", "runbook", "digest", "library", "part", "outcome", "cause", "attest"};
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (!strcmp(ours[i], key))
            return true;
    return false;
}

/* Paths hold none: path_item does not name an item after one. */
const struct event *event_redacted(struct arena *a, const struct event *e) {
    if (!redact_any())
        return e;
    struct event *out = arena_new_of(a, struct event);
    struct val *data = val_map_new(a);
    *out = *e;
    for (size_t i = 0; i < val_len(e->data); i++) {
        const struct val_pair *p = &e->data->map.pairs[i];
        val_map_set_marked(a, data, p->key, p->mark, is_ours(p->key) && p->val->kind == VAL_STRING ? p->val : redacted(a, p->val));
    }
    out->data = data;
    return out;
}

void event_print(const struct event *event, struct buf *out) {
    struct arena *a = arena_new();
    const struct event *e = event_redacted(a, event);
    struct val *v = val_map_new(a);
    val_map_set(a, v, "type", val_str(a, event_infos[e->type].name));
    val_map_set(a, v, "format", val_str(a, EVENT_FORMAT));
    val_map_set(a, v, "at", val_int(a, e->at));
    if (e->path)
        val_map_set(a, v, "path", val_str(a, e->path));
    if (e->attempt)
        val_map_set(a, v, "attempt", val_int(a, e->attempt));
    for (size_t i = 0; i < val_len(e->data); i++)
        val_map_set(a, v, e->data->map.pairs[i].key, e->data->map.pairs[i].val);
    json_print(v, JSON_COMPACT, out);
    arena_free(a);
}

bool event_parse(struct arena *a, const char *json, size_t len, struct event **ret, struct err *err) {
    const struct val *v;
    if (!json_parse(a, "journal record", json, len, &v, err))
        return false;
    const char *name = val_get_str(v, "type", ""), *format = val_get_str(v, "format", "");
    if (strncmp(format, "1.", 2)) {
        struct diag *d = err_add(err, mark_none(), "record-format", "a journal record has the format '%s', and this program reads 1.x", format);
        diag_hint(err, d, "use the version of the program that wrote it");
        return false;
    }
    for (int t = 0; t < EV_COUNT; t++) {
        if (strcmp(event_infos[t].name, name))
            continue;
        static const char *const own[] = {"type", "format", "at", "path", "attempt"};
        struct val *data = val_map_new(a);
        for (size_t i = 0; i < val_len(v); i++) {
            const struct val_pair *p = &v->map.pairs[i];
            bool ours = false;
            for (size_t k = 0; k < sizeof own / sizeof *own; k++)
                ours |= !strcmp(p->key, own[k]);
            if (!ours)
                val_map_set(a, data, p->key, p->val);
        }
        *ret = event_new(a, (enum event_type)t, val_get_int(v, "at", 0), val_get_str(v, "path", NULL), (int)val_get_int(v, "attempt", 0), data);
        return true;
    }
    err_add(err, mark_none(), "record-type", "a journal record has the unknown type '%s'", name);
    return false;
}
