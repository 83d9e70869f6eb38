/* group.h - what thread.c tells the owner of a thread. See green/group.h. */
#pragma once
#include "error.h"
#include "hub.h"
#include <errno.h>
#include <green/group.h>

/* 0; or -1 and EINVAL: it is at work on another hub, and not to be touched by this one. */
static inline int group_here(const green_group *g, const struct green_hub *hub)
{
    if (LIKELY(g->children == NULL || g->children->hub == hub))
        return 0;
    return fail(EINVAL, "the threads of the group are on another hub");
}

/* A child's function has returned: unlink it, note a failure, wake the joiner. */
void group_child_done(struct green_thread *child);
