/* test_poll.c - green_poll (green/fd.h). */
#include "fd_pairs.h"

#include "self.h"
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/time.h>

static int write_later(void *arg)
{
    green_sleep(2 * GREEN_MS);
    return green_write(*(int *)arg, "x", 1) == 1 ? 0 : -1;
}

/* Scenario 148: a thousand, times out, one that is not open. */
static void test_poll(void **state)
{
    enum { N = 1000 };
    static int fds[N][2];
    static struct pollfd polls[N];
    (void)state;
    green_hub_stats before = stats_now();
    struct rlimit limit, many;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_max < 2 * N + 100) {
        print_message("# skipped: no more than %llu descriptors here\n",
                      (unsigned long long)limit.rlim_max);
        return;
    }
    many = (struct rlimit){limit.rlim_max < 4096 ? limit.rlim_max : 4096, limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &many), 0);
    for (int i = 0; i < N; i++) {
        unix_pair(fds[i]);
        polls[i] = (struct pollfd){fds[i][1], POLLIN, 0};
    }
    assert_int_equal(green_poll(polls, N, 0), 0);
    assert_int_equal(green_poll(polls, N, 2), 0);
    green_within(2 * GREEN_MS)
        assert_fails(green_poll(polls, N, -1), ETIMEDOUT);
    for (int i = 0; i < N; i += N - 1) { /* the last is beyond what an fd_set has room for */
        green_thread *t = green_spawn(write_later, &fds[i][0]);
        char c;
        assert_int_equal(green_poll(polls, N, -1), 1);
        assert_int_equal(polls[i].revents, POLLIN);
        assert_int_equal(green_read(polls[i].fd, &c, 1), 1);
        assert_int_equal(green_join(t, NULL), 0);
    }
    assert_true(fds[N - 1][1] >= 1024);
    struct pollfd bad = {9999, POLLIN, 0};
    assert_int_equal(green_poll(&bad, 1, -1), 1);
    assert_int_equal(bad.revents, POLLNVAL);
    assert_int_equal(green_poll(NULL, 0, 1), 0);
    struct pollfd none[2] = {{-1, POLLIN, 7}, {fds[1][1], POLLIN, 7}}; /* -1 is skipped */
    assert_int_equal(green_poll(none, 2, 1), 0);
    assert_int_equal(none[0].revents | none[1].revents, 0);
    for (int i = 0; i < N; i++)
        close_pair(fds[i]);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_nothing_left(before);
}

/* Scenario 148: one descriptor several times, each with its question; beside an end, an error. */
static void test_poll_twice(void **state)
{
    int fd[2], gone[2];
    (void)state;
    green_hub_stats before = stats_now();
    unix_pair(fd);
    unix_pair(gone);
    green_close(gone[0]);
    struct pollfd p[4] = {
        {fd[1], POLLIN, 0}, {fd[1], POLLOUT, 0}, {fd[1], 0, 7}, {gone[1], POLLIN, 0}};
    assert_int_equal(green_poll(p, 3, -1), 1);
    assert_int_equal(p[1].revents, POLLOUT);
    assert_int_equal(p[0].revents | p[2].revents, 0);
    p[1].fd = p[2].fd = -2;
    green_thread *t = green_spawn(write_later, &fd[0]);
    assert_int_equal(green_poll(p, 3, -1000), 1); /* any negative time is none */
    assert_int_equal(p[0].revents, POLLIN);
    assert_int_equal(green_join(t, NULL), 0);
    assert_int_equal(green_poll(&p[3], 1, -1), 1);
    assert_int_equal(p[3].revents, POLLIN | POLLHUP);
    p[3].events = 0; /* an end is told unasked */
    assert_int_equal(green_poll(&p[3], 1, -1), 1);
    assert_int_equal(p[3].revents, POLLHUP);
    green_close(gone[1]);
    close_pair(fd);
    assert_nothing_left(before);
}

static int poll_errno(void *arg)
{
    struct pollfd p[2] = {{((int *)arg)[0], POLLIN, 0}, {((int *)arg)[1], POLLIN, 0}};
    int n = green_poll(p, 2, -1);
    return n < 0 ? -errno : n == 1 && p[1].revents == POLLNVAL ? 1 : 0;
}

/* Scenario 149: one of those polled is closed before, meanwhile, by another OS thread. */
static void test_poll_closed(void **state)
{
    int a[2], b[2], result;
    (void)state;
    green_hub_stats before = stats_now();
    for (int how = 0; how < 3; how++) {
        int watched[2];
        result = 0;
        unix_pair(a);
        unix_pair(b);
        watched[0] = a[1], watched[1] = b[1];
        if (how == 0)
            green_close(b[1]);
        green_thread *t = green_spawn(poll_errno, watched);
        green_yield();
        if (how == 1)
            green_close(b[1]);
        if (how == 2)
            assert_true(close_elsewhere(b[1]));
        assert_int_equal(green_join(t, &result), 0);
        assert_int_equal(result, 1);
        close_pair(a);
        green_close(b[0]);
    }
    assert_nothing_left(before);
}

