/* test_channel.c - channels, on one hub and between two. */
#include "trace.h"
#include "unit.h"

#include <green/channel.h>
#include <pthread.h>

struct job {
    green_chan *chan;
    int from;
    int count;
};

static int send_some(void *arg)
{
    struct job *j = arg;
    for (int v = j->from; v < j->from + j->count; v++) {
        if (green_chan_send(j->chan, &v) < 0)
            return -errno;
        note("s%d ", v);
    }
    return 0;
}

static int receive_some(void *arg)
{
    struct job *j = arg;
    int v;
    for (int i = 0; i < j->count; i++) {
        int got = green_chan_recv(j->chan, &v);
        if (got <= 0)
            return got < 0 ? -errno : i;
        note("r%d ", v);
    }
    return j->count;
}

static int result_of(green_thread *t)
{
    int result = -1;
    assert_int_equal(green_join(t, &result), 0);
    return result;
}

/* ---- rendezvous ---- */

/* Scenario 101: the sender comes first, the receiver comes first. */
static void test_rendezvous_interleaving(void **state)
{
    green_chan c = GREEN_CHAN_INIT(sizeof(int), 0, NULL);
    struct job j = {&c, 1, 3};
    int v = 0;
    (void)state;
    trace_clear();
    green_hub_stats before = stats_now();
    assert_fails(green_chan_try_recv(&c, &v), EAGAIN);
    assert_fails(green_chan_try_send(&c, &v), EAGAIN);
    /* the sender comes first: it waits for its value to be received */
    green_thread *s = green_spawn(send_some, &j);
    green_yield();
    assert_string_equal(trace, "");
    green_thread *r = green_spawn(receive_some, &j);
    assert_int_equal(result_of(r), 3);
    assert_int_equal(result_of(s), 0);
    assert_string_equal(trace, "r1 s1 s2 r2 r3 s3 ");
    /* the receiver comes first: it is handed the value, and a try finds it */
    r = green_spawn(receive_some, &(struct job){&c, 0, 1});
    green_yield();
    v = 7;
    assert_int_equal(green_chan_try_send(&c, &v), 0);
    assert_fails(green_chan_try_send(&c, &v), EAGAIN);
    assert_int_equal(result_of(r), 1);
    assert_nothing_left(before);
}

/* ---- buffered: order over the wrap, closing drains ---- */

static void test_buffered_and_close(void **state)
{
    green_chan *c = green_chan_make(sizeof(int), 3);
    int v;
    (void)state;
    assert_non_null(c);
    for (int round = 0; round < 5; round++) {
        for (v = 0; v < 3; v++)
            assert_int_equal(green_chan_send(c, &v), 0);
        assert_int_equal(green_chan_count(c), 3);
        assert_fails(green_chan_try_send(c, &v), EAGAIN);
        for (int i = 0; i < 3 - (round == 4); i++) {
            assert_int_equal(green_chan_recv(c, &v), 1);
            assert_int_equal(v, i);
        }
    }
    assert_int_equal(green_chan_close(c), 0);
    assert_int_equal(green_chan_close(c), 0);
    assert_fails(green_chan_send(c, &v), EPIPE);
    assert_int_equal(green_chan_recv(c, &v), 1); /* what is left */
    assert_int_equal(v, 2);
    assert_int_equal(green_chan_recv(c, &v), 0);
    assert_int_equal(green_chan_try_recv(c, &v), 0);
    green_chan_free(c);
}

static void test_close_wakes_both_sides(void **state)
{
    green_chan c = GREEN_CHAN_INIT(sizeof(int), 0, NULL), d = c;
    struct job in = {&c, 0, 1}, out = {&d, 0, 1};
    green_thread *t[4];
    (void)state;
    for (int i = 0; i < 4; i++)
        t[i] = i < 2 ? green_spawn(receive_some, &in) : green_spawn(send_some, &out);
    green_yield();
    green_chan_close(&c);
    green_chan_close(&d);
    for (int i = 0; i < 4; i++)
        assert_int_equal(result_of(t[i]), i < 2 ? 0 : -EPIPE);
}

/* ---- any size ---- */

static void test_sizes(void **state)
{
    (void)state;
    for (size_t size = 0; size <= 200; size += 1 + size / 3) {
        char in[200], out[201];
        green_chan *c = green_chan_make(size, 2);
        assert_non_null(c);
        memset(in, (int)size + 1, sizeof in);
        memset(out, 0, sizeof out);
        assert_int_equal(green_chan_send(c, in), 0);
        assert_int_equal(green_chan_recv(c, out), 1);
        assert_memory_equal(in, out, size);
        assert_int_equal(out[size], 0);
        green_chan_free(c);
    }
    errno = 0;
    assert_null(green_chan_make(SIZE_MAX / 2, 3));
    assert_int_equal(errno, ENOMEM);
    green_chan_free(NULL);
}

