/* hub.c - see hub.h: making and ending a hub, switching, the round of the loop. */
#include "deadlock.h"
#include "error.h"
#include "hub_event.h"
#include "hub_switch.h"
#include "memory.h"
#include "standstill.h"
#include "sys.h"
#include <errno.h>
#include <time.h>

enum {
    TURNS_MOST = 64, /* a poll costs some 240 ns: 4 ns a switch at this rate */
};
static const int64_t never = INT64_MAX;

static int64_t clock_read(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * GREEN_SEC + t.tv_nsec;
}

int64_t hub_clock(void)
{
    return clock_read(CLOCK_MONOTONIC);
}

/* ---- switching ---- */

void hub_yield(struct green_hub *hub)
{
    if (UNLIKELY(hub->current == &hub->loop))
        return;
    hub_ready(hub, hub->current);
    hub_switch(hub, false);
}

void hub_slice_end(struct green_hub *hub)
{
    struct green_thread *t = hub->current;
    hub->turns = 0; /* a slice may have taken long: poll */
    hub_yield(hub);
    if (t->deadline <= hub->now)
        t->refused |= REFUSED_LATE;
}

/* ---- the loop ---- */

/* Make ready whose time has come. A timer may be older than its thread's present wait. */
static void expire(struct green_hub *hub)
{
    while (heap_first(&hub->timers) <= hub->now) {
        struct green_thread *t = hub->timers.entries[1].thread;
        heap_disarm(&hub->timers, t);
        if (t->state != THREAD_PARKED)
            continue;
        if (t->until <= hub->now)
            wake_early(t, -ETIMEDOUT);
        else if (t->until != never)
            heap_arm(&hub->timers, t, t->until);
    }
}

/* After each poll: what time is it? The coarse clock is five times cheaper and says enough while
 * no timer is near. It also shows when a round without waiting took long: then poll more often. */
static void tick(struct green_hub *hub, bool waited)
{
    static const int64_t coarse_lag = 20 * GREEN_MS; /* two ticks at the lowest HZ */
    int64_t coarse = clock_read(CLOCK_MONOTONIC_COARSE);
    if (!waited && coarse > hub->now) {
        if (hub->turns_each > 1)
            hub->turns_each /= 2;
    } else if (hub->turns_each < TURNS_MOST) {
        hub->turns_each *= 2;
    }
    if (coarse > hub->now)
        hub->now = coarse;
    if (heap_first(&hub->timers) - coarse_lag <= coarse) {
        hub->now = hub_clock();
        expire(hub);
    }
}

/* Somebody has closed the descriptors that the loop lives on: nothing would end a wait any more. So
 * all fail that can be disturbed. */
static __attribute__((cold)) void fail_all(struct green_hub *hub)
{
    standstill_end(hub);
    for (struct list *l = hub->threads.next; l != &hub->threads; l = l->next) {
        struct green_thread *t = CONTAINER(l, struct green_thread, all);
        if (t->state != THREAD_PARKED || t->shields > 0 || t->fresh)
            continue;
        error_note(t, EBADF, "the event loop cannot wait: somebody has closed its descriptors");
        wake_early(t, -EBADF);
    }
}

/* Nothing is ready: is the hub to sleep, with its alarm set for the nearest timer, or for when to
 * look at ties again? Not if that is so near that it is not worth it. */
static bool may_sleep(struct green_hub *hub, int64_t again)
{
    int64_t first = heap_first(&hub->timers) < again ? heap_first(&hub->timers) : again;
    if (UNLIKELY(hub->watches == 0 && first == never)) {
        first = standstill_look(hub);
        if (hub->ready != NULL)
            return false;
    }
    if (first >= hub->alarm_at)
        return true;
    if (first <= hub_clock() + 2 * GREEN_US)
        return false;
    if (UNLIKELY(!hub_alarm(hub, first))) {
        hub->alarm_at = never; /* an older one is lost, too */
        fail_all(hub);
        return false;
    }
    return true;
}

static __attribute__((hot)) void loop_entry(void)
{
    struct green_hub *hub = self_hub();
    san_arrive(&hub->loop.fiber);
    for (;;) {
        int64_t again = ties_look(hub);
        bool wait = hub->ready == NULL && may_sleep(hub, again);
        hub->polls++;
        if (UNLIKELY(!hub_poll(hub, wait)))
            fail_all(hub);
        standstill_end(hub);
        tick(hub, wait);
        hub->turns = hub->turns_each;
        if (hub->ready != NULL)
            hub_switch(hub, false);
    }
}

