/* test_queue.c - queues, on one hub and between two. Linked with memory_get wrapped. */
#include "trace.h"
#include "unit.h"

#include "faults.h"
#include "self.h"
#include <event2/event.h>
#include <green/select.h>

static int result_of(green_thread *t)
{
    int result = -1;
    assert_int_equal(green_join(t, &result), 0);
    return result;
}

static void *item(long n)
{
    return (void *)n;
}

static long value(void *i)
{
    return (long)i;
}

/* By the tens: 31 and 35 are equal. */
static int by_tens(const void *a, const void *b)
{
    long x = (long)a / 10, y = (long)b / 10;
    return (x > y) - (x < y);
}

static green_queue *queue_of(green_queue_order order, size_t limit)
{
    green_queue *q = green_queue_make(&(green_queue_options){order, limit, by_tens, NULL});
    assert_non_null(q);
    return q;
}

struct job {
    green_queue *queue;
    long item;
};

static int put_by_select(void *arg)
{
    struct job *j = arg;
    return green_select(GREEN_NEVER, GREEN_PUT(j->queue, item(j->item))) == 1 ? 0 : -errno;
}

static int put_one(void *arg)
{
    struct job *j = arg;
    if (green_queue_put(j->queue, item(j->item)) < 0)
        return -errno;
    note("%ld ", j->item);
    return 0;
}

static int get_one(void *queue)
{
    void *i = NULL;
    int got = green_queue_get(queue, &i);
    return got > 0 ? (int)value(i) : got == 0 ? 0 : -errno;
}

static int peek_one(void *queue)
{
    void *i = NULL;
    int got = green_queue_peek(queue, &i);
    return got > 0 ? (int)value(i) : got == 0 ? 0 : -errno;
}

static int await_done(void *queue)
{
    return green_queue_join(queue) < 0 ? -errno : 0;
}

static int await_done_cancelled(void *queue)
{
    green_cancel(green_self());
    return await_done(queue);
}

/* Scenario 91: each order, over the wrap of the ring. */
static void test_orders(void **state)
{
    long put[] = {35, 10, 50, 31, 11, 52, 30}, out[][7] = {{35, 10, 50, 31, 11, 52, 30},
                                                           {30, 52, 11, 31, 50, 10, 35},
                                                           {10, 11, 35, 31, 30, 50, 52}};
    (void)state;
    for (green_queue_order order = GREEN_QUEUE_FIFO; order <= GREEN_QUEUE_PRIORITY; order++) {
        green_queue *q = queue_of(order, 0);
        for (int round = 0; round < 20; round++) { /* so that the ring wraps, and grows */
            void *i = NULL;
            for (int n = 0; n < 7; n++)
                assert_int_equal(green_queue_put(q, item(put[n])), 0);
            assert_int_equal(green_queue_count(q), 7);
            assert_int_equal(green_queue_peek(q, &i), 1);
            assert_int_equal(value(i), out[order][0]);
            for (int n = 0; n < 7; n++) {
                assert_int_equal(green_queue_get(q, &i), 1);
                assert_int_equal(value(i), out[order][n]);
            }
            assert_fails(green_queue_try_get(q, &i), EAGAIN);
            assert_fails(green_queue_try_peek(q, &i), EAGAIN);
        }
        green_queue_free(q);
    }
    errno = 0;
    assert_null(green_queue_make(&(green_queue_options){.order = GREEN_QUEUE_PRIORITY}));
    assert_int_equal(errno, EINVAL);
}

static unsigned dice = 1;

static int by_the_dice(const void *a, const void *b)
{
    (void)a, (void)b;
    dice = dice * 1103515245 + 12345;
    return (int)(dice >> 16) % 3 - 1;
}

/* Scenario 103: an order that contradicts itself makes the order wrong, and nothing else: each item
 * comes out once. */
static void test_senseless_order(void **state)
{
    enum { N = 300 };
    green_queue *q = green_queue_make(
        &(green_queue_options){.order = GREEN_QUEUE_PRIORITY, .compare = by_the_dice});
    bool seen[N] = {false};
    void *i = NULL;
    (void)state;
    assert_non_null(q);
    for (long n = 0, out = 0; out < N;) {
        for (int k = 0; k < 7 && n < N; k++)
            assert_int_equal(green_queue_put(q, item(n++)), 0);
        for (int k = 0; k < 5 && out < N; k++, out++) {
            assert_int_equal(green_queue_get(q, &i), 1);
            assert_in_range(value(i), 0, N - 1);
            assert_false(seen[value(i)]);
            seen[value(i)] = true;
        }
    }
    assert_int_equal(green_queue_count(q), 0);
    green_queue_free(q);
}

