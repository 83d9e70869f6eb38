/* waiting.c - waiting for descriptors, time, children and locks: see calls.h. */
#include "calls.h"
#include "io.h"
#include <fcntl.h>
#include <green/deadline.h>
#include <limits.h>
#include <linux/wait.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/select.h>
#include <sys/time.h>
#include <time.h>

/* ---- time ---- */

/* Nanoseconds of a time-out; -1 for none at all (for ever), -EINVAL. */
static int64_t span_of(const struct timespec *t)
{
    if (t == NULL)
        return -1;
    if (t->tv_sec < 0 || t->tv_nsec < 0 || t->tv_nsec >= GREEN_SEC)
        return -EINVAL;
    if (t->tv_sec >= INT64_MAX / GREEN_SEC)
        return -1;
    return t->tv_sec * GREEN_SEC + t->tv_nsec;
}

static struct timespec timespec_of(int64_t ns)
{
    if (ns < 0)
        ns = 0;
    return (struct timespec){ns / GREEN_SEC, ns % GREEN_SEC};
}

/* Sleep; 0 or -errno. */
static long pause_for(int64_t ns)
{
    return green_sleep(ns) < 0 ? -errno : 0;
}

static long sleep_for(int64_t ns, struct timespec *left)
{
    int64_t until = green_now() + ns;
    if (ns <= 0)
        return 0;
    long r = pause_for(ns);
    if (r == -EINTR && left != NULL)
        *left = timespec_of(until - green_now());
    return r;
}

long call_nanosleep(struct call *c)
{
    int64_t ns = span_of((const struct timespec *)c->arg[0]);
    if (ns == -EINVAL)
        return -EINVAL;
    return sleep_for(ns < 0 ? INT64_MAX / 2 : ns, (struct timespec *)c->arg[1]);
}

long call_clock_nanosleep(struct call *c)
{
    struct timespec now;
    int64_t ns = span_of((const struct timespec *)c->arg[2]);
    if (ns == -EINVAL)
        return -EINVAL;
    if (ns < 0)
        ns = INT64_MAX / 2;
    if ((c->arg[1] & TIMER_ABSTIME) == 0)
        return sleep_for(ns, (struct timespec *)c->arg[3]);
    long r = SYS2(SYS_clock_gettime, c->arg[0], &now);
    return r < 0 ? r : sleep_for(ns - (now.tv_sec * GREEN_SEC + now.tv_nsec), NULL);
}

/* ---- poll ---- */

long call_poll(struct call *c)
{
    int64_t ms = (int)c->arg[2];
    return green_io_poll((struct pollfd *)c->arg[0], (nfds_t)c->arg[1],
                         ms < 0 ? -1 : ms * GREEN_MS);
}

long call_ppoll(struct call *c)
{
    int64_t ns = span_of((const struct timespec *)c->arg[2]);
    if (ns == -EINVAL)
        return -EINVAL;
    long r = door_mask((const uint64_t *)c->arg[3]);
    return r < 0 ? r : green_io_poll((struct pollfd *)c->arg[0], (nfds_t)c->arg[1], ns);
}

/* ---- select ---- */

enum { FEW = 16, WORD = 64, FDS_MOST = 1 << 20 };

/* The three sets of a call, as bit maps; any may be NULL. */
struct sets {
    uint64_t *bits[3];
    int n;
};

static const short wanted[3] = {POLLIN, POLLOUT, POLLPRI};
static const short found[3] = {POLLIN | POLLHUP | POLLERR, POLLOUT | POLLERR, POLLPRI};

static short wanted_of(const struct sets *s, int fd)
{
    short events = 0;
    for (int i = 0; i < 3; i++)
        if (s->bits[i] != NULL && (s->bits[i][fd / WORD] >> fd % WORD & 1) != 0)
            events = (short)(events | wanted[i]);
    return events;
}

