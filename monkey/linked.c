/* linked.c - the linked door: libgreen-monkey, beside libgreen. See green/monkey.h.
 *
 * Here errno and thread-local variables are the OS thread's and the hub is libgreen's; only the
 * system calls in libc are patched, and none is trapped. */
#include "linked.h"
#include "calls.h"
#include "io.h"
#include <errno.h>
#include <green/monkey.h>
#include <green/thread.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

enum {
    DESCRIPTORS = 16, /* what keeps the engine informed: always on */
    SLICE = 64
};

struct entry {
    call_fn *call;
    unsigned group;
};

#define IO(call)              \
    {                         \
        call, GREEN_MONKEY_IO \
    }
#define WAIT(call)              \
    {                           \
        call, GREEN_MONKEY_WAIT \
    }
#define TIME(call)              \
    {                           \
        call, GREEN_MONKEY_TIME \
    }
#define TOLD(call)        \
    {                     \
        call, DESCRIPTORS \
    }

static const struct entry table[] = {
    [SYS_read] = IO(call_read),
    [SYS_write] = IO(call_write),
    [SYS_readv] = IO(call_readv),
    [SYS_writev] = IO(call_writev),
    [SYS_recvfrom] = IO(call_recvfrom),
    [SYS_sendto] = IO(call_sendto),
    [SYS_recvmsg] = IO(call_recvmsg),
    [SYS_sendmsg] = IO(call_sendmsg),
    [SYS_recvmmsg] = IO(call_recvmmsg),
    [SYS_sendmmsg] = IO(call_sendmmsg),
    [SYS_accept] = IO(call_accept),
    [SYS_accept4] = IO(call_accept),
    [SYS_connect] = IO(call_connect),
    [SYS_sendfile] = IO(call_sendfile),
    [SYS_splice] = IO(call_splice),
    [SYS_setsockopt] = TOLD(call_setsockopt),

    [SYS_poll] = WAIT(call_poll),
    [SYS_ppoll] = WAIT(call_ppoll),
    [SYS_select] = WAIT(call_select),
    [SYS_pselect6] = WAIT(call_pselect6),
    [SYS_epoll_wait] = WAIT(call_epoll_wait),
    [SYS_epoll_pwait] = WAIT(call_epoll_pwait),
    [SYS_epoll_pwait2] = WAIT(call_epoll_pwait2),
    [SYS_wait4] = WAIT(call_wait4),
    [SYS_waitid] = WAIT(call_waitid),
    [SYS_flock] = WAIT(call_flock),

    [SYS_nanosleep] = TIME(call_nanosleep),
    [SYS_clock_nanosleep] = TIME(call_clock_nanosleep),

    [SYS_close] = TOLD(call_close),
    [SYS_close_range] = TOLD(call_close_range),
    [SYS_dup2] = TOLD(call_dup2),
    [SYS_dup3] = TOLD(call_dup2),
    [SYS_shutdown] = TOLD(call_shutdown),
    [SYS_fcntl] = TOLD(call_fcntl),
    [SYS_ioctl] = TOLD(call_flags),
};

enum { COUNT = sizeof table / sizeof table[0] };

static atomic_uint groups;
static int failure; /* errno of the patching, if it failed */
static int pid;     /* of the process, to know its children by */

/* ---- what calls.h asks of a door ---- */

bool door_owns(int fd)
{
    (void)fd;
    return false;
}

/* The mask is the OS thread's, on which all its green threads depend: it stays. */
long door_mask(const uint64_t *mask)
{
    (void)mask;
    return 0;
}

/* Whoever keeps making calls that do not wait lets others run. */
static void spend(void)
{
    static _Thread_local unsigned spent;
    int kept = errno;
    if (++spent % SLICE == 0)
        green_yield();
    errno = kept;
}

/* ---- the way in ---- */

/* Files never wait, but libc reads some of its own while it holds a lock, and another green thread
 * that came for that lock would stop the OS thread for ever. So it is with the standard streams. */
static bool yields(int fd)
{
    return fd > STDERR_FILENO && green_io_waits(fd);
}

bool linked_group_on(unsigned group)
{
    return (atomic_load_explicit(&groups, memory_order_relaxed) & group) != 0;
}

/* The child of posix_spawn: it lives in our memory, but has descriptors of its own. */
static bool is_guest(void)
{
    return (int)SYS0(SYS_getpid) != pid;
}

long monkey_call(struct call *c)
{
    if ((unsigned long)c->nr >= COUNT || table[c->nr].call == NULL)
        return call_kernel(c);
    unsigned group = table[c->nr].group;
    if (!linked_group_on(group))
        return call_kernel(c);
    if (group == DESCRIPTORS) /* whichever OS thread it is that closes what green threads use */
        return is_guest() ? call_kernel(c) : table[c->nr].call(c);
    if (!green_io_parks() || (group == GREEN_MONKEY_IO && !yields((int)c->arg[0])))
        return call_kernel(c);
    long r = table[c->nr].call(c);
    if (group == GREEN_MONKEY_WAIT)
        spend();
    return r;
}

/* In a forked child: from the call on that makes its hub, it is as green as we are. */
static void forked(void)
{
    pid = (int)SYS0(SYS_getpid);
}

static bool wants(long nr)
{
    return nr < COUNT && table[nr].call != NULL;
}

/* ---- the public calls ---- */

int green_monkey_patch_groups(unsigned wish)
{
    static atomic_bool begun;
    if ((wish & ~(unsigned)GREEN_MONKEY_ALL) != 0) {
        errno = EINVAL;
        return -1;
    }
    if (!atomic_exchange(&begun, true)) {
        pid = (int)SYS0(SYS_getpid);
        failure = pthread_atfork(NULL, NULL, forked);
        if (failure == 0)
            failure = -intercept_start(0, wants);
    }
    if (failure != 0) {
        errno = failure;
        return -1;
    }
    atomic_fetch_or(&groups, wish | DESCRIPTORS);
    return 0;
}

int green_monkey_patch(void)
{
    return green_monkey_patch_groups(GREEN_MONKEY_ALL);
}

static int report_line(FILE *to, unsigned group, const char *what)
{
    return fprintf(to, "  %s  %s\n", linked_group_on(group) ? "green   " : "blocking", what);
}

int green_monkey_report(FILE *to)
{
    struct intercept_stats sites;
    intercept_stats(&sites);
    int r = fprintf(to, "green_monkey: %llu system calls in libc patched, %llu left\n",
                    (unsigned long long)sites.patched, (unsigned long long)sites.left);
    if (r >= 0 && failure != 0)
        r = fprintf(to, "  nothing is green: %s (%s)\n", intercept_error(), strerror(failure));
    if (r >= 0)
        r = report_line(to, GREEN_MONKEY_IO, "read, write, send, recv, accept, connect");
    if (r >= 0)
        r = report_line(to, GREEN_MONKEY_WAIT, "poll, select, epoll_wait, waitpid, flock");
    if (r >= 0)
        r = report_line(to, GREEN_MONKEY_TIME, "sleep, usleep, nanosleep");
    if (r >= 0)
        r = report_line(to, GREEN_MONKEY_DNS, "getaddrinfo");
    if (r >= 0)
        r = report_line(to, 0, "POSIX locks, files on disk, the standard streams");
    return r < 0 ? -1 : 0;
}
