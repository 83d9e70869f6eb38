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

static __attribute__((hot)) ssize_t socket_read(green_conn *c, void *buf, size_t n)
{
    return returned(green_io_receive(c->fd, buf, n));
}

static __attribute__((hot)) ssize_t socket_write(green_conn *c, const void *buf, size_t n)
{
    return returned(green_io_send(c->fd, buf, n));
}

static ssize_t socket_writev(green_conn *c, const struct iovec *parts, int count)
{
    int fd = c->fd;
    ssize_t sum = 0;
    for (int done = 0; done < count; done += IOV_MAX) {
        int some = count - done < IOV_MAX ? count - done : IOV_MAX;
        size_t size = 0;
        for (int i = 0; i < some; i++)
            size += parts[done + i].iov_len;
        struct msghdr msg = {
            .msg_iov = (struct iovec *)(uintptr_t)(parts + done), /* sendmsg only reads it */
            .msg_iovlen = (size_t)some,
        };
        long r = green_io_sendmsg(fd, &msg, MSG_NOSIGNAL, IO_ALL);
        if (r < 0)
            return returned(r);
        if ((size_t)r < size) /* no memory to remember where it stopped */
            return returned(-ENOMEM);
        sum += r;
    }
    return sum;
}

static int socket_shutdown(green_conn *c)
{
    return (int)returned(green_io_shutdown(c->fd, SHUT_WR));
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

GREEN_API __attribute__((hot)) ssize_t green_conn_read(green_conn *c, void *buf, size_t n)
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

GREEN_API __attribute__((hot)) ssize_t green_conn_write(green_conn *c, const void *buf, size_t n)
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
    return c != NULL ? c->class->close(c) : 0;
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
