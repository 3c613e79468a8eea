#include "ui/screens.h"

struct jsonl {
    struct screen screen;
    FILE *out;
    bool begun;
};

void json_version(FILE *out) {
    fputs("{\"type\":\"version\",\"format\":\"" EVENT_FORMAT "\"}\n", out);
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
    fwrite(b.data, 1, b.len, j->out);
    fflush(j->out);
    buf_done(&b);
}

struct screen *screen_json(struct arena *a, FILE *out) {
    struct jsonl *j = arena_new_of(a, struct jsonl);
    *j = (struct jsonl){.screen = {.event = json_event}, .out = out};
    return &j->screen;
}
