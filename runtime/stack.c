/* stack.c - see stack.h. */
#include "stack.h"
#include "compiler.h"
#include "memory.h"
#include "sanitize.h"
#include "sys.h"
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

enum {
    PAGE = 4096,
    COLOURS = 32,    /* cache lines over which tops are spread */
    SLAB_FIRST = 64, /* stacks in a pool's first slab; each further one doubles */
    SLAB_MOST = 4096,
    MPROTECT_BUDGET = 12000, /* guards by mprotect in a process; each splits a mapping in two */
    DEPTH_KEPT = 32 * 1024,  /* what a deeply used stack keeps when it is looked at */
    DEPTH_EVERY = 64,        /* look at one in so many */
};
static const size_t slab_bytes_most = (size_t)1 << 30;
static const size_t stack_most = (size_t)1 << 30;
static const size_t stack_least = (size_t)16 << 10;

struct slab {
    struct slab *older;
    char *memory;
    size_t count; /* stacks in it */
    size_t used;  /* those handed out at least once */
    struct stack stacks[];
};

static atomic_int mprotected; /* guards made by mprotect in this process */
static atomic_int installs;   /* does MADV_GUARD_INSTALL work here? */
enum { UNKNOWN, YES, NO };

size_t stack_round(size_t size)
{
    size_t rounded = stack_least;
    while (rounded < size && rounded < stack_most)
        rounded *= 2;
    return rounded < size ? 0 : rounded;
}

size_t stack_standard(void)
{
    static atomic_size_t standard;
    size_t bytes = atomic_load_explicit(&standard, memory_order_relaxed);
    if (bytes == 0) {
        const char *wish = getenv("GREEN_STACK");
        char *end = NULL;
        bytes = wish != NULL ? strtoul(wish, &end, 0) : 0;
        if (bytes == 0 || *end != '\0' || (bytes = stack_round(bytes)) == 0)
            bytes = (size_t)256 << 10; /* nonsense must not make stacks small */
        atomic_store_explicit(&standard, bytes, memory_order_relaxed);
    }
    return bytes;
}

void stack_pool_init(struct stack_pool *pool, size_t size)
{
    *pool = (struct stack_pool){.size = size};
    list_init(&pool->warm);
    list_init(&pool->cold);
}

/* ThreadSanitizer has to see that memory comes and goes. */
#if defined(__SANITIZE_THREAD__)
static char *pages_map(size_t size)
{
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    return at != MAP_FAILED ? at : NULL;
}

