/* hub_switch.h - giving the CPU to the next thread. Inline, so that the compiler saves only what is
 * live at the few places that switch: wait.c, hub.c, thread.c. */
#pragma once
#include "self.h"

static inline void prefetch_thread(const struct green_thread *thread)
{
#ifndef GREEN_SWITCH_PORTABLE
    const char *sp = thread->context.sp;
    __builtin_prefetch(sp);
    __builtin_prefetch(sp + 64);
    __builtin_prefetch(sp + 128);
#endif
    if (thread->next != NULL)
        __builtin_prefetch(thread->next);
}

/* Run the next ready thread, or the loop. The caller has already put itself where it will be
 * found again. Returns when it is its turn again; with `last` never. */
static inline __attribute__((always_inline)) void hub_switch(struct green_hub *hub, bool last)
{
    struct green_thread *from = hub->current;
    struct green_thread *to = hub->ready;
    if (UNLIKELY(to == NULL || hub->turns-- == 0)) {
        to = &hub->loop;
    } else {
        hub->ready = to->next;
        if (hub->ready != NULL)
            prefetch_thread(hub->ready);
        to->state = THREAD_RUNNING;
    }
    hub->ops = 0;
    if (UNLIKELY(to == from))
        return;
    hub->current = to;
    hub->switches++;
    int kept = self_leave(hub, to);
    san_leave(&from->fiber, &to->fiber, last);
    context_switch(&from->context, &to->context);
    san_arrive(&from->fiber);
    self_arrive(hub, kept);
}
