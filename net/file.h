/* file.h - files on disk: their calls cannot be waited for in the loop, so OS threads make them.
 *
 * Reading and writing are first tried without blocking (RWF_NOWAIT): what is in the page cache is
 * had like that, on file systems that know it. All else becomes a job of an offload lane
 * (runtime/offload.h) with memory of its own: who is cancelled or too late leaves at once, and the
 * OS thread goes on without him. Jobs never use a descriptor's position, so that they neither move
 * it behind one's back nor hold the kernel's lock on it, which would stop a hub.
 *
 * Why not io_uring: many containers and hardened kernels forbid it, so that the OS threads would
 * be needed all the same, as a second way to be kept and tested.
 *
 * A number that a job uses is not closed before the job is over: another file with the same number
 * would be read, or written. The last job closes it (file_close_later). */
#pragma once
#include "fd.h"
#include "offload.h"
#include <sys/uio.h>

/* One system call on its way. */
struct file_job {
    struct offload_job job;
    struct list same;    /* among those that use descriptors */
    int fd;              /* which one; negative: none */
    struct fd_mark mark; /* what that meant when the call began, if it is one of several steps */
    bool closed;         /* it was closed meanwhile: for us to do */
    bool opens;          /* the result is a new descriptor */
    bool taken;          /* the caller has the result */
    long nr;
    long arg[6];
    long result;
    char *room; /* what the arguments point at: stands behind this, aligned for O_DIRECT */
};

/* With so much room; NULL: no memory. */
struct file_job *file_job_make(long nr, int fd, size_t room);
/* Have it made and wait for it: the call's result, or -errno. Parks. */
long file_job_do(struct file_job *job, struct green_lane *lane);
static inline void file_job_drop(struct file_job *job)
{
    offload_drop(&job->job);
}

/* The system calls of all this, so that the tests have a disk as slow as they want. */
long file_ask(long nr, const long arg[6]);

/* green_read and the like at the position of a descriptor of kind FD_FILE; at a place of the
 * caller's choice. Park. */
long file_transfer(int fd, enum fd_direction direction, const struct iovec *iov, int count);
long file_transfer_at(int fd, enum fd_direction direction, const struct iovec *iov, int count,
                      int64_t at);

/* A number is to be closed. True: jobs use it, the last of them does it. */
bool file_close_later(int fd);
