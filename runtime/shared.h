/* shared.h - waiting on objects that several hubs share: mutexes, semaphores and the like.
 *
 * An object is looked at and changed inside its guard, which is held for a few instructions and
 * never while parked. While the process has one hub the guard is only announced (hub->guarding),
 * not taken: no atomic operation. The second hub, before it does anything, sees to it that all hubs
 * take guards from now on and that none is inside one it had not taken (hubs.c).
 *
 * Each waiter in an object's line has a `standing`: what for, and what is to be handed over. A
 * thread can wait on several objects at once by a `choice`, with a place in the line of each. Then
 * taking one of its waiters out of a line is not enough: it needs one of the choice's tickets, and
 * who comes when none is left goes on to the next in line. shared_claim does both kinds.
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

/* From here to guarding_end the hub that is alone stays so, or knows that it is not. */
static inline void guarding_begin(struct green_hub *hub)
{
    atomic_store_explicit(&hub->guarding, hub->guarding + 1, memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst);
}

static inline void guarding_end(struct green_hub *hub)
{
    atomic_store_explicit(&hub->guarding, hub->guarding - 1, memory_order_release);
}

static inline bool alone(void)
{
    return LIKELY(!atomic_load_explicit(&hubs_many, memory_order_relaxed));
}

static inline void guard_enter(struct green_hub *hub, green_guard *guard)
{
    guarding_begin(hub);
    if (!alone())
        guard_take(guard);
}

static inline void guard_leave(struct green_hub *hub, green_guard *guard)
{
    __atomic_store_n(&guard->taken, 0, __ATOMIC_RELEASE);
    guarding_end(hub);
    if (UNLIKELY(hub->served != NULL))
        shared_tell(hub);
}

/* Where a waiter stands; on its thread's stack. The waker reads it inside the guard, and until it
 * has delivered. */
struct standing {
    green_guard *guard;
    uint8_t tag;           /* what for, when a line has several kinds */
    bool vital;            /* an outcome that is an error ends the choice as a whole */
    bool kept;             /* held by who takes it out; atomic */
    int ticket;            /* of the choice, held by who claimed the waiter; 0: nobody has */
    void *item;            /* what is handed over is taken from here, or put here */
    struct choice *choice; /* the waiter is one of several of its thread; NULL: the only one */
};

/* One place of a choice. */
struct place {
    struct waiter waiter;
    struct standing standing;
};

/* A thread that waits on several objects at once, until as many of them have come up as there are
 * tickets. It parks in its own `line`, where its own hub wakes it (its own waiter's standing says
 * so). Time and cancellation need a ticket, too, and before it goes for any reason it takes all
 * that are left; then it leaves its places. What others hold tickets for is still being handed to
 * it, and it waits until it was `told`. */
struct choice {
    struct green_thread *thread;
    atomic_int tickets; /* how many are left, also the number of the next */
    atomic_int due;     /* so many were not used yet: left, or held */
    int taken;          /* the one that time or cancellation has taken; 0: none */
    bool told;          /* nothing is due any more, and the word is here */
    struct wait_queue line;
    struct message home; /* when another hub has used the last */
};

/* Guarding: take a ticket. They count down to 1; 0: none is left. */
static inline int choice_claim(struct choice *choice)
{
    int n = atomic_load_explicit(&choice->tickets, memory_order_relaxed);
    if (alone() && n > 0)
        atomic_store_explicit(&choice->tickets, n - 1, memory_order_relaxed);
    else
        while (n > 0 && !atomic_compare_exchange_weak(&choice->tickets, &n, n - 1))
            continue;
    return n;
}

/* Guarding: so many tickets are used. True: no more are due, and nobody else will say so. */
static inline bool choice_used(struct choice *choice, int tickets)
{
    int due = atomic_load_explicit(&choice->due, memory_order_acquire);
    if (due == tickets)
        return true;
    if (!alone())
        return atomic_fetch_sub(&choice->due, tickets) == tickets;
    atomic_store_explicit(&choice->due, due - tickets, memory_order_relaxed);
    return false;
}

/* On the thread's own hub: take a ticket and use it; or all that are left. */
int choice_take(struct choice *choice);
void choice_close(struct choice *choice);

/* The same, to wake its thread: for a time that is one of the things it waits for, or because it is
 * cancelled or late and shall get no more. False: none was left. */
bool choice_withdraw(struct choice *choice, bool time);

/* Inside the guard: into the line, and out of it if it is still there. */
void place_enter(struct place *place, green_waiters *waiters);
void place_leave(struct place *place);

/* At the beginning of calls that may wait: whether they need to or not, they fail if the thread was
 * cancelled, is late, or has something thrown at it. 0, or a negative errno. */
static inline int shared_refused(struct green_hub *hub)
{
    return UNLIKELY(hub->current->refused != 0) ? park_refused(hub) : 0;
}

/* Inside the guard: wait in the object's line, leaving the guard meanwhile; returns outside of it.
 * `tag` and `item` are for the waker to look at. What park returns. */
int shared_hand(struct green_hub *hub, green_guard *guard, green_waiters *waiters, int tag,
                void *item, const char *why, const void *object);
/* The same, with nothing to hand over. */
int shared_wait(struct green_hub *hub, green_guard *guard, green_waiters *waiters, int tag,
                const char *why, const void *object);

/* Inside the guard: the first in line and its tag; NULL: nobody waits. Here and below, those that a
 * fork has left behind in the parent do not count. */
struct green_thread *shared_first(struct green_hub *hub, green_waiters *waiters, int *tag);

/* Inside the guard: how many stand in line. */
unsigned shared_count(struct green_hub *hub, green_waiters *waiters);

/* Inside the guard: take the first in line that can still be had out of it; NULL: nobody waits. It
 * has to be delivered an outcome before the guard is left. */
struct waiter *shared_claim_first(struct green_hub *hub, green_waiters *waiters);
static inline struct waiter *shared_claim(struct green_hub *hub, green_waiters *waiters)
{
    return queue_of(waiters)->head != NULL ? shared_claim_first(hub, waiters) : NULL;
}
struct green_thread *shared_deliver(struct green_hub *hub, struct waiter *waiter, int outcome);

/* Outside the guard, on the waiter's own hub: take it out early. False: another hub has taken it,
 * and the object may be gone. */
bool shared_retract(struct green_hub *hub, struct waiter *waiter);

/* Inside the guard: wake the first in line with an outcome; NULL: nobody waits. */
struct green_thread *shared_wake_first(struct green_hub *hub, green_waiters *waiters, int outcome);
static inline struct green_thread *shared_wake(struct green_hub *hub, green_waiters *waiters,
                                               int outcome)
{
    return queue_of(waiters)->head != NULL ? shared_wake_first(hub, waiters, outcome) : NULL;
}
void shared_wake_all(struct green_hub *hub, green_waiters *waiters, int outcome);

/* Outside any guard, for polls that found nothing: yields when the slice is used up. */
static inline void shared_tried(struct green_hub *hub)
{
    hub_spend(hub);
}
