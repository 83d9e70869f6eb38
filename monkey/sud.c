/* sud.c - see sud.h. The handler runs with all signals blocked and does no work of the program's:
 * it only doctors the interrupted context so that it goes on in the trampoline. */
#include "sud.h"

#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <ucontext.h>

#include "../runtime/sys.h"
#include "intercept.h"
#include "object.h"
#include "trampoline.h"
#include "trap.h"

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#define PR_SYS_DISPATCH_ON           1
#endif

enum { USER_DISPATCH = 2, MASK_SIZE = 8, RESTORER = 0x04000000 };

static const uint64_t sigsys = 1u << (SIGSYS - 1); /* never to be blocked */

extern const Elf64_Ehdr __ehdr_start __attribute__((visibility("hidden"))); /* the linker's */

static struct kernel_sigaction program = {0}; /* the program's own action for SIGSYS */
static struct kernel_sigaction found;         /* the one in force before ours */

/* A SIGSYS that is not ours: what the program asked to be done about it. */
static void deliver(int sig, siginfo_t *info, ucontext_t *uc)
{
    struct kernel_sigaction act = program;
    if (act.handler == (void *)SIG_IGN)
        return;
    if (act.handler == (void *)SIG_DFL) { /* pending until the handler returns, then fatal */
        struct kernel_sigaction fatal = {0};
        SYS4(SYS_rt_sigaction, sig, &fatal, NULL, MASK_SIZE);
        SYS3(SYS_tgkill, SYS0(SYS_getpid), SYS0(SYS_gettid), sig);
        return;
    }
    uint64_t mask = (*(uint64_t *)&uc->uc_sigmask | act.mask) & ~sigsys;
    SYS4(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, MASK_SIZE);
    ((void (*)(int, siginfo_t *, void *))(uintptr_t)act.handler)(sig, info, uc);
}

static void on_sigsys(int sig, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    greg_t *reg = uc->uc_mcontext.gregs;
    if (info->si_code != USER_DISPATCH) {
        deliver(sig, info, uc);
        return;
    }
    uintptr_t site = (uintptr_t)reg[REG_RIP];
    reg[REG_R11] = (greg_t)site;
    reg[REG_RCX] = (greg_t)trap_site(site);
    reg[REG_RIP] = (greg_t)(uintptr_t)trampoline_enter;
}

int sud_start(void)
{
    struct kernel_sigaction act = {
        .handler = (void *)(uintptr_t)on_sigsys,
        .flags = SA_SIGINFO | RESTORER,
        .restorer = (void *)(uintptr_t)intercept_restorer,
        .mask = ~(uint64_t)0,
    };
    int rc = (int)SYS4(SYS_rt_sigaction, SIGSYS, &act, &found, MASK_SIZE);
    program = found;
    return rc;
}

void sud_stop(void)
{
    SYS4(SYS_rt_sigaction, SIGSYS, &found, NULL, MASK_SIZE);
}

void intercept_sigsys(const struct kernel_sigaction *act, struct kernel_sigaction *old)
{
    struct kernel_sigaction was = program;
    if (act)
        program = *act;
    if (old)
        *old = was;
}

int sud_arm(void)
{
    struct object own;
    const Elf64_Ehdr *elf = &__ehdr_start;
    const Elf64_Phdr *ph = (const void *)((const char *)elf + elf->e_phoff);
    uintptr_t base = elf->e_type == ET_DYN ? (uintptr_t)elf : 0;
    if (!object_segment(base, ph, elf->e_phnum, (uintptr_t)trampoline_enter, &own))
        return -ENOEXEC;
    SYS4(SYS_rt_sigprocmask, SIG_UNBLOCK, &sigsys, NULL, MASK_SIZE);
    return (int)SYS5(SYS_prctl, PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, own.lo,
                     own.hi - own.lo, NULL);
}
