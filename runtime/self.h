/* self.h - which hub runs on this OS thread, and what of an OS thread's state follows a switch.
 *
 * The one place where the two builds of the engine differ: the library keeps its hub in a
 * thread-local variable and carries errno and C++'s exceptions over a switch; the preloaded
 * library, which swaps the whole thread pointer, brings its own version of this header (GREEN_SELF,
 * in monkey/). */
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

/* There when the program runs under `green`: then POSIX threads are no OS threads. */
extern GREEN_API const char green_preloaded __attribute__((weak));

/* Can nobody but this process's OS threads and the loop wake a thread here? */
static inline bool self_alone(void)
{
    return &green_preloaded == NULL;
}

/* Where the C++ runtime keeps this OS thread's exceptions; NULL: there is no C++ here. */
struct exceptions *self_exceptions(void);

/* Lowest address and size of the OS thread's own stack. */
void self_stack(const void **bottom, size_t *size);

struct self_kept {
    int error;
    struct exceptions exceptions; /* only set where there is C++ */
};

/* Before a switch on the old thread, and after it on the same thread when it runs again. A thread
 * that begins finds no exceptions. */
static inline struct self_kept self_leave(struct green_hub *hub, struct green_thread *to)
{
    struct self_kept kept;
    (void)to;
    kept.error = *hub->errno_at;
    if (UNLIKELY(hub->exceptions_at != NULL)) {
        kept.exceptions = *hub->exceptions_at;
        *hub->exceptions_at = (struct exceptions){NULL, 0};
    }
    return kept;
}

static inline void self_arrive(struct green_hub *hub, struct self_kept kept)
{
    *hub->errno_at = kept.error;
    if (UNLIKELY(hub->exceptions_at != NULL))
        *hub->exceptions_at = kept.exceptions;
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
