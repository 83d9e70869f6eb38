/* transfer.c - moving data: the emulated calls that read, write, accept and connect. See calls.h.
 */
#include "calls.h"
#include "io.h"
#include <fcntl.h>
#include <green/deadline.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/time.h>

/* ---- SO_RCVTIMEO and SO_SNDTIMEO ----
 *
 * Looked up only in programs that have ever set one, and then once for each descriptor number,
 * until it is closed or one is set. */

enum { NUMBERS = 65536, NONE = -1, MOST = 1 << 30 };

static atomic_bool timeouts_used;
static _Atomic(int32_t) known[2][NUMBERS]; /* reading, writing: milliseconds; NONE; 0: ask */

void transfer_forget(int fd)
{
    if (fd < 0 || fd >= NUMBERS || !atomic_load_explicit(&timeouts_used, memory_order_relaxed))
        return;
    atomic_store_explicit(&known[0][fd], 0, memory_order_relaxed);
    atomic_store_explicit(&known[1][fd], 0, memory_order_relaxed);
}

static int32_t ask_timeout(int fd, int option)
{
    struct timeval t = {0, 0};
    socklen_t len = sizeof t;
    if (SYS5(SYS_getsockopt, fd, SOL_SOCKET, option, &t, &len) < 0)
        return NONE;
    int64_t ms = t.tv_sec < MOST / 1000 ? t.tv_sec * 1000 + (t.tv_usec + 999) / 1000 : MOST;
    return ms > 0 ? (int32_t)ms : NONE;
}

static int32_t timeout_of(int fd, int option)
{
    if (fd < 0 || fd >= NUMBERS)
        return ask_timeout(fd, option);
    _Atomic(int32_t) *at = &known[option == SO_SNDTIMEO][fd];
    int32_t ms = atomic_load_explicit(at, memory_order_relaxed);
    if (ms == 0)
        atomic_store_explicit(at, ms = ask_timeout(fd, option), memory_order_relaxed);
    return ms;
}

struct limit {
    green_scope scope;
    bool set;
};

static void limit_look(struct limit *l, int fd, int option)
{
    int32_t ms = timeout_of(fd, option);
    l->set = ms != NONE;
    if (l->set)
        green_scope_enter(&l->scope, ms * GREEN_MS);
}

static inline void limit_begin(struct limit *l, int fd, int option)
{
    l->set = false;
    if (__builtin_expect(atomic_load_explicit(&timeouts_used, memory_order_relaxed), 0))
        limit_look(l, fd, option);
}

/* `late`: what the kernel says when the socket's time is up. */
static inline long limit_end(struct limit *l, long r, long late)
{
    if (__builtin_expect(!l->set, 1))
        return r;
    green_scope_leave(&l->scope);
    return r == -ETIMEDOUT && green_expired() ? late : r;
}

long call_setsockopt(struct call *c)
{
    long option = c->arg[2];
    bool timeout = option == SO_RCVTIMEO_OLD || option == SO_SNDTIMEO_OLD ||
                   option == SO_RCVTIMEO_NEW || option == SO_SNDTIMEO_NEW;
    if (c->arg[1] == SOL_SOCKET && timeout)
        atomic_store(&timeouts_used, true);
    if (timeout)
        transfer_forget((int)c->arg[0]);
    return call_kernel(c);
}

/* ---- one buffer, or several ---- */

long call_read(struct call *c)
{
    struct limit l;
    limit_begin(&l, (int)c->arg[0], SO_RCVTIMEO);
    long r = green_io_read((int)c->arg[0], (void *)c->arg[1], (size_t)c->arg[2], IO_HONOUR);
    return limit_end(&l, r, -EAGAIN);
}

long call_write(struct call *c)
{
    struct limit l;
    limit_begin(&l, (int)c->arg[0], SO_SNDTIMEO);
    long r = green_io_write((int)c->arg[0], (void *)c->arg[1], (size_t)c->arg[2], IO_HONOUR);
    return limit_end(&l, r, -EAGAIN);
}

long call_readv(struct call *c)
{
    struct limit l;
    limit_begin(&l, (int)c->arg[0], SO_RCVTIMEO);
    long r = green_io_readv((int)c->arg[0], (void *)c->arg[1], (int)c->arg[2], IO_HONOUR);
    return limit_end(&l, r, -EAGAIN);
}

long call_writev(struct call *c)
{
    struct limit l;
    limit_begin(&l, (int)c->arg[0], SO_SNDTIMEO);
    long r = green_io_writev((int)c->arg[0], (void *)c->arg[1], (int)c->arg[2], IO_HONOUR);
    return limit_end(&l, r, -EAGAIN);
}

long call_recvfrom(struct call *c)
{
    struct limit l;
    limit_begin(&l, (int)c->arg[0], SO_RCVTIMEO);
    long r = green_io_recvfrom((int)c->arg[0], (void *)c->arg[1], (size_t)c->arg[2], (int)c->arg[3],
                               (void *)c->arg[4], (void *)c->arg[5], IO_HONOUR);
    return limit_end(&l, r, -EAGAIN);
}

long call_sendto(struct call *c)
{
    struct limit l;
    limit_begin(&l, (int)c->arg[0], SO_SNDTIMEO);
    long r = green_io_sendto((int)c->arg[0], (void *)c->arg[1], (size_t)c->arg[2], (int)c->arg[3],
                             (void *)c->arg[4], (socklen_t)c->arg[5], IO_HONOUR);
    return limit_end(&l, r, -EAGAIN);
}

