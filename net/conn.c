/* conn.c - connections: what all classes share, and the class of plain sockets. See conn.h. */
#include "conn.h"
#include "error.h"
#include "fd.h"
#include "io.h"
#include "memory.h"
#include "self.h"
#include "sys.h"
#include <errno.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <stdio.h>

/* ---- plain sockets ---- */

static ssize_t socket_read(green_conn *c, void *buf, size_t n)
{
    return returned(green_io_recvfrom(c->fd, buf, n, 0, NULL, NULL, IO_BLOCK));
}

/* Grows when the descriptor is closed: then the number may already be another file's. */
static inline uint32_t generation_of(int fd)
{
    struct green_hub *hub = hub_here();
    struct fd *slot = hub != NULL ? fd_slot(hub, fd) : NULL;
    return slot != NULL ? slot->generation : 0;
}

/* A send moves everything, unless something ends it half-way: then the next one tells what. */
static inline ssize_t send_all(int fd, const void *buf, size_t n)
{
    uint32_t generation = generation_of(fd);
    size_t done = 0;
    do {
        long r = green_io_sendto(fd, (const char *)buf + done, n - done, MSG_NOSIGNAL, NULL, 0,
                                 IO_BLOCK);
        if (UNLIKELY(r < 0))
            return returned(r);
        done += (size_t)r;
        if (LIKELY(done == n))
            return (ssize_t)n;
    } while (generation_of(fd) == generation);
    return returned(-EBADF);
}

static ssize_t socket_write(green_conn *c, const void *buf, size_t n)
{
    return send_all(c->fd, buf, n);
}

static ssize_t socket_writev(green_conn *c, const struct iovec *parts, int count)
{
    int fd = c->fd;
    uint32_t generation = generation_of(fd);
    ssize_t sum = 0;
    while (count > 0) {
        struct msghdr msg = {
            .msg_iov = (struct iovec *)(uintptr_t)parts, /* sendmsg only reads it */
            .msg_iovlen = count < IOV_MAX ? (size_t)count : IOV_MAX,
        };
        long r = green_io_sendmsg(fd, &msg, MSG_NOSIGNAL, IO_BLOCK);
        if (r < 0)
            return returned(r);
        sum += r;
        for (; count > 0 && (size_t)r >= parts->iov_len; parts++, count--)
            r -= (long)parts->iov_len;
        if (count > 0 && generation_of(fd) != generation)
            return returned(-EBADF);
        if (r > 0) { /* the middle of a part: finish it */
            const char *rest = (const char *)parts->iov_base + r;
            if (send_all(fd, rest, parts->iov_len - (size_t)r) < 0)
                return -1;
            sum += (ssize_t)parts->iov_len - r;
            parts++, count--;
        }
    }
    return sum;
}

static int socket_shutdown(green_conn *c)
{
    return (int)returned(SYS2(SYS_shutdown, c->fd, SHUT_WR));
}

static int embedded_close(green_conn *c)
{
    int fd = c->fd;
    c->fd = -1;
    return (int)returned(green_io_close(fd));
}

static int socket_close(green_conn *c)
{
    int fd = c->fd;
    memory_put(c);
    return (int)returned(green_io_close(fd));
}

static const struct conn_class conn_socket = {
    socket_read, socket_write, socket_writev, socket_shutdown, socket_close,
};
const struct conn_class conn_embedded = {
    socket_read, socket_write, socket_writev, socket_shutdown, embedded_close,
};

green_conn *conn_make(int fd)
{
    green_conn *c = memory_get(sizeof *c);
    if (c == NULL) {
        green_io_close(fd);
        fail(ENOMEM, "no memory for a connection");
        return NULL;
    }
    *c = (green_conn){&conn_socket, fd};
    return c;
}

void conn_no_delay(int fd)
{
    int on = 1;
    SYS5(SYS_setsockopt, fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

/* ---- any class ---- */

GREEN_API ssize_t green_conn_read(green_conn *c, void *buf, size_t n)
{
    return c->class->read(c, buf, n);
}

GREEN_API ssize_t green_conn_read_full(green_conn *c, void *buf, size_t n)
{
    size_t done = 0;
    while (done < n) {
        ssize_t r = c->class->read(c, (char *)buf + done, n - done);
        if (r < 0)
            return -1;
        if (r == 0)
            break;
        done += (size_t)r;
    }
    return (ssize_t)done;
}

GREEN_API ssize_t green_conn_write(green_conn *c, const void *buf, size_t n)
{
    return c->class->write(c, buf, n);
}

GREEN_API ssize_t green_conn_writev(green_conn *c, const struct iovec *parts, int count)
{
    if (count < 0)
        return fail(EINVAL, "a negative number of parts");
    return c->class->writev(c, parts, count);
}

GREEN_API int green_conn_shutdown(green_conn *c)
{
    return c->class->shutdown(c);
}

GREEN_API int green_conn_close(green_conn *c)
{
    return c->class->close(c);
}

GREEN_API int green_conn_fd(const green_conn *c)
{
    return c->fd;
}

static int name_of(int fd, long call, char *buf, size_t size)
{
    struct sockaddr_storage address = {0};
    socklen_t length = sizeof address;
    char text[ADDRESS_TEXT];
    int err = (int)SYS3(call, fd, &address, &length);
    if (err < 0)
        return (int)returned(err);
    address_text((struct sockaddr *)&address, length, text);
    snprintf(buf, size, "%s", text);
    return 0;
}

GREEN_API int green_conn_peer(const green_conn *c, char *buf, size_t size)
{
    return name_of(c->fd, SYS_getpeername, buf, size);
}

GREEN_API int green_conn_address(const green_conn *c, char *buf, size_t size)
{
    return name_of(c->fd, SYS_getsockname, buf, size);
}
