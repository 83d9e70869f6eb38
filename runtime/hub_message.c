/* hub_message.c - work sent from hub to hub: see hub.h.
 *
 * The inbox is a lock-free stack that the owner takes whole and turns over. The bell is an eventfd
 * that the loop watches; it is rung once until it is heard, so that a busy sender pays for one
 * system call a batch and the owner pays nothing while there is no mail. */
#include "self.h"
#include "standstill.h"
#include "sys.h"
#include <errno.h>

void hub_ring(struct green_hub *hub)
{
    uint64_t one = 1;
    if (!atomic_exchange(&hub->rung, true))
        SYS3(SYS_write, hub->bell_fd, &one, sizeof one);
}

/* Once the message is in the inbox, who waited for it may end the hub: posters keep it alive. */
void hub_post(struct green_hub *hub, struct message *message)
{
    atomic_fetch_add(&hub->posters, 1);
    struct message *top = atomic_load_explicit(&hub->inbox, memory_order_relaxed);
    do
        message->next = top;
    while (!atomic_compare_exchange_weak_explicit(&hub->inbox, &top, message, memory_order_release,
                                                  memory_order_relaxed));
    hub_ring(hub);
    atomic_fetch_sub(&hub->posters, 1);
}

void hub_receive(struct green_hub *hub)
{
    standstill_end(hub);
    atomic_store(&hub->rung, false); /* before taking: what comes later rings again */
    struct message *newest = atomic_exchange(&hub->inbox, NULL);
    struct message *oldest = NULL;
    while (newest != NULL) {
        struct message *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    while (oldest != NULL) {
        struct message *next = oldest->next;
        oldest->run(oldest);
        oldest = next;
    }
}

/* A call under way: the same message travels there and back. */
struct call {
    struct message message;
    struct green_hub *from;
    struct waiter *caller;
    struct wait_queue queue;
    void (*fn)(void *arg);
    void *arg;
};

static void call_back(struct message *message)
{
    struct call *call = CONTAINER(message, struct call, message);
    wake_first(&call->queue, 0);
}

static void call_run(struct message *message)
{
    struct call *call = CONTAINER(message, struct call, message);
    call->fn(call->arg);
    message->run = call_back;
    hub_post(call->from, message);
}

int hub_call(struct green_hub *hub, void (*fn)(void *arg), void *arg)
{
    struct green_hub *here = hub_here();
    if (here == hub) {
        fn(arg);
        return 0;
    }
    if (here->current == &here->loop)
        return park_in_callback(here);
    struct call call = {.message = {.run = call_run}, .from = here, .fn = fn, .arg = arg};
    struct green_shield_scope scope;
    if (!hubs_post(hub, &call.message))
        return -ESRCH;
    green_shield_enter(&scope);
    park(here, &call.queue, WAIT_BACK, INT64_MAX, "another hub", 0);
    green_shield_leave(&scope);
    return 0;
}
