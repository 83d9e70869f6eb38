/* descriptor.c - descriptor numbers come and go: the engine is told. See calls.h. */
#include "calls.h"
#include "io.h"
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <sys/ioctl.h>

long call_close(struct call *c)
{
    if (door_owns((int)c->arg[0]))
        return -EBADF;
    transfer_forget((int)c->arg[0]);
    return green_io_close((int)c->arg[0]);
}

static void forget(int fd)
{
    transfer_forget(fd);
    green_io_forget(fd);
}

long call_dup2(struct call *c)
{
    int from = (int)c->arg[0], to = (int)c->arg[1];
    if (door_owns(to) || door_owns(from))
        return -EBADF;
    if (from != to && SYS2(SYS_fcntl, from, F_GETFD) >= 0)
        forget(to);
    return call_kernel(c);
}

long call_shutdown(struct call *c)
{
    return green_io_shutdown((int)c->arg[0], (int)c->arg[1]);
}

/* ---- close_range ---- */

struct entry { /* of getdents64 */
    uint64_t ino;
    int64_t off;
    uint16_t len;
    uint8_t type;
    char name[];
};

static unsigned number_of(const char *name)
{
    unsigned n = 0;
    if (*name < '0' || *name > '9')
        return UINT_MAX;
    while (*name >= '0' && *name <= '9')
        n = n * 10 + (unsigned)(*name++ - '0');
    return n;
}

/* Only those that are open: the range usually has no end. */
static void forget_range(unsigned first, unsigned last)
{
    _Alignas(8) char buf[1024];
    long dir = SYS4(SYS_openat, AT_FDCWD, "/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    long n;
    while (dir >= 0 && (n = SYS3(SYS_getdents64, dir, buf, sizeof buf)) > 0)
        for (long at = 0; at < n;) {
            struct entry *e = (struct entry *)(void *)(buf + at);
            unsigned fd = number_of(e->name);
            if (fd >= first && fd <= last && !door_owns((int)fd))
                forget((int)fd);
            at += e->len;
        }
    if (dir >= 0)
        SYS1(SYS_close, dir);
}

long call_close_range(struct call *c)
{
    unsigned first = (unsigned)c->arg[0], last = (unsigned)c->arg[1];
    if (first > last || (c->arg[2] & CLOSE_RANGE_CLOEXEC) != 0)
        return call_kernel(c);
    forget_range(first, last);
    unsigned most = last < 4096 ? last : 4096; /* ours are below */
    for (unsigned fd = first; fd <= most; fd++) {
        if (!door_owns((int)fd))
            continue;
        if (fd > first)
            SYS3(c->nr, first, fd - 1, c->arg[2]);
        first = fd + 1;
    }
    return first <= last ? SYS3(c->nr, first, last, c->arg[2]) : 0;
}

/* ---- flags ---- */

long call_flags(struct call *c)
{
    long r = call_kernel(c);
    if (r == 0 && c->arg[1] == (c->nr == SYS_ioctl ? FIONBIO : F_SETFL))
        green_io_flags_changed();
    return r;
}

long call_fcntl(struct call *c)
{
    if (c->arg[1] == F_SETLKW && green_io_parks())
        return wait_for_lock(c, F_SETLK);
    if (c->arg[1] == F_OFD_SETLKW && green_io_parks())
        return wait_for_lock(c, F_OFD_SETLK);
    return call_flags(c);
}
