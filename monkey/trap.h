/* trap.h - what the SIGSYS handler asks of the interception. */
#pragma once
#include <stdint.h>

/* A system call was made natively at this site: rewrites the site if that can be done. Where the
 * program goes on after the call. */
uintptr_t trap_site(uintptr_t site);
