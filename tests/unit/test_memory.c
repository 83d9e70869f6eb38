/* test_memory.c - every allocation of the engine fails once, one after the other: each call says
 * ENOMEM, nothing is lost, and the next one works. Linked with memory_get and memory_resize
 * wrapped. */
#include "unit.h"

#include "faults.h"
#include <fcntl.h>
#include <green/fd.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

static int echo_byte(void *arg)
{
    int fd = *(int *)arg;
    char c;
    if (green_recv(fd, &c, 1, 0) != 1 || green_send(fd, &c, 1, 0) != 1)
        return -1;
    return 0;
}

/* A life with a bit of everything, on an OS thread of its own so that its hub is made, too. NULL if
 * all went well; otherwise whatever failed said ENOMEM. */
static void *live(void *arg)
{
    int fd[2], result = -1, err = 0;
    char c = 'x';
    (void)arg;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) < 0)
        return "socketpair";
    errno = 0;
    green_spawn_options large = {.stack_size = 1 << 20};
    green_thread *t = green_spawn_with(&large, echo_byte, &fd[1]);
    if (t == NULL) {
        err = errno;
    } else {
        green_within(10 * GREEN_SEC) {
            struct pollfd p[20];
            for (int i = 0; i < 20; i++)
                p[i] = (struct pollfd){fd[0], POLLOUT, 0};
            p[0].events = POLLIN;
            if (green_poll(p, 1, 1) < 0)
                err = errno;
            for (int i = 0; i < 20; i++)
                p[i].events = POLLIN;
            if (green_poll(p, 20, 1) < 0)
                err = errno;
            if (green_send(fd[0], &c, 1, 0) < 0 || green_recv(fd[0], &c, 1, 0) < 0)
                err = errno;
            if (green_join(t, &result) < 0 && err == 0)
                err = errno;
        }
        if (result < 0 && err == 0)
            err = ENOMEM; /* the thread's own call failed: it said so by its result */
    }
    green_close(fd[0]);
    green_close(fd[1]);
    return err == 0 ? NULL : err == ENOMEM ? "ENOMEM" : strerror(err);
}

static const char *live_once(void)
{
    pthread_t thread;
    void *why = "no thread";
    assert_int_equal(pthread_create(&thread, NULL, live, NULL), 0);
    assert_int_equal(pthread_join(thread, &why), 0);
    return why;
}

static void test_each_allocation_fails_once(void **state)
{
    int failures = 0;
    (void)state;
    fuse = -1;
    assert_null(live_once());
    long before = held;
    int flags = fcntl(STDIN_FILENO, F_GETFD); /* 0: a descriptor that was never opened */
    for (int n = 0;; n++) {
        fuse = n;
        const char *why = live_once();
        bool reached = fuse < 0;
        fuse = -1;
        assert_int_equal(held, before);
        assert_int_equal(fcntl(STDIN_FILENO, F_GETFD), flags);
        if (why != NULL) {
            assert_string_equal(why, "ENOMEM");
            failures++;
        }
        if (!reached)
            break;
    }
    assert_true(failures >= 4); /* the hub, its parts, a slab, poll's list */
    assert_null(live_once());
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_allocation_fails_once)};
    return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
