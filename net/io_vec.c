/* io_vec.c - calls with several buffers: see io.h. Sockets by messages, the rest by preadv2 and
 * pwritev2. */
#include "file.h"
#include "io_op.h"
#include "memory.h"
#include "sys.h"
#include <limits.h>

struct vec_call {
    const struct iovec *iov;
    int count;
    int flags; /* of recvmsg, sendmsg */
    bool all;  /* move everything */
    size_t len;
    struct msghdr *msg; /* NULL: only data */
    struct iovec *rest; /* what is left after a part: a copy */
    struct iovec few[4];
};

static int msg_count(const struct msghdr *msg)
{
    return msg->msg_iovlen <= IOV_MAX ? (int)msg->msg_iovlen : -1;
}

static int vec_start(struct vec_call *c)
{
    if (c->count < 0 || c->count > IOV_MAX)
        return c->msg != NULL ? -EMSGSIZE : -EINVAL; /* each as its Linux original */
    for (int i = 0; i < c->count; i++) {
        if (c->iov[i].iov_len > (size_t)SSIZE_MAX - c->len)
            return -EINVAL;
        c->len += c->iov[i].iov_len;
    }
    return 0;
}

static void vec_end(struct vec_call *c)
{
    if (c->rest != NULL && c->rest != c->few)
        memory_put(c->rest);
}

/* Step over n bytes. False when there is no memory for the copy: the part stands then. */
static bool vec_advance(struct vec_call *c, size_t n)
{
    int skip = 0;
    while (skip < c->count && n >= c->iov[skip].iov_len)
        n -= c->iov[skip++].iov_len;
    c->iov += skip;
    c->count -= skip;
    if (n == 0)
        return true;
    if (c->rest == NULL) {
        size_t size = (size_t)c->count * sizeof c->iov[0];
        c->rest = c->count <= 4 ? c->few : memory_get(size);
        if (c->rest == NULL)
            return false;
        for (int i = 0; i < c->count; i++)
            c->rest[i] = c->iov[i];
        c->iov = c->rest;
    }
    struct iovec *first = (struct iovec *)c->iov;
    first->iov_base = (char *)first->iov_base + n;
    first->iov_len -= n;
    return true;
}

static long vec_moved(struct op *op, struct vec_call *c, long r)
{
    op->done += (size_t)r;
    if (!c->all || r == 0 || op->done >= c->len || !vec_advance(c, (size_t)r))
        return (long)op->done;
    c->msg = NULL; /* address and control data went with the first part */
    return -EAGAIN;
}

static long msg_attempt(struct op *op, struct vec_call *c, long nr)
{
    struct msghdr m = {0};
    if (c->msg != NULL)
        m = *c->msg;
    m.msg_iov = (struct iovec *)c->iov;
    m.msg_iovlen = (size_t)c->count;
    long r = SYS3(nr, op->fd, &m, c->flags | MSG_DONTWAIT);
    if (r >= 0 && c->msg != NULL && nr == SYS_recvmsg) {
        c->msg->msg_namelen = m.msg_namelen;
        c->msg->msg_controllen = m.msg_controllen;
        c->msg->msg_flags = m.msg_flags;
    }
    return r;
}

/* A pipe that polls as writable has room for so much, and would block for more. */
static long write_little(struct op *op, struct vec_call *c)
{
    const struct iovec *first = c->iov;
    while (first->iov_len == 0)
        first++;
    size_t len = first->iov_len < PIPE_BUF ? first->iov_len : PIPE_BUF;
    return SYS3(SYS_write, op->fd, first->iov_base, len);
}

