/* arena.c - the preloaded library's own memory: see memory.h.
 *
 * The program may hold malloc's locks, or be inside malloc, when the engine needs memory. So blocks
 * come from mappings of our own: powers of two, cut from chunks, kept in a free list each for
 * re-use; large ones have a mapping each. A header in front of the block says its class. */
#include "memory.h"
#include "sys.h"
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

enum {
    HEADER = 16, /* keeps blocks aligned */
    LEAST = 6,   /* 64 bytes, header included */
    MOST = 16,   /* 64 KiB; above that a mapping each */
    CHUNK = 256 << 10,
};

struct block {
    uint64_t size; /* of the whole, header included */
    union {
        uint64_t pad;
        struct block *next; /* while free */
    };
};
_Static_assert(sizeof(struct block) == HEADER, "the header");

static struct block *unused[MOST + 1];
static char *chunk, *chunk_end;
static int lock;

static void enter(void)
{
    while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE))
        SYS0(SYS_sched_yield);
}

static void leave(void)
{
    __atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
}

static void *map(size_t size)
{
    long at =
        SYS6(SYS_mmap, NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return at < 0 && at > -4096 ? NULL : (void *)at;
}

static int class_of(size_t whole)
{
    int class = LEAST;
    while ((size_t)1 << class < whole)
        class ++;
    return class;
}

static struct block *cut(size_t size)
{
    if ((size_t)(chunk_end - chunk) < size) {
        char *fresh = map(CHUNK);
        if (fresh == NULL)
            return NULL;
        chunk = fresh;
        chunk_end = fresh + CHUNK;
    }
    struct block *b = (struct block *)(void *)chunk;
    chunk += size;
    return b;
}

static struct block *take(int class)
{
    enter();
    struct block *b = unused[class];
    if (b != NULL)
        unused[class] = b->next;
    else
        b = cut((size_t)1 << class);
    leave();
    return b;
}

void *memory_get(size_t size)
{
    if (size > SIZE_MAX - HEADER - 4096)
        return NULL;
    size_t whole = size + HEADER;
    struct block *b;
    if (whole > (size_t)1 << MOST) {
        whole = (whole + 4095) & ~(size_t)4095;
        b = map(whole);
    } else {
        int class = class_of(whole);
        whole = (size_t)1 << class;
        b = take(class);
        if (b != NULL)
            memset(b + 1, 0, size);
    }
    if (b == NULL)
        return NULL;
    b->size = whole;
    return b + 1;
}

void memory_put(void *block)
{
    struct block *b = (struct block *)block - 1;
    if (block == NULL)
        return;
    if (b->size > (size_t)1 << MOST) {
        SYS2(SYS_munmap, b, b->size);
        return;
    }
    int class = class_of(b->size);
    enter();
    b->next = unused[class];
    unused[class] = b;
    leave();
}

void *memory_resize(void *block, size_t size)
{
    if (block == NULL)
        return memory_get(size);
    size_t old = ((struct block *)block - 1)->size - HEADER;
    if (size <= old)
        return block;
    void *bigger = memory_get(size);
    if (bigger != NULL) {
        memcpy(bigger, block, old);
        memory_put(block);
    }
    return bigger;
}
