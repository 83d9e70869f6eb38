/* semaphore.c - see green/semaphore.h. */
#include "error.h"
#include "select.h"
#include <errno.h>
#include <green/semaphore.h>

GREEN_API int green_semaphore_acquire(green_semaphore *s)
{
    struct green_hub *hub = hub_here();
    if (hub == NULL)
        return -1;
    int err = shared_refused(hub);
    if (err < 0)
        return (int)returned(err);
    guard_enter(hub, &s->guard);
    if (s->count == 0)
        return (int)returned(shared_wait(hub, &s->guard, &s->waiters, 0, "semaphore", s));
    s->count--;
    guard_leave(hub, &s->guard);
    return 0;
}

GREEN_API int green_semaphore_try(green_semaphore *s)
{
    struct green_hub *hub = hub_here();
    if (hub == NULL)
        return -1;
    int err = shared_refused(hub);
    if (err < 0)
        return (int)returned(err);
    guard_enter(hub, &s->guard);
    bool got = s->count > 0;
    if (got)
        s->count--;
    guard_leave(hub, &s->guard);
    if (!got)
        shared_tried(hub);
    return (int)returned(got ? 0 : -EBUSY);
}

GREEN_API int green_semaphore_release(green_semaphore *s)
{
    struct green_hub *hub = hub_here();
    int err = 0;
    if (hub == NULL)
        return -1;
    guard_enter(hub, &s->guard);
    if ((s->limit != 0 && s->count >= s->limit) || s->count == UINT32_MAX)
        err = -EOVERFLOW;
    else if (shared_wake(hub, &s->waiters, 0) == NULL)
        s->count++;
    guard_leave(hub, &s->guard);
    return (int)returned(err);
}

/* ---- as a case of green_select ---- */

static int look_to_acquire(struct green_hub *hub, green_case *c)
{
    green_semaphore *s = c->object;
    (void)hub;
    if (s->count == 0)
        return 0;
    s->count--;
    return 1;
}

GREEN_API green_case green_case_acquire(green_semaphore *s)
{
    static const struct case_kind kind = {.look = look_to_acquire};
    if (s == NULL)
        return CASE_NEVER;
    return (green_case){.kind = &kind, .object = s, .guard = &s->guard, .line = &s->waiters};
}
