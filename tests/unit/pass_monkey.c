/* pass_monkey.c - see pass_monkey.h. */
#include "pass_monkey.h"

#include <linux/sched.h>
#include <signal.h>
#include <stddef.h>

#include "../../monkey/decode.h"
#include "../../runtime/sys.h"

enum { NUMBERS = 512 };

static long counts[NUMBERS];
static long hooked = -1;
static void (*hook)(struct call *);
static struct call_start *begin_out;
static void *begin_stack;

int pass_start(unsigned flags)
{
    return intercept_start(flags, NULL);
}

int pass_start_wanted(unsigned flags, bool (*wants)(long nr))
{
    return intercept_start(flags, wants);
}

int pass_arm(void)
{
    return intercept_arm();
}

void pass_scan(void)
{
    intercept_scan();
}

struct intercept_stats pass_stats(void)
{
    struct intercept_stats s;
    intercept_stats(&s);
    return s;
}

uintptr_t pass_pc(uintptr_t pc)
{
    return intercept_pc(pc);
}

long pass_count(long nr)
{
    return __atomic_load_n(&counts[nr], __ATOMIC_RELAXED);
}

void pass_hook(long nr, void (*fn)(struct call *c))
{
    hook = fn;
    hooked = nr;
}

void pass_begin(struct call_start *out, void *stack_top)
{
    begin_out = out;
    begin_stack = stack_top;
}

int pass_decode(const uint8_t *bytes, int n, unsigned *flags)
{
    struct insn in;
    int len = decode(bytes, bytes + n, &in);
    *flags = in.flags;
    return len;
}

static long pass(const struct call *c)
{
    const long *a = c->arg;
    return sys6(c->nr, a[0], a[1], a[2], a[3], a[4], a[5]);
}

static long pass_fork(const struct call *c)
{
    long pid = pass(c);
    if (pid == 0)
        intercept_forked();
    return pid;
}

/* A mask that leaves SIGSYS alone, in the place of the program's. */
static long pass_mask(const struct call *c)
{
    uint64_t mask;
    const long *a = c->arg;
    if (!a[1])
        return pass(c);
    mask = *(uint64_t *)a[1];
    if (a[0] != SIG_UNBLOCK)
        mask &= ~(uint64_t)(1u << (SIGSYS - 1));
    return SYS4(c->nr, a[0], &mask, a[2], a[3]);
}

static long pass_action(const struct call *c)
{
    const long *a = c->arg;
    if (a[0] == SIGSYS) {
        intercept_sigsys((void *)a[1], (void *)a[2]);
        return 0;
    }
    if (!a[1])
        return pass(c);
    struct kernel_sigaction act = *(struct kernel_sigaction *)a[1];
    act.restorer = (void *)(uintptr_t)intercept_restorer;
    act.mask &= ~(uint64_t)(1u << (SIGSYS - 1));
    return SYS4(c->nr, a[0], &act, a[2], a[3]);
}

long monkey_call(struct call *c)
{
    if (c->nr >= 0 && c->nr < NUMBERS)
        __atomic_fetch_add(&counts[c->nr], 1, __ATOMIC_RELAXED);
    if (c->nr == hooked && hook)
        hook(c);
    switch (c->nr) {
    case SYS_clone3:
        return *(uint64_t *)c->arg[0] & CLONE_VM ? call_native(c) : pass_fork(c);
    case SYS_clone:
        return c->arg[0] & CLONE_VM ? call_native(c) : pass_fork(c);
    case SYS_fork:
        return pass_fork(c);
    case SYS_vfork:
    case SYS_rt_sigreturn:
        return call_native(c);
    case SYS_rt_sigaction:
        return pass_action(c);
    case SYS_rt_sigprocmask:
        return pass_mask(c);
    case SYS_getpid:
        if (begin_out)
            *begin_out = call_on_stack(c, begin_stack);
        begin_out = NULL;
        return pass(c);
    default:
        return pass(c);
    }
}
