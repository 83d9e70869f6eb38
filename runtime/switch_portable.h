/* switch_portable.h - see switch.h: the same over <ucontext.h>, for processors without a switch of
 * their own (and to test that nothing else depends on one). Each switch costs a system call for
 * the signal mask, and fresh contexts have no depth limit but the stack's. */
#pragma once
#include <ucontext.h>

struct context {
    ucontext_t uc;
};

static inline void context_switch(struct context *from, struct context *to)
{
    swapcontext(&from->uc, &to->uc);
}

static inline int context_start(struct context *c, void *stack, void *top, void (*entry)(void))
{
    if (getcontext(&c->uc) < 0)
        return -1;
    c->uc.uc_stack.ss_sp = stack;
    c->uc.uc_stack.ss_size = (size_t)((char *)top - (char *)stack);
    c->uc.uc_link = NULL;
    makecontext(&c->uc, entry, 0);
    return 0;
}
