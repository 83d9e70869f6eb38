/* object.h - loaded ELF objects, as far as finding and judging system-call sites needs them. */
#pragma once
#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One executable segment of a loaded object. */
struct object {
    const uint8_t *lo, *hi;
    const uint8_t *unwind; /* its .eh_frame_hdr, or NULL */
};

/* The segment of the object with these program headers that holds addr. */
bool object_segment(uintptr_t base, const Elf64_Phdr *ph, size_t n, uintptr_t addr,
                    struct object *out);

/* The segment that holds addr, of whichever object; safe in a signal handler. False for memory
 * that no object covers (made at run time), and on a libc before 2.35, which cannot tell. */
bool object_at(uintptr_t addr, struct object *out);

/* The function around addr, [*lo, *hi), from the unwind table. */
bool object_function(const struct object *o, const uint8_t *addr, const uint8_t **lo,
                     const uint8_t **hi);
