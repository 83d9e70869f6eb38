/* pthread_waits.c - poll and its kin, large writes, time-outs and the flag O_NONBLOCK. */
#include "pthread_semantics.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static void *write_later(void *arg)
{
    usleep(3000);
    CHECK(write(*(int *)arg, "x", 1) == 1);
    return NULL;
}

static void check_poll(void)
{
    int pair[2];
    char c;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    struct pollfd p = {pair[0], POLLIN, 0};
    fd_set set;
    int ep = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event ev = {.events = EPOLLIN, .data.fd = pair[0]};
    CHECK(epoll_ctl(ep, EPOLL_CTL_ADD, pair[0], &ev) == 0);
    pthread_t t = spawn(write_later, &pair[1]);
    CHECK(poll(&p, 1, 5) <= 1);
    CHECK(poll(&p, 1, 10000) == 1 && p.revents == POLLIN);
    CHECK(read(pair[0], &c, 1) == 1);
    join(t);
    t = spawn(write_later, &pair[1]);
    FD_ZERO(&set);
    FD_SET(pair[0], &set);
    struct timeval tv = {10, 0};
    CHECK(select(pair[0] + 1, &set, NULL, NULL, &tv) == 1 && FD_ISSET(pair[0], &set));
    CHECK(read(pair[0], &c, 1) == 1);
    join(t);
    t = spawn(write_later, &pair[1]);
    CHECK(TEMP_FAILURE_RETRY(epoll_wait(ep, &ev, 1, 10000)) == 1 && ev.data.fd == pair[0]);
    CHECK(read(pair[0], &c, 1) == 1);
    join(t);
    CHECK(TEMP_FAILURE_RETRY(epoll_wait(ep, &ev, 1, 5)) == 0);
    close(ep), close(pair[0]), close(pair[1]);
}

static void *write_much(void *arg)
{
    size_t size = 4 << 20;
    char *data = malloc(size);
    memset(data, 'y', size);
    CHECK(write(*(int *)arg, data, size) == (ssize_t)size);
    free(data);
    close(*(int *)arg);
    return NULL;
}

/* A blocking write moves everything, however slow the reader. */
static void check_big_write(void)
{
    int pair[2];
    char buf[10000];
    size_t got = 0;
    ssize_t n;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    pthread_t t = spawn(write_much, &pair[1]);
    while ((n = read(pair[0], buf, sizeof buf)) > 0)
        got += (size_t)n;
    CHECK(got == 4 << 20);
    join(t);
    close(pair[0]);
}

static void *time_out(void *arg)
{
    char c;
    int fd = *(int *)arg;
    struct timeval tv = {0, 20000};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
    CHECK(TEMP_FAILURE_RETRY(recv(fd, &c, 1, 0)) == -1 && errno == EAGAIN);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    CHECK(recv(fd, &c, 1, 0) == -1 && errno == EAGAIN);
    return NULL;
}

static void check_socket_timeout(void)
{
    int pair[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    join(spawn(time_out, &pair[0]));
    close(pair[0]), close(pair[1]);
}

static void *write_in_vain(void *arg)
{
    static char data[4 << 20];
    ssize_t n;
    do
        n = send(*(int *)arg, data, sizeof data, MSG_NOSIGNAL);
    while (n > 0);
    return (void *)(long)(n == 0 ? 0 : errno);
}

/* Whoever waits for room hears of the end, even in a unix socket. */
static void check_shutdown(void)
{
    int pair[2], still = 0;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    pthread_t t = spawn(write_in_vain, &pair[0]);
    for (int was = -1; was != still || still == 0; usleep(3000)) {
        was = still;
        CHECK(ioctl(pair[1], FIONREAD, &still) == 0);
    }
    CHECK(shutdown(pair[0], SHUT_WR) == 0);
    CHECK(join(t) == (void *)EPIPE);
    close(pair[0]), close(pair[1]);
}

static void *read_one(void *arg)
{
    char c;
    return (void *)(long)(read(*(int *)arg, &c, 1) == 1 ? 0 : errno);
}

static void check_waits(int *pair)
{
    pthread_t reader = spawn(read_one, &pair[0]), writer = spawn(write_later, &pair[1]);
    CHECK(join(reader) == NULL);
    join(writer);
}

static void check_fails_at_once(int *pair)
{
    CHECK(join(spawn(read_one, &pair[0])) == (void *)EAGAIN);
}

/* The flag holds at once: by fcntl, by ioctl, by way of a duplicate. */
static void check_nonblocking(void)
{
    int pair[2], off = 0, on = 1;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    int same_socket = dup(pair[0]);
    check_waits(pair);
    CHECK(fcntl(pair[0], F_SETFL, O_RDWR | O_NONBLOCK) == 0);
    check_fails_at_once(pair);
    CHECK(ioctl(pair[0], FIONBIO, &off) == 0);
    check_waits(pair);
    CHECK(ioctl(same_socket, FIONBIO, &on) == 0);
    check_fails_at_once(pair);
    close(same_socket), close(pair[0]), close(pair[1]);
}

const struct check waits[] = {
    {"poll", check_poll},
    {"big_write", check_big_write},
    {"socket_timeout", check_socket_timeout},
    {"nonblocking", check_nonblocking},
    {"shutdown", check_shutdown},
    {NULL, NULL},
};
