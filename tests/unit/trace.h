/* trace.h - what the threads of a test did, in the order it was done. */
#pragma once
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static char trace[256];

static __attribute__((format(printf, 1, 2))) void note(const char *format, ...)
{
    size_t n = strlen(trace);
    va_list args;
    va_start(args, format);
    vsnprintf(trace + n, sizeof trace - n, format, args);
    va_end(args);
}

static inline void trace_clear(void)
{
    trace[0] = '\0';
}