static void test_grows(void **state)
{
    void *i;
    (void)state;
    for (green_queue_order order = GREEN_QUEUE_FIFO; order <= GREEN_QUEUE_PRIORITY; order++) {
        green_queue *q = queue_of(order, 0);
        green_queue_put(q, item(1));
        green_queue_get(q, &i);
        for (long n = 0; n < 1000; n++)
            assert_int_equal(green_queue_put(q, item((n * 7919) % 1000 * 10)), 0);
        long last = -1;
        for (long n = 0; n < 1000; n++) {
            assert_int_equal(green_queue_get(q, &i), 1);
            if (order == GREEN_QUEUE_FIFO)
                assert_int_equal(value(i), (n * 7919) % 1000 * 10);
            if (order == GREEN_QUEUE_PRIORITY)
                assert_true(value(i) > last);
            last = value(i);
        }
        green_queue_free(q);
    }
}

/* Scenarios 92, 104: put in order, one gives up, more room. */
static void test_bound_and_resize(void **state)
{
    green_queue *q = queue_of(GREEN_QUEUE_FIFO, 1);
    struct job jobs[5];
    green_thread *t[5];
    void *i;
    (void)state;
    trace_clear();
    green_hub_stats before = stats_now();
    for (int n = 0; n < 5; n++) {
        jobs[n] = (struct job){q, n + 1};
        t[n] = green_spawn(put_one, &jobs[n]);
    }
    green_yield();
    assert_string_equal(trace, "1 ");
    assert_fails(green_queue_try_put(q, item(9)), EAGAIN);
    green_within(GREEN_MS)
        assert_fails(green_queue_put(q, item(9)), ETIMEDOUT);
    green_cancel(t[1]); /* its item goes with it */
    assert_int_equal(green_queue_get(q, &i), 1);
    assert_int_equal(value(i), 1);
    green_yield();
    assert_string_equal(trace, "1 3 ");
    assert_int_equal(green_queue_resize(q, 3), 0);
    green_yield();
    assert_string_equal(trace, "1 3 4 5 ");
    for (int n = 0; n < 5; n++)
        assert_int_equal(result_of(t[n]), n == 1 ? -ECANCELED : 0);
    for (long n = 3; n <= 5; n++) {
        assert_int_equal(green_queue_get(q, &i), 1);
        assert_int_equal(value(i), n);
    }
    assert_nothing_left(before);
    green_queue_free(q);
}

/* Scenarios 93-96: two leave the line, the putter is gone. */
static void test_getters_in_order(void **state)
{
    green_queue *q = green_queue_make(NULL);
    green_thread *t[5];
    void *i;
    (void)state;
    for (int n = 0; n < 5; n++)
        t[n] = green_spawn(get_one, q);
    green_yield();
    green_cancel(t[0]);
    green_cancel(t[2]);
    green_thread *dead = green_spawn(put_one, &(struct job){q, 1});
    assert_int_equal(result_of(dead), 0); /* its item is with t[1] */
    green_queue_put(q, item(2));
    green_queue_put(q, item(3));
    green_queue_put(q, item(4)); /* stays */
    green_cancel(t[4]);          /* too late */
    for (int n = 0, v = 1; n < 5; n++)
        assert_int_equal(result_of(t[n]), n == 0 || n == 2 ? -ECANCELED : v++);
    assert_int_equal(green_queue_get(q, &i), 1);
    assert_int_equal(value(i), 4);
    green_within(GREEN_MS)
        assert_fails(green_queue_get(q, &i), ETIMEDOUT);
    green_queue_put(q, item(5));
    assert_int_equal(green_queue_count(q), 1);
    green_queue_free(q);
}

/* Scenario 97: those before a getter see what it gets. */
static void test_peek(void **state)
{
    green_queue *q = green_queue_make(NULL);
    green_thread *t[5];
    void *i;
    (void)state;
    for (int n = 0; n < 3; n++)
        t[n] = green_spawn(peek_one, q);
    green_yield();
    green_queue_put(q, item(7));
    for (int n = 0; n < 3; n++)
        assert_int_equal(result_of(t[n]), 7);
    assert_int_equal(green_queue_get(q, &i), 1); /* it is still there */
    for (int n = 0; n < 5; n++) /* those before the first getter see what it gets */
        t[n] = green_spawn(n == 2 ? get_one : peek_one, q);
    green_yield();
    green_queue_put(q, item(8));
    green_yield();
    assert_int_equal(green_queue_count(q), 0);
    green_queue_put(q, item(9));
    for (int n = 0; n < 5; n++)
        assert_int_equal(result_of(t[n]), n <= 2 ? 8 : 9);
    assert_int_equal(green_queue_count(q), 1);
    green_queue_free(q);
}

