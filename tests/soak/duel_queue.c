/* duel_queue.c - fights over what hands things from thread to thread: see duel.h. As much comes out
 * as goes in. */
#include "duel.h"
#include <green/channel.h>
#include <green/queue.h>
#include <green/select.h>
#include <green/thread.h>
#include <stdatomic.h>
#include <stdint.h>

enum { LIMIT = 4 };
static atomic_long sum_in, sum_out;

/* ---- queues ---- */

static green_queue *queue;

static int queue_make(green_queue_order order, int (*compare)(const void *, const void *))
{
    green_queue_options options = {order, LIMIT, compare, NULL};
    sum_in = sum_out = 0;
    queue = green_queue_make(&options);
    return queue != NULL ? 0 : -1;
}

static int fifo_begin(long rounds)
{
    (void)rounds;
    return queue_make(GREEN_QUEUE_FIFO, NULL);
}

static int lifo_begin(long rounds)
{
    (void)rounds;
    return queue_make(GREEN_QUEUE_LIFO, NULL);
}

static int by_address(const void *a, const void *b)
{
    return ((uintptr_t)a > (uintptr_t)b) - ((uintptr_t)a < (uintptr_t)b);
}

static int priority_begin(long rounds)
{
    (void)rounds;
    return queue_make(GREEN_QUEUE_PRIORITY, by_address);
}

static int queue_round(int who, long number)
{
    void *item;
    if (green_queue_put(queue, (void *)(number * 8 + who + 1)) < 0)
        return -1;
    sum_in += number * 8 + who + 1;
    if (number % 2 == 0)
        green_yield(); /* the others put theirs: it fills */
    if (green_queue_get(queue, &item) < 0)
        return -1;
    sum_out += (long)item;
    return 0;
}

static bool queue_take(void)
{
    void *item;
    bool got = green_queue_try_get(queue, &item) == 1;
    sum_out += got ? (long)item : 0;
    return got;
}

/* What those that gave up have left fills it, and what is taken out of it here may be missed. */
static void queue_help(void)
{
    if (green_queue_count(queue) == LIMIT)
        queue_take();
    else if (green_queue_count(queue) == 0 && green_queue_try_put(queue, (void *)1) == 0)
        sum_in++;
}

static bool queue_end(void)
{
    while (queue_take())
        continue;
    bool fair = sum_in == sum_out && green_queue_count(queue) == 0;
    green_queue_free(queue);
    return fair;
}

const struct duel duel_fifo = {"queue, FIFO", fifo_begin, queue_round, queue_help, queue_end};
const struct duel duel_lifo = {"queue, LIFO", lifo_begin, queue_round, queue_help, queue_end};
const struct duel duel_priority = {"queue, by priority", priority_begin, queue_round, queue_help,
                                   queue_end};

/* ---- channels, select ---- */

static green_chan *chan;

static int chan_begin(size_t capacity)
{
    sum_in = sum_out = 0;
    chan = green_chan_make(sizeof(long), capacity);
    return chan != NULL ? 0 : -1;
}

static int buffered_begin(long rounds)
{
    (void)rounds;
    return chan_begin(LIMIT);
}

static int rendezvous_begin(long rounds)
{
    (void)rounds;
    return chan_begin(0);
}

static int send_one(long value)
{
    if (green_chan_send(chan, &value) < 0)
        return -1;
    sum_in += value;
    return 0;
}

static int receive_one(void)
{
    long value;
    int got = green_chan_recv(chan, &value);
    if (got > 0)
        sum_out += value;
    return got > 0 ? 0 : -1;
}

static int buffered_round(int who, long number)
{
    if (send_one(number * 8 + who + 1) < 0)
        return -1;
    if (number % 2 == 0)
        green_yield();
    return receive_one();
}

/* By turns, not all on the same side. */
static int rendezvous_round(int who, long number)
{
    return (who / 2 + number) % 2 == 0 ? send_one(number * 8 + who + 1) : receive_one();
}

static int select_round(int who, long number)
{
    long out = number * 8 + who + 1, in = 0;
    int which = green_select(GREEN_SEND(chan, &out), GREEN_RECV(chan, &in));
    if (which == 0)
        sum_in += out;
    else if (which == 1)
        sum_out += in;
    return which < 0 ? -1 : 0;
}

static bool chan_take(void)
{
    long value;
    bool got = green_chan_try_recv(chan, &value) == 1;
    sum_out += got ? value : 0;
    return got;
}

/* As with queues; without a buffer all may be on one side. */
static void chan_help(void)
{
    long value = 1;
    if (green_chan_count(chan) == chan->capacity)
        chan_take();
    if (green_chan_count(chan) == 0 && green_chan_try_send(chan, &value) == 0)
        sum_in += value;
}

static bool chan_end(void)
{
    while (chan_take())
        continue;
    bool fair = sum_in == sum_out && nobody(&chan->senders) && nobody(&chan->receivers);
    green_chan_free(chan);
    return fair;
}

const struct duel duel_buffered = {"channel, buffered", buffered_begin, buffered_round, chan_help,
                                   chan_end};
const struct duel duel_rendezvous = {"channel, rendezvous", rendezvous_begin, rendezvous_round,
                                     chan_help, chan_end};
const struct duel duel_select = {"select", rendezvous_begin, select_round, chan_help, chan_end};
