/* offload.c - the OS threads of lanes, their jobs, and waiting for them: see offload.h. The lanes
 * themselves: offload_lane.c. */
#include "offload.h"
#include "self.h"
#include "standstill.h"
#include <errno.h>
#include <signal.h>

enum { STACK_SIZE = 256 * 1024 /* enough for libc's resolver and the modules it loads */ };

static _Thread_local struct green_lane *lane_here; /* whose OS thread this is; NULL: none */

/* ---- telling: with the lock held; a waiter may be gone once its hub has the message ---- */

static void tell(struct offload_wait *w)
{
    list_remove(&w->link);
    hub_post(w->hub, &w->message);
}

static void tell_all(struct list *waits)
{
    while (!list_empty(waits))
        tell(CONTAINER(waits->next, struct offload_wait, link));
}

static void is_over(struct offload_job *job)
{
    job->state = JOB_OVER;
    tell_all(&job->waits);
}

static void tell_starter(struct offload_job *job)
{
    struct offload_wait *w = job->starter;
    if (w == NULL)
        return;
    job->starter = NULL;
    job->lane->starting--;
    tell(w);
}

/* ---- the queue: with the lock held ---- */

/* Jobs that an idle OS thread is on its way to take no room. */
static int backlog(const struct green_lane *lane)
{
    return lane->queued - lane->starting - (lane->threads - lane->busy);
}

static void admit(struct green_lane *lane)
{
    while (lane->starting > 0 && (lane->room == 0 || backlog(lane) < lane->room))
        tell_starter(CONTAINER(lane->starters.next, struct offload_wait, link)->job);
}

static void dequeue(struct offload_job *job, enum offload_state state)
{
    list_remove(&job->queued);
    job->lane->queued--;
    job->state = state;
    tell_starter(job);
}

/* Wait for work, or until the OS thread has been idle for too long: then ETIMEDOUT. */
static int idle(struct green_lane *lane, int64_t since)
{
    if (lane->threads <= lane->min)
        return pthread_cond_wait(&lane->work, &lane->lock);
    int64_t end = lane->idle < INT64_MAX - since ? since + lane->idle : INT64_MAX;
    struct timespec until = {end / GREEN_SEC, end % GREEN_SEC};
    return pthread_cond_clockwait(&lane->work, &lane->lock, CLOCK_MONOTONIC, &until);
}

/* The next job, or NULL: the OS thread is to end. */
static struct offload_job *next_job(struct green_lane *lane)
{
    int64_t since = hub_clock();
    int err = 0;
    while (lane->queued == 0) {
        if ((err == ETIMEDOUT && lane->threads > lane->min) || lane->threads > lane->max)
            return NULL;
        err = idle(lane, since);
    }
    if (lane->threads > lane->max)
        return NULL;
    struct offload_job *job = CONTAINER(lane->queue.next, struct offload_job, queued);
    dequeue(job, JOB_RUNNING);
    lane->busy++;
    admit(lane);
    return job;
}

/* ---- OS threads ---- */

/* On an OS thread of the lane's, outside the lock. `busy`: what it adds to those at work. */
static void finish(struct offload_job *job, int busy)
{
    struct green_lane *lane = job->lane;
    pthread_mutex_lock(&lane->lock);
    lane->busy += busy;
    lane->done++;
    if (job->ran == NULL)
        is_over(job);
    pthread_mutex_unlock(&lane->lock);
    if (job->ran != NULL)
        job->ran(job);
    offload_drop(job);
    standstill_job_over();
}

void offload_over(struct offload_job *job)
{
    pthread_mutex_lock(&job->lane->lock);
    is_over(job);
    pthread_mutex_unlock(&job->lane->lock);
}

static void *lane_main(void *arg)
{
    struct green_lane *lane = lane_here = arg;
    struct offload_job *job;
    pthread_setname_np(pthread_self(), lane->name);
    standstill_helper(1);
    pthread_mutex_lock(&lane->lock);
    while ((job = next_job(lane)) != NULL) {
        pthread_mutex_unlock(&lane->lock);
        job->run(job);
        if (self_hub() != NULL) /* with the green threads that the job has left */
            hub_destroy(self_hub());
        finish(job, -1);
        pthread_mutex_lock(&lane->lock);
    }
    lane->threads--;
    pthread_mutex_unlock(&lane->lock);
    offload_lane_drop(lane);
    standstill_helper(-1);
    return NULL;
}

