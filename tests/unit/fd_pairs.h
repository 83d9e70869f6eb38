/* fd_pairs.h - pairs of connected descriptors, and what moves through them: for the tests of
 * green/fd.h. */
#pragma once
#include "unit.h"

#include <fcntl.h>
#include <green/fd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <unistd.h>

/* Has a port of its own, where nobody listens. */
static inline int loopback_socket(int type, struct sockaddr_in *addr)
{
    socklen_t len = sizeof *addr;
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    *addr = (struct sockaddr_in){.sin_family = AF_INET};
    addr->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)addr, sizeof *addr), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)addr, &len), 0);
    return fd;
}

static inline int tcp_listen(struct sockaddr_in *addr)
{
    int fd = loopback_socket(SOCK_STREAM, addr);
    assert_int_equal(listen(fd, 128), 0);
    return fd;
}

static inline void tcp_pair(int fd[2])
{
    struct sockaddr_in addr;
    int l = tcp_listen(&addr);
    fd[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(green_connect(fd[0], (struct sockaddr *)&addr, sizeof addr), 0);
    fd[1] = green_accept4(l, NULL, NULL, SOCK_CLOEXEC);
    assert_true(fd[1] >= 0);
    green_close(l);
}

static inline void unix_pair(int fd[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
}

static inline void pipe_pair(int fd[2]) /* fd[0] is written, fd[1] read, as in the others */
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    fd[0] = ends[1];
    fd[1] = ends[0];
}

typedef void pair_fn(int fd[2]);
static pair_fn *const pairs[] = {tcp_pair, unix_pair, pipe_pair};

static inline void close_pair(int fd[2])
{
    assert_int_equal(green_close(fd[0]), 0);
    assert_int_equal(green_close(fd[1]), 0);
}

static inline void *close_it(void *fd)
{
    return green_close(*(int *)fd) == 0 ? NULL : "failed";
}

/* By an OS thread that has no hub; the word of it has yet to arrive in this one. */
static inline bool close_elsewhere(int fd)
{
    pthread_t thread;
    void *why = "not made";
    return pthread_create(&thread, NULL, close_it, &fd) == 0 && pthread_join(thread, &why) == 0 &&
           why == NULL;
}

struct flow {
    int fd;
    size_t bytes;
    size_t chunk;
    bool slow;   /* yield after each piece */
    bool broken; /* not the pattern that was sent */
};

static inline int drain(void *arg)
{
    struct flow *f = arg;
    char *buf = malloc(f->chunk); /* its own: a call may yield after it has filled it */
    unsigned char next = 0;
    ssize_t n;
    while ((n = green_read(f->fd, buf, f->chunk)) > 0) {
        for (ssize_t i = 0; i < n; i++)
            if ((unsigned char)buf[i] != next++)
                f->broken = true;
        f->bytes += (size_t)n;
        if (f->slow)
            green_yield();
    }
    int err = errno;
    free(buf);
    if (f->broken)
        return -1;
    return n < 0 ? -err : 0;
}

static inline char *pattern(size_t size)
{
    char *p = malloc(size + 1);
    assert_non_null(p);
    for (size_t i = 0; i < size; i++)
        p[i] = (char)(unsigned char)i;
    return p;
}

static inline int read_errno(void *arg)
{
    char c;
    return green_read(*(int *)arg, &c, 1) < 0 ? errno : 0;
}
