/* counts.h - descriptors and OS threads of the process: what must be as many when a test ends. */
#pragma once
#include "unit.h"

#include <pthread.h>

static inline int fds_open(void)
{
    return count_entries("/proc/self/fd");
}

/* Whoever has joined an OS thread goes on a moment before the kernel takes it off the list. */
static inline bool is_ending(const char *task)
{
    enum { PF_EXITING = 4 };
    char path[300];
    unsigned flags = 0;
    snprintf(path, sizeof path, "/proc/self/task/%s/stat", task);
    FILE *f = fopen(path, "re");
    if (f == NULL || fscanf(f, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %u", &flags) != 1)
        flags = PF_EXITING;
    if (f != NULL)
        fclose(f);
    return (flags & PF_EXITING) != 0;
}

/* Those that are at their end do not count. */
static inline int os_threads(void)
{
    int n = 0;
    DIR *d = opendir("/proc/self/task");
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        n += e->d_name[0] != '.' && !is_ending(e->d_name);
    closedir(d);
    return n;
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
