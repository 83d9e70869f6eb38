/* cancel.c - asking a thread to end, and shields against it: see green/thread.h. */
#include "error.h"
#include "self.h"
#include <errno.h>

void thread_cancel(struct green_thread *t)
{
    t->cancelled = true;
    if (t->shields > 0)
        return;
    t->refused |= REFUSED_CANCELLED;
    if (t->state == THREAD_PARKED)
        wake_early(t, -ECANCELED);
}

static void cancel_here(void *arg)
{
    thread_cancel(arg);
}

GREEN_API int green_cancel(green_thread *t)
{
    if (hub_here() == NULL)
        return -1;
    return (int)returned(hub_call(t->hub, cancel_here, t));
}

GREEN_API int green_kill(green_thread *t, int *result)
{
    return green_cancel(t) < 0 ? -1 : green_join(t, result);
}

/* ---- shields ---- */

GREEN_API green_shield_scope *green_shield_enter(green_shield_scope *scope)
{
    struct green_hub *hub = hub_here();
    scope->thread = NULL;
    if (hub == NULL)
        return scope;
    struct green_thread *t = scope->thread = hub->current;
    scope->deadline = t->deadline;
    t->deadline = INT64_MAX;
    t->shields++;
    t->refused = 0;
    return scope;
}

GREEN_API void green_shield_leave(green_shield_scope *scope)
{
    struct green_thread *t = scope->thread;
    if (t == NULL)
        return;
    t->shields--;
    t->refused = t->cancelled && t->shields == 0 ? REFUSED_CANCELLED : 0;
    t->deadline = scope->deadline;
}
