/* green/mutex.h - mutual exclusion that parks. See green/shared.h for what all objects have in
 * common. Mirrors pthread_mutex_lock(3) with an error check. */
#pragma once
#include <green/shared.h>

GREEN_BEGIN_DECLS

typedef struct green_mutex {
    green_guard guard;
    bool recursive;      /* its owner may lock it again */
    unsigned depth;      /* how many times it is locked */
    green_thread *owner; /* NULL: free */
    green_waiters waiters;
} green_mutex;
#define GREEN_MUTEX_INIT     \
    {                        \
        {0}, false, 0, NULL, \
        {                    \
            NULL, NULL       \
        }                    \
    }
#define GREEN_MUTEX_RECURSIVE_INIT \
    {                              \
        {0}, true, 0, NULL,        \
        {                          \
            NULL, NULL             \
        }                          \
    }

/* Lock; wait for it if need be. EDEADLK: the caller has it already and it is not recursive; or its
 * owner waits, perhaps by way of others, for the caller (green/hub.h). May yield. */
GREEN_API int green_mutex_lock(green_mutex *mutex);

/* Lock if that needs no waiting. EBUSY: somebody has it, maybe the caller. Gives others a chance to
 * run now and then, so that a loop around it makes progress. */
GREEN_API int green_mutex_trylock(green_mutex *mutex);

/* Unlock, and hand it to the first in line. EPERM: the caller does not have it. */
GREEN_API int green_mutex_unlock(green_mutex *mutex);

GREEN_END_DECLS
