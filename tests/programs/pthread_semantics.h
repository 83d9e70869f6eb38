/* pthread_semantics.h - what the files of pthread_semantics share: a check is a function that says
 * with CHECK what was wrong; each file has a table of its own. TEMP_FAILURE_RETRY stands where
 * Linux fails with EINTR when a process was stopped and goes on (signal(7)). */
#pragma once
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

extern const char *failure; /* of the check that runs: the first thing that was wrong */

struct check {
    const char *name; /* NULL: the end of the table */
    void (*run)(void);
};
extern const struct check life[], locks[], cancellation[], signals[], waits[], processes[];

#define STRING_(x) #x
#define STRING(x)  STRING_(x)
#define CHECK(condition)                                        \
    do {                                                        \
        if (!(condition) && failure == NULL)                    \
            failure = "line " STRING(__LINE__) ": " #condition; \
    } while (0)

static inline pthread_t spawn(void *(*fn)(void *), void *arg)
{
    pthread_t t;
    int err = pthread_create(&t, NULL, fn, arg);
    if (err != 0) {
        fprintf(stderr, "pthread_create: %s\n", strerror(err));
        exit(1);
    }
    return t;
}

static inline void *join(pthread_t t)
{
    void *result = NULL;
    CHECK(pthread_join(t, &result) == 0);
    return result;
}

static inline struct timespec in_ms(clockid_t clock, long ms)
{
    struct timespec t;
    clock_gettime(clock, &t);
    t.tv_nsec += ms % 1000 * 1000000;
    t.tv_sec += ms / 1000 + t.tv_nsec / 1000000000;
    t.tv_nsec %= 1000000000;
    return t;
}

static inline int64_t now_ms(void)
{
    struct timespec t = in_ms(CLOCK_MONOTONIC, 0);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static inline void *same(void *arg)
{
    return arg;
}

static inline void *wait_for_gate(void *arg)
{
    sem_wait(arg);
    return NULL;
}
