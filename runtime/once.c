/* once.c - see green/once.h. */
#include "deadlock.h"
#include "error.h"
#include "shared.h"
#include <errno.h>
#include <green/once.h>

enum { NOT_BEGUN, UNDER_WAY, DONE };

static int run(struct green_hub *hub, green_once *o, int (*fn)(void *), void *arg)
{
    errno = 0;
    int result = fn(arg);
    int err = result < 0 ? (errno != 0 ? errno : ECANCELED) : 0;
    guard_enter(hub, &o->guard);
    o->runner = NULL;
    o->state = err == 0 ? DONE : NOT_BEGUN;
    if (err == 0)
        shared_wake_all(hub, &o->waiters, 0);
    else
        shared_wake(hub, &o->waiters, 0); /* its turn to try */
    guard_leave(hub, &o->guard);
    if (err != 0)
        errno = err; /* what fn's failure said of itself stands */
    return err == 0 ? 0 : -1;
}

GREEN_API int green_once_run(green_once *o, int (*fn)(void *), void *arg)
{
    struct green_hub *hub = hub_here();
    if (hub == NULL)
        return -1;
    if (fn == NULL)
        return fail(EINVAL, "green_once_run: no function");
    int err = shared_refused(hub);
    while (err == 0) {
        guard_enter(hub, &o->guard);
        if (o->state != UNDER_WAY || o->runner == hub->current)
            break;
        struct tie tie;
        tie_on(hub, &tie, "what is run once by", &o->runner, &o->guard, NULL);
        err = shared_wait(hub, &o->guard, &o->waiters, 0, "once", o);
        tie_off(&tie);
    }
    if (err < 0)
        return (int)returned(err);
    int state = o->state;
    if (state == NOT_BEGUN) {
        o->state = UNDER_WAY;
        o->runner = hub->current;
    }
    guard_leave(hub, &o->guard);
    if (state == NOT_BEGUN)
        return run(hub, o, fn, arg);
    return (int)returned(state == DONE ? 0 : -EDEADLK);
}
