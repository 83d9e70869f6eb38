/* identity.c - see identity.h. The kernel knows the process's first thread only. */
#include "identity.h"
#include "hub.h"
#include "self.h"
#include "task.h"
#include <asm/prctl.h>
#include <string.h>
#include <sys/prctl.h>

enum { NAME = 16 };

long call_gettid(struct call *c)
{
    (void)c;
    return task_here()->tid;
}

long call_set_tid_address(struct call *c)
{
    struct task *t = task_here();
    t->clear_tid = (int *)c->arg[0];
    if (t == &task_main)
        call_kernel(c);
    return t->tid;
}

long call_set_robust_list(struct call *c)
{
    struct task *t = task_here();
    t->robust = (void *)c->arg[0];
    return t == &task_main ? call_kernel(c) : 0;
}

long call_get_robust_list(struct call *c)
{
    enum { HEAD = 24 };
    struct task *t = c->arg[0] == 0 ? task_here() : task_find((int)c->arg[0]);
    if (t == NULL || t == &task_main)
        return call_kernel(c);
    *(void **)c->arg[1] = t->robust;
    *(size_t *)c->arg[2] = HEAD;
    return 0;
}

/* The kernel keeps one such area for the OS thread; libc asks it elsewhere where registration
 * "failed" in the way the area itself says. An error would be fatal to libc. */
long call_rseq(struct call *c)
{
    enum { UNREGISTER = 1, FAILED = -2 };
    if (task_here() == &task_main)
        return call_kernel(c);
    if ((c->arg[2] & UNREGISTER) == 0)
        ((int *)c->arg[0])[1] = FAILED;
    return 0;
}

long call_prctl(struct call *c)
{
    struct task *t = task_here();
    if (t == &task_main || (c->arg[0] != PR_SET_NAME && c->arg[0] != PR_GET_NAME))
        return call_kernel(c);
    if (c->arg[0] == PR_SET_NAME)
        thread_set_name(t->green, (const char *)c->arg[1]);
    else
        memcpy((char *)c->arg[1], t->green->name, NAME);
    return 0;
}

long call_arch_prctl(struct call *c)
{
    if (c->arg[0] == ARCH_SET_GS)
        return -EPERM; /* it says which hub is here */
    if (c->arg[0] == ARCH_SET_FS)
        task_here()->pointer = (uintptr_t)c->arg[1];
    return call_kernel(c);
}

/* sched_getaffinity and its kin: the first argument is a thread, all of which are the one OS
 * thread. */
long call_sched(struct call *c)
{
    struct call same = *c;
    if (c->arg[0] >= TID_FIRST && task_find((int)c->arg[0]) != NULL)
        same.arg[0] = 0;
    return call_kernel(&same);
}

long call_priority(struct call *c)
{
    struct call same = *c;
    if (c->arg[0] == 0 && c->arg[1] >= TID_FIRST && task_find((int)c->arg[1]) != NULL)
        same.arg[1] = 0;
    return call_kernel(&same);
}

long call_sched_yield(struct call *c)
{
    (void)c;
    hub_yield(self_hub());
    return 0;
}
