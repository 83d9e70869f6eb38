/* memory.c - the library's small allocations: malloc. See memory.h. */
#include "memory.h"
#include <stdlib.h>

void *memory_get(size_t size)
{
    return calloc(1, size);
}

void *memory_resize(void *block, size_t size)
{
    return realloc(block, size);
}

void memory_put(void *block)
{
    free(block);
}
