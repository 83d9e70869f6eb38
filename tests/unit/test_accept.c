/* test_accept.c - one listener in blocking mode that the threads of several hubs accept from. The
 * look before the call is the library's, held up by the test: see __wrap_fd_look. */
#include "fd_pairs.h"

#include "fd.h"
#include <sched.h>
#include <stdatomic.h>

static atomic_int lookers; /* hubs that have just seen a connection */

long __real_fd_look(struct pollfd *fds, nfds_t count);
long __wrap_fd_look(struct pollfd *fds, nfds_t count);

/* Who has seen a connection waits a little for others to see it, too. */
long __wrap_fd_look(struct pollfd *fds, nfds_t count)
{
    long r = __real_fd_look(fds, count);
    if (r > 0) {
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shared_listener),
    };
    return cmocka_run_group_tests_name("accept", tests, NULL, NULL);
}
