/* test_accept.c - one listener in blocking mode that the threads of several hubs accept from, or
 * close. The look before the call is the library's, held up by the test: see __wrap_fd_look. */
#include "fd_pairs.h"

#include "fd.h"
#include <sched.h>
#include <stdatomic.h>

static atomic_int lookers; /* hubs that have just seen a connection */

static green_hub *far;          /* holds still after it has seen a connection, */
static atomic_bool held, go_on; /* until it may go on */

long __real_fd_look(struct pollfd *fds, nfds_t count);
long __wrap_fd_look(struct pollfd *fds, nfds_t count);

/* Who has seen a connection waits a little for others to see it, too. */
long __wrap_fd_look(struct pollfd *fds, nfds_t count)
{
    long r = __real_fd_look(fds, count);
    if (r > 0 && far != NULL) {
        if (green_hub_self() == far)
            for (held = true; !go_on;)
                sched_yield();
    } else if (r > 0) {
        int64_t end = green_now() + GREEN_MS;
        int n = ++lookers;
        while (lookers == n && green_now() < end)
            sched_yield();
    }
    return r;
}

struct crowd {
    int listener;
    atomic_int accepted;
    atomic_int ready; /* hubs */
};

static int accept_all(void *arg)
{
    struct crowd *c = arg;
    for (c->ready++;;) {
        int fd = green_accept(c->listener, NULL, NULL);
        if (fd < 0)
            return errno == ECANCELED ? 0 : -1;
        c->accepted++;
        green_close(fd);
    }
}

static void nothing(void *arg)
{
    (void)arg;
}

/* Scenario 131: one connection wakes the acceptors of all hubs; those it is not for go on. */
static void test_shared_listener(void **state)
{
    enum { HUBS = 4, ROUNDS = 100 };
    struct sockaddr_in addr;
    green_hub *hubs[HUBS];
    green_thread *acceptors[HUBS];
    struct crowd c = {.listener = tcp_listen(&addr)};
    (void)state;
    assert_true(green_hubs(HUBS) >= HUBS);
    for (int i = 0; i < HUBS; i++) {
        hubs[i] = green_hub_next();
        acceptors[i] = green_spawn_with(&(green_spawn_options){.hub = hubs[i]}, accept_all, &c);
        assert_non_null(acceptors[i]);
    }
    for (int i = 1; i <= fewer(ROUNDS); i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(green_connect(fd, (struct sockaddr *)&addr, sizeof addr), 0);
        green_within(20 * GREEN_SEC) {
            while (c.accepted < i)
                assert_int_equal(green_yield(), 0);
            for (int h = 0; h < HUBS; h++) /* one that the call has blocked does not answer */
                assert_int_equal(green_hub_run(hubs[h], nothing, NULL), 0);
        }
        green_close(fd);
        lookers = 0;
    }
    for (int i = 0; i < HUBS; i++) {
        int result = -1;
        assert_int_equal(green_kill(acceptors[i], &result), 0);
        assert_int_equal(result, 0);
    }
    green_close(c.listener);
}

static void choose_far(void)
{
    held = go_on = false;
    while ((far = green_hub_next()) == green_hub_self())
        continue;
}

static int accept_errno(void *listener)
{
    int fd = green_accept(*(int *)listener, NULL, NULL);
    return fd < 0 ? errno : green_close(fd);
}

/* Scenarios 126, 127: closed by another hub after a connection was seen, and the number means
 * another listener: accepting from that one would block the OS thread. */
static void test_replaced_listener(void **state)
{
    struct sockaddr_in addr;
    int result = 0, listener = tcp_listen(&addr);
    (void)state;
    assert_true(green_hubs(2) >= 2);
    choose_far();
    green_thread *t = green_spawn_with(&(green_spawn_options){.hub = far}, accept_errno, &listener);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof addr), 0);
    green_within(20 * GREEN_SEC)
        while (!held)
            assert_int_equal(green_yield(), 0);
    assert_int_equal(green_close(listener), 0);
    assert_int_equal(tcp_listen(&addr), listener);
    go_on = true;
    green_within(20 * GREEN_SEC)
        assert_int_equal(green_join(t, &result), 0);
    assert_int_equal(result, EBADF);
    far = NULL;
    green_close(fd);
    green_close(listener);
}

static int dial(const struct sockaddr_in *addr)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)addr, sizeof *addr), 0);
    return fd;
}

/* Scenario 131: another process has taken what a hub has seen, which is blocked then; the others
 * wait for it without standing still. */
static void test_other_process(void **state)
{
    struct sockaddr_in addr, others;
    int result = -1, listener = tcp_listen(&addr), other = tcp_listen(&others);
    (void)state;
    assert_true(green_hubs(2) >= 2);
    choose_far();
    green_thread *t = green_spawn_with(&(green_spawn_options){.hub = far}, accept_errno, &listener);
    int fd[] = {dial(&addr), dial(&others), -1};
    green_within(20 * GREEN_SEC)
        while (!held)
            assert_int_equal(green_yield(), 0);
    int taken = accept(listener, NULL, NULL);
    assert_true(taken >= 0);
    green_thread *patient = green_spawn(accept_errno, &other);
    go_on = true;
    for (int i = 0; i < 3; i++)
        assert_int_equal(green_sleep(GREEN_MS), 0);
    fd[2] = dial(&addr);
    assert_int_equal(green_join(t, &result), 0);
    assert_int_equal(result, 0);
    assert_int_equal(green_join(patient, &result), 0);
    assert_int_equal(result, 0);
    far = NULL;
    for (int i = 0; i < 3; i++)
        green_close(fd[i]);
    green_close(taken);
    green_close(listener);
    green_close(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shared_listener),
        cmocka_unit_test(test_other_process),
        cmocka_unit_test(test_replaced_listener),
    };
    return cmocka_run_group_tests_name("accept", tests, NULL, NULL);
}
