/* green/select.h - wait for the first of several things to happen, or for some of many.
 *
 *     int got;
 *     switch (green_select(GREEN_RECV_OK(in, &v, &got), GREEN_READABLE(fd),
 *                          GREEN_AFTER(30 * GREEN_SEC))) {
 *     case 0:  if (got == 0) ...                 -- in is closed
 *     case 1:  n = green_read(fd, buf, sizeof buf); break;
 *     case 2:  puts("idle"); break;
 *     default: return -1;                        -- cancelled, an outer deadline, an error
 *     }
 *
 * Exactly one case happens: its value was sent or received, its permit taken, nothing of the others
 * was. When several could, each has the same chance. A thread that waits stands in the line of each
 * object and is served in its turn, among those in plain calls. Objects may be of any hub, and both
 * ends may select; descriptors are those of green/fd.h. Nothing is allocated, except what a
 * descriptor's first wait takes. The time it takes grows with the number of cases. */
#pragma once
#include <green/channel.h>
#include <green/event.h>
#include <green/queue.h>
#include <green/result.h>
#include <green/semaphore.h>

GREEN_BEGIN_DECLS

/* One case; made by the macros below, the fields are private. */
typedef struct green_case {
    const void *kind;
    void *object;            /* channel, queue, ... */
    void *item;              /* what is handed over, or where it goes to */
    int *got;                /* what the plain call would have returned; may be NULL */
    int64_t number;          /* descriptor or duration */
    green_guard *guard;      /* of an object that hubs share; else NULL */
    green_waiters *line;     /* inside it: where to wait */
    struct green_case *next; /* by the address of the guard */
    int ticket;              /* > 0: it has happened, the greater the earlier */
    bool ready;
    void *room[10]; /* its place in the line of the object */
} green_case;

/* green_select(case, ...): wait until one of the cases happens and return its number, counted from
 * 0. -1: ECANCELED, ETIMEDOUT (a deadline around the call), EPIPE (a case sends on a closed
 * channel), ESHUTDOWN (puts into a queue that is shut down), EBADF (a descriptor was closed),
 * ENOMEM, EINVAL (no cases); then nothing has happened. May yield. For a number of cases that
 * varies use the function; the array can be used again. */
GREEN_API int green_select_cases(green_case *cases, int count);
#ifndef __cplusplus /* there it is a template, see below */
#define green_select(...)                           \
    green_select_cases((green_case[]){__VA_ARGS__}, \
                       (int)(sizeof((green_case[]){__VA_ARGS__}) / sizeof(green_case)))
#endif

/* Wait until `wanted` of the cases have happened, and return how many have: wanted. No more than
 * that happen. order (may be NULL): `count` numbers, those of the cases that happened, in order
 * (first what could happen at once, in the order of the cases), behind them -1. On failure, too,
 * order is filled: that much has happened, and has been sent, received or taken. Errors as of
 * green_select. May yield.
 *
 * For one after the other, with work in between, select from what is left:
 *
 *     for (int left = n; left > 0; left--) {
 *         int i = green_select_cases(cases, n);
 *         if (i < 0) ...
 *         cases[i] = GREEN_NEVER;
 *         ...                                    -- may yield; nothing is lost meanwhile
 *     } */
GREEN_API int green_wait_cases(green_case *cases, int count, int wanted, int *order);

/* An object that is NULL never comes up, here and below.
 *
 * Send *item; receive into *item. Receiving also happens when the channel is closed and empty, and
 * then zeroes *item. _OK: *got tells, as what green_chan_recv returns: 1 or 0. */
#define GREEN_SEND(chan, item_ptr)             green_case_send((chan), (item_ptr))
#define GREEN_RECV(chan, item_ptr)             green_case_recv((chan), (item_ptr), NULL)
#define GREEN_RECV_OK(chan, item_ptr, got_ptr) green_case_recv((chan), (item_ptr), (got_ptr))
/* Put the item into the queue; get one into *item. Getting also happens when the queue is shut down
 * and empty, and then *item is NULL; _OK: *got tells. */
#define GREEN_PUT(queue, item)                 green_case_put((queue), (item))
#define GREEN_GET(queue, item_ptr)             green_case_get((queue), (item_ptr), NULL)
#define GREEN_GET_OK(queue, item_ptr, got_ptr) green_case_get((queue), (item_ptr), (got_ptr))
/* Take a permit. It is to be released if, and only if, this case happens. */
#define GREEN_ACQUIRE(semaphore) green_case_acquire(semaphore)
/* The event is set. */
#define GREEN_SET(event) green_case_set(event)
/* The result was given, be it a failure: green_result_get will not wait. */
#define GREEN_READY(result) green_case_ready(result)
/* The thread has ended; unless it is detached it is still to be joined. It must be there when the
 * call begins. Fails with ESRCH if it did not survive a fork. */
#define GREEN_ENDED(thread) green_case_ended(thread)
/* So much time has passed, and the call is not over. */
#define GREEN_AFTER(nanoseconds) green_case_after(nanoseconds)
/* Nothing else can happen at once. Gives others a chance to run now and then. */
#define GREEN_DEFAULT green_case_after(0)
#define GREEN_NEVER   green_case_after(INT64_MAX)
/* GREEN_READABLE(fd), GREEN_WRITABLE(fd): see green/fd.h. GREEN_EXITED(process): green/process.h.
 * GREEN_FINISHED(job): green/offload.h. */

GREEN_API green_case green_case_send(green_chan *chan, const void *item);
GREEN_API green_case green_case_recv(green_chan *chan, void *item, int *got);
GREEN_API green_case green_case_put(green_queue *queue, void *item);
GREEN_API green_case green_case_get(green_queue *queue, void **item, int *got);
GREEN_API green_case green_case_acquire(green_semaphore *semaphore);
GREEN_API green_case green_case_set(green_event *event);
GREEN_API green_case green_case_ready(green_result *result);
GREEN_API green_case green_case_ended(green_thread *thread);
GREEN_API green_case green_case_after(int64_t nanoseconds);

GREEN_END_DECLS

#ifdef __cplusplus
template <typename... Cases> inline int green_select(Cases... cases)
{
    green_case all[] = {cases...};
    return green_select_cases(all, static_cast<int>(sizeof...(cases)));
}
#endif
