/* offload.h - OS threads for what must block, and green threads that wait for them.
 *
 * A job is on the heap and counted: one reference belongs to the pool until the job is over, one to
 * each who waits. A waiter may leave by deadline or cancellation and only drops its reference; the
 * last one frees the job, on whatever OS thread that is. Several green threads, also of different
 * hubs, may wait for one job.
 *
 * A lane is a pool of its own, so that slow name servers hold up nobody but look-ups. Its OS
 * threads start on demand, end after some idle seconds, and have all signals blocked. */
#pragma once
#include "list.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

struct offload_wait;

struct offload_lane {
    const char *name; /* of its OS threads */
    int limit;        /* most OS threads */
    pthread_mutex_t lock;
    pthread_cond_t work; /* a job was queued */
    struct list queue;   /* jobs not yet begun; next NULL: the lane was never used */
    int threads;
    int idle;   /* of these, waiting for work */
    int queued; /* jobs in the queue */
};

extern struct offload_lane offload_dns;     /* name look-ups */
extern struct offload_lane offload_general; /* all else */

struct offload_job {
    void (*run)(struct offload_job *job);  /* on the pool's OS thread */
    void (*free)(struct offload_job *job); /* the last reference is gone */
    /* Private. */
    struct offload_lane *lane;
    struct list queued;
    struct offload_wait *waits; /* under the lane's lock, as `over` */
    bool over;
    atomic_int references;
};

/* The caller gets the first reference. */
static inline void offload_init(struct offload_job *job, void (*run)(struct offload_job *),
                                void (*release)(struct offload_job *))
{
    job->run = run;
    job->free = release;
    atomic_init(&job->references, 1);
}

/* Queue a job. 0, -EAGAIN: the lane has no OS thread and none can be made. */
int offload_start(struct offload_lane *lane, struct offload_job *job);

/* Park until the job is over: 0, or a negative errno (deadline, cancellation). */
int offload_wait(struct offload_job *job);

static inline void offload_take(struct offload_job *job)
{
    atomic_fetch_add(&job->references, 1);
}
void offload_drop(struct offload_job *job);

/* For run(): does anybody still wait? Jobs nobody wants should do nothing. */
static inline bool offload_wanted(struct offload_job *job)
{
    return atomic_load(&job->references) > 1;
}
