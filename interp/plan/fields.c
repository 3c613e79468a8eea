#include "plan/fields.h"

const char *const input_types[] = {"string", "integer", "number", "boolean", "list", "map", "duration", "bytes", "node", "address",
                                   "path",   "image",   "url",    "secret",  "any",  NULL};

static const char *const on_failure_words[] = {"stop", "continue", NULL};

const struct field source_fields[] = {
    {"document", F_STRING, true, "the document that the runbook implements", NULL, NULL},
    {"section", F_STRING, false, "its section", NULL, NULL},
    {"url", F_STRING, false, "where it can be read", NULL, NULL},
    {0},
};

const struct field hook_fields[] = {
    {"file", F_STRING, true, "a Lua file of the site's library", NULL, NULL},
    {"allow", F_LIST, false, "rights: docker.read docker.write http:HOST exec:PROGRAM file.read:DIR file.write:DIR", NULL, NULL},
    {0},
};

const struct field state_fields[] = {
    {"probe", F_STRING, true, "the probe that fills this part", NULL, NULL},
    {"with", F_MAP, false, "inputs of the probe", NULL, NULL},
    {0},
};

const struct field check_fields[] = {
    {"check", F_EXPR, true, "a Lua expression that must yield true", NULL, NULL},
    {"message", F_STRING | F_TEMPLATE, true, "what to tell when it does not", NULL, NULL},
    {0},
};

const struct field retry_fields[] = {
    {"attempts", F_INT, true, "how many times at most, the first included", NULL, NULL},
    {"delay", F_DURATION, false, "before the second attempt (default 1s)", NULL, NULL},
    {"backoff", F_NUMBER, false, "factor for the delay of each further attempt (default 1)", NULL, NULL},
    {"max_delay", F_DURATION, false, "no delay is longer", NULL, NULL},
    {0},
};

const struct field input_fields[] = {
    {"type", F_STRING, true, "what the value is", NULL, input_types},
    {"default", F_ANY, false, "the value if none is given; may read the state", NULL, NULL},
    {"required", F_BOOL, false, "must be given", NULL, NULL},
    {"enum", F_LIST, false, "the accepted values", NULL, NULL},
    {"pattern", F_STRING, false, "a POSIX extended regular expression that the whole value must match", NULL, NULL},
    {"min", F_NUMBER | F_STRING, false, "least value (a number, a duration or a size), or least length of a string or list", NULL, NULL},
    {"max", F_NUMBER | F_STRING, false, "greatest value or length", NULL, NULL},
    {"items", F_STRING, false, "type of the items of a list", NULL, input_types},
    {"description", F_STRING, false, "for people", NULL, NULL},
    {"from", F_LIST | F_STRING, false, "where it is found if not given: env:NAME, file:PATH, prompt", NULL, NULL},
    {0},
};

