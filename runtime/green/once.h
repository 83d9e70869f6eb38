/* green/once.h - doing something exactly once, whoever comes first. See green/shared.h. */
#pragma once
#include <green/shared.h>

GREEN_BEGIN_DECLS

typedef struct green_once {
    green_guard guard;
    unsigned char state;  /* 0: not begun, 1: under way, 2: done */
    green_thread *runner; /* who does it */
    green_waiters waiters;
} green_once;
#define GREEN_ONCE_INIT \
    {                   \
        {0}, 0, NULL,   \
        {               \
            NULL, NULL  \
        }               \
    }

/* Return when fn(arg) has succeeded: 0. The first caller runs it, others wait. If it returns a
 * negative value the call that ran it fails, with fn's errno, and the next in line tries. EDEADLK:
 * fn itself comes back here, or waits, perhaps by way of others, for the caller (green/hub.h). May
 * yield. */
GREEN_API int green_once_run(green_once *once, int (*fn)(void *), void *arg);

GREEN_END_DECLS
