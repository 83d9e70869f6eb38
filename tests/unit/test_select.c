/* test_select.c - green_select, on one hub and between two. */
#include "unit.h"

#include <fcntl.h>
#include <green/fd.h>
#include <green/select.h>
#include <unistd.h>

static green_chan channel(void)
{
    return (green_chan)GREEN_CHAN_INIT(sizeof(int), 0, NULL);
}

static int result_of(green_thread *t)
{
    int result = -1;
    assert_int_equal(green_join(t, &result), 0);
    return result;
}

struct job {
    green_chan *chan;
    int value;
};

static int send_one(void *arg)
{
    struct job *j = arg;
    return green_chan_send(j->chan, &j->value) < 0 ? -errno : 0;
}

static int receive_one(void *chan)
{
    int v = -1;
    return green_chan_recv(chan, &v) > 0 ? v : -1;
}

/* Nobody stands in the channel's lines. */
static bool idle(const green_chan *c)
{
    return c->senders.first == NULL && c->receivers.first == NULL;
}

/* ---- what is ready happens at once ---- */

static void test_ready_cases(void **state)
{
    green_chan a = channel(), b = channel();
    int v = 0, w = 7;
    (void)state;
    green_hub_stats before = stats_now();
    assert_int_equal(green_select(GREEN_RECV(&a, &v), GREEN_SEND(&b, &w), GREEN_DEFAULT), 2);
    green_thread *s = green_spawn(send_one, &(struct job){&a, 5}),
                 *r = green_spawn(receive_one, &b);
    green_yield();
    assert_int_equal(green_select(GREEN_RECV(&a, &v), GREEN_RECV(NULL, &v)), 0);
    assert_int_equal(v, 5);
    assert_int_equal(green_select(GREEN_RECV(&a, &v), GREEN_SEND(&b, &w)), 1);
    assert_int_equal(result_of(s), 0);
    assert_int_equal(result_of(r), 7);
    assert_true(idle(&a) && idle(&b));
    assert_fails(green_select_cases(NULL, 0), EINVAL);
    assert_nothing_left(before);
}

static void test_fair_among_ready(void **state)
{
    int room[3], counts[4] = {0}, v;
    green_chan c[3];
    (void)state;
    for (int i = 0; i < 3; i++) {
        c[i] = (green_chan)GREEN_CHAN_INIT(sizeof(int), 1, &room[i]);
        green_chan_send(&c[i], &i);
    }
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    for (int i = 0; i < 4000; i++) {
        int which = green_select(GREEN_RECV(&c[0], &v), GREEN_RECV(&c[1], &v), GREEN_READABLE(fd),
                                 GREEN_RECV(&c[2], &v));
        assert_in_range(which, 0, 3);
        counts[which]++;
        if (which != 2)
            green_chan_send(&c[which == 3 ? 2 : which], &v);
    }
    for (int i = 0; i < 4; i++)
        assert_in_range(counts[i], 500, 2000);
    close(fd);
}

/* ---- waiting: whatever comes first ---- */

static void test_waits_for_either(void **state)
{
    green_chan a = channel(), b = channel();
    int v = 0, w = 3;
    (void)state;
    green_thread *s = green_spawn(send_one, &(struct job){&b, 9});
    assert_int_equal(green_select(GREEN_RECV(&a, &v), GREEN_RECV(&b, &v)), 1);
    assert_int_equal(v, 9);
    assert_int_equal(result_of(s), 0);
    green_thread *r = green_spawn(receive_one, &a);
    assert_int_equal(green_select(GREEN_RECV(&b, &v), GREEN_SEND(&a, &w)), 1);
    assert_int_equal(result_of(r), 3);
    assert_true(idle(&a) && idle(&b));
}

static int select_two(void *arg)
{
    green_chan *c = arg;
    int v = -1;
    int which = green_select(GREEN_RECV(&c[0], &v), GREEN_RECV(&c[1], &v));
    return which < 0 ? -errno : which * 10 + v;
}

/* Scenario 42: somebody sends on both before the selecting thread runs: one value stays. */
static void test_takes_only_one(void **state)
{
    green_chan c[2] = {channel(), channel()};
    int v = 1;
    (void)state;
    green_thread *t = green_spawn(select_two, c);
    green_yield();
    assert_int_equal(green_chan_try_send(&c[1], &v), 0);
    assert_fails(green_chan_try_send(&c[0], &v), EAGAIN); /* it is claimed */
    green_cancel(t);                                      /* too late: it has the value */
    assert_int_equal(result_of(t), 11);
    assert_true(idle(&c[0]) && idle(&c[1]));
}

