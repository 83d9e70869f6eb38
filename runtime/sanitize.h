/* sanitize.h - telling AddressSanitizer, ThreadSanitizer and valgrind about stacks.
 *
 * The sanitizers want to know of each switch; in ordinary builds this is empty. san_leave stands
 * before it on the old stack, san_arrive is the first thing after it on the new one. A thread that
 * never runs again leaves with `last`.
 *
 * Valgrind sees switches itself if it knows where stacks are: they are announced once, when they
 * are made, in builds that found valgrind's header (-Dvalgrind). Without valgrind that costs a few
 * instructions a stack. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>

struct san_fiber {
    void *fake;         /* ASan's fake stack of a thread that does not run */
    const void *bottom; /* lowest address of its stack */
    size_t size;
};

static inline void san_leave(struct san_fiber *from, const struct san_fiber *to, bool last)
{
    __sanitizer_start_switch_fiber(last ? NULL : &from->fake, to->bottom, to->size);
}

static inline void san_arrive(struct san_fiber *self)
{
    __sanitizer_finish_switch_fiber(self->fake, NULL, NULL);
}

/* The same, where the stack just left is not known yet: ASan knows it. */
static inline void san_arrive_from(struct san_fiber *self, struct san_fiber *left)
{
    const void *bottom;
    size_t size;
    __sanitizer_finish_switch_fiber(self->fake, &bottom, &size);
    if (left->bottom == NULL) {
        left->bottom = bottom;
        left->size = size;
    }
}

static inline void san_stack(struct san_fiber *fiber, const void *bottom, size_t size)
{
    *fiber = (struct san_fiber){NULL, bottom, size};
}

static inline void san_own(struct san_fiber *fiber, const void *bottom, size_t size)
{
    san_stack(fiber, bottom, size);
}

static inline void san_end(struct san_fiber *fiber)
{
    (void)fiber;
}

/* Memory of stacks goes: what was known of frames left there is void. */
static inline void san_forget(const void *bottom, size_t size)
{
    __asan_unpoison_memory_region(bottom, size);
}

/* What `fiber` stands for runs on another's stack now. */
static inline void san_move(struct san_fiber *fiber, const struct san_fiber *to)
{
    fiber->bottom = to->bottom;
    fiber->size = to->size;
}

#elif defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>

struct san_fiber {
    void *tsan; /* TSan's state of a thread, as of an OS thread */
};

static inline void san_end(struct san_fiber *fiber)
{
    __tsan_destroy_fiber(fiber->tsan);
}

static inline void san_leave(struct san_fiber *from, const struct san_fiber *to, bool last)
{
    __tsan_switch_to_fiber(to->tsan, 0);
    if (last)
        san_end(from);
}

static inline void san_arrive(struct san_fiber *self)
{
    (void)self;
}

static inline void san_arrive_from(struct san_fiber *self, struct san_fiber *left)
{
    (void)self, (void)left;
}

static inline void san_stack(struct san_fiber *fiber, const void *bottom, size_t size)
{
    (void)bottom, (void)size;
    fiber->tsan = __tsan_create_fiber(0);
}

static inline void san_own(struct san_fiber *fiber, const void *bottom, size_t size)
{
    (void)bottom, (void)size;
    fiber->tsan = __tsan_get_current_fiber();
}

static inline void san_move(struct san_fiber *fiber, const struct san_fiber *to)
{
    fiber->tsan = to->tsan;
}

#else

struct san_fiber {
    char none[1];
};

static inline void san_leave(struct san_fiber *from, const struct san_fiber *to, bool last)
{
    (void)from, (void)to, (void)last;
}

static inline void san_arrive(struct san_fiber *self)
{
    (void)self;
}

static inline void san_arrive_from(struct san_fiber *self, struct san_fiber *left)
{
    (void)self, (void)left;
}

/* A stack made for a thread. */
static inline void san_stack(struct san_fiber *fiber, const void *bottom, size_t size)
{
    (void)fiber, (void)bottom, (void)size;
}

/* The stack that the caller stands on. */
static inline void san_own(struct san_fiber *fiber, const void *bottom, size_t size)
{
    (void)fiber, (void)bottom, (void)size;
}

/* What ran on a made stack ends without leaving by `last`. */
static inline void san_end(struct san_fiber *fiber)
{
    (void)fiber;
}

static inline void san_move(struct san_fiber *fiber, const struct san_fiber *to)
{
    (void)fiber, (void)to;
}

#endif

#if !defined(__SANITIZE_ADDRESS__)
static inline void san_forget(const void *bottom, size_t size)
{
    (void)bottom, (void)size;
}
#endif

#if defined(GREEN_VALGRIND)
#include "sys.h"
#include <valgrind/valgrind.h>

/* A stack that green threads run on, until it is withdrawn by what this returned. */
static inline unsigned san_announce(const void *bottom, size_t size)
{
    return size > 0 ? VALGRIND_STACK_REGISTER(bottom, (const char *)bottom + size - 1) : 0;
}

/* The stack that an OS thread came with. Valgrind knows that of the first one, and how far it has
 * grown: growing on into what has been announced would seem a switch to another stack. */
static inline unsigned san_announce_own(const void *bottom, size_t size)
{
    return SYS0(SYS_gettid) == SYS0(SYS_getpid) ? 0 : san_announce(bottom, size);
}

static inline void san_withdraw(unsigned announced)
{
    if (announced != 0) /* which is the first OS thread's in valgrind's own list */
        VALGRIND_STACK_DEREGISTER(announced);
}

#else

static inline unsigned san_announce(const void *bottom, size_t size)
{
    (void)bottom, (void)size;
    return 0;
}

static inline unsigned san_announce_own(const void *bottom, size_t size)
{
    (void)bottom, (void)size;
    return 0;
}

static inline void san_withdraw(unsigned announced)
{
    (void)announced;
}

#endif
