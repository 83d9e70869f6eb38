/* green/pool.h - a group with a limit: at most so many of its threads run at a time.
 *
 *     green_pool p = GREEN_POOL_INIT(10);
 *     while (next_url(&url))
 *         green_pool_spawn(&p, fetch, url);          -- waits while ten are at work
 *     green_pool_join(&p);
 *
 * Or in one call over an array (green_pool_map), or as a stream (green_stream): items are drawn
 * from a source, worked on side by side, and handed out in order or as they are done, while no more
 * than the limit are drawn ahead of the consumer.
 *
 * A pool belongs to the hub that uses it. Failure is as in green/group.h: the first negative result
 * cancels the others, fails whoever waits for room (ECANCELED), and is the error of the join.
 * Deadlines, too: one around green_pool_spawn, for the wait, also holds for fn. */
#pragma once
#include <green/group.h>

GREEN_BEGIN_DECLS

typedef struct green_pool {
    green_group group;
    int limit;    /* threads at a time; <= 0: no limit. green_pool_resize changes it */
    int nested;   /* threads of the pool that wait in green_pool_spawn */
    int promised; /* room kept for those who were let in and have not run since */
    void *first;  /* who waits for room, in order */
    void *last;
} green_pool;
#define GREEN_POOL_INIT(limit)                      \
    {                                               \
        GREEN_GROUP_INIT, (limit), 0, 0, NULL, NULL \
    }

/* Start fn(arg) as soon as there is room. 0; or -1: as green_group_spawn, or EDEADLK: the caller is
 * a thread of the pool and all of them wait here. May yield. */
GREEN_API int green_pool_spawn(green_pool *pool, int (*fn)(void *), void *arg);
/* The same without waiting. EBUSY: the pool is full. */
GREEN_API int green_pool_try_spawn(green_pool *pool, int (*fn)(void *), void *arg);

/* More or less room from now on; threads at work are left alone. */
GREEN_API void green_pool_resize(green_pool *pool, int limit);

/* As green_group_join and green_group_cancel. */
GREEN_API int green_pool_join(green_pool *pool);
GREEN_API void green_pool_cancel(green_pool *pool);

/* fn(item) for each of `count` items of `size` bytes, side by side within the limit; fn leaves what
 * it finds in its item. 0 when all have succeeded; -1 and the errno of the first failure. Called by
 * a thread of the pool it works in place of that thread. May yield. */
GREEN_API int green_pool_map(green_pool *pool, int (*fn)(void *item), void *items, size_t count,
                             size_t size);

/* A stream of items through fn. */
typedef struct green_stream_options {
    int (*next)(void *source, void *item); /* draw an item: 1; 0: no more; -1: failed (errno). Runs
                                              on the consumer's thread */
    void *source;
    int (*fn)(void *item); /* work on it, on a thread of its own; < 0: failed */
    size_t size;           /* of an item, bytes */
    int limit;             /* items at work or waiting to be taken; 0: 16 */
    bool unordered;        /* hand them out as they are done, not as they were drawn */
} green_stream_options;
typedef struct green_stream green_stream;

/* NULL: ENOMEM, EINVAL. Draws nothing yet. */
GREEN_API green_stream *green_stream_open(const green_stream_options *options);
/* The next finished item, copied to *item; by one thread at a time. 1; 0: the source is at its end
 * and all were handed out; -1: next or fn failed for this item, with its errno, or there was no
 * thread for it (ENOMEM); the stream goes on behind it (after a failure of next it is at its end).
 * A deadline or cancellation of the caller ends this wait only: the work goes on, and a further
 * call gets it. May yield. */
GREEN_API int green_stream_next(green_stream *stream, void *item);
/* Cancel what is at work, wait for it, free the stream. NULL is harmless. May yield. */
GREEN_API void green_stream_close(green_stream *stream);

GREEN_END_DECLS