/* Those in select and those in a plain call are in one line. */
static void test_stands_in_line(void **state)
{
    green_chan c[2] = {channel(), channel()};
    int v;
    (void)state;
    green_thread *first = green_spawn(receive_one, &c[0]), *second = green_spawn(select_two, c);
    green_thread *gone = green_spawn(select_two, c), *third = green_spawn(receive_one, &c[0]);
    green_yield();
    green_cancel(gone);
    for (v = 1; v <= 3; v++)
        assert_int_equal(green_chan_send(&c[0], &v), 0);
    assert_int_equal(result_of(first), 1);
    assert_int_equal(result_of(second), 2);
    assert_int_equal(result_of(third), 3);
    assert_int_equal(result_of(gone), -ECANCELED);
    assert_true(idle(&c[0]) && idle(&c[1]));
}

static int select_send(void *arg)
{
    green_chan *c = arg;
    int v = 4;
    return green_select(GREEN_SEND(&c[0], &v), GREEN_SEND(&c[1], &v));
}

static void test_both_ends_select(void **state)
{
    green_chan c[2] = {channel(), channel()};
    (void)state;
    for (int i = 0; i < 20; i++) {
        green_thread *s = green_spawn(select_send, c), *r = green_spawn(select_two, c);
        int which = result_of(s);
        assert_int_equal(result_of(r), which * 10 + 4);
        assert_true(idle(&c[0]) && idle(&c[1]));
    }
}

/* ---- time, deadlines, cancellation ---- */

static void test_time(void **state)
{
    green_chan a = channel();
    int v;
    (void)state;
    green_hub_stats before = stats_now();
    int64_t begin = green_now();
    assert_int_equal(
        green_select(GREEN_AFTER(3600 * GREEN_SEC), GREEN_RECV(&a, &v), GREEN_AFTER(2 * GREEN_MS)),
        2);
    assert_true(green_now() - begin >= 2 * GREEN_MS);
    green_within(GREEN_MS)
        assert_fails(green_select(GREEN_RECV(&a, &v), GREEN_AFTER(3600 * GREEN_SEC)), ETIMEDOUT);
    assert_true(green_expired());
    green_within(3600 * GREEN_SEC)
        assert_int_equal(green_select(GREEN_RECV(&a, &v), GREEN_AFTER(GREEN_MS)), 1);
    assert_false(green_expired());
    assert_true(idle(&a));
    green_thread *t = green_spawn(select_two, (green_chan[2]){channel(), channel()});
    green_cancel(t);
    assert_int_equal(result_of(t), -1); /* never ran */
    assert_true(stats_now().threads <= before.threads);
}

/* ---- closing ---- */

static int close_later(void *chan)
{
    green_yield();
    return green_chan_close(chan);
}

static void test_closed(void **state)
{
    green_chan a = channel(), b = channel();
    int v = 1, got = 1;
    (void)state;
    green_detach(green_spawn(close_later, &a));
    assert_int_equal(green_select(GREEN_RECV(&b, &v), GREEN_RECV_OK(&a, &v, &got)), 1);
    assert_int_equal(got, 0);
    assert_int_equal(v, 0);
    got = v = 1;
    assert_int_equal(green_select(GREEN_RECV_OK(&a, &v, &got)), 0);
    assert_int_equal(got, 0);
    assert_fails(green_select(GREEN_SEND(&a, &v)), EPIPE);
    green_detach(green_spawn(close_later, &b));
    assert_fails(green_select(GREEN_SEND(&b, &v)), EPIPE);
}

/* ---- descriptors ---- */

static int write_later(void *fd)
{
    green_yield();
    return write(*(int *)fd, "x", 1) == 1 ? 0 : -1;
}

static int close_fd(void *fd)
{
    return green_close(*(int *)fd);
}

