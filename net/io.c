/* io.c - see io.h: trying, waiting, trying again.
 *
 * Each call is an attempt that never blocks (MSG_DONTWAIT, RWF_NOWAIT, or a poll first) and
 * returns -EAGAIN when it would have to wait; `run` does the rest. Nothing here sets O_NONBLOCK but
 * connect, for the moment of the call. */
#include "io.h"
#include "fd.h"
#include "memory.h"
#include "self.h"
#include "sys.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>

/* One call under way. */
struct op {
    int fd;
    int how;
    struct fd *slot;
    size_t done; /* bytes already moved, by a call that must move them all */
};

typedef long attempt_fn(struct op *op, void *call);

/* O_NONBLOCK is the description's, which many descriptors may share: what a slot remembers, an
 * epoch and the flag, counts until it may have changed anywhere. */
enum { IS_NONBLOCKING = 1, EPOCH = 2 };
static _Atomic uint64_t flags_epoch = EPOCH;

static bool nonblocking(struct op *op)
{
    struct fd *s = op->slot;
    uint64_t epoch = atomic_load_explicit(&flags_epoch, memory_order_relaxed);
    if ((s->flags & ~(uint64_t)IS_NONBLOCKING) != epoch) {
        long flags = SYS2(SYS_fcntl, op->fd, F_GETFL);
        s->flags = epoch | (flags >= 0 && (flags & O_NONBLOCK) != 0 ? IS_NONBLOCKING : 0);
    }
    return (s->flags & IS_NONBLOCKING) != 0;
}

/* A call that never waits counts against the slice, too. */
static long at_once(long result)
{
    struct green_hub *hub = self_hub();
    if (hub != NULL)
        hub_spend(hub);
    return result;
}

/* The turn is taken when the call first has to wait, or at once if somebody else has it. */
static inline __attribute__((always_inline)) long run(int fd, enum fd_direction d, int how,
                                                      attempt_fn *attempt, void *call)
{
    struct green_hub *hub = hub_here();
    if (UNLIKELY(hub == NULL))
        return -ENOMEM;
    struct op op = {fd, how, fd_slot(hub, fd), 0};
    struct fd *s = op.slot;
    if (UNLIKELY(s == NULL))
        return fd_error(fd);
    long r = 0;
    if (UNLIKELY(hub->current->refused != 0) && (r = park_refused(hub)) < 0)
        return r;
    uint32_t generation = s->generation;
    bool turn = false;
    if (UNLIKELY(s->busy[d] != FD_FREE)) {
        r = fd_turn(hub, s, fd, d);
        if (r < 0)
            return r;
        turn = true;
    }
    for (;;) {
        bool never_wait = (how & IO_HONOUR) != 0 && s->level[d] == FD_EMPTY && nonblocking(&op);
        if (s->level[d] != FD_EMPTY || never_wait) {
            r = attempt(&op, call);
            if (LIKELY(r != -EAGAIN))
                break;
            s->level[d] = FD_EMPTY;
            if ((how & IO_HONOUR) != 0 && nonblocking(&op))
                break;
        }
        if (!turn) {
            turn = true;
            s->busy[d] = FD_TAKEN;
        }
        r = fd_wait(hub, s, fd, d);
        if (UNLIKELY(r < 0))
            break;
    }
    if (turn)
        fd_done(s, d, generation);
    else
        hub_spend(hub);
    return UNLIKELY(r < 0 && op.done > 0 && (how & IO_ALL) == 0) ? (long)op.done : r;
}

/* ---- the queues of other unix sockets ---- */

typedef long unix_fn(struct op *op, const void *call);

/* Room in such a queue gives no edge here (and a failed send gives one that means nothing): ask
 * again, less and less often. */
static long unix_run(int fd, int how, unix_fn *attempt, const void *call)
{
    struct green_hub *hub = hub_here();
    struct op op = {fd, how, hub != NULL ? fd_slot(hub, fd) : NULL, 0};
    struct fd *s = op.slot;
    if (s == NULL)
        return hub == NULL ? -ENOMEM : fd_error(fd);
    uint32_t generation = s->generation;
    long r = hub->current->refused != 0 ? park_refused(hub) : 0;
    for (int64_t pause = GREEN_MS; r == 0; pause = pause < 64 * GREEN_MS ? pause * 2 : pause) {
        r = attempt(&op, call);
        if (r != -EAGAIN || ((how & IO_HONOUR) != 0 && nonblocking(&op)))
            return at_once(r);
        r = park(hub, NULL, WAIT_BACK, hub_clock() + pause, "room in another socket's queue", fd);
        if (generation != s->generation)
            return -EBADF;
        if (r == -ETIMEDOUT)
            r = park_refused(hub);
    }
    return r;
}

