/* hub_switch.h - giving the CPU to the next thread. Inline, so that the compiler saves only what is
 * live at the few places that switch, and parking is as cheap as it can be where it is hot. */
#pragma once
#include "self.h"
#include <errno.h>

static inline void prefetch_thread(const struct green_thread *thread)
{
#ifndef GREEN_SWITCH_PORTABLE
    const char *sp = thread->context.sp;
    __builtin_prefetch(sp);
    __builtin_prefetch(sp + 64);
    __builtin_prefetch(sp + 128);
#endif
    if (thread->next != NULL)
        __builtin_prefetch(thread->next);
}

/* Run the next ready thread, or the loop. The caller has already put itself where it will be
 * found again. Returns when it is its turn again; with `last` never. */
static inline __attribute__((always_inline)) void hub_switch(struct green_hub *hub, bool last)
{
    struct green_thread *from = hub->current;
    struct green_thread *to = hub->ready;
    if (UNLIKELY(to == NULL || hub->turns-- == 0)) {
        to = &hub->loop;
    } else {
        hub->ready = to->next;
        if (hub->ready != NULL)
            prefetch_thread(hub->ready);
        to->state = THREAD_RUNNING;
    }
    hub->ops = 0;
    if (UNLIKELY(to == from))
        return;
    hub->current = to;
    hub->switches++;
    __auto_type kept = self_leave(hub, to);
    san_leave(&from->fiber, &to->fiber, last);
    context_switch(&from->context, &to->context);
    san_arrive(&from->fiber);
    self_arrive(hub, kept);
}

static inline __attribute__((always_inline)) void wait_dequeue(struct waiter *w)
{
    struct wait_queue *queue = w->queue;
    if (queue == NULL)
        return;
    *(w->prev != NULL ? &w->prev->next : &queue->head) = w->next;
    *(w->next != NULL ? &w->next->prev : &queue->tail) = w->prev;
    w->queue = NULL;
}

static inline __attribute__((always_inline)) void wait_enqueue(struct wait_queue *queue,
                                                               struct waiter *w, enum wait_end end)
{
    w->queue = queue;
    w->next = end == WAIT_FRONT ? queue->head : NULL;
    w->prev = end == WAIT_FRONT ? NULL : queue->tail;
    *(w->prev != NULL ? &w->prev->next : &queue->head) = w;
    *(w->next != NULL ? &w->next->prev : &queue->tail) = w;
}

/* The first half of parking: the thread stands in the queue, its timer is set. A switch follows. */
static inline __attribute__((always_inline)) void park_begin(struct green_hub *hub,
                                                             struct wait_queue *queue,
                                                             enum wait_end end, int64_t until,
                                                             const char *why, long object)
{
    struct green_thread *t = hub->current;
    t->until = until < t->deadline ? until : t->deadline;
    if (UNLIKELY(t->until < t->timer_at))
        heap_arm(&hub->timers, t, t->until);
    if (LIKELY(queue != NULL))
        wait_enqueue(queue, &t->waiter, end);
    t->waiter.since = wait_ticks(hub->now);
    t->why = why;
    t->object = object;
    t->state = THREAD_PARKED;
}

/* Is park_refused (wait.h) worth asking? */
static inline bool park_may_fail(const struct green_hub *hub)
{
    const struct green_thread *t = hub->current;
    return (t->refused & (REFUSED_CANCELLED | REFUSED_THROWN)) != 0 || t->deadline <= hub->now ||
           t == &hub->loop;
}

/* park (wait.h), inline. */
static inline __attribute__((always_inline)) int park_here(struct green_hub *hub,
                                                           struct wait_queue *queue,
                                                           enum wait_end end, int64_t until,
                                                           const char *why, long object)
{
    struct green_thread *t = hub->current;
    int err = 0;
    if (UNLIKELY(park_may_fail(hub)) && (err = park_refused(hub)) < 0)
        return err;
    park_begin(hub, queue, end, until, why, object);
    hub_switch(hub, false);
    return LIKELY(t->waiter.outcome == 0) ? 0 : park_failed(t);
}

/* wake_first (wait.h) of a queue that is not empty, inline. */
static inline __attribute__((always_inline)) void wake_here(struct wait_queue *queue)
{
    struct waiter *w = queue->head;
    struct green_thread *t = CONTAINER(w, struct green_thread, waiter);
    queue->head = w->next;
    *(w->next != NULL ? &w->next->prev : &queue->tail) = NULL;
    w->queue = NULL;
    w->outcome = 0;
    hub_ready(t->hub, t);
}
