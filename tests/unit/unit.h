/* unit.h - what the unit tests share. cmocka's assertions leave by longjmp: use them on the main
 * green thread only; functions run by other threads report through their results. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <green/deadline.h>
#include <green/group.h>
#include <green/hub.h>
#include <green/thread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

#if defined(GREEN_VALGRIND)
#include <valgrind/valgrind.h>
#else
#define RUNNING_ON_VALGRIND         0
#define VALGRIND_CLO_CHANGE(option) ((void)(option))
#endif

/* How many, when valgrind makes all of it slow, or ThreadSanitizer can have no more than 8,128
 * threads: less by a power of two. */
static inline int fewer(int n)
{
#if defined(__SANITIZE_THREAD__)
    return n / 16;
#else
    return RUNNING_ON_VALGRIND ? n / 16 : n;
#endif
}

/* Are there descriptors of processes? Not on old kernels, nor under old valgrinds. Says so. */
static inline bool has_pidfds(void)
{
    int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
    if (fd >= 0)
        close(fd);
    else
        print_message("# skipped in part: no child processes without pidfd_open\n");
    return fd >= 0;
}

/* What the process has used, in ns: unlike the clock, it does not go on while others run. */
static inline int64_t cpu_time(void)
{
    struct timespec now = {0, 0};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return now.tv_sec * GREEN_SEC + now.tv_nsec;
}

/* A call fails with this errno. */
#define assert_fails(call, err)       \
    do {                              \
        errno = 0;                    \
        assert_int_equal(call, -1);   \
        assert_int_equal(errno, err); \
    } while (0)

/* What must be as before when a test ends. */
static inline green_hub_stats stats_now(void)
{
    green_hub_stats s;
    assert_int_equal(green_hub_stats_get(NULL, &s), 0);
    return s;
}

/* Of this hub, or another. Less may be there: what had just ended when the test began was still
 * counted. */
#define assert_nothing_left_on(hub, before)                       \
    do {                                                          \
        green_hub_stats after_;                                   \
        assert_int_equal(green_hub_stats_get((hub), &after_), 0); \
        assert_in_range(after_.threads, 0, (before).threads);     \
        assert_in_range(after_.watches, 0, (before).watches);     \
        assert_in_range(after_.timers, 0, (before).timers);       \
    } while (0)
#define assert_nothing_left(before) assert_nothing_left_on(NULL, before)

static inline int sleep_long(void *arg)
{
    (void)arg;
    return green_sleep(3600 * GREEN_SEC);
}

static inline int count_entries(const char *directory)
{
    int n = 0;
    DIR *d = opendir(directory);
    assert_non_null(d);
    while (readdir(d) != NULL)
        n++;
    closedir(d);
    return n;
}

/* ---- each test leaves no more than it found ---- */

extern _Thread_local green_hub *self_hub_here; /* self.h: NULL, as long as nobody needed one */

static struct {
    green_hub_stats stats;
    int hubs, fds;
} found;

static inline int look_around(void **state)
{
    (void)state;
    found.hubs = 0;
    if (self_hub_here == NULL)
        return 0;
    found.hubs = green_hubs(1);
    found.stats = stats_now();
    found.fds = count_entries("/proc/self/fd");
    return 0;
}

/* Hubs made meanwhile may stay, with their descriptors, and a timer of this thread. */
static inline bool left_more(green_hub_stats now, int fds)
{
    return now.threads > found.stats.threads || now.watches > found.stats.watches ||
           now.timers > found.stats.timers + 1 || (fds > found.fds && green_hubs(1) == found.hubs);
}

/* What is just ending may take its time. */
static inline int look_back(void **state)
{
    int64_t end = green_now() + 20 * GREEN_SEC;
    (void)state;
    while (found.hubs > 0) {
        green_hub_stats now = stats_now();
        int fds = count_entries("/proc/self/fd");
        if (!left_more(now, fds))
            break;
        if (green_now() > end) {
            print_message("# left behind: %+d threads, %+d watches, %+d timers, %+d descriptors\n",
                          (int)(now.threads - found.stats.threads),
                          (int)(now.watches - found.stats.watches),
                          (int)(now.timers - found.stats.timers), fds - found.fds);
            return -1;
        }
        green_sleep(GREEN_MS);
    }
    return 0;
}

#undef cmocka_unit_test
#define cmocka_unit_test(test) cmocka_unit_test_setup_teardown(test, look_around, look_back)
/* One that leaves something for the next. */
#define unit_test_that_leaves(test) cmocka_unit_test_setup_teardown(test, NULL, NULL)
