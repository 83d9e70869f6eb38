/* green/group.h - groups own their threads: no child outlives the join.
 *
 *     green_group g = GREEN_GROUP_INIT;
 *     for (int i = 0; i < n; i++)
 *         green_group_spawn(&g, fetch, &jobs[i]);
 *     if (green_group_join(&g) < 0)
 *         fprintf(stderr, "%s\n", green_errmsg());
 *
 * A child returns >= 0 for success. The first one that returns a negative value fails the group:
 * its siblings are cancelled, and its value, its errno and its sentence (green_errmsg) are the
 * group's. So a child may point into its parent's stack: after green_group_join nothing of it is
 * left. A group belongs to the hub on which it is used, and its children inherit the deadline of
 * the thread that spawns them. */
#pragma once
#include <green/thread.h>

GREEN_BEGIN_DECLS

/* On the owner's stack or inside its struct; the fields are private. Zeroed memory is a group. */
typedef struct green_group {
    green_thread *children;              /* those not yet finished */
    void *joiner;                        /* the waiter inside green_group_join */
    int live;                            /* how many children */
    int result;                          /* what the first failing child returned, else 0 */
    int error;                           /* and its errno */
    void *why;                           /* and the sentence about it, for the join */
    bool cancelled;                      /* children spawned from now on do not run */
    void (*ended)(struct green_group *); /* called when a child is over (pool.c) */
} green_group;
#define GREEN_GROUP_INIT                       \
    {                                          \
        NULL, NULL, 0, 0, 0, NULL, false, NULL \
    }

/* Start fn(arg) as a child. 0; or -1 and ENOMEM (nothing was started; the group goes on),
 * ECANCELED (the group has failed or was cancelled), EINVAL (its children are on another hub; so
 * says green_group_join, too), ESRCH (the hub is ending). Does not yield. */
GREEN_API int green_group_spawn(green_group *group, int (*fn)(void *), void *arg);

/* Wait until no child is left. 0 if all succeeded. -1 and the errno of the first child that
 * failed (group.result has what it returned), or ECANCELED after green_group_cancel. If the caller
 * itself is cancelled or its deadline expires meanwhile, or the wait can never end (green/hub.h),
 * the children are cancelled, waited for, and that is the error (ECANCELED, ETIMEDOUT or EDEADLK;
 * but in a callback of the loop EDEADLK means that nothing was done). Afterwards the group is empty
 * and can be used again. May yield. */
GREEN_API int green_group_join(green_group *group);

/* Cancel all children, present and future, until the next join. Does not wait. */
GREEN_API void green_group_cancel(green_group *group);

/* Cancel the children that are left and wait for them, whatever they return; it goes without a word
 * (errno and green_errmsg stay), and neither a deadline nor a cancellation cuts it short.
 * Afterwards the group is empty and can be used again. May yield; not in a callback of a loop. */
GREEN_API void green_group_end(green_group *group);

/* GREEN_GROUP(g); declares a group that ends with its block, however that is left: whoever returns
 * before the join leaves no child behind. */
#define GREEN_GROUP(name) \
    __attribute__((cleanup(green_group_end))) green_group name = GREEN_GROUP_INIT

GREEN_END_DECLS
