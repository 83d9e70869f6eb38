/* offload_job.c - jobs of a program's own: see green/offload.h. */
#include "error.h"
#include "memory.h"
#include "offload.h"
#include "select.h"
#include "self.h"
#include <errno.h>

struct green_job {
    struct offload_job job;
    int (*fn)(void *arg);
    void *arg;
    void (*release)(void *arg); /* NULL: arg is the caller's */
    void (*done)(void *arg, int result);
    struct green_hub *hub; /* where `done` is called, if it is still there: by its number */
    uint32_t hub_number;
    struct message message; /* to that hub; it holds a reference */
    int result;
    int error; /* errno when fn returned */
    bool kept; /* the caller had the result: arg is his */
};

static struct green_job *job_of(struct offload_job *job)
{
    return CONTAINER(job, struct green_job, job);
}

static void run(struct offload_job *job)
{
    struct green_job *j = job_of(job);
    errno = 0;
    j->result = j->fn(j->arg);
    j->error = errno;
}

/* To the caller, if he gets it: what fn returned, and its errno if that is a failure. */
static void tell(const struct green_job *j, int *result)
{
    if (result != NULL)
        *result = j->result;
    if (j->result < 0)
        errno = j->error;
}

static void free_job(struct offload_job *job)
{
    struct green_job *j = job_of(job);
    if (j->release != NULL && !j->kept)
        j->release(j->arg);
    memory_put(j);
}

/* ---- being called back ---- */

static void call_back(struct message *message)
{
    struct green_job *j = CONTAINER(message, struct green_job, message);
    j->done(j->arg, j->result);
    offload_over(&j->job);
    offload_drop(&j->job);
}

static bool post_if_it_is(struct green_hub *hub, void *arg)
{
    struct green_job *j = arg;
    if (hub != j->hub || hub->number != j->hub_number)
        return true;
    offload_take(&j->job);
    j->message.run = call_back;
    hub_post(hub, &j->message);
    return false;
}

static void ran(struct offload_job *job)
{
    hubs_each(post_if_it_is, job_of(job));
    if (job_of(job)->message.run == NULL) /* there is nobody to call */
        offload_over(job);
}

static void expect(struct green_job *j, void (*done)(void *arg, int result), struct green_hub *hub)
{
    j->done = done;
    j->hub = hub;
    j->hub_number = hub->number;
    j->job.ran = ran;
}

/* ---- run and wait ---- */

static struct green_job *job_make(int (*fn)(void *), void *arg, void (*release)(void *))
{
    struct green_hub *hub = hub_here();
    struct green_job *j = hub != NULL && fn != NULL ? memory_get(sizeof *j) : NULL;
    if (j == NULL) {
        int err = hub == NULL ? errno : fn == NULL ? EINVAL : ENOMEM;
        if (release != NULL)
            release(arg);
        fail(err, err == EINVAL ? "a job without a function" : "no memory for a job");
        return NULL;
    }
    *j = (struct green_job){.fn = fn, .arg = arg, .release = release};
    offload_init(&j->job, run, free_job);
    return j;
}

static int wait_or_take_back(struct green_job *j)
{
    int why = offload_wait(&j->job), err = why;
    if (err < 0 && offload_take_back(&j->job) < 0 && j->release == NULL)
        green_shield()
            err = offload_wait(&j->job);
    if (err == 0)
        park_excused(self_hub()->current, why);
    return err;
}

static int offload(int (*fn)(void *), void *arg, void (*release)(void *), int *result)
{
    struct green_job *j = job_make(fn, arg, release);
    if (j == NULL)
        return -1;
    int err = park_refused(self_hub());
    if (err == 0)
        err = offload_start(&offload_general, &j->job);
    if (err == 0)
        err = wait_or_take_back(j);
    if (err == 0)
        tell(j, result);
    int kept = errno;
    j->kept = err == 0;
    offload_drop(&j->job);
    errno = kept;
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

/* ---- jobs with a handle ---- */

static green_job *start(const green_job_options *options, int (*fn)(void *), void *arg, bool wait)
{
    static const green_job_options standard;
    const green_job_options *o = options != NULL ? options : &standard;
    struct green_job *j = job_make(fn, arg, o->release);
    if (j == NULL)
        return NULL;
    if (o->done != NULL)
        expect(j, o->done, o->hub != NULL ? o->hub : self_hub());
    struct green_lane *lane = o->lane != NULL ? o->lane : &offload_general;
    int err = self_hub()->current->refused != 0 ? park_refused(self_hub()) : 0;
    if (err == 0)
        err = offload_start_in_turn(lane, &j->job, wait);
    if (err == 0)
        return j;
    offload_drop(&j->job);
    failed(err);
    return NULL;
}

GREEN_API green_job *green_job_start(const green_job_options *options, int (*fn)(void *), void *arg)
{
    return start(options, fn, arg, true);
}

GREEN_API green_job *green_job_try_start(const green_job_options *options, int (*fn)(void *),
                                         void *arg)
{
    return start(options, fn, arg, false);
}

GREEN_API int green_job_wait(green_job *j, int *result)
{
    int err = offload_wait(&j->job);
    if (err == 0 && j->job.state == JOB_TAKEN_BACK)
        err = -ECANCELED;
    if (err == 0)
        tell(j, result);
    return (int)returned(err);
}

GREEN_API int green_job_cancel(green_job *j)
{
    return (int)returned(offload_take_back(&j->job));
}

GREEN_API void green_job_free(green_job *j)
{
    if (j != NULL)
        offload_drop(&j->job);
}

/* ---- as a case of green_select ---- */

static struct offload_wait *wait_of(green_case *c)
{
    _Static_assert(sizeof(struct offload_wait) <= sizeof c->room, "there is room");
    return (struct offload_wait *)(void *)c->room;
}

static int look_if_over(struct green_hub *hub, green_case *c)
{
    return offload_look(wait_of(c), &((green_job *)c->object)->job, hub);
}

static int enter(struct green_hub *hub, green_case *c, struct choice *choice)
{
    offload_enter(wait_of(c), &((green_job *)c->object)->job, hub, &choice->line);
    return 0;
}

static void leave(struct green_hub *hub, green_case *c)
{
    (void)hub;
    offload_leave(wait_of(c));
}

GREEN_API green_case green_case_finished(green_job *j)
{
    static const struct case_kind kind = {.look = look_if_over, .enter = enter, .leave = leave};
    if (j == NULL)
        return CASE_NEVER;
    return (green_case){.kind = &kind, .object = j};
}
