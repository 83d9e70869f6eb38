/* green/monkey.h - every library's blocking calls park the green thread: link -lgreen-monkey.
 *
 *     int main(void)
 *     {
 *         green_monkey_patch();
 *         for (int i = 0; i < 10000; i++)
 *             green_spawn(talk_to_redis, NULL);    -- hiredis, libpq, libcurl..., unmodified
 *         ...
 *
 * The system calls inside libc are rewritten in memory, so that it does not matter which library
 * calls read(2), connect(2), poll(2) or sleep(3), by which of libc's functions, or since when it is
 * loaded. A call made on a green thread parks that thread and lets others run; one made on an OS
 * thread without green threads goes to the kernel as before. O_NONBLOCK, SO_RCVTIMEO and the like
 * keep their meaning; deadline scopes and green_cancel reach into the libraries, whose calls then
 * fail with ETIMEDOUT or ECANCELED.
 *
 * getaddrinfo(3) runs on offload threads (green/offload.h).
 *
 * What stays blocking: POSIX locks and conditions (pthread_mutex_lock waits for another *OS*
 * thread; green threads want green locks), files on disk, the standard streams, and system calls
 * made by code other than libc. Thread-local variables, errno apart, are shared by the green
 * threads of an OS thread. Link -lgreen-monkey before other libraries.
 *
 * A forked child has one green thread, that which forked (green/hub.h). There calls go to the
 * kernel until one of this library's makes it a hub: green_spawn, say.
 *
 * Linux on x86-64. */
#pragma once
#include <green/base.h>
#include <stdio.h>

GREEN_BEGIN_DECLS

/* What can be chosen. */
enum {
    GREEN_MONKEY_IO = 1,   /* read, write, send, recv, accept, connect and their kin */
    GREEN_MONKEY_WAIT = 2, /* poll, select, epoll_wait, waitpid, flock */
    GREEN_MONKEY_TIME = 4, /* sleep, usleep, nanosleep */
    GREEN_MONKEY_DNS = 8,  /* getaddrinfo */
    GREEN_MONKEY_ALL = 15
};

/* Patch libc; best first thing in main. Further calls only add groups. 0, or -1 and errno: ENOSYS
 * (not on this machine), EACCES or EPERM (the system forbids it), ENOMEM; green_monkey_report
 * says more. */
GREEN_API int green_monkey_patch(void);
GREEN_API int green_monkey_patch_groups(unsigned groups);

/* Write what is green and what is not, and why. 0, or -1 and errno. */
GREEN_API int green_monkey_report(FILE *to);

GREEN_END_DECLS
