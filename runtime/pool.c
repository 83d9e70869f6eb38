/* pool.c - pools: see green/pool.h. Room is a line of waiters; a thread that ends lets the first
 * in, and its room is kept until it runs: nobody overtakes. */
#include "error.h"
#include "group.h"
#include "hub_switch.h"
#include <errno.h>
#include <green/pool.h>

_Static_assert(sizeof(struct wait_queue) == 2 * sizeof(void *), "first and last are a queue");

static struct wait_queue *line_of(green_pool *p)
{
    return (struct wait_queue *)(void *)&p->first;
}

static bool full(const green_pool *p)
{
    return p->limit > 0 && p->group.live + p->promised >= p->limit;
}

static bool has_to_wait(const green_pool *p)
{
    return !p->group.cancelled && (full(p) || p->first != NULL);
}

/* All of them, when the pool has failed or was cancelled: they learn it at their start. */
static void let_in(green_pool *p)
{
    while ((p->group.cancelled || !full(p)) && wake_first(line_of(p), 0))
        p->promised++;
}

/* A thread of the pool is over, whether or not it ever ran. */
static void ended(green_group *group)
{
    let_in(CONTAINER(group, green_pool, group));
}

static int start(green_pool *p, int (*fn)(void *), void *arg)
{
    p->group.ended = ended;
    int err = green_group_spawn(&p->group, fn, arg);
    if (err < 0)
        let_in(p); /* the next in line has to hear of it, too */
    return err;
}

GREEN_API int green_pool_spawn(green_pool *p, int (*fn)(void *), void *arg)
{
    struct green_hub *hub = hub_here();
    if (hub == NULL || group_here(&p->group, hub) < 0)
        return -1;
    if (has_to_wait(p)) {
        bool inside = hub->current->group == &p->group;
        if (inside && p->promised == 0 && p->nested + 1 >= p->group.live)
            return fail(EDEADLK, "all %d threads of the pool wait for room in it", p->group.live);
        p->nested += inside;
        int err = park(hub, line_of(p), WAIT_BACK, INT64_MAX, "room in a pool", (long)p);
        p->nested -= inside;
        if (err < 0)
            return (int)returned(err);
        p->promised--;
    }
    return start(p, fn, arg);
}

GREEN_API int green_pool_try_spawn(green_pool *p, int (*fn)(void *), void *arg)
{
    struct green_hub *hub = hub_here();
    if (hub == NULL || group_here(&p->group, hub) < 0)
        return -1;
    if (has_to_wait(p)) {
        hub_spend(hub);
        return (int)returned(-EBUSY);
    }
    return start(p, fn, arg);
}

GREEN_API void green_pool_resize(green_pool *p, int limit)
{
    p->limit = limit;
    let_in(p);
}

GREEN_API int green_pool_join(green_pool *p)
{
    struct green_hub *hub = hub_here();
    if (hub == NULL || group_here(&p->group, hub) < 0)
        return -1;
    int joined = 0;
    do {
        green_shield()
            while (p->promised > 0 && green_yield() == 0) /* those let in start theirs first */
                continue;
        if (green_group_join(&p->group) < 0)
            joined = -1;
    } while (p->promised > 0 && hub->current != &hub->loop); /* let in as the join was given up */
    return joined;
}

GREEN_API void green_pool_cancel(green_pool *p)
{
    green_group_cancel(&p->group);
    let_in(p);
}

/* ---- map ---- */

static int map_here(int (*fn)(void *), char *items, size_t count, size_t size)
{
    for (size_t i = 0; i < count; i++)
        if (fn(items + i * size) < 0)
            return -1;
    return 0;
}

GREEN_API int green_pool_map(green_pool *p, int (*fn)(void *item), void *items, size_t count,
                             size_t size)
{
    struct green_hub *hub = hub_here();
    if (hub == NULL)
        return -1;
    if (fn == NULL)
        return fail(EINVAL, "green_pool_map: no function");
    if (hub->current->group == &p->group)
        return map_here(fn, items, count, size);
    /* A pool of its own within the limit: failures and the join concern this call alone. */
    green_pool own = GREEN_POOL_INIT(p->limit);
    int err = 0;
    for (size_t i = 0; i < count && err == 0; i++)
        err = green_pool_spawn(&own, fn, (char *)items + i * size);
    int why = errno;
    bool failed_here = err < 0 && !own.group.cancelled;
    struct error_text *what = failed_here ? error_take(hub->current, why) : NULL;
    if (failed_here)
        green_pool_cancel(&own);
    err = green_pool_join(&own);
    if (!failed_here)
        return err;
    error_give(hub->current, what);
    return (int)returned(-why);
}
