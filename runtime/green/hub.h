/* green/hub.h - hubs: one event loop an OS thread.
 *
 * Most programs never name a hub: the one of an OS thread appears at its first call into the
 * library. Name them to use several CPUs, or to share the loop with libevent code.
 *
 * A hub has five descriptors. A program that closes all it did not open itself (closefrom, as
 * daemons do) does so before its first call into the library, or between a fork and the child's
 * first call: without them every call that waits fails with EBADF.
 *
 * libevent's log messages are dropped, unless the program sets a callback for them after its first
 * call into the library.
 *
 * A hub that appeared on an OS thread of the program ends with that OS thread: green threads still
 * alive there are cancelled and waited for; its main one ends last. Their handles end with it,
 * unless somebody on another hub is in green_join by then; events that the program has in the hub's
 * own loop are dropped.
 * What one hub asks of another (spawn, join, cancel, detach) is done when that one next runs its
 * loop: an OS thread that blocks outside this library keeps it waiting.
 *
 * Waits that can never end fail with EDEADLK.
 *  - Threads that wait for each other in a ring, on whatever hubs: for the end of a thread or of a
 *    group, a mutex, an rwlock that somebody has for writing, what somebody runs once. It is found
 *    when it is some 50 ms old, whatever else goes on. One of its locks is then refused, or one of
 *    its joins if there is no lock. Who waits with a deadline is in no ring. Not found are rings by
 *    way of a reader of an rwlock, since nobody knows who reads; of what belongs to nobody
 *    (semaphores, channels, events); of select; of more than a thousand threads.
 *  - main, when the whole process stands still: all hubs sleep without a timer, a registered
 *    descriptor or an event of the program's in a loop; no message is on its way between them, no
 *    job of a lane under way; and the process has no OS thread besides. Of several OS threads with
 *    a main that waits the one whose hub is the oldest is told. An OS thread of the program's
 *    counts as able to wake anybody as long as it is there; if it ends while all others wait, that
 *    is noticed after at most as long again. Handlers of sigaction(2) do not count: they
 *    must not call this library, and a descriptor that they write to does. Nothing is told in
 *    a child that another thread than main has forked, nor behind a shield: what is shielded may
 *    rely on its waits.
 *
 * fork(2) may be called from any green thread. In the child that one alone is left, on a hub of its
 * own that is made at its first call that needs one: a child that just execs pays nothing, and the
 * parent's loops are never touched.
 *  - All other green threads, hubs and pool threads are gone, with what they held: a mutex that one
 *    had locked stays locked. Those that waited for an object stand in its line no more. An object
 *    that another OS thread was just using, or a group or pool that one is in or waits for, must
 *    not be used any more. Calls on such a thread or hub fail with ESRCH.
 *  - Descriptors are shared, as ever. Deadlines around the call hold in the child, too, and signal
 *    subscriptions go on there; their handlers are gone. The loop of green_hub_event_base is a new
 *    one: the events of the old are gone and must not be touched.
 *  - If it was not an OS thread's main green thread that forked, the process ends when the function
 *    of that thread returns: exit(0), or exit(1) if the result is negative.
 *  - A child forked by a callback of the loop or by green_offload must exec or _exit.
 * _Fork(2) and clone(2) by hand are not noticed: such a child must exec or _exit, too.
 */
#pragma once
#include <green/thread.h>

GREEN_BEGIN_DECLS

struct event_base;

/* See to it that at least n hubs share the work, the first caller's included: the missing ones run
 * on OS threads of their own. n <= 0: $GREEN_HUBS, or 1. Returns how many there are, or -1: EAGAIN,
 * ENOMEM, EINVAL (more than 1024, or $GREEN_HUBS is no such number). */
GREEN_API int green_hubs(int n);

/* End the hubs that green_hubs has made. Green threads that are alive there are cancelled and
 * waited for, their handles and those of the hubs are no good any more; then the OS threads are
 * gone, too. The caller's work goes on, and green_hubs may make new ones. A deadline or a
 * cancellation ends only the wait: the hubs end all the same, and the next call waits for what is
 * left. May yield. EDEADLK: the caller is on one of these hubs, or a callback of a loop; EBUSY: a
 * server (green/serve.h) runs on several hubs, stop it first. */
GREEN_API int green_hubs_end(void);

/* The caller's hub; NULL and errno if it cannot be made. */
GREEN_API green_hub *green_hub_self(void);

/* Where a thread is to run is said at its spawn: options.hub = one of these, or the caller's hub if
 * it says nothing. They choose among the hubs that green_hubs made, and the first caller's: the
 * next in turn; the one with the fewest threads alive (those in the background do not count); the
 * n-th, modulo how many there are, for work that belongs to a key. NULL and ENOMEM. */
GREEN_API green_hub *green_hub_next(void);
GREEN_API green_hub *green_hub_idlest(void);
GREEN_API green_hub *green_hub_nth(unsigned n);

/* Figures of one hub since it was made. */
typedef struct green_hub_stats {
    uint64_t switches;  /* from thread to thread */
    uint64_t polls;     /* calls into the event loop */
    uint64_t spawned;   /* threads started here */
    uint64_t threads;   /* alive now, main included */
    uint64_t timers;    /* armed now */
    uint64_t watches;   /* descriptors registered with the event loop now */
    uint64_t stacks;    /* stacks held for re-use now */
    uint64_t unguarded; /* stacks made without a guard page, for want of mappings */
} green_hub_stats;
/* hub NULL: the caller's. Another hub is asked for its figures: may yield. ESRCH: it has ended. */
GREEN_API int green_hub_stats_get(green_hub *hub, green_hub_stats *stats);

/* The libevent loop under the caller's hub, to add one's own events, bufferevents, evhttp to.
 * Their callbacks run on the hub's stack: they may spawn, but a call that would block fails with
 * EDEADLK. Use it on this OS thread only; never free it, never run it. NULL and ENOMEM. */
GREEN_API struct event_base *green_hub_event_base(void);

/* The other way round: let this OS thread's hub run on a loop that the program has made, instead of
 * one of its own. To be called before anything else of the library on this OS thread. The program
 * no longer runs the loop itself (event_base_dispatch and the like): it runs whenever green threads
 * wait. The base must outlive the OS thread's use of the library; locks on it are not needed, but
 * harmless. EINVAL: a base without edge-triggered epoll; EBUSY: there is a hub already. */
GREEN_API int green_hub_attach(struct event_base *base);

/* Run fn(arg) on another hub (or this one), on the stack of its loop, and wait for it. From any OS
 * thread. fn must not block. ESRCH: that hub has ended. May yield. */
GREEN_API int green_hub_run(green_hub *hub, void (*fn)(void *arg), void *arg);

/* Wait until the caller's hub is idle: until no thread is left there but the caller, the OS
 * thread's main one, those that are in this call as well, and those in the background
 * (options.background, handlers of signals). Events of the program's own do not count. May yield.
 */
GREEN_API int green_hub_wait_idle(void);

GREEN_END_DECLS
