/* standstill.h - nothing is left that could wake anybody: then the wait of main fails with EDEADLK,
 * and green_errmsg() tells who waits for what.
 *
 * A hub that goes to sleep rests if nothing of its own can wake it: no timer, no descriptor, no
 * event of the program's. The process stands still if all hubs rest, none has mail, no lane has a
 * job, and there are no OS threads but the hubs' and the lanes'. The last hub that goes to sleep
 * sees it; the oldest that green_hubs has not made tells its main thread.
 *
 * Only what is certain counts. Hubs are asked twice, with all else in between: who rests in both,
 * and was not awake meanwhile, rested all the time, and who rests sends no mail and starts no job.
 * OS threads of lanes count themselves while they are there, so never too many; those of the
 * program's count as able to wake anybody as long as they live. Since they say nothing when they
 * end, a hub that is in doubt for them looks again after 10 ms, and then after twice the time. */
#pragma once
#include "hub.h"

/* Nothing is ready, and the hub is about to sleep without a timer or a descriptor to watch. Returns
 * when to look again (INT64_MAX: no need); main may be ready then. */
int64_t standstill_look(struct green_hub *hub);

/* The hub is awake; before it takes its mail. */
static inline void standstill_end(struct green_hub *hub)
{
    uint64_t rests = atomic_load_explicit(&hub->rests, memory_order_relaxed);
    if (UNLIKELY(rests % 2 != 0))
        atomic_store(&hub->rests, rests + 1);
}

/* What has kept the process from standing still is gone: let somebody look again. From any OS
 * thread, outside the lock of the list of hubs. */
void standstill_again(void);

/* offload.c's: its OS threads come and go; jobs begin, and are over when nothing follows any more.
 */
void standstill_helper(int by);
void standstill_job_begins(void);
void standstill_job_over(void);
/* In the child of a fork there are none. */
void standstill_forked(void);
