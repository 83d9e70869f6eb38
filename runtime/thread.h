/* thread.h - the control block of a green thread, and what the rest of the engine does with it.
 *
 * The block stands at the top of the thread's own stack (one page, one TLB entry, no allocation);
 * those of OS threads stand in their hub. It belongs to one hub for life, and only that hub's OS
 * thread touches it. */
#pragma once
#include "list.h"
#include "message.h"
#include "sanitize.h"
#include "switch.h"
#include "wait.h"
#include <green/deadline.h>
#include <green/shared.h>
#include <green/thread.h>
#include <stddef.h>

struct far_join;
struct green_group;
struct green_link;
struct handler;
struct locals;
struct stack;
struct tie;

enum thread_state {
    THREAD_READY,   /* in the ready queue */
    THREAD_RUNNING, /* the hub's current thread */
    THREAD_PARKED,
    THREAD_DONE, /* its function has returned; waits for its join */
};

enum {
    REFUSED_CANCELLED = 1, /* cancelled and not shielded */
    REFUSED_LATE = 2,      /* past its deadline for more than a slice */
    REFUSED_THROWN = 4,    /* an error was thrown at it, and it is not shielded */
};

struct green_thread {
    /* What a switch and an I/O wait touch: two cache lines. */
    struct context context;    /* where it goes on */
    struct green_thread *next; /* behind it in the ready queue */
    struct green_hub *hub;     /* its home */
    struct waiter waiter;      /* its place in a wait queue, while parked */
    uint8_t state;             /* enum thread_state */
    uint8_t refused;           /* REFUSED_ bits: calls fail even if they would not block */
    bool cancelled;
    uint8_t shields;    /* shield scopes around it */
    uint32_t timer_pos; /* in the hub's heap, 0: unarmed */
    int64_t deadline;   /* ambient deadline, INT64_MAX: none */
    int64_t until;      /* when the present wait ends */
    int64_t timer_at;   /* when its timer fires, INT64_MAX: unarmed. May be earlier than
                           the wait's end: timers are not disarmed by waking */
    const char *why;    /* while parked: what for, a literal */
    long object;        /* and which one: a descriptor, a thread's address */

    bool detached;
    bool background;    /* not counted in hub->active */
    bool joined;        /* somebody is in green_join for it */
    bool scope_expired; /* what green_expired() answers */
    bool fresh;         /* has not run yet */
    bool struck;        /* what was thrown at it has ended its last wait early, nothing else */
    int result;         /* of its function */
    int error;          /* errno when it returned */
    uint32_t ident;     /* small, of its hub; 0: none */
    int (*fn)(void *);
    void *arg;
    struct green_scope *scope; /* innermost deadline scope */
    struct wait_queue ends;    /* who waits for its end */
    struct far_join *far;      /* who does so on another hub, or NULL */
    struct tie *tie;           /* of its present wait to those it waits for (deadlock.h), or NULL */
    bool over;                 /* its function has returned. Other hubs look at this and the */
    green_waiters watchers;    /* next, inside the hub's guard `ends`: who selects its end */
    struct green_group *group; /* its owner, or NULL */
    struct green_thread *group_next;
    struct green_thread *group_prev;
    struct stack *stack;       /* NULL: the OS thread's */
    struct stack_pool *pool;   /* where the stack goes back to */
    int thrown;                /* errno that its next wait fails with, once; 0: none */
    uint32_t parent;           /* ident of its spawner, 0: none */
    uint32_t parent_hub;       /* and that one's hub */
    struct list all;           /* in the hub's list of its threads */
    struct error_text *errmsg; /* error.c; NULL until there was one */
    const char *late_why;      /* what it waited for when a deadline made its last call fail; "": */
    long late_object;          /* the call came too late to wait; NULL: it was no deadline */
    bool late;                 /* that call has not returned yet */
    bool late_first;           /* it is the first of its scope */
    struct green_link *links;  /* link.c: whom to tell of its end */
    struct handler *handlers;  /* defer.c: what runs at its end, the last first */
    struct locals *locals;     /* local.c; NULL until it sets one */
    struct message woken;      /* when another hub wakes it */
    char name[16];
    struct san_fiber fiber; /* what sanitizers need to know of a stack */
};

/* Make a thread on this OS thread's hub, ready to run. The parent, perhaps of another hub, lies
 * still meanwhile. NULL and errno. */
struct green_thread *thread_spawn(struct green_hub *hub, const struct green_thread *parent,
                                  const green_spawn_options *options, int (*fn)(void *), void *arg);

/* What a call on a thread says if there is none: -1, EINVAL. */
int thread_none(void);

/* Set up a control block that has no stack of its own and add it to the hub's threads. */
void thread_adopt(struct green_hub *hub, struct green_thread *thread, const char *name);

/* What the running thread does last of its own: handlers and destructors. They may yield. */
void thread_clean(struct green_thread *thread);

/* The running thread is over: whoever waits for its end is told. */
void thread_tell_end(struct green_thread *thread);

/* The end of a thread whose function has returned, or that leaves by other means: the same, then
 * run the next thread. Never returns. */
_Noreturn void thread_end(struct green_thread *thread);

/* Free one that is done. */
void thread_free(struct green_thread *thread);

/* Free those that are done and that nobody will join. */
void thread_reap(struct green_hub *hub);

/* What a thread that joins one of its own hub waits for (thread->why, compared by address): then
 * thread->object is that one. */
extern const char why_join[];

/* Tell the joiner on another hub (join.c). */
void far_join_end(struct green_thread *thread);

/* Cancel a thread of this hub: see green_cancel (cancel.c). */
void thread_cancel(struct green_thread *thread);

/* Take what was thrown at it: a positive errno (cancel.c). */
int thread_catch(struct green_thread *thread);
/* The same was thrown, but fails no call: the next one shall. */
void thread_throw_back(struct green_thread *thread, int err);

void thread_set_name(struct green_thread *thread, const char *name);
