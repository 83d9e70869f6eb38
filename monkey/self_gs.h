/* self_gs.h - the preloaded library's hub of an OS thread, and what follows a switch: see self.h.
 *
 * The hub is found by the GS base, which nothing else uses on x86-64: zero on OS threads without a
 * hub. A switch swaps the thread pointer (the FS base), so that every green thread has libc's and
 * the program's thread-local variables to itself, and the control words of both floating-point
 * units. errno needs no care: the program's is thread-local, the engine has its own (libc.c). */
#pragma once
#include "task.h"

/* Whether the processor's instructions for the bases may be used; else system calls are. */
extern bool self_fsgsbase;

uintptr_t self_base_slow(bool gs);
void self_set_base_slow(bool gs, uintptr_t base);

static inline struct green_hub *self_hub(void)
{
    uintptr_t base;
    if (UNLIKELY(!self_fsgsbase))
        return (struct green_hub *)self_base_slow(true);
    __asm__("rdgsbase %0" : "=r"(base));
    return (struct green_hub *)base;
}

/* No: signals do, too (signals.c). */
static inline bool self_alone(void)
{
    return false;
}

static inline uintptr_t self_pointer(void)
{
    uintptr_t base;
    if (UNLIKELY(!self_fsgsbase))
        return self_base_slow(false);
    __asm__ volatile("rdfsbase %0" : "=r"(base));
    return base;
}

static inline void self_set_pointer(uintptr_t base)
{
    if (LIKELY(self_fsgsbase))
        __asm__ volatile("wrfsbase %0" : : "r"(base) : "memory");
    else
        self_set_base_slow(false, base);
}

/* Finds out what the processor can do; before anything else here. */
void self_start(void);

int self_hub_set(struct green_hub *hub);
void self_stack(const void **bottom, size_t *size);

/* A descriptor of the hub's own goes where the program does not stumble over it. */
int self_fd(int fd);
bool self_owns(int fd);
/* In a forked child: closes them all. */
void self_disown(void);

/* MXCSR in the lower half, the x87 control word in the upper one. */
static inline int self_float(void)
{
    uint32_t sse;
    uint16_t x87;
    __asm__ volatile("stmxcsr %0\n\tfnstcw %1" : "=m"(sse), "=m"(x87));
    return (int)((sse & 0xffff) | (uint32_t)x87 << 16);
}

static inline void self_set_float(int kept)
{
    uint32_t sse = (uint32_t)kept & 0xffff;
    uint16_t x87 = (uint16_t)((uint32_t)kept >> 16);
    __asm__ volatile("ldmxcsr %0\n\tfldcw %1" : : "m"(sse), "m"(x87));
}

static inline int self_leave(struct green_hub *hub, struct green_thread *to)
{
    struct task *task = to->arg;
    int kept = self_float();
    (void)hub;
    if (task == NULL) /* the loop, which has no thread-local variables */
        return kept;
    self_set_pointer(task->pointer);
    if (UNLIKELY(task->fresh))
        task_enters(task, kept);
    return kept;
}

static inline void self_arrive(struct green_hub *hub, int kept)
{
    (void)hub;
    if (UNLIKELY(kept != self_float()))
        self_set_float(kept);
}
