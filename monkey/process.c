/* process.c - see process.h. */
#include "process.h"
#include "preload.h"
#include "signals.h"
#include "task.h"
#include <linux/sched.h>
#include <sched.h>

bool process_shared;

static int pid;      /* of the process, to know a guest by */
static bool forever; /* a child shares our memory and we do not wait for it */

void process_start(void)
{
    pid = (int)SYS0(SYS_getpid);
}

bool process_is_guest(void)
{
    if ((int)SYS0(SYS_getpid) != pid)
        return true;
    process_shared = forever; /* we only run again when the child of a vfork has left */
    return false;
}

/* In the child of a real fork: the calling thread alone goes on, natively until it makes another.
 */
static long forked(long r, int *clear_tid)
{
    if (r != 0)
        return r;
    process_start();
    intercept_forked();
    task_forked(clear_tid);
    preload_calls = 0;
    return 0;
}

/* The child lives in our memory and returns through the program's frames: it has to be made by the
 * program's own instruction. */
static long guest(struct call *c, unsigned long flags)
{
    process_shared = true;
    forever = forever || (flags & CLONE_VFORK) == 0;
    return call_native(c);
}

long call_clone(struct call *c)
{
    unsigned long flags = (unsigned long)c->arg[0];
    int *child_tid = (int *)c->arg[3];
    if ((flags & CLONE_THREAD) != 0) {
        struct task_clone how = {flags, (void *)c->arg[1], (uintptr_t)c->arg[4], (int *)c->arg[2],
                                 child_tid};
        return task_clone(c, &how);
    }
    if ((flags & CLONE_VM) != 0 || c->arg[1] != 0)
        return guest(c, flags);
    return forked(call_kernel(c), (flags & CLONE_CHILD_CLEARTID) != 0 ? child_tid : NULL);
}

long call_clone3(struct call *c)
{
    const struct clone_args *a = (const struct clone_args *)c->arg[0];
    int *child_tid = (int *)a->child_tid;
    if ((a->flags & CLONE_THREAD) != 0) {
        struct task_clone how = {a->flags, (char *)a->stack + a->stack_size, a->tls,
                                 (int *)a->parent_tid, child_tid};
        return task_clone(c, &how);
    }
    if ((a->flags & CLONE_VM) != 0 || a->stack != 0)
        return guest(c, a->flags);
    return forked(call_kernel(c), (a->flags & CLONE_CHILD_CLEARTID) != 0 ? child_tid : NULL);
}

long call_fork(struct call *c)
{
    return forked(call_kernel(c), NULL);
}

long call_vfork(struct call *c)
{
    return guest(c, CLONE_VFORK);
}

long call_execve(struct call *c)
{
    struct task *t = task_here();
    signals_expose(t);
    long r = call_kernel(c);
    signals_conceal();
    return r;
}

long call_exit(struct call *c)
{
    task_exit((int)c->arg[0]);
}

long call_exit_group(struct call *c)
{
    preload_ends();
    return call_kernel(c);
}
