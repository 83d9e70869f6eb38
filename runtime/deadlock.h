/* deadlock.h - waits that can never end: a cycle of joins and mutexes, or nothing left that could
 * wake anybody. The call that would wait for ever fails with EDEADLK, and green_errmsg() tells who
 * waits for what.
 *
 * Only what is certain is reported. Waits with a deadline, mutexes while there are several hubs,
 * and processes with further OS threads (which may yet come and wake somebody) are given the
 * benefit of the doubt. */
#pragma once
#include <stdbool.h>

struct green_hub;
struct green_thread;

/* What a thread in such a wait says it waits for (thread->why, compared by address); thread->object
 * is the thread, or the mutex. */
extern const char why_join[], why_mutex[];

/* Would the running thread, waiting for `holder` (to end, or to unlock), wait for itself? Notes the
 * cycle for green_errmsg(). */
bool deadlock_cycle(struct green_hub *hub, struct green_thread *holder, const char *why);

/* The hub is about to sleep without a timer or a descriptor to watch: if nothing can ever wake it,
 * end the wait of its main thread. True: it is ready now. */
bool deadlock_break(struct green_hub *hub);
