/* green/barrier.h - so many threads wait for each other. See green/shared.h. */
#pragma once
#include <green/shared.h>

GREEN_BEGIN_DECLS

typedef struct green_barrier {
    green_guard guard;
    unsigned parties; /* how many meet */
    green_waiters waiters;
} green_barrier;
#define GREEN_BARRIER_INIT(parties) \
    {                               \
        {0}, (parties),             \
        {                           \
            NULL, NULL              \
        }                           \
    }

/* Wait for the others. 1 for the one that came last, 0 for the others; it is ready for the next
 * round then, or to be freed. One that gives up (-1) has not arrived. May yield. */
GREEN_API int green_barrier_wait(green_barrier *barrier);

GREEN_END_DECLS
