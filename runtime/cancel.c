/* cancel.c - asking a thread to end, throwing at it, and shields against both: see
 * green/thread.h. */
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
    if (t == NULL)
        return thread_none();
    if (hub_here() == NULL)
        return -1;
    return (int)returned(hub_call(t->hub, cancel_here, t));
}

GREEN_API int green_kill(green_thread *t, int *result)
{
    return green_cancel(t) < 0 ? -1 : green_join(t, result);
}

GREEN_API int green_kill_all(green_thread **threads, int n)
{
    for (int i = 0; i < n; i++)
        if (threads[i] != NULL && green_cancel(threads[i]) < 0)
            return -1;
    for (int i = 0; i < n; i++) {
        if (threads[i] != NULL && green_join(threads[i], NULL) < 0)
            return -1;
        threads[i] = NULL;
    }
    return 0;
}

/* ---- throwing ---- */

struct throw
{
    struct green_thread *thread;
    int code;
    int error;
};

int thread_catch(struct green_thread *t)
{
    int code = t->thrown;
    t->thrown = 0;
    t->struck = true;
    t->refused &= (uint8_t)~REFUSED_THROWN;
    return code;
}

void thread_throw_back(struct green_thread *t, int err)
{
    if (t->thrown != 0)
        return;
    t->thrown = -err;
    t->refused |= REFUSED_THROWN;
}

/* If another hub has just ended the wait it is in, it comes at the next. */
static void throw_here(void *arg)
{
    struct throw *throw = arg;
    struct green_thread *t = throw->thread;
    if (t->state == THREAD_DONE || t->thrown != 0) {
        throw->error = t->state == THREAD_DONE ? -ESRCH : -EALREADY;
        return;
    }
    t->thrown = throw->code;
    if (t->shields > 0)
        return;
    t->refused |= REFUSED_THROWN;
    if (t->state != THREAD_PARKED || t->fresh)
        return;
    wake_early(t, -throw->code);
    if (t->state == THREAD_READY)
        thread_catch(t);
}

GREEN_API int green_throw(green_thread *t, int code)
{
    struct throw throw = {t, code, 0};
    if (t == NULL)
        return thread_none();
    if (hub_here() == NULL)
        return -1;
    if (code <= 0)
        return fail(EINVAL, "green_throw: %d is no errno", code);
    if (code == ECANCELED || code == ETIMEDOUT)
        return fail(EINVAL, "green_throw: cancellation and deadlines have their own ways");
    int err = hub_call(t->hub, throw_here, &throw);
    return (int)returned(err < 0 ? err : throw.error);
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
    t->refused = 0;
    if (t->cancelled && t->shields == 0)
        t->refused |= REFUSED_CANCELLED;
    if (t->thrown != 0 && t->shields == 0)
        t->refused |= REFUSED_THROWN;
    t->deadline = scope->deadline;
}
