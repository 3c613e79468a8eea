#include "task/host.h"

#include <math.h>

struct pause {
    struct op op;
    int64_t ms;
    uint64_t timer;
};

static void on_time(void *ud) {
    struct pause *p = ud;
    p->timer = 0;
    op_finished(&p->op);
}

static void pause_start(struct op *op) {
    struct pause *p = (struct pause *)op;
    p->timer = loop_timer(op->co->task->spec.world->loop, p->ms, on_time, p);
}

static void pause_cancel(struct op *op) {
    struct pause *p = (struct pause *)op;
    struct loop *l = op->co->task->spec.world->loop;
    loop_timer_stop(l, p->timer);
    p->timer = loop_timer(l, 0, on_time, p);
}

static int pause_push(lua_State *L, struct op *op) {
    (void)L;
    (void)op;
    return 0;
}

static const struct op_kind pause_kind = {.start = pause_start, .cancel = pause_cancel, .push = pause_push};

int host_sleep(lua_State *L) {
    const double seconds = lua_type(L, 1) == LUA_TNUMBER ? lua_tonumber(L, 1) : -1;
    if (!(isfinite(seconds) && seconds >= 0 && seconds < 1e9))
        return luaL_error(L, "ctx.sleep takes a number of seconds, 0 or more");
    struct pause *p = op_new(L, &pause_kind, sizeof *p);
    p->ms = (int64_t)(seconds * 1000 + 0.5);
    return op_wait(L, &p->op);
}

int host_now(lua_State *L) {
    struct clock *c = loop_clock(co_of(L)->task->spec.world->loop);
    lua_pushinteger(L, c->wall_ms(c));
    return 1;
}
