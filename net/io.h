/* io.h - the blocking calls on descriptors: they behave as the system call of the same name does
 * on a blocking descriptor, but park the green thread instead of the OS thread.
 *
 * All return the call's result or a negative errno, touch no errno, and are used by the public
 * twins (twin.c), connections (conn.c) and the emulated calls (monkey/).
 *
 * `how`: IO_HONOUR lets O_NONBLOCK on the description mean what it means to the kernel (-EAGAIN);
 * without it the call blocks all the same, as the twins promise. MSG_DONTWAIT always counts.
 * IO_ALL, for connections: a call that ends half-way is a failure, not a part, and so is one in
 * which others have run and closed it: a further call would find it freed. */
#pragma once
#include "compiler.h"
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

enum { IO_BLOCK = 0, IO_HONOUR = 1, IO_ALL = 2 };

ENGINE_API long green_io_read(int fd, void *buf, size_t len, int how);
ENGINE_API long green_io_write(int fd, const void *buf, size_t len, int how);
ENGINE_API long green_io_readv(int fd, const struct iovec *iov, int count, int how);
ENGINE_API long green_io_writev(int fd, const struct iovec *iov, int count, int how);
/* A connection's (IO_ALL): recv without flags; send of everything without SIGPIPE. */
ENGINE_API long green_io_receive(int fd, void *buf, size_t len);
ENGINE_API long green_io_send(int fd, const void *buf, size_t len);
/* recv and send are these with NULL addresses. */
ENGINE_API long green_io_recvfrom(int fd, void *buf, size_t len, int flags, struct sockaddr *from,
                                  socklen_t *fromlen, int how);
ENGINE_API long green_io_sendto(int fd, const void *buf, size_t len, int flags,
                                const struct sockaddr *to, socklen_t tolen, int how);
ENGINE_API long green_io_recvmsg(int fd, struct msghdr *msg, int flags, int how);
ENGINE_API long green_io_sendmsg(int fd, const struct msghdr *msg, int flags, int how);
ENGINE_API long green_io_accept(int fd, struct sockaddr *addr, socklen_t *addrlen, int flags,
                                int how);
ENGINE_API long green_io_connect(int fd, const struct sockaddr *addr, socklen_t addrlen, int how);
/* timeout in nanoseconds, < 0: for ever. Ready descriptors count even past a deadline. */
ENGINE_API long green_io_poll(struct pollfd *fds, nfds_t count, int64_t timeout);
/* One descriptor: park until it is ready (or in error) for POLLIN or POLLOUT. 0 or -errno. */
ENGINE_API long green_io_wait(int fd, short events);

ENGINE_API long green_io_shutdown(int fd, int how);

/* What the kernel is told happened to descriptor numbers behind these calls. */
ENGINE_API int green_io_close(int fd);
/* The number gets another file (dup2), or one will be closed by others (close_range). */
ENGINE_API void green_io_forget(int fd);
/* O_NONBLOCK may have changed (fcntl, ioctl): ask again when it matters. */
ENGINE_API void green_io_flags_changed(void);

/* Is the caller on a green thread of a hub that exists already, so that these calls park it? */
ENGINE_API bool green_io_parks(void);
/* Can calls on this descriptor wait at all? Not on a file on disk. */
ENGINE_API bool green_io_waits(int fd);
