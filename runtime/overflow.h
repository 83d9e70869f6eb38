/* overflow.h - naming the thread whose stack overflows: see green_report_overflow (green/state.h).
 * The preloaded library does without: its threads run on stacks of the program's. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

/* An OS thread gets a hub: where the handler of a fault is to run. 0, or a negative errno. Nothing
 * happens unless the report was asked for. */
int overflow_arm(void);

/* It loses its hub. */
void overflow_disarm(void);

/* coroutine.c: is this in the guard of a coroutine's stack, and of how many bytes is that? 0: no.
 */
size_t coroutine_guarded(const void *address);
