/* green/base.h - what every libgreen header stands on: units of time, linkage, error texts.
 *
 * Conventions of the whole library: a call returns > 0 for data, 0 for success or end, -1 (or NULL)
 * with errno on failure. Durations are int64_t nanoseconds. In structs of options zero is the
 * default; calls named _with want one, others also take NULL, unless something must be set. Who
 * gets NULL for a function that is to be called fails with EINVAL. "May yield" in a description
 * means that other green threads of this OS thread may run before the call returns. Every call that
 * may yield can also fail with
 *   ECANCELED  the calling green thread was cancelled (green/thread.h),
 *   ETIMEDOUT  a deadline scope around the call expired (green/deadline.h),
 *   EDEADLK    the caller is a callback of the hub's event loop, which must not block; or nothing
 *              can ever end the wait, where that is certain (green/hub.h): threads wait for each
 *              other in a ring, or nothing is left that could wake main(). green_errmsg() tells
 *              who waits for what,
 *   ENOMEM     the OS thread's hub, made at the first call that needs it, could not be made
 *              (EMFILE, ENFILE: for want of descriptors).
 * A call that does not say that it may yield does not, and callbacks of the loop may make it. (What
 * concerns a thread or a hub of another OS thread is asked over there: then such a call may yield,
 * fails with EDEADLK in a callback, and with ESRCH if the other was left behind by a fork.) Calls
 * may be made on any OS thread of the program, but not in handlers of signals: for these there is
 * green/signal.h. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
#define GREEN_BEGIN_DECLS extern "C" {
#define GREEN_END_DECLS   }
#else
#define GREEN_BEGIN_DECLS
#define GREEN_END_DECLS
#endif

#define GREEN_API __attribute__((visibility("default")))

#define GREEN_NS  INT64_C(1)
#define GREEN_US  INT64_C(1000)
#define GREEN_MS  INT64_C(1000000)
#define GREEN_SEC INT64_C(1000000000)

/* For macros that need a name of their own on each line. */
#define GREEN_PASTE_(a, b) a##b
#define GREEN_PASTE(a, b)  GREEN_PASTE_(a, b)

GREEN_BEGIN_DECLS

/* The sentence a person needs about the last failure on this green thread: which host, which TLS
 * alert, what a deadline has cut short. Falls back to strerror(errno) when the failing call had
 * nothing to add. Never NULL. The text belongs to the library and holds until the thread's next
 * failing call. */
GREEN_API const char *green_errmsg(void);

GREEN_END_DECLS
