/* stack.h - stacks from slabs of reserved address space.
 *
 * A slab is one lazily committed mapping (no swap reserved, no huge pages) cut into stacks of equal
 * size, each with a guard page at its low end that needs no mapping of its own where the kernel
 * has MADV_GUARD_INSTALL (Linux 6.13); below that mprotect guards them up to a budget, since each
 * costs two of vm.max_map_count, and stacks beyond it are counted as unguarded. Tops are coloured:
 * shifted by cache lines, so that the hot ends of many stacks do not share one cache set.
 *
 * Freed stacks are re-used last in, first out, still warm. The pool never keeps more warm stacks
 * than STACK_WARM or than are in use: beyond that the oldest give their pages back. Stacks that
 * were used deeply give back all but their top now and then.
 *
 * A pool belongs to one hub. The first touch of a page is what costs (some 3 us); 256 KiB apart
 * instead of 64 KiB costs 512 B of page tables a stack instead of 128. */
#pragma once
#include "list.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { STACK_WARM = 4096 }; /* 16 MiB, when a page of each was used */

/* One stack; lives in its slab's side array, not in the stack. */
struct stack {
    char *base;         /* lowest address, the guard page */
    char *top;          /* coloured upper end, 64-byte aligned */
    struct list link;   /* in the pool's warm or cold list while free */
    uint32_t size;      /* from base on, guard and colour included: up to 1 GiB */
    unsigned announced; /* to valgrind */
};

struct stack_pool {
    size_t size;      /* of each stack; 0: no such pool yet */
    struct list warm; /* free, pages kept: newest first */
    struct list cold; /* free, pages given back */
    size_t warm_count;
    size_t live;        /* handed out */
    size_t unguarded;   /* made without a guard page */
    int mprotected;     /* guarded by mprotect */
    struct slab *slabs; /* newest first */
    unsigned released;  /* counts releases, to look at every so-manieth one's depth */
};

void stack_pool_init(struct stack_pool *pool, size_t size);
void stack_pool_destroy(struct stack_pool *pool);

/* NULL when there is no memory or address space. */
struct stack *stack_get(struct stack_pool *pool);

/* The stack stays usable until the next stack_get: the caller may still be standing on it. */
void stack_put(struct stack_pool *pool, struct stack *stack);

/* Round a wished-for size up to one that a pool can have; 0 if it is too large. */
size_t stack_round(size_t size);

/* The size for those without wishes: $GREEN_STACK, asked once, or 256 KiB. */
size_t stack_standard(void);

/* Is this address in the guard page of one of the pool's stacks that are or were handed out? */
bool stack_is_guard(const struct stack_pool *pool, const void *address);