/* ---- in order, and who leaves takes nothing ---- */

/* Scenarios 93, 102: also when some of the line leave it. */
static void test_receivers_are_served_in_order(void **state)
{
    green_chan c = GREEN_CHAN_INIT(sizeof(int), 0, NULL);
    struct job one = {&c, 0, 1};
    green_thread *t[5];
    (void)state;
    trace_clear();
    for (int i = 0; i < 5; i++)
        t[i] = green_spawn(receive_some, &one);
    green_yield();
    green_cancel(t[0]);
    green_cancel(t[3]);
    for (int v = 1; v <= 3; v++)
        assert_int_equal(green_chan_send(&c, &v), 0);
    for (int i = 0; i < 5; i++)
        assert_int_equal(result_of(t[i]), i == 0 || i == 3 ? -ECANCELED : 1);
    assert_string_equal(trace, "r1 r2 r3 ");
}

/* Scenarios 94, 95: a value stays for who comes next. */
static void test_cancelled_receivers_take_nothing(void **state)
{
    int room;
    green_chan c = GREEN_CHAN_INIT(sizeof(int), 1, &room);
    struct job one = {&c, 0, 1};
    int v = 5;
    (void)state;
    green_thread *a = green_spawn(receive_some, &one), *b = green_spawn(receive_some, &one);
    green_yield();
    green_cancel(a);
    green_cancel(b);
    assert_int_equal(green_chan_send(&c, &v), 0); /* stays in the channel */
    assert_int_equal(green_chan_count(&c), 1);
    assert_int_equal(result_of(a), -ECANCELED);
    assert_int_equal(result_of(b), -ECANCELED);
    assert_int_equal(green_chan_recv(&c, &v), 1);
    assert_int_equal(v, 5);
    green_within(GREEN_MS)
        assert_fails(green_chan_recv(&c, &v), ETIMEDOUT);
    assert_true(green_expired());
    assert_int_equal(green_chan_send(&c, &v), 0);
    green_within(0)
        assert_int_equal(green_chan_recv(&c, &v), 1); /* ready: needs no waiting */
}

/* Scenario 94: what was handed over is not lost when the receiver is cancelled before it runs. */
static void test_handed_over_then_cancelled(void **state)
{
    green_chan c = GREEN_CHAN_INIT(sizeof(int), 0, NULL);
    struct job one = {&c, 0, 1};
    int v = 9;
    (void)state;
    green_thread *t = green_spawn(receive_some, &one);
    green_yield();
    assert_int_equal(green_chan_send(&c, &v), 0);
    green_cancel(t);
    assert_int_equal(result_of(t), 1);
}

/* Scenario 102: its value goes with it. */
static void test_sender_leaves(void **state)
{
    green_chan c = GREEN_CHAN_INIT(sizeof(int), 0, NULL);
    struct job dead = {&c, 1, 1}, alive = {&c, 2, 1};
    int v = 0;
    (void)state;
    green_thread *a = green_spawn(send_some, &dead), *b = green_spawn(send_some, &alive);
    green_yield();
    green_cancel(a); /* its value goes with it */
    assert_int_equal(green_chan_recv(&c, &v), 1);
    assert_int_equal(v, 2);
    assert_int_equal(result_of(a), -ECANCELED);
    assert_int_equal(result_of(b), 0);
    green_within(GREEN_MS)
        assert_fails(green_chan_send(&c, &v), ETIMEDOUT);
    assert_fails(green_chan_try_recv(&c, &v), EAGAIN);
}

static int receive_all(void *chan)
{
    int v, n = 0;
    while (green_chan_recv(chan, &v) > 0)
        n++;
    return errno == ECANCELED ? n : -1;
}

/* A loop that always finds values ends by cancellation, and lets others run. */
static void test_busy_loop_is_cancelled(void **state)
{
    green_chan *c = green_chan_make(sizeof(int), 1000);
    (void)state;
    for (int i = 0; i < 1000; i++)
        green_chan_send(c, &i);
    green_thread *t = green_spawn(receive_all, c);
    green_yield();
    assert_true(green_chan_count(c) > 0);
    green_cancel(t);
    int n = result_of(t);
    assert_int_equal(n + (int)green_chan_count(c), 1000);
    green_chan_free(c);
}

static int count_turns(void *turns)
{
    while (green_yield() == 0)
        ++*(int *)turns;
    return 0;
}

