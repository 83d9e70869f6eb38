/* wait_cases.h - what the tests of green_wait_cases share: a thread that waits. */
#pragma once
#include "unit.h"

#include <green/select.h>

static inline int result_of(green_thread *t)
{
    int result = -1;
    assert_int_equal(green_join(t, &result), 0);
    return result;
}

/* Others run, and the loop is polled. */
static inline void let_run(void)
{
    for (int i = 0; i < 3; i++)
        green_sleep(1);
}

struct wait {
    green_case *cases;
    int count, wanted;
    int *order;
};

static inline int wait_for(void *arg)
{
    struct wait *w = arg;
    int n = green_wait_cases(w->cases, w->count, w->wanted, w->order);
    return n < 0 ? -errno : n;
}