static long file_attempt(struct op *op, struct vec_call *c, bool write)
{
    struct fd *s = op->slot;
    if (s->kind == FD_PIPE) {
        long r = SYS6(write ? SYS_pwritev2 : SYS_preadv2, op->fd, c->iov, c->count, -1L, -1L,
                      RWF_NOWAIT);
        if (r != -EOPNOTSUPP && r != -EINVAL && r != -ENOSYS)
            return r;
        s->kind = FD_POLLED;
    }
    if (s->kind == FD_FILE)
        return IO_FILE;
    if (s->kind == FD_POLLED) {
        struct pollfd p = {op->fd, write ? POLLOUT : POLLIN, 0};
        if (fd_look(&p, 1) == 0)
            return -EAGAIN;
        if (write && c->len - op->done > PIPE_BUF)
            return write_little(op, c);
    }
    return SYS3(write ? SYS_writev : SYS_readv, op->fd, c->iov, c->count);
}

/* Nothing to move is no message: readv and writev just return 0 then, whatever is waiting. */
static bool by_message(struct op *op, struct vec_call *c)
{
    return c->msg != NULL || (is_socket(fd_kind(op->slot, op->fd)) && c->len > 0);
}

static long readv_attempt(struct op *op, void *call)
{
    struct vec_call *c = call;
    for (;;) {
        long r = by_message(op, c) ? msg_attempt(op, c, SYS_recvmsg) : file_attempt(op, c, false);
        if (r < 0)
            return r;
        note_read(op, r, c->len, c->flags);
        r = vec_moved(op, c, r);
        if (r != -EAGAIN)
            return r;
    }
}

static long writev_attempt(struct op *op, void *call)
{
    struct vec_call *c = call;
    for (;;) {
        bool socket = by_message(op, c);
        long r = socket ? msg_attempt(op, c, SYS_sendmsg) : file_attempt(op, c, true);
        if (r < 0)
            return r;
        if (socket)
            note_sent(op);
        r = vec_moved(op, c, r);
        if (r != -EAGAIN)
            return r;
    }
}

static long vec_run(int fd, enum fd_direction d, int how, struct vec_call *call)
{
    long r = vec_start(call);
    if (r == 0)
        r = io_run(fd, d, how, d == FD_READ ? readv_attempt : writev_attempt, call);
    if (UNLIKELY(r == IO_FILE))
        r = file_transfer(fd, d, call->iov, call->count);
    vec_end(call);
    return r;
}

long green_io_readv(int fd, const struct iovec *iov, int count, int how)
{
    struct vec_call call = {.iov = iov, .count = count};
    return vec_run(fd, FD_READ, how, &call);
}

long green_io_writev(int fd, const struct iovec *iov, int count, int how)
{
    struct vec_call call = {.iov = iov, .count = count, .all = true};
    return vec_run(fd, FD_WRITE, how, &call);
}

long green_io_recvmsg(int fd, struct msghdr *msg, int flags, int how)
{
    if ((flags & RECV_AT_ONCE) != 0)
        return io_at_once(SYS3(SYS_recvmsg, fd, msg, flags));
    struct vec_call call = {.iov = msg->msg_iov,
                            .count = msg_count(msg),
                            .flags = flags,
                            .all = io_wants_all(fd, flags),
                            .msg = msg};
    return vec_run(fd, FD_READ, how, &call);
}

struct send_msg {
    const struct msghdr *msg;
    int flags;
};

static long unix_sendmsg(struct op *op, const void *call)
{
    const struct send_msg *c = call;
    return SYS3(SYS_sendmsg, op->fd, c->msg, c->flags | MSG_DONTWAIT);
}

long green_io_sendmsg(int fd, const struct msghdr *msg, int flags, int how)
{
    if ((flags & MSG_DONTWAIT) != 0)
        return io_at_once(SYS3(SYS_sendmsg, fd, msg, flags));
    if (is_unix(msg->msg_name))
        return io_unix_run(fd, how, unix_sendmsg, &(struct send_msg){msg, flags});
    struct vec_call call = {.iov = msg->msg_iov,
                            .count = msg_count(msg),
                            .flags = flags,
                            .all = true,
                            .msg = (struct msghdr *)msg};
    return vec_run(fd, FD_WRITE, how, &call);
}