/* Scenario 149: ready or not; closed while selected, and before. */
static void test_descriptors(void **state)
{
    green_chan a = channel();
    int fd[2], v, w = 2;
    char c;
    (void)state;
    assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
    green_hub_stats before = stats_now();
    assert_int_equal(green_select(GREEN_READABLE(fd[0]), GREEN_DEFAULT), 1);
    assert_int_equal(green_select(GREEN_READABLE(fd[0]), GREEN_WRITABLE(fd[1])), 1);
    for (int i = 0; i < 3; i++) {
        green_thread *t = green_spawn(write_later, &fd[1]);
        assert_int_equal(green_select(GREEN_RECV(&a, &v), GREEN_READABLE(fd[0])), 1);
        assert_int_equal(green_read(fd[0], &c, 1), 1);
        assert_int_equal(result_of(t), 0);
    }
    green_thread *r = green_spawn(receive_one, &a);
    assert_int_equal(green_select(GREEN_READABLE(fd[0]), GREEN_SEND(&a, &w)), 1);
    assert_int_equal(result_of(r), 2);
    green_detach(green_spawn(close_fd, &fd[0]));
    assert_fails(green_select(GREEN_RECV(&a, &v), GREEN_READABLE(fd[0])), EBADF);
    assert_fails(green_select(GREEN_RECV(&a, &v), GREEN_READABLE(fd[0])), EBADF);
    assert_true(idle(&a));
    green_close(fd[1]);
    assert_nothing_left(before);
}

static int close_and_replace(void *arg)
{
    int *fd = arg, new[2];
    if (green_close(fd[0]) < 0 || pipe2(new, O_CLOEXEC) < 0)
        return -1;
    fd[2] = new[1];
    return new[0] == fd[0] && write(new[1], "x", 1) == 1 ? 0 : -1;
}

/* Scenarios 127, 149: the number means another file, which is readable, before it looks again. */
static void test_reused_descriptor(void **state)
{
    green_chan a = channel();
    int fd[3], v;
    (void)state;
    green_hub_stats before = stats_now();
    assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
    green_thread *t = green_spawn(close_and_replace, fd);
    assert_fails(green_select(GREEN_RECV(&a, &v), GREEN_READABLE(fd[0])), EBADF);
    assert_int_equal(result_of(t), 0);
    assert_int_equal(green_select(GREEN_RECV(&a, &v), GREEN_READABLE(fd[0])), 1);
    for (int i = 0; i < 3; i++)
        green_close(fd[i]);
    assert_nothing_left(before);
}

/* An edge that is not for this case does not cost the place in a channel's line. */
static void test_edge_keeps_the_place(void **state)
{
    green_chan a = channel();
    int fd[2], v = 0;
    char c;
    (void)state;
    assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
    green_within(GREEN_MS)
        green_read(fd[0], &c, 1); /* registered */
    assert_int_equal(write(fd[1], "x", 1), 1);
    assert_int_equal(read(fd[0], &c, 1), 1); /* an edge is on its way, but there is nothing */
    green_thread *s = green_spawn(send_one, &(struct job){&a, 6});
    green_within(10 * GREEN_SEC)
        assert_int_equal(green_select(GREEN_READABLE(fd[0]), GREEN_RECV(&a, &v)), 1);
    assert_int_equal(v, 6);
    assert_int_equal(result_of(s), 0);
    green_close(fd[0]);
    green_close(fd[1]);
}

/* ---- ends of threads ---- */

static int end_after(void *rounds)
{
    for (intptr_t i = (intptr_t)rounds; i > 0; i--)
        green_yield();
    return 0;
}

/* Scenarios 40, 41: ends of threads, one of them over already. */
static void test_ends_in_order(void **state)
{
    green_thread *t[3] = {green_spawn(end_after, (void *)6), green_spawn(end_after, (void *)1),
                          green_spawn(end_after, (void *)3)};
    int order[3] = {1, 2, 0};
    green_case cases[3];
    (void)state;
    for (int n = 0; n < 3; n++) {
        for (int i = 0; i < 3; i++)
            cases[i] = t[i] != NULL ? GREEN_ENDED(t[i]) : GREEN_RECV(NULL, NULL);
        assert_int_equal(green_select_cases(cases, 3), order[n]);
        assert_int_equal(result_of(t[order[n]]), 0);
        t[order[n]] = NULL;
        green_yield();
    }
    t[0] = green_spawn(end_after, (void *)0);
    green_yield();
    assert_int_equal(green_select(GREEN_ENDED(t[0])), 0); /* already over */
    assert_int_equal(green_select_cases((green_case[]){GREEN_ENDED(t[0])}, 1), 0);
    assert_int_equal(result_of(t[0]), 0);
}

/* ---- two hubs: both ends select, some give up ---- */

