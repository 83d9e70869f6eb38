/* thread.c - green threads: see thread.h and green/thread.h. */
#include "thread.h"
#include "deadlock.h"
#include "error.h"
#include "group.h"
#include "hub_switch.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- starting ---- */

void thread_set_name(struct green_thread *t, const char *name)
{
    size_t n = 0;
    while (name != NULL && n < sizeof t->name - 1 && name[n] != '\0') {
        t->name[n] = name[n];
        n++;
    }
    t->name[n] = '\0';
}

void thread_adopt(struct green_hub *hub, struct green_thread *t, const char *name)
{
    t->hub = hub;
    t->deadline = t->timer_at = INT64_MAX;
    list_append(&hub->threads, &t->all);
    hub->live++;
    hub->active++;
    thread_set_name(t, name);
}

static __attribute__((noinline)) void thread_entry(void)
{
    struct green_thread *t = self_hub()->current;
    san_arrive(&t->fiber);
    if (t->cancelled) { /* before its first turn */
        t->result = -1;
        t->error = ECANCELED;
    } else {
        errno = 0;
        t->result = t->fn(t->arg);
        t->error = errno;
    }
    thread_end(t);
}

/* The size that a spawn without wishes gets; asked of the environment once. */
static size_t standard_size(void)
{
    static size_t standard;
    if (standard == 0) {
        const char *wish = getenv("GREEN_STACK");
        size_t bytes = wish != NULL ? stack_round(strtoul(wish, NULL, 0)) : 0;
        standard = bytes != 0 ? bytes : (size_t)256 << 10;
    }
    return standard;
}

static struct stack_pool *pool_for(struct green_hub *hub, size_t size)
{
    if (LIKELY(size == 0 && hub->pool != NULL))
        return hub->pool;
    size_t wanted = size != 0 ? size : standard_size();
    for (int i = 0; i < STACK_CLASSES; i++)
        if (hub->pools[i].size >= wanted) {
            if (size == 0)
                hub->pool = &hub->pools[i];
            return &hub->pools[i];
        }
    return NULL;
}

/* A control block on a stack of its own; NULL: no memory, or no such size. */
static struct green_thread *thread_make(struct green_hub *hub, size_t stack_size)
{
    struct stack_pool *pool = pool_for(hub, stack_size);
    if (pool == NULL || !heap_reserve(&hub->timers, hub->live + 1))
        return NULL;
    struct stack *stack = stack_get(pool);
    if (stack == NULL)
        return NULL;
    struct green_thread *t = (struct green_thread *)(void *)(stack->top - sizeof *t);
    t = (struct green_thread *)((uintptr_t)t & ~(uintptr_t)63);
    *t = (struct green_thread){.stack = stack, .pool = pool};
    if (context_start(&t->context, stack->base, t, thread_entry) < 0) {
        stack_put(pool, stack);
        return NULL;
    }
    san_stack(&t->fiber, stack->base, (size_t)((char *)t - stack->base));
    return t;
}

struct green_thread *thread_spawn(struct green_hub *hub, const green_spawn_options *options,
                                  int (*fn)(void *), void *arg)
{
    struct green_thread *t = hub->ending ? NULL : thread_make(hub, options->stack_size);
    if (t == NULL) {
        fail(ENOMEM, "no memory or address space for another green thread (%u alive)", hub->live);
        return NULL;
    }
    t->fn = fn;
    t->arg = arg;
    t->detached = options->detached;
    thread_adopt(hub, t, options->name);
    hub_ready(hub, t);
    t->state = THREAD_FRESH;
    hub->spawned++;
    return t;
}

/* ---- ending ---- */

static void thread_free(struct green_thread *t)
{
    list_remove(&t->all);
    t->hub->live--;
    error_free(t);
    if (t->stack != NULL)
        stack_put(t->pool, t->stack);
}

void thread_reap(struct green_hub *hub)
{
    for (struct list *l = hub->threads.next, *next; l != &hub->threads; l = next) {
        struct green_thread *t = CONTAINER(l, struct green_thread, all);
        next = l->next;
        if (t->state == THREAD_DONE && !t->joined)
            thread_free(t);
    }
}

static void far_join_end(struct green_thread *t);

_Noreturn void thread_end(struct green_thread *t)
{
    struct green_hub *hub = t->hub;
    heap_disarm(&hub->timers, t);
    t->state = THREAD_DONE;
    if (t->group != NULL)
        group_child_done(t);
    wake_all(&t->ends, 0);
    if (UNLIKELY(t->far != NULL))
        far_join_end(t);
    if (t->detached)
        thread_free(t);
    hub->active--;
    if (UNLIKELY(hub->drained.head != NULL))
        wake_all(&hub->drained, 0);
    hub_switch(hub, true);
    __builtin_unreachable();
}

/* ---- joining, at the thread's own hub ---- */

