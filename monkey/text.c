/* text.c - see text.h. */
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "../runtime/sys.h"

enum { PAGE = 4096, RW = PROT_READ | PROT_WRITE, RX = PROT_READ | PROT_EXEC };

void text_copy(uint8_t *to, const uint8_t *from, size_t n)
{
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
}

int text_open(struct text *t, const void *lo, const void *hi, bool alone)
{
    t->lo = (uint8_t *)((uintptr_t)lo & ~(uintptr_t)(PAGE - 1));
    t->len = (((uintptr_t)hi + PAGE - 1) & ~(uintptr_t)(PAGE - 1)) - (uintptr_t)t->lo;
    t->copy = t->lo;
    if (alone)
        return (int)SYS3(SYS_mprotect, t->lo, t->len, RW);
    long m = SYS6(SYS_mmap, 0, t->len, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (m < 0 && m > -PAGE)
        return (int)m;
    t->copy = (uint8_t *)m;
    text_copy(t->copy, t->lo, t->len);
    return 0;
}

int text_close(struct text *t)
{
    long rc = SYS3(SYS_mprotect, t->copy, t->len, RX);
    if (t->copy == t->lo)
        return (int)rc;
    if (rc == 0)
        rc = SYS5(SYS_mremap, t->copy, t->len, t->len, MREMAP_MAYMOVE | MREMAP_FIXED, t->lo);
    if (rc >= 0 || rc <= -PAGE)
        return 0;
    SYS2(SYS_munmap, t->copy, t->len);
    return (int)rc;
}

int text_allowed(void)
{
    long fd = SYS3(SYS_open, "/proc/self/exe", O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0)
        return (int)fd;
    long m = SYS6(SYS_mmap, 0, PAGE, RW, MAP_PRIVATE, fd, 0);
    SYS1(SYS_close, fd);
    if (m < 0 && m > -PAGE)
        return (int)m;
    volatile uint8_t *page = (uint8_t *)m;
    page[0] = page[0];
    long rc = SYS3(SYS_mprotect, m, PAGE, RX);
    SYS2(SYS_munmap, m, PAGE);
    return (int)rc;
}

/* A directory has a link from each of its subdirectories: here, one a thread. */
bool text_alone(void)
{
    struct stat st;
    long rc = SYS2(SYS_stat, "/proc/self/task", &st);
    return rc == 0 && st.st_nlink == 3;
}
