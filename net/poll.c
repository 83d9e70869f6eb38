/* poll.c - waiting for several descriptors: see io.h.
 *
 * The kernel's poll with a zero time-out says what is ready; edges only say when to ask again. A
 * poller that finds itself taken out of a descriptor's list was so by its close: the number may be
 * another file's now, which is nobody's concern here. */
#include "fd.h"
#include "io.h"
#include "memory.h"
#include "self.h"
#include <errno.h>

enum { FEW = 8 };

/* Watch all descriptors for edges that wake `queue`. 0, or -errno with some perhaps watched. */
static long watch_all(struct green_hub *hub, struct pollfd *fds, nfds_t count,
                      struct fd_poller *pollers, struct wait_queue *queue)
{
    for (nfds_t i = 0; i < count; i++) {
        if (fds[i].fd < 0)
            continue;
        struct fd *s = fd_slot(hub, fds[i].fd);
        if (s == NULL)
            return fd_error(fds[i].fd);
        int err = fd_watch(hub, s, fds[i].fd);
        if (err == -EPERM)
            continue; /* always ready: poll has said so, or nothing was asked of it */
        if (err < 0)
            return err;
        pollers[i].queue = queue;
        fd_poller_add(s, &pollers[i]);
    }
    return 0;
}

/* Those that keep their queue have been closed. */
static void leave_all(struct green_hub *hub, const struct pollfd *fds, nfds_t count,
                      struct fd_poller *pollers)
{
    for (nfds_t i = 0; i < count; i++) {
        (void)fd_slot(hub, fds[i].fd); /* learns of a close by another hub */
        if (pollers[i].link != NULL)
            pollers[i].queue = NULL;
        fd_poller_remove(&pollers[i]);
    }
}

static long look_open(struct pollfd *fds, nfds_t count, const struct fd_poller *pollers)
{
    long ready = fd_look(fds, count);
    for (nfds_t i = 0; i < count && ready >= 0; i++)
        if (pollers[i].queue != NULL) {
            ready += fds[i].revents == 0;
            fds[i].revents = POLLNVAL;
        }
    return ready;
}

static long wait_edges(struct green_hub *hub, struct pollfd *fds, nfds_t count, int64_t until,
                       struct fd_poller *pollers)
{
    enum { TRIES = 3 };
    struct wait_queue queue = {0};
    for (int gone = 0;;) {
        for (nfds_t i = 0; i < count; i++)
            pollers[i] = (struct fd_poller){0};
        long r = watch_all(hub, fds, count, pollers, &queue);
        bool own = until < hub->current->deadline;
        /* One is closed since the last look: the next one says which, if not the loop's own is. */
        bool again = r == -EBADF && gone++ < TRIES;
        if (r == 0)
            r = park(hub, &queue, WAIT_BACK, until, "poll", count > 0 ? fds[0].fd : -1);
        leave_all(hub, fds, count, pollers);
        if (r < 0 && r != -ETIMEDOUT && !again)
            return r;
        long ready = look_open(fds, count, pollers);
        if (ready != 0)
            return ready;
        if (r == -ETIMEDOUT)
            return own ? 0 : r;
    }
}

long green_io_poll(struct pollfd *fds, nfds_t count, int64_t timeout)
{
    struct fd_poller few[FEW], *pollers = few;
    struct green_hub *hub = hub_here();
    if (hub == NULL)
        return -ENOMEM;
    int refused = hub->current->refused != 0 ? park_refused(hub) : 0;
    if (refused < 0)
        return refused;
    long r = fd_look(fds, count);
    if (r != 0 || timeout == 0) {
        hub_spend(hub);
        return r;
    }
    int64_t until = INT64_MAX;
    if (timeout > 0) {
        int64_t now = hub_clock();
        until = timeout < INT64_MAX - now ? now + timeout : INT64_MAX;
    }
    if (count > FEW && (pollers = memory_get(count * sizeof *pollers)) == NULL)
        return -ENOMEM;
    r = wait_edges(hub, fds, count, until, pollers);
    if (pollers != few)
        memory_put(pollers);
    return r;
}

long green_io_wait(int fd, short events)
{
    struct pollfd p = {fd, events, 0};
    long r = green_io_poll(&p, 1, -1);
    if (r < 0)
        return r;
    return (p.revents & POLLNVAL) != 0 ? -EBADF : 0;
}
