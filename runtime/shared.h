/* shared.h - waiting on objects that several hubs share: mutexes, semaphores and the like.
 *
 * An object is looked at and changed inside its guard, which is held for a few instructions and
 * never while parked. While the process has one hub the guard is only announced (hub->guarding),
 * not taken: no atomic operation. The second hub, before it does anything, sees to it that all hubs
 * take guards from now on and that none is inside one it had not taken (hubs.c).
 *
 * Each waiter in an object's line has a `standing`: what for, and what is to be handed over. A
 * thread can wait on several objects at once by a `choice`, with a place in the line of each. Then
 * taking one of its waiters out of a line is not enough: the thread itself has to be claimed, once,
 * and who comes too late goes on to the next in line. shared_claim does both kinds.
 *
 * A waiter is taken out of its queue inside the guard, and only then is its thread made ready: at
 * home directly, from another hub by a message. Meanwhile its own hub finds it in no queue and
 * leaves it alone: whoever dequeues decides the outcome. The messages go out when the guard has
 * been left: a thread whose wait is over may free the object. */
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

/* Send word to the threads of other hubs that were served, unless another guard is still held. */
void shared_tell(struct green_hub *hub);

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
    if (UNLIKELY(hub->served != NULL))
        shared_tell(hub);
}

/* Where a waiter stands; on its thread's stack. The waker reads it inside the guard, and until it
 * has delivered. */
struct standing {
    green_guard *guard;
    int tag;               /* what for, when a line has several kinds */
    void *item;            /* what is handed over is taken from here, or put here */
    struct choice *choice; /* the waiter is one of several of its thread; NULL: the only one */
};

/* One place of a choice. */
struct place {
    struct waiter waiter;
    struct standing standing;
};

/* A thread that waits on several objects at once. It parks in its own `line`, where its own hub
 * wakes it (its own waiter's standing says so). Time and cancellation claim it, too, and before it
 * goes for another reason it claims itself; then it leaves all places. If that comes too late,
 * something is being handed to it, and it waits until it was `told`. */
struct choice {
    struct green_thread *thread;
    _Atomic(const void *) winner; /* the waiter that was claimed, or the choice itself: time,
                                     cancellation, or something that belongs to its hub */
    bool told;                    /* the claimer has delivered, and the word is here */
    struct wait_queue line;
    struct message home; /* when another hub delivers */
};

static inline bool choice_claim(struct choice *choice, const void *winner)
{
    const void *nobody = NULL;
    return atomic_compare_exchange_strong(&choice->winner, &nobody, winner);
}

/* Inside the guard: into the line, and out of it if it is still there. */
void place_enter(struct place *place, green_waiters *waiters);
void place_leave(struct place *place);

/* Inside the guard: wait in the object's line, leaving the guard meanwhile; returns outside of it.
 * `tag` and `item` are for the waker to look at. What park returns. */
int shared_hand(struct green_hub *hub, green_guard *guard, green_waiters *waiters, int tag,
                void *item, const char *why, const void *object);
/* The same, with nothing to hand over. */
int shared_wait(struct green_hub *hub, green_guard *guard, green_waiters *waiters, int tag,
                const char *why, const void *object);

/* Inside the guard: the first in line and its tag; NULL: nobody waits. */
struct green_thread *shared_first(green_waiters *waiters, int *tag);

/* Inside the guard: take the first in line that can still be had out of it; NULL: nobody waits. It
 * has to be delivered an outcome before the guard is left. */
struct waiter *shared_claim(green_waiters *waiters);
struct green_thread *shared_deliver(struct green_hub *hub, struct waiter *waiter, int outcome);

/* Inside the guard: wake the first in line with an outcome; NULL: nobody waits. */
struct green_thread *shared_wake(struct green_hub *hub, green_waiters *waiters, int outcome);
/* At the beginning of calls that may wait: whether they need to or not, they fail if the thread was
 * cancelled, is late, or has something thrown at it. 0, or a negative errno. */
static inline int shared_refused(struct green_hub *hub)
{
    return UNLIKELY(hub->current->refused != 0) ? park_refused(hub) : 0;
}

void shared_wake_all(struct green_hub *hub, green_waiters *waiters, int outcome);

/* Outside any guard, for polls that found nothing: yields when the slice is used up. */
static inline void shared_tried(struct green_hub *hub)
{
    hub_spend(hub);
}
