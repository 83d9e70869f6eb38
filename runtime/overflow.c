/* overflow.c - see overflow.h.
 *
 * An overflow touches the guard page below the stack, so the kernel has no room there to call a
 * handler: each OS thread with a hub gets an alternate stack for it. The handler says whose guard
 * it was, if it was one of ours, and goes; by then the default has been put back, and the same
 * instruction ends the process, where debuggers and core dumps want it. */
#include "overflow.h"
#include "error.h"
#include "memory.h"
#include "self.h"
#include "state.h"
#include "sys.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static atomic_bool wanted;
static _Thread_local void *alternate; /* stack; NULL: none, or the program's */

/* ---- in the handler ---- */

/* The size of the stack whose guard this is; 0: no guard of ours. */
static size_t guarded(const struct green_hub *hub, const void *address)
{
    for (int i = 0; i < STACK_CLASSES; i++)
        if (stack_is_guard(&hub->pools[i], address))
            return hub->pools[i].size;
    return 0;
}

static void report(const struct green_hub *hub, const void *address)
{
    const struct green_thread *t = hub->current;
    size_t size = guarded(hub, address);
    const char *of = "";
    char line[200];
    if (size == 0) {
        size = coroutine_guarded(address);
        of = "a coroutine of ";
    }
    if (size == 0)
        return;
    int n = snprintf(line, sizeof line,
                     "green: the stack of %sthread %u '%s' of hub %u overflows: %zu bytes "
                     "(stack_size or GREEN_STACK gives more)\n",
                     of, t->ident, t->name, hub->number, size);
    SYS3(SYS_write, STDERR_FILENO, line, n);
}

static void on_fault(int number, siginfo_t *info, void *context)
{
    (void)context;
    if (info->si_code <= 0) { /* somebody's kill(2), which does not come again by itself */
        SYS3(SYS_tgkill, SYS0(SYS_getpid), SYS0(SYS_gettid), number);
        return;
    }
    struct green_hub *hub = self_hub();
    if (hub != NULL)
        report(hub, info->si_addr);
}

/* ---- setting up ---- */

int overflow_arm(void)
{
    stack_t stack;
    if (!atomic_load_explicit(&wanted, memory_order_relaxed) || alternate != NULL)
        return 0;
    if (sigaltstack(NULL, &stack) == 0 && (stack.ss_flags & SS_DISABLE) == 0)
        return 0; /* the program's does as well */
    long least = sysconf(_SC_SIGSTKSZ);
    stack.ss_size = (least > 0 ? (size_t)least : 0) + (size_t)16 * 1024;
    stack.ss_flags = 0;
    stack.ss_sp = memory_get(stack.ss_size);
    if (stack.ss_sp == NULL)
        return -ENOMEM;
    sigaltstack(&stack, NULL);
    alternate = stack.ss_sp;
    return 0;
}

void overflow_disarm(void)
{
    stack_t stack;
    if (alternate == NULL)
        return;
    if (sigaltstack(NULL, &stack) == 0 && stack.ss_sp == alternate)
        sigaltstack(&(stack_t){.ss_flags = SS_DISABLE}, NULL);
    memory_put(alternate);
    alternate = NULL;
}

GREEN_API int green_report_overflow(void)
{
    struct sigaction action, old;
    struct green_hub *hub = hub_here();
    if (hub == NULL)
        return -1;
    action = (struct sigaction){.sa_sigaction = on_fault,
                                .sa_flags = SA_SIGINFO | SA_ONSTACK | (int)SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    sigaction(SIGSEGV, NULL, &old);
    bool ours = (old.sa_flags & SA_SIGINFO) != 0 && old.sa_sigaction == on_fault;
    if (!ours && ((old.sa_flags & SA_SIGINFO) != 0 || old.sa_handler != SIG_DFL))
        return fail(EBUSY, "the program handles SIGSEGV itself");
    wanted = true;
    int err = overflow_arm();
    if (err == 0)
        sigaction(SIGSEGV, &action, NULL);
    return (int)returned(err);
}
