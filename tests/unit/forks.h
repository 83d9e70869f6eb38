/* forks.h - what the tests of fork(2) share. The children leave by _exit, with a number that tells
 * what went wrong. */
#pragma once
#include "net_unit.h"

#include <sys/wait.h>

static pid_t parent; /* main sets it first of all */

/* A child cannot free what threads held that it does not have: no leaks are looked for. */
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
    return getpid() != parent;
}

/* In a child: leave with the line if it is not so. */
#define must(condition)      \
    do {                     \
        if (!(condition))    \
            return __LINE__; \
    } while (0)

/* A line does not fit into an exit status. */
static inline int leave(int line)
{
    if (line != 0)
        fprintf(stderr, "# child: %s:%d: %s\n", __FILE__, line, strerror(errno));
    _exit(line != 0);
}

static inline int status_of(pid_t pid)
{
    int status = -1;
    assert_true(pid > 0);
    wait_for(waitpid(pid, &status, WNOHANG) == pid); /* others run meanwhile */
    return status;
}

/* Run it in a child; the parent's threads go on meanwhile. */
static inline void in_child(int (*fn)(void))
{
    pid_t pid = fork();
    if (pid == 0) {
        VALGRIND_CLO_CHANGE("--leak-check=no");
        leave(fn());
    }
    assert_int_equal(status_of(pid), 0);
}

/* For a lane: which OS thread runs it. */
static inline int on_pool(void *arg)
{
    *(pthread_t *)arg = pthread_self();
    return 0;
}
