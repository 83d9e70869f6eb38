/* group.c - groups: see green/group.h. Children are detached threads in a list of their group;
 * the group holds nothing else but the sentence of a failure, which the join takes. */
#include "group.h"
#include "deadlock.h"
#include "error.h"
#include "memory.h"
#include "self.h"
#include <errno.h>

static void unlink_child(green_group *g, struct green_thread *child)
{
    *(child->group_prev != NULL ? &child->group_prev->group_next : &g->children) =
        child->group_next;
    if (child->group_next != NULL)
        child->group_next->group_prev = child->group_prev;
    child->group = NULL;
    g->live--;
}

void group_child_done(struct green_thread *child)
{
    green_group *g = child->group;
    unlink_child(g, child);
    if (child->result < 0 && !g->cancelled) {
        g->result = child->result;
        g->error = child->error != 0 ? child->error : ECANCELED;
        g->why = error_take(child, g->error);
        green_group_cancel(g);
    }
    if (g->ended != NULL)
        g->ended(g);
    if (g->live == 0 && g->joiner != NULL) {
        wake_first(g->joiner, 0);
        g->joiner = NULL;
    }
}

GREEN_API int green_group_spawn(green_group *g, int (*fn)(void *), void *arg)
{
    static const green_spawn_options options = {.detached = true};
    struct green_hub *hub = hub_here();
    if (hub == NULL)
        return -1;
    if (group_here(g, hub) < 0)
        return -1;
    if (fn == NULL)
        return fail(EINVAL, "green_group_spawn: no function");
    if (g->cancelled)
        return fail(ECANCELED, "the group has failed or was cancelled");
    g->result = 0; /* of an earlier round */
    struct green_thread *t = thread_spawn(hub, hub->current, &options, fn, arg);
    if (t == NULL)
        return -1;
    t->deadline = hub->current->deadline;
    t->group = g;
    t->group_next = g->children;
    if (g->children != NULL)
        g->children->group_prev = t;
    g->children = t;
    g->live++;
    return 0;
}

GREEN_API void green_group_cancel(green_group *g)
{
    g->cancelled = true;
    for (struct green_thread *t = g->children; t != NULL; t = t->group_next)
        thread_cancel(t);
}

/* What the join says: the failure with its sentence, or that it was given up. */
static void tell(struct green_hub *hub, green_group *g, int err)
{
    if (g->error != 0 && err == -g->error)
        error_give(hub->current, g->why);
    else
        memory_put(g->why);
    g->why = NULL;
}

static int await_a_child(struct green_hub *hub, green_group *g)
{
    struct wait_queue queue = {0};
    g->joiner = &queue;
    int err = park(hub, &queue, WAIT_BACK, INT64_MAX, "end of group", (long)g);
    g->joiner = NULL;
    return err;
}

/* Wait until the last child is gone; 0, or why the caller should give up. Who was let into a pool
 * by the last child's end starts another. */
static int await_children(struct green_hub *hub, green_group *g)
{
    struct tie tie;
    int err = 0;
    while (g->live > 0 && err == 0) {
        tie_on(hub, &tie, "a group with", NULL, NULL, g);
        err = await_a_child(hub, g);
        tie_off(&tie);
    }
    return err;
}

/* The same when they are cancelled, whatever happens: what they point into is to go. Only callbacks
 * of the loop cannot wait. */
static void await_cancelled(struct green_hub *hub, green_group *g)
{
    green_shield()
        while (g->live > 0 && hub->current != &hub->loop)
            await_a_child(hub, g);
}

GREEN_API int green_group_join(green_group *g)
{
    struct green_hub *hub = hub_here();
    if (hub == NULL)
        return -1;
    if (group_here(g, hub) < 0)
        return -1;
    if (hub->current == &hub->loop && g->live > 0)
        return (int)returned(-EDEADLK);
    int err = await_children(hub, g);
    if (err < 0) {
        green_group_cancel(g);
        await_cancelled(hub, g);
    } else if (g->error != 0) {
        err = -g->error;
    } else if (g->cancelled) {
        err = -ECANCELED;
    }
    tell(hub, g, err);
    g->cancelled = false;
    g->error = 0;
    return (int)returned(err);
}

GREEN_API void green_group_end(green_group *g)
{
    struct green_hub *hub = hub_here();
    int err = errno;
    if (hub != NULL && (g->children == NULL || g->children->hub == hub)) {
        green_group_cancel(g);
        await_cancelled(hub, g);
        tell(hub, g, 0);
        g->cancelled = false;
        g->error = 0;
    }
    errno = err;
}
