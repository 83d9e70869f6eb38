/* hub.h - the scheduler of one OS thread: ready queue, timers, event loop, messages.
 *
 * Invariants:
 *  - only the hub's OS thread touches it; other threads reach it through hub_post and hub_call;
 *  - a parking thread switches straight to the next ready one; the hub's own stack (`loop`, a
 *    thread that is never in the ready queue) is entered only to poll: when nothing is ready, and
 *    every `turns_each` switches or after a used-up slice;
 *  - callbacks of the event loop only make threads ready; they never switch. */
#pragma once
#include "compiler.h"
#include "heap.h"
#include "ident.h"
#include "list.h"
#include "stack.h"
#include "thread.h"
#include <stdatomic.h>
#include <stdint.h>

struct event_base;

enum {
    OPS_SLICE = 64,    /* calls that did not block after which a thread yields all the same */
    OPS_BYTES = 14,    /* so many bytes (2 to the power of) count as one more */
    STACK_CLASSES = 17 /* 16 KiB, 32 KiB ... 1 GiB */
};

/* What the C++ runtime keeps of an OS thread's exceptions (__cxa_eh_globals of the Itanium ABI). */
struct exceptions {
    void *caught;      /* those in a handler, the innermost first */
    unsigned uncaught; /* how many are on their way */
};

struct green_hub {
    struct green_thread *current;
    struct green_thread *ready;       /* FIFO through ->next */
    struct green_thread *ready_last;  /* valid while ready != NULL */
    unsigned turns;                   /* switches left until the loop is polled */
    unsigned ops;                     /* non-blocking calls since the current thread began to run */
    int64_t now;                      /* CLOCK_MONOTONIC at the last poll; up to a tick behind */
    void *fds;                        /* net/fd.c's table of this hub */
    _Atomic size_t fds_count;         /* other hubs look, too */
    _Atomic unsigned guarding;        /* guards it is inside of (shared.h) */
    int *errno_at;                    /* the OS thread's errno */
    struct exceptions *exceptions_at; /* and its C++ exceptions; NULL: no C++ here */
    struct heap timers;
    int64_t alarm_at;    /* what the timerfd is set to; INT64_MAX: not */
    unsigned turns_each; /* adapts: halved while a round takes long */
    struct event_base *base;
    uint64_t switches, polls, watches;
    struct green_thread loop;  /* the hub's own stack */
    struct green_thread main;  /* the OS thread's stack */
    struct green_thread *heir; /* the parent's main that has taken its place (fork.c), or NULL */
    unsigned announced;        /* and to valgrind */

    bool base_given; /* the program's: not ours to free */
    int alarm_fd;
    int bell_fd;                           /* eventfd: written to announce messages */
    struct hub_events *events;             /* hub_event.c's */
    void (*fds_close)(struct green_hub *); /* net/fd.c's: free the table */

    struct list threads;     /* all of this hub */
    struct idents idents;    /* their numbers */
    uint32_t live;           /* how many; each has room in the heap */
    _Atomic uint32_t active; /* how many of them are not done, but for those in the background;
                                other hubs look, too */
    uint32_t idlers;         /* of these, in green_hub_wait_idle; without main */
    uint32_t idled;          /* how often one of those found the hub idle */
    struct stack_pool *pool; /* of the standard size; NULL until it was asked for */
    struct stack_pool pools[STACK_CLASSES];
    struct list hubs;          /* link in the list of all hubs (hubs.c) */
    uint32_t number;           /* among them: 1, 2, ..., never re-used */
    bool shared;               /* green_hub_next may choose it */
    bool ending;               /* hub_end has begun: no more spawns */
    struct wait_queue drained; /* who looks again whenever a thread has ended */
    green_guard *ends;         /* of its threads' watchers: it outlives them, and the hub */

    struct waiter *served;      /* threads of other hubs, to be told so (shared.h) */
    struct waiter *served_last; /* valid while served != NULL */

    _Atomic(struct message *) inbox; /* newest first */
    atomic_bool rung;                /* the bell is rung and not yet heard */
    atomic_int posters;              /* inside hub_post: hub_destroy waits for them */
    bool gone;                       /* this is a forked child, it was the parent's (fork.c) */

