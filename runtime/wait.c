/* wait.c - see wait.h. */
#include "deadlock.h"
#include "error.h"
#include "hub_switch.h"
#include "shared.h"
#include <errno.h>

/* The scope whose deadline it is; NULL: it was inherited. */
static struct green_scope *ruling(const struct green_thread *t)
{
    struct green_scope *s = t->scope;
    while (s != NULL && !s->rules)
        s = s->outer;
    return s;
}

/* The ambient deadline makes a call fail. */
static int deadline_passed(struct green_thread *t, const char *why, long object)
{
    struct green_scope *s = ruling(t);
    t->late_first = s != NULL && !s->expired;
    if (s != NULL)
        s->expired = true;
    t->late = true;
    t->late_why = why;
    t->late_object = object;
    return -ETIMEDOUT;
}

int park_in_callback(struct green_hub *hub)
{
    error_note(&hub->loop, EDEADLK, "a callback of the event loop must not wait");
    return -EDEADLK;
}

int park_refused(struct green_hub *hub)
{
    struct green_thread *t = hub->current;
    if (UNLIKELY(t == &hub->loop))
        return park_in_callback(hub);
    if (UNLIKELY(t->refused & REFUSED_CANCELLED))
        return -ECANCELED;
    if (UNLIKELY(t->refused & REFUSED_THROWN))
        return -thread_catch(t);
    if (UNLIKELY(t->deadline <= hub->now))
        return deadline_passed(t, "", 0);
    return 0;
}

int park_failed(struct green_thread *t)
{
    int outcome = t->waiter.outcome;
    if (outcome == -ETIMEDOUT && t->until == t->deadline)
        return deadline_passed(t, t->why, t->object);
    return outcome;
}

void park_excused(struct green_thread *t, int err)
{
    bool early = err == -ECANCELED || err == -ETIMEDOUT;
    if (err < 0 && !early && t->struck)
        thread_throw_back(t, err);
    else if (err < 0 && !early)
        error_free(t); /* of a deadlock, say, which was none */
    if (err == -ETIMEDOUT && t->late_first)
        ruling(t)->expired = false;
    t->late = false;
}

int park(struct green_hub *hub, struct wait_queue *queue, enum wait_end end, int64_t until,
         const char *why, long object)
{
    return park_here(hub, queue, end, until, why, object);
}

__attribute__((hot)) void wake(struct green_thread *t, int outcome)
{
    wait_dequeue(&t->waiter);
    t->waiter.outcome = outcome;
    hub_ready(t->hub, t);
}

/* In the line of an object that hubs share: is the thread still to be had? Otherwise another hub
 * has it already, and its message comes. */
static bool withdraw(struct green_thread *t, struct standing *standing, int outcome)
{
    if (standing->choice != NULL)
        return choice_withdraw(standing->choice, outcome == -ETIMEDOUT && t->until < t->deadline);
    return shared_retract(t->hub, &t->waiter);
}

void wake_early(struct green_thread *t, int outcome)
{
    t->struck = false;
    if (UNLIKELY(t->tie != NULL && t->tie->shown)) /* first: what it waits for may be freed then */
        tie_cut(t->tie);
    if (t->waiter.standing == NULL || withdraw(t, t->waiter.standing, outcome))
        wake(t, outcome);
}

__attribute__((hot)) bool wake_first(struct wait_queue *queue, int outcome)
{
    if (queue->head == NULL)
        return false;
    wake(CONTAINER(queue->head, struct green_thread, waiter), outcome);
    return true;
}

void wake_all(struct wait_queue *queue, int outcome)
{
    while (wake_first(queue, outcome))
        continue;
}
