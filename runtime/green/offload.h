/* green/offload.h - run on another OS thread what must block or takes long: file I/O, a library
 * that knows no green threads, heavy computing.
 *
 * The function runs on an OS thread of a pool, outside any green thread, with all signals blocked;
 * it must not call what may yield on behalf of its caller. The pool grows on demand (up to 64 OS
 * threads; what comes on top waits in line) and shrinks when it is idle. */
#pragma once
#include <green/base.h>

GREEN_BEGIN_DECLS

/* Run fn(arg) on the pool; *result gets what it returned (may be NULL). Once the function is on its
 * way the call waits for its end, whatever happens to the caller: so arg may stand on the caller's
 * stack. 0; or -1 and nothing was run: ECANCELED, ETIMEDOUT (already when the call was made),
 * EAGAIN (no OS thread can be made), ENOMEM. May yield. */
GREEN_API int green_offload(int (*fn)(void *arg), void *arg, int *result);

/* The same, but cancellation and deadlines end the wait at once and leave the function behind.
 * arg is on the heap: on 0 it is the caller's again; on -1 it is lost to him and release(arg) is
 * called exactly once, maybe later and on another OS thread, when the function needs it no more. A
 * function left behind before its turn does not run. */
GREEN_API int green_offload_owned(int (*fn)(void *arg), void *arg, void (*release)(void *arg),
                                  int *result);

GREEN_END_DECLS
