/* fd.h - the descriptor table: one slot a descriptor number in each hub, and waiting for readiness.
 *
 * A descriptor is registered with the hub's loop once, edge-triggered, when a call on it first has
 * to wait, and until it is closed. A slot remembers what the edges said and who waits.
 *
 * Each direction (reading, writing) has one owner at a time and a FIFO of those that wait for
 * their turn: whoever has begun an operation that had to wait keeps the turn until it is done, so
 * several readers or writers of one descriptor are served in order and a long write is not mixed
 * with another. The uncontended path only looks at `busy`.
 *
 * A short read of a TCP socket says that it is empty; but an RST that came with the data is shown
 * by libevent as no more than readiness, and waiting for another edge would hang. So only when a
 * send has worked after it (then no RST had come) does the next read wait untried. What this rule
 * does not see is urgent data, which splits reads: io.c leaves it out for IO_HONOUR callers.
 *
 * Closing goes through fd_close (or fd_forget before a foreign close): it ends the registration and
 * wakes all waiters with -EBADF in every hub; `generation` tells a thread that was still on its way
 * that the number may mean another file now, also before the word of another hub has arrived.
 *
 * Sockets are never switched to O_NONBLOCK: descriptions may belong to the program. */
#pragma once
#include "hub_event.h"
#include "hub_switch.h"
#include "wait.h"
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum fd_kind {
    FD_UNKNOWN,
    FD_ASKED,  /* the kernel is just being asked */
    FD_TCP,    /* stream socket over IP: the drained rule holds */
    FD_SOCKET, /* any other socket: MSG_DONTWAIT */
    FD_PIPE,   /* pipe, eventfd, timerfd and the like: RWF_NOWAIT */
    FD_POLLED, /* terminal, inotify, signalfd...: poll first, then call */
    FD_FILE,   /* regular file, directory, block device: the loop cannot watch it */
};

enum fd_direction { FD_READ, FD_WRITE };

/* What is known of unread data (or room, for writing). */
enum fd_level {
    FD_MAYBE, /* an edge has come since, or nothing is known: try */
    FD_SHORT, /* the last read was short: empty, unless an RST came with the data */
    FD_EMPTY, /* nothing there: wait for an edge */
};

/* One thread in poll(), on one descriptor: its edges wake whoever stands in `queue`. */
struct fd_poller {
    struct fd_poller *next;
    struct fd_poller **link; /* what points at this one; NULL: in no list */
    struct wait_queue *queue;
};

/* The turn of a direction. */
enum fd_busy { FD_FREE, FD_TAKEN, FD_WANTED /* taken, and others stand in line */ };

/* What another hub's close of the number means to a slot. */
enum fd_stale {
    FD_CURRENT,
    FD_DOUBTFUL, /* just then this hub asked what kind of file it is, and its flags: ask again */
    FD_STALE,    /* all that the slot remembers is of a file that is gone */
};

struct fd {
    /* The first cache line is all that reading and writing touch. */
    uint8_t level[2];            /* enum fd_level, for FD_READ and FD_WRITE */
    uint8_t busy[2];             /* enum fd_busy */
    _Atomic uint8_t kind;        /* enum fd_kind */
    _Atomic bool watched;        /* registered with the loop */
    _Atomic uint8_t stale;       /* enum fd_stale */
    bool closed;                 /* the peer will send no more (EV_CLOSED seen) */
    _Atomic uint32_t generation; /* grows with every close, here or on another hub */
    _Atomic uint64_t flags;      /* io.c's cache of O_NONBLOCK; 0: not asked */
    struct wait_queue owner[2];  /* who owns the turn, while it waits for an edge */
    struct fd_poller *pollers;   /* they watch, they take no turn */

    struct wait_queue line[2]; /* who waits for the turn, in order */
    struct message far;        /* sent by a hub that closed the number */
    atomic_bool far_sent;      /* and not yet arrived */
    _Alignas(64) struct watch watch;
};

static inline size_t fds_count(struct green_hub *hub)
{
    return atomic_load_explicit(&hub->fds_count, memory_order_relaxed);
}

