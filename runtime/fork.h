/* fork.h - what each part of the runtime does in the child of a fork: see fork.c. The preloaded
 * library has its own way (monkey/process.c) and calls none of these. */
#pragma once
#include <stdbool.h>

struct green_hub;

/* hubs.c: the list of hubs stands still during the fork; in the child all of them are gone. */
void hubs_fork_begin(void);
void hubs_fork_end(void);
void hubs_forked(void);

/* hub_worker.c: the list of workers stands still; in the child none is left. */
void workers_fork_begin(void);
void workers_fork_end(void);
void workers_forked(void);

/* deadlock.c: in the child nobody waits for anybody. */
void deadlock_fork_begin(void);
void deadlock_fork_end(void);
void deadlock_forked(void);

/* local.c, coroutine.c: keys and stack pools stand still during the fork, in the child they go on.
 */
void locals_fork_begin(void);
void locals_fork_end(void);
void coroutines_fork_begin(void);
void coroutines_fork_end(void);

/* offload_lane.c: the list of lanes stands still; in the child no OS thread of a lane is left, and
 * no job is queued. */
void offload_fork_begin(void);
void offload_fork_end(void);
void offload_forked(void);

/* self.c: this OS thread has no hub any more; when it wants one, it inherits from the old one. */
void self_forked(void);

/* fork.c: the thread that forked moves from a hub that is gone to a new one, as its running
 * thread. False: no memory. */
bool fork_inherit(struct green_hub *hub, struct green_hub *gone);
