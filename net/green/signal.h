/* green/signal.h - signals, received by green threads.
 *
 *     green_signal *s = green_signal_open(GREEN_SIGNALS(SIGINT, SIGTERM));
 *     int number = green_signal_wait(s);             -- other threads run meanwhile
 *     green_signal_close(s);                         -- Ctrl-C kills again
 *
 * Nothing is changed that was not asked for: a signal is handled here only while a subscription
 * names it, in place of what the program had for it; with the last one's end that comes back. Each
 * subscription gets each signal, on whatever hub it is waited for. As with the kernel, a signal
 * that comes again before it was taken counts once; the lower number is taken first. The signal
 * must not be blocked in all OS threads of the program (those of the library block all). After a
 * fork subscriptions work on in the child. */
#pragma once
#include <green/base.h>
#include <signal.h>
#ifdef __cplusplus
#include <initializer_list>
#endif

GREEN_BEGIN_DECLS

typedef struct green_signal green_signal;

/* A list of signals, as these calls want it: ended by 0. */
#ifdef __cplusplus
#define GREEN_SIGNALS(...) (std::initializer_list<int>{__VA_ARGS__, 0}.begin())
#else
#define GREEN_SIGNALS(...) ((const int[]){__VA_ARGS__, 0})
#endif

/* Subscribe. NULL and EINVAL: not a signal that can be waited for (SIGKILL, SIGSTOP, and those of
 * faults as SIGSEGV); EMFILE, ENOMEM. Does not yield. */
GREEN_API green_signal *green_signal_open(const int *signals);

/* Wait for one of its signals, also one that has come before: its number, or -1. When several
 * threads wait on one subscription, each signal goes to one of them. May yield. */
GREEN_API int green_signal_wait(green_signal *subscription);

/* A descriptor that is readable while a signal has come: for green_poll, GREEN_READABLE
 * (green/fd.h) and the like, not to be read. */
GREEN_API int green_signal_fd(const green_signal *subscription);

/* Subscribe, and call fn(number, arg) on a green thread of this hub for each signal. It may block;
 * signals that come meanwhile are handled when it has returned, one at a time. When it returns a
 * negative value the handling ends, the subscription stays. Otherwise as green_signal_open; nobody
 * else may wait on it. */
GREEN_API green_signal *green_signal_handle(const int *signals, int (*fn)(int number, void *arg),
                                            void *arg);

/* End the subscription; a handler is cancelled and waited for (a handler cannot end its own:
 * EDEADLK, and it goes on). Nobody may be waiting on it. 0; or -1 with the errno of a handler
 * that had failed; it is freed then, too. NULL is fine. May yield if there is a handler. */
GREEN_API int green_signal_close(green_signal *subscription);

GREEN_END_DECLS
