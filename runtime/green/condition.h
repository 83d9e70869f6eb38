/* green/condition.h - waiting for a change of what a mutex protects. See green/shared.h. Mirrors
 * pthread_cond_wait(3), but there are no spurious wake-ups. */
#pragma once
#include <green/mutex.h>

GREEN_BEGIN_DECLS

typedef struct green_condition {
    green_guard guard;
    green_waiters waiters;
} green_condition;
#define GREEN_CONDITION_INIT \
    {                        \
        {0},                 \
        {                    \
            NULL, NULL       \
        }                    \
    }

/* Unlock the mutex and wait, in one step; lock it again before returning, also on failure. EPERM:
 * the caller does not have the mutex (a recursive one: locked more than once). EDEADLK: it can not
 * have it again, whose owner waits for the caller; alone then it returns without. May yield. */
GREEN_API int green_condition_wait(green_condition *condition, green_mutex *mutex);
/* Wake the first in line, or all. They need the condition no more: after broadcast it may be freed
 * at once. */
GREEN_API int green_condition_signal(green_condition *condition);
GREEN_API int green_condition_broadcast(green_condition *condition);

GREEN_END_DECLS
