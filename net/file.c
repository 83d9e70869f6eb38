/* file.c - reading and writing files: see file.h. */
#include "file.h"
#include "self.h"
#include "sys.h"
#include <fcntl.h>
#include <string.h>

enum {
    STEP = 1 << 20,  /* so much at once without letting others run */
    PIECE = 1 << 18, /* so much by one job */
    POSITION = -1    /* instead of a place: the descriptor's own */
};

struct transfer {
    int fd;
    enum fd_direction direction;
    const struct iovec *iov;
    int count;
    int64_t at; /* or POSITION */
    size_t total;
    size_t done;
    bool end;            /* a job has moved less than asked for: there is no more */
    struct fd_mark mark; /* of the descriptor, when the call began */
};

/* What is left of the buffer in which `done` lies. */
static struct iovec rest_at(const struct transfer *t, size_t done)
{
    int i = 0;
    while (i < t->count && done >= t->iov[i].iov_len)
        done -= t->iov[i++].iov_len;
    if (i == t->count)
        return (struct iovec){NULL, 0};
    return (struct iovec){(char *)t->iov[i].iov_base + done, t->iov[i].iov_len - done};
}

/* ---- without blocking ---- */

static long at_once(struct transfer *t)
{
    const struct iovec *iov = t->iov;
    struct iovec rest;
    int count = t->count;
    bool own = t->at == POSITION;
    if (t->done > 0 || t->total > STEP) {
        rest = rest_at(t, t->done);
        if (rest.iov_len > STEP)
            rest.iov_len = STEP;
        iov = &rest;
        count = 1;
    }
    const long arg[6] = {t->fd,          (long)iov,
                         count,          own ? -1L : (long)(t->at + (int64_t)t->done),
                         own ? -1L : 0L, RWF_NOWAIT};
    return file_ask(t->direction == FD_READ ? SYS_preadv2 : SYS_pwritev2, arg);
}

/* It would block, or nobody knows; or the call is wrong, as the job will see. */
static bool needs_job(long r)
{
    return r == -EAGAIN || r == -EOPNOTSUPP || r == -ENOSYS || r == -EINVAL;
}

/* ---- by an OS thread ---- */

/* Between the caller's buffers, from `done` on, and a job's. */
static void copy(const struct transfer *t, char *room, size_t len)
{
    for (size_t n = 0; n < len;) {
        struct iovec rest = rest_at(t, t->done + n);
        size_t part = rest.iov_len < len - n ? rest.iov_len : len - n;
        if (t->direction == FD_READ)
            memcpy(rest.iov_base, room + n, part);
        else
            memcpy(room + n, rest.iov_base, part);
        n += part;
    }
}

static bool appends(const struct transfer *t)
{
    return t->direction == FD_WRITE && (SYS2(SYS_fcntl, t->fd, F_GETFL) & O_APPEND) != 0;
}

static void move_position(const struct transfer *t, int64_t to)
{
    if (appends(t))
        SYS3(SYS_lseek, t->fd, 0, SEEK_END);
    else
        SYS3(SYS_lseek, t->fd, to, SEEK_SET);
}

static long by_job(struct transfer *t)
{
    bool read = t->direction == FD_READ, own = t->at == POSITION;
    size_t len = t->total - t->done < PIECE ? t->total - t->done : PIECE;
    int64_t at = own ? SYS3(SYS_lseek, t->fd, 0, SEEK_CUR) : t->at + (int64_t)t->done;
    long nr = read ? SYS_pread64 : SYS_pwrite64;
    if (at == -ESPIPE && own) /* a device without position */
        nr = read ? SYS_read : SYS_write;
    else if (at < 0)
        return own ? at : -EINVAL;
    struct file_job *f = file_job_make(nr, t->fd, len);
    if (f == NULL)
        return -ENOMEM;
    f->arg[0] = t->fd;
    f->arg[1] = (long)f->room;
    f->arg[2] = (long)len;
    f->arg[3] = (long)at;
    f->mark = t->mark;
    if (!read)
        copy(t, f->room, len);
    long r = file_job_do(f, &offload_files);
    if (r > 0 && read)
        copy(t, f->room, (size_t)r);
    if (r > 0 && own && at >= 0 && !fd_closed(&t->mark))
        move_position(t, at + r);
    t->end = r >= 0 && (size_t)r < len;
    file_job_drop(f);
    return r;
}

/* ---- the whole ---- */

/* Closed under way it ends with the part that was done. */
static long transfer(struct green_hub *hub, struct transfer *t)
{
    long r;
    do {
        r = at_once(t);
        if (needs_job(r))
            r = by_job(t);
        else if (r >= STEP)
            hub_slice_end(hub);
        else
            hub_spend(hub);
        if (r <= 0)
            break;
        t->done += (size_t)r;
    } while (t->done < t->total && !t->end && hub->current->refused == 0 && !fd_closed(&t->mark));
    return t->done > 0 ? (long)t->done : r;
}

static size_t total_of(const struct iovec *iov, int count)
{
    size_t total = 0;
    for (int i = 0; i < count; i++)
        total += iov[i].iov_len;
    return total;
}

long file_transfer_at(int fd, enum fd_direction d, const struct iovec *iov, int count, int64_t at)
{
    struct green_hub *hub = hub_here();
    struct transfer t = {fd, d, iov, count, at, total_of(iov, count), 0, false, {NULL, 0}};
    if (hub == NULL)
        return -ENOMEM;
    if (at < 0)
        return -EINVAL;
    t.mark = fd_mark(hub, fd);
    int refused = hub->current->refused != 0 ? park_refused(hub) : 0;
    return refused < 0 ? refused : transfer(hub, &t);
}

/* Both directions share the position, so there is one turn for both. */
long file_transfer(int fd, enum fd_direction d, const struct iovec *iov, int count)
{
    struct green_hub *hub = hub_here();
    struct transfer t = {fd, d, iov, count, POSITION, total_of(iov, count), 0, false, {NULL, 0}};
    if (hub == NULL)
        return -ENOMEM;
    t.mark = fd_mark(hub, fd);
    if (t.mark.slot == NULL)
        return fd_error(fd);
    long r = fd_turn(hub, t.mark.slot, fd, FD_READ);
    if (r < 0)
        return r;
    r = transfer(hub, &t);
    fd_done(t.mark.slot, FD_READ, t.mark.generation);
    return r;
}