static bool is_unix(const void *addr)
{
    return addr != NULL && ((const struct sockaddr *)addr)->sa_family == AF_UNIX;
}

/* ---- what the drained rule (fd.h) learns from a result ---- */

static inline void note_read(struct op *op, long got, size_t wanted, int flags)
{
    struct fd *s = op->slot;
    bool drained = got > 0 && (size_t)got < wanted && flags == 0 && (op->how & IO_HONOUR) == 0 &&
                   s->kind == FD_TCP && s->watched && !s->closed;
    s->level[FD_READ] = drained ? FD_SHORT : FD_MAYBE;
}

static inline void note_sent(struct op *op)
{
    if (op->slot->level[FD_READ] == FD_SHORT)
        op->slot->level[FD_READ] = FD_EMPTY;
}

/* ---- sockets, one buffer ---- */

/* MSG_WAITALL: only streams know it. */
static bool wants_all(int fd, int flags)
{
    int type = 0;
    socklen_t len = sizeof type;
    if ((flags & (MSG_WAITALL | MSG_PEEK)) != MSG_WAITALL)
        return false;
    SYS5(SYS_getsockopt, fd, SOL_SOCKET, SO_TYPE, &type, &len);
    return type == SOCK_STREAM;
}

/* Calls that never wait, on any socket: errors queued by the kernel are there or not. */
enum { RECV_AT_ONCE = MSG_DONTWAIT | MSG_ERRQUEUE };

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
        if (LIKELY((c->flags & MSG_WAITALL) == 0) || !wants_all(op->fd, c->flags))
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
        return at_once(SYS6(SYS_recvfrom, fd, buf, len, flags, from, fromlen));
    return run(fd, FD_READ, how, recv_attempt, &call);
}

__attribute__((hot)) long green_io_receive(int fd, void *buf, size_t len)
{
    struct recv_call call = {buf, len, 0, NULL, NULL};
    return run(fd, FD_READ, IO_BLOCK, recv_attempt, &call);
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
        return at_once(SYS6(SYS_sendto, fd, buf, len, flags, to, tolen));
    if (UNLIKELY(is_unix(to)))
        return unix_run(fd, how, unix_sendto, &call);
    return run(fd, FD_WRITE, how, send_attempt, &call);
}

__attribute__((hot)) long green_io_send(int fd, const void *buf, size_t len)
{
    struct send_call call = {buf, len, MSG_NOSIGNAL, NULL, 0};
    return run(fd, FD_WRITE, IO_ALL, send_attempt, &call);
}

/* ---- vectors: sockets by messages, the rest by preadv2 and pwritev2 ---- */

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

static int vec_start(struct vec_call *c)
{
    if (c->count < 0 || c->count > IOV_MAX)
        return -EINVAL;
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
    if (s->kind == FD_POLLED) {
        struct pollfd p = {op->fd, write ? POLLOUT : POLLIN, 0};
        struct timespec now = {0, 0};
        if (SYS5(SYS_ppoll, &p, 1, &now, NULL, 0) == 0)
            return -EAGAIN;
        if (write && c->len - op->done > PIPE_BUF)
            return write_little(op, c);
    }
    return SYS3(write ? SYS_writev : SYS_readv, op->fd, c->iov, c->count);
}

