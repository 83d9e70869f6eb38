/* bench_intercept.c - what an intercepted system call costs: getppid() natively, at a rewritten
 * site, and at a site that traps each time. Prints nanoseconds a call, the best of several runs. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "../unit/pass_monkey.h"

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double cost(int (*call)(void), int calls)
{
    double best = 1e18;
    for (int run = 0; run < 15; run++) {
        double t = now();
        for (int i = 0; i < calls; i++)
            call();
        t = (now() - t) / calls;
        best = t < best ? t : best;
    }
    return best;
}

/* Code made at run time belongs to no object, so it is never rewritten. */
static int (*made_getppid(void))(void)
{
    static const unsigned char code[] = {0xb8, 110, 0, 0, 0, 0x0f, 0x05, 0xc3};
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    memcpy(p, code, sizeof code);
    mprotect(p, 4096, PROT_READ | PROT_EXEC);
    return (int (*)(void))p;
}

int main(void)
{
    int (*made)(void) = made_getppid();
    double native = cost(getppid, 200000);
    double t = now();
    if (!made || pass_start(INTERCEPT_SUD) < 0)
        return 77;
    double start = now() - t;
    double patched = cost(getppid, 200000), trapped = cost(made, 20000);
    struct intercept_stats s = pass_stats();
    printf("start    %8.0f us (%llu sites rewritten, %llu left)\n", start / 1e3,
           (unsigned long long)s.patched, (unsigned long long)s.left);
    printf("native   %8.1f ns\n", native);
    printf("patched  %8.1f ns  (+%.1f)\n", patched, patched - native);
    printf("trapped  %8.1f ns  (+%.1f)\n", trapped, trapped - native);
    return 0;
}
