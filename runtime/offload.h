/* offload.h - OS threads for what must block, and green threads that wait for them.
 *
 * A job is on the heap and counted: one reference belongs to the lane until the job is over, one to
 * each who waits. A waiter may leave by deadline or cancellation and only drops its reference; the
 * last one frees the job, on whatever OS thread that is. Several green threads, also of different
 * hubs, may wait for one job. A job that has not begun can be taken back.
 *
 * A lane is a pool of its own, so that slow name servers hold up nobody but look-ups. Its OS
 * threads start on demand, end after some idle seconds, and have all signals blocked. A job may
 * use green calls: the hub that this makes on its OS thread ends with it, before it is over.
 *
 * The fields of lanes and jobs are touched under the lane's lock. Who takes a waiter out of its
 * list there has decided that it is told: by a message to its hub, which it has to wait for. */
#pragma once
#include "list.h"
#include "message.h"
#include <green/offload.h>
#include <pthread.h>
#include <stdatomic.h>

struct green_hub;
struct wait_queue;

struct green_lane {
    char name[16];   /* of its OS threads */
    const char *why; /* what its jobs are to those who wait; told even when the lane is gone */
    int min;         /* so many OS threads stay when idle */
    int max;         /* most OS threads */
    int room;        /* most jobs that may wait before starters do; 0: no limit */
    int64_t idle;    /* ns that an OS thread above `min` waits for work */
    pthread_mutex_t lock;
    pthread_cond_t work;   /* a job was queued, or the size has changed */
    struct list queue;     /* jobs not yet begun, in order */
    struct list starters;  /* offload_wait: who waits for room; their jobs stand in the queue */
    int queued, starting;  /* how many these are */
    int threads, busy;     /* OS threads; of these, at work */
    int most;              /* OS threads at one time, so far */
    uint64_t done;         /* jobs that have run */
    unsigned forks;        /* in whose life jobs were lost */
    atomic_int references; /* the owner's, and one for each OS thread and each job */
    struct list made;      /* link in the list of those that green_lane_make made */
};

extern struct green_lane offload_general; /* all but the following */
extern struct green_lane offload_dns;     /* name look-ups */
extern struct green_lane offload_files;   /* reading, writing, syncing of open files */
extern struct green_lane offload_paths;   /* what takes a path: opening may wait for somebody */

enum offload_state { JOB_QUEUED, JOB_RUNNING, JOB_OVER, JOB_TAKEN_BACK };

struct offload_job {
    void (*run)(struct offload_job *job);  /* on the lane's OS thread */
    void (*ran)(struct offload_job *job);  /* there, then: sees to it that offload_over is called,
                                              maybe later; NULL: the job is over at once */
    void (*free)(struct offload_job *job); /* the last reference is gone */
    /* Private. */
    struct green_lane *lane; /* NULL: not started */
    struct list queued;
    struct list waits; /* offload_wait: who waits for its end */
    struct offload_wait *starter;
    enum offload_state state;
    unsigned forks; /* the lane's when it was started */
    atomic_int references;
};

/* The caller gets the first reference. */
static inline void offload_init(struct offload_job *job, void (*run)(struct offload_job *),
                                void (*release)(struct offload_job *))
{
    *job = (struct offload_job){.run = run, .free = release};
    list_init(&job->queued);
    list_init(&job->waits);
    atomic_init(&job->references, 1);
}

/* Queue a job, however many wait; does not park. 0, -EAGAIN: the lane has no OS thread and none can
 * be made. */
int offload_start(struct green_lane *lane, struct offload_job *job);

/* The same, but first come, first served for the room in the queue: while there is none, park, or
 * fail with -EBUSY. Jobs of the lane itself are let in always. */
int offload_start_in_turn(struct green_lane *lane, struct offload_job *job, bool wait);

/* Park until the job is over or taken back: 0, or a negative errno (deadline, cancellation, -ESRCH:
 * lost in a fork). A job of the same lane does the work itself if nobody has begun it. */
int offload_wait(struct offload_job *job);

/* A green thread that waits for the end of a job, or for room in the queue. */
struct offload_wait {
    struct message message; /* to the waiter's hub */
    struct list link;       /* alone: the message is on its way */
    struct offload_job *job;
    struct green_hub *hub;   /* NULL: does not stand in line */
    struct wait_queue *line; /* where its thread is parked */
    bool told;               /* the message has arrived */
};

/* The same for who waits for other things, too, each in its turn. Is it over? 1, 0, -ESRCH. Before
 * it stands in line a job of the same lane does the work itself, as above, and may yield. */
int offload_look(struct offload_wait *w, struct offload_job *job, struct green_hub *hub);
/* Into the line; when the job is over, who is parked in `line` is woken. */
void offload_enter(struct offload_wait *w, struct offload_job *job, struct green_hub *hub,
                   struct wait_queue *line);
/* Out of it. May park until the word is here, if it is on its way. */
void offload_leave(struct offload_wait *w);

/* The job that has `ran` is over: who waits is told. From any OS thread; the caller has a
 * reference. */
void offload_over(struct offload_job *job);

/* 0: the job had not begun, and never will; who waits is told. -EBUSY: it has begun; -EALREADY: it
 * is over, or was taken back before; -ESRCH: lost in a fork. */
int offload_take_back(struct offload_job *job);

static inline void offload_take(struct offload_job *job)
{
    atomic_fetch_add(&job->references, 1);
}
void offload_drop(struct offload_job *job);

/* For run(): does anybody still wait? */
static inline bool offload_wanted(struct offload_job *job)
{
    return atomic_load(&job->references) > 1;
}

/* For offload_lane.c. The lock is held: the size has changed. -EAGAIN: jobs wait, and no OS thread
 * can be made. */
int offload_resized(struct green_lane *lane);

/* offload_lane.c's: one reference less. */
void offload_lane_drop(struct green_lane *lane);
