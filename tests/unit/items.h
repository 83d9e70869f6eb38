/* items.h - what the tests of pools and of streams do with an item. */
#pragma once
#include <errno.h>
#include <green/thread.h>

static green_thread *squared_on;

static inline int square(void *item)
{
    int *n = item;
    squared_on = green_self();
    green_sleep((*n * 7 % 5) * 100 * GREEN_US);
    if (*n == 13) {
        errno = ERANGE;
        return -1;
    }
    *n *= *n;
    return 0;
}

static inline int fail_at_minus(void *item)
{
    int *n = item;
    if (*n % 3 == 0)
        green_yield();
    if (*n < 0) {
        errno = ERANGE;
        return -1;
    }
    return 0;
}