/* How many descriptors are in a set; their poll entries, unless NULL. */
static nfds_t collect(const struct sets *s, struct pollfd *fds)
{
    nfds_t count = 0;
    for (int fd = 0; fd < s->n; fd++) {
        short events = wanted_of(s, fd);
        if (events == 0)
            continue;
        if (fds != NULL)
            fds[count] = (struct pollfd){fd, events, 0};
        count++;
    }
    return count;
}

static long report(struct sets *s, const struct pollfd *fds, nfds_t count)
{
    long bits = 0;
    for (nfds_t i = 0; i < count; i++)
        if ((fds[i].revents & POLLNVAL) != 0)
            return -EBADF;
    for (int i = 0; i < 3; i++)
        if (s->bits[i] != NULL)
            memset(s->bits[i], 0, (size_t)(s->n + WORD - 1) / WORD * sizeof(uint64_t));
    for (nfds_t i = 0; i < count; i++)
        for (int k = 0; k < 3; k++) {
            if ((fds[i].events & wanted[k]) == 0 || (fds[i].revents & found[k]) == 0)
                continue;
            s->bits[k][fds[i].fd / WORD] |= (uint64_t)1 << fds[i].fd % WORD;
            bits++;
        }
    return bits;
}

static long select_for(struct call *c, int64_t timeout)
{
    struct pollfd few[FEW], *fds = few;
    struct sets s = {{(uint64_t *)c->arg[1], (uint64_t *)c->arg[2], (uint64_t *)c->arg[3]},
                     (int)c->arg[0]};
    if (s.n < 0)
        return -EINVAL;
    if (s.n > FDS_MOST)
        s.n = FDS_MOST;
    nfds_t count = collect(&s, NULL);
    if (count > FEW && (fds = memory_get(count * sizeof *fds)) == NULL)
        return -ENOMEM;
    collect(&s, fds);
    long r = green_io_poll(fds, count, timeout);
    if (r >= 0)
        r = report(&s, fds, count);
    if (fds != few)
        memory_put(fds);
    return r;
}

long call_select(struct call *c)
{
    struct timeval *time = (struct timeval *)c->arg[4];
    int64_t ns = -1, begun = time != NULL ? green_now() : 0;
    if (time != NULL) {
        if (time->tv_sec < 0 || time->tv_usec < 0)
            return -EINVAL;
        ns = time->tv_sec < INT_MAX ? time->tv_sec * GREEN_SEC + time->tv_usec * GREEN_US : -1;
    }
    long r = select_for(c, ns);
    if (ns >= 0) {
        struct timespec left = timespec_of(ns - (green_now() - begun));
        *time = (struct timeval){left.tv_sec, left.tv_nsec / 1000};
    }
    return r;
}

long call_pselect6(struct call *c)
{
    const struct {
        const uint64_t *mask;
        size_t size;
    } *how = (const void *)c->arg[5];
    int64_t ns = span_of((const struct timespec *)c->arg[4]);
    if (ns == -EINVAL)
        return -EINVAL;
    long r = door_mask(how != NULL ? how->mask : NULL);
    return r < 0 ? r : select_for(c, ns);
}

/* ---- epoll: the program's own instance is a descriptor like others to the hub ---- */

static long epoll_for(struct call *c, int64_t timeout)
{
    struct pollfd p = {(int)c->arg[0], POLLIN, 0};
    int64_t until = timeout > 0 ? green_now() + timeout : 0;
    for (;;) {
        long r = SYS6(SYS_epoll_pwait, p.fd, c->arg[1], c->arg[2], 0, NULL, 8);
        if (r != 0 || timeout == 0)
            return r;
        r = green_io_poll(&p, 1, timeout);
        if (r <= 0)
            return r;
        if (timeout > 0 && (timeout = until - green_now()) < 0)
            timeout = 0;
    }
}

long call_epoll_wait(struct call *c)
{
    int64_t ms = (int)c->arg[3];
    return epoll_for(c, ms < 0 ? -1 : ms * GREEN_MS);
}

