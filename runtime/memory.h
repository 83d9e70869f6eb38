/* memory.h - where the engine's own small allocations come from: malloc in the library (memory.c),
 * a private arena inside the preloaded library, where the program may hold malloc's locks. */
#pragma once
#include <stddef.h>

/* Zeroed memory; NULL when there is none. */
void *memory_get(size_t size);
/* As realloc(3); what is added is not zeroed. On NULL the old block stays. */
void *memory_resize(void *block, size_t size);
void memory_put(void *block);
