/* test_fork_accept.c - a fork while another hub is about to accept from a listener in blocking
 * mode. The look before the call is the library's, held up by the test: see __wrap_fd_look. */
#include "fd_pairs.h"
#include "forks.h"

#include "fd.h"
#include <sched.h>
#include <stdatomic.h>

static atomic_bool held, may_go;
static green_hub *far;

long __real_fd_look(struct pollfd *fds, nfds_t count);
long __wrap_fd_look(struct pollfd *fds, nfds_t count);

/* The other hub, having seen a connection, waits for the fork. */
long __wrap_fd_look(struct pollfd *fds, nfds_t count)
{
    long r = __real_fd_look(fds, count);
    if (r > 0 && far != NULL && green_hub_self() == far)
        for (held = true; !may_go;)
            sched_yield();
    return r;
}

static int accept_one(void *listener)
{
    int fd = green_accept(*(int *)listener, NULL, NULL);
    return fd < 0 ? -1 : green_close(fd);
}

static int dial(const struct sockaddr_in *addr)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return green_connect(fd, (const struct sockaddr *)addr, sizeof *addr) < 0 ? -1 : fd;
}

/* With several hubs of its own, or else it would not look who is accepting. */
static int accept_in_child(void)
{
    struct sockaddr_in addr;
    alarm(40); /* who waits for an OS thread that is not there hears of nothing else */
    far = NULL;
    must(green_hubs(2) >= 2);
    int listener = tcp_listen(&addr), fd = dial(&addr);
    must(fd >= 0 && accept_one(&listener) == 0);
    return 0;
}

/* Scenarios 131, 157: the child accepts, whatever the parent's OS threads were doing. */
static void test_amid_an_accept(void **state)
{
    struct sockaddr_in addr;
    int result = -1, listener = tcp_listen(&addr);
    (void)state;
    assert_true(green_hubs(2) >= 2);
    while ((far = green_hub_next()) == green_hub_self())
        continue;
    green_thread *t = green_spawn_with(&(green_spawn_options){.hub = far}, accept_one, &listener);
    assert_non_null(t);
    int fd = dial(&addr);
    assert_true(fd >= 0);
    wait_for(held);
    in_child(accept_in_child);
    may_go = true;
    assert_int_equal(green_join(t, &result), 0);
    assert_int_equal(result, 0);
    green_close(fd);
    green_close(listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_amid_an_accept),
    };
    parent = getpid();
    return cmocka_run_group_tests_name("fork_accept", tests, NULL, NULL);
}
