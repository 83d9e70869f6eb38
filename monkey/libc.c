/* libc.c - what the preloaded library's private copy of libevent uses instead of libc's.
 *
 * The thread pointer belongs to the program's threads and the hub has none of its own, so nothing
 * in this library may touch libc's thread-local variables. errno is the only one libevent needs;
 * here it is one variable of this library's, and the wrappers that set it stand here, too. They are
 * hidden, and the linker prefers them to libc's for everything inside this library. What of
 * libevent only runs when it starts may go on using libc.
 *
 * libevent's log is left out for good: defining its functions keeps its object out of the link. */
#include "libc.h"
#include "self.h"
#include "signals.h"
#include "sys.h"
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static int private_errno;

int *__errno_location(void)
{
    return &private_errno;
}

static long settle(long r)
{
    if (r >= 0)
        return r;
    private_errno = (int)-r;
    return -1;
}

int epoll_create1(int flags)
{
    return (int)settle(self_fd((int)SYS1(SYS_epoll_create1, flags)));
}

int epoll_ctl(int epfd, int op, int fd, struct epoll_event *event)
{
    return (int)settle(SYS4(SYS_epoll_ctl, epfd, op, fd, event));
}

/* The hub at rest. A signal that comes rings the hub's bell, so it is never overlooked. */
int epoll_wait(int epfd, struct epoll_event *events, int most, int timeout)
{
    long r = SYS6(SYS_epoll_pwait, epfd, events, most, timeout, NULL, 8);
    signals_route();
    return (int)settle(r);
}

int socketpair(int domain, int type, int protocol, int pair[2])
{
    int r = (int)settle(SYS4(SYS_socketpair, domain, type, protocol, pair));
    for (int i = 0; i < 2 && r == 0; i++)
        pair[i] = self_fd(pair[i]);
    return r;
}

int pipe2(int ends[2], int flags)
{
    int r = (int)settle(SYS2(SYS_pipe2, ends, flags));
    for (int i = 0; i < 2 && r == 0; i++)
        ends[i] = self_fd(ends[i]);
    return r;
}

int close(int fd)
{
    return (int)settle(SYS1(SYS_close, fd));
}

/* ---- libevent's log ---- */

unsigned int event_debug_logging_mask_;

#define SILENT(name)                   \
    void name(const char *format, ...) \
    {                                  \
        (void)format;                  \
    }
SILENT(event_warn)
SILENT(event_warnx)
SILENT(event_msgx)
SILENT(event_debugx_)

void event_sock_warn(long fd, const char *format, ...)
{
    (void)fd, (void)format;
}

/* Of these libevent does not expect to return: its own state is broken. */
#define FATAL SYS1(SYS_exit_group, 134)

_Noreturn void event_err(int status, const char *format, ...)
{
    (void)status, (void)format;
    for (;;)
        FATAL;
}

_Noreturn void event_errx(int status, const char *format, ...)
{
    (void)status, (void)format;
    for (;;)
        FATAL;
}

_Noreturn void event_sock_err(int status, long fd, const char *format, ...)
{
    (void)status, (void)fd, (void)format;
    for (;;)
        FATAL;
}

void event_set_log_callback(void (*callback)(int severity, const char *message))
{
    (void)callback;
}

void event_set_fatal_callback(void (*callback)(int err))
{
    (void)callback;
}

void event_enable_debug_logging(unsigned int which)
{
    (void)which;
}

void event_logv_(int severity, const char *error, const char *format, va_list args)
{
    (void)severity, (void)error, (void)format, (void)args;
}
