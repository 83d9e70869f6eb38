/* wait.c - see wait.h. */
#include "hub.h"
#include <errno.h>

static void enqueue(struct wait_queue *queue, struct waiter *w, enum wait_end end)
{
    w->queue = queue;
    w->next = end == WAIT_FRONT ? queue->head : NULL;
    w->prev = end == WAIT_FRONT ? NULL : queue->tail;
    *(w->prev != NULL ? &w->prev->next : &queue->head) = w;
    *(w->next != NULL ? &w->next->prev : &queue->tail) = w;
}

static void dequeue(struct waiter *w)
{
    struct wait_queue *queue = w->queue;
    if (queue == NULL)
        return;
    *(w->prev != NULL ? &w->prev->next : &queue->head) = w->next;
    *(w->next != NULL ? &w->next->prev : &queue->tail) = w->prev;
    w->queue = NULL;
}

/* The ambient deadline has made a call fail: the scope that rules is told. */
static int deadline_passed(struct green_thread *t)
{
    for (struct green_scope *s = t->scope; s != NULL; s = s->outer)
        if (s->rules) {
            s->expired = true;
            break;
        }
    return -ETIMEDOUT;
}

int park_refused(struct green_hub *hub)
{
    struct green_thread *t = hub->current;
    if (UNLIKELY(t->refused & REFUSED_CANCELLED))
        return -ECANCELED;
    if (UNLIKELY(t->deadline <= hub->now))
        return deadline_passed(t);
    return 0;
}

int park(struct green_hub *hub, struct wait_queue *queue, enum wait_end end, int64_t until,
         const char *why, long object)
{
    struct green_thread *t = hub->current;
    struct waiter w = {.thread = t};
    if (UNLIKELY(t == &hub->loop))
        return -EDEADLK;
    int err = park_refused(hub);
    if (err < 0)
        return err;
    t->until = until < t->deadline ? until : t->deadline;
    if (t->until < t->timer_at)
        heap_arm(&hub->timers, t, t->until);
    if (queue != NULL)
        enqueue(queue, &w, end);
    t->waiter = &w;
    t->why = why;
    t->object = object;
    t->state = THREAD_PARKED;
    hub_switch(hub, false);
    t->waiter = NULL;
    if (UNLIKELY(w.outcome == -ETIMEDOUT) && t->until == t->deadline)
        return deadline_passed(t);
    return w.outcome;
}

void wake(struct waiter *w, int outcome)
{
    dequeue(w);
    w->outcome = outcome;
    hub_ready(w->thread->hub, w->thread);
}

bool wake_first(struct wait_queue *queue, int outcome)
{
    if (queue->head == NULL)
        return false;
    wake(queue->head, outcome);
    return true;
}

void wake_all(struct wait_queue *queue, int outcome)
{
    while (wake_first(queue, outcome))
        continue;
}
