/* green/state.h - what threads are doing: for dumps, monitors and tests.
 *
 * In a program that hangs, Ctrl-\ shows who waits for what (green/signal.h):
 *
 *     static int dump(int number, void *arg)
 *     {
 *         green_dump(NULL, 2);
 *         return 0;
 *     }
 *     green_signal_handle(GREEN_SIGNALS(SIGQUIT), dump, NULL);                                 */
#pragma once
#include <green/thread.h>

GREEN_BEGIN_DECLS

typedef enum green_state {
    GREEN_FRESH,     /* has not run yet */
    GREEN_READY,     /* waits for its turn only */
    GREEN_RUNNING,   /* the one that runs on its hub */
    GREEN_WAITING,   /* for what, says green_thread_info */
    GREEN_DONE,      /* its function has returned; nobody has joined it yet */
    GREEN_CANCELLED, /* the same, and green_cancel was called before */
} green_state;

typedef struct green_thread_info {
    green_state state;
    bool cancelled;              /* green_cancel was called */
    unsigned hub, ident;         /* the number of its hub in the process, and its own there */
    unsigned parent_hub, parent; /* who spawned it; 0: nobody, or a callback of the event loop */
    int result, error;           /* when it is over: what its function returned, and errno then */
    int64_t waited;              /* since when it waits, to some milliseconds; else 0 */
    char waits_for[64];          /* "fd 7 readable"; else "" */
    char name[16];
} green_thread_info;

/* -1: EDEADLK, as green_cancel. For a thread of another hub it may yield. */
GREEN_API int green_thread_info_get(green_thread *thread, green_thread_info *info);
GREEN_API int green_thread_state(green_thread *thread);

/* A small number: 1, 2, ..., one that no other thread of its hub has as long as it is not joined;
 * re-used afterwards. An index for per-thread arrays; in the whole process it takes the number of
 * the hub as well, see green_thread_info. thread NULL: the caller. 0: there was no memory for one.
 */
GREEN_API unsigned green_ident(green_thread *thread);

/* Write a line a thread: ident, name, state, what it waits for and how long, who spawned it. hub
 * NULL: of all hubs. The caller's OS thread writes, with write(2). May yield, whatever the caller's
 * deadline and even when it was cancelled, but for two seconds at most: a hub whose OS thread
 * blocks outside this library is then written of as not answering, and the call fails with
 * ETIMEDOUT. ENOMEM: lines are missing. EDEADLK: another hub's, from a callback of the loop. ESRCH:
 * a hub that did not survive a fork. Or what write(2) says. */
GREEN_API int green_dump(green_hub *hub, int fd);

/* Being told of each new thread of a hub, to trace them; green/link.h tells of their ends. The hook
 * is wherever its owner puts it, until it was cut. */
typedef struct green_spawn_hook {
    void (*fn)(struct green_spawn_hook *hook, green_thread *thread);
    void *arg;
    /* the rest is private */
    green_hub *hub; /* NULL: in no line */
    struct green_spawn_hook *next;
} green_spawn_hook;
#define GREEN_SPAWN_HOOK_INIT  \
    {                          \
        NULL, NULL, NULL, NULL \
    }

/* From now on have fn(hook, thread) called for each thread that is spawned on the hub (NULL: the
 * caller's), by whatever call, before its first turn. The hooks of a hub are called in order, on
 * its OS thread, and must neither block (calls that would fail with EDEADLK) nor spawn; they may
 * name the thread, cancel it, link to it, and cut any hook, also their own. A hook must be cut
 * before its hub ends. Another hub's: may yield. */
GREEN_API int green_spawn_hook_add(green_spawn_hook *hook, green_hub *hub,
                                   void (*fn)(green_spawn_hook *hook, green_thread *thread),
                                   void *arg);

/* From now on it is not called any more, and nothing of it is used. Harmless on one that was cut,
 * or is GREEN_SPAWN_HOOK_INIT. Another hub's: may yield. */
GREEN_API int green_spawn_hook_cut(green_spawn_hook *hook);

/* From now on a green thread or coroutine whose stack overflows is named on standard error before
 * SIGSEGV ends the process, as it does anyway: hub, ident, name, size of the stack. To be called
 * first thing in main: it is for the caller's hub, and those made later. It works by a handler of
 * SIGSEGV that leaves all other faults alone; one that the program installs later replaces it.
 * EBUSY: the program (or a sanitizer) has one already; ENOMEM. */
GREEN_API int green_report_overflow(void);

GREEN_END_DECLS
