/* io_connect.c - accept and connect: see io.h. */
#include "io_op.h"
#include "sys.h"
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>

/* An OS thread looks at a listener and accepts from it: see accept_blocking. One for all, since
 * several descriptors may be of the same listener. */
static atomic_bool accepting;

/* Who was doing so is not in the child. */
static void forked(void)
{
    accepting = false;
}

static __attribute__((constructor)) void watch_forks(void)
{
    pthread_atfork(NULL, NULL, forked);
}

/* False: somebody else is, and the call has blocked him. */
static bool accept_begin(void)
{
    enum { PATIENCE = 100 };
    for (int tries = 0; tries < PATIENCE; tries++) {
        if (!atomic_exchange(&accepting, true))
            return true;
        SYS0(SYS_sched_yield);
    }
    return false;
}

struct accept_call {
    struct sockaddr *addr;
    socklen_t *addrlen;
    int flags;
};

/* accept(2) has no MSG_DONTWAIT: a listener in blocking mode is polled first, and no other hub may
 * come between. If another process does, the call blocks, or if the listener is closed in the very
 * moment before the call, and another one has its number: give such listeners O_NONBLOCK. Other
 * hubs then hear -EBUSY. */
static long accept_blocking(const struct op *op, const struct accept_call *c)
{
    struct pollfd p = {op->fd, POLLIN, 0};
    if (!accept_begin())
        return -EBUSY;
    long r = fd_look(&p, 1);
    if (r == 0)
        r = -EAGAIN;
    else if (op->slot->stale == FD_STALE || (p.revents & POLLNVAL) != 0) /* or was closed before */
        r = -EBADF;
    else
        r = SYS4(SYS_accept4, op->fd, c->addr, c->addrlen, c->flags);
    accepting = false;
    return r;
}

static long accept_attempt(struct op *op, void *call)
{
    struct accept_call *c = call;
    long r;
    do
        r = io_nonblocking(op) ? SYS4(SYS_accept4, op->fd, c->addr, c->addrlen, c->flags)
                               : accept_blocking(op, c);
    while (r == -ECONNABORTED && (op->how & IO_HONOUR) == 0); /* gone already: nobody's concern */
    if (r >= 0)
        fd_fresh(self_hub(), (int)r, fd_kind(op->slot, op->fd));
    return r;
}

long green_io_accept(int fd, struct sockaddr *addr, socklen_t *addrlen, int flags, int how)
{
    struct accept_call call = {addr, addrlen, flags};
    for (;;) {
        long r = io_run(fd, FD_READ, how, accept_attempt, &call);
        if (r != -EBUSY)
            return r;
        struct pollfd closed = {fd, 0, 0};
        r = green_io_poll(&closed, 1, 10 * GREEN_MS);
        if (r < 0 || (closed.revents & POLLNVAL) != 0)
            return r < 0 ? r : -EBADF;
    }
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
    if (!c->begun) {
        long r = connect_begin(op, c);
        c->begun = r == -EINPROGRESS || r == -EALREADY;
        if (!c->begun)
            return r;
    }
    if (fd_look(&p, 1) == 0)
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
    int refused = hub->current->refused != 0 ? park_refused(hub) : 0;
    if (refused < 0)
        return refused;
    if (s != NULL && (how & IO_HONOUR) != 0 && io_nonblocking(&op))
        return SYS3(SYS_connect, fd, addr, addrlen);
    if (is_unix(addr)) /* a full backlog: EAGAIN */
        return io_unix_run(fd, how, connect_begin, &call);
    if (s != NULL)
        s->level[FD_WRITE] = FD_MAYBE;
    return io_run(fd, FD_WRITE, how, connect_attempt, &call);
}
