#include "ui/screens.h"

#include "ui/out.h"

struct jsonl {
    struct screen screen;
    FILE *out;
    bool begun;
};

void json_version(FILE *out) {
    out_adds(out, "{\"type\":\"version\",\"format\":\"" EVENT_FORMAT "\"}\n");
}

static void json_event(struct screen *s, const struct event *e, const struct run *r) {
    (void)r;
    struct jsonl *j = (struct jsonl *)s;
    if (!j->begun)
        json_version(j->out);
    j->begun = true;
    struct buf b = BUF_INIT;
    event_print(e, &b);
    buf_addc(&b, '\n');
    out_record(j->out, b.data, b.len);
    fflush(j->out);
    buf_done(&b);
}

struct screen *screen_json(struct arena *a, FILE *out) {
    struct jsonl *j = arena_new_of(a, struct jsonl);
    *j = (struct jsonl){.screen = {.event = json_event}, .out = out};
    return &j->screen;
}