static bool is_socket(enum fd_kind kind)
{
    return kind == FD_TCP || kind == FD_SOCKET;
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
        r = run(fd, d, how, d == FD_READ ? readv_attempt : writev_attempt, call);
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
        return at_once(SYS3(SYS_recvmsg, fd, msg, flags));
    struct vec_call call = {.iov = msg->msg_iov,
                            .count = (int)msg->msg_iovlen,
                            .flags = flags,
                            .all = wants_all(fd, flags),
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
        return at_once(SYS3(SYS_sendmsg, fd, msg, flags));
    if (is_unix(msg->msg_name))
        return unix_run(fd, how, unix_sendmsg, &(struct send_msg){msg, flags});
    struct vec_call call = {.iov = msg->msg_iov,
                            .count = (int)msg->msg_iovlen,
                            .flags = flags,
                            .all = true,
                            .msg = (struct msghdr *)msg};
    return vec_run(fd, FD_WRITE, how, &call);
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

/* ---- accept and connect ---- */

struct accept_call {
    struct sockaddr *addr;
    socklen_t *addrlen;
    int flags;
};

/* accept(2) has no MSG_DONTWAIT: a listener in blocking mode is polled first. (If several
 * processes share one, another may be faster, and the call blocks: give such listeners O_NONBLOCK.)
 */
static long accept_attempt(struct op *op, void *call)
{
    struct accept_call *c = call;
    if (!nonblocking(op)) {
        struct pollfd p = {op->fd, POLLIN, 0};
        struct timespec now = {0, 0};
        if (SYS5(SYS_ppoll, &p, 1, &now, NULL, 0) == 0)
            return -EAGAIN;
    }
    long r;
    do
        r = SYS4(SYS_accept4, op->fd, c->addr, c->addrlen, c->flags);
    while (r == -ECONNABORTED && (op->how & IO_HONOUR) == 0); /* gone already: nobody's concern */
    if (r >= 0)
        fd_fresh(self_hub(), (int)r, fd_kind(op->slot, op->fd));
    return r;
}

long green_io_accept(int fd, struct sockaddr *addr, socklen_t *addrlen, int flags, int how)
{
    struct accept_call call = {addr, addrlen, flags};
    return run(fd, FD_READ, how, accept_attempt, &call);
}

struct connect_call {
    const struct sockaddr *addr;
    socklen_t addrlen;
    bool begun;
};

static long connect_begin(struct op *op, const void *call)
{
    const struct connect_call *c = call;
    long flags = SYS2(SYS_fcntl, op->fd, F_GETFL);
    bool switched = flags >= 0 && (flags & O_NONBLOCK) == 0;
    if (switched)
        SYS3(SYS_fcntl, op->fd, F_SETFL, flags | O_NONBLOCK);
    long r = SYS3(SYS_connect, op->fd, c->addr, c->addrlen);
    if (switched)
        SYS3(SYS_fcntl, op->fd, F_SETFL, flags);
    return r;
}

static long connect_attempt(struct op *op, void *call)
{
    struct connect_call *c = call;
    int error = 0;
    socklen_t len = sizeof error;
    struct pollfd p = {op->fd, POLLOUT, 0};
    struct timespec now = {0, 0};
    if (!c->begun) {
        long r = connect_begin(op, c);
        c->begun = r == -EINPROGRESS || r == -EALREADY;
        if (!c->begun)
            return r;
    }
    if (SYS5(SYS_ppoll, &p, 1, &now, NULL, 0) == 0)
        return -EAGAIN;
    SYS5(SYS_getsockopt, op->fd, SOL_SOCKET, SO_ERROR, &error, &len);
    return -error;
}

long green_io_connect(int fd, const struct sockaddr *addr, socklen_t addrlen, int how)
{
    struct connect_call call = {addr, addrlen, false};
    struct green_hub *hub = hub_here();
    struct fd *s = hub != NULL ? fd_slot(hub, fd) : NULL;
    struct op op = {fd, how, s, 0};
    if (hub == NULL)
        return -ENOMEM;
    if (hub->current->refused != 0 && park_refused(hub) < 0)
        return park_refused(hub);
    if (s != NULL && (how & IO_HONOUR) != 0 && nonblocking(&op))
        return SYS3(SYS_connect, fd, addr, addrlen);
    if (is_unix(addr)) /* a full backlog: EAGAIN */
        return unix_run(fd, how, connect_begin, &call);
    if (s != NULL)
        s->level[FD_WRITE] = FD_MAYBE;
    return run(fd, FD_WRITE, how, connect_attempt, &call);
}

/* ---- descriptor numbers ---- */

int green_io_close(int fd)
{
    return fd_close(fd);
}

void green_io_forget(int fd)
{
    fd_forget(fd);
}

void green_io_flags_changed(void)
{
    atomic_fetch_add(&flags_epoch, EPOCH);
}

bool green_io_parks(void)
{
    struct green_hub *hub = self_hub();
    return hub != NULL && hub->current != NULL && hub->current != &hub->loop;
}

bool green_io_waits(int fd)
{
    struct green_hub *hub = self_hub();
    struct fd *s = hub != NULL ? fd_slot(hub, fd) : NULL;
    return s != NULL && fd_kind(s, fd) != FD_FILE;
}
