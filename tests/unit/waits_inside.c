/* waits_inside.c - the calls that wait for other threads: see waits.h. */
#include "waits.h"

#include <green/barrier.h>
#include <green/channel.h>
#include <green/condition.h>
#include <green/event.h>
#include <green/link.h>
#include <green/once.h>
#include <green/pool.h>
#include <green/queue.h>
#include <green/result.h>
#include <green/rwlock.h>
#include <green/semaphore.h>
#include <green/state.h>
#include <green/wait_group.h>

static void nothing(void)
{
}

/* ---- threads that others wait for: they pass a gate ---- */

static green_event gate;
static green_thread *target;

static int pass(void *arg)
{
    (void)arg;
    return green_event_wait(&gate);
}

static void open_gate(void)
{
    green_event_set(&gate);
}

static int sleep_an_hour(void)
{
    return sleep_long(NULL);
}

static int sleep_until_then(void)
{
    return green_sleep_until(green_now() + 3600 * GREEN_SEC);
}

static void begin_target(void)
{
    gate = (green_event)GREEN_EVENT_INIT;
    target = green_spawn(pass, NULL);
    assert_non_null(target);
}

static void begin_far_target(void)
{
    gate = (green_event)GREEN_EVENT_INIT;
    assert_true(green_hubs(2) >= 2);
    green_spawn_options options = {.hub = green_hub_next()};
    if (options.hub == green_hub_self())
        options.hub = green_hub_next();
    target = green_spawn_with(&options, pass, NULL);
    assert_non_null(target);
}

static int join_target(void)
{
    int r = green_join(target, NULL);
    if (r == 0)
        target = NULL;
    return r;
}

static int wait_all_target(void)
{
    return green_wait_all(&target, 1);
}

static bool target_done(void)
{
    return green_thread_state(target) == GREEN_DONE;
}

static void end_target(void)
{
    open_gate();
    if (target != NULL)
        assert_int_equal(green_join(target, NULL), 0);
}

/* ---- hubs that end ---- */

static green_event shielded;

static int pass_shielded(void *arg)
{
    green_shield() {
        green_event_set(&shielded);
        pass(arg);
    }
    return 0;
}

static void begin_hub(void)
{
    green_spawn_options options = {.detached = true};
    gate = shielded = (green_event)GREEN_EVENT_INIT;
    assert_int_equal(green_hubs(2), 2);
    options.hub = green_hub_nth(1);
    assert_non_null(green_spawn_with(&options, pass_shielded, NULL));
    assert_int_equal(green_event_wait(&shielded), 0);
}

static void end_hub(void)
{
    open_gate();
    assert_int_equal(green_hubs_end(), 0);
    assert_int_equal(green_hubs(2), 2); /* as before */
}

/* ---- groups, pools, streams ---- */

static green_pool pool;
static green_stream *stream;

static void begin_pool(void)
{
    gate = (green_event)GREEN_EVENT_INIT;
    pool = (green_pool)GREEN_POOL_INIT(1);
    assert_int_equal(green_pool_spawn(&pool, pass, NULL), 0);
}

static int join_group(void)
{
    return green_group_join(&pool.group);
}

static int join_pool(void)
{
    return green_pool_join(&pool);
}

static int succeed(void *arg)
{
    (void)arg;
    return 0;
}

static int spawn_in_pool(void)
{
    return green_pool_spawn(&pool, succeed, NULL);
}

static bool pool_empty(void)
{
    return pool.group.live == 0;
}

static void end_pool(void)
{
    open_gate();
    assert_int_equal(green_pool_join(&pool), 0);
}

static int draw(void *source, void *item)
{
    (void)source;
    *(int *)item = 1;
    return 1;
}

static void begin_stream(void)
{
    static const green_stream_options options = {
        .next = draw, .fn = pass, .size = sizeof(int), .limit = 1};
    gate = (green_event)GREEN_EVENT_INIT;
    stream = green_stream_open(&options);
    assert_non_null(stream);
    int item;
    green_within(0) /* the work begins; it outlives this wait, and any other */
        assert_fails(green_stream_next(stream, &item), ETIMEDOUT);
}

static int next_of_stream(void)
{
    int item;
    return green_stream_next(stream, &item) > 0 ? 0 : -1;
}

static void end_stream(void)
{
    green_stream_close(stream);
}

/* ---- channels, queues ---- */

static green_chan chan;
static int room, value;
static green_queue *queue;

