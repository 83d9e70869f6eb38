/* preload.h - the preloaded library's beginning and end in a process. */
#pragma once
#include <stdint.h>

/* System calls emulated, for --stats. */
extern uint64_t preload_calls;

/* The process is about to end: prints what was asked for. */
void preload_ends(void);
