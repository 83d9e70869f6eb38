/* thread.c - green threads: see thread.h and green/thread.h. */
#include "thread.h"
#include "defer.h"
#include "error.h"
#include "group.h"
#include "hub_switch.h"
#include "links.h"
#include "local.h"
#include "shared.h"
#include "state.h"
#include "sys.h"
#include <errno.h>
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
    hub_count_active(hub, t->background ? 0 : 1);
    t->ident = ident_take(&hub->idents);
    thread_set_name(t, name);
}

void thread_clean(struct green_thread *t)
{
    while (t->handlers != NULL || t->locals != NULL) {
        defer_run(t);
        locals_end(t);
    }
}

static __attribute__((noinline)) void thread_entry(void)
{
    struct green_thread *t = self_hub()->current;
    san_arrive(&t->fiber);
    t->fresh = false;
    if (t->cancelled) { /* before its first turn */
        t->result = -1;
        t->error = ECANCELED;
    } else {
        errno = 0;
        t->result = t->fn(t->arg);
        t->error = errno;
    }
    if (UNLIKELY(self_hub() != t->hub) && hub_here() == NULL) /* we are the child of a fork */
        SYS1(SYS_exit_group, 1);
    if (UNLIKELY(t->handlers != NULL || t->locals != NULL))
        thread_clean(t);
    thread_end(t);
}

static struct stack_pool *pool_for(struct green_hub *hub, size_t size)
{
    if (LIKELY(size == 0 && hub->pool != NULL))
        return hub->pool;
    size_t wanted = size != 0 ? size : stack_standard();
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

/* Never runs: what was made for it goes. */
static void thread_unmake(struct green_thread *t)
{
    locals_end(t);
    san_end(&t->fiber);
    stack_put(t->pool, t->stack);
}

/* It waits before its first turn: time or a cancellation wakes it. */
static void start_later(struct green_hub *hub, struct green_thread *t, int64_t delay)
{
    int64_t now = hub_clock();
    t->until = delay > INT64_MAX - now ? INT64_MAX : now + delay;
    t->state = THREAD_PARKED;
    t->waiter.since = wait_ticks(hub->now);
    t->why = "its start";
    heap_arm(&hub->timers, t, t->until);
}

struct green_thread *thread_spawn(struct green_hub *hub, const struct green_thread *parent,
                                  const green_spawn_options *options, int (*fn)(void *), void *arg)
{
    if (UNLIKELY(hub->ending)) {
        fail(ESRCH, "no green thread starts on a hub that is ending");
        return NULL;
    }
    struct green_thread *t = thread_make(hub, options->stack_size);
    if (UNLIKELY(parent->locals != NULL) && t != NULL && !locals_inherit(t, parent)) {
        thread_unmake(t);
        t = NULL;
    }
    if (t == NULL) {
        fail(ENOMEM, "no memory or address space for another green thread (%u alive)", hub->live);
        return NULL;
    }
    t->fn = fn;
    t->arg = arg;
    t->detached = options->detached;
    t->background = options->background;
    thread_adopt(hub, t, options->name);
    t->fresh = true;
    t->parent = parent->ident;
    t->parent_hub = parent->hub->number;
    if (UNLIKELY(options->delay > 0))
        start_later(hub, t, options->delay);
    else
        hub_ready(hub, t);
    hub->spawned++;
    if (UNLIKELY(hub->hooks != NULL))
        hooks_run(hub, t);
    return t;
}

/* ---- ending ---- */

void thread_free(struct green_thread *t)
{
    list_remove(&t->all);
    t->hub->live--;
    ident_give(&t->hub->idents, t->ident);
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

static void tell_watchers(struct green_hub *hub, struct green_thread *t)
{
    guard_enter(hub, hub->ends);
    t->over = true;
    shared_wake_all(hub, &t->watchers, 0);
    guard_leave(hub, hub->ends);
}

void thread_tell_end(struct green_thread *t)
{
    struct green_hub *hub = t->hub;
    if (UNLIKELY(t->links != NULL))
        links_run(t);
    heap_disarm(&hub->timers, t);
    t->state = THREAD_DONE;
    hub_count_active(hub, t->background ? 0 : (uint32_t)-1);
    if (t->group != NULL)
        group_child_done(t);
    wake_all(&t->ends, 0);
    tell_watchers(hub, t);
    if (UNLIKELY(t->far != NULL))
        far_join_end(t);
}

_Noreturn void thread_end(struct green_thread *t)
{
    struct green_hub *hub = t->hub;
    thread_tell_end(t);
    if (t->detached)
        thread_free(t);
    if (UNLIKELY(hub->drained.head != NULL))
        wake_all(&hub->drained, 0);
    hub_switch(hub, true);
    __builtin_unreachable();
}

/* ---- spawning ---- */

struct far_spawn {
    const struct green_thread *parent;
    const green_spawn_options *options;
    int (*fn)(void *);
    void *arg;
    struct green_thread *thread;
    int error;
};

static void spawn_here(void *arg)
{
    struct far_spawn *s = arg;
    s->thread = thread_spawn(self_hub(), s->parent, s->options, s->fn, s->arg);
    s->error = s->thread == NULL ? errno : 0;
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
        return thread_spawn(hub, hub->current, options, fn, arg);
    struct far_spawn s = {hub->current, options, fn, arg, NULL, 0};
    int err = hub_call(options->hub, spawn_here, &s);
    if (err == 0 && s.error == ESRCH)
        err = -ESRCH;
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

static int sleep_until(struct green_hub *hub, int64_t until)
{
    bool own = until < hub->current->deadline;
    int err = park(hub, NULL, WAIT_BACK, until, "sleep", 0);
    return (int)returned(own && err == -ETIMEDOUT ? 0 : err);
}

GREEN_API int green_sleep(int64_t nanoseconds)
{
    struct green_hub *hub = hub_here();
    if (hub == NULL)
        return -1;
    if (nanoseconds <= 0)
        return green_yield();
    int64_t now = hub_clock();
    return sleep_until(hub, nanoseconds > INT64_MAX - now ? INT64_MAX : now + nanoseconds);
}

GREEN_API int green_sleep_until(int64_t at)
{
    struct green_hub *hub = hub_here();
    if (hub == NULL)
        return -1;
    return at <= hub_clock() ? green_yield() : sleep_until(hub, at);
}

GREEN_API green_thread *green_self(void)
{
    struct green_hub *hub = hub_here();
    return hub != NULL ? hub->current : NULL;
}

int thread_none(void)
{
    return fail(EINVAL, "NULL instead of a green thread: it was not started");
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
