/* bench_file.c - what calls on files cost (CPU time): a page that is cached, and what an OS thread
 * has to do. The file is in the current directory: /dev/shm has other figures than a disk. */
#include "bench.h"
#include <green/file.h>
#include <unistd.h>

enum { PAGE = 4096, SIZE = 64 * PAGE };

static int fd;
static char buf[SIZE];

static void preads(long n)
{
    while (n-- > 0)
        if (pread(fd, buf, PAGE, n % 64 * PAGE) != PAGE)
            abort();
}

static void green_preads(long n)
{
    while (n-- > 0)
        if (green_pread(fd, buf, PAGE, n % 64 * PAGE) != PAGE)
            abort();
}

static void pwrites(long n)
{
    while (n-- > 0)
        if (pwrite(fd, buf, PAGE, n % 64 * PAGE) != PAGE)
            abort();
}

static void green_pwrites(long n)
{
    while (n-- > 0)
        if (green_pwrite(fd, buf, PAGE, n % 64 * PAGE) != PAGE)
            abort();
}

static void opens(long n)
{
    while (n-- > 0)
        close(open(".", O_PATH | O_CLOEXEC));
}

static void green_opens(long n)
{
    while (n-- > 0)
        green_close(green_open(".", O_PATH | O_CLOEXEC));
}

int main(void)
{
    char name[] = "bench_file.XXXXXX";
    fd = mkstemp(name);
    if (fd < 0 || unlink(name) < 0 || write(fd, buf, SIZE) != SIZE) {
        perror("bench_file");
        return 1;
    }
    measure("pread of a cached page", preads, 200000);
    measure("green_pread of a cached page", green_preads, 200000);
    measure("pwrite of a page", pwrites, 50000);
    measure("green_pwrite of a page", green_pwrites, 10000);
    measure("open and close", opens, 100000);
    measure("green_open and green_close", green_opens, 10000);
    return 0;
}
