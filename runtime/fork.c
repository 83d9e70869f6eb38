/* fork.c - fork(2) in a process with hubs: see green/hub.h.
 *
 * In the child nothing is torn down: the parent's loops are left as they are, never polled and
 * never told of anything, since their epoll instances are shared with the parent. The hubs are just
 * marked as gone, and the OS thread that is left has none. Its first call that needs one makes it,
 * and the thread that forked moves in (self_hub_new). All other green threads still belong to hubs
 * that are gone: in the lines of shared objects they are passed over (shared.c), and whoever wakes
 * one elsewhere puts it into a ready queue that nobody runs. */
#include "fork.h"
#include "links.h"
#include "self.h"
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

/* What other OS threads are changing, they finish before the fork. */
static void begin(void)
{
    locals_fork_begin();
    coroutines_fork_begin();
    offload_fork_begin();
    workers_fork_begin();
    deadlock_fork_begin();
    hubs_fork_begin();
}

static void end(void)
{
    hubs_fork_end();
    deadlock_fork_end();
    workers_fork_end();
    offload_fork_end();
    coroutines_fork_end();
    locals_fork_end();
}

static void forked(void)
{
    coroutines_fork_end();
    locals_fork_end();
    offload_forked();
    workers_forked();
    deadlock_forked();
    hubs_forked();
    self_forked();
}

static __attribute__((constructor)) void watch_forks(void)
{
    pthread_atfork(begin, end, forked);
}

/* The OS thread's main green thread is gone if another one forked; then the process ends with that
 * one, as one of POSIX threads ends with its last. */
static int end_with(void *arg)
{
    int result = 0;
    green_shield()
        green_join(arg, &result);
    exit(result < 0);
}

bool fork_inherit(struct green_hub *hub, struct green_hub *gone)
{
    static const green_spawn_options options = {.name = "after fork", .background = true};
    struct green_thread *t = gone->current;
    if (t == &gone->loop) { /* a callback of the loop still may not block */
        hub->current = &hub->loop;
        return true;
    }
    if (!heap_reserve(&hub->timers, 3))
        return false;
    if (t->stack != NULL && thread_spawn(hub, &hub->main, &options, end_with, t) == NULL)
        return false;
    if (t->stack == NULL)
        hub->heir = t;
    hub->main.state = THREAD_DONE; /* a place is kept for it, but its stack is another's */
    hub->main.joined = true;
    t->hub = hub;
    links_move(t);
    t->ident = ident_take(&hub->idents);
    list_append(&hub->threads, &t->all);
    hub->live++;
    hub_count_active(hub, t->background ? 0 : 1);
    t->timer_pos = 0;
    t->timer_at = INT64_MAX;
    t->ends = (struct wait_queue){0}; /* who waited for its end is gone */
    t->watchers = (green_waiters){0};
    t->far = NULL;
    t->group = NULL;
    t->joined = t->detached = false;
    hub->current = t;
    return true;
}
