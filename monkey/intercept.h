/* intercept.h - every system call of the process, brought to one C function.
 *
 * A *site* is a `syscall` instruction outside this library. intercept_start() rewrites the sites of
 * libc and the dynamic loader in place: a jump leads to a stub near by, the stub to the trampoline,
 * and the trampoline calls monkey_call() on the program's own stack. What is not rewritten is
 * either left alone (linked door) or caught by Syscall User Dispatch (preloaded door), which traps
 * with SIGSYS, rewrites the site if that is possible, and enters the same trampoline. monkey_call()
 * sees one shape only.
 *
 * On these paths nothing allocates, touches errno or thread-local storage, or calls libc: the
 * program may hold any of libc's locks. monkey_call() must keep to the same rules, and every system
 * call of its own must come from this library's text (runtime/sys.h), which is never intercepted.
 *
 * What the program gets back is what the kernel would leave: all registers but rax, rcx and r11,
 * xmm0-15 included, and an untouched red zone. Not kept are the arithmetic flags, the upper halves
 * of ymm and the zmm and mask registers: legacy SSE code in monkey_call() leaves those alone, but a
 * switch to another green thread there does not. Compilers hold none of them over a call; only a
 * function compiled for AVX with an inlined `syscall` could.
 *
 * For the calls of monkey/ only. Linux, x86-64. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "call_layout.h"

/* One intercepted system call: the program's registers, at a fixed place below its stack. */
struct call {
    long nr;        /* rax: the number asked for */
    long arg[6];    /* rdi, rsi, rdx, r10, r8, r9; a change here reaches the program's registers */
    long saved[6];  /* rbx, rbp, r12, r13, r14, r15 */
    uintptr_t site; /* the address behind the `syscall` instruction */
    uintptr_t back; /* where the trampoline goes on; private to the interception */
    long native;    /* set by call_native() */
};

/* The program's stack pointer at the site. */
static inline uintptr_t call_sp(const struct call *c)
{
    return (uintptr_t)c + CALL_SP;
}

/* ---- Provided by the layer above. ----
 *
 * Carries out c, and returns its result as the kernel would (-errno on failure). */
long monkey_call(struct call *c);

/* In monkey_call(): `return call_native(c);` executes c->nr on the program's own registers and
 * stack, as if it had not been intercepted: for vfork, clone with CLONE_VM, rt_sigreturn. It
 * depends on no memory of this frame, so that a child may come back through it first, or twice.
 * When too many different sites asked for this the call fails with -ENOMEM. */
static inline long call_native(struct call *c)
{
    c->native = 1;
    return 0;
}

/* Where a plain context switch (stack pointer, then jump) starts a new thread. */
struct call_start {
    void *sp;
    void *pc;
};

/* Prepares a new thread that returns 0 from c's site with its stack pointer at stack_top, as the
 * child of clone does: all other registers are the parent's. Uses CALL_SP bytes below stack_top. */
struct call_start call_on_stack(const struct call *c, void *stack_top);

/* ---- Switching it on. ---- */

enum {
    INTERCEPT_SUD = 1, /* catch every unpatched site of this OS thread by Syscall User Dispatch */
    INTERCEPT_ALL = 2, /* patch all loaded objects at once, not libc and the loader only */
};

/* Begins interception; `wants` says which call numbers to patch (NULL: all; a site whose number
 * is not known beforehand is always patched). To be called before other OS threads exist: later,
 * a site with no single instruction to take the jump, libc's read() above all, cannot be rewritten,
 * as another thread may stand in the midst of it. 0, or -errno and intercept_error(): then the
 * process is as it was. To be called once. */
int intercept_start(unsigned flags, bool (*wants)(long nr));

/* Patches objects loaded since (dlopen); only needed without INTERCEPT_SUD, harmless with it. */
void intercept_scan(void);

/* Arms Syscall User Dispatch on the calling OS thread: it is a property of the OS thread, cleared
 * in every new thread and in a forked child. No selector byte is used: what lies outside this
 * library's text always traps. Unblocks SIGSYS, which has to stay unblocked: keep it out of every
 * mask the program sets. */
int intercept_arm(void);

/* To be called first in a forked child: makes the locks usable and arms again if the parent was. */
int intercept_forked(void);

/* SIGSYS belongs to the interception; the program's rt_sigaction(SIGSYS) goes here. A SIGSYS that
 * is not ours (seccomp, kill) is handed to the program's action. Kernel layout of the structs. */
struct kernel_sigaction {
    void *handler;
    unsigned long flags;
    void *restorer;
    uint64_t mask;
};
void intercept_sigsys(const struct kernel_sigaction *act, struct kernel_sigaction *old);

/* The sa_restorer to give to every handler the program installs: a signal return from within our
 * text, which debuggers and unwinders recognise like libc's own. Never called. */
extern const char intercept_restorer[] __asm__("__restore_rt");

/* Where a thread interrupted at pc (by a signal, before that spot was rewritten) has to continue
 * now: pc itself nearly always. For whoever resumes an old signal frame. */
uintptr_t intercept_pc(uintptr_t pc);

/* Why intercept_start() failed: one sentence, "" if it did not. */
const char *intercept_error(void);

struct intercept_stats {
    uint64_t patched; /* sites rewritten */
    uint64_t left;    /* left alone: no safe way to rewrite, or only looking like a system call */
    uint64_t traps;   /* SIGSYS taken */
};
void intercept_stats(struct intercept_stats *out);