const struct field step_fields[] = {
    {"id", F_STRING, false, "the step's name in expressions and paths", NULL, NULL},
    {"title", F_STRING | F_TEMPLATE, false, "one line for people", NULL, NULL},
    {"uses", F_STRING, false, "an action, a probe, or runbook:NAME", NULL, NULL},
    {"command", F_LIST | F_TEMPLATE, false, "a program and its arguments", NULL, NULL},
    {"steps", F_LIST | F_LATER, false, "a group of steps", step_fields, NULL},
    {"first_of", F_LIST | F_LATER, false, "alternatives, tried in order until one succeeds", step_fields, NULL},
    {"wait_for", F_EXPR, false, "an expression that is looked at again until it holds", NULL, NULL},
    {"every", F_DURATION, false, "how often wait_for looks (default 5s)", NULL, NULL},
    {"message", F_STRING | F_TEMPLATE, false, "what people are to do while it waits", NULL, NULL},
    {"on", F_STRING | F_TEMPLATE, false, "the node on which the command runs", NULL, NULL},
    {"with", F_MAP, false, "inputs of what it uses", NULL, NULL},
    {"if", F_EXPR, false, "whether the step runs at all", NULL, NULL},
    {"needs", F_LIST | F_STRING, false, "the steps it waits for (default: the one before it)", NULL, NULL},
    {"for_each", F_LIST | F_TEMPLATE, false, "once for each item of the list", NULL, NULL},
    {"try_each", F_LIST | F_TEMPLATE, false, "items in order until one succeeds", NULL, NULL},
    {"parallel", F_INT, false, "items at a time (default 1)", NULL, NULL},
    {"max_failures", F_INT, false, "items that may fail (default 0)", NULL, NULL},
    {"retry", F_MAP, false, "further attempts", retry_fields, NULL},
    {"timeout", F_DURATION | F_TEMPLATE, false, "of one attempt, or of the wait (default 5m)", NULL, NULL},
    {"unless", F_EXPR, false, "already so: nothing to do", NULL, NULL},
    {"approve", F_STRING | F_TEMPLATE, false, "a question to a person before it", NULL, NULL},
    {"on_failure", F_STRING, false, "stop (default) or continue", NULL, on_failure_words},
    {"rescue", F_LIST | F_LATER, false, "steps to run when it fails", step_fields, NULL},
    {"undo", F_LIST | F_LATER, false, "steps to run when the run is rolled back", step_fields, NULL},
    {"verify", F_EXPR, false, "an expression that must hold afterwards", NULL, NULL},
    {"effect", F_MAP, false, "state path: what it is expected to become", NULL, NULL},
    {"outputs", F_MAP, false, "values for later steps", NULL, NULL},
    {0},
};

const struct field runbook_fields[] = {
    {"runbook", F_STRING, true, "its name, as swarm/rebalance", NULL, NULL},
    {"version", F_STRING, true, "its version, as 1.0.0", NULL, NULL},
    {"title", F_STRING, true, "one line: what it does", NULL, NULL},
    {"description", F_STRING, false, "when to use it, and what it is about", NULL, NULL},
    {"source", F_MAP, false, "the document that it implements", source_fields, NULL},
    {"routine", F_BOOL, false, "it mends nothing, as a backup, so it is no advice when something is wrong", NULL, NULL},
    {"requires", F_LIST | F_STRING, false, "capabilities that must hold", NULL, NULL},
    {"inputs", F_MAP, false, "what can be given: name: {type, default, …}", NULL, NULL},
    {"hooks", F_LIST, false, "the site's own Lua files that it uses", hook_fields, NULL},
    {"state", F_MAP, false, "parts of the state: name: {probe, with}", NULL, NULL},
    {"preconditions", F_LIST, false, "what must hold before the first step", check_fields, NULL},
    {"steps", F_LIST | F_LATER, true, "what to do", step_fields, NULL},
    {"postconditions", F_LIST, false, "what must hold after the last step", check_fields, NULL},
    {0},
};

const struct field_alias step_aliases[] = {
    {"when", "if"},          {"loop", "for_each"},     {"with_items", "for_each"}, {"foreach", "for_each"}, {"register", "outputs"},
    {"name", "title"},       {"depends_on", "needs"},  {"after", "needs"},         {"until", "wait_for"},   {"wait", "wait_for"},
    {"shell", "command"},    {"cmd", "command"},       {"run", "command"},         {"exec", "command"},     {"args", "with"},
    {"params", "with"},      {"inputs", "with"},       {"ignore_errors", "on_failure"}, {"continue_on_error", "on_failure"},
    {"action", "uses"},      {"use", "uses"},          {"retries", "retry"},       {"delay", "retry"},      {"interval", "every"},
    {"block", "steps"},      {"check", "verify"},        {"confirm", "approve"},  {0},
};

const struct field_alias runbook_aliases[] = {
    {"name", "runbook"}, {"tasks", "steps"}, {"vars", "inputs"},        {"parameters", "inputs"},       {"params", "inputs"},
    {"probes", "state"}, {"checks", "preconditions"}, {"pre", "preconditions"}, {"post", "postconditions"}, {0},
};
