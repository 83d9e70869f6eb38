/* group.h - what thread.c tells the owner of a thread. See green/group.h. */
#pragma once
#include <green/group.h>

/* A child's function has returned: unlink it, note a failure, wake the joiner. */
void group_child_done(struct green_thread *child);
