/* hub_worker.c - hubs on OS threads of their own, to share the work: see green/hub.h.
 *
 * The main green thread of a worker just holds its hub, until it is told to end what lives there.
 * Who ends the workers waits for all of that as for any work, in a wait group; what the OS threads
 * have left to do then takes a moment, so they are simply joined. */
#include "error.h"
#include "fork.h"
#include "memory.h"
#include "self.h"
#include <errno.h>
#include <green/hub.h>
#include <green/wait_group.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

enum { HUBS_MOST = 1024 };

struct worker {
    struct worker *next;
    pthread_t os_thread;
    struct green_hub *hub;    /* NULL: not made yet; when it is over, no longer there */
    int error;                /* why it could not be made */
    bool leaving;             /* it was told */
    bool over;                /* no green thread is left there */
    struct message order;     /* to leave, for its hub */
    bool ordered;             /* it has arrived */
    struct wait_queue orders; /* where its main green thread waits for it */
};

/* All but what is the worker's own is looked at with the lock held. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t started = PTHREAD_COND_INITIALIZER;
static struct worker *workers;
static green_wait_group leaving = GREEN_WAIT_GROUP_INIT; /* those told, and not over */
static int holders;                                      /* who needs them to stay */
static pthread_mutex_t joining = PTHREAD_MUTEX_INITIALIZER;

/* ---- the worker's OS thread ---- */

static void leave(struct message *order)
{
    struct worker *w = CONTAINER(order, struct worker, order);
    w->ordered = true;
    wake_first(&w->orders, 0);
}

static void worker_begin(struct worker *w)
{
    pthread_setname_np(pthread_self(), "green-hub");
    struct green_hub *hub = hub_create(NULL);
    pthread_mutex_lock(&lock);
    if (hub != NULL)
        hubs_share(hub);
    w->hub = hub;
    w->error = hub == NULL ? -errno : 0;
    pthread_cond_broadcast(&started);
    pthread_mutex_unlock(&lock);
}

static void *worker_main(void *arg)
{
    struct worker *w = arg;
    worker_begin(w);
    if (w->hub == NULL)
        return NULL;
    green_shield()
        while (!w->ordered)
            park(w->hub, &w->orders, WAIT_BACK, INT64_MAX, "work", 0);
    hub_end(w->hub);
    pthread_mutex_lock(&lock);
    w->over = true;
    pthread_mutex_unlock(&lock);
    green_wait_group_done(&leaving);
    return NULL; /* and the hub goes with its OS thread */
}

/* ---- making them ---- */

/* Signals are for the program's own OS threads; faults are ours. */
static int start_blocked(pthread_t *os_thread, struct worker *w)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
    sigset_t blocked, old;
    sigfillset(&blocked);
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
        sigdelset(&blocked, faults[i]);
    pthread_sigmask(SIG_SETMASK, &blocked, &old);
    int err = pthread_create(os_thread, NULL, worker_main, w);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return -err;
}

static int worker_start(void)
{
    struct worker *w = memory_get(sizeof *w);
    if (w == NULL)
        return -ENOMEM;
    w->order.run = leave;
    int err = start_blocked(&w->os_thread, w);
    bool runs = err == 0;
    pthread_mutex_lock(&lock);
    while (err == 0 && w->hub == NULL && (err = w->error) == 0)
        pthread_cond_wait(&started, &lock);
    if (err == 0) {
        w->next = workers;
        workers = w; /* others may end it from here on: it is ours no longer */
    }
    pthread_mutex_unlock(&lock);
    if (err < 0 && runs)
        pthread_join(w->os_thread, NULL);
    if (err < 0)
        memory_put(w);
    return err;
}

int hubs_wished(void)
{
    const char *wish = getenv("GREEN_HUBS");
    char *end;
    if (wish == NULL || *wish == '\0')
        return 1;
    long n = strtol(wish, &end, 10);
    if (*end != '\0' || n < 1 || n > HUBS_MOST)
        return fail(EINVAL, "GREEN_HUBS is '%s', not a number from 1 to %d", wish, HUBS_MOST);
    return (int)n;
}

GREEN_API int green_hubs(int n)
{
    struct green_hub *hub = hub_here();
    if (hub == NULL)
        return -1;
    if (n <= 0 && (n = hubs_wished()) < 0)
        return -1;
    if (n > HUBS_MOST)
        return fail(EINVAL, "%d hubs are more than %d", n, HUBS_MOST);
    int there;
    while ((there = hubs_sharing(hub)) < n) {
        int err = worker_start();
        if (err < 0)
            return fail(-err, "cannot start hub %d of %d", there + 1, n);
    }
    return there;
}

/* ---- ending them ---- */

static bool is_worker(const struct green_hub *hub)
{
    pthread_mutex_lock(&lock);
    const struct worker *w = workers;
    while (w != NULL && (w->over || w->hub != hub))
        w = w->next;
    pthread_mutex_unlock(&lock);
    return w != NULL;
}

static void hold(int by)
{
    pthread_mutex_lock(&lock);
    holders += by;
    pthread_mutex_unlock(&lock);
}

void hubs_hold(void)
{
    hold(1);
}

void hubs_release(void)
{
    hold(-1);
}

/* Nobody chooses their hubs from now on. False: they are needed. */
static bool tell_all(void)
{
    pthread_mutex_lock(&lock);
    bool held = holders > 0;
    for (struct worker *w = held ? NULL : workers; w != NULL; w = w->next) {
        if (w->leaving)
            continue;
        w->leaving = true;
        green_wait_group_add(&leaving, 1);
        hubs_unshare(w->hub);
        hub_post(w->hub, &w->order);
    }
    pthread_mutex_unlock(&lock);
    return !held;
}

/* One that is over, for the caller alone; NULL: there is none. */
static struct worker *take_over(void)
{
    pthread_mutex_lock(&lock);
    struct worker **at = &workers;
    while (*at != NULL && !(*at)->over)
        at = &(*at)->next;
    struct worker *w = *at;
    if (w != NULL)
        *at = w->next;
    pthread_mutex_unlock(&lock);
    return w;
}

/* One caller at a time, so that none goes on before the OS threads are gone. */
static void join_all(void)
{
    struct worker *w;
    pthread_mutex_lock(&joining);
    while ((w = take_over()) != NULL) {
        pthread_join(w->os_thread, NULL);
        memory_put(w);
    }
    pthread_mutex_unlock(&joining);
}

GREEN_API int green_hubs_end(void)
{
    struct green_hub *hub = hub_here();
    if (hub == NULL)
        return -1;
    if (hub->current == &hub->loop || is_worker(hub))
        return fail(EDEADLK, "green_hubs_end: this hub would wait for its own end");
    if (!tell_all())
        return fail(EBUSY, "green_hubs_end: a server runs on several hubs");
    if (green_wait_group_wait(&leaving) < 0)
        return -1;
    join_all();
    return 0;
}

/* ---- forks (fork.h) ---- */

void workers_fork_begin(void)
{
    pthread_mutex_lock(&lock);
}

void workers_fork_end(void)
{
    pthread_mutex_unlock(&lock);
}

void workers_forked(void)
{
    while (workers != NULL) {
        struct worker *w = workers;
        workers = w->next;
        memory_put(w);
    }
    pthread_cond_init(&started, NULL); /* it would wait for the parent's OS threads to leave it */
    pthread_mutex_init(&joining, NULL);
    leaving = (green_wait_group)GREEN_WAIT_GROUP_INIT;
    holders = 0;
    pthread_mutex_unlock(&lock);
}
