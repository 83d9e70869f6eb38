/* compiler.h - the few words to the compiler that the runtime uses. */
#pragma once
#include <stddef.h>

#define LIKELY(x)   __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

/* Outside a header's struct: the struct that a member pointer belongs to. */
#define CONTAINER(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* Exported for libgreen-monkey, which is a library of its own but a part of the engine. These are
 * no API: they stand in no installed header and change without notice. */
#define ENGINE_API __attribute__((visibility("default")))
