/* green/thread.h - green threads: spawn, join, cancel.
 *
 * main() already is a green thread, and so is every OS thread that calls into the library: there is
 * nothing to initialise or to run. A green thread never moves to another OS thread; within one it
 * loses the CPU only in calls that "may yield". The process ends when main() returns.
 *
 * The FP environment (rounding mode, exception flags) belongs to the OS thread, not to the green
 * thread: restore it before a call that may yield. errno is kept for each green thread,
 * and so are C++ exceptions: a handler or a destructor may yield. One that leaves a thread's
 * function ends the program by std::terminate, as with std::thread. (libstdc++ must be there when
 * the program starts, not come with dlopen later.) */
#pragma once
#include <green/base.h>

GREEN_BEGIN_DECLS

typedef struct green_thread green_thread;
typedef struct green_hub green_hub;

/* How to start a thread; zero is the default everywhere. */
typedef struct green_spawn_options {
    size_t stack_size; /* bytes, rounded up, at most 1 GiB; 0: $GREEN_STACK, if that is a number of
                          bytes like this (anything else in it counts as nothing), or 256 KiB.
                          Only what is touched costs memory. Overflow hits a guard page (SIGSEGV) */
    const char *name;  /* copied, cut to 15 bytes */
    green_hub *hub;    /* where to run; NULL: the caller's hub. See green/hub.h */
    bool detached;     /* nobody will join: freed when it ends */
    bool background;   /* it serves the others: green_hub_wait_idle does not wait for it */
    int64_t delay;     /* ns to wait before its first turn; green_kill takes it back */
} green_spawn_options;

/* Start fn(arg) on a new green thread of the caller's hub. It first runs when the caller next
 * yields, after those already waiting to run. It starts outside any deadline of the caller (unlike
 * the threads of a group). The handle is valid until green_join or green_detach.
 * NULL and ENOMEM (memory or address space for the stack), EINVAL, ESRCH (the hub is ending). Does
 * not yield; from another hub (options->hub) it may. Calls on a thread that is NULL fail with
 * EINVAL, if nothing else is said of it: green_detach(green_spawn(fn, arg)) is safe. */
GREEN_API green_thread *green_spawn(int (*fn)(void *), void *arg);
GREEN_API green_thread *green_spawn_with(const green_spawn_options *options, int (*fn)(void *),
                                         void *arg);

/* Wait for the end of a thread, store what its function returned (result may be NULL), free it.
 * On failure the thread is left as it was and can be joined again. A thread that was cancelled
 * before it first ran has the result -1. (The errno behind a result: green_thread_info, before.)
 * May yield. Mirrors pthread_join(3).
 * EDEADLK: it is the caller, or both wait for each other (green/hub.h). EINVAL: somebody else is
 * joining it, or it is detached. */
GREEN_API int green_join(green_thread *thread, int *result);

/* Let a thread go: it is freed as soon as it ends, and so is the handle. Mirrors pthread_detach(3).
 * EINVAL: it is detached already, or somebody joins it. For a thread of another hub it may yield.
 */
GREEN_API int green_detach(green_thread *thread);

/* Ask a thread to end. From now on each of its calls that may yield fails with ECANCELED, until
 * its function returns: the request is a level, not an edge, so it is never lost. A thread that has
 * not run yet ends without running. Calling it again, or for a thread that is done, is harmless.
 * For a thread of another hub it may yield. */
GREEN_API int green_cancel(green_thread *thread);

/* green_cancel and then green_join: the handle is gone unless that fails. May yield. */
GREEN_API int green_kill(green_thread *thread, int *result);

/* Cancel n threads, then join them one by one; their results are lost. Each handle in the array
 * becomes NULL when its thread is joined; NULLs are skipped, no handle may stand there twice.
 * On failure (EDEADLK, ETIMEDOUT, ...) those not yet joined are still there, cancelled. May yield.
 */
GREEN_API int green_kill_all(green_thread **threads, int n);

/* Throw an error (an errno of your choice) at a thread: the call in which it waits fails with that
 * errno; if it does not wait, its next call that may yield does. Unlike green_cancel, which is a
 * level and means the end, this is an edge: one call fails, once, and the thread goes on; a thread
 * that has not run yet starts. Shielded calls are spared, the first one after the shield fails.
 * EALREADY: the last one has not arrived yet; ESRCH: the thread is done; EINVAL: code is not an
 * errno, or it is ECANCELED or ETIMEDOUT, which mean other things. For a thread of another hub it
 * may yield. */
GREEN_API int green_throw(green_thread *thread, int code);

/* Let the other ready threads run. Returns 0, or -1 as any call that may yield. */
GREEN_API int green_yield(void);

/* Sleep. 0: only yield. May yield. */
GREEN_API int green_sleep(int64_t nanoseconds);

/* Sleep until green_now() (green/deadline.h) has come to `at`; if it has already: only yield. A
 * clock that does not drift, whatever its work takes:
 *     for (int64_t at = green_now(); work() == 0; green_sleep_until(at += GREEN_SEC))
 * May yield. */
GREEN_API int green_sleep_until(int64_t at);

/* The calling green thread; in a callback of the loop a stand-in for it, which is not to be joined
 * or kept. NULL and errno if the OS thread's hub cannot be made. */
GREEN_API green_thread *green_self(void);

/* A name for dumps and debuggers: copied, cut to 15 bytes. green_name: valid as long as the
 * thread. thread NULL: the caller. */
GREEN_API int green_set_name(green_thread *thread, const char *name);
GREEN_API const char *green_name(green_thread *thread);

/* Clean-up that must be able to block even though the thread was cancelled or is past its
 * deadline: inside the block neither makes a call fail. (The deadline of a green_within that stands
 * in the block does.) Leave it as the block of green_within.
 *     green_shield() { green_conn_close(c); }                                               */
typedef struct green_shield_scope {
    green_thread *thread;
    int64_t deadline; /* the ambient deadline, put back on leaving */
} green_shield_scope;
GREEN_API green_shield_scope *green_shield_enter(green_shield_scope *scope);
GREEN_API void green_shield_leave(green_shield_scope *scope);
#define green_shield()                                                  \
    for (green_shield_scope GREEN_PASTE(green_shield_, __LINE__)        \
             __attribute__((cleanup(green_shield_leave))),              \
         *GREEN_PASTE(green_once_, __LINE__) =                          \
             green_shield_enter(&GREEN_PASTE(green_shield_, __LINE__)); \
         GREEN_PASTE(green_once_, __LINE__); GREEN_PASTE(green_once_, __LINE__) = NULL)

GREEN_END_DECLS
