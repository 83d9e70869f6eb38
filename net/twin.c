/* twin.c - the public twins of the POSIX calls: see green/fd.h. io.c does the work. */
#include "error.h"
#include "io.h"
#include <green/fd.h>

GREEN_API ssize_t green_read(int fd, void *buf, size_t count)
{
    return returned(green_io_read(fd, buf, count, IO_BLOCK));
}

GREEN_API ssize_t green_write(int fd, const void *buf, size_t count)
{
    return returned(green_io_write(fd, buf, count, IO_BLOCK));
}

GREEN_API ssize_t green_readv(int fd, const struct iovec *iov, int count)
{
    return returned(green_io_readv(fd, iov, count, IO_BLOCK));
}

GREEN_API ssize_t green_writev(int fd, const struct iovec *iov, int count)
{
    return returned(green_io_writev(fd, iov, count, IO_BLOCK));
}

GREEN_API ssize_t green_recv(int fd, void *buf, size_t len, int flags)
{
    return returned(green_io_recvfrom(fd, buf, len, flags, NULL, NULL, IO_BLOCK));
}

GREEN_API ssize_t green_send(int fd, const void *buf, size_t len, int flags)
{
    return returned(green_io_sendto(fd, buf, len, flags, NULL, 0, IO_BLOCK));
}

GREEN_API ssize_t green_recvfrom(int fd, void *buf, size_t len, int flags, struct sockaddr *from,
                                 socklen_t *fromlen)
{
    return returned(green_io_recvfrom(fd, buf, len, flags, from, fromlen, IO_BLOCK));
}

GREEN_API ssize_t green_sendto(int fd, const void *buf, size_t len, int flags,
                               const struct sockaddr *to, socklen_t tolen)
{
    return returned(green_io_sendto(fd, buf, len, flags, to, tolen, IO_BLOCK));
}

GREEN_API ssize_t green_recvmsg(int fd, struct msghdr *msg, int flags)
{
    return returned(green_io_recvmsg(fd, msg, flags, IO_BLOCK));
}

GREEN_API ssize_t green_sendmsg(int fd, const struct msghdr *msg, int flags)
{
    return returned(green_io_sendmsg(fd, msg, flags, IO_BLOCK));
}

GREEN_API int green_accept(int fd, struct sockaddr *addr, socklen_t *addrlen)
{
    return green_accept4(fd, addr, addrlen, 0);
}

GREEN_API int green_accept4(int fd, struct sockaddr *addr, socklen_t *addrlen, int flags)
{
    return (int)returned(green_io_accept(fd, addr, addrlen, flags, IO_BLOCK));
}

GREEN_API int green_connect(int fd, const struct sockaddr *addr, socklen_t addrlen)
{
    return (int)returned(green_io_connect(fd, addr, addrlen, IO_BLOCK));
}

GREEN_API int green_shutdown(int fd, int how)
{
    return (int)returned(green_io_shutdown(fd, how));
}

GREEN_API int green_close(int fd)
{
    return (int)returned(green_io_close(fd));
}

GREEN_API int green_poll(struct pollfd *fds, nfds_t count, int timeout)
{
    return (int)returned(green_io_poll(fds, count, timeout < 0 ? -1 : timeout * GREEN_MS));
}
