/* generator.c - generators: see green/generator.h. A generator is the argument of its coroutine,
 * and goes with it. An item is copied straight from the generator's stack to the consumer's. */
#include "compiler.h"
#include "error.h"
#include "memory.h"
#include "switch_return.h"
#include <errno.h>
#include <green/generator.h>
#include <string.h>

struct green_generator {
    green_coroutine *co;
    size_t size; /* of an item */
    int (*fn)(green_generator *g, void *arg);
    void *arg;
    void (*release)(void *arg);
    int end;   /* 1: not yet; else what each next returns: 0 or -1, */
    int error; /* with this errno */
};

static int entry(green_coroutine *co, void *arg)
{
    green_generator *g = arg;
    (void)co;
    return g->fn(g, g->arg);
}

static void generator_free(void *arg)
{
    green_generator *g = arg;
    if (g->release != NULL)
        g->release(g->arg);
    memory_put(g);
}

GREEN_API green_generator *green_generator_create_with(const green_coroutine_options *options,
                                                       size_t size,
                                                       int (*fn)(green_generator *g, void *arg),
                                                       void *arg)
{
    if (fn == NULL) {
        fail(EINVAL, "green_generator: no function");
        return NULL;
    }
    green_generator *g = memory_get(sizeof *g);
    if (g == NULL) {
        fail(ENOMEM, "no memory for another generator");
        return NULL;
    }
    green_coroutine_options own = {options->stack_size, generator_free};
    *g = (green_generator){NULL, size, fn, arg, options->release, 1, 0};
    g->co = green_coroutine_create_with(&own, entry, g);
    if (g->co == NULL) {
        memory_put(g);
        return NULL;
    }
    return g;
}

GREEN_API green_generator *green_generator_create(size_t size,
                                                  int (*fn)(green_generator *g, void *arg),
                                                  void *arg)
{
    static const green_coroutine_options standard;
    return green_generator_create_with(&standard, size, fn, arg);
}

GREEN_API SWITCH_RETURN int green_generator_yield(green_generator *g, const void *item)
{
    return green_coroutine_yield(g->co, (void *)(uintptr_t)item);
}

GREEN_API SWITCH_RETURN int green_generator_next(green_generator *g, void *item)
{
    void *made;
    if (UNLIKELY(g->end <= 0)) {
        if (g->end < 0)
            errno = g->error;
        return g->end;
    }
    int rc = green_coroutine_resume(g->co, NULL, &made);
    if (LIKELY(rc > 0))
        memcpy(item, made, g->size);
    else if (green_coroutine_status(g->co) == GREEN_COROUTINE_ENDED) {
        g->end = rc;
        g->error = rc < 0 ? errno : 0;
    }
    return rc;
}

GREEN_API int green_generator_destroy(green_generator *g)
{
    return g != NULL ? green_coroutine_destroy(g->co) : 0;
}

GREEN_API SWITCH_RETURN int green_for_next(green_generator *g, void *item, size_t size)
{
    if (UNLIKELY(size != g->size)) {
        g->end = -1;
        g->error = EINVAL;
        return fail(EINVAL, "the generator makes items of %zu bytes, not %zu", g->size, size);
    }
    return green_generator_next(g, item);
}

GREEN_API void green_for_leave(green_generator **g)
{
    int kept = errno;
    if (*g == NULL)
        return;
    if ((*g)->end <= 0)
        kept = (*g)->error;
    green_generator_destroy(*g);
    errno = kept;
}
