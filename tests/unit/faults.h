/* faults.h - allocations that fail: for tests linked with memory_get, memory_resize and memory_put
 * wrapped (meson.build). */
#pragma once
#include "memory.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

void *__real_memory_get(size_t size);
void *__real_memory_resize(void *block, size_t size);
void __real_memory_put(void *block);
void *__wrap_memory_get(size_t size);
void *__wrap_memory_resize(void *block, size_t size);
void __wrap_memory_put(void *block);

static atomic_long fuse = -1; /* allocations until one fails; < 0: none does */
static atomic_long held;      /* blocks in use */

static void (*watcher)(void); /* called at each allocation; NULL: none */

static bool blown(void)
{
    if (watcher != NULL)
        watcher();
    return atomic_load(&fuse) >= 0 && atomic_fetch_sub(&fuse, 1) == 0;
}

void *__wrap_memory_get(size_t size)
{
    void *block = blown() ? NULL : __real_memory_get(size);
    atomic_fetch_add(&held, block != NULL);
    return block;
}

void *__wrap_memory_resize(void *block, size_t size)
{
    void *more = blown() ? NULL : __real_memory_resize(block, size);
    atomic_fetch_add(&held, block == NULL && more != NULL);
    return more;
}

void __wrap_memory_put(void *block)
{
    atomic_fetch_sub(&held, block != NULL);
    __real_memory_put(block);
}
