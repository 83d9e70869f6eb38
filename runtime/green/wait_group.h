/* green/wait_group.h - waiting until a count of things to do is zero. See green/shared.h. */
#pragma once
#include <green/shared.h>

GREEN_BEGIN_DECLS

typedef struct green_wait_group {
    green_guard guard;
    int count;
    green_waiters waiters;
} green_wait_group;
#define GREEN_WAIT_GROUP_INIT \
    {                         \
        {0}, 0,               \
        {                     \
            NULL, NULL        \
        }                     \
    }

/* n more (or, if negative, fewer) are to be done. At zero all who wait go on. EINVAL: fewer than
 * none. */
GREEN_API int green_wait_group_add(green_wait_group *group, int n);
GREEN_API int green_wait_group_done(green_wait_group *group);
/* Wait for zero. May yield. */
GREEN_API int green_wait_group_wait(green_wait_group *group);

GREEN_END_DECLS
