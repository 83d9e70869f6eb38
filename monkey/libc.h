/* libc.h - prototypes for the private libevent's sake: what libc.c defines for it and no header of
 * libc's declares. (libevent's own headers are for runtime/hub*.c only.) */
#pragma once
#include <stdarg.h>
#include <stddef.h>

/* libevent's: where its memory comes from. */
void event_set_mem_functions(void *(*get)(size_t size), void *(*resize)(void *block, size_t size),
                             void (*put)(void *block));

extern unsigned int event_debug_logging_mask_;
void event_warn(const char *format, ...);
void event_warnx(const char *format, ...);
void event_msgx(const char *format, ...);
void event_debugx_(const char *format, ...);
void event_sock_warn(long fd, const char *format, ...);
_Noreturn void event_err(int status, const char *format, ...);
_Noreturn void event_errx(int status, const char *format, ...);
_Noreturn void event_sock_err(int status, long fd, const char *format, ...);
void event_set_log_callback(void (*callback)(int severity, const char *message));
void event_set_fatal_callback(void (*callback)(int err));
void event_enable_debug_logging(unsigned int which);
void event_logv_(int severity, const char *error, const char *format, va_list args);
