/* green/defer.h - clean-up that is not forgotten.
 *
 * Of a thread: green_defer(fn, arg) has fn(arg) called when the thread ends, from any depth of it.
 * Of a scope:  GREEN_DEFER(fn, arg); has it called when the block is left, by its end, break,
 *              goto, return or a C++ exception; it costs nothing but the call.
 * Both run the last first.
 *
 *     int work(void *arg)
 *     {
 *         char *text = strdup(arg);
 *         GREEN_DEFER(free, text);
 *         ...
 *     }                                                                                          */
#pragma once
#include <green/thread.h>

GREEN_BEGIN_DECLS

/* Call fn(arg) when the calling thread's function has returned, on that thread: it may yield (but
 * a cancelled thread's calls fail: see green_shield). Those of the main() thread are not called; of
 * an OS thread, when it ends. ENOMEM; EDEADLK: in a callback of the event
 * loop. Does not yield. */
GREEN_API int green_defer(void (*fn)(void *arg), void *arg);

typedef struct green_deferred {
    void (*fn)(void *arg);
    void *arg;
} green_deferred;
static inline void green_deferred_run(green_deferred *deferred)
{
    deferred->fn(deferred->arg);
}
#define GREEN_DEFER(fn, arg)                                                         \
    __attribute__((cleanup(green_deferred_run), unused)) green_deferred GREEN_PASTE( \
        green_deferred_, __LINE__) = {fn, arg}

GREEN_END_DECLS
