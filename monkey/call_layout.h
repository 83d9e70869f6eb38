/* call_layout.h - where struct call (intercept.h) keeps what, for the trampoline's assembler.
 *
 * intercept.c asserts that these offsets and the struct agree. The frame lies below the program's
 * red zone, so the program's stack pointer is always CALL_SP bytes above the struct. */
#pragma once

#define CALL_NR     0
#define CALL_RDI    8
#define CALL_RSI    16
#define CALL_RDX    24
#define CALL_R10    32
#define CALL_R8     40
#define CALL_R9     48
#define CALL_RBX    56
#define CALL_RBP    64
#define CALL_R12    72
#define CALL_R13    80
#define CALL_R14    88
#define CALL_R15    96
#define CALL_SITE   104
#define CALL_BACK   112
#define CALL_NATIVE 120
#define CALL_SIZE   128
#define CALL_SP     (CALL_SIZE + 128)
