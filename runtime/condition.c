/* condition.c - see green/condition.h. */
#include "error.h"
#include "mutex.h"
#include <errno.h>
#include <green/condition.h>

GREEN_API int green_condition_wait(green_condition *c, green_mutex *m)
{
    struct green_hub *hub = hub_here();
    if (hub == NULL)
        return -1;
    if (m->owner != hub->current || m->depth != 1) /* only the caller itself could change that */
        return (int)returned(-EPERM);
    guard_enter(hub, &c->guard);
    mutex_unlock(hub, m); /* inside the condition's guard: no signal falls in between */
    int err = shared_wait(hub, &c->guard, &c->waiters, 0, "condition", c), locked = 0;
    green_shield()
        locked = mutex_lock(hub, m);
    return (int)returned(locked < 0 ? locked : err);
}

GREEN_API int green_condition_signal(green_condition *c)
{
    struct green_hub *hub = hub_here();
    if (hub == NULL)
        return -1;
    guard_enter(hub, &c->guard);
    shared_wake(hub, &c->waiters, 0);
    guard_leave(hub, &c->guard);
    return 0;
}

GREEN_API int green_condition_broadcast(green_condition *c)
{
    struct green_hub *hub = hub_here();
    if (hub == NULL)
        return -1;
    guard_enter(hub, &c->guard);
    shared_wake_all(hub, &c->waiters, 0);
    guard_leave(hub, &c->guard);
    return 0;
}