static int thread_start(struct green_lane *lane)
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

/* With the lock held: an OS thread for each job, as far as allowed. -EAGAIN: not even one. */
static int grow(struct green_lane *lane)
{
    while (lane->queued > lane->threads - lane->busy && lane->threads < lane->max) {
        int err = thread_start(lane);
        if (err < 0)
            return lane->threads > 0 ? 0 : err; /* those there are will come to it */
        atomic_fetch_add(&lane->references, 1);
        if (++lane->threads > lane->most)
            lane->most = lane->threads;
    }
    return 0;
}

int offload_resized(struct green_lane *lane)
{
    int err = grow(lane);
    admit(lane);
    pthread_cond_broadcast(&lane->work);
    return err;
}

/* ---- waiting ---- */

static void told(struct message *message)
{
    struct offload_wait *w = CONTAINER(message, struct offload_wait, message);
    w->told = true;
    wake_all(w->line, 0);
}

static struct offload_wait wait_make(struct green_hub *hub, struct offload_job *job,
                                     struct wait_queue *line)
{
    return (struct offload_wait){.message.run = told, .job = job, .hub = hub, .line = line};
}

static int wait_park(struct offload_wait *w)
{
    return park(w->hub, w->line, WAIT_BACK, INT64_MAX, w->job->lane->why, 0);
}

/* The message is on its way here. */
static void wait_told(struct offload_wait *w)
{
    green_shield()
        while (!w->told)
            wait_park(w);
}

/* With the lock held: is there nothing to wait for? 1, 0, or a negative errno. */
static int look(const struct offload_job *job)
{
    if (job->state >= JOB_OVER)
        return 1;
    return job->forks != job->lane->forks ? -ESRCH : 0;
}

/* 0: it is in line. 1: there is nothing to wait for. Or a negative errno. */
static int wait_begin(struct offload_wait *w)
{
    struct offload_job *job = w->job;
    pthread_mutex_lock(&job->lane->lock);
    int over = look(job);
    if (over == 0 && w->hub->current == &w->hub->loop)
        over = -EDEADLK;
    if (over == 0)
        list_append(&job->waits, &w->link);
    pthread_mutex_unlock(&job->lane->lock);
    return over;
}

/* Leave early. False: too late, the message is on its way here. */
static bool wait_leave(struct offload_wait *w)
{
    pthread_mutex_lock(&w->job->lane->lock);
    bool there = !list_empty(&w->link);
    list_remove(&w->link);
    pthread_mutex_unlock(&w->job->lane->lock);
    return there;
}

/* A job of the lane waits for another: do it here, lest all OS threads end up waiting. */
static void do_myself(struct offload_job *job)
{
    struct green_lane *lane = job->lane;
    if (lane != lane_here)
        return;
    pthread_mutex_lock(&lane->lock);
    bool mine = job->state == JOB_QUEUED;
    if (mine)
        dequeue(job, JOB_RUNNING);
    admit(lane);
    pthread_mutex_unlock(&lane->lock);
    if (mine) {
        job->run(job);
        finish(job, 0);
    }
}

int offload_wait(struct offload_job *job)
{
    struct green_hub *hub = hub_here();
    if (hub == NULL)
        return -ENOMEM;
    struct wait_queue line = {NULL, NULL};
    struct offload_wait w = wait_make(hub, job, &line);
    do_myself(job);
    int over = wait_begin(&w);
    if (over != 0)
        return over > 0 ? 0 : over;
    int err = wait_park(&w);
    if (err < 0 && wait_leave(&w))
        return err;
    wait_told(&w);
    park_excused(hub->current, err);
    return 0;
}

int offload_look(struct offload_wait *w, struct offload_job *job, struct green_hub *hub)
{
    if (w->hub == NULL && hub->current != &hub->loop)
        do_myself(job);
    pthread_mutex_lock(&job->lane->lock);
    int over = look(job);
    pthread_mutex_unlock(&job->lane->lock);
    return over;
}

