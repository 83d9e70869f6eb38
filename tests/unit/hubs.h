/* hubs.h - what the tests of hubs share. */
#pragma once
#include "counts.h"
#include "unit.h"

#include <green/fd.h>

static inline green_hub *other_hub(void)
{
    assert_true(green_hubs(2) >= 2);
    green_hub *hub = green_hub_next();
    return hub != green_hub_self() ? hub : green_hub_next();
}

static inline int where(void *arg)
{
    *(green_hub **)arg = green_hub_self();
    return 3;
}

static inline int sleep_errno(void *arg)
{
    (void)arg;
    return green_sleep(3600 * GREEN_SEC) < 0 ? errno : 0;
}

static inline int nap(void *arg)
{
    (void)arg;
    return green_sleep(GREEN_MS);
}

static inline int wait_for_byte(void *pipe)
{
    char c;
    return green_read(*(int *)pipe, &c, 1) == 1 ? 0 : -1;
}
