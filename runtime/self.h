/* self.h - which hub runs on this OS thread, and what of an OS thread's state follows a switch.
 *
 * The one place where the two builds of the engine differ: the library keeps its hub in a
 * thread-local variable and carries errno over a switch; the preloaded library, which swaps the
 * whole thread pointer, brings its own version of this header (GREEN_SELF, in monkey/). */
#pragma once
#include "hub.h"

#ifdef GREEN_SELF
#include GREEN_SELF

static inline struct green_hub *self_hub_new(void)
{
    return hub_create(NULL);
}
#else

extern _Thread_local struct green_hub *self_hub_here
    __attribute__((tls_model("initial-exec"), visibility("hidden")));

/* NULL: none yet. */
static inline struct green_hub *self_hub(void)
{
    return self_hub_here;
}

/* Called by hub_create and hub_destroy. 0, or a negative errno. The hub is destroyed when the OS
 * thread ends. */
int self_hub_set(struct green_hub *hub);

/* Make the OS thread's hub, where the running thread goes on if it comes from a fork. NULL and
 * errno. */
struct green_hub *self_hub_new(void);

/* Can nobody but this process's OS threads and the loop wake a thread here? */
static inline bool self_alone(void)
{
    return true;
}

/* Lowest address and size of the OS thread's own stack. */
void self_stack(const void **bottom, size_t *size);

/* Before a switch on the old thread, and after it on the same thread when it runs again. */
static inline int self_leave(struct green_hub *hub, struct green_thread *to)
{
    (void)to;
    return *hub->errno_at;
}

static inline void self_arrive(struct green_hub *hub, int errno_kept)
{
    *hub->errno_at = errno_kept;
}

/* A descriptor that the hub has opened for itself (or a negative errno): where it is to stand. */
static inline int self_fd(int fd)
{
    return fd;
}
#endif

static inline struct green_hub *hub_here(void)
{
    struct green_hub *hub = self_hub();
    return LIKELY(hub != NULL) ? hub : self_hub_new();
}
