/* io_op.c - see io_op.h, and what io.h tells of descriptor numbers. */
#include "io_op.h"
#include "sys.h"
#include <fcntl.h>
#include <stdatomic.h>

/* O_NONBLOCK is the description's, which many descriptors may share: what a slot remembers, an
 * epoch and the flag, counts until it may have changed anywhere. */
enum { IS_NONBLOCKING = 1, EPOCH = 2 };
static _Atomic uint64_t flags_epoch = EPOCH;

bool io_nonblocking(struct op *op)
{
    struct fd *s = op->slot;
    uint64_t epoch = atomic_load_explicit(&flags_epoch, memory_order_relaxed);
    if ((s->flags & ~(uint64_t)IS_NONBLOCKING) != epoch) {
        s->flags = epoch; /* first: a hub that closes the number meanwhile is to see it */
        long flags = SYS2(SYS_fcntl, op->fd, F_GETFL);
        s->flags = epoch | (flags >= 0 && (flags & O_NONBLOCK) != 0 ? IS_NONBLOCKING : 0);
    }
    return (s->flags & IS_NONBLOCKING) != 0;
}

long io_at_once(long result)
{
    struct green_hub *hub = self_hub();
    if (hub != NULL)
        hub_spend_bytes(hub, result);
    return result;
}

bool io_wants_all(int fd, int flags)
{
    int type = 0;
    socklen_t len = sizeof type;
    if ((flags & (MSG_WAITALL | MSG_PEEK)) != MSG_WAITALL)
        return false;
    SYS5(SYS_getsockopt, fd, SOL_SOCKET, SO_TYPE, &type, &len);
    return type == SOCK_STREAM;
}

long io_unix_run(int fd, int how, unix_fn *attempt, const void *call)
{
    struct green_hub *hub = hub_here();
    struct op op = {fd, how, hub != NULL ? fd_slot(hub, fd) : NULL, 0};
    struct fd *s = op.slot;
    if (s == NULL)
        return hub == NULL ? -ENOMEM : fd_error(fd);
    (void)fd_kind(s, fd); /* a slot in use, which another hub's close looks for */
    uint32_t generation = s->generation;
    long r = hub->current->refused != 0 ? park_refused(hub) : 0;
    for (int64_t pause = GREEN_MS; r == 0; pause = pause < 64 * GREEN_MS ? pause * 2 : pause) {
        r = attempt(&op, call);
        if (r != -EAGAIN || ((how & IO_HONOUR) != 0 && io_nonblocking(&op)))
            return io_at_once(r);
        r = park(hub, NULL, WAIT_BACK, hub_clock() + pause, "room in another socket's queue", fd);
        if (generation != s->generation)
            return -EBADF;
        if (r == -ETIMEDOUT)
            r = park_refused(hub);
    }
    return r;
}

/* ---- descriptor numbers ---- */

int green_io_close(int fd)
{
    return fd_close(fd);
}

/* Who waits for room in a unix socket gets no edge from the kernel. */
long green_io_shutdown(int fd, int how)
{
    struct green_hub *hub = self_hub();
    long r = SYS2(SYS_shutdown, fd, how);
    struct fd *s = r == 0 && hub != NULL && hub->fds != NULL ? fd_slot(hub, fd) : NULL;
    if (s != NULL)
        fd_look_again(s, fd);
    return r;
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
