/* offload.c - see offload.h. */
#include "offload.h"
#include "error.h"
#include "fork.h"
#include "memory.h"
#include "self.h"
#include <errno.h>
#include <green/offload.h>
#include <signal.h>
#include <time.h>

enum {
    IDLE_SECONDS = 3,
    STACK_SIZE = 256 * 1024 /* enough for libc's resolver and the modules it loads */
};

#define LANE(called, most)                                                    \
    {                                                                         \
        .name = (called), .limit = (most), .lock = PTHREAD_MUTEX_INITIALIZER, \
    }
struct offload_lane offload_dns = LANE("green-dns", 256);
struct offload_lane offload_general = LANE("green-offload", 64);

/* One green thread's wait for a job, on its stack. */
struct offload_wait {
    struct message message; /* from the pool to the waiter's hub */
    struct offload_wait *next;
    struct green_hub *hub;
    struct wait_queue queue;
    bool told; /* the message has arrived */
};

/* ---- the lane's OS threads ---- */

static void finish(struct offload_job *job)
{
    pthread_mutex_lock(&job->lane->lock);
    struct offload_wait *w = job->waits;
    job->waits = NULL;
    job->over = true;
    pthread_mutex_unlock(&job->lane->lock);
    while (w != NULL) {
        struct offload_wait *next = w->next; /* w is gone once its hub has the message */
        hub_post(w->hub, &w->message);
        w = next;
    }
    offload_drop(job);
}

/* The next job, or NULL after some idle seconds. Called and returns with the lock held. */
static struct offload_job *next_job(struct offload_lane *lane)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += IDLE_SECONDS;
    lane->idle++;
    int err = 0;
    while (lane->queued == 0 && err == 0)
        err = pthread_cond_timedwait(&lane->work, &lane->lock, &until);
    lane->idle--;
    if (lane->queued == 0)
        return NULL;
    struct offload_job *job = CONTAINER(lane->queue.next, struct offload_job, queued);
    list_remove(&job->queued);
    lane->queued--;
    return job;
}

static void *lane_main(void *arg)
{
    struct offload_lane *lane = arg;
    struct offload_job *job;
    pthread_setname_np(pthread_self(), lane->name);
    pthread_mutex_lock(&lane->lock);
    while ((job = next_job(lane)) != NULL) {
        pthread_mutex_unlock(&lane->lock);
        job->run(job);
        finish(job);
        pthread_mutex_lock(&lane->lock);
    }
    lane->threads--;
    pthread_mutex_unlock(&lane->lock);
    return NULL;
}

static int thread_start(struct offload_lane *lane)
{
    pthread_attr_t attr;
    pthread_t thread;
    sigset_t all, old;
    int err = pthread_attr_init(&attr);
    if (err != 0)
        return -err;
    pthread_attr_setstacksize(&attr, STACK_SIZE);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    sigfillset(&all); /* signals are for the program's own OS threads */
    pthread_sigmask(SIG_SETMASK, &all, &old);
    err = pthread_create(&thread, &attr, lane_main, lane);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attr);
    return -err;
}

static void lane_forked(struct offload_lane *lane)
{
    pthread_mutex_init(&lane->lock, NULL);
    lane->queue.next = NULL;
    lane->threads = lane->idle = lane->queued = 0;
}

void offload_forked(void)
{
    lane_forked(&offload_dns);
    lane_forked(&offload_general);
}

/* ---- jobs ---- */

static void lane_open(struct offload_lane *lane)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&lane->work, &attr);
    pthread_condattr_destroy(&attr);
    list_init(&lane->queue);
}

int offload_start(struct offload_lane *lane, struct offload_job *job)
{
    int err = 0;
    job->lane = lane;
    pthread_mutex_lock(&lane->lock);
    if (lane->queue.next == NULL)
        lane_open(lane);
    if (lane->idle <= lane->queued && lane->threads < lane->limit) {
        err = thread_start(lane);
        if (err == 0)
            lane->threads++;
    }
    if (lane->threads > 0) { /* if none can be added, those there are will come to it */
        err = 0;
        offload_take(job);
        list_append(&lane->queue, &job->queued);
        lane->queued++;
        pthread_cond_signal(&lane->work);
    }
    pthread_mutex_unlock(&lane->lock);
    return err;
}