    struct list ties, shown; /* of its threads, not yet shown and shown (deadlock.h) */
    atomic_bool in_ring;     /* one of those shown may be in a ring, and is to give way */
    _Atomic uint64_t rests;  /* standstill.c's: odd while it sleeps and nothing of its own can */
    int64_t doubt;    /* wake it. How long it slept when it was in doubt whether the others */
    uint64_t doubted; /* can, and after how many switches that was */
    bool worker;      /* green_hubs has made it; written inside the list's lock */

    uint64_t spawned;
    struct green_spawn_hook *hooks;     /* whom to tell of new threads (state.c) */
    struct green_spawn_hook *hook_next; /* while they are told */
    uint32_t die;                       /* select.c's */
};

/* Make the hub of this OS thread, on a loop of the program's or (NULL) its own; NULL and errno.
 * hub_here does it at need. */
struct green_hub *hub_create(struct event_base *base);

/* Cancel and await the hub's threads; no more can be spawned. On its OS thread's main green thread
 * only. */
void hub_end(struct green_hub *hub);
/* The same, then free it. */
void hub_destroy(struct green_hub *hub);

/* Put a thread at the end of the ready queue. */
static inline void hub_ready(struct green_hub *hub, struct green_thread *thread)
{
    thread->next = NULL;
    thread->state = THREAD_READY;
    if (hub->ready == NULL)
        hub->ready = thread;
    else
        hub->ready_last->next = thread;
    hub->ready_last = thread;
}

/* No locked instruction: only the hub's OS thread writes. */
static inline void hub_count_active(struct green_hub *hub, uint32_t by)
{
    uint32_t active = atomic_load_explicit(&hub->active, memory_order_relaxed);
    atomic_store_explicit(&hub->active, active + by, memory_order_relaxed);
}

/* Let others run; the running thread stays ready. */
void hub_yield(struct green_hub *hub);

void hub_slice_end(struct green_hub *hub);

/* Count a call that could have blocked but did not. When the thread's slice is used up, others
 * run (then it is true), and if its deadline has passed meanwhile its next call fails even if it
 * would not block. */
static inline bool hub_spend(struct green_hub *hub)
{
    if (LIKELY(++hub->ops < OPS_SLICE))
        return false;
    hub_slice_end(hub);
    return true;
}

/* The same for a call that has moved so many bytes, or failed (< 0). */
static inline bool hub_spend_bytes(struct green_hub *hub, long bytes)
{
    hub->ops += (unsigned)((bytes > 0 ? bytes : 0) >> OPS_BYTES);
    return hub_spend(hub);
}

/* CLOCK_MONOTONIC in nanoseconds. */
int64_t hub_clock(void);

/* hub_message.c */

/* Send from any OS thread. Messages of one sender arrive in order. */
void hub_post(struct green_hub *hub, struct message *message);

/* Run fn(arg) on the hub's stack over there and wait for it: not cancellable, no deadline. 0; or
 * -EDEADLK and nothing was run: the caller is a callback of its loop and must not wait; -ESRCH:
 * that hub has ended, or did not survive a fork. */
int hub_call(struct green_hub *hub, void (*fn)(void *arg), void *arg);

/* Let its loop go round once. From any OS thread, while the hub is certain to be there. */
void hub_ring(struct green_hub *hub);

/* Run what has arrived; called by the loop when the bell rings. */
void hub_receive(struct green_hub *hub);

/* hubs.c */
void hubs_add(struct green_hub *hub);
void hubs_remove(struct green_hub *hub);
/* Is there any but this one (which may be NULL)? */
bool hubs_others(struct green_hub *hub);
/* hub_post to a hub that may have ended: false then. */
bool hubs_post(struct green_hub *hub, struct message *message);
/* Hubs that green_hub_next may choose; how many there are, this one if there is no other. */
void hubs_share(struct green_hub *hub);
void hubs_unshare(struct green_hub *hub);
int hubs_sharing(struct green_hub *hub);
/* Visit each hub, under the list's lock, as long as that returns true. It must not block. */
void hubs_each(bool (*visit)(struct green_hub *hub, void *arg), void *arg);

/* hub_worker.c */
/* $GREEN_HUBS, or 1; -1 and a sentence: it is no such number. */
int hubs_wished(void);
/* In between, green_hubs_end fails: for who keeps handles of threads there. */
void hubs_hold(void);
void hubs_release(void);