/* Scenario 127: the number means another file before the thread that polls has run again, also if
 * something else wakes it before the word of the close is here. */
static void test_poll_reused(void **state)
{
    int a[2], b[2], other[2], result = 0;
    (void)state;
    green_hub_stats before = stats_now();
    for (int how = 0; how < 3; how++) {
        unix_pair(a);
        unix_pair(b);
        green_thread *t = green_spawn(poll_errno, (int[]){a[1], b[1]});
        green_yield();
        if (how == 2)
            assert_int_equal(green_shutdown(a[1], SHUT_WR), 0);
        assert_true(how > 0 ? close_elsewhere(b[1]) : green_close(b[1]) == 0);
        unix_pair(other);
        assert_int_equal(other[0], b[1]);
        assert_int_equal(green_join(t, &result), 0);
        assert_int_equal(result, 1);
        close_pair(a);
        close_pair(other);
        assert_int_equal(green_close(b[0]), 0);
    }
    assert_nothing_left(before);
}

static int count_turns(void *turns)
{
    while (green_yield() == 0)
        ++*(int *)turns;
    return 0;
}

/* Scenario 150: who polls what is always ready lets others run. */
static void test_ready_poll_yields(void **state)
{
    int fd[2], turns = 0;
    (void)state;
    unix_pair(fd);
    assert_int_equal(green_send(fd[0], "x", 1, 0), 1);
    green_thread *t = green_spawn(count_turns, &turns);
    for (int i = 0; i < 10 * OPS_SLICE; i++) {
        struct pollfd p = {fd[1], POLLIN, 0};
        assert_int_equal(green_poll(&p, 1, i % 2 ? -1 : 0), 1);
    }
    assert_true(turns >= 5);
    assert_int_equal(green_kill(t, NULL), 0);
    close_pair(fd);
}

static int poll_writable(void *arg)
{
    struct pollfd p = {*(int *)arg, POLLOUT, 0};
    return green_poll(&p, 1, -1) == 1 && p.revents == POLLOUT ? 0 : -1;
}

static void test_poll_writable(void **state)
{
    int fd[2], result = -1;
    static char buf[1 << 16];
    (void)state;
    unix_pair(fd);
    while (green_send(fd[0], buf, sizeof buf, MSG_DONTWAIT) > 0)
        continue;
    assert_int_equal(errno, EAGAIN);
    green_thread *t = green_spawn(poll_writable, &fd[0]);
    green_yield();
    while (green_recv(fd[1], buf, sizeof buf, MSG_DONTWAIT) > 0)
        continue;
    assert_int_equal(green_join(t, &result), 0);
    assert_int_equal(result, 0);
    close_pair(fd);
}

static atomic_int signals;

static void count_signal(int number)
{
    (void)number;
    signals++;
}

/* A listener with room for one, and nobody accepts; `address` gets where. */
static int listen_idly(struct sockaddr_in *address)
{
    socklen_t size = sizeof *address;
    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)address, size), 0);
    assert_int_equal(listen(fd, 0), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)address, &size), 0);
    return fd;
}

static int connect_at_once(const struct sockaddr_in *to)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), r = -1;
    green_within(0)
        r = green_connect(fd, (const struct sockaddr *)to, sizeof *to);
    int error = errno;
    assert_int_equal(green_close(fd), 0);
    errno = error;
    return r;
}

/* Scenarios 125, 148: a signal that comes during a look is no answer. */
static void test_signals(void **state)
{
    enum { ENOUGH = 1000 };
    const struct sigaction action = {.sa_handler = count_signal, .sa_flags = SA_RESTART};
    const struct itimerval often = {{0, 200}, {0, 200}}, never = {{0, 0}, {0, 0}};
    struct sockaddr_in full;
    int fd[2], listener = listen_idly(&full);
    (void)state;
    unix_pair(fd);
    int kept = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(kept, (struct sockaddr *)&full, sizeof full), 0);
    assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
    while (signals < ENOUGH) {
        struct pollfd p = {.fd = fd[0], .events = POLLIN};
        assert_int_equal(green_poll(&p, 1, 0), 0);
        assert_int_equal(green_select(GREEN_READABLE(fd[0]), GREEN_DEFAULT), 1);
        assert_fails(connect_at_once(&full), ETIMEDOUT);
    }
    assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
    signal(SIGALRM, SIG_IGN); /* valgrind may bring one late */
    assert_int_equal(green_close(kept), 0);
    assert_int_equal(green_close(listener), 0);
    close_pair(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_poll),
        cmocka_unit_test(test_poll_twice),
        cmocka_unit_test(test_poll_writable),
        cmocka_unit_test(test_poll_closed),
        cmocka_unit_test(test_ready_poll_yields),
        cmocka_unit_test(test_signals),
        cmocka_unit_test(test_poll_reused),
    };
    return cmocka_run_group_tests_name("poll", tests, NULL, NULL);
}
