/* calls.h - the emulated system calls that both doors have: descriptors and time.
 *
 * They stand on the engine's public calls and net/io.h, so that they can be in the preloaded
 * library, inside the engine, and in libgreen-monkey, beside it. Each takes the program's call and
 * returns what the kernel would. They run on a green thread. */
#pragma once
#include "intercept.h"
#include "memory.h"
#include "sys.h"
#include <errno.h>
#include <green/base.h>

typedef long call_fn(struct call *c);

/* Straight to the kernel. */
static inline long call_kernel(const struct call *c)
{
    return SYS6(c->nr, c->arg[0], c->arg[1], c->arg[2], c->arg[3], c->arg[4], c->arg[5]);
}

/* ---- What a door provides. ---- */

/* A descriptor of the engine's own, which is none to the program. */
bool door_owns(int fd);
/* ppoll and its like: the mask for this call. 0, or -EINTR if it lets a signal through. */
long door_mask(const uint64_t *mask);

/* ---- transfer.c ---- */
call_fn call_read, call_write, call_readv, call_writev;
call_fn call_recvfrom, call_sendto, call_recvmsg, call_sendmsg, call_recvmmsg, call_sendmmsg;
call_fn call_accept, call_connect, call_sendfile, call_splice, call_setsockopt;

/* A descriptor number means another file from now on, or none. */
void transfer_forget(int fd);

/* ---- waiting.c ---- */
call_fn call_poll, call_ppoll, call_select, call_pselect6;
call_fn call_epoll_wait, call_epoll_pwait, call_epoll_pwait2;
call_fn call_nanosleep, call_clock_nanosleep, call_wait4, call_waitid;
call_fn call_flock, call_io_getevents;
/* fcntl(F_SETLKW): wait for a lock of a file's. */
long wait_for_lock(struct call *c, int nonblocking_command);

/* ---- descriptor.c ---- */
call_fn call_close, call_close_range, call_dup2, call_shutdown, call_fcntl;
call_fn call_flags; /* ioctl, and fcntl without waiting for locks */
