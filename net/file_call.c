/* file_call.c - the public calls on files: see green/file.h. */
#include "error.h"
#include "file.h"
#include "io.h"
#include "memory.h"
#include "self.h"
#include "sys.h"
#include <green/file.h>
#include <limits.h>
#include <stdarg.h>
#include <string.h>

long file_ask(long nr, const long arg[6])
{
    return SYS6(nr, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
}

/* ---- with a path ---- */

/* A call whose second argument is a path; `room` bytes of what it says follow it. */
static struct file_job *path_job(long nr, int dir, const char *path, size_t room)
{
    size_t length = strnlen(path, PATH_MAX) + 1;
    struct file_job *f = file_job_make(nr, dir, room + length);
    if (f == NULL)
        return NULL;
    memcpy(f->room + room, path, length - 1);
    f->arg[0] = dir;
    f->arg[1] = (long)(f->room + room);
    return f;
}

/* The end of a call: its result, as libc has it. */
static long finish(struct file_job *f, struct green_lane *lane)
{
    if (f == NULL)
        return returned(-ENOMEM);
    long r = file_job_do(f, lane);
    file_job_drop(f);
    return returned(r);
}

static int open_at(int dir, const char *path, int flags, mode_t mode)
{
    struct file_job *f = path_job(SYS_openat, dir, path, 0);
    if (f != NULL) {
        f->opens = true;
        f->arg[2] = flags;
        f->arg[3] = (long)mode;
    }
    int fd = (int)finish(f, &offload_paths);
    if (fd >= 0)
        fd_fresh(self_hub(), fd, FD_UNKNOWN);
    return fd;
}

static bool makes_files(int flags)
{
    return (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
}

GREEN_API int green_open(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = makes_files(flags) ? va_arg(args, mode_t) : 0;
    va_end(args);
    return open_at(AT_FDCWD, path, flags, mode);
}

GREEN_API int green_openat(int dir, const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = makes_files(flags) ? va_arg(args, mode_t) : 0;
    va_end(args);
    return open_at(dir, path, flags, mode);
}

GREEN_API int green_fstatat(int dir, const char *path, struct stat *st, int flags)
{
    struct file_job *f = path_job(SYS_newfstatat, dir, path, sizeof *st);
    if (f == NULL)
        return (int)returned(-ENOMEM);
    f->arg[2] = (long)f->room;
    f->arg[3] = flags;
    long r = file_job_do(f, &offload_paths);
    if (r == 0)
        memcpy(st, f->room, sizeof *st);
    file_job_drop(f);
    return (int)returned(r);
}

GREEN_API int green_stat(const char *path, struct stat *st)
{
    return green_fstatat(AT_FDCWD, path, st, 0);
}

GREEN_API int green_fstat(int fd, struct stat *st)
{
    if (fd < 0)
        return (int)returned(-EBADF);
    return green_fstatat(fd, "", st, AT_EMPTY_PATH);
}

GREEN_API int green_rename(const char *from, const char *to)
{
    size_t room = strnlen(to, PATH_MAX) + 1;
    struct file_job *f = path_job(SYS_renameat2, AT_FDCWD, from, room);
    if (f != NULL) {
        memcpy(f->room, to, room - 1);
        f->arg[2] = AT_FDCWD;
        f->arg[3] = (long)f->room;
    }
    return (int)finish(f, &offload_paths);
}

GREEN_API int green_unlink(const char *path)
{
    return (int)finish(path_job(SYS_unlinkat, AT_FDCWD, path, 0), &offload_paths);
}

/* ---- with a descriptor ---- */

static int on_fd(long nr, int fd, long arg)
{
    struct file_job *f = file_job_make(nr, fd, 0);
    if (f != NULL) {
        f->arg[0] = fd;
        f->arg[1] = arg;
    }
    return (int)finish(f, &offload_files);
}

GREEN_API int green_fsync(int fd)
{
    return on_fd(SYS_fsync, fd, 0);
}

GREEN_API int green_fdatasync(int fd)
{
    return on_fd(SYS_fdatasync, fd, 0);
}

GREEN_API int green_ftruncate(int fd, off_t length)
{
    return on_fd(SYS_ftruncate, fd, length);
}

/* ---- data ---- */

/* Are these buffers that a call may have? */
static bool sound(const struct iovec *iov, int count)
{
    size_t total = 0;
    if (count < 0 || count > IOV_MAX)
        return false;
    for (int i = 0; i < count; i++) {
        if (iov[i].iov_len > (size_t)SSIZE_MAX - total)
            return false;
        total += iov[i].iov_len;
    }
    return true;
}

static ssize_t at(int fd, enum fd_direction d, const struct iovec *iov, int count, off_t where)
{
    if (!sound(iov, count))
        return returned(-EINVAL);
    return returned(file_transfer_at(fd, d, iov, count, where));
}

GREEN_API ssize_t green_preadv(int fd, const struct iovec *iov, int count, off_t where)
{
    return at(fd, FD_READ, iov, count, where);
}

GREEN_API ssize_t green_pwritev(int fd, const struct iovec *iov, int count, off_t where)
{
    return at(fd, FD_WRITE, iov, count, where);
}

GREEN_API ssize_t green_pread(int fd, void *buf, size_t count, off_t where)
{
    struct iovec iov = {buf, count};
    return at(fd, FD_READ, &iov, 1, where);
}

GREEN_API ssize_t green_pwrite(int fd, const void *buf, size_t count, off_t where)
{
    struct iovec iov = {(void *)buf, count};
    return at(fd, FD_WRITE, &iov, 1, where);
}

/* ---- from file to descriptor ---- */

enum { PART = 1 << 16 };

struct sending {
    int to, file;
    struct fd_mark to_mark, file_mark; /* when the call began */
};

/* The kernel's sendfile would wait inside, for the disk and for room: read a part, write it. */
static ssize_t send_parts(const struct sending *s, off_t *where, size_t count, char *part)
{
    size_t done = 0;
    while (done < count) {
        struct iovec iov = {part, count - done < PART ? count - done : PART};
        long got = -EBADF, put;
        if (!fd_closed(&s->file_mark))
            got = file_transfer_at(s->file, FD_READ, &iov, 1, *where);
        if (got > 0 && fd_closed(&s->to_mark))
            got = -EBADF;
        put = got > 0 ? green_io_write(s->to, part, (size_t)got, IO_BLOCK) : got;
        if (put <= 0)
            return done > 0 ? (ssize_t)done : put;
        *where += put;
        done += (size_t)put;
        if (put < got)
            break;
    }
    return (ssize_t)done;
}

GREEN_API ssize_t green_sendfile(int to, int file, off_t *where, size_t count)
{
    struct green_hub *hub = hub_here();
    if (hub == NULL)
        return -1;
    struct sending s = {to, file, fd_mark(hub, to), fd_mark(hub, file)};
    off_t from = where != NULL ? *where : SYS3(SYS_lseek, file, 0, SEEK_CUR);
    if (from < 0)
        return returned(where != NULL ? -EINVAL : from);
    char *part = memory_get(PART);
    if (part == NULL)
        return returned(-ENOMEM);
    ssize_t r = send_parts(&s, &from, count, part);
    memory_put(part);
    if (where != NULL)
        *where = from;
    else if (r > 0 && !fd_closed(&s.file_mark))
        SYS3(SYS_lseek, file, from, SEEK_SET);
    return returned(r);
}
