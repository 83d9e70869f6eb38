/* counts.h - descriptors and OS threads of the process: what must be as many when a test ends. */
#pragma once
#include "unit.h"

#include <pthread.h>

static inline int fds_open(void)
{
    return count_entries("/proc/self/fd");
}

static inline int os_threads(void)
{
    return count_entries("/proc/self/task");
}

#if defined(__SANITIZE_THREAD__)
/* It has an OS thread of its own once the program has made one: before anybody counts. */
static inline void *end_at_once(void *arg)
{
    return arg;
}

static __attribute__((constructor)) void make_an_os_thread(void)
{
    pthread_t t;
    if (pthread_create(&t, NULL, end_at_once, NULL) == 0)
        pthread_join(t, NULL);
}
#endif