enum { ROUNDS = 3000, PAIRS = 3, CHANNELS = 3 };
static green_chan field[CHANNELS];
static green_chan stop;
static long sent_count, sent_sum, received_count, received_sum;

static int fire(void *arg)
{
    (void)arg;
    for (long i = 1; i <= ROUNDS; i++) {
        int which = -1;
        green_within(i % 7 == 0 ? 20 * GREEN_US : INT64_MAX)
            which = green_select(GREEN_SEND(&field[0], &i), GREEN_SEND(&field[i % 3], &i),
                                 GREEN_SEND(&field[2], &i));
        if (which < 0 && errno != ETIMEDOUT)
            return -1;
        if (which >= 0) {
            __atomic_add_fetch(&sent_count, 1, __ATOMIC_RELAXED);
            __atomic_add_fetch(&sent_sum, i, __ATOMIC_RELAXED);
        }
    }
    return 0;
}

static int hit(void *arg)
{
    (void)arg;
    for (long i = 0;; i++) {
        long v = 0;
        int got, which;
        if (i % 3 == 0)
            which = green_select(GREEN_RECV(&field[2], &v), GREEN_RECV(&field[1], &v),
                                 GREEN_AFTER(20 * GREEN_US), GREEN_RECV_OK(&stop, NULL, &got));
        else
            which = green_select(GREEN_RECV(&field[0], &v), GREEN_RECV(&field[1], &v),
                                 GREEN_RECV(&field[2], &v), GREEN_RECV_OK(&stop, NULL, &got));
        if (which < 0)
            return -1;
        if (which == 3)
            return 0;
        if (v != 0) {
            __atomic_add_fetch(&received_count, 1, __ATOMIC_RELAXED);
            __atomic_add_fetch(&received_sum, v, __ATOMIC_RELAXED);
        }
    }
}

static void test_two_hubs(void **state)
{
    green_thread *senders[2 * PAIRS], *receivers[2 * PAIRS];
    (void)state;
    for (int i = 0; i < CHANNELS; i++)
        field[i] = (green_chan)GREEN_CHAN_INIT(sizeof(long), 0, NULL);
    stop = (green_chan)GREEN_CHAN_INIT(0, 0, NULL);
    green_hub_stats before = stats_now();
    assert_true(green_hubs(2) >= 2);
    green_hub *other = green_hub_next();
    if (other == green_hub_self())
        other = green_hub_next();
    green_spawn_options there = {.hub = other}, here = {.hub = NULL};
    for (int i = 0; i < 2 * PAIRS; i++) {
        senders[i] = green_spawn_with(i % 2 ? &there : &here, fire, NULL);
        receivers[i] = green_spawn_with(i % 2 ? &here : &there, hit, NULL);
    }
    for (int left = 2 * PAIRS; left > 0; left--) { /* ends of threads of both hubs */
        green_case ends[2 * PAIRS];
        for (int i = 0; i < 2 * PAIRS; i++)
            ends[i] = GREEN_ENDED(senders[i]);
        int which = green_select_cases(ends, 2 * PAIRS);
        assert_in_range(which, 0, 2 * PAIRS - 1);
        assert_int_equal(result_of(senders[which]), 0);
        senders[which] = NULL;
    }
    green_chan_close(&stop);
    for (int i = 0; i < 2 * PAIRS; i++)
        assert_int_equal(result_of(receivers[i]), 0);
    assert_int_equal(sent_count, received_count);
    assert_int_equal(sent_sum, received_sum);
    assert_true(sent_count > ROUNDS);
    for (int i = 0; i < CHANNELS; i++)
        assert_true(idle(&field[i]));
    assert_nothing_left(before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ready_cases),
        cmocka_unit_test(test_fair_among_ready),
        cmocka_unit_test(test_waits_for_either),
        cmocka_unit_test(test_takes_only_one),
        cmocka_unit_test(test_stands_in_line),
        cmocka_unit_test(test_both_ends_select),
        cmocka_unit_test(test_time),
        cmocka_unit_test(test_closed),
        cmocka_unit_test(test_descriptors),
        cmocka_unit_test(test_reused_descriptor),
        cmocka_unit_test(test_edge_keeps_the_place),
        cmocka_unit_test(test_ends_in_order),
        cmocka_unit_test(test_two_hubs),
    };
    return cmocka_run_group_tests_name("select", tests, NULL, NULL);
}