static void pages_unmap(char *at, size_t size)
{
    munmap(at, size);
}
#else
static char *pages_map(size_t size)
{
    long at = SYS6(SYS_mmap, NULL, size, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    return at > 0 ? (char *)at : NULL;
}

static void pages_unmap(char *at, size_t size)
{
    san_forget(at, size);
    SYS2(SYS_munmap, at, size);
}
#endif

void stack_pool_destroy(struct stack_pool *pool)
{
    for (struct slab *s = pool->slabs, *older; s != NULL; s = older) {
        older = s->older;
        for (size_t i = 0; i < s->used; i++)
            san_withdraw(s->stacks[i].announced);
        pages_unmap(s->memory, s->count * pool->size);
        memory_put(s);
    }
    pool->slabs = NULL;
    atomic_fetch_sub(&mprotected, pool->mprotected);
}

static bool slab_add(struct stack_pool *pool)
{
    size_t count = pool->slabs != NULL ? pool->slabs->count * 2 : SLAB_FIRST;
    if (count > SLAB_MOST)
        count = SLAB_MOST;
    if (count * pool->size > slab_bytes_most)
        count = slab_bytes_most / pool->size;
    for (;; count = count / 2) { /* a tight RLIMIT_AS may still allow a smaller one */
        if (count == 0)
            return false;
        char *at = pages_map(count * pool->size);
        if (at == NULL)
            continue;
        struct slab *slab = memory_get(sizeof *slab + count * sizeof slab->stacks[0]);
        if (slab == NULL) {
            pages_unmap(at, count * pool->size);
            return false;
        }
        SYS3(SYS_madvise, at, count * pool->size, MADV_NOHUGEPAGE);
        slab->memory = at;
        slab->count = count;
        slab->older = pool->slabs;
        pool->slabs = slab;
        return true;
    }
}

/* Emulators accept advice that they do not follow, so the first guard is tried out: the kernel
 * cannot write there. */
static bool guard_install(char *page)
{
    if (atomic_load_explicit(&installs, memory_order_relaxed) == NO)
        return false;
    if (SYS3(SYS_madvise, page, PAGE, MADV_GUARD_INSTALL) == 0) {
        if (atomic_load_explicit(&installs, memory_order_relaxed) == YES)
            return true;
        if (SYS3(SYS_getrandom, page, 1, 0) == -EFAULT) {
            atomic_store_explicit(&installs, YES, memory_order_relaxed);
            return true;
        }
    }
    atomic_store_explicit(&installs, NO, memory_order_relaxed);
    return false;
}

static void guard(struct stack_pool *pool, char *page)
{
    if (guard_install(page))
        return;
    if (atomic_fetch_add(&mprotected, 1) < MPROTECT_BUDGET &&
        SYS3(SYS_mprotect, page, PAGE, PROT_NONE) == 0) {
        pool->mprotected++;
        return;
    }
    atomic_fetch_sub(&mprotected, 1);
    pool->unguarded++;
}

/* A stack that was never used. */
static struct stack *stack_new(struct stack_pool *pool)
{
    if ((pool->slabs == NULL || pool->slabs->used == pool->slabs->count) && !slab_add(pool))
        return NULL;
    struct slab *slab = pool->slabs;
    size_t n = slab->used++;
    struct stack *s = &slab->stacks[n];
    s->base = slab->memory + n * pool->size;
    s->size = (uint32_t)pool->size;
    s->top = s->base + s->size - n * 5 % COLOURS * 64;
    list_init(&s->link);
    guard(pool, s->base);
    s->announced = san_announce(s->base, s->size);
    return s;
}

struct stack *stack_get(struct stack_pool *pool)
{
    struct list *from = !list_empty(&pool->warm) ? &pool->warm : &pool->cold;
    struct stack *s;
    if (!list_empty(from)) {
        s = CONTAINER(from->next, struct stack, link);
        list_remove(&s->link);
        if (from == &pool->warm)
            pool->warm_count--;
    } else if ((s = stack_new(pool)) == NULL) {
        return NULL;
    }
    pool->live++;
    return s;
}

/* Give the pages of the stack from its guard up to `keep` bytes below its end back. */
static void give_back(struct stack *s, size_t keep)
{
    if (keep < s->size)
        SYS3(SYS_madvise, s->base + PAGE, s->size - PAGE - keep, MADV_DONTNEED);
}

/* Did the stack reach below the part that is always kept? Asks about one page: overflowing uses
 * are contiguous, so a deep one touched the page just below. */
static void look_at_depth(struct stack *s)
{
    unsigned char resident = 0;
    if (s->size <= DEPTH_KEPT + 2 * PAGE)
        return;
    char *page = s->base + s->size - DEPTH_KEPT - PAGE;
    if (SYS3(SYS_mincore, page, PAGE, &resident) == 0 && (resident & 1) != 0)
        give_back(s, DEPTH_KEPT);
}

/* The oldest warm stacks go cold, but never `current`, on which the caller may stand. */
static void trim(struct stack_pool *pool, struct stack *current)
{
    size_t most = pool->live > STACK_WARM ? pool->live : STACK_WARM;
    for (int i = 0; i < 2 && pool->warm_count > most; i++) {
        struct stack *oldest = CONTAINER(pool->warm.prev, struct stack, link);
        if (oldest == current)
            return;
        list_remove(&oldest->link);
        pool->warm_count--;
        give_back(oldest, 0);
        list_append(&pool->cold, &oldest->link);
    }
}

void stack_put(struct stack_pool *pool, struct stack *stack)
{
    pool->live--;
    if (++pool->released % DEPTH_EVERY == 0)
        look_at_depth(stack);
    list_append(pool->warm.next, &stack->link); /* before the first: newest first */
    pool->warm_count++;
    trim(pool, stack);
}

/* For a handler of faults: it only reads. */
bool stack_is_guard(const struct stack_pool *pool, const void *address)
{
    for (const struct slab *s = pool->slabs; s != NULL; s = s->older) {
        size_t at = (size_t)((const char *)address - s->memory);
        if (at < s->used * pool->size && at % pool->size < PAGE)
            return true;
    }
    return false;
}
