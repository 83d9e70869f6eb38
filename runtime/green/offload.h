/* green/offload.h - run on another OS thread what must block or takes long: a library that knows no
 * green threads, heavy computing. (For files there is green/file.h.)
 *
 * The function runs on an OS thread of a lane: a pool of OS threads that grows on demand, up to its
 * maximum, and shrinks when it is idle. All signals are blocked there. The function may use this
 * library, too: the OS thread then gets a hub of its own, and when the function returns, the green
 * threads that it has left behind there are cancelled and waited for. In a forked child lanes begin
 * anew; jobs that were on their way do not go on there. */
#pragma once
#include <green/select.h>

GREEN_BEGIN_DECLS

/* Run fn(arg) on the general lane; *result gets what it returned (may be NULL), and if that is
 * negative, errno is what the function left there. Once the function has begun the call waits for
 * its end, whatever happens to the caller: so arg may stand on the caller's stack. 0; or -1 and
 * nothing was run: ECANCELED, ETIMEDOUT, EAGAIN (no OS thread can be made), ENOMEM. May yield. */
GREEN_API int green_offload(int (*fn)(void *arg), void *arg, int *result);

/* The same, but cancellation and deadlines end the wait at once and leave the function behind.
 * arg is on the heap: on 0 it is the caller's again; on -1 it is lost to him and release(arg) is
 * called exactly once, maybe later and on another OS thread, when the function needs it no more. A
 * function left behind before its turn does not run. */
GREEN_API int green_offload_owned(int (*fn)(void *arg), void *arg, void (*release)(void *arg),
                                  int *result);

/* ---- jobs: start now, wait later, or be called back ---- */

typedef struct green_job green_job;
typedef struct green_lane green_lane;

typedef struct green_job_options {
    green_lane *lane;           /* NULL: the general one */
    void (*release)(void *arg); /* arg is the job's: called once, by whatever OS thread, when the
                                   job needs it no more, also if it could not be started */
    void (*done)(void *arg, int result); /* called when fn has returned, as a callback of the loop
                                            of `hub`, so it must not block. Only when it has
                                            returned is the job over: green_job_wait returns after
                                            it, and `release` comes after it, too. Not called when
                                            the job was cancelled, or that hub has ended by then */
    green_hub *hub;                      /* NULL: the caller's */
} green_job_options;

/* Start fn(arg). options may be NULL. The handle is to be freed. While the lane's queue is full it
 * waits for room, first come, first served. NULL: ECANCELED, ETIMEDOUT, EDEADLK (as in
 * green/base.h; nothing was run), EAGAIN (no OS thread can be made), ENOMEM. May yield. */
GREEN_API green_job *green_job_start(const green_job_options *options, int (*fn)(void *arg),
                                     void *arg);
/* The same without waiting. EBUSY: the queue is full. */
GREEN_API green_job *green_job_try_start(const green_job_options *options, int (*fn)(void *arg),
                                         void *arg);

/* Wait until fn, and then `done`, has returned; *result gets what fn has (may be NULL), errno
 * as above. Several green threads may wait, and again. Within a job of the same lane it runs fn in
 * place if nobody has begun it. -1: ECANCELED (also when the job was cancelled), ETIMEDOUT,
 * EDEADLK, ESRCH (lost in a fork). May yield. */
GREEN_API int green_job_wait(green_job *job, int *result);

/* A case of green_select: the job is over, green_job_wait will not wait. NULL never comes up. */
#define GREEN_FINISHED(job) green_case_finished(job)
GREEN_API green_case green_case_finished(green_job *job);

/* Take back a job that has not begun: fn will not run. EBUSY: it has begun, and goes on; EALREADY:
 * it is over; ESRCH: it was lost in a fork. */
GREEN_API int green_job_cancel(green_job *job);

/* Let go of the handle, at any time when nobody waits for it; a job on its way goes on without.
 * NULL is fine. */
GREEN_API void green_job_free(green_job *job);

/* ---- lanes ---- */

/* Zero is the default everywhere. */
typedef struct green_lane_options {
    const char *name; /* of its OS threads: copied, cut to 15 bytes; NULL: "green-lane" */
    int min;          /* so many OS threads stay, once there was work for them, when idle */
    int max;          /* most OS threads; 0: 64 */
    int queue;        /* so many jobs may wait for an OS thread before green_job_start waits, too
                         (other calls wait for their job anyway); 0: no limit */
    int64_t idle;     /* ns after which an idle OS thread ends; 0: 3 s */
} green_lane_options;

/* A lane of one's own. options may be NULL. NULL: ENOMEM, EINVAL (negative, or min > max). */
GREEN_API green_lane *green_lane_make(const green_lane_options *options);
/* What was started still runs; then its OS threads end. The lane must not be used any more. */
GREEN_API void green_lane_free(green_lane *lane);

/* Those of the library. */
enum {
    GREEN_LANE_GENERAL, /* at most 64 OS threads */
    GREEN_LANE_DNS,     /* green/dns.h: 256 */
    GREEN_LANE_FILES,   /* green/file.h, what has a descriptor: 64 */
    GREEN_LANE_PATHS    /* what takes a path: 256, since opening may wait for others */
};
GREEN_API green_lane *green_lane_of(int which);

/* Changes at any time, from any OS thread; lane NULL: the general one. With max 0 nothing begins
 * any more until it is raised. OS threads above max end as soon as they have done their jobs. idle
 * 0: as soon as there is no work; queue 0: no limit. EINVAL; EAGAIN: jobs wait, and no OS thread
 * can be made for them. */
GREEN_API int green_lane_resize(green_lane *lane, int min, int max);
GREEN_API int green_lane_set_queue(green_lane *lane, int queue);
GREEN_API int green_lane_set_idle(green_lane *lane, int64_t idle);

typedef struct green_lane_stats {
    int threads;   /* OS threads now */
    int idle;      /* of these, without work */
    int most;      /* OS threads at one time, so far */
    int queued;    /* jobs that have not begun; those that green_job_start waits with, too */
    uint64_t done; /* jobs that have run */
} green_lane_stats;
GREEN_API void green_lane_stats_get(green_lane *lane, green_lane_stats *stats);

GREEN_END_DECLS
