/* hubs.h - what the tests of hubs share. */
#pragma once
#include "unit.h"

#include <dirent.h>

static inline int count_entries(const char *directory)
{
    int n = 0;
    DIR *d = opendir(directory);
    while (d != NULL && readdir(d) != NULL)
        n++;
    if (d != NULL)
        closedir(d);
    return n;
}

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
