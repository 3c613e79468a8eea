#include "task/host.h"

static void wake(void *ud) {
    task_resume(ud, 0);
}

struct sleeping {
    struct task *task;
    uint64_t timer;
};

static void cancel_sleep(struct task *t) {
    struct sleeping *s = t->op;
    loop_timer_stop(t->spec.world->loop, s->timer);
    t->cancel = NULL;
    s->timer = loop_timer(t->spec.world->loop, 0, wake, t);
}

static int host_sleep(lua_State *L) {
    struct task *t = host_current(L);
    const lua_Number seconds = luaL_checknumber(L, 1);
    luaL_argcheck(L, seconds >= 0 && seconds <= 86400, 1, "seconds from 0 to 86400");
    struct sleeping *s = arena_new_of(t->arena, struct sleeping);
    s->task = t;
    s->timer = loop_timer(t->spec.world->loop, (int64_t)(seconds * 1000), wake, t);
    return host_wait(L, t, s, cancel_sleep);
}

static int host_now(lua_State *L) {
    struct clock *c = loop_clock(host_task(L)->spec.world->loop);
    lua_pushinteger(L, c->wall_ms(c));
    return 1;
}

const struct host_function host_time[] = {
    {"sleep", "seconds", "waits", host_sleep, false},
    {"now", "", "→ milliseconds since 1970", host_now, false},
    {0},
};
