/* select_fd.c - descriptors as cases of green_select. The kernel's poll says what is ready; the
 * loop's edges only say when to ask again. */
#include "fd.h"
#include "select.h"
#include <green/fd.h>

/* Its place among those who watch the descriptor. */
struct watcher {
    struct fd_poller poller;
    uint32_t generation; /* of the descriptor, when it entered */
    bool entered;
};

static struct watcher *watcher_of(green_case *c)
{
    _Static_assert(sizeof(struct watcher) <= sizeof c->room, "there is room");
    return (struct watcher *)(void *)c->room;
}

static int look(struct green_hub *hub, green_case *c, short events)
{
    struct pollfd p = {(int)c->number, events, 0};
    struct watcher *w = watcher_of(c);
    if (w->entered) {
        struct fd *s = fd_slot(hub, p.fd);
        if (s == NULL || s->generation != w->generation)
            return -EBADF; /* closed meanwhile; the number may be another file's now */
    }
    long n = fd_look(&p, 1);
    if (n > 0 && (p.revents & POLLNVAL) != 0)
        return -EBADF;
    return (int)n;
}

static int look_readable(struct green_hub *hub, green_case *c)
{
    return look(hub, c, POLLIN);
}

static int look_writable(struct green_hub *hub, green_case *c)
{
    return look(hub, c, POLLOUT);
}

static int enter(struct green_hub *hub, green_case *c, struct choice *choice)
{
    int fd = (int)c->number;
    struct watcher *w = watcher_of(c);
    struct fd *s = fd_slot(hub, fd);
    if (s == NULL)
        return fd_error(fd);
    if (w->entered)
        return 0; /* in line since the last look */
    int err = fd_watch(hub, s, fd);
    if (err < 0)
        return err;
    w->generation = s->generation;
    w->entered = true;
    w->poller.queue = &choice->line;
    fd_poller_add(s, &w->poller);
    return 0;
}

static void leave(struct green_hub *hub, green_case *c)
{
    (void)hub;
    struct watcher *w = watcher_of(c);
    if (w->entered)
        fd_poller_remove(&w->poller);
    w->entered = false;
}

GREEN_API green_case green_case_readable(int fd)
{
    static const struct case_kind kind = {.look = look_readable, .enter = enter, .leave = leave};
    return (green_case){.kind = &kind, .number = fd};
}

GREEN_API green_case green_case_writable(int fd)
{
    static const struct case_kind kind = {.look = look_writable, .enter = enter, .leave = leave};
    return (green_case){.kind = &kind, .number = fd};
}
