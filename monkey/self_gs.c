/* self_gs.c - see self_gs.h. */
#include "self.h"
#include "sys.h"
#include <asm/prctl.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/resource.h>

#ifndef HWCAP2_FSGSBASE
#define HWCAP2_FSGSBASE 2
#endif

bool self_fsgsbase;

void self_start(void)
{
    self_fsgsbase = (getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE) != 0;
}

uintptr_t self_base_slow(bool gs)
{
    uintptr_t base = 0;
    SYS2(SYS_arch_prctl, gs ? ARCH_GET_GS : ARCH_GET_FS, &base);
    return base;
}

void self_set_base_slow(bool gs, uintptr_t base)
{
    SYS2(SYS_arch_prctl, gs ? ARCH_SET_GS : ARCH_SET_FS, base);
}

int self_hub_set(struct green_hub *hub)
{
    if (self_fsgsbase)
        __asm__ volatile("wrgsbase %0" : : "r"(hub) : "memory");
    else
        self_set_base_slow(true, (uintptr_t)hub);
    return 0;
}

/* Only sanitizers ask. */
void self_stack(const void **bottom, size_t *size)
{
    *bottom = NULL;
    *size = 0;
}

/* ---- the hub's own descriptors ---- */

enum { HIGH = 1000, MARGIN = 24 }; /* select(2) reaches up to 1023 */

static int own[8];
static int own_count;

int self_fd(int fd)
{
    struct rlimit limit = {0};
    SYS4(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit);
    if (fd >= 0 && limit.rlim_cur > MARGIN) {
        long from = limit.rlim_cur >= HIGH + MARGIN ? HIGH : (long)limit.rlim_cur - MARGIN;
        long high = SYS3(SYS_fcntl, fd, F_DUPFD_CLOEXEC, from);
        if (high >= 0) {
            SYS1(SYS_close, fd);
            fd = (int)high;
        }
    }
    if (fd >= 0 && own_count < (int)(sizeof own / sizeof own[0]))
        own[own_count++] = fd;
    return fd;
}

bool self_owns(int fd)
{
    for (int i = 0; i < own_count; i++)
        if (own[i] == fd)
            return true;
    return false;
}

void self_disown(void)
{
    while (own_count > 0)
        SYS1(SYS_close, own[--own_count]);
}
