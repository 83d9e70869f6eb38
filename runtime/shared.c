/* shared.c - see shared.h. */
#include "shared.h"
#include "hub_switch.h"
#include <sched.h>

/* Held so briefly that only an OS thread that lost its CPU makes others wait: then give it ours. */
void guard_take(green_guard *guard)
{
    for (int spins = 0; __atomic_exchange_n(&guard->taken, 1, __ATOMIC_ACQUIRE) != 0; spins++)
        if (spins >= 100)
            sched_yield();
}

int shared_wait(struct green_hub *hub, green_guard *guard, green_waiters *waiters, int tag,
                const char *why, const void *object)
{
    struct green_thread *t = hub->current;
    int err = park_refused(hub);
    if (err < 0) {
        guard_leave(hub, guard);
        return err;
    }
    t->waiter.guard = guard;
    t->waiter.tag = tag;
    park_begin(hub, queue_of(waiters), WAIT_BACK, INT64_MAX, why, (long)object);
    guard_leave(hub, guard);
    hub_switch(hub, false);
    t->waiter.guard = NULL;
    return t->waiter.outcome == 0 ? 0 : park_failed(t);
}

struct green_thread *shared_first(green_waiters *waiters, int *tag)
{
    struct waiter *w = queue_of(waiters)->head;
    if (w == NULL)
        return NULL;
    *tag = w->tag;
    return CONTAINER(w, struct green_thread, waiter);
}

static void come_home(struct message *message)
{
    struct green_thread *t = CONTAINER(message, struct green_thread, woken);
    hub_ready(t->hub, t);
}

struct green_thread *shared_wake(struct green_hub *hub, green_waiters *waiters, int outcome)
{
    struct waiter *w = queue_of(waiters)->head;
    if (w == NULL)
        return NULL;
    struct green_thread *t = CONTAINER(w, struct green_thread, waiter);
    wait_dequeue(w);
    w->outcome = outcome;
    if (t->hub == hub) {
        hub_ready(hub, t);
    } else {
        t->woken.run = come_home;
        hub_post(t->hub, &t->woken);
    }
    return t;
}

void shared_wake_all(struct green_hub *hub, green_waiters *waiters, int outcome)
{
    while (shared_wake(hub, waiters, outcome) != NULL)
        continue;
}
