/* fd.c - see fd.h.
 *
 * The table is one lazily committed reservation indexed by descriptor number, so that slots never
 * move (libevent keeps pointers to them) and other hubs can mark one stale while it is in use. */
#include "fd.h"
#include "file.h"
#include "self.h"
#include "sys.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

enum { TABLE_MOST = 1 << 22 }; /* descriptors: 1 GiB of address space */

/* ---- the table ---- */

static void slot_forget(struct green_hub *hub, struct fd *s);
static void slot_refresh(struct green_hub *hub, struct fd *s);

static void table_close(struct green_hub *hub)
{
    struct fd *table = hub->fds;
    for (size_t i = 0; hub->watches > 0; i++)
        if (table[i].watched)
            slot_forget(hub, &table[i]);
    SYS2(SYS_munmap, hub->fds, hub->fds_count * sizeof(struct fd));
    hub->fds = NULL;
    hub->fds_count = 0;
}

static size_t table_wish(void)
{
    struct rlimit limit = {0};
    SYS4(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit);
    if (limit.rlim_max < 1024)
        return 1024;
    return limit.rlim_max < TABLE_MOST ? limit.rlim_max : TABLE_MOST;
}

static bool table_open(struct green_hub *hub)
{
    for (size_t count = table_wish(); count >= 1024; count /= 2) {
        long at = SYS6(SYS_mmap, NULL, count * sizeof(struct fd), PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (at < 0 && at > -4096)
            continue;
        hub->fds = (void *)at;
        hub->fds_count = count;
        hub->fds_close = table_close;
        return true;
    }
    return false;
}

struct fd *fd_slot_slow(struct green_hub *hub, int fd)
{
    if (fd < 0 || (hub->fds == NULL && !table_open(hub)) || (size_t)fd >= hub->fds_count)
        return NULL;
    struct fd *s = (struct fd *)hub->fds + fd;
    slot_refresh(hub, s);
    return s;
}

int fd_error(int fd)
{
    if (fd < 0 || SYS2(SYS_fcntl, fd, F_GETFD) < 0)
        return -EBADF;
    return -ENOMEM;
}

void fd_fresh(struct green_hub *hub, int fd, enum fd_kind kind)
{
    struct fd *s = fd_slot(hub, fd);
    if (s == NULL)
        return;
    if (s->watched)
        slot_forget(hub, s);
    s->kind = (uint8_t)kind;
    s->closed = false;
    s->flags = 0;
    s->level[FD_READ] = s->level[FD_WRITE] = FD_MAYBE;
}

long fd_look(struct pollfd *fds, nfds_t count)
{
    long r;
    do { /* the kernel looks for signals even if it is not to wait, and changes the time */
        struct timespec now = {0, 0};
        r = SYS5(SYS_ppoll, fds, count, &now, NULL, 0);
    } while (r == -EINTR);
    return r;
}

/* ---- kinds ---- */

static enum fd_kind ask_kind(int fd)
{
    struct stat st;
    int protocol = 0;
    socklen_t len = sizeof protocol;
    if (SYS2(SYS_fstat, fd, &st) < 0)
        return FD_UNKNOWN;
    switch (st.st_mode & S_IFMT) {
    case S_IFSOCK:
        SYS5(SYS_getsockopt, fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len);
        return protocol == IPPROTO_TCP ? FD_TCP : FD_SOCKET;
    case S_IFIFO:
    case 0: /* eventfd, timerfd, epoll, ... */
        return FD_PIPE;
    case S_IFCHR: /* 1 is memory: null, zero, random */
        return st.st_rdev >> 8 == 1 ? FD_FILE : FD_POLLED;
    default:
        return FD_FILE;
    }
}

enum fd_kind fd_kind(struct fd *s, int fd)
{
    if (s->kind == FD_UNKNOWN) {
        s->kind = FD_ASKED; /* first: a hub that closes the number meanwhile is to see it */
        s->kind = (uint8_t)ask_kind(fd);
    }
    return (enum fd_kind)s->kind;
}

struct fd_mark fd_mark(struct green_hub *hub, int fd)
{
    struct fd *s = fd_slot(hub, fd);
    if (s == NULL)
        return (struct fd_mark){NULL, 0};
    (void)fd_kind(s, fd); /* a slot in use, which another hub's close looks for */
    return (struct fd_mark){s, s->generation};
}

/* ---- edges ---- */

static void wake_pollers(struct fd *s)
{
    for (struct fd_poller *p = s->pollers; p != NULL; p = p->next)
        wake_first(p->queue, 0);
}

static __attribute__((hot)) void on_edge(int fd, short ready, void *arg)
{
    struct fd *s = arg;
    (void)fd;
    if (ready & WATCH_CLOSED)
        s->closed = true;
    if (ready & (WATCH_READ | WATCH_CLOSED)) {
        s->level[FD_READ] = FD_MAYBE;
        if (LIKELY(s->owner[FD_READ].head != NULL))
            wake_here(&s->owner[FD_READ]);
    }
    if (ready & WATCH_WRITE) { /* comes with every READ edge: seldom of interest */
        s->level[FD_WRITE] = FD_MAYBE;
        if (UNLIKELY(s->owner[FD_WRITE].head != NULL))
            wake_first(&s->owner[FD_WRITE], 0);
    }
    if (UNLIKELY(s->pollers != NULL))
        wake_pollers(s);
}

void fd_look_again(struct fd *s, int fd)
{
    on_edge(fd, WATCH_READ | WATCH_WRITE, s);
}

int fd_watch(struct green_hub *hub, struct fd *s, int fd)
{
    if (s->watched)
        return 0;
    s->watched = true; /* first: a hub that closes the number meanwhile is to see it */
    int err = watch_add(hub, &s->watch, fd, on_edge, s);
    if (err < 0)
        s->watched = false;
    return err;
}

/* ---- turns ---- */

int fd_turn_wait(struct green_hub *hub, struct fd *s, int fd, enum fd_direction d)
{
    uint32_t generation = s->generation;
    s->busy[d] = FD_WANTED;
    int err = park(hub, &s->line[d], WAIT_BACK, INT64_MAX, fd_why(d), fd);
    return generation != s->generation ? -EBADF : err; /* even if it was given the turn */
}

int fd_wait_unwatched(struct green_hub *hub, struct fd *s, int fd, enum fd_direction d)
{
    int err = fd_watch(hub, s, fd);
    return err < 0 ? err : fd_wait(hub, s, fd, d);
}

void fd_poller_add(struct fd *s, struct fd_poller *p)
{
    p->next = s->pollers;
    if (p->next != NULL)
        p->next->link = &p->next;
    p->link = &s->pollers;
    s->pollers = p;
}

void fd_poller_remove(struct fd_poller *p)
{
    if (p->link == NULL)
        return;
    *p->link = p->next;
    if (p->next != NULL)
        p->next->link = p->link;
    p->link = NULL;
}

/* ---- closing ---- */

static void slot_forget(struct green_hub *hub, struct fd *s)
{
    if (s->watched)
        watch_remove(hub, &s->watch);
    wake_pollers(s);
    while (s->pollers != NULL)
        fd_poller_remove(s->pollers);
    for (int d = FD_READ; d <= FD_WRITE; d++) {
        wake_all(&s->owner[d], -EBADF);
        wake_all(&s->line[d], -EBADF);
        s->busy[d] = FD_FREE;
        s->level[d] = FD_MAYBE;
    }
    s->generation++;
    s->kind = FD_UNKNOWN;
    s->watched = s->closed = false;
    s->flags = 0;
    s->stale = FD_CURRENT;
}

static void slot_refresh(struct green_hub *hub, struct fd *s)
{
    uint8_t stale = atomic_exchange(&s->stale, FD_CURRENT);
    if (stale == FD_STALE)
        slot_forget(hub, s);
    if (stale == FD_DOUBTFUL) {
        s->kind = FD_UNKNOWN;
        s->flags = 0;
    }
}

/* Another hub's slot is marked before the close, so that it cannot take the number's next file for
 * the old one, and sent its message, so that its waiters wake. Who begins to wait between the mark
 * and the close is found after it: then that hub registers the number anew, or learns that it is
 * gone. Who asks what the file is between the two, asks again. */
struct far_close {
    struct green_hub *here;
    int fd;
};

static void close_here(struct message *message)
{
    struct fd *s = CONTAINER(message, struct fd, far);
    struct green_hub *hub = self_hub();
    atomic_store(&s->far_sent, false);
    if (s->stale != FD_STALE && s->watched) {
        int fd = (int)(s - (struct fd *)hub->fds);
        watch_remove(hub, &s->watch);
        s->watched = false;
        if (fd_watch(hub, s, fd) < 0)
            s->stale = FD_STALE;
    }
    slot_refresh(hub, s);
}

static void tell(struct green_hub *hub, struct fd *s)
{
    if (atomic_exchange(&s->far_sent, true))
        return; /* on its way */
    s->far.run = close_here;
    hub_post(hub, &s->far);
}

static bool mark_stale(struct green_hub *hub, void *arg)
{
    struct far_close *c = arg;
    if (hub == c->here || (size_t)c->fd >= atomic_load(&hub->fds_count))
        return true;
    struct fd *s = (struct fd *)hub->fds + c->fd;
    if (!s->watched && s->kind == FD_UNKNOWN && s->flags == 0)
        return true; /* nothing to forget */
    s->generation++;
    s->stale = FD_STALE;
    if (s->watched || s->kind == FD_FILE || s->kind == FD_ASKED) /* for these, too, one may wait */
        tell(hub, s);
    return true;
}

static bool check_watch(struct green_hub *hub, void *arg)
{
    struct far_close *c = arg;
    if (hub == c->here || (size_t)c->fd >= atomic_load(&hub->fds_count))
        return true;
    struct fd *s = (struct fd *)hub->fds + c->fd;
    uint8_t stale = FD_CURRENT;
    if (s->kind != FD_UNKNOWN || s->flags != 0)
        atomic_compare_exchange_strong(&s->stale, &stale, FD_DOUBTFUL);
    if (s->watched)
        tell(hub, s);
    return true;
}

void fd_forget(int fd)
{
    struct green_hub *hub = self_hub();
    struct far_close c = {hub, fd};
    if (fd < 0)
        return;
    if (hub != NULL && (size_t)fd < hub->fds_count)
        slot_forget(hub, (struct fd *)hub->fds + fd);
    if (hubs_others(hub)) /* an OS thread without a hub may close what the hubs use */
        hubs_each(mark_stale, &c);
}

int fd_close(int fd)
{
    struct far_close c = {self_hub(), fd};
    fd_forget(fd);
    int r = file_close_later(fd) ? 0 : (int)SYS1(SYS_close, fd);
    if (fd >= 0 && hubs_others(c.here))
        hubs_each(check_watch, &c);
    return r;
}
