/* green/queue.h - queues of work: items wait until somebody takes them, oldest, newest or first by
 * your order; with or without a bound; and one can wait until all of the work is done.
 *
 *     green_queue *q = green_queue_make(&(green_queue_options){.limit = 100});
 *     green_queue_put(q, job);                        -- waits while 100 are there
 *     while (green_queue_get(q, &job) > 0) {          -- in the workers
 *         work(job);
 *         green_queue_task_done(q);
 *     }
 *     green_queue_join(q);                            -- all done
 *     green_queue_shutdown(q, false);                 -- the workers end
 *
 * Items are pointers: they are handles that can be looked at, ordered and dropped without being
 * copied. (Values of a fixed size are what channels are for.) Those who wait are served first come,
 * first served; to wait for several things at once there is green/select.h. A call that fails has
 * put or taken nothing. For green threads of any hub and for OS threads. */
#pragma once
#include <green/shared.h>

GREEN_BEGIN_DECLS

typedef struct green_queue green_queue;

typedef enum green_queue_order {
    GREEN_QUEUE_FIFO,     /* the oldest first */
    GREEN_QUEUE_LIFO,     /* the newest first */
    GREEN_QUEUE_PRIORITY, /* the least by `compare`; among equals the oldest */
} green_queue_order;

/* Zero is the default everywhere. */
typedef struct green_queue_options {
    green_queue_order order;
    size_t limit; /* put waits while so many are there; 0: no limit */
    /* < 0: a comes before b. Called while the queue is held: it must not block, throw (C++), nor
     * call into this library. */
    int (*compare)(const void *a, const void *b);
    /* Called for items that nobody will take: at an immediate shutdown, and by free. May be NULL */
    void (*discard)(void *item);
} green_queue_options;

/* options NULL: FIFO without limit. NULL and ENOMEM, EINVAL (no such order, or none to compare). */
GREEN_API green_queue *green_queue_make(const green_queue_options *options);
/* Nobody may wait on it any more. NULL is fine. */
GREEN_API void green_queue_free(green_queue *queue);

/* Put an item. 0; -1 and ESHUTDOWN, ENOMEM. May yield. */
GREEN_API int green_queue_put(green_queue *queue, void *item);
/* Take the next item, or only look at it. 1; 0: shut down, and nothing is left; -1. May yield. */
GREEN_API int green_queue_get(green_queue *queue, void **item);
GREEN_API int green_queue_peek(green_queue *queue, void **item);

/* The same if that needs no waiting; else -1 and EAGAIN. They may be called in callbacks of the
 * event loop, and give others a chance to run now and then. */
GREEN_API int green_queue_try_put(green_queue *queue, void *item);
GREEN_API int green_queue_try_get(green_queue *queue, void **item);
GREEN_API int green_queue_try_peek(green_queue *queue, void **item);

/* Each item that was put is a task. task_done says that one is finished, after get; EINVAL: more
 * than were put. join waits until all are. It may yield. */
GREEN_API int green_queue_task_done(green_queue *queue);
GREEN_API int green_queue_join(green_queue *queue);

/* Change the limit; those who wait for room get it. What is there stays, if that is more. */
GREEN_API int green_queue_resize(green_queue *queue, size_t limit);

/* No more is put: who tries, or waits to, fails with ESHUTDOWN. What is there can still be taken;
 * or if immediate it is discarded, and its tasks are done. Again is harmless. */
GREEN_API int green_queue_shutdown(green_queue *queue, bool immediate);

/* How many items are there. Others may change that at any time. */
GREEN_API size_t green_queue_count(green_queue *queue);

GREEN_END_DECLS