/* ---- life ---- */

static int loop_start(struct green_hub *hub)
{
    struct green_thread *loop = &hub->loop;
    struct stack_pool *pool = &hub->pools[0];
    while (pool->size < 256 * 1024) /* callbacks of the program run here, too */
        pool++;
    loop->stack = stack_get(pool);
    if (loop->stack == NULL)
        return -ENOMEM;
    loop->hub = hub;
    loop->state = THREAD_RUNNING;
    loop->timer_at = loop->deadline = never;
    thread_set_name(loop, "hub");
    size_t size = (size_t)(loop->stack->top - loop->stack->base);
    san_stack(&loop->fiber, loop->stack->base, size);
    return context_start(&loop->context, loop->stack->base, loop->stack->top, loop_entry);
}

static int hub_open(struct green_hub *hub)
{
    for (int i = 0; i < STACK_CLASSES; i++)
        stack_pool_init(&hub->pools[i], (size_t)(16 * 1024) << i);
    list_init(&hub->threads);
    list_init(&hub->hubs);
    list_init(&hub->ties);
    list_init(&hub->shown);
    hub->turns_each = hub->turns = TURNS_MOST;
    hub->alarm_at = never;
    hub->alarm_fd = hub->bell_fd = -1;
    hub->now = hub_clock();
    hub->errno_at = &errno;
    if (!heap_reserve(&hub->timers, 1))
        return -ENOMEM;
    int err = loop_start(hub);
    if (err == 0)
        err = hub_events_open(hub);
    return err;
}

static void hub_free(struct green_hub *hub)
{
    if (hub->fds_close != NULL)
        hub->fds_close(hub);
    hub_events_close(hub);
    heap_free(&hub->timers);
    idents_free(&hub->idents);
    for (int i = 0; i < STACK_CLASSES; i++)
        stack_pool_destroy(&hub->pools[i]);
    error_free(&hub->main);
    error_free(&hub->loop);
    if (hub->loop.stack != NULL)
        san_end(&hub->loop.fiber);
    san_withdraw(hub->announced);
    memory_put(hub);
}

struct green_hub *hub_create(struct event_base *base)
{
    const void *bottom;
    size_t size;
    struct green_hub *hub = memory_get(sizeof *hub);
    if (hub == NULL) {
        errno = ENOMEM;
        return NULL;
    }
    hub->base = base;
    hub->base_given = base != NULL;
    int err = hub_open(hub);
    if (err == 0)
        err = self_hub_set(hub);
    if (err < 0) {
        hub_free(hub);
        errno = -err;
        return NULL;
    }
    thread_adopt(hub, &hub->main, "main");
    self_stack(&bottom, &size);
    san_own(&hub->main.fiber, bottom, size);
    hub->announced = san_announce_own(bottom, size);
    hub->main.state = THREAD_RUNNING;
    hub->current = &hub->main;
    hubs_add(hub);
    return hub;
}

/* All but main (or who takes its place since a fork); those that clean up may take their time. */
static void end_threads(struct green_hub *hub)
{
    struct green_shield_scope scope;
    uint32_t own = hub->current == &hub->main ? 1 : 2;
    green_shield_enter(&scope);
    while (hub->live > own) {
        for (struct list *l = hub->threads.next; l != &hub->threads; l = l->next) {
            struct green_thread *t = CONTAINER(l, struct green_thread, all);
            if (t == &hub->main || t == hub->current)
                continue;
            t->detached = t->detached || !t->joined;
            thread_cancel(t);
        }
        thread_reap(hub);
        if (hub->live > own)
            park(hub, &hub->drained, WAIT_BACK, never, "the hub's threads to end", 0);
    }
    green_shield_leave(&scope);
}

/* Messages run as callbacks of the loop: they must not block. */
static void take_mail(struct green_hub *hub)
{
    struct green_thread *caller = hub->current;
    hub->current = &hub->loop;
    hub_receive(hub);
    hub->current = caller;
}

void hub_end(struct green_hub *hub)
{
    take_mail(hub); /* who has called green_join by now is told of the end */
    hub->ending = true;
    end_threads(hub);
    thread_clean(hub->current);
}

void hub_destroy(struct green_hub *hub)
{
    hub_end(hub);
    thread_tell_end(hub->current); /* main: other hubs may wait for it */
    hubs_remove(hub);
    while (hub->posters > 0)
        SYS0(SYS_sched_yield);
    take_mail(hub);
    self_hub_set(NULL);
    hub_free(hub);
}
