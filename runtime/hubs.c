/* hubs.c - all hubs of the process, and those on OS threads of their own. */
#include "error.h"
#include "self.h"
#include <errno.h>
#include <green/hub.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct list all = {&all, &all};
static atomic_int count;
static struct green_hub *next_up; /* whose turn green_hub_next is */

void hubs_add(struct green_hub *hub)
{
    pthread_mutex_lock(&lock);
    list_append(&all, &hub->hubs);
    count++;
    pthread_mutex_unlock(&lock);
}

void hubs_remove(struct green_hub *hub)
{
    pthread_mutex_lock(&lock);
    if (next_up == hub)
        next_up = NULL;
    list_remove(&hub->hubs);
    count--;
    pthread_mutex_unlock(&lock);
}

bool hubs_several(void)
{
    return count > 1;
}

void hubs_each(void (*visit)(struct green_hub *hub, void *arg), void *arg)
{
    pthread_mutex_lock(&lock);
    for (struct list *l = all.next; l != &all; l = l->next)
        visit(CONTAINER(l, struct green_hub, hubs), arg);
    pthread_mutex_unlock(&lock);
}

/* ---- hubs on OS threads of their own ---- */

struct worker {
    pthread_mutex_t lock;
    pthread_cond_t started;
    bool done;
    int error;
};

/* The OS thread's main green thread just holds the hub; it stays for the process's life. */
static void *worker_main(void *arg)
{
    struct worker *w = arg;
    struct green_hub *hub = hub_create();
    pthread_mutex_lock(&w->lock);
    w->error = hub == NULL ? errno : 0;
    w->done = true;
    pthread_cond_signal(&w->started);
    pthread_mutex_unlock(&w->lock);
    while (hub != NULL)
        park(hub, NULL, WAIT_BACK, INT64_MAX, "work", 0);
    return NULL;
}

static int worker_start(void)
{
    struct worker w = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, 0};
    pthread_t thread;
    sigset_t all_signals, old;
    sigfillset(&all_signals); /* signals are for the program's own OS threads */
    pthread_sigmask(SIG_SETMASK, &all_signals, &old);
    int err = pthread_create(&thread, NULL, worker_main, &w);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (err != 0)
        return -err;
    pthread_detach(thread);
    pthread_mutex_lock(&w.lock);
    while (!w.done)
        pthread_cond_wait(&w.started, &w.lock);
    pthread_mutex_unlock(&w.lock);
    return -w.error;
}

GREEN_API int green_hubs(int n)
{
    if (hub_here() == NULL)
        return -1;
    if (n <= 0) {
        const char *wish = getenv("GREEN_HUBS");
        n = wish != NULL ? atoi(wish) : 1;
    }
    while (count < n) {
        int err = worker_start();
        if (err < 0)
            return fail(-err, "cannot start hub %d of %d", count + 1, n);
    }
    return count;
}

GREEN_API green_hub *green_hub_self(void)
{
    return hub_here();
}

GREEN_API green_hub *green_hub_next(void)
{
    if (hub_here() == NULL)
        return NULL;
    pthread_mutex_lock(&lock);
    struct list *l = next_up != NULL ? next_up->hubs.next : all.next;
    if (l == &all)
        l = all.next;
    next_up = CONTAINER(l, struct green_hub, hubs);
    struct green_hub *hub = next_up;
    pthread_mutex_unlock(&lock);
    return hub;
}

GREEN_API int green_hub_stats_get(green_hub_stats *stats)
{
    struct green_hub *hub = hub_here();
    if (hub == NULL)
        return -1;
    *stats = (green_hub_stats){
        .switches = hub->switches,
        .polls = hub->polls,
        .spawned = hub->spawned,
        .threads = hub->live,
        .timers = hub->timers.count,
        .watches = hub->watches,
    };
    for (int i = 0; i < STACK_CLASSES; i++) {
        stats->stacks += hub->pools[i].warm_count;
        stats->unguarded += hub->pools[i].unguarded;
    }
    return 0;
}
