/* wait.h - the one way to wait: park on a wait queue.
 *
 * Each thread has one waiter, in at most one queue. (For waits on several objects at once it has
 * further ones, see choice in shared.h.) Being parked is the right to be woken: whoever takes the
 * waiter out of its queue decides the outcome, once. So a waiter that left by its deadline or by
 * cancellation has taken no wake-up with it, and one that was woken first is not cancelled any
 * more at this wait (it will be at its next).
 * Queues are FIFO. They belong to one hub and are touched on its OS thread only, but for those of
 * shared objects, which are touched inside the object's guard (shared.h). */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct green_thread;
struct green_hub;
struct standing;
struct wait_queue;

struct waiter {
    struct waiter *next;
    struct waiter *prev;
    struct wait_queue *queue;  /* NULL: in none */
    int outcome;               /* 0, or a negative errno */
    uint32_t since;            /* when the wait began, in wait_ticks */
    struct standing *standing; /* in the line of an object that hubs share (shared.h); or NULL */
};

/* How long a wait takes is only told to people: to a millisecond or so, up to 52 days. */
#define WAIT_TICK ((int64_t)1 << 20)
static inline uint32_t wait_ticks(int64_t nanoseconds)
{
    return (uint32_t)((uint64_t)nanoseconds / WAIT_TICK);
}

/* Zeroed memory is an empty queue. */
struct wait_queue {
    struct waiter *head;
    struct waiter *tail;
};

/* Where a thread is to stand in the queue. Front is for one that had its turn and must wait on. */
enum wait_end { WAIT_BACK, WAIT_FRONT };

/* Park the running thread until it is woken (the outcome that wake gave), its ambient deadline
 * or `until` passes (-ETIMEDOUT), or it is cancelled (-ECANCELED). `why` and `object` say in dumps
 * what it waits for; `why` is a literal, a % in it stands for the object's number. queue NULL: only
 * time and cancellation end the wait. -EDEADLK on the hub's own stack. */
int park(struct green_hub *hub, struct wait_queue *queue, enum wait_end end, int64_t until,
         const char *why, long object);

/* Would park fail at once? 0, or the negative errno: on the hub's stack, cancelled, past the
 * deadline, or what was thrown at the thread: that is told once. */
int park_refused(struct green_hub *hub);

/* The same, when a callback of the loop is known to want to wait: -EDEADLK, and a sentence. */
int park_in_callback(struct green_hub *hub);

/* Why a parked thread was woken, when it was not for what it waited for. */
int park_failed(struct green_thread *thread);

/* The thread's wait, by the ambient deadline only, has ended with err (or 0), but its call succeeds
 * all the same: no deadline has made it fail, and what was thrown is for the next one. */
void park_excused(struct green_thread *thread, int err);

/* Take a parked thread out of its queue and make it ready. */
void wake(struct green_thread *thread, int outcome);
/* The deadline or a cancellation ends a wait, unless it has just been ended otherwise. */
void wake_early(struct green_thread *thread, int outcome);
/* The first in the queue; false if it is empty. */
bool wake_first(struct wait_queue *queue, int outcome);
void wake_all(struct wait_queue *queue, int outcome);
