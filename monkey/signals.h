/* signals.h - signals for threads that the kernel does not know.
 *
 * Each task has its own mask. The kernel blocks only what all of them block; a signal that arrives
 * at the wrong moment is put back, blocked in the kernel, until its taker comes by (signals.c). */
#pragma once
#include "task.h"

enum { RAN_RESTARTS = 1, RAN_INTERRUPTS = 2 };

/* Takes over the masks and actions found at the start. */
void signals_start(void);
void signals_stop(void);
void signals_forked(void);

/* A task begins with this mask; it ends. */
void signals_join(struct task *t, uint64_t mask);
void signals_leave(struct task *t);

/* Deferred signals make the parked threads that are to take them ready, with -EINTR. */
void signals_route(void);

/* Signals sent to the whole process that wait for one of its threads. */
extern uint64_t signals_deferred;

/* Is there one that this thread has to take? */
static inline bool signals_due(const struct task *t)
{
    return UNLIKELY(((t->pending | signals_deferred) & ~t->mask) != 0);
}

/* Takes them: their handlers run on this thread, here. The engine must hold nothing. */
void signals_take(struct task *t);

/* The thread has failed to write with EPIPE: the signal is its own, even if it blocks it. */
void signals_of_pipe(struct task *t);

/* Exactly the running thread's mask in the kernel, for a program that it is to execute; and back,
 * when that failed. */
void signals_expose(struct task *t);
void signals_conceal(void);

/* A mask for the present call only, as ppoll's: NULL changes nothing. It ends with the call. */
void signals_mask_for_call(struct task *t, const uint64_t *mask);
void signals_mask_back(struct task *t);

/* As it would be in the kernel now: for calls that wait there with a mask of their own. */
uint64_t signals_kernel_mask(void);

long call_rt_sigaction(struct call *c);
long call_rt_sigprocmask(struct call *c);
long call_rt_sigpending(struct call *c);
long call_rt_sigsuspend(struct call *c);
long call_rt_sigtimedwait(struct call *c);
long call_pause(struct call *c);
long call_tgkill(struct call *c);
long call_tkill(struct call *c);
long call_rt_tgsigqueueinfo(struct call *c);
