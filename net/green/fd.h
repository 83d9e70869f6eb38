/* green/fd.h - the POSIX calls on descriptors, green: same names behind the prefix, same arguments,
 * same results. Each behaves as the blocking call does, whatever O_NONBLOCK says; where it would
 * block, other green threads run. MSG_DONTWAIT means what it always does.
 *
 * Rules:
 *  - close with green_close what was used with these calls: it wakes whoever waits on the
 *    descriptor (EBADF there) and lets the number be used again;
 *  - several readers of one descriptor, and several writers, are served in order, each call whole;
 *  - a call fails with ECANCELED or ETIMEDOUT as said in green/base.h. A write that had already
 *    moved something then returns the part, as a signal would have it;
 *  - files on disk: see green/file.h;
 *  - a listener without O_NONBLOCK that several processes accept from can block the OS threads of
 *    the slower one: set O_NONBLOCK on it. The hubs of one process do not stand in each other's
 *    way, unless one closes it while others accept;
 *  - do not mix urgent (out of band) data with these calls on TCP. */
#pragma once
#include <green/select.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

GREEN_BEGIN_DECLS

/* All may yield. Errors are those of the call without prefix. */
GREEN_API ssize_t green_read(int fd, void *buf, size_t count);
GREEN_API ssize_t green_write(int fd, const void *buf, size_t count);
GREEN_API ssize_t green_readv(int fd, const struct iovec *iov, int count);
GREEN_API ssize_t green_writev(int fd, const struct iovec *iov, int count);
GREEN_API ssize_t green_recv(int fd, void *buf, size_t len, int flags);
GREEN_API ssize_t green_send(int fd, const void *buf, size_t len, int flags);
GREEN_API ssize_t green_recvfrom(int fd, void *buf, size_t len, int flags, struct sockaddr *from,
                                 socklen_t *fromlen);
GREEN_API ssize_t green_sendto(int fd, const void *buf, size_t len, int flags,
                               const struct sockaddr *to, socklen_t tolen);
GREEN_API ssize_t green_recvmsg(int fd, struct msghdr *msg, int flags);
GREEN_API ssize_t green_sendmsg(int fd, const struct msghdr *msg, int flags);
GREEN_API int green_accept(int fd, struct sockaddr *addr, socklen_t *addrlen);
GREEN_API int green_accept4(int fd, struct sockaddr *addr, socklen_t *addrlen, int flags);
/* After a failure the connection may still be under way: close the socket. */
GREEN_API int green_connect(int fd, const struct sockaddr *addr, socklen_t addrlen);
/* Wakes the threads that wait for data (they see the end), or for room (EPIPE). Of other hubs,
 * those that wait for room in a unix socket hear nothing from the kernel. Does not yield. */
GREEN_API int green_shutdown(int fd, int how);
/* Does not yield. */
GREEN_API int green_close(int fd);
/* timeout in milliseconds, < 0: none. There is no POLLPRI edge: it is only seen when asked again.
 */
GREEN_API int green_poll(struct pollfd *fds, nfds_t count, int timeout);

/* Cases of green_select (green/select.h): there is something to read (data, a connection, the end,
 * an error), or room to write. What they say is no promise to several readers. */
#define GREEN_READABLE(fd) green_case_readable(fd)
#define GREEN_WRITABLE(fd) green_case_writable(fd)
GREEN_API green_case green_case_readable(int fd);
GREEN_API green_case green_case_writable(int fd);

GREEN_END_DECLS
