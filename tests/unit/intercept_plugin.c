/* intercept_plugin.c - an object loaded later, with a system call of its own. */
#include <sys/syscall.h>

long plugin_getppid(void);

long plugin_getppid(void)
{
    long ret;
    __asm__ volatile("syscall" : "=a"(ret) : "a"(SYS_getppid) : "rcx", "r11", "memory");
    return ret;
}
