/* disk.h - files on a disk that is as slow as the test wants: for tests linked with file_ask
 * wrapped (meson.build). */
#pragma once
#include "net_unit.h"

#include "file.h"
#include "sys.h"
#include <green/file.h>
#include <semaphore.h>
#include <stdatomic.h>

static atomic_bool cold;   /* nothing is in the page cache: no call succeeds at once */
static atomic_bool slow;   /* OS threads wait for `turned` before each call */
static atomic_int waiting; /* that many do */
static atomic_int asked;   /* calls made by OS threads */
static atomic_int part;    /* > 0: what is in the page cache of each read */
static sem_t turned;

long __real_file_ask(long nr, const long arg[6]);
long __wrap_file_ask(long nr, const long arg[6]);

long __wrap_file_ask(long nr, const long arg[6])
{
    if (nr == SYS_preadv2 || nr == SYS_pwritev2) {
        if (cold)
            return -EAGAIN;
        struct iovec first = *(const struct iovec *)arg[1];
        if (part == 0 || first.iov_len <= (size_t)part)
            return __real_file_ask(nr, arg);
        first.iov_len = (size_t)part;
        const long less[6] = {arg[0], (long)&first, 1, arg[3], arg[4], arg[5]};
        return __real_file_ask(nr, less);
    }
    if (slow) {
        waiting++;
        while (sem_wait(&turned) < 0)
            continue;
        waiting--;
    }
    asked++;
    return __real_file_ask(nr, arg);
}

static inline void let(int calls)
{
    while (calls-- > 0)
        sem_post(&turned);
}

static char name[100], other[100];
static int fd;

static inline int before_each(void **state)
{
    (void)state;
    cold = false;
    slow = false;
    asked = 0;
    part = 0;
    snprintf(name, sizeof name, "/tmp/test_file.%d", (int)getpid());
    snprintf(other, sizeof other, "/tmp/test_file.%d.other", (int)getpid());
    unlink(name);
    unlink(other);
    fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    return fd < 0 || write(fd, "0123456789", 10) != 10 || lseek(fd, 0, SEEK_SET) != 0 ? -1 : 0;
}

static inline int after_each(void **state)
{
    (void)state;
    green_close(fd);
    unlink(name);
    unlink(other);
    return 0;
}

static inline off_t position(void)
{
    return lseek(fd, 0, SEEK_CUR);
}

static inline void assert_content(const char *text)
{
    char buf[200] = {0};
    size_t n = strlen(text);
    assert_int_equal(pread(fd, buf, sizeof buf, 0), n);
    assert_memory_equal(buf, text, n);
}

static inline green_lane_stats stats_of(int lane)
{
    green_lane_stats s;
    green_lane_stats_get(green_lane_of(lane), &s);
    return s;
}

static inline int at_work(int lane)
{
    green_lane_stats s = stats_of(lane);
    return s.threads - s.idle;
}

static inline int join(green_thread *t)
{
    int result = -1000;
    assert_int_equal(green_join(t, &result), 0);
    return result;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, before_each, after_each)
