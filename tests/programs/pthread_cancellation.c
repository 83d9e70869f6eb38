/* pthread_cancellation.c - threads are cancelled where they wait, and clean up. */
#include "pthread_semantics.h"

#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;

static atomic_int cleaned;

static void clean(void *arg)
{
    (void)arg;
    atomic_fetch_add(&cleaned, 1);
}

static atomic_bool ready;

static void *block_in_read(void *arg)
{
    char c;
    pthread_cleanup_push(clean, NULL);
    ready = true;
    while (read(*(int *)arg, &c, 1) >= 0)
        continue;
    pthread_cleanup_pop(0);
    return NULL;
}

static void unlock(void *arg)
{
    pthread_mutex_unlock(arg);
}

static void *block_in_wait(void *arg)
{
    pthread_mutex_lock(&mutex);
    pthread_cleanup_push(unlock, &mutex);
    pthread_cleanup_push(clean, NULL);
    ready = true;
    for (;;)
        pthread_cond_wait(&cond, &mutex);
    pthread_cleanup_pop(0);
    pthread_cleanup_pop(0);
    return arg;
}

static void *block_in_sleep(void *arg)
{
    pthread_cleanup_push(clean, NULL);
    ready = true;
    sleep(100);
    pthread_cleanup_pop(0);
    return arg;
}

static void cancel_one(void *(*fn)(void *), void *arg, bool wait)
{
    ready = false;
    pthread_t t = spawn(fn, arg);
    while (wait && !ready)
        usleep(1000);
    usleep(1000);
    CHECK(pthread_cancel(t) == 0);
    CHECK(join(t) == PTHREAD_CANCELED);
}

static void check_cancel(void)
{
    int pair[2];
    CHECK(pipe(pair) == 0);
    cleaned = 0;
    for (int i = 0; i < 2; i++) {
        cancel_one(block_in_read, &pair[0], i == 0);
        cancel_one(block_in_wait, NULL, i == 0);
        cancel_one(block_in_sleep, NULL, i == 0);
    }
    CHECK(cleaned == 6);
    CHECK(pthread_mutex_trylock(&mutex) == 0);
    pthread_mutex_unlock(&mutex);
    close(pair[0]), close(pair[1]);
}

static void *spin_until_cancelled(void *arg)
{
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    ready = true;
    usleep(3000);
    atomic_fetch_add(&cleaned, 1);
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
    for (;;) {
        pthread_testcancel();
        sched_yield();
    }
    return arg;
}

static void check_cancel_state(void)
{
    cleaned = 0;
    cancel_one(spin_until_cancelled, NULL, true);
    CHECK(cleaned == 1);
}

const struct check cancellation[] = {
    {"cancel", check_cancel},
    {"cancel_state", check_cancel_state},
    {NULL, NULL},
};
