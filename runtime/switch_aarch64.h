/* switch_aarch64.h - see switch.h. */
#pragma once

struct context {
    void *sp;
    void *fp;
    void *pc;
};

static inline __attribute__((always_inline)) void context_switch(struct context *from,
                                                                 struct context *to)
{
    register struct context *x0 __asm__("x0") = from;
    register struct context *x1 __asm__("x1") = to;
    /* The link register is cleared, so that a walk of a fresh context ends at its entry. x16 and
     * the hint (bti j): where branch targets are checked, both an entry and the label may be jumped
     * to. */
    __asm__ volatile("adr x2, 1f\n\t"
                     "mov x3, sp\n\t"
                     "stp x3, x29, [x0]\n\t"
                     "str x2, [x0, #16]\n\t"
                     "ldp x3, x29, [x1]\n\t"
                     "ldr x16, [x1, #16]\n\t"
                     "mov sp, x3\n\t"
                     "mov x30, xzr\n\t"
                     "br x16\n"
                     "1: hint #36"
                     : "+r"(x0), "+r"(x1)
                     :
                     : "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13",
                       "x14", "x15", "x16", "x17", "x18", "x19", "x20", "x21", "x22", "x23", "x24",
                       "x25", "x26", "x27", "x28", "x30", "memory", "cc", "v0", "v1", "v2", "v3",
                       "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13", "v14", "v15",
                       "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26",
                       "v27", "v28", "v29", "v30", "v31");
}

static inline int context_start(struct context *c, void *stack, void *top, void (*entry)(void))
{
    (void)stack;
    c->sp = (void *)((uintptr_t)top & ~(uintptr_t)15);
    c->fp = NULL;
    c->pc = (void *)entry;
    return 0;
}