void offload_enter(struct offload_wait *w, struct offload_job *job, struct green_hub *hub,
                   struct wait_queue *line)
{
    if (w->hub != NULL || hub->current == &hub->loop)
        return;
    *w = wait_make(hub, job, line);
    list_init(&w->link);
    if (wait_begin(w) != 0) /* it has just come to its end */
        hub_post(hub, &w->message);
}

void offload_leave(struct offload_wait *w)
{
    if (w->hub != NULL && !wait_leave(w))
        wait_told(w);
    w->hub = NULL;
}

/* ---- starting, and taking back ---- */

/* With the lock held. */
static int enqueue(struct green_lane *lane, struct offload_job *job)
{
    job->lane = lane;
    job->forks = lane->forks;
    list_append(&lane->queue, &job->queued);
    lane->queued++;
    int err = grow(lane);
    if (err < 0) {
        list_remove(&job->queued);
        lane->queued--;
        job->lane = NULL;
        return err;
    }
    offload_take(job);
    atomic_fetch_add(&lane->references, 1);
    pthread_cond_signal(&lane->work);
    standstill_job_begins();
    return 0;
}

int offload_start(struct green_lane *lane, struct offload_job *job)
{
    pthread_mutex_lock(&lane->lock);
    int err = enqueue(lane, job);
    pthread_mutex_unlock(&lane->lock);
    return err;
}

/* With the lock held, the job in the queue: is it one too many? */
static bool crowded(const struct green_lane *lane)
{
    return lane->room > 0 && lane != lane_here &&
           (lane->starting > 0 || backlog(lane) > lane->room);
}

/* With the lock held: it is not to be begun any more. */
static void take_back(struct offload_job *job)
{
    dequeue(job, JOB_TAKEN_BACK);
    standstill_job_over();
    tell_all(&job->waits);
    admit(job->lane);
}

/* Its starter does not wait any longer. False: too late, the job has begun or was let in. */
static bool retract(struct offload_wait *w)
{
    struct offload_job *job = w->job;
    pthread_mutex_lock(&job->lane->lock);
    bool mine = job->starter == w;
    if (mine) {
        list_remove(&w->link);
        job->starter = NULL;
        job->lane->starting--;
        take_back(job);
    }
    pthread_mutex_unlock(&job->lane->lock);
    if (mine)
        offload_drop(job);
    return mine;
}

int offload_start_in_turn(struct green_lane *lane, struct offload_job *job, bool wait)
{
    struct green_hub *hub = hub_here();
    if (hub == NULL)
        return -ENOMEM;
    struct wait_queue line = {NULL, NULL};
    struct offload_wait w = wait_make(hub, job, &line);
    pthread_mutex_lock(&lane->lock);
    int err = enqueue(lane, job);
    bool waits = err == 0 && crowded(lane);
    bool late = waits && (!wait || hub->current == &hub->loop);
    if (late) {
        take_back(job);
    } else if (waits) {
        list_append(&lane->starters, &w.link);
        job->starter = &w;
        lane->starting++;
    }
    pthread_mutex_unlock(&lane->lock);
    if (late) {
        offload_drop(job);
        return wait ? -EDEADLK : -EBUSY;
    }
    if (!waits)
        return err;
    err = wait_park(&w);
    if (err < 0 && retract(&w))
        return err;
    wait_told(&w);
    park_excused(hub->current, err);
    return 0;
}

int offload_take_back(struct offload_job *job)
{
    struct green_lane *lane = job->lane;
    int err = 0;
    pthread_mutex_lock(&lane->lock);
    if (job->state >= JOB_OVER)
        err = -EALREADY;
    else if (job->forks != lane->forks)
        err = -ESRCH;
    else if (job->state == JOB_RUNNING)
        err = -EBUSY;
    else
        take_back(job);
    pthread_mutex_unlock(&lane->lock);
    if (err == 0)
        offload_drop(job);
    return err;
}

void offload_drop(struct offload_job *job)
{
    if (atomic_fetch_sub(&job->references, 1) != 1)
        return;
    struct green_lane *lane = job->lane;
    job->free(job);
    if (lane != NULL)
        offload_lane_drop(lane);
}
