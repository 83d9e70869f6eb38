/* task.h - a green pthread: what the kernel would keep of a thread of the program.
 *
 * libc allocates stack, thread-local storage and struct pthread as ever and asks for a thread by
 * clone; it gets one of these, on the process's one hub. The process's first thread is `task_main`,
 * there from the beginning; the hub is made when a second thread is.
 *
 * `task_busy` is true while the engine is at work, on the way in and out of an emulated call or in
 * the hub: system calls then go straight to the kernel, and signals wait (signals.h). */
#pragma once
#include "hub.h"
#include <green/base.h>

struct call;

struct task {
    struct green_thread thread; /* of those that clone made; task_main uses its hub's */
    struct green_thread *green; /* the thread above, or the hub's main; NULL: no hub yet */
    uintptr_t pointer;          /* the thread pointer, FS base */
    int tid;
    int *clear_tid;     /* set to 0 and woken at the end: what pthread_join waits for */
    void *robust;       /* list of the robust mutexes it holds */
    uint64_t mask;      /* the signals it blocks */
    uint64_t mask_kept; /* during sigsuspend, ppoll...: the mask to go back to */
    bool masked;        /* mask_kept is in force */
    bool fresh;         /* has not run yet */
    bool over;          /* the first thread, after its end: it is never woken again */
    uint8_t ran;        /* of handlers in its present call: RAN_RESTARTS, RAN_INTERRUPTS */
    int control;        /* the floating-point control words to begin with */
    uint64_t pending;   /* signals sent to this thread that it has not taken yet */
    uint64_t waiting;   /* sigtimedwait: the signals waited for */
    struct task *next;  /* of the same slot in the table of thread ids */
};

extern struct task task_main;
extern bool task_busy;

enum { TID_FIRST = 0x1000000 }; /* above every real one, below the futexes' flag bits */

/* What there is to count, for --stats. */
struct task_stats {
    uint64_t made, alive, most;
};
extern struct task_stats task_stats;

/* The process's first thread is the caller. */
void task_start(void);

/* Who makes this system call; NULL: an OS thread that is not ours. In the hub: NULL, too. */
struct task *task_here(void);

/* By thread id; NULL: none of this process. */
struct task *task_find(int tid);

/* Is there only one? Then nothing is emulated that the kernel does as well. */
bool task_alone(void);

/* A new thread, as clone makes it. Its id, or -errno. */
struct task_clone {
    unsigned long flags;
    void *stack_top;
    uintptr_t pointer;
    int *parent_tid;
    int *child_tid;
};
long task_clone(struct call *c, const struct task_clone *how);

/* SYS_exit: ends the calling thread, or the process if it is the last. */
_Noreturn void task_exit(int status);

/* In a forked child: only the caller is left, and no hub. */
void task_forked(int *clear_tid);

/* Before the first instruction of a fresh thread: undoes what the engine's frames would undo. */
void task_enters(struct task *task, int control);
