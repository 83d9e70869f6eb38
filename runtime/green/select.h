/* green/select.h - wait for the first of several things to happen.
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
 * Exactly one case happens: its value was sent or received, nothing of the others was. When several
 * could, each has the same chance. A thread in green_select stands in the line of each channel and
 * is served in its turn, among green_chan_send and green_chan_recv. Channels may be of any hub, and
 * both ends may select; descriptors are those of green/fd.h. Nothing is allocated, except what a
 * descriptor's first wait takes. It is meant for a few cases, up to hundreds. */
#pragma once
#include <green/channel.h>

GREEN_BEGIN_DECLS

/* One case; made by the macros below, the fields are private. */
typedef struct green_case {
    const void *kind;
    void *object;            /* channel or thread */
    void *item;              /* what is sent or received */
    int *got;                /* what green_chan_recv would have returned; may be NULL */
    int64_t number;          /* descriptor or duration */
    green_guard *guard;      /* of an object that hubs share; else NULL */
    struct green_case *next; /* by the address of the guard */
    bool ready;
    void *room[12]; /* its place in the line of the object */
} green_case;

/* green_select(case, ...): wait until one of the cases happens and return its number, counted from
 * 0. -1: ECANCELED, ETIMEDOUT (a deadline around the call), EPIPE (a case sends on a closed
 * channel), EBADF or ENOMEM (a descriptor cannot be waited for), EINVAL (no cases); then nothing
 * has happened. May yield. In C++, and for a number of cases that varies, use the function; the
 * array can be used again. */
GREEN_API int green_select_cases(green_case *cases, int count);
#define green_select(...)                           \
    green_select_cases((green_case[]){__VA_ARGS__}, \
                       (int)(sizeof((green_case[]){__VA_ARGS__}) / sizeof(green_case)))

/* Send *item. A channel that is NULL never comes up, here and below. */
#define GREEN_SEND(chan, item_ptr) green_case_send((chan), (item_ptr))
/* Receive into *item; also happens when the channel is closed and empty, and then zeroes it. _OK:
 * *got tells, as what green_chan_recv returns: 1 or 0. */
#define GREEN_RECV(chan, item_ptr)             green_case_recv((chan), (item_ptr), NULL)
#define GREEN_RECV_OK(chan, item_ptr, got_ptr) green_case_recv((chan), (item_ptr), (got_ptr))
/* So much time has passed, and nothing else has happened. */
#define GREEN_AFTER(nanoseconds) green_case_after(nanoseconds)
/* The thread has ended; it is still to be joined. It must not be detached. */
#define GREEN_ENDED(thread) green_case_ended(thread)
/* Nothing else can happen at once. Gives others a chance to run now and then. */
#define GREEN_DEFAULT green_case_after(0)
/* GREEN_READABLE(fd), GREEN_WRITABLE(fd): see green/fd.h. */

GREEN_API green_case green_case_send(green_chan *chan, const void *item);
GREEN_API green_case green_case_recv(green_chan *chan, void *item, int *got);
GREEN_API green_case green_case_after(int64_t nanoseconds);
GREEN_API green_case green_case_ended(green_thread *thread);

GREEN_END_DECLS
