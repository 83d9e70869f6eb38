/* io.c - calls with one buffer: see io.h.
 *
 * Each call is an attempt that never blocks (MSG_DONTWAIT, RWF_NOWAIT, or a poll first) and returns
 * -EAGAIN when it would have to wait; io_run (io_op.h) does the rest. Nothing here sets O_NONBLOCK
 * but connect, for the moment of the call. */
#include "io_op.h"
#include "sys.h"

struct recv_call {
    char *buf;
    size_t len;
    int flags;
    struct sockaddr *from;
    socklen_t *fromlen;
};

static inline __attribute__((always_inline)) long recv_attempt(struct op *op, void *call)
{
    struct recv_call *c = call;
    for (;;) {
        long r = SYS6(SYS_recvfrom, op->fd, c->buf + op->done, c->len - op->done,
                      c->flags | MSG_DONTWAIT, c->from, c->fromlen);
        if (r < 0)
            return r;
        note_read(op, r, c->len, c->flags);
        if (LIKELY((c->flags & MSG_WAITALL) == 0) || !io_wants_all(op->fd, c->flags))
            return r;
        op->done += (size_t)r;
        if (r == 0 || op->done == c->len)
            return (long)op->done;
    }
}

__attribute__((hot)) long green_io_recvfrom(int fd, void *buf, size_t len, int flags,
                                            struct sockaddr *from, socklen_t *fromlen, int how)
{
    struct recv_call call = {buf, len, flags, from, fromlen};
    if (UNLIKELY((flags & RECV_AT_ONCE) != 0))
        return io_at_once(SYS6(SYS_recvfrom, fd, buf, len, flags, from, fromlen));
    return io_run(fd, FD_READ, how, recv_attempt, &call);
}

__attribute__((hot)) long green_io_receive(int fd, void *buf, size_t len)
{
    struct recv_call call = {buf, len, 0, NULL, NULL};
    return io_run(fd, FD_READ, IO_ALL, recv_attempt, &call);
}

struct send_call {
    const char *buf;
    size_t len;
    int flags;
    const struct sockaddr *to;
    socklen_t tolen;
};

static inline __attribute__((always_inline)) long send_attempt(struct op *op, void *call)
{
    struct send_call *c = call;
    for (;;) {
        long r = SYS6(SYS_sendto, op->fd, c->buf + op->done, c->len - op->done,
                      c->flags | MSG_DONTWAIT, c->to, c->tolen);
        if (UNLIKELY(r < 0))
            return r;
        note_sent(op);
        op->done += (size_t)r;
        if (LIKELY(op->done >= c->len))
            return (long)op->done;
        if (r == 0)
            return -EAGAIN;
    }
}

static long unix_sendto(struct op *op, const void *call)
{
    const struct send_call *c = call;
    return SYS6(SYS_sendto, op->fd, c->buf, c->len, c->flags | MSG_DONTWAIT, c->to, c->tolen);
}

__attribute__((hot)) long green_io_sendto(int fd, const void *buf, size_t len, int flags,
                                          const struct sockaddr *to, socklen_t tolen, int how)
{
    struct send_call call = {buf, len, flags, to, tolen};
    if (UNLIKELY((flags & MSG_DONTWAIT) != 0))
        return io_at_once(SYS6(SYS_sendto, fd, buf, len, flags, to, tolen));
    if (UNLIKELY(is_unix(to)))
        return io_unix_run(fd, how, unix_sendto, &call);
    return io_run(fd, FD_WRITE, how, send_attempt, &call);
}

__attribute__((hot)) long green_io_send(int fd, const void *buf, size_t len)
{
    struct send_call call = {buf, len, MSG_NOSIGNAL, NULL, 0};
    return io_run(fd, FD_WRITE, IO_ALL, send_attempt, &call);
}

/* ---- read and write: whatever the descriptor is ---- */

long green_io_read(int fd, void *buf, size_t len, int how)
{
    struct green_hub *hub = hub_here();
    struct fd *s = hub != NULL ? fd_slot(hub, fd) : NULL;
    enum fd_kind kind = s != NULL ? fd_kind(s, fd) : FD_UNKNOWN;
    if (is_socket(kind) && len > 0) /* recv of nothing waits, or takes a datagram */
        return green_io_recvfrom(fd, buf, len, 0, NULL, NULL, how);
    struct iovec iov = {buf, len};
    return green_io_readv(fd, &iov, 1, how);
}

long green_io_write(int fd, const void *buf, size_t len, int how)
{
    struct green_hub *hub = hub_here();
    struct fd *s = hub != NULL ? fd_slot(hub, fd) : NULL;
    enum fd_kind kind = s != NULL ? fd_kind(s, fd) : FD_UNKNOWN;
    if (is_socket(kind))
        return green_io_sendto(fd, buf, len, 0, NULL, 0, how);
    struct iovec iov = {(void *)buf, len};
    return green_io_writev(fd, &iov, 1, how);
}