/* Scenario 53: who always finds room lets others run. */
static void test_busy_sender(void **state)
{
    green_chan *c = green_chan_make(sizeof(int), 1000);
    int turns = 0;
    (void)state;
    green_thread *t = green_spawn(count_turns, &turns);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(i % 2 ? green_chan_send(c, &i) : green_chan_try_send(c, &i), 0);
    assert_in_range(turns, 10, 20);
    assert_int_equal(green_kill(t, NULL), 0);
    green_chan_free(c);
}

/* ---- two hubs: every value arrives once; some give up on the way ---- */

enum { ROUNDS = 3000, PAIRS = 3 };
static long sent_sum, received_sum;
static long sent_count, received_count;

static int pour(void *chan)
{
    for (long i = 1; i <= ROUNDS; i++) {
        int err = 0;
        green_within(i % 7 == 0 ? 20 * GREEN_US : INT64_MAX)
            err = green_chan_send(chan, &i);
        if (err < 0 && errno != ETIMEDOUT)
            return -1;
        if (err == 0) {
            __atomic_add_fetch(&sent_sum, i, __ATOMIC_RELAXED);
            __atomic_add_fetch(&sent_count, 1, __ATOMIC_RELAXED);
        }
    }
    return 0;
}

static int drink(void *chan)
{
    for (long i = 0;; i++) {
        long v = 0;
        int got = 0;
        green_within(i % 5 == 0 ? 20 * GREEN_US : INT64_MAX)
            got = green_chan_recv(chan, &v);
        if (got == 0)
            return 0;
        if (got < 0 && errno != ETIMEDOUT)
            return -1;
        if (got > 0) {
            __atomic_add_fetch(&received_sum, v, __ATOMIC_RELAXED);
            __atomic_add_fetch(&received_count, 1, __ATOMIC_RELAXED);
        }
    }
}

static void duel(size_t capacity)
{
    green_thread *senders[2 * PAIRS], *receivers[2 * PAIRS];
    green_chan *c = green_chan_make(sizeof(long), capacity);
    green_hub_stats before = stats_now();
    assert_true(green_hubs(2) >= 2);
    green_hub *other = green_hub_next();
    if (other == green_hub_self())
        other = green_hub_next();
    green_spawn_options there = {.hub = other}, here = {.hub = NULL};
    sent_sum = received_sum = sent_count = received_count = 0;
    for (int i = 0; i < 2 * PAIRS; i++) {
        senders[i] = green_spawn_with(i % 2 ? &there : &here, pour, c);
        receivers[i] = green_spawn_with(i % 2 ? &here : &there, drink, c);
    }
    for (int i = 0; i < 2 * PAIRS; i++)
        assert_int_equal(result_of(senders[i]), 0);
    green_chan_close(c);
    for (int i = 0; i < 2 * PAIRS; i++)
        assert_int_equal(result_of(receivers[i]), 0);
    assert_int_equal(sent_count, received_count);
    assert_int_equal(sent_sum, received_sum);
    assert_true(sent_count > ROUNDS);
    assert_nothing_left(before);
    green_chan_free(c);
}

static void test_two_hubs(void **state)
{
    (void)state;
    duel(0);
    duel(1);
    duel(10);
}

static void *answer(void *arg)
{
    green_chan *c = arg;
    int v;
    while (green_chan_recv(&c[0], &v) > 0) {
        v++;
        green_chan_send(&c[1], &v);
    }
    return NULL;
}

static void test_plain_os_thread(void **state)
{
    green_chan c[2] = {GREEN_CHAN_INIT(sizeof(int), 0, NULL),
                       GREEN_CHAN_INIT(sizeof(int), 0, NULL)};
    pthread_t thread;
    int v = 0;
    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, answer, c), 0);
    for (int i = 0; i < 500; i++) {
        assert_int_equal(green_chan_send(&c[0], &v), 0);
        assert_int_equal(green_chan_recv(&c[1], &v), 1);
    }
    green_chan_close(&c[0]);
    pthread_join(thread, NULL);
    assert_int_equal(v, 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rendezvous_interleaving),
        cmocka_unit_test(test_buffered_and_close),
        cmocka_unit_test(test_close_wakes_both_sides),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_receivers_are_served_in_order),
        cmocka_unit_test(test_cancelled_receivers_take_nothing),
        cmocka_unit_test(test_handed_over_then_cancelled),
        cmocka_unit_test(test_sender_leaves),
        cmocka_unit_test(test_busy_loop_is_cancelled),
        cmocka_unit_test(test_busy_sender),
        cmocka_unit_test(test_two_hubs),
        cmocka_unit_test(test_plain_os_thread),
    };
    return cmocka_run_group_tests_name("channel", tests, NULL, NULL);
}