static int join_here(struct green_hub *hub, struct green_thread *t, int *result)
{
    if (t == hub->current)
        return -EDEADLK;
    if (t->detached || t->joined)
        return -EINVAL;
    if (t->state != THREAD_DONE && deadlock_cycle(hub, t, why_join))
        return -EDEADLK;
    if (t->state != THREAD_DONE) {
        t->joined = true;
        int err = park(hub, &t->ends, WAIT_BACK, INT64_MAX, why_join, (long)t);
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

static void far_join_end(struct green_thread *t)
{
    struct far_join *j = t->far;
    t->detached = true;
    j->result = t->result;
    j->target = NULL;
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

static int join_far(struct green_hub *hub, struct green_thread *t, int *result)
{
    struct far_join j = {.target = t, .from = hub, .done.run = far_join_done};
    struct green_hub *there = t->hub;
    int err = hub_call(there, far_join_start, &j);
    if (err < 0)
        return err;
    if (!j.over)
        err = park(hub, &j.caller, WAIT_BACK, INT64_MAX, "end of thread", (long)t);
    if (!j.over)
        hub_call(there, far_join_stop, &j);
    if (!j.over)
        return err;
    if (j.error == 0 && result != NULL)
        *result = j.result;
    return j.error;
}

GREEN_API int green_join(green_thread *t, int *result)
{
    struct green_hub *hub = hub_here();
    if (hub == NULL)
        return -1;
    return (int)returned(t->hub == hub ? join_here(hub, t, result) : join_far(hub, t, result));
}

/* ---- the other calls on a thread, wherever it lives ---- */

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
    if (hub_here() == NULL)
        return -1;
    int err = hub_call(t->hub, detach_here, &d);
    return (int)returned(err < 0 ? err : d.error);
}

void thread_cancel(struct green_thread *t)
{
    t->cancelled = true;
    if (t->shields > 0)
        return;
    t->refused |= REFUSED_CANCELLED;
    if (t->state == THREAD_PARKED)
        wake_early(t, -ECANCELED);
}

static void cancel_here(void *arg)
{
    thread_cancel(arg);
}

GREEN_API int green_cancel(green_thread *t)
{
    if (hub_here() == NULL)
        return -1;
    return (int)returned(hub_call(t->hub, cancel_here, t));
}

GREEN_API int green_kill(green_thread *t, int *result)
{
    return green_cancel(t) < 0 ? -1 : green_join(t, result);
}

/* ---- spawning ---- */

struct far_spawn {
    const green_spawn_options *options;
    int (*fn)(void *);
    void *arg;
    struct green_thread *thread;
};

static void spawn_here(void *arg)
{
    struct far_spawn *s = arg;
    s->thread = thread_spawn(self_hub(), s->options, s->fn, s->arg);
}

GREEN_API green_thread *green_spawn_with(const green_spawn_options *options, int (*fn)(void *),
                                         void *arg)
{
    struct green_hub *hub = hub_here();
    if (hub == NULL)
        return NULL;
    if (fn == NULL || (options->stack_size != 0 && stack_round(options->stack_size) == 0)) {
        fail(EINVAL, "green_spawn: %s", fn == NULL ? "no function" : "stack size over 1 GiB");
        return NULL;
    }
    if (options->hub == NULL || options->hub == hub)
        return thread_spawn(hub, options, fn, arg);
    struct far_spawn s = {options, fn, arg, NULL};
    int err = hub_call(options->hub, spawn_here, &s);
    if (err < 0)
        failed(err);
    else if (s.thread == NULL)
        fail(ENOMEM, "no memory or address space for another green thread on that hub");
    return s.thread;
}

GREEN_API green_thread *green_spawn(int (*fn)(void *), void *arg)
{
    static const green_spawn_options standard;
    return green_spawn_with(&standard, fn, arg);
}

/* ---- of the calling thread ---- */

GREEN_API int green_yield(void)
{
    struct green_hub *hub = hub_here();
    if (hub == NULL)
        return -1;
    int err = park_refused(hub);
    if (err < 0)
        return (int)returned(err);
    hub_yield(hub);
    return (int)returned(park_refused(hub));
}

GREEN_API int green_sleep(int64_t nanoseconds)
{
    struct green_hub *hub = hub_here();
    if (hub == NULL)
        return -1;
    if (nanoseconds <= 0)
        return green_yield();
    int64_t now = hub_clock();
    int64_t until = nanoseconds > INT64_MAX - now ? INT64_MAX : now + nanoseconds;
    bool own = until < hub->current->deadline;
    int err = park(hub, NULL, WAIT_BACK, until, "sleep", 0);
    return (int)returned(own && err == -ETIMEDOUT ? 0 : err);
}

GREEN_API green_thread *green_self(void)
{
    struct green_hub *hub = hub_here();
    return hub != NULL ? hub->current : NULL;
}

GREEN_API int green_set_name(green_thread *t, const char *name)
{
    if (t == NULL && (t = green_self()) == NULL)
        return -1;
    thread_set_name(t, name);
    return 0;
}

GREEN_API const char *green_name(green_thread *t)
{
    if (t == NULL)
        t = green_self();
    return t != NULL ? t->name : "";
}

/* ---- shields ---- */

GREEN_API green_shield_scope *green_shield_enter(green_shield_scope *scope)
{
    struct green_hub *hub = hub_here();
    scope->thread = NULL;
    if (hub == NULL)
        return scope;
    struct green_thread *t = scope->thread = hub->current;
    scope->deadline = t->deadline;
    t->deadline = INT64_MAX;
    t->shields++;
    t->refused = 0;
    return scope;
}

GREEN_API void green_shield_leave(green_shield_scope *scope)
{
    struct green_thread *t = scope->thread;
    if (t == NULL)
        return;
    t->shields--;
    t->refused = t->cancelled && t->shields == 0 ? REFUSED_CANCELLED : 0;
    t->deadline = scope->deadline;
}
