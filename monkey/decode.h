/* decode.h - the length and the control flow of x86-64 instructions, nothing more. */
#pragma once
#include <stdint.h>

enum {
    INSN_SYSCALL = 1,
    INSN_LABEL = 2,    /* a direct jump or call: `target` is where to */
    INSN_FIXED = 4,    /* transfers control or depends on its place: must not be moved */
    INSN_INDIRECT = 8, /* a jump through a register or memory, perhaps by a table */
    INSN_RIPREL = 16,  /* has a displacement relative to its end, at byte disp_at */
};

struct insn {
    uint8_t len;
    uint8_t flags;
    uint8_t disp_at;
    const uint8_t *target;
};

/* Decodes the instruction at p, which ends at `end` the latest. Its length, or 0 when it is cut
 * off or not an instruction of 64-bit mode. */
int decode(const uint8_t *p, const uint8_t *end, struct insn *out);
