/* deadlock.h - threads that wait for each other in a ring, and so for ever.
 *
 * Who waits for the end of a thread or of a group, for a mutex, for an rwlock that somebody writes
 * under, or for what somebody runs once, waits for certain threads. Such a wait has a tie to them,
 * on its thread's stack, unless a deadline will end it. At first its hub keeps the tie to itself: a
 * few instructions, no lock. If the wait lasts, its hub's loop shows the tie: it goes into a graph
 * that all hubs share, under a lock. If it closes a ring there, one of the ring's waits fails with
 * EDEADLK, and green_errmsg() tells who waits for whom. Locks give way to joins, on which
 * somebody's memory may depend.
 *
 * No ring is found that is none. While the graph's lock is held no tie comes or goes. A tie leaves
 * the graph before its thread goes on, and before anything but what it waits for makes it ready;
 * once that has come the tie leads nowhere: the thread itself owns the lock. (A once that has
 * failed may have another runner by then: the thread waits for him again.) So all threads of a
 * ring were waiting when the search began, and nobody else could unlock or end for them. Threads
 * are compared, never looked into: who owns a lock may be gone. */
#pragma once
#include "hub.h"

struct green_group;

struct tie {
    struct list link;            /* in hub->ties, or once it is shown in hub->shown */
    struct green_thread *thread; /* who waits */
    const char *what;            /* "a mutex of": before the name of whom it waits for */
    struct green_thread **whom;  /* where the thread stands that it waits for */
    green_guard *guard;          /* of a lock: there it may be looked at; NULL: at any time */
    struct green_group *joins;   /* or the group it waits for; NULL: none */
    int64_t since;               /* hub->now */
    bool shown; /* its hub's only; from then on the rest is set, and the graph's: */
    struct list by_thread, by_group;
    struct green_group *group;    /* its thread's, or NULL */
    uint64_t search;              /* the last that came by, and in it: */
    struct tie *from, *next_seen; /* from where; which one then */
};

/* Around a park without any end in time: the running thread waits for a thread, which stands at
 * `whom`, or for a group. */
static inline void tie_on(struct green_hub *hub, struct tie *tie, const char *what,
                          struct green_thread **whom, green_guard *guard, struct green_group *joins)
{
    struct green_thread *t = tie->thread = hub->current;
    tie->what = what;
    tie->whom = whom;
    tie->guard = guard;
    tie->joins = joins;
    tie->since = hub->now;
    tie->shown = false;
    if (UNLIKELY(t->deadline != INT64_MAX)) {
        list_init(&tie->link);
        return;
    }
    list_append(&hub->ties, &tie->link);
    t->tie = tie;
}

/* A tie that was shown leaves the graph. On its thread's hub. */
void tie_cut(struct tie *tie);

static inline void tie_off(struct tie *tie)
{
    if (UNLIKELY(tie->shown))
        tie_cut(tie);
    list_remove(&tie->link);
    tie->thread->tie = NULL;
}

/* At each poll: show ties that have lasted, and end the waits that can never end. Returns when to
 * look again. */
int64_t ties_show(struct green_hub *hub);
static inline int64_t ties_look(struct green_hub *hub)
{
    bool idle =
        list_empty(&hub->ties) && !atomic_load_explicit(&hub->in_ring, memory_order_relaxed);
    return LIKELY(idle) ? INT64_MAX : ties_show(hub);
}
