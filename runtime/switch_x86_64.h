/* switch_x86_64.h - see switch.h. */
#pragma once

struct context {
    void *sp;
    void *fp;
    void *pc;
};

/* A compiler that may use the registers of AVX-512 has to know that they go, too. */
#ifdef __AVX512F__
#define SWITCH_AVX512                                                                             \
    , "k1", "k2", "k3", "k4", "k5", "k6", "k7", "xmm16", "xmm17", "xmm18", "xmm19", "xmm20",      \
        "xmm21", "xmm22", "xmm23", "xmm24", "xmm25", "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", \
        "xmm31"
#else
#define SWITCH_AVX512
#endif

static inline __attribute__((always_inline)) void context_switch(struct context *from,
                                                                 struct context *to)
{
    /* Nothing is pushed: the caller's red zone stays as it is. */
    __asm__ volatile("leaq 1f(%%rip), %%rax\n\t"
                     "movq %%rsp, 0(%0)\n\t"
                     "movq %%rbp, 8(%0)\n\t"
                     "movq %%rax, 16(%0)\n\t"
                     "movq 0(%1), %%rsp\n\t"
                     "movq 8(%1), %%rbp\n\t"
                     "jmpq *16(%1)\n"
                     "1:"
                     : "+D"(from), "+S"(to)
                     :
                     : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
                       "r15", "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5",
                       "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14",
                       "xmm15" SWITCH_AVX512);
}

static inline int context_start(struct context *c, void *stack, void *top, void (*entry)(void))
{
    uintptr_t *sp = (uintptr_t *)((uintptr_t)top & ~(uintptr_t)15);
    (void)stack;
    *--sp = 0; /* entry's return address: where unwinders stop */
    c->sp = sp;
    c->fp = NULL;
    c->pc = (void *)entry;
    return 0;
}
