/* pthread_locks.c - mutexes of all kinds, conditions, rwlocks, barriers. */
#include "pthread_semantics.h"

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static long counter, turn;

static void *count_up(void *arg)
{
    for (int i = 0; i < 2000; i++) {
        pthread_mutex_lock(&mutex);
        long seen = counter;
        if (i % 16 == 0)
            sched_yield();
        counter = seen + 1;
        pthread_mutex_unlock(&mutex);
    }
    return arg;
}

static void check_mutex(void)
{
    pthread_t t[8];
    counter = 0;
    for (int i = 0; i < 8; i++)
        t[i] = spawn(count_up, NULL);
    for (int i = 0; i < 8; i++)
        join(t[i]);
    CHECK(counter == 16000);
}

static void *take_turns(void *arg)
{
    for (long i = 0; i < 500; i++) {
        pthread_mutex_lock(&mutex);
        while (turn % 4 != (long)arg)
            pthread_cond_wait(&cond, &mutex);
        turn++;
        pthread_cond_broadcast(&cond);
        pthread_mutex_unlock(&mutex);
    }
    return NULL;
}

static void check_condition(void)
{
    pthread_t t[4];
    turn = 0;
    for (long i = 0; i < 4; i++)
        t[i] = spawn(take_turns, (void *)i);
    for (int i = 0; i < 4; i++)
        join(t[i]);
    CHECK(turn == 2000);
}

static void *timed_wait(void *arg)
{
    int64_t begun = now_ms();
    struct timespec soon = in_ms(CLOCK_REALTIME, 30);
    pthread_mutex_lock(&mutex);
    CHECK(pthread_cond_timedwait(&cond, &mutex, &soon) == ETIMEDOUT);
    pthread_mutex_unlock(&mutex);
    CHECK(now_ms() - begun >= 29);
    return arg;
}

static void check_timed_wait(void)
{
    join(spawn(timed_wait, NULL));
}

static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static int readers, writers;

static void *read_or_write(void *arg)
{
    for (int i = 0; i < 100; i++) {
        if ((long)arg == 0) {
            pthread_rwlock_wrlock(&rwlock);
            CHECK(++writers == 1 && readers == 0);
            sched_yield();
            writers--;
        } else {
            pthread_rwlock_rdlock(&rwlock);
            CHECK(writers == 0);
            __atomic_add_fetch(&readers, 1, __ATOMIC_SEQ_CST);
            usleep(10);
            __atomic_sub_fetch(&readers, 1, __ATOMIC_SEQ_CST);
        }
        pthread_rwlock_unlock(&rwlock);
    }
    return NULL;
}

static void *read_beside(void *arg)
{
    CHECK(pthread_rwlock_rdlock(&rwlock) == 0);
    CHECK(pthread_rwlock_unlock(&rwlock) == 0);
    return arg;
}

static void check_rwlock(void)
{
    pthread_t t[6];
    CHECK(pthread_rwlock_rdlock(&rwlock) == 0);
    join(spawn(read_beside, NULL));
    CHECK(pthread_rwlock_unlock(&rwlock) == 0);
    for (long i = 0; i < 6; i++)
        t[i] = spawn(read_or_write, (void *)(i % 3));
    for (int i = 0; i < 6; i++)
        join(t[i]);
}

static pthread_barrier_t barrier;
static atomic_int serial;

static void *cross(void *arg)
{
    for (int i = 0; i < 20; i++)
        if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD)
            atomic_fetch_add(&serial, 1);
    return arg;
}

static void check_barrier(void)
{
    pthread_t t[5];
    pthread_barrier_init(&barrier, NULL, 5);
    for (int i = 0; i < 5; i++)
        t[i] = spawn(cross, NULL);
    for (int i = 0; i < 5; i++)
        join(t[i]);
    CHECK(serial == 20);
}

static pthread_mutex_t special;

static void make_special(int protocol, int robust, int type)
{
    pthread_mutexattr_t attr;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setprotocol(&attr, protocol);
    pthread_mutexattr_setrobust(&attr, robust);
    pthread_mutexattr_settype(&attr, type);
    CHECK(pthread_mutex_init(&special, &attr) == 0);
}

static void *die_holding(void *arg)
{
    CHECK(pthread_mutex_lock(&special) == 0);
    return arg;
}

static void check_robust(void)
{
    make_special(PTHREAD_PRIO_NONE, PTHREAD_MUTEX_ROBUST, PTHREAD_MUTEX_NORMAL);
    join(spawn(die_holding, NULL));
    CHECK(pthread_mutex_lock(&special) == EOWNERDEAD);
    CHECK(pthread_mutex_consistent(&special) == 0);
    CHECK(pthread_mutex_unlock(&special) == 0);
    CHECK(pthread_mutex_lock(&special) == 0);
    pthread_mutex_unlock(&special);
}

static void *count_specially(void *arg)
{
    for (int i = 0; i < 500; i++) {
        CHECK(pthread_mutex_lock(&special) == 0);
        long seen = counter;
        if (i % 8 == 0)
            sched_yield();
        counter = seen + 1;
        CHECK(pthread_mutex_unlock(&special) == 0);
    }
    return arg;
}

static void check_priority_inheritance(void)
{
    pthread_t t[5];
    make_special(PTHREAD_PRIO_INHERIT, PTHREAD_MUTEX_STALLED, PTHREAD_MUTEX_NORMAL);
    counter = 0;
    for (int i = 0; i < 5; i++)
        t[i] = spawn(count_specially, NULL);
    for (int i = 0; i < 5; i++)
        join(t[i]);
    CHECK(counter == 2500);
}

static void *try_special(void *arg)
{
    CHECK(pthread_mutex_trylock(&special) == EBUSY);
    CHECK(pthread_mutex_unlock(&special) == EPERM);
    return arg;
}

static void check_owner(void)
{
    make_special(PTHREAD_PRIO_NONE, PTHREAD_MUTEX_STALLED, PTHREAD_MUTEX_ERRORCHECK);
    pthread_mutex_lock(&special);
    CHECK(pthread_mutex_lock(&special) == EDEADLK);
    join(spawn(try_special, NULL));
    pthread_mutex_unlock(&special);
}

const struct check locks[] = {
    {"mutex", check_mutex},
    {"condition", check_condition},
    {"timed_wait", check_timed_wait},
    {"rwlock", check_rwlock},
    {"barrier", check_barrier},
    {"robust", check_robust},
    {"priority_inheritance", check_priority_inheritance},
    {"owner", check_owner},
    {NULL, NULL},
};
