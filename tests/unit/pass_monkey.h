/* pass_monkey.h - the interception with a monkey_call() that counts and passes everything on: what
 * the tests and measurements of the interception stand on. A shared library of its own, since only
 * calls from outside the interception's library are intercepted. */
#pragma once
#include "../../monkey/intercept.h"

#define PASS_API __attribute__((visibility("default")))

PASS_API int pass_start(unsigned flags);
PASS_API int pass_start_wanted(unsigned flags, bool (*wants)(long nr));
PASS_API int pass_arm(void);
PASS_API void pass_scan(void);
PASS_API struct intercept_stats pass_stats(void);
PASS_API uintptr_t pass_pc(uintptr_t pc);

/* Calls seen with this number. */
PASS_API long pass_count(long nr);

/* Called within every call with the number `nr`, on the program's stack. */
PASS_API void pass_hook(long nr, void (*hook)(struct call *c));

/* At the next getpid(): prepares a thread that begins behind it, on the given stack. */
PASS_API void pass_begin(struct call_start *out, void *stack_top);

/* decode() of the interception. Length and flags. */
PASS_API int pass_decode(const uint8_t *bytes, int n, unsigned *flags);
