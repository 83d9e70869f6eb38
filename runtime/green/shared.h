/* green/shared.h - what the objects that threads share are made of. Not for use by itself.
 *
 * All of them (mutex, semaphore, event, condition, rwlock, barrier, once, wait group, result)
 * live wherever their owner puts them, need no clean-up, are ready when zeroed, and may be used
 * by green threads of any hub and from any OS thread. Waiters are served first come, first
 * served, and are handed what they waited for: nobody overtakes. (To wait for several at once:
 * green/select.h.) A wait that ends by its deadline or by cancellation has taken nothing; a
 * cancelled thread gets not even what is free (clean up in green_shield). Inside green_within(0)
 * each call is a try: what would wait fails with ETIMEDOUT.
 *
 * Do not free an object while somebody waits on it; but as soon as your own wait is over you may,
 * though the call that woke you may not have returned yet on its hub. */
#pragma once
#include <green/thread.h>

/* Held for a few instructions while a hub looks at or changes an object. */
typedef struct green_guard {
    unsigned char taken;
} green_guard;

/* Who waits, in order. */
typedef struct green_waiters {
    void *first;
    void *last;
} green_waiters;
