/* io_op.h - what the calls of io.h are made of: an attempt that never blocks, and the loop around
 * it. For net/io*.c only. */
#pragma once
#include "fd.h"
#include "io.h"
#include "self.h"
#include <errno.h>

/* One call under way. */
struct op {
    int fd;
    int how;
    struct fd *slot;
    size_t done; /* bytes already moved, by a call that must move them all */
};

/* What an attempt says of a file: not to be done in this way (file.h). No errno is like it. */
enum { IO_FILE = -4096 };

typedef long attempt_fn(struct op *op, void *call);

/* Is O_NONBLOCK set? Asked once, and again when it may have changed. */
bool io_nonblocking(struct op *op);

/* A call that never waits counts against the slice, too. */
long io_at_once(long result);

/* Does MSG_WAITALL count? Only streams know it. */
bool io_wants_all(int fd, int flags);

/* Calls that never wait, on any socket: errors queued by the kernel are there or not. */
enum { RECV_AT_ONCE = MSG_DONTWAIT | MSG_ERRQUEUE };

static inline bool is_socket(enum fd_kind kind)
{
    return kind == FD_TCP || kind == FD_SOCKET;
}

static inline bool is_unix(const void *addr)
{
    return addr != NULL && ((const struct sockaddr *)addr)->sa_family == AF_UNIX;
}

/* To another unix socket's queue: room in it gives no edge here (and a failed send gives one that
 * means nothing): ask again, less and less often. */
typedef long unix_fn(struct op *op, const void *call);
long io_unix_run(int fd, int how, unix_fn *attempt, const void *call);

/* The turn is taken when the call first has to wait, or at once if somebody else has it. */
static inline __attribute__((always_inline)) long io_run(int fd, enum fd_direction d, int how,
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
        bool never_wait = (how & IO_HONOUR) != 0 && s->level[d] == FD_EMPTY && io_nonblocking(&op);
        if (s->level[d] != FD_EMPTY || never_wait) {
            r = attempt(&op, call);
            if (LIKELY(r != -EAGAIN))
                break;
            s->level[d] = FD_EMPTY;
            if ((how & IO_HONOUR) != 0 && io_nonblocking(&op))
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
    else if (hub_spend_bytes(hub, r) && (how & IO_ALL) != 0 && generation != s->generation)
        return -EBADF;
    return UNLIKELY(r < 0 && op.done > 0 && (how & IO_ALL) == 0) ? (long)op.done : r;
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