static int count_turns(void *turns)
{
    while (green_yield() == 0)
        ++*(int *)turns;
    return 0;
}

/* Scenario 53: who always finds room, or an item, lets others run. */
static void test_busy(void **state)
{
    green_queue *q = green_queue_make(NULL);
    int turns = 0;
    void *i;
    (void)state;
    green_thread *t = green_spawn(count_turns, &turns);
    for (int n = 0; n < 10 * OPS_SLICE; n++)
        assert_int_equal(n % 2 ? green_queue_put(q, item(n)) : green_queue_try_put(q, item(n)), 0);
    assert_in_range(turns, 9, 11);
    for (int n = 0; n < 10 * OPS_SLICE; n++)
        assert_int_equal(n % 2 ? green_queue_get(q, &i) : green_queue_try_get(q, &i), 1);
    assert_in_range(turns, 18, 22);
    assert_int_equal(green_kill(t, NULL), 0);
    green_queue_free(q);
}

/* Scenario 99: counted, too often, too early. */
static void test_join(void **state)
{
    green_queue *q = green_queue_make(NULL);
    void *i;
    (void)state;
    assert_int_equal(green_queue_join(q), 0);
    assert_fails(green_queue_task_done(q), EINVAL);
    green_queue_put(q, item(1));
    green_queue_put(q, item(2));
    green_thread *t = green_spawn(await_done, q), *c = green_spawn(await_done, q),
                 *u = green_spawn(await_done, q);
    green_within(0)
        assert_fails(green_queue_join(q), ETIMEDOUT);
    assert_fails(green_queue_task_done(q), EINVAL); /* nothing was taken yet */
    green_queue_get(q, &i);
    green_queue_get(q, &i);
    assert_fails(green_queue_try_get(q, &i), EAGAIN);
    assert_int_equal(green_queue_task_done(q), 0);
    green_yield();
    green_cancel(c);
    assert_int_equal(result_of(c), -ECANCELED);
    assert_int_equal(green_queue_task_done(q), 0);
    assert_int_equal(result_of(t), 0);
    assert_int_equal(result_of(u), 0);
    assert_int_equal(result_of(green_spawn(await_done_cancelled, q)), -ECANCELED);
    assert_fails(green_queue_task_done(q), EINVAL);
    green_queue_free(q);
}

static long dropped;

static void drop(void *i)
{
    dropped += value(i);
}

/* Scenario 100: drained and at once; both sides. */
static void test_shutdown(void **state)
{
    void *i;
    (void)state;
    for (int immediate = 0; immediate <= 1; immediate++) {
        green_queue *q = green_queue_make(&(green_queue_options){.limit = 2, .discard = drop});
        green_queue *e = green_queue_make(NULL);
        dropped = 0;
        green_queue_put(q, item(1));
        green_queue_put(q, item(2));
        green_thread *p = green_spawn(put_one, &(struct job){q, 3}), *g = green_spawn(get_one, e);
        green_thread *k = green_spawn(peek_one, e), *j = green_spawn(await_done, q);
        green_yield();
        assert_int_equal(green_queue_shutdown(q, immediate), 0);
        assert_int_equal(green_queue_shutdown(e, immediate), 0);
        assert_int_equal(result_of(p), -ESHUTDOWN);
        assert_int_equal(result_of(g), 0);
        assert_int_equal(result_of(k), 0);
        assert_fails(green_queue_put(q, item(4)), ESHUTDOWN);
        for (long n = 1; !immediate && n <= 2; n++) {
            assert_int_equal(green_queue_get(q, &i), 1);
            assert_int_equal(value(i), n);
            assert_int_equal(green_queue_task_done(q), 0);
        }
        assert_int_equal(green_queue_get(q, &i), 0);
        assert_int_equal(green_queue_try_peek(q, &i), 0);
        assert_int_equal(result_of(j), 0);
        assert_int_equal(dropped, immediate ? 3 : 0);
        green_queue_shutdown(q, true);
        green_queue_free(q);
        green_queue_free(e);
    }
    dropped = 0;
    green_queue *q = green_queue_make(&(green_queue_options){.discard = drop});
    green_queue_put(q, item(5));
    green_queue_free(q);
    assert_int_equal(dropped, 5);
    green_queue_free(NULL);
}

