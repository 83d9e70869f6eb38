/* event.c - see green/event.h. */
#include "error.h"
#include "select.h"
#include <green/event.h>

GREEN_API int green_event_set(green_event *e)
{
    struct green_hub *hub = hub_here();
    if (hub == NULL)
        return -1;
    guard_enter(hub, &e->guard);
    __atomic_store_n(&e->set, true, __ATOMIC_RELEASE);
    shared_wake_all(hub, &e->waiters, 0);
    guard_leave(hub, &e->guard);
    return 0;
}

GREEN_API int green_event_clear(green_event *e)
{
    struct green_hub *hub = hub_here();
    if (hub == NULL)
        return -1;
    guard_enter(hub, &e->guard);
    __atomic_store_n(&e->set, false, __ATOMIC_RELEASE);
    guard_leave(hub, &e->guard);
    return 0;
}

GREEN_API bool green_event_is_set(green_event *e)
{
    return __atomic_load_n(&e->set, __ATOMIC_ACQUIRE);
}

GREEN_API int green_event_wait(green_event *e)
{
    struct green_hub *hub = hub_here();
    if (hub == NULL)
        return -1;
    int err = shared_refused(hub);
    if (err < 0)
        return (int)returned(err);
    guard_enter(hub, &e->guard);
    if (!e->set)
        return (int)returned(shared_wait(hub, &e->guard, &e->waiters, 0, "event", e));
    guard_leave(hub, &e->guard);
    return 0;
}

/* ---- as a case of green_select ---- */

static int look_if_set(struct green_hub *hub, green_case *c)
{
    (void)hub;
    return ((green_event *)c->object)->set;
}

GREEN_API green_case green_case_set(green_event *e)
{
    static const struct case_kind kind = {.look = look_if_set};
    if (e == NULL)
        return CASE_NEVER;
    return (green_case){.kind = &kind, .object = e, .guard = &e->guard, .line = &e->waiters};
}
