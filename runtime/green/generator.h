/* green/generator.h - generators: functions that produce a sequence, one item at a time.
 *
 *     static int squares(green_generator *g, void *arg)
 *     {
 *         (void)arg;
 *         for (long i = 1, sq; (sq = i * i) > 0; i++)
 *             if (green_generator_yield(g, &sq) < 0)
 *                 return -1;
 *         return 0;
 *     }
 *     green_for (long, sq, green_generator_create(sizeof(long), squares, NULL)) {
 *         if (sq > 1000)
 *             break;                                -- the generator is closed and freed
 *         printf("%ld\n", sq);
 *     }
 *
 * A generator is a coroutine (green/coroutine.h) that yields items of one size, and what is said
 * there of threads, errors and closing holds here. It may yield from any depth of calls, and
 * recursion needs no stack of one's own. Generators that consume others are pipes: give the source
 * as arg with `release` in the options, so that a pipe closes its source, even if it never ran. */
#pragma once
#include <green/coroutine.h>

GREEN_BEGIN_DECLS

typedef struct green_generator green_generator;

/* A generator of items of `size` bytes that will run fn(g, arg) for the first item. Its function
 * returns >= 0 when there are no more, or a negative value and errno. NULL: ENOMEM, EINVAL. */
GREEN_API green_generator *green_generator_create(size_t size,
                                                  int (*fn)(green_generator *g, void *arg),
                                                  void *arg);
GREEN_API green_generator *green_generator_create_with(const green_coroutine_options *options,
                                                       size_t size,
                                                       int (*fn)(green_generator *g, void *arg),
                                                       void *arg);

/* Inside the generator: give out a copy of *item and wait until the next one is wanted. 0, or -1 as
 * green_coroutine_yield: ECANCELED means that nobody wants more, clean up and return. */
GREEN_API int green_generator_yield(green_generator *g, const void *item);

/* Get the next item, of the size that the generator was made for. 1: *item has it. 0: there are no
 * more. -1: its function failed, with that errno; or EBUSY, EINVAL as green_coroutine_resume. After
 * the end each further call gives the same answer. */
GREEN_API int green_generator_next(green_generator *g, void *item);

/* Close it (its pending yield fails with ECANCELED, so that it cleans up) and free it; as
 * green_coroutine_destroy. */
GREEN_API int green_generator_destroy(green_generator *g);

/* green_for (type, name, generator) { ... }: the block runs for each item, a variable of that type
 * and name. The generator is destroyed on leaving by end, break or return. When the loop ran to its
 * end, errno is 0, or the error of the generator, or of making it if it is NULL; leaving the block
 * early leaves errno alone. A type of another size than the generator's gets no item: EINVAL. */
#define green_for(type, name, generator)                                                        \
    for (green_generator *                                                                      \
             GREEN_PASTE(green_gen_, __LINE__)                                                  \
                 __attribute__((cleanup(green_for_leave))) = (generator),                       \
                 *GREEN_PASTE(green_once_, __LINE__) = GREEN_PASTE(green_gen_, __LINE__);       \
         GREEN_PASTE(green_once_, __LINE__) != NULL; GREEN_PASTE(green_once_, __LINE__) = NULL) \
        for (type name; green_for_next(GREEN_PASTE(green_gen_, __LINE__), &name, sizeof(name)) > 0;)

/* What green_for is made of. */
GREEN_API int green_for_next(green_generator *g, void *item, size_t size);
GREEN_API void green_for_leave(green_generator **g);

GREEN_END_DECLS