/* ---- a callback of the loop puts, and cannot wait ---- */

static struct {
    green_queue *empty, *full; /* with a getter there, a putter here */
    bool as_it_should;
} served;

static void serve_in_callback(evutil_socket_t fd, short what, void *arg)
{
    void *i = NULL;
    (void)fd, (void)what, (void)arg;
    bool put = green_queue_try_put(served.empty, item(5)) == 0;
    bool waits = green_queue_get(served.empty, &i) == 1 || errno != EDEADLK;
    served.as_it_should = put && !waits && green_queue_try_put(served.full, item(9)) < 0 &&
                          errno == EAGAIN && green_queue_try_get(served.full, &i) == 1 &&
                          value(i) == 1;
}

/* Scenario 98: a callback puts and takes, which lets others go on, and cannot wait. */
static void test_callback_of_the_loop(void **state)
{
    struct timeval soon = {0, 1000};
    void *i = NULL;
    (void)state;
    served.empty = green_queue_make(NULL);
    served.full = queue_of(GREEN_QUEUE_FIFO, 1);
    assert_int_equal(green_queue_put(served.full, item(1)), 0);
    event_base_once(green_hub_event_base(), -1, EV_TIMEOUT, serve_in_callback, NULL, &soon);
    green_thread *t = green_spawn(put_one, &(struct job){served.full, 2});
    assert_int_equal(green_queue_get(served.empty, &i), 1);
    assert_int_equal(value(i), 5);
    assert_true(served.as_it_should);
    assert_int_equal(result_of(t), 0);
    assert_int_equal(green_queue_get(served.full, &i), 1);
    assert_int_equal(value(i), 2);
    green_queue_free(served.empty);
    green_queue_free(served.full);
}

/* ---- no memory: the call says so, and nothing is lost ---- */

/* Scenario 103: a put that fails harms nobody else: the next in line goes on. */
static void test_no_memory(void **state)
{
    void *i;
    (void)state;
    green_yield(); /* the hub is there */
    long before = held;
    fuse = 0;
    errno = 0;
    assert_null(green_queue_make(NULL));
    assert_int_equal(errno, ENOMEM);
    fuse = 0;
    errno = 0;
    assert_null(green_chan_make(8, 8));
    assert_int_equal(errno, ENOMEM);
    green_queue *q = queue_of(GREEN_QUEUE_FIFO, 16);
    fuse = 0;
    assert_fails(green_queue_put(q, item(1)), ENOMEM);
    fuse = 0;
    assert_fails(green_select(GREEN_PUT(q, item(1)), GREEN_NEVER), ENOMEM);
    assert_int_equal(green_queue_count(q), 0);
    for (long n = 1; n <= 16; n++)
        assert_int_equal(green_queue_put(q, item(n)), 0);
    green_thread *t[2] = {green_spawn(put_by_select, &(struct job){q, 17}),
                          green_spawn(put_one, &(struct job){q, 18})};
    green_yield();
    fuse = 0; /* resize has to grow: the first in line learns that it failed */
    assert_int_equal(green_queue_resize(q, 0), 0);
    assert_int_equal(result_of(t[0]), -ENOMEM);
    assert_int_equal(result_of(t[1]), 0);
    for (long n = 1; n <= 17; n++) {
        assert_int_equal(green_queue_get(q, &i), 1);
        assert_int_equal(value(i), n < 17 ? n : 18);
    }
    assert_fails(green_queue_try_get(q, &i), EAGAIN);
    green_queue_free(q);
    assert_int_equal(held, before);
}

static int allocations, inside;

static void watch_guards(void)
{
    allocations++;
    inside += self_hub()->guarding != 0;
}

