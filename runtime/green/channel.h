/* green/channel.h - channels: values of one size handed from thread to thread, in order.
 *
 *     green_chan *c = green_chan_make(sizeof(int), 0);
 *     green_detach(green_spawn(count, c));           -- green_chan_send(c, &i), ...
 *     for (int v; green_chan_recv(c, &v) > 0;)       -- green_chan_close(c), at last
 *         printf("%d\n", v);
 *     green_chan_free(c);
 *
 * A channel holds up to `capacity` values that nobody has received yet. With capacity 0 the two
 * sides meet: a send waits until its value was received. Both sides are served first come, first
 * served, and a value goes straight to who waits for it. A call that fails has sent or received
 * nothing. Any number of green threads of any hub, and OS threads, may use one channel; to wait on
 * several at once there is green/select.h. */
#pragma once
#include <green/shared.h>

GREEN_BEGIN_DECLS

/* The fields are private. */
typedef struct green_chan {
    green_guard guard;
    bool closed;
    size_t size;     /* of a value */
    size_t capacity; /* of the buffer, in values */
    size_t first;    /* the oldest in the buffer */
    size_t count;    /* how many there are */
    char *buffer;
    green_waiters senders, receivers;
} green_chan;

/* A channel without allocation: `buffer` has room for `capacity` values, NULL if that is 0. */
#define GREEN_CHAN_INIT(item_size, item_capacity, item_buffer)                               \
    {                                                                                        \
        {0}, false, (item_size), (item_capacity), 0, 0, (char *)(item_buffer), {NULL, NULL}, \
        {                                                                                    \
            NULL, NULL                                                                       \
        }                                                                                    \
    }

/* For values of item_size bytes (0: only the event counts). NULL and ENOMEM. */
GREEN_API green_chan *green_chan_make(size_t item_size, size_t capacity);
/* What is still in it is gone. Nobody may wait on it any more. NULL is fine. */
GREEN_API void green_chan_free(green_chan *chan);

/* Send a copy of *item. 0; -1 and EPIPE: the channel is closed. May yield. */
GREEN_API int green_chan_send(green_chan *chan, const void *item);
/* Receive into *item. 1; 0 when the channel is closed and empty; -1. May yield. */
GREEN_API int green_chan_recv(green_chan *chan, void *item);

/* The same if that needs no waiting; else -1 and EAGAIN. They may be called in callbacks of the
 * event loop, and give others a chance to run now and then, so that a loop around them makes
 * progress. */
GREEN_API int green_chan_try_send(green_chan *chan, const void *item);
GREEN_API int green_chan_try_recv(green_chan *chan, void *item);

/* No more is sent: those who wait to send fail with EPIPE, receivers get what is buffered and then
 * 0. Closing again is harmless. Does not yield. */
GREEN_API int green_chan_close(green_chan *chan);

/* How many values are buffered. Others may change that at any time. */
GREEN_API size_t green_chan_count(green_chan *chan);

GREEN_END_DECLS
