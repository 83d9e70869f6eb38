/* green/coroutine.h - coroutines: functions that stop in the middle and go on later.
 *
 *     static int count(green_coroutine *self, void *arg)
 *     {
 *         for (int i = 0; i < 3; i++)
 *             if (green_coroutine_yield(self, arg) < 0)
 *                 return -1;                        -- thrown into, or closed
 *         return 0;
 *     }
 *     green_coroutine *co = green_coroutine_create(count, "tick");
 *     void *value;
 *     while (green_coroutine_resume(co, NULL, &value) > 0)
 *         puts(value);
 *     green_coroutine_destroy(co);
 *
 * They need no hub and make none: resume and yield are plain switches, nothing is scheduled. A
 * coroutine runs on a stack of its own, so it may yield from any depth of calls.
 *
 * With green threads: a coroutine runs as part of the green thread that resumed it. A call in it
 * that blocks parks that whole thread, deadlines and cancellation of that thread reach into it, and
 * green_self() is that thread. Different green threads may resume a coroutine by turns; it stays on
 * the OS thread that first resumed it. Blocks of green_within and green_shield belong to the
 * thread, so a coroutine must leave those it entered before it yields. C++ exceptions are kept for
 * each coroutine, as for green threads.
 *
 * Errors are values here, too. What is thrown into a coroutine makes its pending yield fail; what
 * its function fails with is the error of the call that resumed it. Closing a coroutine makes its
 * pending yield and each later one fail with ECANCELED until the function returns (a level, as
 * green_cancel). So clean-up is what stands after the failed yield, and __attribute__((cleanup)).
 *
 * All calls on a coroutine can fail with
 *   EBUSY   it runs: the caller itself, one that waits for the caller, or in another green thread,
 *   EINVAL  it has ended already, or belongs to another OS thread. */
#pragma once
#include <green/base.h>

GREEN_BEGIN_DECLS

typedef struct green_coroutine green_coroutine;

/* How to make one; zero is the default everywhere. */
typedef struct green_coroutine_options {
    size_t stack_size;          /* bytes; 0: the default. As a thread's, see green/thread.h */
    void (*release)(void *arg); /* called exactly once, when the coroutine is destroyed: for an
                                   arg that it owns, even if its function never ran */
} green_coroutine_options;

/* A coroutine that will run fn(self, arg) when it is first resumed. Its function returns >= 0 for
 * success, or a negative value and errno. NULL and ENOMEM, EINVAL (no function, over 1 GiB); arg
 * then stays the caller's. */
GREEN_API green_coroutine *green_coroutine_create(int (*fn)(green_coroutine *self, void *arg),
                                                  void *arg);
GREEN_API green_coroutine *green_coroutine_create_with(const green_coroutine_options *options,
                                                       int (*fn)(green_coroutine *self, void *arg),
                                                       void *arg);

/* Let it run until it yields, and hand it a value. 1: it yielded *out. 0: its function returned
 * (*out is NULL). -1: its function failed, with that errno; or an error of this call, then it did
 * not run: green_coroutine_status tells. out may be NULL. */
GREEN_API int green_coroutine_resume(green_coroutine *co, void *in, void **out);

/* The same, but its pending yield fails with errno `err` (positive) instead of returning. One that
 * was not resumed yet ends without running, and the call fails with `err`. */
GREEN_API int green_coroutine_throw(green_coroutine *co, int err, void **out);

/* Inside the coroutine, at any depth: hand a value to whoever resumed it and wait to be resumed.
 * 0. -1: the error thrown in; ECANCELED if it is being closed; EINVAL if the caller is not this
 * coroutine, or has a green_within or green_shield block open (it goes on without yielding). */
GREEN_API int green_coroutine_yield(green_coroutine *self, void *out);

/* Inside a coroutine: stop and let `to` run in its place. Whoever resumed self now waits for `to`,
 * and gets what that yields or returns. Returns when self is resumed or transferred to again: 0, or
 * -1 as green_coroutine_yield and, about `to`, green_coroutine_resume. */
GREEN_API int green_coroutine_transfer(green_coroutine *self, green_coroutine *to, void *in);

/* What the last resume of (or transfer to) the coroutine handed in, that of the first included. */
GREEN_API void *green_coroutine_input(const green_coroutine *self);

/* End it now: its clean-up runs to the end on this call. One that never ran ends without running.
 * 0, also if it has ended already; -1: the errno that its function failed with, if that is not
 * ECANCELED, or an error of this call. */
GREEN_API int green_coroutine_close(green_coroutine *co);

/* Close it, however that goes, and free it. -1: EBUSY, or EINVAL on a foreign OS thread; then it
 * is not freed. NULL is fine. */
GREEN_API int green_coroutine_destroy(green_coroutine *co);

typedef enum green_coroutine_state {
    GREEN_COROUTINE_SUSPENDED, /* waits to be resumed, maybe for the first time */
    GREEN_COROUTINE_RUNNING,   /* it, or one that it resumed, or a green thread that is in it */
    GREEN_COROUTINE_ENDED,
} green_coroutine_state;
GREEN_API green_coroutine_state green_coroutine_status(const green_coroutine *co);

/* What the function of an ended coroutine returned; -1 if it never ran. 0 before the end. */
GREEN_API int green_coroutine_result(const green_coroutine *co);

GREEN_END_DECLS
