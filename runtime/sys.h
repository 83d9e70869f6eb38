/* sys.h - system calls without libc: the result or a negative errno, nothing else touched.
 *
 * The engine never goes through libc's wrappers where it may block or fail: it wants no errno, no
 * cancellation point and no thread-local access (inside the preloaded library the thread pointer
 * belongs to the program), and it must not meet its own interception of libc (monkey/).
 * Besides switch_*.h this is the only header that names registers. */
#pragma once
#include <sys/syscall.h>

#if defined(__x86_64__)

static inline long sys6(long nr, long a, long b, long c, long d, long e, long f)
{
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    long ret;
    __asm__ volatile("syscall"
                     : "=a"(ret)
                     : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return ret;
}

static inline long sys3(long nr, long a, long b, long c)
{
    long ret;
    __asm__ volatile("syscall"
                     : "=a"(ret)
                     : "a"(nr), "D"(a), "S"(b), "d"(c)
                     : "rcx", "r11", "memory");
    return ret;
}

#elif defined(__aarch64__)

static inline long sys6(long nr, long a, long b, long c, long d, long e, long f)
{
    register long x8 __asm__("x8") = nr;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;
    __asm__ volatile("svc #0"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                     : "memory");
    return x0;
}

static inline long sys3(long nr, long a, long b, long c)
{
    return sys6(nr, a, b, c, 0, 0, 0);
}

#else /* any other Linux: libc's indirect call, its errno given back as found */
#include <errno.h>
#include <unistd.h>

static inline long sys6(long nr, long a, long b, long c, long d, long e, long f)
{
    int saved = errno;
    long ret = syscall(nr, a, b, c, d, e, f);
    if (ret == -1)
        ret = -errno;
    errno = saved;
    return ret;
}

static inline long sys3(long nr, long a, long b, long c)
{
    return sys6(nr, a, b, c, 0, 0, 0);
}

#endif

/* Arguments of any scalar or pointer type. */
#define SYS0(nr)                sys3(nr, 0, 0, 0)
#define SYS1(nr, a)             sys3(nr, (long)(a), 0, 0)
#define SYS2(nr, a, b)          sys3(nr, (long)(a), (long)(b), 0)
#define SYS3(nr, a, b, c)       sys3(nr, (long)(a), (long)(b), (long)(c))
#define SYS4(nr, a, b, c, d)    sys6(nr, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define SYS5(nr, a, b, c, d, e) sys6(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)
#define SYS6(nr, a, b, c, d, e, f) \
    sys6(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
