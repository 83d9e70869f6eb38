/* green/semaphore.h - a count of permits. See green/shared.h. */
#pragma once
#include <green/shared.h>

GREEN_BEGIN_DECLS

typedef struct green_semaphore {
    green_guard guard;
    unsigned count; /* permits free now */
    unsigned limit; /* more than so many is an error; 0: no limit */
    green_waiters waiters;
} green_semaphore;
#define GREEN_SEMAPHORE_INIT(count) \
    {                               \
        {0}, (count), 0,            \
        {                           \
            NULL, NULL              \
        }                           \
    }
#define GREEN_SEMAPHORE_BOUNDED_INIT(count) \
    {                                       \
        {0}, (count), (count),              \
        {                                   \
            NULL, NULL                      \
        }                                   \
    }

/* Take a permit, waiting for one if need be. May yield. */
GREEN_API int green_semaphore_acquire(green_semaphore *semaphore);
/* Take a permit if there is one. EBUSY: there is none. Yields now and then, as
 * green_mutex_trylock. */
GREEN_API int green_semaphore_try(green_semaphore *semaphore);
/* Give one back: to the first in line, if there is a line. EOVERFLOW: more than the limit. */
GREEN_API int green_semaphore_release(green_semaphore *semaphore);

GREEN_END_DECLS
