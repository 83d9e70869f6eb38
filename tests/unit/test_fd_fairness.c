/* test_fd_fairness.c - who always finds data, or never waits for any, does not starve the others.
 */
#include "fd_pairs.h"

#include "hub.h"

struct hog {
    int fd;
    bool stop;
    long reads;
};

static int hog(void *arg)
{
    struct hog *h = arg;
    char c;
    while (!h->stop && green_recv(h->fd, &c, 1, MSG_PEEK) == 1)
        h->reads++;
    return 0;
}

/* Scenarios 54, 137: sleepers are on time beside an always ready socket. */
static void test_ready_socket_does_not_starve(void **state)
{
    int fd[2];
    (void)state;
    tcp_pair(fd);
    assert_int_equal(green_send(fd[0], "x", 1, 0), 1);
    struct hog h = {.fd = fd[1]};
    green_thread *t = green_spawn(hog, &h);
    for (int i = 0; i < 5; i++) {
        int64_t used = cpu_time();
        assert_int_equal(green_sleep(GREEN_MS), 0);
        assert_true(cpu_time() - used < 200 * GREEN_MS);
    }
    green_within(5 * GREEN_MS) /* an always-ready caller notices its own deadline, too */
        hog(&h);
    assert_true(green_expired());
    h.stop = true;
    assert_int_equal(green_join(t, NULL), 0);
    close_pair(fd);
}

/* Scenarios 54, 137: the loop is polled after each slice, however long its calls take. */
static void test_slices_end_with_a_poll(void **state)
{
    enum { SLICES = 16 };
    int fd[2];
    char c;
    (void)state;
    unix_pair(fd);
    assert_int_equal(green_send(fd[0], "x", 1, 0), 1);
    green_hub_stats before = stats_now();
    for (int i = 0; i < SLICES * OPS_SLICE; i++)
        assert_int_equal(green_recv(fd[1], &c, 1, MSG_PEEK), 1);
    assert_in_range(stats_now().polls - before.polls, SLICES - 1, SLICES + 1);
    before = stats_now();
    for (int i = 0; i < SLICES * OPS_SLICE; i++)
        assert_int_equal(green_recv(fd[1], &c, 1, MSG_PEEK | MSG_DONTWAIT), 1);
    assert_in_range(stats_now().polls - before.polls, SLICES - 1, SLICES + 1);
    close_pair(fd);
}

/* Scenario 137: large reads use a slice up sooner. */
static void test_bytes_count_too(void **state)
{
    enum { SLICES = 8, SIZE = 32 * 1024, CALLS = OPS_SLICE / 3 + 1 };
    static char buf[SIZE];
    int fd[2];
    (void)state;
    unix_pair(fd);
    assert_int_equal(green_send(fd[0], buf, SIZE, 0), SIZE);
    green_hub_stats before = stats_now();
    for (int i = 0; i < SLICES * CALLS; i++)
        assert_int_equal(green_recv(fd[1], buf, SIZE, MSG_PEEK), SIZE);
    assert_in_range(stats_now().polls - before.polls, SLICES - 1, SLICES + 1);
    close_pair(fd);
}

static int yield_until(void *stop)
{
    while (!*(bool *)stop)
        green_yield();
    return 0;
}

static int write_after_turns(void *fd)
{
    for (int i = 0; i < 1000; i++)
        green_yield();
    return write(*(int *)fd, "x", 1) == 1 ? 0 : -1;
}

/* Scenario 54: threads that only yield let descriptors through, too. */
static void test_spinners_do_not_starve(void **state)
{
    int fd[2], result = -1;
    bool stop = false;
    char c;
    (void)state;
    unix_pair(fd);
    green_thread *spinners[2] = {green_spawn(yield_until, &stop), green_spawn(yield_until, &stop)};
    green_thread *writer = green_spawn(write_after_turns, &fd[0]);
    green_hub_stats before = stats_now();
    assert_int_equal(green_read(fd[1], &c, 1), 1); /* waits, while all of them are ready */
    green_hub_stats after = stats_now();
    assert_true(after.polls - before.polls >= (after.switches - before.switches) / 66);
    stop = true;
    assert_int_equal(green_join(writer, &result), 0);
    assert_int_equal(result, 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(green_join(spinners[i], NULL), 0);
    close_pair(fd);
}

static int read_for_ever(void *arg)
{
    char c;
    while (green_recv(*(int *)arg, &c, 1, MSG_PEEK) == 1)
        continue;
    return errno;
}

/* A thread that never blocks is still cancelled, and its deadline holds. */
static void test_ready_socket_and_cancel(void **state)
{
    int fd[2], result = 0;
    (void)state;
    tcp_pair(fd);
    green_send(fd[0], "x", 1, 0);
    green_thread *t = green_spawn(read_for_ever, &fd[1]);
    green_yield();
    assert_int_equal(green_kill(t, &result), 0);
    assert_int_equal(result, ECANCELED);
    green_within(5 * GREEN_MS)
        assert_int_equal(read_for_ever(&fd[1]), ETIMEDOUT);
    close_pair(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ready_socket_does_not_starve),
        cmocka_unit_test(test_slices_end_with_a_poll),
        cmocka_unit_test(test_spinners_do_not_starve),
        cmocka_unit_test(test_bytes_count_too),
        cmocka_unit_test(test_ready_socket_and_cancel),
    };
    return cmocka_run_group_tests_name("fd_fairness", tests, NULL, NULL);
}