/* ---- messages ---- */

static long receive(int fd, struct msghdr *msg, int flags)
{
    struct limit l;
    limit_begin(&l, fd, SO_RCVTIMEO);
    return limit_end(&l, green_io_recvmsg(fd, msg, flags, IO_HONOUR), -EAGAIN);
}

static long send_message(int fd, const struct msghdr *msg, int flags)
{
    struct limit l;
    limit_begin(&l, fd, SO_SNDTIMEO);
    return limit_end(&l, green_io_sendmsg(fd, msg, flags, IO_HONOUR), -EAGAIN);
}

long call_recvmsg(struct call *c)
{
    return receive((int)c->arg[0], (struct msghdr *)c->arg[1], (int)c->arg[2]);
}

long call_sendmsg(struct call *c)
{
    return send_message((int)c->arg[0], (const struct msghdr *)c->arg[1], (int)c->arg[2]);
}

/* The time-out of recvmmsg is looked at after each message only, as the kernel does. */
long call_recvmmsg(struct call *c)
{
    struct mmsghdr *messages = (struct mmsghdr *)c->arg[1];
    unsigned n = (unsigned)c->arg[2], i;
    int flags = (int)c->arg[3];
    const struct timespec *time = (const struct timespec *)c->arg[4];
    int64_t until = time != NULL ? green_now() + time->tv_sec * GREEN_SEC + time->tv_nsec : 0;
    for (i = 0; i < n; i++) {
        long r = receive((int)c->arg[0], &messages[i].msg_hdr, flags & ~MSG_WAITFORONE);
        if (r < 0)
            return i > 0 ? (long)i : r;
        messages[i].msg_len = (unsigned)r;
        if ((flags & MSG_WAITFORONE) != 0)
            flags |= MSG_DONTWAIT;
        if (time != NULL && green_now() >= until)
            return (long)i + 1;
    }
    return (long)i;
}

long call_sendmmsg(struct call *c)
{
    struct mmsghdr *messages = (struct mmsghdr *)c->arg[1];
    unsigned n = (unsigned)c->arg[2], i;
    for (i = 0; i < n; i++) {
        long r = send_message((int)c->arg[0], &messages[i].msg_hdr, (int)c->arg[3]);
        if (r < 0)
            return i > 0 ? (long)i : r;
        messages[i].msg_len = (unsigned)r;
    }
    return (long)i;
}

/* ---- connections ---- */

long call_accept(struct call *c)
{
    struct limit l;
    int flags = c->nr == SYS_accept4 ? (int)c->arg[3] : 0;
    limit_begin(&l, (int)c->arg[0], SO_RCVTIMEO);
    long r =
        green_io_accept((int)c->arg[0], (void *)c->arg[1], (void *)c->arg[2], flags, IO_HONOUR);
    return limit_end(&l, r, -EAGAIN);
}

long call_connect(struct call *c)
{
    struct limit l;
    limit_begin(&l, (int)c->arg[0], SO_SNDTIMEO);
    long r = green_io_connect((int)c->arg[0], (void *)c->arg[1], (socklen_t)c->arg[2], IO_HONOUR);
    return limit_end(&l, r, -EINPROGRESS);
}

/* ---- from file to socket ---- */

enum { PIECE = 64 << 10 };

static bool is_nonblocking(int fd)
{
    long flags = SYS2(SYS_fcntl, fd, F_GETFL);
    return flags < 0 || (flags & O_NONBLOCK) != 0;
}

/* The kernel's sendfile would wait inside for room: read a piece, send it, and so on. */
static long copy(int out, int in, int64_t *at, size_t len, char *piece)
{
    size_t done = 0;
    while (done < len) {
        size_t want = len - done < PIECE ? len - done : PIECE;
        long got = SYS4(SYS_pread64, in, piece, want, *at);
        long put = got > 0 ? green_io_write(out, piece, (size_t)got, IO_HONOUR) : got;
        if (put <= 0)
            return done > 0 ? (long)done : put;
        *at += put;
        done += (size_t)put;
        if (put < got)
            break;
    }
    return (long)done;
}

long call_sendfile(struct call *c)
{
    int out = (int)c->arg[0], in = (int)c->arg[1];
    int64_t *offset = (int64_t *)c->arg[2];
    int64_t at = offset != NULL ? *offset : SYS3(SYS_lseek, in, 0, SEEK_CUR);
    if (at < 0 || is_nonblocking(out))
        return call_kernel(c);
    char *piece = memory_get(PIECE);
    if (piece == NULL)
        return call_kernel(c);
    long r = copy(out, in, &at, (size_t)c->arg[3], piece);
    memory_put(piece);
    if (offset != NULL)
        *offset = at;
    else
        SYS3(SYS_lseek, in, at, SEEK_SET);
    return r;
}

/* When both ends are ready the kernel moves at least something without waiting. */
long call_splice(struct call *c)
{
    enum { NONBLOCK = 2 };
    int in = (int)c->arg[0], out = (int)c->arg[2];
    if ((c->arg[5] & NONBLOCK) != 0 || is_nonblocking(in) || is_nonblocking(out))
        return call_kernel(c);
    for (;;) {
        long r = green_io_wait(in, POLLIN);
        if (r == 0)
            r = green_io_wait(out, POLLOUT);
        if (r < 0)
            return r;
        r = SYS6(c->nr, in, c->arg[1], out, c->arg[3], c->arg[4], c->arg[5] | NONBLOCK);
        if (r != -EAGAIN)
            return r;
    }
}