/* Other OS threads spin while one is inside the guard: it must not allocate there. */
static void test_grows_outside_the_guard(void **state)
{
    (void)state;
    green_queue *q = queue_of(GREEN_QUEUE_FIFO, 100);
    green_thread *t[40];
    struct job jobs[40];
    watcher = watch_guards;
    for (long n = 0; n < 100; n++)
        assert_int_equal(green_queue_put(q, item(n)), 0);
    watcher = NULL; /* spawning allocates, too */
    for (int n = 0; n < 40; n++) {
        jobs[n] = (struct job){q, 100 + n};
        t[n] = green_spawn(put_one, &jobs[n]);
    }
    green_yield();
    watcher = watch_guards;
    assert_int_equal(green_queue_resize(q, 139), 0);
    watcher = NULL;
    assert_int_equal(green_queue_count(q), 139);
    assert_true(allocations >= 5);
    assert_int_equal(inside, 0);
    void *i;
    for (long n = 0; n < 140; n++) {
        assert_int_equal(green_queue_get(q, &i), 1);
        assert_int_equal(value(i), n);
    }
    for (int n = 0; n < 40; n++)
        assert_int_equal(result_of(t[n]), 0);
    green_queue_free(q);
}

/* ---- two hubs: each item is taken once; some give up ---- */

enum { ROUNDS = 3000, PAIRS = 2 };
static long put_count, put_sum, got_count, got_sum;

static int produce(void *queue)
{
    for (long n = 1; n <= ROUNDS; n++) {
        int err = 0;
        green_within(n % 7 == 0 ? 20 * GREEN_US : INT64_MAX)
            err = green_queue_put(queue, item(n));
        if (err < 0 && errno != ETIMEDOUT)
            return -1;
        if (err == 0) {
            __atomic_add_fetch(&put_count, 1, __ATOMIC_RELAXED);
            __atomic_add_fetch(&put_sum, n, __ATOMIC_RELAXED);
        }
    }
    return 0;
}

static int consume(void *queue)
{
    for (long n = 0;; n++) {
        void *i = NULL;
        int got = 0;
        green_within(n % 5 == 0 ? 20 * GREEN_US : INT64_MAX)
            got = n % 11 == 0 ? green_queue_peek(queue, &i) : green_queue_get(queue, &i);
        if (got == 0)
            return 0;
        if (got < 0 && errno != ETIMEDOUT)
            return -1;
        if (got < 0 || n % 11 == 0)
            continue;
        __atomic_add_fetch(&got_count, 1, __ATOMIC_RELAXED);
        __atomic_add_fetch(&got_sum, value(i), __ATOMIC_RELAXED);
        if (green_queue_task_done(queue) < 0)
            return -1;
    }
}

static void duel(green_queue_order order, size_t limit)
{
    green_queue *q = queue_of(order, limit);
    green_thread *producers[2 * PAIRS], *consumers[2 * PAIRS];
    green_hub_stats before = stats_now();
    assert_true(green_hubs(2) >= 2);
    green_hub *other = green_hub_next();
    if (other == green_hub_self())
        other = green_hub_next();
    green_spawn_options there = {.hub = other}, here = {.hub = NULL};
    put_count = put_sum = got_count = got_sum = 0;
    for (int i = 0; i < 2 * PAIRS; i++) {
        producers[i] = green_spawn_with(i % 2 ? &there : &here, produce, q);
        consumers[i] = green_spawn_with(i % 2 ? &here : &there, consume, q);
    }
    for (int i = 0; i < 2 * PAIRS; i++)
        assert_int_equal(result_of(producers[i]), 0);
    assert_int_equal(green_queue_join(q), 0);
    green_queue_shutdown(q, false);
    for (int i = 0; i < 2 * PAIRS; i++)
        assert_int_equal(result_of(consumers[i]), 0);
    assert_int_equal(put_count, got_count);
    assert_int_equal(put_sum, got_sum);
    assert_true(put_count > ROUNDS);
    assert_nothing_left(before);
    green_queue_free(q);
}

static void test_two_hubs(void **state)
{
    (void)state;
    duel(GREEN_QUEUE_FIFO, 3);
    duel(GREEN_QUEUE_LIFO, 2);
    duel(GREEN_QUEUE_PRIORITY, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_orders),
        cmocka_unit_test(test_grows),
        cmocka_unit_test(test_senseless_order),
        cmocka_unit_test(test_bound_and_resize),
        cmocka_unit_test(test_getters_in_order),
        cmocka_unit_test(test_peek),
        cmocka_unit_test(test_join),
        cmocka_unit_test(test_busy),
        cmocka_unit_test(test_shutdown),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_grows_outside_the_guard),
        cmocka_unit_test(test_callback_of_the_loop),
        cmocka_unit_test(test_two_hubs),
    };
    return cmocka_run_group_tests_name("queue", tests, NULL, NULL);
}
