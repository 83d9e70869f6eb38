/* green/process.h - child processes: start, talk to, wait for, signal.
 *
 *     green_process *p = green_process_spawn(
 *         &(green_process_options){.out = GREEN_PIPE, .err = GREEN_TO_OUT},
 *         (char *const[]){"git", "log", NULL});
 *     green_process_output o;
 *     if (p != NULL && green_process_communicate(p, NULL, 0, &o) == 0) {
 *         fwrite(o.out, 1, o.out_size, stdout);      -- o.status: as of waitpid(2)
 *         green_process_output_free(&o);
 *     }
 *     green_process_destroy(p);
 *
 * A child is held by a descriptor, not by its number: a signal never meets a stranger. It may be
 * waited for and signalled from any green thread of any hub, also by several at once. SIGCHLD is
 * not used: the program's handler may stay. Only a program that waits for all children, or ignores
 * SIGCHLD, takes their status away; green_process_wait then fails with ECHILD. Linux 5.4. */
#pragma once
#include <green/select.h>

GREEN_BEGIN_DECLS

typedef struct green_process green_process;

/* What a standard stream of the child is: one of these, or a descriptor greater than 0, which the
 * child gets a copy of. */
enum {
    GREEN_INHERIT = 0, /* the caller's own of the same number */
    GREEN_PIPE = -1,   /* a pipe, our end of it is green_process_fd's */
    GREEN_NULL = -2,   /* /dev/null */
    GREEN_TO_OUT = -3, /* for err: wherever out goes */
};

/* How to start one; zero is the default everywhere. */
typedef struct green_process_options {
    const char *path;   /* what to run; NULL: argv[0]. Without a slash: looked for in $PATH */
    char *const *env;   /* NULL: the caller's */
    const char *cwd;    /* NULL: the caller's. A relative path counts from there */
    int in, out, err;   /* see above */
    bool keep_fds;      /* other descriptors without FD_CLOEXEC go through; else none does */
    bool group;         /* in a process group of its own, of its own number */
    bool reset_signals; /* those that the caller ignores have their default again */
} green_process_options;

/* Start a program; options may be NULL. In the child no signal is blocked. Fails with the errno of
 * what went wrong in the child, too: ENOENT, EACCES (path or cwd), ENOEXEC, and with EMFILE,
 * ENOMEM, EAGAIN; then there is no child, and no descriptor is left open. Does not yield. */
GREEN_API green_process *green_process_spawn(const green_process_options *options,
                                             char *const argv[]);

/* Wait for its end; *status (may be NULL) is as waitpid(2) has it, see WIFEXITED. It may have ended
 * before; several threads may wait, now or later: each gets the status. A wait that ends early
 * leaves the child alone. ECHILD: somebody else took the status. May yield. */
GREEN_API int green_process_wait(green_process *process, int *status);

/* 1: it has ended, *status is set; 0: it runs; -1: ECHILD. Does not yield. */
GREEN_API int green_process_poll(green_process *process, int *status);

/* A case of green_select: it has ended, green_process_wait will not wait. NULL never comes up. */
#define GREEN_EXITED(process) green_case_exited(process)
GREEN_API green_case green_case_exited(green_process *process);

/* Send a signal to the child, or to its process group (EINVAL: it has none of its own, see
 * options.group). ESRCH: it is gone. */
GREEN_API int green_process_signal(green_process *process, int signal);
GREEN_API int green_process_signal_group(green_process *process, int signal);

/* Our end of the pipe to (0) or from (1, 2) the child, for green_read and green_write; -1: none. It
 * is the process's: close it with green_process_close (EBADF: there is none). Writing to a child
 * that reads no more raises SIGPIPE, as ever. */
GREEN_API int green_process_fd(const green_process *process, int stream);
GREEN_API int green_process_close(green_process *process, int stream);
GREEN_API pid_t green_process_pid(const green_process *process);

/* A descriptor that is readable once the child has ended, for green_poll; not to be closed. -1: it
 * had ended, and its status was gone, before it could be had (ECHILD). */
GREEN_API int green_process_pidfd(const green_process *process);

/* What a child said and how it ended. */
typedef struct green_process_output {
    char *out; /* allocated, a '\0' behind its end; "" if it was no pipe */
    size_t out_size;
    char *err;
    size_t err_size;
    int status; /* as of waitpid(2) */
} green_process_output;

/* Write the input to the child, as far as it reads (no SIGPIPE), read all that it says on its
 * pipes, side by side, and wait for its end. On failure nothing is lost: what was moved is kept,
 * and a further call with the same input goes on from there: behind a deadline and SIGKILL, say, it
 * has what was said by then. One caller at a time. May yield. */
GREEN_API int green_process_communicate(green_process *process, const void *input, size_t size,
                                        green_process_output *output);
GREEN_API void green_process_output_free(green_process_output *output);

/* End it, if it still runs (SIGKILL), and free the handle. Nobody may be in another call on it. Not
 * ended by deadlines or cancellation. NULL is fine. May yield. */
GREEN_API void green_process_destroy(green_process *process);

/* Let it run on and free the handle, with our ends of its pipes. A green thread of this hub takes
 * its status, so that no zombie stays. On -1 (ENOMEM) the handle is the caller's still. */
GREEN_API int green_process_detach(green_process *process);

GREEN_END_DECLS
