/* trials.c - see trials.h. */
#include "trials.h"
#include <errno.h>
#include <fcntl.h>
#include <green/deadline.h>
#include <green/event.h>
#include <green/fd.h>
#include <green/group.h>
#include <green/hub.h>
#include <green/thread.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

/* Most threads alive. */
#ifdef __SANITIZE_THREAD__
enum { AT_ONCE = 4000 }; /* ThreadSanitizer can keep apart 8,128 */
#else
enum { AT_ONCE = 20000 };
#endif

static int failed(const char *what)
{
    perror(what);
    return -1;
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

int trial_spawns(long n)
{
    for (long done = 0; done < n; done += 1000) {
        green_group g = GREEN_GROUP_INIT;
        for (int i = 0; i < 1000; i++)
            if (green_group_spawn(&g, nothing, NULL) < 0)
                return failed("spawn");
        if (green_group_join(&g) < 0)
            return failed("join");
    }
    return 0;
}

/* ---- chains ---- */

static green_event chain_over = GREEN_EVENT_INIT;
static long chain_error;

static int next_link(void *left)
{
    if (left == NULL)
        return green_event_set(&chain_over);
    green_thread *t = green_spawn(next_link, (void *)((intptr_t)left - 1));
    if (t != NULL)
        return green_detach(t);
    chain_error = errno;
    return green_event_set(&chain_over);
}

int trial_chain(long n)
{
    chain_error = 0;
    green_event_clear(&chain_over);
    next_link((void *)n);
    green_event_wait(&chain_over);
    errno = (int)chain_error;
    return chain_error != 0 ? failed("chain") : green_hub_wait_idle();
}

static int nest(void *left)
{
    int result = 0;
    if (left == NULL)
        return 0;
    green_thread *t = green_spawn(nest, (void *)((intptr_t)left - 1));
    return t == NULL || green_join(t, &result) < 0 ? -1 : result;
}

int trial_nest(long n)
{
    long depth = n < AT_ONCE / 2 ? n : AT_ONCE / 2;
    for (long done = 0; done < n; done += depth)
        if (nest((void *)depth) < 0)
            return failed("nest");
    return 0;
}

/* ---- timers ---- */

static green_event never = GREEN_EVENT_INIT;
static long fired;

/* One wait that its deadline ends, one that does not take so long, and one that nothing ends. */
static int wait_thrice(void *number)
{
    int64_t spread = (intptr_t)number * 7919 % (5 * GREEN_MS);
    int err = 0;
    green_within(GREEN_MS + spread)
        err = green_event_wait(&never) < 0 ? errno : 0;
    fired += err == ETIMEDOUT;
    green_within(3600 * GREEN_SEC + spread)
        green_yield();
    green_within(1800 * GREEN_SEC + spread)
        err = green_event_wait(&never) < 0 ? errno : 0;
    return err == ECANCELED ? 0 : -1;
}

int trial_timers(long n)
{
    static green_thread *threads[AT_ONCE];
    for (long done = 0; done < n; done += AT_ONCE) {
        fired = 0;
        for (intptr_t i = 0; i < AT_ONCE; i++)
            if ((threads[i] = green_spawn(wait_thrice, (void *)i)) == NULL)
                return failed("spawn");
        while (fired < AT_ONCE)
            green_sleep(GREEN_MS);
        if (green_kill_all(threads, AT_ONCE) < 0)
            return failed("kill");
    }
    return 0;
}

/* ---- hubs ---- */

static int sleep_long(void *arg)
{
    (void)arg;
    return green_sleep(3600 * GREEN_SEC);
}

static int read_one(void *fd)
{
    char c;
    return green_read(*(int *)fd, &c, 1) == 1 ? 0 : -1;
}

struct visit {
    int fd;
    green_hub *other;
    int error;
};

/* It has threads here and elsewhere, timers and a descriptor to wait for, and leaves most of it. */
static void *visit(void *arg)
{
    struct visit *v = arg;
    green_spawn_options there = {.hub = v->other};
    green_thread *t = green_spawn_with(&there, sleep_long, NULL);
    if (green_spawn(sleep_long, NULL) == NULL || green_spawn(read_one, &v->fd) == NULL ||
        t == NULL || green_sleep(10 * GREEN_US) < 0 || green_kill(t, NULL) < 0)
        v->error = errno;
    return NULL;
}

int trial_hubs(long n)
{
    int fds[2];
    struct visit v = {.other = green_hub_nth(1)};
    if (pipe2(fds, O_CLOEXEC) < 0)
        return failed("pipe");
    v.fd = fds[0];
    for (long i = 0; i < n && v.error == 0; i++) {
        pthread_t thread;
        v.error = pthread_create(&thread, NULL, visit, &v);
        if (v.error == 0)
            pthread_join(thread, NULL);
    }
    green_close(fds[0]);
    green_close(fds[1]);
    errno = v.error;
    return v.error != 0 ? failed("hub") : 0;
}
