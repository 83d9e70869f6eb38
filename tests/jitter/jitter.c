/* jitter.c - OS threads that lose their CPU at the worst of times.
 *
 * Linked into a build for ThreadSanitizer, whose calls the compiler has put before each access to
 * memory (-Wl,--wrap, see run): now and then one of them sleeps first. What two OS threads do
 * within a few instructions, once in a million runs, then happens in every other one, and
 * ThreadSanitizer sees it: memory that is looked at after it was given back, most of all.
 *
 * The delayed function is called last, so that reports name its caller. errno is left alone: the
 * code that is delayed knows nothing of it. */
#include "sys.h"
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

enum {
    RARE = 16,     /* up to 2^RARE accesses between two sleeps, */
    LONG = 24,     /* which take up to 2^LONG ns; short ones are as likely as long ones */
    ATOMIC = 64,   /* so many accesses is an atomic one worth, */
    UNLOCK = 1024, /* and a mutex that was unlocked: others go on there */
};

static __thread uint64_t seed;
static __thread int left; /* accesses until the next sleep */

static uint64_t chance(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    return seed ^= seed << 17;
}

/* Between 2^low and 2^high, each power of two as likely as the others. */
static unsigned spread(unsigned low, unsigned high)
{
    unsigned log = low + (unsigned)(chance() % (high - low));
    return (1U << log) + (unsigned)(chance() & ((1U << log) - 1));
}

static void __attribute__((noinline)) delay(void)
{
    if (seed == 0) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        seed = ((uint64_t)now.tv_nsec << 20) ^ (uint64_t)(uintptr_t)&seed;
    } else {
        struct timespec nap = {0, (long)spread(10, LONG)};
        SYS2(SYS_nanosleep, &nap, NULL); /* libc's would let ThreadSanitizer deliver signals */
    }
    left = (int)spread(4, RARE);
}

static inline void stumble(int worth)
{
    left -= worth;
    if (__builtin_expect(left < 0, false))
        delay();
}

#define WEAK __attribute__((weak)) /* meson's try of the linker knows no ThreadSanitizer */
#define DELAYED(worth, type, name, parameters, arguments) \
    WEAK type __real_##name parameters;                   \
    type __wrap_##name parameters;                        \
    type __wrap_##name parameters                         \
    {                                                     \
        stumble(worth);                                   \
        return __real_##name arguments;                   \
    }

DELAYED(1, void, __tsan_read1, (void *at), (at))
DELAYED(1, void, __tsan_read2, (void *at), (at))
DELAYED(1, void, __tsan_read4, (void *at), (at))
DELAYED(1, void, __tsan_read8, (void *at), (at))
DELAYED(1, void, __tsan_write1, (void *at), (at))
DELAYED(1, void, __tsan_write2, (void *at), (at))
DELAYED(1, void, __tsan_write4, (void *at), (at))
DELAYED(1, void, __tsan_write8, (void *at), (at))

#define DELAYED_ATOMICS(bits, type)                                                                \
    DELAYED(ATOMIC, type, __tsan_atomic##bits##_load, (const volatile type *at, int order),        \
            (at, order))                                                                           \
    DELAYED(ATOMIC, void, __tsan_atomic##bits##_store, (volatile type * at, type v, int order),    \
            (at, v, order))                                                                        \
    DELAYED(ATOMIC, type, __tsan_atomic##bits##_exchange, (volatile type * at, type v, int order), \
            (at, v, order))                                                                        \
    DELAYED(ATOMIC, type, __tsan_atomic##bits##_fetch_add,                                         \
            (volatile type * at, type v, int order), (at, v, order))                               \
    DELAYED(ATOMIC, type, __tsan_atomic##bits##_fetch_sub,                                         \
            (volatile type * at, type v, int order), (at, v, order))                               \
    DELAYED(ATOMIC, type, __tsan_atomic##bits##_fetch_or, (volatile type * at, type v, int order), \
            (at, v, order))                                                                        \
    DELAYED(ATOMIC, int, __tsan_atomic##bits##_compare_exchange_weak,                              \
            (volatile type * at, type * was, type v, int order, int other),                        \
            (at, was, v, order, other))                                                            \
    DELAYED(ATOMIC, int, __tsan_atomic##bits##_compare_exchange_strong,                            \
            (volatile type * at, type * was, type v, int order, int other),                        \
            (at, was, v, order, other))

DELAYED_ATOMICS(8, uint8_t)
DELAYED_ATOMICS(32, uint32_t)
DELAYED_ATOMICS(64, uint64_t)

int __real_pthread_mutex_unlock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    int err = __real_pthread_mutex_unlock(mutex);
    stumble(UNLOCK);
    return err;
}
