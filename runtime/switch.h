/* switch.h - saving one flow of control and resuming another.
 *
 * A context is where a parked flow goes on: context_switch stores the caller's and jumps into the
 * other. Only stack pointer, frame pointer and resume address are kept; the compiler itself saves
 * what else is live around the call, which is mostly nothing. A parked context is therefore an
 * ordinary point in an ordinary function, and unwinders need nothing special to walk it.
 * The FP environment is not switched (that would cost ten times the switch).
 *
 * context_start prepares one that begins in `entry` on an unused stack: entry never returns and
 * must not be inlined; a walk of its stack ends there. */
#pragma once
#include <stdint.h>

#if defined(GREEN_SWITCH_PORTABLE)
#include "switch_portable.h"
#elif defined(__x86_64__)
#include "switch_x86_64.h"
#elif defined(__aarch64__)
#include "switch_aarch64.h"
#else
#include "switch_portable.h"
#endif
