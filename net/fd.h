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
 * Closing goes through fd_close (or fd_forget before a foreign close): it ends the registration and
 * wakes all waiters with -EBADF in every hub; `generation` tells a thread that was still on its way
 * that the number may mean another file now.
 *
 * Sockets are never switched to O_NONBLOCK: descriptions may belong to the program. */
#pragma once
#include "hub_event.h"
#include "wait.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct green_hub;

enum fd_kind {
    FD_UNKNOWN,
    FD_TCP,    /* stream socket over IP: the drained rule holds */
    FD_SOCKET, /* any other socket: MSG_DONTWAIT */
    FD_PIPE,   /* pipe, eventfd, timerfd and the like: RWF_NOWAIT */
    FD_POLLED, /* terminal, inotify, signalfd...: poll first, then call */
    FD_FILE,   /* regular file, directory, block device: the loop cannot watch it */
};

enum fd_direction { FD_READ, FD_WRITE };

/* What is known of unread data (or room, for writing). */
enum fd_level {
    FD_MAYBE,   /* an edge has come since, or nothing is known: try */
    FD_SHORT,   /* the last read was short: empty, unless an RST came with the data */
    FD_EMPTY,   /* nothing there: wait for an edge */
};

struct fd_side {
    struct wait_queue waiting; /* FIFO: the owner is not in it, except while it waits itself */
    bool busy;                 /* somebody owns the turn, or is in line */
    uint8_t level;             /* enum fd_level */
};

struct fd {
    struct fd_side side[2];     /* FD_READ, FD_WRITE */
    uint32_t generation;        /* grows with every close */
    uint8_t kind;               /* enum fd_kind */
    bool watched;               /* registered with the loop */
    bool closed;                /* the peer will send no more (EV_CLOSED seen) */
    uint8_t nonblocking;        /* io.c's cache of O_NONBLOCK: 0 not asked, 1 no, 2 yes */
    _Atomic bool stale;         /* another hub has closed the number */
    struct wait_queue pollers;  /* they watch, they take no turn */
    struct watch watch;
} __attribute__((aligned(64)));

/* The slot of a number in this hub's table; NULL: negative, above the table, or no memory for the
 * table (fd_error says which as a negative errno). */
struct fd *fd_slot(struct green_hub *hub, int fd);
int fd_error(int fd);

/* What kind of file it is; asks the kernel once in the life of the number. */
enum fd_kind fd_kind(struct fd *slot, int fd);

/* Take the turn of a direction, waiting in line; 0 or a negative errno. Then fd_wait, as often as
 * the operation would block: parks until an edge; -EPERM if the file cannot be watched (it never
 * blocks). Then fd_done passes the turn on. A failed fd_wait leaves the turn with the caller. */
int fd_turn(struct green_hub *hub, struct fd *slot, int fd, enum fd_direction direction);
int fd_wait(struct green_hub *hub, struct fd *slot, int fd, enum fd_direction direction);
void fd_done(struct fd *slot, enum fd_direction direction);

/* Register without waiting: 0, -EPERM, -ENOMEM, -EBADF. */
int fd_watch(struct green_hub *hub, struct fd *slot, int fd);

/* The number is about to be closed, or was re-used behind the library's back: forget everything,
 * wake its waiters with -EBADF, in all hubs. Engine only. */
void fd_forget(int fd);
/* fd_forget and close(2): 0 or a negative errno. */
int fd_close(int fd);