static void begin_empty_chan(void)
{
    chan = (green_chan)GREEN_CHAN_INIT(sizeof(int), 1, &room);
}

static void begin_full_chan(void)
{
    begin_empty_chan();
    assert_int_equal(green_chan_try_send(&chan, &value), 0);
}

static void begin_rendezvous(void)
{
    chan = (green_chan)GREEN_CHAN_INIT(sizeof(int), 0, NULL);
}

static int send_value(void)
{
    return green_chan_send(&chan, &value);
}

static int receive_value(void)
{
    return green_chan_recv(&chan, &value) > 0 ? 0 : -1;
}

static void give_value(void)
{
    assert_int_equal(green_chan_try_send(&chan, &value), 0);
}

static void take_value(void)
{
    assert_int_equal(green_chan_try_recv(&chan, &value), 1);
}

static void begin_queue(void)
{
    queue = green_queue_make(&(green_queue_options){.limit = 1});
    assert_non_null(queue);
}

static void put_item(void)
{
    assert_int_equal(green_queue_try_put(queue, &room), 0);
}

static void take_item(void)
{
    void *item;
    assert_int_equal(green_queue_try_get(queue, &item), 1);
}

static void item_done(void)
{
    assert_int_equal(green_queue_task_done(queue), 0);
}

static void begin_full_queue(void)
{
    begin_queue();
    put_item();
}

static void begin_busy_queue(void)
{
    begin_full_queue();
    take_item();
}

static int put(void)
{
    return green_queue_put(queue, &room);
}

static int get(void)
{
    void *item;
    return green_queue_get(queue, &item) > 0 ? 0 : -1;
}

static int peek(void)
{
    void *item;
    return green_queue_peek(queue, &item) > 0 ? 0 : -1;
}

static int join_queue(void)
{
    return green_queue_join(queue);
}

static void end_queue(void)
{
    green_queue_shutdown(queue, true);
    green_queue_free(queue);
}

/* ---- what threads share ---- */

static green_mutex mutex;
static green_condition condition;
static green_rwlock rwlock;
static green_semaphore semaphore;
static green_barrier barrier;
static green_wait_group wait_group;
static green_result result;
static green_once once;

static void begin_mutex(void)
{
    mutex = (green_mutex)GREEN_MUTEX_INIT;
    assert_int_equal(green_mutex_lock(&mutex), 0);
}

static int lock_mutex(void)
{
    return green_mutex_lock(&mutex) < 0 ? -1 : green_mutex_unlock(&mutex);
}

static void unlock_mutex(void)
{
    assert_int_equal(green_mutex_unlock(&mutex), 0);
}

static void begin_condition(void)
{
    mutex = (green_mutex)GREEN_MUTEX_INIT;
    condition = (green_condition)GREEN_CONDITION_INIT;
}

static int wait_condition(void)
{
    green_mutex_lock(&mutex);
    int r = green_condition_wait(&condition, &mutex);
    int err = errno;
    if (green_mutex_unlock(&mutex) < 0)
        return -1;
    errno = err;
    return r;
}

static void signal_condition(void)
{
    green_condition_signal(&condition);
}

static void begin_written(void)
{
    rwlock = (green_rwlock)GREEN_RWLOCK_INIT;
    assert_int_equal(green_rwlock_write(&rwlock), 0);
}

static void begin_read(void)
{
    rwlock = (green_rwlock)GREEN_RWLOCK_INIT;
    assert_int_equal(green_rwlock_read(&rwlock), 0);
}

static int lock_to_read(void)
{
    return green_rwlock_read(&rwlock) < 0 ? -1 : green_rwlock_unlock(&rwlock);
}

static int lock_to_write(void)
{
    return green_rwlock_write(&rwlock) < 0 ? -1 : green_rwlock_unlock(&rwlock);
}

static void unlock_rwlock(void)
{
    assert_int_equal(green_rwlock_unlock(&rwlock), 0);
}

static void begin_semaphore(void)
{
    semaphore = (green_semaphore)GREEN_SEMAPHORE_INIT(0);
}

static int acquire(void)
{
    return green_semaphore_acquire(&semaphore);
}

static void release(void)
{
    assert_int_equal(green_semaphore_release(&semaphore), 0);
}

static void begin_event(void)
{
    gate = (green_event)GREEN_EVENT_INIT;
}

static int wait_event(void)
{
    return green_event_wait(&gate);
}

