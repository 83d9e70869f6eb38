/* switch_return.h - returning after a switch.
 *
 * Processors predict a return to go where the latest call came from. After a switch that is the
 * other flow's call, always the wrong one, at some 12 ns each: most of what a switch costs. A
 * function marked SWITCH_RETURN returns by an indirect jump instead, which is predicted by where it
 * went before. Elsewhere than with GCC on x86-64 the mark means nothing; nor where calls and
 * returns are checked to match (CET). */
#pragma once

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__CET__) && \
    !defined(GREEN_SWITCH_PORTABLE)
#define SWITCH_RETURN __attribute__((function_return("thunk-extern")))
/* The compiler's name for it. Once a library, whoever includes this. */
__asm__(".pushsection .text.__x86_return_thunk,\"axG\",@progbits,__x86_return_thunk,comdat\n"
        ".weak __x86_return_thunk\n"
        ".hidden __x86_return_thunk\n"
        ".type __x86_return_thunk,@function\n"
        "__x86_return_thunk:\n\t"
        ".cfi_startproc\n\t"
        "popq %rcx\n\t"
        ".cfi_def_cfa_offset 0\n\t"
        ".cfi_register %rip, %rcx\n\t"
        "jmpq *%rcx\n\t"
        ".cfi_endproc\n"
        ".size __x86_return_thunk, . - __x86_return_thunk\n"
        ".popsection");
#else
#define SWITCH_RETURN
#endif