long call_epoll_pwait(struct call *c)
{
    long r = door_mask((const uint64_t *)c->arg[4]);
    return r < 0 ? r : call_epoll_wait(c);
}

long call_epoll_pwait2(struct call *c)
{
    int64_t ns = span_of((const struct timespec *)c->arg[3]);
    if (ns == -EINVAL)
        return -EINVAL;
    long r = door_mask((const uint64_t *)c->arg[4]);
    return r < 0 ? r : epoll_for(c, ns);
}

/* ---- what gives no readiness: asked again, less and less often ---- */

static long again_later(int64_t *wait)
{
    static const int64_t first = 200 * GREEN_US, most = 20 * GREEN_MS;
    *wait = *wait == 0 ? first : *wait * 2 < most ? *wait * 2 : most;
    return pause_for(*wait);
}

long wait_for_lock(struct call *c, int nonblocking_command)
{
    int64_t wait = 0;
    for (;;) {
        long r = SYS3(c->nr, c->arg[0], nonblocking_command, c->arg[2]);
        if (r != -EAGAIN && r != -EACCES)
            return r;
        r = again_later(&wait);
        if (r < 0)
            return r;
    }
}

long call_flock(struct call *c)
{
    if ((c->arg[1] & LOCK_NB) != 0)
        return call_kernel(c);
    return wait_for_lock(c, (int)c->arg[1] | LOCK_NB);
}

long call_io_getevents(struct call *c)
{
    const struct timespec none = {0, 0};
    const struct timespec *time = (const struct timespec *)c->arg[4];
    int64_t wait = 0, span = span_of(time), until = span >= 0 ? green_now() + span : INT64_MAX;
    long least = c->arg[1], got = 0;
    char *events = (char *)c->arg[3];
    enum { EVENT = 32 };
    for (;;) {
        long r = SYS5(c->nr, c->arg[0], 0, c->arg[2] - got, events + got * EVENT, &none);
        if (r < 0)
            return got > 0 ? got : r;
        got += r;
        if (got >= least || green_now() >= until)
            return got;
        r = again_later(&wait);
        if (r < 0)
            return got > 0 ? got : r;
    }
}

/* ---- children ---- */

/* Until something may have happened to a child. pid > 0: to that one, and it is its end. */
static long wait_child(int pid, bool just_end, int64_t *wait)
{
    if (pid <= 0 || !just_end)
        return again_later(wait);
    int fd = (int)SYS2(SYS_pidfd_open, pid, 0);
    if (fd < 0)
        return again_later(wait);
    long r = green_io_wait(fd, POLLIN);
    green_io_close(fd);
    return r;
}

long call_wait4(struct call *c)
{
    int64_t wait = 0;
    int options = (int)c->arg[2];
    for (;;) {
        long r = SYS4(SYS_wait4, c->arg[0], c->arg[1], options | WNOHANG, c->arg[3]);
        if (r != 0 || (options & WNOHANG) != 0)
            return r;
        r = wait_child((int)c->arg[0], (options & (WUNTRACED | WCONTINUED)) == 0, &wait);
        if (r < 0)
            return r;
    }
}

long call_waitid(struct call *c)
{
    siginfo_t here, *info = c->arg[2] != 0 ? (siginfo_t *)c->arg[2] : &here;
    int64_t wait = 0;
    int options = (int)c->arg[3];
    int pid = c->arg[0] == P_PID ? (int)c->arg[1] : 0;
    for (;;) {
        info->si_pid = 0;
        long r = SYS5(SYS_waitid, c->arg[0], c->arg[1], info, options | WNOHANG, c->arg[4]);
        if (r < 0 || info->si_pid != 0 || (options & WNOHANG) != 0)
            return r;
        r = c->arg[0] == P_PIDFD ? green_io_wait((int)c->arg[1], POLLIN)
                                 : wait_child(pid, (options & (WSTOPPED | WCONTINUED)) == 0, &wait);
        if (r < 0)
            return r;
    }
}
