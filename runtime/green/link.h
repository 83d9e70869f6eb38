/* green/link.h - being told of a thread's end, and waiting for the ends of many.
 *
 * Neither joins: the thread is still to be joined (or was detached: then its end is the last that
 * may be heard of it). Among other things to wait for: see green/select.h. */
#pragma once
#include <green/thread.h>

GREEN_BEGIN_DECLS

/* Wherever its owner puts it; usually inside a struct of his. It must stay until it was called or
 * cut; until then it is in a line, and not to be linked again. */
typedef struct green_link {
    void (*fn)(struct green_link *link);
    void *arg;
    int result; /* when fn is called: what the thread's function returned, */
    int error;  /* and errno then */
    /* the rest is private */
    green_thread *thread; /* NULL: not in its line */
    green_hub *hub;
    struct green_link *next;
    struct green_link *prev;
} green_link;
#define GREEN_LINK_INIT                          \
    {                                            \
        NULL, NULL, 0, 0, NULL, NULL, NULL, NULL \
    }

/* Have fn(link) called when the thread ends, also if it never gets to run; if its function has
 * returned already, before this returns. The links of a thread are called in order. fn runs on the
 * OS thread of the thread's hub and must not block: calls that would fail with EDEADLK. It may set
 * events and results, spawn, cancel, and cut or re-use any link, its own too. The thread is not to
 * be joined before it returns. For a thread of another hub this may yield. */
GREEN_API int green_link_to(green_link *link, green_thread *thread, void (*fn)(green_link *link),
                            void *arg);

/* From now on it is not called any more, and nothing of it is used. Harmless if it was called, or
 * is GREEN_LINK_INIT. For a thread of another hub this may yield. */
GREEN_API int green_link_cut(green_link *link);

/* Wait until `wanted` of n threads have ended, and return that number. order (may be NULL): n
 * numbers, the indexes of those in the order of their ends (those that had ended before the call
 * come first); the rest is -1. On failure, too, order is filled: inside green_within(0), which
 * waits for nothing, it says who has ended so far. NULL in the array stands for no thread. May
 * yield. EINVAL: there are not so many; EDEADLK: one is the caller; ENOMEM. */
GREEN_API int green_wait_some(green_thread *const *threads, int n, int wanted, int *order);

/* The first that ends: its index. All: 0. Errors as of green_wait_some. May yield. */
GREEN_API int green_wait_any(green_thread *const *threads, int n);
GREEN_API int green_wait_all(green_thread *const *threads, int n);

GREEN_END_DECLS
