/* wait_some.c - waiting for the ends of many threads: see green/link.h. A link a thread reports to
 * the one who waits; hubs share that, since the threads may be of any. */
#include "error.h"
#include "memory.h"
#include "shared.h"
#include <errno.h>
#include <green/link.h>

struct gathering {
    green_guard guard;
    green_waiters waiters;
    int *order;
    int ended;
    int wanted;
};

struct report {
    green_link link;
    int index;
};

static void has_ended(green_link *link)
{
    struct gathering *g = link->arg;
    struct green_hub *hub = self_hub();
    guard_enter(hub, &g->guard);
    if (g->order != NULL)
        g->order[g->ended] = CONTAINER(link, struct report, link)->index;
    if (++g->ended >= g->wanted)
        shared_wake_all(hub, &g->waiters, 0);
    guard_leave(hub, &g->guard);
}

static int gather(struct green_hub *hub, struct gathering *g)
{
    guard_enter(hub, &g->guard);
    if (g->ended < g->wanted)
        return shared_wait(hub, &g->guard, &g->waiters, 0, "the ends of threads", g);
    guard_leave(hub, &g->guard);
    return 0;
}

/* May it wait for so many? 0, or a negative errno. */
static int check(struct green_hub *hub, green_thread *const *threads, int n, int wanted)
{
    int some = 0;
    if (hub->current == &hub->loop)
        return -EDEADLK;
    for (int i = 0; i < n; i++) {
        if (threads[i] == hub->current)
            return -EDEADLK;
        some += threads[i] != NULL;
    }
    return wanted < 0 || some < wanted ? -EINVAL : 0;
}

GREEN_API int green_wait_some(green_thread *const *threads, int n, int wanted, int *order)
{
    struct gathering g = {.order = order, .wanted = wanted};
    struct green_hub *hub = hub_here();
    if (hub == NULL)
        return -1;
    for (int i = 0; order != NULL && i < n; i++)
        order[i] = -1;
    int err = check(hub, threads, n, wanted);
    if (err < 0 || n <= 0)
        return (int)returned(err);
    struct report *reports = memory_get((size_t)n * sizeof *reports);
    if (reports == NULL)
        return (int)returned(-ENOMEM);
    for (int i = 0; i < n; i++) {
        reports[i].index = i;
        if (threads[i] != NULL)
            green_link_to(&reports[i].link, threads[i], has_ended, &g);
    }
    err = gather(hub, &g);
    for (int i = 0; i < n; i++)
        green_link_cut(&reports[i].link);
    memory_put(reports);
    return (int)returned(err < 0 ? err : g.ended);
}

GREEN_API int green_wait_any(green_thread *const *threads, int n)
{
    int first = -1, *order = memory_get((size_t)(n > 0 ? n : 1) * sizeof *order);
    if (order == NULL)
        return (int)returned(-ENOMEM);
    if (green_wait_some(threads, n, 1, order) > 0)
        first = order[0];
    memory_put(order);
    return first;
}

GREEN_API int green_wait_all(green_thread *const *threads, int n)
{
    int some = 0;
    for (int i = 0; i < n; i++)
        some += threads[i] != NULL;
    return green_wait_some(threads, n, some, NULL) < 0 ? -1 : 0;
}