static void begin_barrier(void)
{
    barrier = (green_barrier)GREEN_BARRIER_INIT(2);
}

static int meet(void)
{
    return green_barrier_wait(&barrier);
}

static void come_last(void)
{
    assert_int_equal(green_barrier_wait(&barrier), 1);
}

static void begin_wait_group(void)
{
    wait_group = (green_wait_group)GREEN_WAIT_GROUP_INIT;
    green_wait_group_add(&wait_group, 1);
}

static int await_wait_group(void)
{
    return green_wait_group_wait(&wait_group);
}

static void finish_wait_group(void)
{
    assert_int_equal(green_wait_group_done(&wait_group), 0);
}

static void begin_result(void)
{
    result = (green_result)GREEN_RESULT_INIT;
}

static int get_result(void)
{
    return green_result_get(&result, NULL);
}

static void set_result(void)
{
    assert_int_equal(green_result_set(&result, NULL), 0);
}

static int run_once(void *arg)
{
    (void)arg;
    return green_once_run(&once, pass, NULL);
}

static void begin_once(void)
{
    once = (green_once)GREEN_ONCE_INIT;
    gate = (green_event)GREEN_EVENT_INIT;
    target = green_spawn(run_once, NULL);
    green_yield();
    assert_int_equal(green_thread_state(target), GREEN_WAITING);
}

static int once_more(void)
{
    return green_once_run(&once, succeed, NULL);
}

const struct call waits_inside[] = {
    {"sleep", nothing, sleep_an_hour, NULL, NULL, nothing, 0},
    {"sleep until", nothing, sleep_until_then, NULL, NULL, nothing, 0},
    {"join", begin_target, join_target, open_gate, target_done, end_target, ALONE | LATE},
    {"join elsewhere", begin_far_target, join_target, open_gate, target_done, end_target,
     ALONE | LATE | YIELDS},
    {"wait all", begin_target, wait_all_target, open_gate, target_done, end_target, LATE},
    {"hubs end", begin_hub, green_hubs_end, open_gate, NULL, end_hub, ALONE | LATE | NEVER_READY},
    {"hub idle", begin_target, green_hub_wait_idle, NULL, NULL, end_target, ON_MAIN},
    {"group join", begin_pool, join_group, open_gate, pool_empty, end_pool, ALONE | LATE | YIELDS},
    {"pool join", begin_pool, join_pool, open_gate, pool_empty, end_pool, ALONE | LATE | YIELDS},
    {"pool spawn", begin_pool, spawn_in_pool, open_gate, pool_empty, end_pool, LATE},
    {"stream", begin_stream, next_of_stream, open_gate, NULL, end_stream,
     ALONE | LATE | NEVER_READY},
    {"receive", begin_empty_chan, receive_value, give_value, NULL, nothing, 0},
    {"send", begin_full_chan, send_value, take_value, NULL, nothing, 0},
    {"meet to receive", begin_rendezvous, receive_value, give_value, NULL, nothing, NEVER_READY},
    {"meet to send", begin_rendezvous, send_value, take_value, NULL, nothing, NEVER_READY},
    {"queue get", begin_queue, get, put_item, NULL, end_queue, 0},
    {"queue peek", begin_queue, peek, put_item, NULL, end_queue, 0},
    {"queue put", begin_full_queue, put, take_item, NULL, end_queue, 0},
    {"queue join", begin_busy_queue, join_queue, item_done, NULL, end_queue, 0},
    {"mutex", begin_mutex, lock_mutex, unlock_mutex, NULL, nothing, 0},
    {"condition", begin_condition, wait_condition, signal_condition, NULL, nothing, NEVER_READY},
    {"rwlock read", begin_written, lock_to_read, unlock_rwlock, NULL, nothing, 0},
    {"rwlock write", begin_read, lock_to_write, unlock_rwlock, NULL, nothing, 0},
    {"semaphore", begin_semaphore, acquire, release, NULL, nothing, 0},
    {"event", begin_event, wait_event, open_gate, NULL, nothing, 0},
    {"barrier", begin_barrier, meet, come_last, NULL, nothing, ALONE | NEVER_READY},
    {"wait group", begin_wait_group, await_wait_group, finish_wait_group, NULL, nothing, 0},
    {"result", begin_result, get_result, set_result, NULL, nothing, 0},
    {"once", begin_once, once_more, open_gate, target_done, end_target, LATE},
    {NULL, NULL, NULL, NULL, NULL, NULL, 0},
};
