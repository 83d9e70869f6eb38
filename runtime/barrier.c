/* barrier.c - see green/barrier.h. */
#include "error.h"
#include "shared.h"
#include <errno.h>
#include <green/barrier.h>

GREEN_API int green_barrier_wait(green_barrier *b)
{
    struct green_hub *hub = hub_here();
    if (hub == NULL)
        return -1;
    int err = shared_refused(hub);
    if (err < 0)
        return (int)returned(err);
    guard_enter(hub, &b->guard);
    /* Counted anew each time: who gave up is in the line no more. */
    if (shared_count(hub, &b->waiters) + 1 < b->parties)
        return (int)returned(shared_wait(hub, &b->guard, &b->waiters, 0, "barrier", b));
    shared_wake_all(hub, &b->waiters, 0);
    guard_leave(hub, &b->guard);
    return 1;
}
