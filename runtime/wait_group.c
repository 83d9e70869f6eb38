/* wait_group.c - see green/wait_group.h. */
#include "error.h"
#include "shared.h"
#include <errno.h>
#include <green/wait_group.h>

GREEN_API int green_wait_group_add(green_wait_group *g, int n)
{
    struct green_hub *hub = hub_here();
    int sum;
    if (hub == NULL)
        return -1;
    guard_enter(hub, &g->guard);
    bool valid = !__builtin_add_overflow(g->count, n, &sum) && sum >= 0;
    if (valid) {
        g->count = sum;
        if (sum == 0)
            shared_wake_all(hub, &g->waiters, 0);
    }
    guard_leave(hub, &g->guard);
    return (int)returned(valid ? 0 : -EINVAL);
}

GREEN_API int green_wait_group_done(green_wait_group *g)
{
    return green_wait_group_add(g, -1);
}

GREEN_API int green_wait_group_wait(green_wait_group *g)
{
    struct green_hub *hub = hub_here();
    if (hub == NULL)
        return -1;
    int err = shared_refused(hub);
    if (err < 0)
        return (int)returned(err);
    guard_enter(hub, &g->guard);
    if (g->count > 0)
        return (int)returned(shared_wait(hub, &g->guard, &g->waiters, 0, "wait group", g));
    guard_leave(hub, &g->guard);
    return 0;
}
