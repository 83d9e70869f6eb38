/* shared.h - waiting on objects that several hubs share: mutexes, semaphores and the like.
 *
 * An object is looked at and changed inside its guard, which is held for a few instructions and
 * never while parked. While the process has one hub the guard is only announced (hub->guarding),
 * not taken: no atomic operation. The second hub, before it does anything, sees to it that all hubs
 * take guards from now on and that none is inside one it had not taken (hubs.c).
 *
 * A waiter is taken out of its queue inside the guard, and only then is its thread made ready: at
 * home directly, from another hub by a message. Meanwhile its own hub finds it in no queue and
 * leaves it alone: whoever dequeues decides the outcome. */
#pragma once
#include "self.h"
#include <green/shared.h>

_Static_assert(sizeof(struct wait_queue) == sizeof(green_waiters), "one layout");

static inline struct wait_queue *queue_of(green_waiters *waiters)
{
    return (struct wait_queue *)(void *)waiters;
}

extern atomic_bool hubs_many; /* guards have to be taken; never false again */

void guard_take(green_guard *guard);

static inline void guard_enter(struct green_hub *hub, green_guard *guard)
{
    atomic_store_explicit(&hub->guarding, hub->guarding + 1, memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst);
    if (UNLIKELY(atomic_load_explicit(&hubs_many, memory_order_relaxed)))
        guard_take(guard);
}

static inline void guard_leave(struct green_hub *hub, green_guard *guard)
{
    __atomic_store_n(&guard->taken, 0, __ATOMIC_RELEASE);
    atomic_signal_fence(memory_order_seq_cst);
    atomic_store_explicit(&hub->guarding, hub->guarding - 1, memory_order_relaxed);
}

/* Inside the guard: wait in the object's line, leaving the guard meanwhile; returns outside of it.
 * `tag` is for the waker to look at. What park returns. */
int shared_wait(struct green_hub *hub, green_guard *guard, green_waiters *waiters, int tag,
                const char *why, const void *object);

/* Inside the guard: the first in line and its tag; NULL: nobody waits. */
struct green_thread *shared_first(green_waiters *waiters, int *tag);

/* Inside the guard: wake the first in line with an outcome; NULL: nobody waits. */
struct green_thread *shared_wake(struct green_hub *hub, green_waiters *waiters, int outcome);
void shared_wake_all(struct green_hub *hub, green_waiters *waiters, int outcome);

/* Outside any guard, for polls that found nothing: yields when the slice is used up. */
static inline void shared_tried(struct green_hub *hub)
{
    hub_spend(hub);
}
