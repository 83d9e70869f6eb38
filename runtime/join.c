/* join.c - waiting for the end of a thread, and letting it go: see green/thread.h. What concerns a
 * thread of another hub is done over there. */
#include "deadlock.h"
#include "error.h"
#include "self.h"
#include <errno.h>

const char why_join[] = "the end of a thread";

/* ---- joining, at the thread's own hub ---- */

static int join_here(struct green_hub *hub, struct green_thread *t, int *result)
{
    if (t == hub->current)
        return -EDEADLK;
    if (t->detached || t->joined)
        return -EINVAL;
    if (t->state != THREAD_DONE) {
        struct tie tie;
        t->joined = true;
        tie_on(hub, &tie, "the end of", &t, NULL, NULL);
        int err = park(hub, &t->ends, WAIT_BACK, INT64_MAX, why_join, (long)t);
        tie_off(&tie);
        t->joined = false;
        if (err < 0)
            return err;
    }
    if (result != NULL)
        *result = t->result;
    thread_free(t);
    return 0;
}

/* ---- joining from another hub: the target reports over there when it ends ---- */

struct far_join {
    struct green_thread *target; /* NULL: it has ended and is freed. Its hub's */
    struct green_hub *from;
    struct message done;
    struct wait_queue caller;
    int result;
    int error;
    bool over; /* the caller knows of the end, or of the error */
};

static void far_join_done(struct message *message)
{
    struct far_join *j = CONTAINER(message, struct far_join, done);
    j->over = true;
    wake_first(&j->caller, 0);
}

static void far_join_start(void *arg)
{
    struct far_join *j = arg;
    struct green_thread *t = j->target;
    if (t->state == THREAD_DONE || t->detached || t->joined) {
        j->error = join_here(t->hub, t, &j->result);
        j->over = true;
        return;
    }
    t->joined = true;
    t->far = j;
}

void far_join_end(struct green_thread *t)
{
    struct far_join *j = t->far;
    t->detached = true;
    j->result = t->result;
    __atomic_store_n(&j->target, NULL, __ATOMIC_RELAXED); /* its tie leads nowhere now */
    hub_post(j->from, &j->done);
}

/* If it has just ended, its message has arrived before the answer to this call. */
static void far_join_stop(void *arg)
{
    struct far_join *j = arg;
    if (j->target == NULL)
        return;
    j->target->joined = false;
    j->target->far = NULL;
}

/* Its hub has ended, so it has, too: the message is on its way. */
static void far_join_await(struct green_hub *hub, struct far_join *j)
{
    green_shield()
        while (!j->over)
            park(hub, &j->caller, WAIT_BACK, INT64_MAX, "end of thread", 0);
}

static int join_far(struct green_hub *hub, struct green_thread *t, int *result)
{
    struct far_join j = {.target = t, .from = hub, .done.run = far_join_done};
    struct green_hub *there = t->hub;
    int err = hub_call(there, far_join_start, &j);
    if (err < 0)
        return err;
    if (!j.over) {
        struct tie tie;
        tie_on(hub, &tie, "the end of", &j.target, NULL, NULL);
        err = park(hub, &j.caller, WAIT_BACK, INT64_MAX, "end of thread", (long)t);
        tie_off(&tie);
    }
    if (!j.over && hub_call(there, far_join_stop, &j) < 0)
        far_join_await(hub, &j);
    if (!j.over)
        return err;
    park_excused(hub->current, err);
    if (j.error == 0 && result != NULL)
        *result = j.result;
    return j.error;
}

GREEN_API int green_join(green_thread *t, int *result)
{
    if (t == NULL)
        return thread_none();
    struct green_hub *hub = hub_here();
    if (hub == NULL)
        return -1;
    return (int)returned(t->hub == hub ? join_here(hub, t, result) : join_far(hub, t, result));
}

/* ---- letting go, wherever it lives ---- */

struct detach {
    struct green_thread *thread;
    int error;
};

static void detach_here(void *arg)
{
    struct detach *d = arg;
    struct green_thread *t = d->thread;
    if (t->detached || t->joined)
        d->error = -EINVAL;
    else if (t->state == THREAD_DONE)
        thread_free(t);
    else
        t->detached = true;
}

GREEN_API int green_detach(green_thread *t)
{
    struct detach d = {t, 0};
    if (t == NULL)
        return thread_none();
    if (hub_here() == NULL)
        return -1;
    int err = hub_call(t->hub, detach_here, &d);
    return (int)returned(err < 0 ? err : d.error);
}