void offload_drop(struct offload_job *job)
{
    if (atomic_fetch_sub(&job->references, 1) == 1)
        job->free(job);
}

static void told(struct message *message)
{
    struct offload_wait *w = CONTAINER(message, struct offload_wait, message);
    w->told = true;
    wake_all(&w->queue, 0);
}

/* False: the job is over, nothing to wait for. */
static bool wait_begin(struct offload_job *job, struct offload_wait *w)
{
    pthread_mutex_lock(&job->lane->lock);
    bool over = job->over;
    if (!over) {
        w->next = job->waits;
        job->waits = w;
    }
    pthread_mutex_unlock(&job->lane->lock);
    return !over;
}

/* Leave early. False: too late, the message is on its way here. */
static bool wait_leave(struct offload_job *job, struct offload_wait *w)
{
    pthread_mutex_lock(&job->lane->lock);
    struct offload_wait **at = &job->waits;
    while (*at != NULL && *at != w)
        at = &(*at)->next;
    bool found = *at == w;
    if (found)
        *at = w->next;
    pthread_mutex_unlock(&job->lane->lock);
    return found;
}

int offload_wait(struct offload_job *job)
{
    struct green_hub *hub = hub_here();
    if (hub == NULL)
        return -ENOMEM;
    struct offload_wait w = {.message.run = told, .hub = hub};
    if (!wait_begin(job, &w))
        return 0;
    int err = park(hub, &w.queue, WAIT_BACK, INT64_MAX, job->lane->name, 0);
    if (err < 0 && wait_leave(job, &w))
        return err;
    green_shield()
        while (!w.told)
            park(hub, &w.queue, WAIT_BACK, INT64_MAX, job->lane->name, 0);
    return 0;
}

/* ---- the public calls ---- */

struct call {
    struct offload_job job;
    int (*fn)(void *arg);
    void *arg;
    void (*release)(void *arg); /* NULL: arg is the caller's */
    int result;
    bool kept; /* the caller had the result: arg is his */
};

static void call_run(struct offload_job *job)
{
    struct call *call = CONTAINER(job, struct call, job);
    if (offload_wanted(job))
        call->result = call->fn(call->arg);
}

static void call_free(struct offload_job *job)
{
    struct call *call = CONTAINER(job, struct call, job);
    if (call->release != NULL && !call->kept)
        call->release(call->arg);
    memory_put(call);
}

static int call_wait(struct call *call)
{
    int err = 0;
    if (call->release != NULL)
        return offload_wait(&call->job);
    green_shield()
        err = offload_wait(&call->job);
    return err;
}

static int offload(int (*fn)(void *), void *arg, void (*release)(void *), int *result)
{
    struct green_hub *hub = hub_here();
    struct call *call = hub != NULL ? memory_get(sizeof *call) : NULL;
    if (call == NULL) {
        if (release != NULL)
            release(arg);
        return (int)returned(-ENOMEM);
    }
    *call = (struct call){.fn = fn, .arg = arg, .release = release};
    offload_init(&call->job, call_run, call_free);
    int err = hub->current == &hub->loop ? -EDEADLK : park_refused(hub);
    if (err == 0)
        err = offload_start(&offload_general, &call->job);
    if (err == 0)
        err = call_wait(call);
    if (err == 0 && result != NULL)
        *result = call->result;
    call->kept = err == 0;
    offload_drop(&call->job);
    return (int)returned(err);
}

GREEN_API int green_offload(int (*fn)(void *), void *arg, int *result)
{
    return offload(fn, arg, NULL, result);
}

GREEN_API int green_offload_owned(int (*fn)(void *), void *arg, void (*release)(void *),
                                  int *result)
{
    return offload(fn, arg, release, result);
}