/* The slot of a number in this hub's table; NULL: there is none (fd_error says why, as a negative
 * errno). */
struct fd *fd_slot_slow(struct green_hub *hub, int fd);
static inline struct fd *fd_slot(struct green_hub *hub, int fd)
{
    struct fd *slot = hub->fds;
    if (UNLIKELY((unsigned)fd >= fds_count(hub) || slot[fd].stale))
        return fd_slot_slow(hub, fd);
    return slot + fd;
}
int fd_error(int fd);

/* A number that was just made (accept, socket) and is known to be of this kind: whatever the slot
 * remembers of an earlier file, closed behind the library's back, is forgotten. */
void fd_fresh(struct green_hub *hub, int fd, enum fd_kind kind);

/* What poll(2) says at once of some descriptors; a signal that comes meanwhile is no answer. */
long fd_look(struct pollfd *fds, nfds_t count);

/* What kind of file it is; asks the kernel once in the life of the number. */
enum fd_kind fd_kind(struct fd *slot, int fd);

/* Take the turn of a direction, waiting in line; 0 or a negative errno. Then fd_wait, as often as
 * the operation would block: parks until an edge; -EPERM if the file cannot be watched (it never
 * blocks), -EBADF when it was closed. Whatever fd_wait returned, fd_done passes the turn on;
 * `generation` is the slot's when the turn began: after a close there is no turn left to pass. */
int fd_turn_wait(struct green_hub *hub, struct fd *slot, int fd, enum fd_direction direction);
static inline int fd_turn(struct green_hub *hub, struct fd *slot, int fd, enum fd_direction d)
{
    if (UNLIKELY(slot->busy[d] != FD_FREE))
        return fd_turn_wait(hub, slot, fd, d);
    slot->busy[d] = FD_TAKEN;
    return 0;
}

static inline const char *fd_why(enum fd_direction d)
{
    return d == FD_READ ? "fd % readable" : "fd % writable";
}

int fd_wait_unwatched(struct green_hub *hub, struct fd *slot, int fd, enum fd_direction direction);
static inline int fd_wait(struct green_hub *hub, struct fd *slot, int fd, enum fd_direction d)
{
    if (UNLIKELY(!slot->watched))
        return fd_wait_unwatched(hub, slot, fd, d);
    uint32_t generation = slot->generation;
    int err = park_here(hub, &slot->owner[d], WAIT_BACK, INT64_MAX, fd_why(d), fd);
    return UNLIKELY(generation != slot->generation) ? -EBADF : err;
}

static inline void fd_done(struct fd *slot, enum fd_direction d, uint32_t generation)
{
    if (UNLIKELY(generation != slot->generation))
        return;
    if (LIKELY(slot->busy[d] == FD_TAKEN) || !wake_first(&slot->line[d], 0))
        slot->busy[d] = FD_FREE;
}

/* What a number means now, for calls of several steps: after a close it may mean another file. */
struct fd_mark {
    struct fd *slot; /* NULL: there is none, see fd_slot */
    uint32_t generation;
};
struct fd_mark fd_mark(struct green_hub *hub, int fd);
static inline bool fd_closed(const struct fd_mark *mark)
{
    return mark->slot != NULL && mark->slot->generation != mark->generation;
}

/* Join and leave those who watch a descriptor. */
void fd_poller_add(struct fd *slot, struct fd_poller *poller);
void fd_poller_remove(struct fd_poller *poller);

/* Something has happened that the loop is not told of: who waits in this hub looks again. */
void fd_look_again(struct fd *slot, int fd);

/* Register without waiting: 0, -EPERM, -ENOMEM, -EBADF. */
int fd_watch(struct green_hub *hub, struct fd *slot, int fd);

/* The number is about to be closed, or was re-used behind the library's back: forget everything,
 * wake its waiters with -EBADF, in all hubs. Engine only. */
void fd_forget(int fd);
/* fd_forget and close(2): 0 or a negative errno. */
int fd_close(int fd);
